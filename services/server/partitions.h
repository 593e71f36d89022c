// -----------------------------------------------------------------------------
// File: partitions.h
// -----------------------------------------------------------------------------
//
// The partitions of one service in this process: for each that it should own, a
// shard and the reactions that act for it; beside them standbys of others.
//
// The reactions to partition p of a source run where partition p (modulo the
// target's number of partitions) of the target runs, so they spread and move
// with it.

#ifndef AFTERCARE_SERVICES_SERVER_PARTITIONS_H_
#define AFTERCARE_SERVICES_SERVER_PARTITIONS_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "libs/log/log.h"
#include "libs/reaction/progress.h"
#include "libs/reaction/reaction.h"
#include "libs/rpc/hosted.h"
#include "libs/rpc/router.h"
#include "libs/shard/shard.h"

namespace aftercare::server {

struct PartitionsOptions {
  // Of every shard; directory, checkpoints and follow are set for each.
  shard::ShardOptions shard;
  std::string data;
  // Root of the checkpoints; empty: none.
  std::string checkpoints;
  // How many partitions of other owners to read along.
  int standbys = 0;
  absl::Duration save_interval = absl::Milliseconds(200);
};

// Thread-safe. Everything given must outlive it; the host must be open.
class Partitions {
 public:
  Partitions(log::Log& log, const rpc::Hosts& hosts, rpc::Hosted& host,
             std::vector<reaction::Mapping> mappings,
             reaction::Progress& progress, rpc::Router& router,
             PartitionsOptions options);
  // As Release of all.
  ~Partitions();

  // Starts what is new; the shards then claim and catch up by themselves.
  absl::Status Own(const std::vector<int>& partitions);

  // Ends them: what is in flight is waited for, producers are closed,
  // directories are free. Standbys begin again.
  void Release(const std::vector<int>& partitions);
  void ReleaseAll();

  // Writes a checkpoint of every shard that serves.
  void WriteCheckpoints();

  std::vector<admin::v1::Reaction> ReactionStatus() const;
  std::vector<admin::v1::Parked> Parked() const;
  // NOT_FOUND when the reaction does not run here, or has no such event.
  absl::StatusOr<admin::v1::Parked> Resolve(
      const std::string& reaction, const std::string& event_id,
      admin::v1::ResolveParkedRequest::Action action) const;

 private:
  using Reactions = std::vector<std::shared_ptr<reaction::Reaction>>;

  shard::ShardOptions OptionsOf(int partition, bool follow) const;
  absl::Status StartReactions(int partition);
  void SetStandbys();
  Reactions AllReactions() const;

  log::Log& log_;
  const rpc::Hosts& hosts_;
  rpc::Hosted& host_;
  const std::vector<reaction::Mapping> mappings_;
  reaction::Progress& progress_;
  rpc::Router& router_;
  const PartitionsOptions options_;

  std::mutex change_mutex_;  // held while shards begin and end
  mutable std::mutex mutex_;
  std::map<int, Reactions> owned_;  // guarded by mutex_
};

}  // namespace aftercare::server

#endif  // AFTERCARE_SERVICES_SERVER_PARTITIONS_H_
