// aftercare-demo: the main job end to end. Starts aftercared on a fresh
// directory, lives a history through the public API (generated, or imported
// from a CSV file), prints an account, kills the server with SIGKILL, deletes
// every projection, starts it again and shows that digests and figures are the
// same.
//
// Exit codes: 0 all the same; 1 something differs or failed; 2 bad flags.

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "CLI/CLI.hpp"
#include "absl/cleanup/cleanup.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/handbook/yaml.h"
#include "libs/rpc/client.h"
#include "services/ctl/csv.h"
#include "services/ctl/import.h"
#include "services/demo/driver.h"
#include "services/demo/generator.h"
#include "services/demo/process.h"
#include "services/demo/report.h"

namespace aftercare::demo {
namespace {

struct Flags {
  std::string bin;
  std::string source = ".";
  std::string data_file;
  bool keep = false;
  GeneratorOptions generator;
};

// The port a server wrote once it listens.
absl::StatusOr<int> AwaitPort(const std::string& data, pid_t pid) {
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (absl::Now() < end) {
    std::ifstream file(data + "/ports.json");
    std::stringstream text;
    text << file.rdbuf();
    const std::string content = text.str();
    const std::string mine = absl::StrCat("\"pid\":", pid, "}");
    const size_t at = content.find("\"grpc\":");
    if (at != std::string::npos && content.find(mine) != std::string::npos) {
      return std::atoi(content.c_str() + at + 7);
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::DeadlineExceededError("the server did not come up");
}

struct Running {
  Process process;
  std::unique_ptr<rpc::Client> client;
  std::unique_ptr<Api> api;
  int port = 0;
};

absl::StatusOr<Running> StartServer(const Flags& flags,
                                    const std::string& data) {
  ASSIGN_OR_RETURN(
      Process process,
      Process::Start(
          {flags.bin + "/aftercared", "--data", data, "--listen", "127.0.0.1:0",
           "--insecure-dev-identity", "--log-level", "warning"},
          data + ".log"));
  const pid_t pid = process.pid();
  Running running{std::move(process), nullptr, nullptr, 0};
  ASSIGN_OR_RETURN(running.port, AwaitPort(data, pid));
  running.client =
      std::make_unique<rpc::Client>(absl::StrCat("127.0.0.1:", running.port));
  running.api = std::make_unique<Api>(*running.client);
  RETURN_IF_ERROR(running.api->AwaitQuiet(absl::Seconds(300)));
  return running;
}

class Progress {
 public:
  Progress(const char* what, const char* unit) : what_(what), unit_(unit) {}
  void operator()(int done, int of) {
    const absl::Time now = absl::Now();
    if (!tty_ && done != of && now - last_ < absl::Seconds(5)) return;
    last_ = now;
    const double seconds = absl::ToDoubleSeconds(now - begin_);
    std::fprintf(stderr, "%s%s: %s %d of %d, %.1f s, about %.0f s left%s",
                 tty_ ? "\r" : "", what_, unit_, done, of, seconds,
                 seconds / done * (of - done), tty_ ? "   " : "\n");
    if (tty_ && done == of) std::fprintf(stderr, "\n");
  }

 private:
  const char* what_;
  const char* unit_;
  const bool tty_ = isatty(2) == 1;
  const absl::Time begin_ = absl::Now();
  absl::Time last_ = absl::InfinitePast();
};

// Runs `live` and prints what became of its calls.
absl::Status Timed(Running& server, absl::FunctionRef<absl::Status()> live) {
  const absl::Time begin = absl::Now();
  RETURN_IF_ERROR(live());
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin);
  const auto counts = server.api->counts();
  std::printf("%d calls accepted in %.1f s, %.0f a second\n",
              static_cast<int>(counts.accepted), seconds,
              static_cast<double>(counts.accepted) / seconds);
  std::printf("Refused, as the handbook wants it:%s\n",
              counts.refused.empty() ? " nothing" : "");
  for (const auto& [what, count] : counts.refused) {
    std::printf("    %-45s %d\n", what.c_str(), static_cast<int>(count));
  }
  if (counts.failed > 0) {
    return absl::InternalError(absl::StrCat(
        counts.failed, " calls failed, first ", counts.first_failure));
  }
  return absl::OkStatus();
}

absl::Status LiveGenerated(const Flags& flags, Running& server,
                           const handbook::v1::Handbook& handbook) {
  Driver driver(*server.api, handbook);
  const auto days = Generate(flags.generator);
  RETURN_IF_ERROR(driver.Prepare(days.front().midnight, ""));
  return Timed(server,
               [&] { return driver.Live(days, Progress("history", "day")); });
}

// What the file says became of each repair, by the name the mapping gives its
// case.
absl::StatusOr<std::map<std::string, Outcome>> ReadOutcomes(
    const Flags& flags, const std::string& company) {
  std::map<std::string, Outcome> outcomes;
  std::map<std::string, size_t> column;
  RETURN_IF_ERROR(ctl::ReadCsv(
      flags.data_file, ctl::CsvDialect(),
      [&](const std::vector<std::string>& heading) {
        for (size_t i = 0; i < heading.size(); ++i) column[heading[i]] = i;
        for (const char* name : {"id", "group_identifier", "repair_status",
                                 "repair_barrier_if_end_of_life"}) {
          if (!column.contains(name)) {
            return absl::InvalidArgumentError(
                absl::StrCat(flags.data_file, " has no column ", name));
          }
        }
        return absl::OkStatus();
      },
      [&](const ctl::CsvRow& row) {
        if (!row.problem.empty()) return true;
        const std::string& status = row.fields[column["repair_status"]];
        const std::string& barrier =
            row.fields[column["repair_barrier_if_end_of_life"]];
        Outcome outcome;
        outcome.kind = status == "Fixed"         ? Outcome::Kind::kFixed
                       : status == "End of life" ? Outcome::Kind::kEndOfLife
                                                 : Outcome::Kind::kRepairable;
        outcome.reason = barrier.empty() ? status : barrier;
        outcomes.emplace(
            absl::StrCat(company, "/customers/",
                         ctl::Slug(row.fields[column["group_identifier"]]),
                         "/cases/", ctl::Slug(row.fields[column["id"]])),
            std::move(outcome));
        return true;
      }));
  return outcomes;
}

absl::Status LiveRecorded(const Flags& flags, Running& server,
                          const handbook::v1::Handbook& handbook,
                          const std::string& scratch) {
  ASSIGN_OR_RETURN(auto outcomes, ReadOutcomes(flags, handbook.company()));
  Driver driver(*server.api, handbook);
  // Everybody works where the regions of the file belong to: the last
  // territory takes all that no other names.
  RETURN_IF_ERROR(driver.Prepare(
      FromProto(handbook.effective_time()),
      handbook.dispatch()
          .territories(handbook.dispatch().territories_size() - 1)
          .id()));
  const absl::Time begin = absl::Now();
  ASSIGN_OR_RETURN(
      Process import,
      Process::Start(
          {flags.bin + "/aftercarectl", "--server",
           absl::StrCat("127.0.0.1:", server.port), "--actor", "importer",
           "import", "--mapping",
           flags.source + "/deploy/import/open_repair.yaml", "--file",
           flags.data_file, "--reject", scratch + "/rejected.csv", "--state",
           scratch + "/import.state"},
          ""));
  const int code = import.Wait();
  if (code == 1) {
    std::ifstream rejects(scratch + "/rejected.csv");
    std::string line;
    for (int i = 0; i < 10 && std::getline(rejects, line); ++i) {
      std::printf("refused: %s\n", line.c_str());
    }
  } else if (code != 0) {
    return absl::InternalError(absl::StrCat("the import ended with ", code));
  }
  RETURN_IF_ERROR(server.api->AwaitQuiet(absl::Seconds(600)));
  std::printf("Imported in %.1f s\n",
              absl::ToDoubleSeconds(absl::Now() - begin));
  return Timed(server, [&] {
    return driver.LiveRecorded(std::move(outcomes),
                               Progress("visits", "month"));
  });
}

absl::Status Run(const Flags& flags) {
  std::ifstream file(flags.source + "/deploy/handbooks/demo.yaml");
  std::stringstream yaml;
  yaml << file.rdbuf();
  const auto loaded = handbook::LoadHandbook(yaml.str());
  if (!loaded.problems.empty()) {
    return absl::InvalidArgumentError(
        handbook::FormatProblems("demo.yaml", loaded.problems));
  }
  std::string scratch =
      (std::filesystem::temp_directory_path() / "aftercare-demo-XXXXXX")
          .string();
  if (mkdtemp(scratch.data()) == nullptr) {
    return absl::UnavailableError("no temporary directory");
  }
  const absl::Cleanup remove = [&] {
    if (flags.keep) {
      std::printf("Data kept in %s\n", scratch.c_str());
      return;
    }
    std::error_code ignored;
    std::filesystem::remove_all(scratch, ignored);
  };
  const std::string data = scratch + "/data";
  std::filesystem::create_directories(data);

  ASSIGN_OR_RETURN(Running server, StartServer(flags, data));
  if (flags.data_file.empty()) {
    RETURN_IF_ERROR(LiveGenerated(flags, server, loaded.handbook));
  } else {
    RETURN_IF_ERROR(LiveRecorded(flags, server, loaded.handbook, scratch));
  }
  ASSIGN_OR_RETURN(const std::string account,
                   Account(*server.api, loaded.handbook.company()));
  std::printf("\n%s\n", account.c_str());
  ASSIGN_OR_RETURN(auto status, server.api->Status());
  const std::string digests = Digests(status);
  int64_t events = 0;
  for (const auto& shard : status.shards()) events += shard.events();
  std::printf("Digests of all rows:\n%s", digests.c_str());

  std::printf(
      "\nSIGKILL; every projection is deleted; replaying from the "
      "log ...\n");
  server.process.Kill();
  server.api.reset();
  server.client.reset();
  std::filesystem::remove_all(data + "/shards");
  std::filesystem::remove_all(data + "/reactions");
  const absl::Time begin = absl::Now();
  ASSIGN_OR_RETURN(server, StartServer(flags, data));
  std::printf("%d events replayed and all reactions asked again in %.1f s\n",
              static_cast<int>(events),
              absl::ToDoubleSeconds(absl::Now() - begin));
  ASSIGN_OR_RETURN(const std::string account_after,
                   Account(*server.api, loaded.handbook.company()));
  ASSIGN_OR_RETURN(auto status_after, server.api->Status());
  const std::string digests_after = Digests(status_after);
  ASSIGN_OR_RETURN(auto verdicts,
                   server.api->Call<admin::v1::VerifyShardsResponse>(
                       "operator", "aftercare.admin.v1.AdminService",
                       "VerifyShards", admin::v1::VerifyShardsRequest()));
  const bool same_digests = digests == digests_after;
  const bool same_figures = account == account_after;
  std::printf(
      "Digests:  %s\nFigures:  %s\nVerified: %s\n",
      same_digests ? "the same" : "DIFFERENT",
      same_figures ? "the same" : "DIFFERENT",
      verdicts.ok() ? "live rows = recounted = replayed anew" : "DIFFERENT");
  if (!same_digests) std::printf("%s", digests_after.c_str());
  if (!same_figures) std::printf("%s", account_after.c_str());
  for (const auto& verdict : verdicts.verdicts()) {
    if (!verdict.ok()) {
      std::printf("    %s/%d: %s\n", verdict.service().c_str(),
                  verdict.partition(), verdict.problem().c_str());
    }
  }
  if (!same_digests || !same_figures || !verdicts.ok()) {
    return absl::DataLossError("the replayed state is not the live state");
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace aftercare::demo

int main(int argc, char** argv) {
  aftercare::demo::Flags flags;
  flags.bin =
      std::filesystem::canonical("/proc/self/exe").parent_path().string();
  CLI::App app("Aftercare's main job, end to end");
  app.add_option("--source", flags.source, "Root of the source tree")
      ->capture_default_str();
  app.add_option("--data-file", flags.data_file,
                 "Live the repairs of this CSV file (open repair data) instead "
                 "of the generated history");
  app.add_option("--seed", flags.generator.seed, "Of the generated history")
      ->capture_default_str();
  app.add_option("--days", flags.generator.days, "Of the generated history")
      ->check(CLI::Range(1, 300))
      ->capture_default_str();
  app.add_option("--cases", flags.generator.cases, "Of the generated history")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_flag("--keep", flags.keep, "Keep the data directory");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const absl::Status status = aftercare::demo::Run(flags);
  if (!status.ok()) {
    std::fprintf(stderr, "demo: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
