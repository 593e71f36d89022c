// -----------------------------------------------------------------------------
// File: fold.h
// -----------------------------------------------------------------------------
//
// Who counts as the writer of a partition is decided by every reader, alike,
// with this fold over the partition's records. Its state is (cur, next,
// pending):
//
//   a claim at offset o:  cur = o, next = 0, pending = none
//   an event:             valid iff its claim == cur and its seq == next; then
//                         next++ and it joins pending; when its `more` is not
//                         set, all of pending counts, as one command
//   anything else:        void: skipped and counted; also what is not of
//                         Aftercare at all
//
// So a command's events count all or not at all, duplicates and the late
// records of a deposed writer are void, and the offset after a new claim is an
// exact end of what its predecessors wrote.

#ifndef AFTERCARE_LIBS_LOG_FOLD_H_
#define AFTERCARE_LIBS_LOG_FOLD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "libs/log/log.h"

namespace aftercare::log {

// Header names. Numbers are decimal text.
inline constexpr absl::string_view kClaimHeader = "claim";  // offset of a claim
inline constexpr absl::string_view kSeqHeader = "seq";      // 0, 1, ... in it
inline constexpr absl::string_view kMoreHeader = "more";  // "1": group goes on
// A claim record has this header instead of the three above; its value is
// empty and its key is empty.
inline constexpr absl::string_view kOwnerHeader = "claim_owner";
inline constexpr absl::string_view kNonceHeader = "claim_nonce";
inline constexpr absl::string_view kAddressHeader = "claim_address";

struct Claim {
  std::string owner;
  std::string nonce;
  std::string address;
};

Record MakeClaim(const Claim& claim);

// Adds the fold's headers to an event's record.
void StampEvent(Record& record, int64_t claim, int64_t seq, bool more);

// What a reader keeps beside what it made of the records: written in the same
// batch. Always at a group's boundary.
struct FoldState {
  int64_t claim = -1;
  int64_t next = 0;
  int64_t offset = 0;  // one past the last record consumed

  friend bool operator==(const FoldState&, const FoldState&) = default;
};

struct FoldStep {
  enum class Kind {
    kClaim,    // a new writer; `claim` says who
    kPending,  // valid; the command has more events to come
    kGroup,    // valid and complete; `group` has the command's events in order
    kVoid,     // does not count
  };
  Kind kind = Kind::kVoid;
  Claim claim;
  std::vector<StoredRecord> group;
};

// Thread-compatible.
class Fold {
 public:
  Fold() = default;
  explicit Fold(FoldState state) : state_(state), boundary_(state) {}

  // Takes the next record of the partition. Offsets must ascend.
  FoldStep Apply(StoredRecord record);

  // The state to go on from after a restart: at the last boundary of a group,
  // so that records of an unfinished group are read again.
  FoldState resume_point() const {
    return pending_.empty() ? state_ : boundary_;
  }

  // Claim in force, -1 before the first; next valid seq (counts pending ones);
  // one past the last record taken.
  int64_t claim() const { return state_.claim; }
  int64_t next() const { return state_.next; }
  int64_t offset() const { return state_.offset; }
  // One past the last seq of the present claim that counts for good.
  int64_t settled() const { return resume_point().next; }
  int64_t void_records() const { return void_records_; }

 private:
  FoldState state_;
  FoldState boundary_;
  std::vector<StoredRecord> pending_;
  int64_t void_records_ = 0;
};

}  // namespace aftercare::log

#endif  // AFTERCARE_LIBS_LOG_FOLD_H_
