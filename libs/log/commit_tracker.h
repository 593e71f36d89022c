// -----------------------------------------------------------------------------
// File: commit_tracker.h
// -----------------------------------------------------------------------------
//
// When a writer may tell its caller "done". Pure bookkeeping over delivery
// reports; the shard feeds it and the protocol model (tests/model) drives the
// same code.
//
// A command is done when the reports of all its records and of every earlier
// seq are good, and each record lies just behind the last one known: then the
// writer knows everything in between, and the fold counts its records. If a
// report skips offsets, somebody else wrote there: the gap must be read and
// folded before anything more is done. And whether what the writer knows is
// still all there is (Knows), before it answers from it.

#ifndef AFTERCARE_LIBS_LOG_COMMIT_TRACKER_H_
#define AFTERCARE_LIBS_LOG_COMMIT_TRACKER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "libs/log/fold.h"
#include "libs/log/log.h"

namespace aftercare::log {

// The two checks of an acknowledgement, and that of a read. Only the protocol
// model switches one off, to show that it finds the fault.
struct AckRules {
  bool every_earlier_seq = true;
  bool contiguous_offsets = true;
  bool reads_look_at_the_end = true;
};

class CommitTracker {
 public:
  enum class State {
    kGood,
    // Read [gap_from(), gap_to()] and hand it to GapRecords.
    kNeedsGap,
    // A later claim was seen: stop, nothing more of ours counts.
    kDemoted,
    // A record's outcome is unknown: claim again and look.
    kInDoubt,
  };

  // `claim` is the offset of the writer's own claim, folded as the last record.
  explicit CommitTracker(int64_t claim, AckRules rules = {});

  // The next group of `records` events is sent; returns its first seq.
  int64_t Sent(int records);

  // A delivery report, in any order.
  void Delivered(int64_t seq, int64_t offset);
  void Failed(int64_t seq);

  // Whether the writer's first `sent` records, and all records before `end`,
  // are known: then it knows what anybody was told before it asked for the end.
  // False: not yet; or, with kNeedsGap, once the gap has been read.
  bool Knows(int64_t sent, int64_t end);

  // The records of the partition from gap_from() through gap_to().
  void GapRecords(std::vector<StoredRecord> records);

  State state() const { return state_; }
  int64_t gap_from() const { return known_end_; }
  int64_t gap_to() const { return gap_to_; }

  // Groups done since the last call: for each, its last seq and the offset one
  // past its last record. Ascending.
  struct Done {
    int64_t last_seq = 0;
    int64_t end_offset = 0;
  };
  std::vector<Done> TakeDone();

  int64_t sent_records() const { return next_seq_; }
  // Records sent and not yet done.
  int64_t open_records() const { return next_seq_ - settled_; }

 private:
  struct Group {
    int64_t first = 0;
    int64_t last = 0;
  };
  void Advance();
  void Settle(int64_t end_offset);

  const int64_t claim_;
  const AckRules rules_;
  State state_ = State::kGood;
  int64_t next_seq_ = 0;
  int64_t settled_ = 0;  // seqs below are known to be valid in the fold
  int64_t known_end_;    // offsets below are known and folded
  int64_t gap_to_ = -1;
  std::map<int64_t, int64_t> reports_;  // seq -> offset, not yet settled
  std::deque<Group> groups_;
  std::vector<Done> done_;
};

}  // namespace aftercare::log

#endif  // AFTERCARE_LIBS_LOG_COMMIT_TRACKER_H_
