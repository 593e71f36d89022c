#include "tests/contract/owner.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "libs/base/status_macros.h"
#include "tests/contract/log_under_test.h"

namespace aftercare::contract {
namespace {

// Owners give up on an answer sooner than a test does on an owner.
constexpr absl::Duration kAppendTimeout = absl::Seconds(2);
constexpr absl::Duration kReadTimeout = absl::Seconds(5);

constexpr absl::string_view kSizeHeader = "size";

}  // namespace

Folded FoldAll(log::Log& log, const log::TopicPartition& partition,
               std::optional<uint32_t> restarts_seed) {
  std::mt19937 random(restarts_seed.value_or(0));
  Folded folded;
  const std::vector<log::StoredRecord> records = ReadAll(log, partition);
  if (records.empty()) return folded;
  const int64_t end = records.back().offset + 1;
  log::Fold fold;
  int64_t voided = 0;
  while (fold.offset() < end) {
    auto reader = log.OpenReader(partition, fold.offset());
    EXPECT_TRUE(reader.ok()) << reader.status();
    if (!reader.ok()) return folded;
    const int steps = restarts_seed ? static_cast<int>(random() % 200) + 20
                                    : static_cast<int>(end) + 1;
    for (int taken = 0; taken < steps && fold.offset() < end;) {
      auto batch = (*reader)->Read(
          restarts_seed ? static_cast<int>(random() % 9) + 1 : 1000,
          kReadTimeout);
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (!batch.ok() || batch->empty()) return folded;
      for (log::StoredRecord& stored : *batch) {
        ++taken;
        log::FoldStep step = fold.Apply(std::move(stored));
        if (step.kind == log::FoldStep::Kind::kClaim) {
          folded.claimants.insert(step.claim.owner);
        }
        if (step.kind != log::FoldStep::Kind::kGroup) continue;
        const log::Record& first = step.group.front().record;
        int size = 0;
        EXPECT_TRUE(absl::SimpleAtoi(first.Header(kSizeHeader), &size));
        bool whole = size == static_cast<int>(step.group.size());
        for (const log::StoredRecord& member : step.group) {
          whole = whole && member.record.key == first.key;
        }
        if (!whole) ++folded.torn;
        folded.commands.push_back(first.key);
      }
    }
    // Void records of a command that is read again would count twice.
    if (!restarts_seed) voided = fold.void_records();
    if (restarts_seed && fold.offset() < end) {
      fold = log::Fold(fold.resume_point());
    }
  }
  folded.void_records = voided;
  return folded;
}

Owner::Owner(std::string name, std::shared_ptr<log::Log> log,
             log::TopicPartition partition, uint32_t seed)
    : name_(std::move(name)),
      log_(std::move(log)),
      partition_(std::move(partition)),
      random_(seed) {}

Owner::~Owner() = default;

absl::Status Owner::Claim() {
  appender_.reset();
  tracker_.reset();
  auto inbox = std::make_shared<Inbox>();
  inbox_ = inbox;
  ASSIGN_OR_RETURN(appender_, log_->OpenAppender(partition_));
  appender_->Append(log::MakeClaim({name_, absl::StrCat(name_, claims_++), ""}),
                    [inbox](absl::StatusOr<int64_t> offset) {
                      std::lock_guard lock(inbox->mutex);
                      inbox->reports.emplace_back(-1, std::move(offset));
                      inbox->filled.notify_one();
                    });
  {
    std::unique_lock lock(inbox->mutex);
    if (!inbox->filled.wait_for(lock,
                                absl::ToChronoMilliseconds(kAppendTimeout),
                                [&] { return !inbox->reports.empty(); })) {
      return absl::UnavailableError("no answer to the claim");
    }
    absl::StatusOr<int64_t> offset = std::move(inbox->reports.front().second);
    inbox->reports.clear();
    RETURN_IF_ERROR(offset.status());
    claim_ = *offset;
  }
  RETURN_IF_ERROR(FoldThrough(claim_));
  for (const std::string& command : in_flight_) {
    (counted_.contains(command) ? acknowledged_ : never_).insert(command);
  }
  in_flight_.clear();
  // A deposed owner's claim voids nothing that a later one does not.
  if (fold_.claim() != claim_) return absl::AbortedError("deposed");
  tracker_.emplace(claim_);
  return absl::OkStatus();
}

absl::Status Owner::FoldThrough(int64_t offset) {
  while (fold_.offset() <= offset) {
    if (reader_ == nullptr) {
      // Records of an unfinished command are still with the fold.
      ASSIGN_OR_RETURN(reader_, log_->OpenReader(partition_, fold_.offset()));
    }
    auto batch = reader_->Read(500, kReadTimeout);
    if (!batch.ok() || batch->empty()) {
      reader_.reset();
      return batch.ok() ? absl::UnavailableError("nothing to read")
                        : batch.status();
    }
    for (log::StoredRecord& stored : *batch) {
      const log::FoldStep step = fold_.Apply(std::move(stored));
      if (step.kind == log::FoldStep::Kind::kGroup) {
        counted_.insert(step.group.front().record.key);
      }
    }
  }
  return absl::OkStatus();
}

void Owner::Send() {
  const int size = static_cast<int>(random_() % 3) + 1;
  const std::string command = absl::StrCat(name_, "#", sent_++);
  const int64_t first = tracker_->Sent(size);
  in_flight_.push_back(command);
  for (int i = 0; i < size; ++i) {
    log::Record record;
    record.key = command;
    record.value = absl::StrCat(command, "/", i);
    record.headers.emplace_back(kSizeHeader, absl::StrCat(size));
    log::StampEvent(record, claim_, first + i, i + 1 < size);
    appender_->Append(std::move(record), [inbox = inbox_, seq = first + i](
                                             absl::StatusOr<int64_t> offset) {
      std::lock_guard lock(inbox->mutex);
      inbox->reports.emplace_back(seq, std::move(offset));
      inbox->filled.notify_one();
    });
  }
}

void Owner::TakeDone() {
  for (size_t n = tracker_->TakeDone().size(); n > 0; --n) {
    acknowledged_.insert(std::move(in_flight_.front()));
    in_flight_.pop_front();
  }
}

// False in doubt and when deposed.
bool Owner::HandleReports(absl::Duration patience) {
  std::deque<std::pair<int64_t, absl::StatusOr<int64_t>>> reports;
  {
    std::unique_lock lock(inbox_->mutex);
    if (!inbox_->filled.wait_for(lock, absl::ToChronoMilliseconds(patience),
                                 [&] { return !inbox_->reports.empty(); })) {
      return patience == absl::ZeroDuration();
    }
    reports.swap(inbox_->reports);
  }
  for (const auto& [seq, offset] : reports) {
    if (offset.ok()) {
      tracker_->Delivered(seq, *offset);
    } else {
      ++reports_failed_;
      tracker_->Failed(seq);
    }
    while (tracker_->state() == log::CommitTracker::State::kNeedsGap) {
      ++gaps_read_;
      auto reader = log_->OpenReader(partition_, tracker_->gap_from());
      if (!reader.ok()) return false;
      std::vector<log::StoredRecord> gap;
      while ((*reader)->position() <= tracker_->gap_to()) {
        auto batch = (*reader)->Read(100, kReadTimeout);
        if (!batch.ok() || batch->empty()) return false;
        for (log::StoredRecord& stored : *batch) {
          if (stored.offset <= tracker_->gap_to()) {
            gap.push_back(std::move(stored));
          }
        }
      }
      tracker_->GapRecords(std::move(gap));
    }
  }
  TakeDone();
  return tracker_->state() == log::CommitTracker::State::kGood;
}

void Owner::Turn(int commands, bool walks_away) {
  if (!Claim().ok()) return;
  for (int i = 0; i < commands; ++i) {
    Send();
    if (walks_away && random_() % 40 == 0) return;
    // Sometimes a pipeline, sometimes step by step.
    if (random_() % 4 == 0 && !HandleReports(kAppendTimeout)) return;
    if (!HandleReports(absl::ZeroDuration())) return;
  }
  while (tracker_->open_records() > 0) {
    if (!HandleReports(kAppendTimeout)) return;
  }
}

void Owner::SettleAll() {
  const absl::Time until = absl::Now() + kPatience;
  absl::Status claimed = Claim();
  while (!in_flight_.empty() && absl::Now() < until) claimed = Claim();
  EXPECT_TRUE(in_flight_.empty()) << claimed;
  appender_.reset();
}

void ExpectFoldAgrees(log::Log& log, const log::TopicPartition& partition,
                      const std::vector<const Owner*>& owners) {
  const Folded folded = FoldAll(log, partition);
  const std::set<std::string> counted(folded.commands.begin(),
                                      folded.commands.end());
  EXPECT_EQ(counted.size(), folded.commands.size()) << "a command counts twice";
  EXPECT_EQ(folded.torn, 0);
  size_t acknowledged = 0;
  for (const Owner* owner : owners) {
    acknowledged += owner->acknowledged().size();
    EXPECT_EQ(owner->acknowledged().size() + owner->never().size(),
              static_cast<size_t>(owner->sent()));
    for (const std::string& command : owner->acknowledged()) {
      EXPECT_TRUE(counted.contains(command)) << command << " is lost";
    }
    for (const std::string& command : owner->never()) {
      EXPECT_FALSE(counted.contains(command)) << command << " came back";
    }
  }
  EXPECT_EQ(acknowledged, counted.size());
  for (uint32_t seed = 0; seed < 3; ++seed) {
    EXPECT_EQ(FoldAll(log, partition, seed).commands, folded.commands);
  }
}

}  // namespace aftercare::contract
