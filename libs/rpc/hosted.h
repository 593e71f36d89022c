// -----------------------------------------------------------------------------
// File: hosted.h
// -----------------------------------------------------------------------------
//
// A service as a process knows it: what it is, into how many partitions it is
// divided, and which of their shards run here just now. With the embedded log
// all of them do; on Kafka they come and go with the assignment, and a process
// that only passes calls on has none. Standbys are kept apart: they answer
// nothing.

#ifndef AFTERCARE_LIBS_RPC_HOSTED_H_
#define AFTERCARE_LIBS_RPC_HOSTED_H_

#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/handbook/policy.h"
#include "libs/shard/service.h"
#include "libs/shard/shard.h"

namespace aftercare::rpc {

// Thread-safe.
class Hosted {
 public:
  // `partitions` 0: not known yet, see Open.
  explicit Hosted(std::shared_ptr<const shard::Service> what,
                  int partitions = 0)
      : service(std::move(what)) {
    Open(partitions);
  }

  const std::shared_ptr<const shard::Service> service;

  // Once, before anything is put here.
  void Open(int partitions);

  // 0 while the log has not been asked yet: no call can be answered.
  int partitions() const;

  // NOT_READY while partitions() is not known.
  absl::StatusOr<int> PartitionOf(absl::string_view boundary) const;

  // Null when the partition's shard does not run here.
  std::shared_ptr<shard::Shard> Find(int partition) const;

  // Those that run here, ascending by partition.
  std::vector<std::shared_ptr<shard::Shard>> Shards() const;

  void Put(int partition, std::shared_ptr<shard::Shard> shard);

  // Removes it from here; stopping it is the caller's work. Calls under way may
  // hold it a little longer.
  std::shared_ptr<shard::Shard> Take(int partition);

  // The same for standbys.
  std::vector<std::shared_ptr<shard::Shard>> Standbys() const;
  void PutStandby(int partition, std::shared_ptr<shard::Shard> shard);
  std::shared_ptr<shard::Shard> TakeStandby(int partition);

  // The company's policy in force at `at` as any shard here knows it; null when
  // none does.
  std::shared_ptr<const handbook::Policy> PolicyAt(absl::string_view company,
                                                   absl::Time at) const;

 private:
  mutable std::mutex mutex_;
  using Slots = std::vector<std::shared_ptr<shard::Shard>>;
  static Slots Taken(const Slots& slots);

  Slots shards_;    // guarded by mutex_
  Slots standbys_;  // guarded by mutex_
};

// Refuses while the partitions of a service are not known yet.
absl::Status PartitionsKnown(const Hosted& host);

// NOT_OWNER: the partition's shard does not run here, nothing has happened.
absl::Status NotHere(const Hosted& host, int partition);

// The services a process knows.
using Hosts = std::vector<std::unique_ptr<Hosted>>;

// Null when there is none of that short name.
const Hosted* FindHost(const Hosts& hosts, absl::string_view service);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_HOSTED_H_
