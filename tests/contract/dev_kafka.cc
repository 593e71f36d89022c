#include "tests/contract/dev_kafka.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "libs/base/status_macros.h"

namespace aftercare::contract {
namespace {

// deploy/dev/kafka's exit code for "cannot be had on this machine".
constexpr int kNoKafka = 3;

struct Child {
  pid_t pid = -1;
  int input = -1;   // what is written here it reads
  int output = -1;  // what it prints is read here
};

// Ends of pipes must not leak into other children: a held end is a held child.
absl::StatusOr<Child> Spawn(const std::vector<std::string>& command,
                            const std::string& errors) {
  int input[2];
  int output[2];
  if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
    return absl::InternalError("no pipe");
  }
  std::vector<char*> argv;
  for (const std::string& word : command) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid == 0) {
    const int log = open(errors.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(input[0], 0);
    dup2(output[1], 1);
    dup2(log, 2);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(input[0]);
  close(output[1]);
  if (pid < 0) {
    close(input[1]);
    close(output[0]);
    return absl::InternalError("fork failed");
  }
  return Child{pid, input[1], output[0]};
}

// Up to the first line's end, or the end of the output.
std::string ReadLine(int fd) {
  std::string line;
  char c = 0;
  while (true) {
    const ssize_t got = read(fd, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || c == '\n') return line;
    line += c;
  }
}

int ExitCodeOf(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string ReadFile(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return std::string(absl::StripSuffix(text.str(), "\n"));
}

std::string Command() {
  const char* source = std::getenv("AFTERCARE_SOURCE");
  return absl::StrCat(source == nullptr ? "." : source, "/deploy/dev/kafka");
}

}  // namespace

absl::Status DevKafka::Fetch() {
  const testing::TempDir directory;
  const std::string errors = directory / "errors";
  ASSIGN_OR_RETURN(const Child child, Spawn({Command(), "fetch"}, errors));
  close(child.input);
  const int code = ExitCodeOf(child.pid);
  close(child.output);
  if (code == 0) return absl::OkStatus();
  const std::string reason = ReadFile(errors);
  return code == kNoKafka ? absl::UnavailableError(reason)
                          : absl::InternalError(reason);
}

absl::StatusOr<std::unique_ptr<DevKafka>> DevKafka::Start(
    int nodes, const std::vector<Place>& places) {
  std::unique_ptr<DevKafka> kafka(new DevKafka);
  if (const char* given = std::getenv("AFTERCARE_KAFKA");
      given != nullptr && *given != '\0') {
    kafka->bootstrap_servers_ = given;
    return kafka;
  }
  const std::string errors = kafka->directory_ / "errors";
  std::vector<std::string> command = {Command(), "up",
                                      "--hold",  "--wipe",
                                      "--dir",   kafka->directory_.path(),
                                      "--nodes", absl::StrCat(nodes)};
  for (const Place& place : places) {
    command.insert(command.end(), {"--host", place.address});
    if (!place.network.empty()) {
      command.insert(command.end(), {"--network", place.network});
    }
  }
  ASSIGN_OR_RETURN(const Child child, Spawn(command, errors));
  const std::string line = ReadLine(child.output);
  close(child.output);
  constexpr absl::string_view kPrefix = "bootstrap=";
  if (!absl::StartsWith(line, kPrefix)) {
    close(child.input);
    const int code = ExitCodeOf(child.pid);
    const std::string reason = ReadFile(errors);
    if (code == kNoKafka) {
      return absl::UnavailableError(absl::StrCat("no Kafka here: ", reason));
    }
    return absl::InternalError(
        absl::StrCat(Command(), " up: exit code ", code, ": ", reason));
  }
  kafka->bootstrap_servers_ = line.substr(kPrefix.size());
  kafka->pid_ = child.pid;
  kafka->input_ = child.input;
  return kafka;
}

absl::StatusOr<DevKafka*> DevKafka::Shared() {
  static const absl::StatusOr<std::unique_ptr<DevKafka>> shared = Start(1);
  RETURN_IF_ERROR(shared.status());
  return shared->get();
}

DevKafka::~DevKafka() {
  if (!own()) return;
  close(input_);
  ExitCodeOf(pid_);
}

int DevKafka::replication_factor() const {
  return std::count(bootstrap_servers_.begin(), bootstrap_servers_.end(),
                    ',') >= 2
             ? 3
             : 1;
}

int DevKafka::min_insync_replicas() const {
  return replication_factor() == 3 ? 2 : 1;
}

absl::Status DevKafka::Node(const std::string& action, int node) const {
  return Run({absl::StrCat(action, "-node"), absl::StrCat(node)});
}

absl::Status DevKafka::Run(std::vector<std::string> words) const {
  if (!own()) return absl::FailedPreconditionError("not our brokers");
  const std::string what = absl::StrJoin(words, " ");
  const std::string errors = directory_ / "run-errors";
  words.insert(words.begin(), Command());
  words.insert(words.end(), {"--dir", directory_.path()});
  ASSIGN_OR_RETURN(const Child child, Spawn(words, errors));
  close(child.input);
  // What it prints must not fill the pipe.
  while (!ReadLine(child.output).empty()) {
  }
  const int code = ExitCodeOf(child.pid);
  close(child.output);
  if (code == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(what, ": exit code ", code, ": ", ReadFile(errors)));
}

int64_t DevKafka::BytesOnDisk(const log::TopicPartition& partition,
                              int node) const {
  int64_t bytes = 0;
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(
           absl::StrCat(directory_.path(), "/node-", node, "/data/",
                        partition.topic, "-", partition.partition),
           error)) {
    if (file.path().extension() == ".log") {
      bytes += static_cast<int64_t>(file.file_size(error));
    }
  }
  return bytes;
}

}  // namespace aftercare::contract
