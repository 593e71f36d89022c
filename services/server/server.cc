#include "services/server/server.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/log/embedded_log.h"
#include "libs/log/kafka_group.h"
#include "libs/log/kafka_log.h"
#include "libs/process/directory_lock.h"
#include "libs/process/logging.h"
#include "libs/reaction/progress.h"
#include "libs/reaction/topic_progress.h"
#include "libs/rpc/admin_service.h"
#include "libs/rpc/gateway.h"
#include "libs/rpc/handbook_service.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/metrics.h"
#include "libs/rpc/owners.h"
#include "libs/rpc/peer_service.h"
#include "libs/rpc/router.h"
#include "libs/rpc/server.h"
#include "services/server/partitions.h"
#include "services/server/suite.h"

namespace aftercare::server {
namespace {

constexpr int kEmbeddedPartitions = 2;
constexpr int kKafkaPartitions = 4;
// Written through the broker, so less often than to a disk.
constexpr absl::Duration kTopicSaveInterval = absl::Seconds(1);

std::atomic<int> stop_pipe{-1};

void WakeMain() {
  const char byte = 0;
  // The only thing that is safe in a signal handler; Run waits for it.
  [[maybe_unused]] const ssize_t written = write(stop_pipe, &byte, 1);
}

void OnSignal(int) { WakeMain(); }

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

// One service of this process.
struct Owned {
  rpc::Hosted* host = nullptr;
  std::unique_ptr<reaction::Progress> progress;
  std::unique_ptr<Partitions> partitions;
  std::unique_ptr<log::KafkaGroup> group;
  // Joined its group and not lost everything since.
  std::atomic<bool> joined{false};
};

bool Serves(const rpc::Hosted& host) {
  for (const auto& shard : host.Shards()) {
    const shard::ShardState state = shard->Status().state;
    if (state != shard::ShardState::kServing &&
        state != shard::ShardState::kReadOnly) {
      return false;
    }
  }
  return true;
}

class Process {
 public:
  explicit Process(const ServerOptions& options) : options_(options) {}

  absl::Status Run();

 private:
  bool kafka() const { return !options_.kafka.empty(); }
  absl::Status OpenLog();
  absl::Status MakeHosts();
  // Everything around the partitions, not listening yet.
  absl::Status MakeServer();
  absl::Status Listen();
  rpc::ReactionControl Control();
  absl::Status EnsureTopics();
  void MakePartitions();
  const std::string& instance() const {
    return options_.instance.empty() ? address_ : options_.instance;
  }
  absl::StatusOr<int> CountOf(const std::string& topic);
  absl::Status BeginEmbedded();
  // Until it has joined, fails for good or is told to stop.
  void BeginKafka();
  absl::Status Join();
  void End(absl::Status why);
  void WatchHealth();
  void WatchCheckpoints();
  // False: stopping.
  bool Sleep(absl::Duration duration);

  const ServerOptions options_;
  std::string address_;

