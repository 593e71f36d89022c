#include "services/server/partitions.h"

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/log/log.h"
#include "libs/process/logging.h"
#include "libs/shard/checkpoint.h"

namespace aftercare::server {
namespace {

constexpr int kCheckpointsKept = 2;

}  // namespace

Partitions::Partitions(log::Log& log, const rpc::Hosts& hosts,
                       rpc::Hosted& host,
                       std::vector<reaction::Mapping> mappings,
                       reaction::Progress& progress, rpc::Router& router,
                       PartitionsOptions options)
    : log_(log),
      hosts_(hosts),
      host_(host),
      mappings_(std::move(mappings)),
      progress_(progress),
      router_(router),
      options_(std::move(options)) {}

Partitions::~Partitions() {
  ReleaseAll();
  std::lock_guard change(change_mutex_);
  for (int p = 0; p < host_.partitions(); ++p) {
    if (const auto standby = host_.TakeStandby(p)) standby->Stop();
  }
}

shard::ShardOptions Partitions::OptionsOf(int partition, bool follow) const {
  shard::ShardOptions options = options_.shard;
  options.directory = absl::StrCat(options_.data, "/shards/",
                                   host_.service->name(), "/", partition);
  if (!options_.checkpoints.empty()) {
    options.checkpoints = shard::CheckpointsOf(
        options_.checkpoints, host_.service->name(), partition);
  }
  options.follow = follow;
  return options;
}

absl::Status Partitions::StartReactions(int partition) {
  reaction::Target target;
  target.service = host_.service.get();
  target.submit = [this](shard::Command command, shard::CommandCallback done) {
    router_.Submit(host_, std::move(command), std::move(done));
  };
  target.policy = [this](absl::string_view company, absl::Time at)
      -> absl::StatusOr<std::shared_ptr<const handbook::Policy>> {
    bool known = false;
    for (const auto& shard : host_.Shards()) {
      if (auto policy = shard->PolicyAt(company, at)) return policy;
      known |= shard::IsReadable(shard->Status().state);
    }
    if (known) return nullptr;
    return absl::UnavailableError("the target is not serving");
  };
  Reactions reactions;
  for (const reaction::Mapping& mapping : mappings_) {
    const rpc::Hosted* source = rpc::FindHost(hosts_, mapping.source);
    if (source == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(
          "a reaction names the unknown service ", mapping.source));
    }
    for (int p = partition; p < source->partitions(); p += host_.partitions()) {
      reaction::ReactionOptions options;
      options.partition = p;
      options.save_interval = options_.save_interval;
      ASSIGN_OR_RETURN(auto reaction,
                       reaction::Reaction::Start(log_, *source->service, target,
                                                 mapping, progress_, options));
      reactions.push_back(std::move(reaction));
    }
  }
  std::lock_guard lock(mutex_);
  owned_[partition] = std::move(reactions);
  return absl::OkStatus();
}

absl::Status Partitions::Own(const std::vector<int>& partitions) {
  std::lock_guard change(change_mutex_);
  for (const int p : partitions) {
    if (host_.Find(p) != nullptr) continue;
    if (auto standby = host_.TakeStandby(p)) {
      standby->Promote();
      host_.Put(p, std::move(standby));
    } else {
      ASSIGN_OR_RETURN(auto shard, shard::Shard::Start(log_, *host_.service, p,
                                                       host_.partitions(),
                                                       OptionsOf(p, false)));
      host_.Put(p, std::move(shard));
    }
    RETURN_IF_ERROR(StartReactions(p));
  }
  SetStandbys();
  return absl::OkStatus();
}

