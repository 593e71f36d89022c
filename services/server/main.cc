// aftercared: all four services in one process on the embedded log.
// Flags, files and exit codes: README.md beside this file.

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/log/embedded_log.h"
#include "libs/process/logging.h"
#include "libs/reaction/reaction.h"
#include "libs/rpc/admin_service.h"
#include "libs/rpc/gateway.h"
#include "libs/rpc/handbook_service.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/metrics.h"
#include "libs/rpc/server.h"
#include "libs/shard/shard.h"
#include "services/dispatch/reactions.h"
#include "services/dispatch/service.h"
#include "services/intake/reactions.h"
#include "services/intake/service.h"
#include "services/returns/reactions.h"
#include "services/returns/service.h"
#include "services/scoring/reactions.h"
#include "services/scoring/service.h"

namespace aftercare {
namespace {

struct Flags {
  std::string data;
  std::string listen = "127.0.0.1:7400";
  std::string metrics;
  int partitions = 2;
  bool insecure_dev_identity = false;
  std::vector<std::string> operators;
  int64_t min_free_bytes = int64_t{256} << 20;
  std::string log_level = "info";
  int append_timeout_ms = 10000;
};

std::atomic<int> stop_pipe{-1};

void OnSignal(int) {
  const char byte = 0;
  // The only thing that is safe here; main waits for it.
  [[maybe_unused]] const ssize_t written = write(stop_pipe, &byte, 1);
}

// Scripts find the chosen ports here; written whole, then renamed.
absl::Status WritePorts(const std::string& data, int grpc, int metrics) {
  const std::string path = data + "/ports.json";
  {
    std::ofstream file(path + ".new");
    file << "{\"grpc\":" << grpc << ",\"metrics\":" << metrics
         << ",\"pid\":" << getpid() << "}\n";
    if (!file.flush()) return absl::UnavailableError(path + " not written");
  }
  if (std::rename((path + ".new").c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(path + " not written");
  }
  return absl::OkStatus();
}

absl::Status Run(const Flags& flags) {
  log::EmbeddedLogOptions log_options;
  log_options.directory = flags.data + "/log";
  log_options.min_free_bytes = flags.min_free_bytes / 2;
  ASSIGN_OR_RETURN(auto log, log::EmbeddedLog::Open(log_options));

  struct Part {
    shard::Service service;
    std::vector<reaction::Mapping> reactions;
  };
  std::vector<Part> parts;
  parts.push_back({intake::MakeIntakeService(), intake::IntakeReactions()});
  parts.push_back(
      {dispatch::MakeDispatchService(), dispatch::DispatchReactions()});
  parts.push_back({returns::MakeReturnsService(), returns::ReturnsReactions()});
  parts.push_back({scoring::MakeScoringService(), scoring::ScoringReactions()});

  // Destroyed in reverse: reactions and calls end before shards, shards before
  // the log.
  std::vector<std::unique_ptr<rpc::Hosted>> hosted;
  for (Part& part : parts) {
    auto host = std::make_unique<rpc::Hosted>();
    host->service =
        std::make_shared<const shard::Service>(std::move(part.service));
    // A method without a handler or without roles is a mistake of ours.
    RETURN_IF_ERROR(host->service->CheckComplete());
    RETURN_IF_ERROR(log->EnsureTopic(host->service->topic(), flags.partitions));
    for (int p = 0; p < flags.partitions; ++p) {
      shard::ShardOptions options;
      options.directory =
          absl::StrCat(flags.data, "/shards/", host->service->name(), "/", p);
      options.owner = absl::StrCat("aftercared/", getpid());
      options.address = flags.listen;
      options.min_free_bytes = flags.min_free_bytes;
      options.append_timeout = absl::Milliseconds(flags.append_timeout_ms);
      ASSIGN_OR_RETURN(auto shard,
                       shard::Shard::Start(*log, *host->service, p,
                                           flags.partitions, options));
      host->shards.push_back(std::move(shard));
    }
    hosted.push_back(std::move(host));
  }

  ASSIGN_OR_RETURN(auto metrics, rpc::Metrics::Start(flags.metrics, hosted));
  std::unique_ptr<rpc::Authenticator> authenticator;
  if (flags.insecure_dev_identity) {
    authenticator = std::make_unique<rpc::InsecureDevIdentity>();
    LogWarning(
        "callers are believed whatever they say of themselves "
        "(--insecure-dev-identity)");
  } else {
    authenticator = std::make_unique<rpc::NoIdentity>();
  }
  rpc::Executor executor(2, 256);
  rpc::Gateway gateway(hosted, *authenticator, executor, {flags.operators});
  rpc::ServerOptions server_options;
  server_options.observer = metrics->observer();
  rpc::Server server(server_options);
  gateway.Register(server);
  rpc::RegisterHandbookService(server, gateway, hosted);

  ASSIGN_OR_RETURN(auto progress,
                   reaction::Progress::Open(flags.data + "/reactions"));
  std::vector<std::unique_ptr<reaction::Reaction>> reactions;
  for (size_t i = 0; i < hosted.size(); ++i) {
    reaction::Target target;
    target.service = hosted[i]->service.get();
    for (const auto& shard : hosted[i]->shards) {
      target.shards.push_back(shard.get());
    }
    for (const reaction::Mapping& mapping : parts[i].reactions) {
      const rpc::Hosted* source = nullptr;
      for (const auto& host : hosted) {
        if (host->service->name() == mapping.source) source = host.get();
      }
      if (source == nullptr) {
        return absl::FailedPreconditionError(absl::StrCat(
            "a reaction names the unknown service ", mapping.source));
      }
      for (int p = 0; p < flags.partitions; ++p) {
        reaction::ReactionOptions options;
        options.partition = p;
        ASSIGN_OR_RETURN(auto reaction, reaction::Reaction::Start(
                                            *log, *source->service, target,
                                            mapping, *progress, options));
        reactions.push_back(std::move(reaction));
      }
    }
  }
  rpc::ReactionControl control;
  control.status = [&reactions] {
    std::vector<admin::v1::Reaction> all;
    for (const auto& reaction : reactions) all.push_back(reaction->Status());
    return all;
  };
  control.parked = [&reactions] {
    std::vector<admin::v1::Parked> all;
    for (const auto& reaction : reactions) {
      for (auto& parked : reaction->ListParked()) {
        all.push_back(std::move(parked));
      }
    }
    return all;
  };
  control.resolve = [&reactions](
                        const std::string& name, const std::string& event_id,
                        bool retry) -> absl::StatusOr<admin::v1::Parked> {
    for (const auto& reaction : reactions) {
      if (reaction->name() != name) continue;
      auto resolved =
          reaction->Resolve(event_id,
                            retry ? admin::v1::ResolveParkedRequest::RETRY
                                  : admin::v1::ResolveParkedRequest::SKIP,
                            absl::Seconds(10));
      if (!absl::IsNotFound(resolved.status())) return resolved;
    }
    return NotFound(event_id);
  };
  rpc::RegisterAdminService(server, gateway, hosted, *log, executor, control,
                            {flags.data + "/scratch", flags.data});

  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) return absl::InternalError("no pipe");
  stop_pipe = pipe_fds[1];
  signal(SIGTERM, OnSignal);
  signal(SIGINT, OnSignal);
  signal(SIGPIPE, SIG_IGN);

  RETURN_IF_ERROR(server.Start(flags.listen));
  RETURN_IF_ERROR(WritePorts(flags.data, server.port(), metrics->port()));
  LogInfo("listening", {{"port", absl::StrCat(server.port())},
                        {"metrics_port", absl::StrCat(metrics->port())}});

  // Health follows the shards: serving only while all of them answer.
  std::atomic<bool> stopping{false};
  std::thread health([&] {
    bool told = false;
    while (!stopping) {
      bool all = true;
      for (const auto& host : hosted) {
        for (const auto& shard : host->shards) {
          const shard::ShardState state = shard->Status().state;
          all &= state == shard::ShardState::kServing ||
                 state == shard::ShardState::kReadOnly;
        }
      }
      if (all != told) {
        server.SetServing(all);
        LogInfo(all ? "serving" : "not serving");
        told = all;
      }
      absl::SleepFor(absl::Milliseconds(20));
    }
    server.SetServing(false);
  });

  char byte = 0;
  while (read(pipe_fds[0], &byte, 1) < 0 && errno == EINTR) {
  }
  LogInfo("stopping");
  stopping = true;
  health.join();
  server.Shutdown(absl::Seconds(10));
  reactions.clear();
  hosted.clear();
  LogInfo("stopped");
  return absl::OkStatus();
}

}  // namespace
}  // namespace aftercare

