#include "libs/shard/replay.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"

namespace aftercare::shard {
namespace {

// A stretch ends after so many records even if they change few rows, so that
// a crash costs only a short replay.
constexpr int64_t kMaxStretchRecords = 200000;

}  // namespace

Replayer::Replayer(const Service& service, const Applier& applier,
                   store::RowStore& rows, int stretch_rows)
    : service_(service),
      applier_(applier),
      rows_(rows),
      stretch_rows_(static_cast<size_t>(stretch_rows)),
      position_(rows.meta()),
      voids_before_(position_.void_records()) {
  position_.set_topic(service_.topic());
  position_.set_row_format(RowFormat(service_));
  log::FoldState state;
  if (position_.offset() > 0) {
    state = {position_.claim(), position_.next_seq(), position_.offset()};
    settled_[state.claim] = state.next;
  }
  fold_ = log::Fold(state);
}

absl::Status Replayer::Feed(log::StoredRecord record) {
  const int64_t offset = record.offset;
  std::string key = record.record.key;
  log::FoldStep step = fold_.Apply(std::move(record));
  ++unwritten_records_;
  switch (step.kind) {
    case log::FoldStep::Kind::kClaim:
    case log::FoldStep::Kind::kPending:
    case log::FoldStep::Kind::kVoid:
      break;
    case log::FoldStep::Kind::kCorrupt:
      problem_ = {offset, std::move(key), std::move(step.problem)};
      return absl::DataLossError(problem_.reason);
    case log::FoldStep::Kind::kGroup: {
      // Everything is read before anything is applied: a command counts all
      // or not at all.
      std::vector<Event> events;
      events.reserve(step.group.size());
      for (log::StoredRecord& member : step.group) {
        const int64_t at = member.offset;
        absl::StatusOr<Event> event = FromRecord(service_, std::move(member));
        if (!event.ok()) {
          problem_ = {at, std::move(key),
                      std::string(event.status().message())};
          return event.status();
        }
        events.push_back(*std::move(event));
      }
      for (const Event& event : events) {
        // All events of a command have one record time, so this happens only
        // before its first: the position still stands before the command.
        if (applier_.ScansFor(position_, event)) RETURN_IF_ERROR(Flush());
        applier_.Apply(rows_, position_, event);
        handbook_seen_ |= IsPlatformFact(*event.message);
      }
      break;
    }
  }
  const log::FoldState now = fold_.resume_point();
  settled_[now.claim] = now.next;
  position_.set_claim(now.claim);
  position_.set_next_seq(now.next);
  position_.set_offset(now.offset);
  if (rows_.open_rows() >= stretch_rows_ ||
      unwritten_records_ >= kMaxStretchRecords) {
    return Flush();
  }
  return absl::OkStatus();
}

absl::Status Replayer::Flush() {
  position_.set_void_records(voids_before_ + fold_.void_records());
  unwritten_records_ = 0;
  return rows_.CommitOpenTurn(position_);
}

int64_t Replayer::SettledOf(int64_t claim) const {
  const auto it = settled_.find(claim);
  return it == settled_.end() ? 0 : it->second;
}

}  // namespace aftercare::shard