  // In the order they are needed; they end the other way round.
  std::unique_ptr<DirectoryLock> data_lock_;
  std::unique_ptr<log::EmbeddedLog> embedded_log_;
  std::unique_ptr<log::KafkaLog> kafka_log_;
  log::Log* log_ = nullptr;
  std::vector<Part> suite_;
  rpc::Hosts hosts_;
  std::unique_ptr<rpc::Metrics> metrics_;
  std::unique_ptr<rpc::Owners> owners_;
  std::unique_ptr<rpc::Router> router_;
  std::unique_ptr<rpc::Authenticator> authenticator_;
  rpc::Executors executors_;
  std::unique_ptr<rpc::Gateway> gateway_;
  std::vector<std::unique_ptr<Owned>> owned_;  // fixed before the server starts
  std::unique_ptr<rpc::Server> server_;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;  // guarded by mutex_
  absl::Status why_;       // guarded by mutex_
  // That an Owned has its partitions: set once, before any group is joined.
  std::atomic<bool> begun_{false};
};

absl::Status Process::OpenLog() {
  if (!kafka()) {
    log::EmbeddedLogOptions options;
    options.directory = options_.data + "/log";
    options.min_free_bytes = options_.min_free_bytes / 2;
    ASSIGN_OR_RETURN(embedded_log_, log::EmbeddedLog::Open(options));
    log_ = embedded_log_.get();
    return absl::OkStatus();
  }
  log::KafkaLogOptions options;
  options.properties = options_.kafka;
  options.replication_factor = options_.replication_factor;
  options.min_insync_replicas = options_.min_insync_replicas;
  ASSIGN_OR_RETURN(kafka_log_, log::KafkaLog::Open(std::move(options)));
  log_ = kafka_log_.get();
  return absl::OkStatus();
}

absl::Status Process::MakeHosts() {
  suite_ = Suite();
  for (const Part& part : suite_) {
    // A method without a handler or without roles is a mistake of ours.
    RETURN_IF_ERROR(part.service->CheckComplete());
    hosts_.push_back(std::make_unique<rpc::Hosted>(part.service));
    if (options_.owns.empty() || options_.owns.contains(part.service->name())) {
      owned_.push_back(std::make_unique<Owned>());
      owned_.back()->host = hosts_.back().get();
    }
  }
  return absl::OkStatus();
}

rpc::ReactionControl Process::Control() {
  // Partitions are there once they are, and then for as long as calls are.
  const auto each = [this](const std::function<void(const Partitions&)>& f) {
    if (!begun_) return;
    for (const auto& owned : owned_) f(*owned->partitions);
  };
  rpc::ReactionControl control;
  control.status = [each] {
    std::vector<admin::v1::Reaction> all;
    each([&](const Partitions& partitions) {
      for (auto& one : partitions.ReactionStatus()) {
        all.push_back(std::move(one));
      }
    });
    return all;
  };
  control.parked = [each] {
    std::vector<admin::v1::Parked> all;
    each([&](const Partitions& partitions) {
      for (auto& one : partitions.Parked()) all.push_back(std::move(one));
    });
    return all;
  };
  control.resolve = [each](const std::string& name, const std::string& event_id,
                           bool retry) {
    absl::StatusOr<admin::v1::Parked> resolved = NotFound(event_id);
    each([&](const Partitions& partitions) {
      if (!absl::IsNotFound(resolved.status())) return;
      resolved =
          partitions.Resolve(name, event_id,
                             retry ? admin::v1::ResolveParkedRequest::RETRY
                                   : admin::v1::ResolveParkedRequest::SKIP);
    });
    return resolved;
  };
  return control;
}

absl::Status Process::MakeServer() {
  ASSIGN_OR_RETURN(metrics_, rpc::Metrics::Start(options_.metrics, hosts_));
  if (options_.insecure_dev_identity) {
    authenticator_ = std::make_unique<rpc::InsecureDevIdentity>();
    LogWarning(
        "callers are believed whatever they say of themselves "
        "(--insecure-dev-identity)");
  } else {
    authenticator_ = std::make_unique<rpc::NoIdentity>();
  }
  if (kafka()) owners_ = std::make_unique<rpc::Owners>(*log_);
  router_ = std::make_unique<rpc::Router>(owners_.get());
  gateway_ = std::make_unique<rpc::Gateway>(
      hosts_, *authenticator_, executors_, *router_,
      rpc::GatewayOptions{options_.operators});
  rpc::ServerOptions server_options;
  server_options.observer = metrics_->observer();
  server_ = std::make_unique<rpc::Server>(server_options);
  gateway_->Register(*server_);
  rpc::RegisterHandbookService(*server_, *gateway_, hosts_, *router_);
  rpc::RegisterPeerService(*server_, *gateway_, hosts_, executors_.scans);
  rpc::RegisterAdminService(*server_, *gateway_, hosts_, *log_,
                            executors_.scans, Control(),
                            {options_.data + "/scratch", options_.data});
  return absl::OkStatus();
}

absl::Status Process::Listen() {
  RETURN_IF_ERROR(server_->Start(options_.listen));
  address_ = options_.advertise;
  if (address_.empty()) {
    address_ =
        absl::StrCat(options_.listen.substr(0, options_.listen.rfind(':')), ":",
                     server_->port());
  }
  router_->Announce(address_);
  RETURN_IF_ERROR(WritePorts(options_.data, server_->port(), metrics_->port()));
  LogInfo("listening", {{"port", absl::StrCat(server_->port())},
                        {"metrics_port", absl::StrCat(metrics_->port())},
                        {"address", address_}});
  return absl::OkStatus();
}

absl::StatusOr<int> Process::CountOf(const std::string& topic) {
  const int wanted = options_.partitions;
  if (wanted == 0) {
    auto there = log_->PartitionCount(topic);
    if (!absl::IsNotFound(there.status())) return there;
  }
  const int count = wanted > 0 ? wanted
                    : kafka()  ? kKafkaPartitions
                               : kEmbeddedPartitions;
  absl::Status made = log_->EnsureTopic(topic, count);
  if (made.ok()) return count;
  // Another process may have been faster, with another number.
  if (wanted == 0) {
    auto there = log_->PartitionCount(topic);
    if (there.ok()) return there;
  }
  return made;
}

// All services' topics: calls and reactions go to services of other processes.
absl::Status Process::EnsureTopics() {
  std::vector<int> counts;
  for (const auto& host : hosts_) {
    ASSIGN_OR_RETURN(const int count, CountOf(host->service->topic()));
    counts.push_back(count);
  }
  for (const auto& owned : owned_) {
    if (!kafka()) break;
    const std::string topic =
        reaction::ProgressTopic(owned->host->service->name());
    RETURN_IF_ERROR(kafka_log_->EnsureCompactedTopic(topic));
    owned->progress = std::make_unique<reaction::TopicProgress>(*log_, topic);
  }
  for (size_t i = 0; i < hosts_.size(); ++i) hosts_[i]->Open(counts[i]);
  return absl::OkStatus();
}

void Process::MakePartitions() {
  PartitionsOptions options;
  options.data = options_.data;
  options.checkpoints = options_.checkpoints;
  options.standbys = options_.standbys;
  options.shard.owner =
      kafka() ? instance() : absl::StrCat("aftercared/", getpid());
  options.shard.address = address_;
  options.shard.min_free_bytes = options_.min_free_bytes;
  options.shard.append_timeout = options_.append_timeout;
  if (kafka()) options.save_interval = kTopicSaveInterval;
  for (const auto& owned : owned_) {
    std::vector<reaction::Mapping> mappings;
    for (const Part& part : suite_) {
      if (part.service == owned->host->service) mappings = part.reactions;
    }
    owned->partitions = std::make_unique<Partitions>(
        *log_, hosts_, *owned->host, std::move(mappings),
        kafka() ? *owned->progress : *owned_.front()->progress, *router_,
        options);
  }
  begun_ = true;
}

absl::Status Process::BeginEmbedded() {
  // One for all: a directory cannot be opened twice.
  ASSIGN_OR_RETURN(owned_.front()->progress,
                   reaction::OpenLocalProgress(options_.data + "/reactions"));
  RETURN_IF_ERROR(EnsureTopics());
  MakePartitions();
  for (const auto& owned : owned_) {
    std::vector<int> all;
    for (int p = 0; p < owned->host->partitions(); ++p) all.push_back(p);
    RETURN_IF_ERROR(owned->partitions->Own(all));
    owned->joined = true;
  }
  return absl::OkStatus();
}

absl::Status Process::Join() {
  for (const auto& entry : owned_) {
    Owned& owned = *entry;
    log::KafkaGroupOptions options;
    options.properties = options_.kafka;
    options.group = absl::StrCat("aftercare.", owned.host->service->name());
    options.instance = instance();
    options.topic = owned.host->service->topic();
    log::KafkaGroupCallbacks callbacks;
    callbacks.assigned = [this, &owned](const std::vector<int>& partitions) {
      if (absl::Status status = owned.partitions->Own(partitions);
          !status.ok()) {
        End(status);
        return;
      }
      owned.joined = true;
    };
    callbacks.revoked = [&owned](const std::vector<int>& partitions) {
      owned.partitions->Release(partitions);
      if (owned.host->Shards().empty()) owned.joined = false;
    };
    callbacks.failed = [this](const absl::Status& status) { End(status); };
    ASSIGN_OR_RETURN(owned.group, log::KafkaGroup::Join(std::move(options),
                                                        std::move(callbacks)));
  }
  return absl::OkStatus();
}

void Process::BeginKafka() {
  absl::Duration pause = absl::Milliseconds(200);
  while (true) {
    absl::Status status = EnsureTopics();
    if (status.ok()) {
      MakePartitions();
      if (absl::Status joined = Join(); !joined.ok()) End(joined);
      return;
    }
    // A broker that is away comes back; a cluster that is not such as was asked
    // for, or says no, has to be put right by a person.
    if (!absl::IsUnavailable(status) && !absl::IsNotFound(status)) {
      End(status);
      return;
    }
    LogWarning("Kafka does not answer yet",
               {{"problem", std::string(status.message())}});
    if (!Sleep(pause)) return;
    pause = std::min(pause * 2, absl::Seconds(5));
  }
}

void Process::End(absl::Status why) {
  {
    std::lock_guard lock(mutex_);
    if (why_.ok()) why_ = std::move(why);
  }
  WakeMain();
}

bool Process::Sleep(absl::Duration duration) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, absl::ToChronoMilliseconds(duration),
                 [this] { return stopping_; });
  return !stopping_;
}

