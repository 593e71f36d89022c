#include "libs/reaction/topic_progress.h"

#include <condition_variable>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"
#include "libs/process/clock.h"
#include "libs/process/random.h"

namespace aftercare::reaction {
namespace {

constexpr int kReadBatch = 1000;

absl::Status Unavailable(const absl::Status& status) {
  return absl::UnavailableError(
      absl::StrCat("reactions' progress: ", status.message()));
}

// What the answers to some appends and their caller share.
struct Answers {
  std::mutex mutex;
  std::condition_variable wake;
  size_t missing = 0;
  absl::Status status;
  int64_t last = -1;
};

}  // namespace

std::string ProgressTopic(absl::string_view target) {
  return absl::StrCat("aftercare.", target, ".reactions.v1");
}

TopicProgress::TopicProgress(log::Log& log, std::string topic,
                             absl::Duration patience)
    : log_(log), partition_{std::move(topic), 0}, patience_(patience) {}

absl::StatusOr<int64_t> TopicProgress::Put(Entries entries) {
  auto answers = std::make_shared<Answers>();
  answers->missing = entries.size();
  std::shared_ptr<log::Appender> appender;
  {
    std::lock_guard lock(append_mutex_);
    if (appender_ == nullptr) {
      auto opened = log_.OpenAppender(partition_);
      if (!opened.ok()) return Unavailable(opened.status());
      appender_ = *std::move(opened);
    }
    appender = appender_;
    for (auto& [key, value] : entries) {
      log::Record record;
      record.key = std::move(key);
      record.value = std::move(value);
      appender->Append(std::move(record),
                       [answers](absl::StatusOr<int64_t> offset) {
                         std::lock_guard answers_lock(answers->mutex);
                         --answers->missing;
                         if (offset.ok()) {
                           answers->last = std::max(answers->last, *offset);
                         } else {
                           answers->status = offset.status();
                         }
                         answers->wake.notify_all();
                       });
    }
  }
  absl::Status status;
  {
    std::unique_lock lock(answers->mutex);
    if (!answers->wake.wait_for(lock, absl::ToChronoMilliseconds(patience_),
                                [&] { return answers->missing == 0; })) {
      status = absl::UnavailableError("no answer to the append");
    } else if (answers->status.ok()) {
      return answers->last;
    } else {
      status = answers->status;
    }
  }
  // A fresh one shares no fault with it.
  std::lock_guard lock(append_mutex_);
  if (appender_ == appender) appender_.reset();
  return Unavailable(status);
}

absl::Status TopicProgress::ReadUpTo(int64_t offset) {
  auto reader = log_.OpenReader(partition_, position_);
  if (!reader.ok()) return Unavailable(reader.status());
  const absl::Time until = SteadyNow() + patience_;
  while (position_ <= offset) {
    auto records = (*reader)->Read(kReadBatch, absl::Milliseconds(200));
    if (absl::IsOutOfRange(records.status())) {
      // Another topic than the one that was read so far.
      entries_.clear();
      position_ = 0;
    }
    if (!records.ok()) return Unavailable(records.status());
    for (log::StoredRecord& record : *records) {
      position_ = record.offset + 1;
      if (record.record.value.empty()) {
        entries_.erase(record.record.key);
      } else {
        entries_[record.record.key] = std::move(record.record.value);
      }
    }
    if (records->empty() && SteadyNow() > until) {
      return absl::UnavailableError(
          "reactions' progress: the end of the topic does not come");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Progress::State> TopicProgress::Load(absl::string_view stream) {
  // The topic's end is only known behind a record of one's own.
  ASSIGN_OR_RETURN(const int64_t end,
                   Put({{absl::StrCat("loaded/", stream), RandomId()}}));
  std::lock_guard lock(read_mutex_);
  RETURN_IF_ERROR(ReadUpTo(end));
  State state;
  if (const auto it = entries_.find(PositionKey(stream));
      it != entries_.end()) {
    state.position = ParsePosition(it->second);
  }
  const std::string prefix = ParkedPrefix(stream);
  for (auto it = entries_.lower_bound(prefix);
       it != entries_.end() && absl::StartsWith(it->first, prefix); ++it) {
    admin::v1::Parked entry;
    if (entry.ParseFromString(it->second)) {
      state.parked.push_back(std::move(entry));
    }
  }
  return state;
}

absl::Status TopicProgress::Advance(
    absl::string_view stream, const log::FoldState& position,
    const std::vector<admin::v1::Parked>& parked) {
  if (!parked.empty()) {
    Entries entries;
    for (const admin::v1::Parked& entry : parked) {
      entries.emplace_back(ParkedKey(stream, entry.offset()),
                           entry.SerializeAsString());
    }
    RETURN_IF_ERROR(Put(std::move(entries)).status());
  }
  return Put({{PositionKey(stream), PositionText(position)}}).status();
}

absl::Status TopicProgress::Park(absl::string_view stream,
                                 const admin::v1::Parked& parked) {
  return Put({{ParkedKey(stream, parked.offset()), parked.SerializeAsString()}})
      .status();
}

absl::Status TopicProgress::Unpark(absl::string_view stream,
                                   const admin::v1::Parked& parked) {
  return Put({{ParkedKey(stream, parked.offset()), ""}}).status();
}

}  // namespace aftercare::reaction
