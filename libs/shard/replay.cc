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

constexpr int kReadBatch = 2000;
constexpr absl::Duration kReadWait = absl::Milliseconds(200);
// What may lie ready: enough for the two threads not to wait for each other.
constexpr size_t kBatchesAhead = 4;
constexpr int64_t kBytesAhead = int64_t{16} << 20;

}  // namespace

DecodedRecord Decode(const Service& service, log::StoredRecord record) {
  std::string key = record.record.key;
  absl::StatusOr<Event> event = EventOf(service, record.record);
  return {std::move(record), std::move(key), std::move(event)};
}

ReadAhead::ReadAhead(const Service& service,
                     std::unique_ptr<log::Reader> reader, int64_t last)
    : service_(service), reader_(std::move(reader)), last_(last) {
  thread_ = std::thread([this] { Run(); });
}

ReadAhead::~ReadAhead() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ReadAhead::Run() {
  while (true) {
    Batch batch;
    auto records = reader_->Read(kReadBatch, kReadWait);
    bool over = !records.ok();
    if (over) {
      error_position_ = reader_->position();
      batch.records = records.status();
    } else {
      std::vector<DecodedRecord> decoded;
      decoded.reserve(records->size());
      for (log::StoredRecord& record : *records) {
        if (record.offset > last_) break;
        over = record.offset == last_;
        batch.bytes += record.record.Bytes();
        decoded.push_back(Decode(service_, std::move(record)));
      }
      batch.records = std::move(decoded);
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] {
      return stopping_ ||
             (batches_.size() < kBatchesAhead && bytes_ < kBytesAhead);
    });
    if (stopping_) return;
    bytes_ += batch.bytes;
    batches_.push_back(std::move(batch));
    changed_.notify_all();
    if (over) return;
  }
}

absl::StatusOr<std::vector<DecodedRecord>> ReadAhead::Next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !batches_.empty(); });
  if (!batches_.front().records.ok()) return batches_.front().records.status();
  Batch batch = std::move(batches_.front());
  batches_.pop_front();
  bytes_ -= batch.bytes;
  changed_.notify_all();
  return std::move(batch.records);
}

Replayer::Replayer(const Service& service, const Applier& applier,
                   int partition, int partitions, store::RowStore& rows,
                   int stretch_rows)
    : service_(service),
      applier_(applier),
      rows_(rows),
      stretch_rows_(static_cast<size_t>(stretch_rows)),
      position_(rows.meta()),
      voids_before_(position_.void_records()) {
  position_.set_topic(service_.topic());
  position_.set_partition(partition);
  position_.set_partitions(partitions);
  position_.set_row_format(RowFormat(service_));
  log::FoldState state;
  if (position_.offset() > 0) {
    state = {position_.claim(), position_.next_seq(), position_.offset()};
    settled_[state.claim] = state.next;
  }
  fold_ = log::Fold(state);
}

absl::Status Replayer::Feed(DecodedRecord decoded) {
  log::FoldStep step = fold_.Apply(std::move(decoded.record));
  ++unwritten_records_;
  switch (step.kind) {
    case log::FoldStep::Kind::kClaim:
      pending_.clear();
      break;
    case log::FoldStep::Kind::kVoid:
      break;
    case log::FoldStep::Kind::kPending:
      pending_.push_back(std::move(decoded));
      break;
    case log::FoldStep::Kind::kGroup: {
      pending_.push_back(std::move(decoded));
      // Every event is looked at before any is applied: a command counts all
      // or not at all.
      for (size_t i = 0; i < pending_.size(); ++i) {
        const absl::StatusOr<Event>& event = pending_[i].event;
        if (event.ok()) continue;
        problem_ = {step.group[i].offset, std::move(pending_[i].key),
                    std::string(event.status().message())};
        return event.status();
      }
      for (const DecodedRecord& member : pending_) {
        const Event& event = *member.event;
        // All events of a command have one record time, so this happens only
        // before its first: the position still stands before the command.
        if (applier_.ScansFor(position_, event)) RETURN_IF_ERROR(Flush());
        applier_.Apply(rows_, position_, event);
        handbook_seen_ |= IsPlatformFact(*event.message);
      }
      pending_.clear();
      break;
    }
  }
  const log::FoldState now = fold_.resume_point();
  settled_[now.claim] = now.next;
  position_.set_claim(now.claim);
  position_.set_next_seq(now.next);
  position_.set_offset(now.offset);
  // Rows that could not be read: the flush refuses what was made of them.
  if (rows_.broken() || rows_.open_rows() >= stretch_rows_ ||
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