// Serving only while all that is owned answers.
void Process::WatchHealth() {
  bool told = false;
  do {
    bool all = true;
    for (const auto& owned : owned_) {
      all &= owned->joined && Serves(*owned->host);
    }
    if (all != told) {
      server_->SetServing(all);
      LogInfo(all ? "serving" : "not serving");
      told = all;
    }
  } while (Sleep(absl::Milliseconds(20)));
  server_->SetServing(false);
}

void Process::WatchCheckpoints() {
  while (Sleep(options_.checkpoint_interval)) {
    if (!begun_) continue;
    for (const auto& owned : owned_) owned->partitions->WriteCheckpoints();
  }
}

absl::Status Process::Run() {
  int pipe_fds[2];
  if (pipe(pipe_fds) != 0) return absl::InternalError("no pipe");
  stop_pipe = pipe_fds[1];
  signal(SIGTERM, OnSignal);
  signal(SIGINT, OnSignal);
  signal(SIGPIPE, SIG_IGN);

  ASSIGN_OR_RETURN(data_lock_, DirectoryLock::Take(options_.data));
  RETURN_IF_ERROR(OpenLog());
  RETURN_IF_ERROR(MakeHosts());
  RETURN_IF_ERROR(MakeServer());
  std::vector<std::thread> threads;
  // Without others to find it, it need not know its address before.
  absl::Status status = kafka() ? absl::OkStatus() : BeginEmbedded();
  if (status.ok()) status = Listen();
  if (status.ok() && kafka()) {
    threads.emplace_back([this] { BeginKafka(); });
  }
  if (status.ok()) {
    threads.emplace_back([this] { WatchHealth(); });
    if (!options_.checkpoints.empty()) {
      threads.emplace_back([this] { WatchCheckpoints(); });
    }
    char byte = 0;
    while (read(pipe_fds[0], &byte, 1) < 0 && errno == EINTR) {
    }
  }
  LogInfo("stopping");
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    if (status.ok()) status = why_;
  }
  wake_.notify_all();
  for (std::thread& thread : threads) thread.join();
  server_->Shutdown(absl::Seconds(10));
  for (const auto& owned : owned_) owned->group.reset();
  for (const auto& owned : owned_) owned->partitions.reset();
  router_->Drain();
  LogInfo("stopped");
  return status;
}

}  // namespace

absl::Status Run(const ServerOptions& options) {
  return Process(options).Run();
}

}  // namespace aftercare::server