int main(int argc, char** argv) {
  aftercare::Flags flags;
  CLI::App app(
      "Aftercare: intake, dispatch, returns and scoring in one process on the "
      "embedded log");
  app.add_option("--data", flags.data, "Directory of log, rows and reactions")
      ->required();
  app.add_option("--listen", flags.listen,
                 "gRPC address; port 0 takes a free one (see ports.json)")
      ->capture_default_str();
  app.add_option("--metrics", flags.metrics,
                 "Address of the Prometheus endpoint; empty: none");
  app.add_option("--partitions", flags.partitions,
                 "Partitions per service; fixed when the data is created")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_flag("--insecure-dev-identity", flags.insecure_dev_identity,
               "Believe the metadata x-aftercare-actor (development only)");
  app.add_option("--operator", flags.operators,
                 "Person who may publish handbooks and use the admin service; "
                 "may be repeated. Default with --insecure-dev-identity: "
                 "operator");
  app.add_option("--min-free-bytes", flags.min_free_bytes,
                 "Free disk space below which only reads are answered")
      ->capture_default_str();
  app.add_option("--append-timeout-ms", flags.append_timeout_ms,
                 "How long an append may go unanswered before the shard claims "
                 "again")
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warning, error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (flags.operators.empty() && flags.insecure_dev_identity) {
    flags.operators.push_back("operator");
  }
  aftercare::SetLogLevel(
      flags.log_level == "debug"     ? aftercare::LogLevel::kDebug
      : flags.log_level == "warning" ? aftercare::LogLevel::kWarning
      : flags.log_level == "error"   ? aftercare::LogLevel::kError
                                     : aftercare::LogLevel::kInfo);
  const absl::Status status = aftercare::Run(flags);
  if (!status.ok()) {
    aftercare::LogError("cannot run",
                        {{"problem", std::string(status.message())}});
    return 1;
  }
  return 0;
}