void Partitions::Release(const std::vector<int>& partitions) {
  std::lock_guard change(change_mutex_);
  std::vector<std::shared_ptr<shard::Shard>> shards;
  Reactions reactions;
  for (const int p : partitions) {
    if (auto shard = host_.Take(p)) shards.push_back(std::move(shard));
    std::lock_guard lock(mutex_);
    const auto it = owned_.find(p);
    if (it == owned_.end()) continue;
    std::move(it->second.begin(), it->second.end(),
              std::back_inserter(reactions));
    owned_.erase(it);
  }
  // All at once: each may have to wait for the log. Reactions may wait for
  // commands in a shard, so the shards answer first.
  for (const auto& reaction : reactions) reaction->Stop();
  std::vector<std::thread> stopping;
  stopping.reserve(shards.size());
  for (const auto& shard : shards) {
    stopping.emplace_back([&shard] { shard->Stop(); });
  }
  for (std::thread& thread : stopping) thread.join();
  reactions.clear();
  shards.clear();
  SetStandbys();
}

void Partitions::ReleaseAll() {
  std::vector<int> all;
  for (int p = 0; p < host_.partitions(); ++p) all.push_back(p);
  Release(all);
}

// The partitions after a place of this process's own, so that the standbys of
// several processes spread.
void Partitions::SetStandbys() {
  if (options_.standbys == 0) return;
  const int count = host_.partitions();
  const int from = static_cast<int>(absl::HashOf(options_.shard.address) %
                                    static_cast<size_t>(count));
  std::set<int> wanted;
  for (int i = 0; i < count; ++i) {
    const int p = (from + i) % count;
    if (static_cast<int>(wanted.size()) == options_.standbys) break;
    if (host_.Find(p) == nullptr) wanted.insert(p);
  }
  std::set<int> running;
  for (const auto& standby : host_.Standbys()) {
    const int p = standby->Status().partition;
    if (wanted.contains(p)) {
      running.insert(p);
    } else if (const auto ended = host_.TakeStandby(p)) {
      ended->Stop();
    }
  }
  for (const int p : wanted) {
    if (running.contains(p)) continue;
    auto standby =
        shard::Shard::Start(log_, *host_.service, p, count, OptionsOf(p, true));
    if (standby.ok()) {
      host_.PutStandby(p, *std::move(standby));
    } else {
      LogWarning("no standby",
                 {{"partition", absl::StrCat(p)},
                  {"problem", std::string(standby.status().message())}});
    }
  }
}

void Partitions::WriteCheckpoints() {
  if (options_.checkpoints.empty()) return;
  for (const auto& shard : host_.Shards()) {
    const shard::ShardStatus status = shard->Status();
    if (!shard::IsReadable(status.state)) continue;
    const auto written = shard::WriteCheckpoint(
        *shard,
        shard::CheckpointsOf(options_.checkpoints, status.service,
                             status.partition),
        kCheckpointsKept);
    if (!written.ok()) {
      LogWarning("a checkpoint could not be written",
                 {{"service", status.service},
                  {"partition", absl::StrCat(status.partition)},
                  {"problem", std::string(written.status().message())}});
    }
  }
}

Partitions::Reactions Partitions::AllReactions() const {
  Reactions all;
  std::lock_guard lock(mutex_);
  for (const auto& [partition, reactions] : owned_) {
    all.insert(all.end(), reactions.begin(), reactions.end());
  }
  return all;
}

std::vector<admin::v1::Reaction> Partitions::ReactionStatus() const {
  std::vector<admin::v1::Reaction> all;
  for (const auto& reaction : AllReactions()) {
    all.push_back(reaction->Status());
  }
  return all;
}

std::vector<admin::v1::Parked> Partitions::Parked() const {
  std::vector<admin::v1::Parked> all;
  for (const auto& reaction : AllReactions()) {
    for (auto& parked : reaction->ListParked()) {
      all.push_back(std::move(parked));
    }
  }
  return all;
}

absl::StatusOr<admin::v1::Parked> Partitions::Resolve(
    const std::string& reaction, const std::string& event_id,
    admin::v1::ResolveParkedRequest::Action action) const {
  for (const auto& one : AllReactions()) {
    if (one->name() != reaction) continue;
    auto resolved = one->Resolve(event_id, action, absl::Seconds(10));
    if (!absl::IsNotFound(resolved.status())) return resolved;
  }
  return NotFound(event_id);
}

}  // namespace aftercare::server
