// Catching up: records through the fold into rows, in long stretches that write
// every changed row once. Used by the shard and by its verification.

#ifndef AFTERCARE_LIBS_SHARD_REPLAY_H_
#define AFTERCARE_LIBS_SHARD_REPLAY_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "libs/log/fold.h"
#include "libs/log/log.h"
#include "libs/shard/apply.h"
#include "libs/shard/service.h"
#include "libs/store/row_store.h"

namespace aftercare::shard {

// A record that a replay cannot use.
struct ReplayProblem {
  int64_t offset = -1;
  std::string key;
  std::string reason;
};

class Replayer {
 public:
  // Goes on from the store's position. `stretch_rows` bounds the changed rows
  // held in memory. Everything given must outlive the replayer.
  Replayer(const Service& service, const Applier& applier,
           store::RowStore& rows, int stretch_rows);

  // Takes the partition's next record. DATA_LOSS: see problem(); what came
  // before it can still be flushed.
  absl::Status Feed(log::StoredRecord record);

  // Writes what has been gathered.
  absl::Status Flush();

  const ReplayProblem& problem() const { return problem_; }
  const log::Fold& fold() const { return fold_; }

  // One past the last seq of `claim` that counted; 0 if none did. Only claims
  // seen in force since the replayer was made.
  int64_t SettledOf(int64_t claim) const;

  // True once a handbook has been applied since the last call.
  bool TakeHandbookSeen() { return std::exchange(handbook_seen_, false); }

 private:
  const Service& service_;
  const Applier& applier_;
  store::RowStore& rows_;
  const size_t stretch_rows_;
  log::Fold fold_;
  common::v1::ShardMeta position_;
  int64_t voids_before_ = 0;
  int64_t unwritten_records_ = 0;
  absl::flat_hash_map<int64_t, int64_t> settled_;
  ReplayProblem problem_;
  bool handbook_seen_ = false;
};

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_REPLAY_H_
