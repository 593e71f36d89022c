#include "libs/rpc/hosted.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/log/log.h"

namespace aftercare::rpc {

void Hosted::Open(int partitions) {
  std::lock_guard lock(mutex_);
  shards_.resize(static_cast<size_t>(partitions));
  standbys_.resize(static_cast<size_t>(partitions));
}

int Hosted::partitions() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(shards_.size());
}

absl::StatusOr<int> Hosted::PartitionOf(absl::string_view boundary) const {
  RETURN_IF_ERROR(PartitionsKnown(*this));
  return log::PartitionOf(boundary, partitions());
}

std::shared_ptr<shard::Shard> Hosted::Find(int partition) const {
  std::lock_guard lock(mutex_);
  return shards_[static_cast<size_t>(partition)];
}

Hosted::Slots Hosted::Taken(const Slots& slots) {
  Slots taken;
  for (const auto& shard : slots) {
    if (shard != nullptr) taken.push_back(shard);
  }
  return taken;
}

std::vector<std::shared_ptr<shard::Shard>> Hosted::Shards() const {
  std::lock_guard lock(mutex_);
  return Taken(shards_);
}

void Hosted::Put(int partition, std::shared_ptr<shard::Shard> shard) {
  std::lock_guard lock(mutex_);
  shards_[static_cast<size_t>(partition)] = std::move(shard);
}

std::shared_ptr<shard::Shard> Hosted::Take(int partition) {
  std::lock_guard lock(mutex_);
  return std::exchange(shards_[static_cast<size_t>(partition)], nullptr);
}

std::vector<std::shared_ptr<shard::Shard>> Hosted::Standbys() const {
  std::lock_guard lock(mutex_);
  return Taken(standbys_);
}

void Hosted::PutStandby(int partition, std::shared_ptr<shard::Shard> shard) {
  std::lock_guard lock(mutex_);
  standbys_[static_cast<size_t>(partition)] = std::move(shard);
}

std::shared_ptr<shard::Shard> Hosted::TakeStandby(int partition) {
  std::lock_guard lock(mutex_);
  return std::exchange(standbys_[static_cast<size_t>(partition)], nullptr);
}

std::shared_ptr<const handbook::Policy> Hosted::PolicyAt(
    absl::string_view company, absl::Time at) const {
  for (const auto& shard : Shards()) {
    if (auto policy = shard->PolicyAt(company, at)) return policy;
  }
  return nullptr;
}

absl::Status PartitionsKnown(const Hosted& host) {
  if (host.partitions() > 0) return absl::OkStatus();
  return WithRetryDelay(Refuse(common::v1::REASON_NOT_READY,
                               "the log has not answered the server yet"),
                        absl::Seconds(1));
}

absl::Status NotHere(const Hosted& host, int partition) {
  const std::string& service = host.service->name();
  return WithRetryDelay(
      Refuse(common::v1::REASON_NOT_OWNER,
             absl::StrCat(service, "/", partition, " does not run here now"),
             {{"service", service}, {"partition", absl::StrCat(partition)}}),
      absl::Milliseconds(500));
}

const Hosted* FindHost(const Hosts& hosts, absl::string_view service) {
  for (const auto& host : hosts) {
    if (host->service->name() == service) return host.get();
  }
  return nullptr;
}

}  // namespace aftercare::rpc
