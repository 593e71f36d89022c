// Catching up: records through the fold into rows, in long stretches that write
// every changed row once. Used by the shard and by its verification. Reading
// and decoding need no state and cost as much as the rows do: ReadAhead does
// them on a thread of its own.

#ifndef AFTERCARE_LIBS_SHARD_REPLAY_H_
#define AFTERCARE_LIBS_SHARD_REPLAY_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

// A record and what can be told of it alone.
struct DecodedRecord {
  // As the fold wants it; of an event, the fields that `event` took are gone.
  log::StoredRecord record;
  std::string key;
  // An error if it is no readable event; a claim is none.
  absl::StatusOr<Event> event;
};

DecodedRecord Decode(const Service& service, log::StoredRecord record);

// Reads and decodes a partition ahead of whoever replays it, through `last`.
class ReadAhead {
 public:
  // `service` must outlive it.
  ReadAhead(const Service& service, std::unique_ptr<log::Reader> reader,
            int64_t last);
  // May wait as long as one read of the log takes.
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  // The next records in order; none if the log gave none for a while. An error
  // of the reader comes after the records before it, and for good.
  absl::StatusOr<std::vector<DecodedRecord>> Next();

  // Where the reader stood at the last error.
  int64_t error_position() const { return error_position_; }

 private:
  struct Batch {
    absl::StatusOr<std::vector<DecodedRecord>> records;
    int64_t bytes = 0;
  };

  void Run();

  const Service& service_;
  const std::unique_ptr<log::Reader> reader_;
  const int64_t last_;
  int64_t error_position_ = -1;  // the caller's once it has the error
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> batches_;  // guarded by mutex_
  int64_t bytes_ = 0;          // guarded by mutex_; of batches_
  bool stopping_ = false;      // guarded by mutex_
  std::thread thread_;
};

class Replayer {
 public:
  // Goes on from the store's position in this partition of so many.
  // `stretch_rows` bounds the changed rows held in memory. Everything given
  // must outlive the replayer.
  Replayer(const Service& service, const Applier& applier, int partition,
           int partitions, store::RowStore& rows, int stretch_rows);

  // Takes the partition's next record. DATA_LOSS: see problem(), unless the
  // rows are broken(); what came before it can still be flushed.
  absl::Status Feed(DecodedRecord decoded);
  absl::Status Feed(log::StoredRecord record) {
    return Feed(Decode(service_, std::move(record)));
  }

  // Writes what has been gathered; not if a row it was made of could not be
  // read.
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
  // Beside what the fold holds back of an unfinished command.
  std::vector<DecodedRecord> pending_;
  common::v1::ShardMeta position_;
  int64_t voids_before_ = 0;
  int64_t unwritten_records_ = 0;
  absl::flat_hash_map<int64_t, int64_t> settled_;
  ReplayProblem problem_;
  bool handbook_seen_ = false;
};

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_REPLAY_H_
