#include "libs/log/commit_tracker.h"

#include <algorithm>
#include <utility>

namespace aftercare::log {

CommitTracker::CommitTracker(int64_t claim, AckRules rules)
    : claim_(claim), rules_(rules), known_end_(claim + 1) {}

int64_t CommitTracker::Sent(int records) {
  const int64_t first = next_seq_;
  next_seq_ += records;
  groups_.push_back({first, next_seq_ - 1});
  return first;
}

void CommitTracker::Delivered(int64_t seq, int64_t offset) {
  if (seq < settled_) return;  // a gap that was read has told already
  reports_[seq] = offset;
  Advance();
}

void CommitTracker::Failed(int64_t seq) {
  if (seq < settled_ || state_ == State::kDemoted) return;
  state_ = State::kInDoubt;
}

bool CommitTracker::Knows(int64_t sent, int64_t end) {
  if (settled_ < sent || state_ != State::kGood) return false;
  if (end <= known_end_ || !rules_.reads_look_at_the_end) return true;
  // Reports that are still to come will show what lies before.
  if (open_records() == 0) {
    gap_to_ = end - 1;
    state_ = State::kNeedsGap;
  }
  return false;
}

void CommitTracker::Advance() {
  while (state_ == State::kGood && !reports_.empty()) {
    const auto [seq, offset] = *reports_.begin();
    if (rules_.every_earlier_seq && seq != settled_) return;
    if (rules_.contiguous_offsets && offset != known_end_) {
      if (offset < known_end_) {
        // Behind what is known and yet not settled: the fold has seen it void.
        state_ = State::kInDoubt;
        return;
      }
      gap_to_ = offset;
      state_ = State::kNeedsGap;
      return;
    }
    reports_.erase(reports_.begin());
    known_end_ = std::max(known_end_, offset + 1);
    settled_ = std::max(settled_, seq + 1);
    Settle(offset + 1);
  }
}

void CommitTracker::GapRecords(std::vector<StoredRecord> records) {
  if (state_ != State::kNeedsGap) return;
  state_ = State::kGood;
  // From our claim with `settled_` valid events up to here the fold goes on.
  Fold fold(FoldState{claim_, settled_, known_end_});
  for (StoredRecord& record : records) {
    if (record.offset < known_end_) continue;
    const int64_t before = fold.next();
    const int64_t end = record.offset + 1;
    fold.Apply(std::move(record));
    known_end_ = end;
    if (fold.claim() != claim_) {
      state_ = State::kDemoted;
      return;
    }
    if (fold.next() > before) {
      settled_ = fold.next();
      reports_.erase(reports_.begin(), reports_.lower_bound(settled_));
      Settle(end);
    }
  }
  if (known_end_ <= gap_to_) {
    // The record reported there is not there: nothing can be relied on.
    state_ = State::kInDoubt;
    return;
  }
  Advance();
}

void CommitTracker::Settle(int64_t end_offset) {
  while (!groups_.empty() && groups_.front().last < settled_) {
    done_.push_back({groups_.front().last, end_offset});
    groups_.pop_front();
  }
}

std::vector<CommitTracker::Done> CommitTracker::TakeDone() {
  return std::exchange(done_, {});
}

}  // namespace aftercare::log
