#include "tests/system/daemon.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "libs/base/status_macros.h"
#include "libs/handbook/yaml.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::testing {
namespace {

// What a healthy process needs at most, sanitizers and a busy machine included.
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr auto kPoll = std::chrono::milliseconds(5);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

int CodeOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

pid_t Daemon::Spawn(const std::vector<std::string>& flags) {
  std::filesystem::create_directories(data_);
  const char* bin = std::getenv("AFTERCARE_BIN");
  std::vector<std::string> words = {
      absl::StrCat(bin == nullptr ? "." : bin, "/", program_), "--data", data_,
      "--insecure-dev-identity",
      // A full temporary directory is not what these tests are about.
      "--min-free-bytes", "1048576"};
  if (std::find(flags.begin(), flags.end(), "--listen") == flags.end()) {
    words.push_back("--listen");
    words.push_back(absl::StrCat(place_.address, ":0"));
  }
  words.insert(words.end(), flags.begin(), flags.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  // Between fork and exec only what is safe with other threads about.
  std::vector<char*> environment;
  for (char** own = environ; *own != nullptr; ++own)
    environment.push_back(*own);
  for (const std::string& pair : place_.environment) {
    environment.push_back(const_cast<char*>(pair.c_str()));
  }
  environment.push_back(nullptr);
  const int network = place_.network.empty()
                          ? -1
                          : open(place_.network.c_str(), O_RDONLY | O_CLOEXEC);
  const std::string log_path = absl::StrCat(data_, "/stderr.log");
  const int log =
      open(log_path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0644);
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(log, STDERR_FILENO);
    dup2(log, STDOUT_FILENO);
    if (network >= 0 && setns(network, CLONE_NEWNET) != 0) _exit(126);
    execve(arguments[0], arguments.data(), environment.data());
    _exit(127);
  }
  close(log);
  if (network >= 0) close(network);
  return pid;
}

absl::Status Daemon::Start(const std::vector<std::string>& flags) {
  const std::string ports = absl::StrCat(data_, "/ports.json");
  std::error_code ignored;
  std::filesystem::remove(ports, ignored);
  pid_ = Spawn(flags);
  const absl::Time end = absl::Now() + kPatience;
  const std::regex form(R"("grpc":(\d+),"metrics":(\d+))");
  while (absl::Now() < end) {
    const std::string text = ReadFile(ports);
    if (std::smatch match; std::regex_search(text, match, form)) {
      port_ = std::stoi(match[1]);
      metrics_port_ = std::stoi(match[2]);
      std::lock_guard lock(mutex_);
      client_ = std::make_shared<rpc::Client>(
          absl::StrCat(place_.address, ":", port_));
      return absl::OkStatus();
    }
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return absl::InternalError(absl::StrCat("ended at once:\n", Log()));
    }
    std::this_thread::sleep_for(kPoll);
  }
  return absl::DeadlineExceededError(absl::StrCat("no ports:\n", Log()));
}

int Daemon::RunToEnd(const std::vector<std::string>& flags) {
  const pid_t pid = Spawn(flags);
  int status = 0;
  waitpid(pid, &status, 0);
  return CodeOf(status);
}

absl::Status Daemon::AwaitServing() {
  const absl::Time end = absl::Now() + kPatience;
  while (absl::Now() < end) {
    const auto status = Status();
    bool all = status.ok();
    if (status.ok()) {
      for (const auto& shard : status->shards()) {
        all &= shard.state() == admin::v1::Shard::SERVING;
      }
    }
    if (all) return absl::OkStatus();
    std::this_thread::sleep_for(kPoll);
  }
  return absl::DeadlineExceededError(absl::StrCat("not serving:\n", Log()));
}

void Daemon::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

std::optional<int> Daemon::EndedByItself() {
  int status = 0;
  if (pid_ < 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  return CodeOf(status);
}

// kill(-1, ...) would be everybody.
void Daemon::Pause() {
  if (pid_ > 0) kill(pid_, SIGSTOP);
}

void Daemon::Resume() {
  if (pid_ > 0) kill(pid_, SIGCONT);
}

int Daemon::Stop() {
  if (pid_ < 0) return -1;
  kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return CodeOf(status);
}

std::string Daemon::Log() const {
  return ReadFile(absl::StrCat(data_, "/stderr.log"));
}

std::shared_ptr<rpc::Client> Daemon::client() const {
  std::lock_guard lock(mutex_);
  return client_;
}

absl::StatusOr<std::string> Daemon::CallRaw(
    absl::string_view service, absl::string_view method,
    const std::string& request, const std::string& actor,
    absl::Duration deadline,
    std::map<std::string, std::string>* trailers) const {
  return client()->InvokeRaw(
      absl::StrCat("/", service, "/", method), request,
      {.actor = actor, .deadline = deadline, .trailers = trailers});
}

absl::StatusOr<admin::v1::Status> Daemon::Status() const {
  return Call<admin::v1::Status>("aftercare.admin.v1.AdminService", "GetStatus",
                                 admin::v1::GetStatusRequest(), "operator");
}

absl::Status Daemon::ApplyDemoHandbook() const {
  handbook::v1::ApplyHandbookRequest request;
  *request.mutable_handbook() =
      handbook::LoadHandbook(DemoHandbookText()).handbook;
  return Call<handbook::v1::Handbook>("aftercare.handbook.v1.HandbookService",
                                      "ApplyHandbook", request, "operator")
      .status();
}

absl::Status Daemon::AwaitReactions() const {
  // One reaction's commands are another's events: quiet twice in a row means
  // that nothing is under way between them.
  const absl::Time end = absl::Now() + kPatience;
  int64_t before = -1;
  while (absl::Now() < end) {
    ASSIGN_OR_RETURN(const auto status, Status());
    int64_t lag = 0;
    int64_t offsets = 0;
    for (const auto& reaction : status.reactions()) lag += reaction.lag();
    for (const auto& shard : status.shards()) offsets += shard.offset();
    if (lag == 0 && offsets == before) return absl::OkStatus();
    before = offsets;
    std::this_thread::sleep_for(kPoll);
  }
  return absl::DeadlineExceededError("the reactions do not come to rest");
}

}  // namespace aftercare::testing
