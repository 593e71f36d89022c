// What every log keeps, whichever it is: the same cases for each. What only one
// of them has (files, faults of a network) is tested elsewhere.

#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/log/fold.h"
#include "libs/log/log.h"
#include "tests/contract/log_under_test.h"
#include "tests/contract/owner.h"

namespace aftercare::contract {
namespace {

using log::Appender;
using log::FoldStep;
using log::Log;
using log::Reader;
using log::Record;
using log::StoredRecord;
using log::TopicPartition;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

class LogContractTest : public ::testing::TestWithParam<LogKind> {
 protected:
  void SetUp() override {
    auto made = GetParam().make();
    if (absl::IsUnavailable(made.status())) {
      GTEST_SKIP() << made.status().message();
    }
    ASSERT_TRUE(made.ok()) << made.status();
    under_test_ = *std::move(made);
    // Logs that outlive a test must not show it what an earlier one wrote.
    topic_ = FreshTopic();
    under_test_->CreateTopic(topic_, kPartitions);
    partition_ = {topic_, 0};
    log_ = under_test_->Open();
  }

  // The oldest holder goes last.
  ~LogContractTest() override { log_.reset(); }

  std::unique_ptr<Appender> OpenAppender(int partition = 0) {
    auto appender = log_->OpenAppender({topic_, partition});
    EXPECT_TRUE(appender.ok()) << appender.status();
    return *std::move(appender);
  }

  std::unique_ptr<Reader> OpenReader(int64_t offset) {
    auto reader = log_->OpenReader(partition_, offset);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }

  // Appends "0", "1", ... and waits; their offsets.
  std::vector<int64_t> AppendNumbers(Appender& appender, int count) {
    Reports reports;
    for (int i = 0; i < count; ++i) {
      appender.Append(ValueRecord(absl::StrCat(i)), reports.Next());
    }
    EXPECT_TRUE(reports.WaitForAll());
    return reports.OffsetsByAppend();
  }

  static constexpr int kPartitions = 3;
  std::unique_ptr<LogUnderTest> under_test_;
  std::string topic_;
  TopicPartition partition_;
  std::shared_ptr<Log> log_;
};

std::vector<std::string> Numbers(int from, int to) {
  std::vector<std::string> numbers;
  for (int i = from; i < to; ++i) numbers.push_back(absl::StrCat(i));
  return numbers;
}

std::string AllBytes() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  return bytes;
}

TEST_P(LogContractTest, RecordsComeBackAsAppended) {
  std::vector<Record> records(6);
  records[0].key = "companies/acme/customers/42";
  records[0].value = "value";
  records[0].headers = {{"ce_id", "7"},
                        {"ce_time", "2024-02-29T23:59:59.999999999+08:00"},
                        {"content-type", "application/protobuf"}};
  records[1].value = AllBytes();
  records[1].headers = {{"again", "1"}, {"other", ""}, {"again", "2"}};
  records[2].key = "only a key";
  records[3].headers = {{"überschrift", AllBytes()}, {"标题", "值 🧰"}};
  // records[4] has nothing at all.
  records[5].key = std::string(1000, 'k');
  records[5].value = std::string(100'000, '\0');

  auto appender = OpenAppender();
  Reports reports;
  for (const Record& record : records) {
    appender->Append(record, reports.Next());
  }
  ASSERT_TRUE(reports.WaitForAll());
  const std::vector<int64_t> offsets = reports.OffsetsByAppend();
  const std::vector<StoredRecord> stored = ReadAll(*log_, partition_);
  ASSERT_EQ(stored.size(), records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(stored[i].offset, offsets[i]);
    EXPECT_EQ(stored[i].record.key, records[i].key);
    EXPECT_EQ(stored[i].record.value, records[i].value);
    EXPECT_EQ(stored[i].record.headers, records[i].headers);
  }
}

TEST_P(LogContractTest, KeysAreBytes) {
  const std::vector<std::string> keys = {
      "",
      std::string(1, '\0'),
      std::string("a\0b", 3),
      AllBytes(),
      "companies/海尔/customers/王小明",
      "companies/🧰/customers/👩🏽‍🔧",
      "companies/müller/customers/Ω",
      "\xff\xfe not UTF-8 \xc3",
      std::string(5000, '\x80'),
  };
  auto appender = OpenAppender();
  Reports reports;
  for (const std::string& key : keys) {
    Record record;
    record.key = key;
    record.value = "v";
    appender->Append(record, reports.Next());
  }
  ASSERT_TRUE(reports.WaitForAll());
  std::vector<std::string> stored;
  for (const StoredRecord& record : ReadAll(*log_, partition_)) {
    stored.push_back(record.record.key);
  }
  EXPECT_THAT(stored, ElementsAreArray(keys));
}

TEST_P(LogContractTest, ReportsComeInOrderWithGaplessOffsets) {
  auto appender = OpenAppender();
  Reports reports;
  for (int i = 0; i < 500; ++i) {
    appender->Append(ValueRecord(absl::StrCat(i)), reports.Next());
    // Now one by one, now many at once.
    if (i % 100 < 5) {
      ASSERT_TRUE(reports.WaitForAll());
    }
  }
  ASSERT_TRUE(reports.WaitForAll());
  const std::vector<Report> all = reports.all();
  ASSERT_EQ(all.size(), 500u);
  ASSERT_TRUE(all[0].offset.ok()) << all[0].offset.status();
  for (int i = 0; i < 500; ++i) {
    EXPECT_EQ(all[i].append, i);
    ASSERT_TRUE(all[i].offset.ok()) << all[i].offset.status();
    EXPECT_EQ(*all[i].offset, *all[0].offset + i);
  }
}

TEST_P(LogContractTest, ManyInFlightKeepTheirOrder) {
  constexpr int kCount = 10'000;
  auto appender = OpenAppender();
  Reports reports;
  for (int i = 0; i < kCount; ++i) {
    appender->Append(ValueRecord(absl::StrCat(i)), reports.Next());
  }
  ASSERT_TRUE(reports.WaitForAll());
  const std::vector<int64_t> offsets = reports.OffsetsByAppend();
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(offsets[i], i);
  EXPECT_EQ(Values(ReadAll(*log_, partition_)), Numbers(0, kCount));
}

TEST_P(LogContractTest, ReadsFromAnyOffset) {
  auto appender = OpenAppender();
  AppendNumbers(*appender, 40);
  for (int from = 0; from <= 40; ++from) {
    SCOPED_TRACE(from);
    EXPECT_EQ(Values(ReadAll(*log_, partition_, from)), Numbers(from, 40));
  }
}

TEST_P(LogContractTest, ReadTakesNoMoreThanAskedForAndGoesOnFromThere) {
  auto appender = OpenAppender();
  AppendNumbers(*appender, 25);
  auto reader = OpenReader(0);
  EXPECT_EQ(reader->position(), 0);
  const auto none = reader->Read(0, absl::ZeroDuration());
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_THAT(*none, IsEmpty());
  std::vector<std::string> values;
  const absl::Time until = absl::Now() + kPatience;
  while (values.size() < 25 && absl::Now() < until) {
    const auto batch = reader->Read(7, absl::Seconds(1));
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_LE(batch->size(), 7u);
    for (const StoredRecord& stored : *batch) {
      values.push_back(stored.record.value);
    }
    EXPECT_EQ(reader->position(), static_cast<int64_t>(values.size()));
  }
  EXPECT_EQ(values, Numbers(0, 25));
}

TEST_P(LogContractTest, EndIsOnePastTheLastRecord) {
  EXPECT_EQ(*log_->End(partition_), 0);
  auto appender = OpenAppender();
  for (int i = 0; i < 3; ++i) {
    const auto offset = AppendAndWait(*appender, ValueRecord("x"));
    ASSERT_TRUE(offset.ok()) << offset.status();
    EXPECT_EQ(*log_->End(partition_), *offset + 1);
  }
  EXPECT_EQ(*log_->End({topic_, 1}), 0);
}

// What one writer was told before another asks, the other hears of.
TEST_P(LogContractTest, AnEndThatIsAskedForCoversWhatAnyWriterWasToldBefore) {
  const auto asked_end = [](Appender& appender) {
    const auto told = std::make_shared<std::promise<absl::StatusOr<int64_t>>>();
    appender.AskEnd(
        [told](absl::StatusOr<int64_t> end) { told->set_value(end); });
    return told->get_future().get();
  };
  auto idle = OpenAppender();
  auto busy = OpenAppender();
  EXPECT_EQ(asked_end(*idle).value_or(-1), 0);
  for (int i = 0; i < 20; ++i) {
    const int64_t offset = AppendNumbers(*busy, 1).front();
    EXPECT_EQ(asked_end(*idle).value_or(-1), offset + 1);
  }
}

TEST_P(LogContractTest, EmptyPartitionGivesNothingAndNoError) {
  auto reader = OpenReader(0);
  for (int i = 0; i < 2; ++i) {
    const auto records = reader->Read(10, absl::Milliseconds(20));
    ASSERT_TRUE(records.ok()) << records.status();
    EXPECT_THAT(*records, IsEmpty());
  }
  EXPECT_EQ(reader->position(), 0);
  // Of which the same reader still sees the first record.
  auto appender = OpenAppender();
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("first")).ok());
  const auto records = reader->Read(10, kPatience);
  ASSERT_TRUE(records.ok()) << records.status();
  EXPECT_THAT(Values(*records), ElementsAre("first"));
}

TEST_P(LogContractTest, ReaderAtTheEndWakesUpForANewRecord) {
  auto appender = OpenAppender();
  AppendNumbers(*appender, 3);
  for (int round = 0; round < 5; ++round) {
    auto reader = OpenReader(*log_->End(partition_));
    std::promise<void> reading;
    auto result = std::async(std::launch::async, [&] {
      reading.set_value();
      return reader->Read(10, kPatience);
    });
    reading.get_future().wait();
    const absl::Time begin = absl::Now();
    const auto offset =
        AppendAndWait(*appender, ValueRecord(absl::StrCat("new", round)));
    ASSERT_TRUE(offset.ok()) << offset.status();
    const auto records = result.get();
    ASSERT_TRUE(records.ok()) << records.status();
    EXPECT_THAT(Values(*records), ElementsAre(absl::StrCat("new", round)));
    // Not merely found when the wait was over.
    EXPECT_LT(absl::Now() - begin, kPatience / 2);
  }
}

TEST_P(LogContractTest, ReaderFollowsAWriterWithoutSkippingOrRepeating) {
  constexpr int kCount = 2000;
  auto appender = OpenAppender();
  auto follower = std::async(std::launch::async, [&] {
    auto reader = OpenReader(0);
    std::vector<std::string> values;
    const absl::Time until = absl::Now() + kPatience;
    while (values.size() < kCount && absl::Now() < until) {
      auto batch = reader->Read(50, absl::Seconds(1));
      if (!batch.ok()) break;
      for (const StoredRecord& stored : *batch) {
        values.push_back(stored.record.value);
      }
    }
    return values;
  });
  Reports reports;
  for (int i = 0; i < kCount; ++i) {
    appender->Append(ValueRecord(absl::StrCat(i)), reports.Next());
    if (i % 50 == 0) {
      ASSERT_TRUE(reports.WaitForAll());
    }
  }
  EXPECT_EQ(follower.get(), Numbers(0, kCount));
}

TEST_P(LogContractTest, PositionOutsideTheLogIsOutOfRange) {
  auto appender = OpenAppender();
  AppendNumbers(*appender, 3);
  for (const int64_t offset : {int64_t{4}, int64_t{1} << 40, int64_t{-1},
                               int64_t{-2}, int64_t{-1000}}) {
    SCOPED_TRACE(offset);
    auto reader = OpenReader(offset);
    for (int i = 0; i < 2; ++i) {
      const auto records = reader->Read(10, kPatience);
      EXPECT_TRUE(absl::IsOutOfRange(records.status())) << records.status();
    }
    EXPECT_EQ(reader->position(), offset);
  }
}

TEST_P(LogContractTest, GreatestRecordIsTaken) {
  Record record;
  record.key = "companies/acme/customers/42";
  record.headers = {{"claim", "0"}, {"seq", "0"}};
  record.value.resize(log::kMaxRecordBytes - record.Bytes());
  for (size_t i = 0; i < record.value.size(); ++i) {
    record.value[i] = static_cast<char>(i * 31 + (i >> 11));
  }
  ASSERT_EQ(record.Bytes(), log::kMaxRecordBytes);
  auto appender = OpenAppender();
  Reports reports;
  for (int i = 0; i < 3; ++i) appender->Append(record, reports.Next());
  ASSERT_TRUE(reports.WaitForAll());
  EXPECT_THAT(reports.OffsetsByAppend(), ElementsAre(0, 1, 2));
  const std::vector<StoredRecord> stored = ReadAll(*log_, partition_);
  ASSERT_EQ(stored.size(), 3u);
  for (const StoredRecord& one : stored) {
    EXPECT_TRUE(one.record.value == record.value);
    EXPECT_EQ(one.record.headers, record.headers);
  }
}

TEST_P(LogContractTest, TooBigRecordIsRefusedAndNotWritten) {
  // Too big by its value, by its key, by its headers.
  std::vector<Record> records(4);
  records[0].value.resize(log::kMaxRecordBytes + 1);
  records[1].key.resize(log::kMaxRecordBytes + 1);
  records[2].headers = {{"h", std::string(log::kMaxRecordBytes, 'h')}};
  records[3].value.resize(20 << 20);
  auto appender = OpenAppender();
  Reports reports;
  appender->Append(ValueRecord("before"), reports.Next());
  for (const Record& record : records) {
    Reports refused;
    appender->Append(record, refused.Next());
    ASSERT_TRUE(refused.WaitForAll());
    const absl::Status status = refused.all()[0].offset.status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  }
  appender->Append(ValueRecord("behind"), reports.Next());
  ASSERT_TRUE(reports.WaitForAll());
  EXPECT_THAT(reports.OffsetsByAppend(), ElementsAre(0, 1));
  EXPECT_THAT(Values(ReadAll(*log_, partition_)),
              ElementsAre("before", "behind"));
}

TEST_P(LogContractTest, FullQueueIsRefusedAndNotWritten) {
  log_.reset();
  log_ = under_test_->OpenWithQueueOf(100'000);
  auto appender = OpenAppender();
  Record more_than_fits = ValueRecord(std::string(200'000, 'x'));
  const auto refused = AppendAndWait(*appender, more_than_fits);
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();

  // A burst: how many are refused depends on the log's speed, but each has its
  // report, and exactly those that were taken are in the log, in order.
  Reports reports;
  for (int i = 0; i < 1000; ++i) {
    appender->Append(ValueRecord(absl::StrCat(i, std::string(2000, ' '))),
                     reports.Next());
  }
  ASSERT_TRUE(reports.WaitForAll());
  std::set<int> taken;
  for (const Report& report : reports.all()) {
    if (report.offset.ok()) {
      taken.insert(report.append);
    } else {
      EXPECT_TRUE(absl::IsResourceExhausted(report.offset.status()))
          << report.offset.status();
    }
  }
  std::vector<std::string> expected;
  for (int i : taken) {
    expected.push_back(absl::StrCat(i, std::string(2000, ' ')));
  }
  EXPECT_EQ(Values(ReadAll(*log_, partition_)), expected);
}

TEST_P(LogContractTest, ReopeningKeepsEverything) {
  {
    auto appender = OpenAppender();
    AppendNumbers(*appender, 100);
    auto other = OpenAppender(2);
    ASSERT_TRUE(AppendAndWait(*other, ValueRecord("elsewhere")).ok());
  }
  for (int reopened = 1; reopened <= 3; ++reopened) {
    SCOPED_TRACE(reopened);
    log_.reset();
    log_ = under_test_->Open();
    EXPECT_EQ(*log_->PartitionCount(topic_), kPartitions);
    EXPECT_EQ(*log_->End(partition_), 100 * reopened);
    EXPECT_EQ(*log_->End({topic_, 1}), 0);
    EXPECT_THAT(Values(ReadAll(*log_, {topic_, 2})), ElementsAre("elsewhere"));
    auto appender = OpenAppender();
    EXPECT_EQ(AppendNumbers(*appender, 100).front(), 100 * reopened);
    const auto values = Values(ReadAll(*log_, partition_));
    ASSERT_EQ(values.size(), 100u * (reopened + 1));
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(values[i], absl::StrCat(i % 100));
    }
  }
}

TEST_P(LogContractTest, PartitionsKeepTheirOwnOffsetsAndRecords) {
  std::vector<std::thread> writers;
  for (int p = 0; p < kPartitions; ++p) {
    writers.emplace_back([this, p] {
      auto appender = OpenAppender(p);
      Reports reports;
      for (int i = 0; i < 300; ++i) {
        appender->Append(ValueRecord(absl::StrCat(p, ":", i)), reports.Next());
      }
      EXPECT_TRUE(reports.WaitForAll());
      const std::vector<int64_t> offsets = reports.OffsetsByAppend();
      for (int i = 0; i < 300; ++i) EXPECT_EQ(offsets[i], i);
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (int p = 0; p < kPartitions; ++p) {
    const auto values = Values(ReadAll(*log_, {topic_, p}));
    ASSERT_EQ(values.size(), 300u);
    for (int i = 0; i < 300; ++i) EXPECT_EQ(values[i], absl::StrCat(p, ":", i));
  }
}

TEST_P(LogContractTest, TopicsPartitionCountIsFixed) {
  EXPECT_EQ(*log_->PartitionCount(topic_), kPartitions);
  EXPECT_TRUE(log_->EnsureTopic(topic_, kPartitions).ok());
  for (const int other : {1, kPartitions - 1, kPartitions + 1}) {
    const absl::Status status = log_->EnsureTopic(topic_, other);
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  }
  EXPECT_EQ(*log_->PartitionCount(topic_), kPartitions);
  for (const int unusable : {0, -1}) {
    const absl::Status status = log_->EnsureTopic(topic_, unusable);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  }
}

TEST_P(LogContractTest, WhatIsNotThereIsNotFoundAndNotMade) {
  const std::string missing = absl::StrCat(topic_, ".missing");
  for (const TopicPartition& partition :
       {TopicPartition{missing, 0}, TopicPartition{topic_, kPartitions},
        TopicPartition{topic_, -1}}) {
    SCOPED_TRACE(absl::StrCat(partition.topic, "/", partition.partition));
    EXPECT_TRUE(absl::IsNotFound(log_->OpenAppender(partition).status()));
    EXPECT_TRUE(absl::IsNotFound(log_->OpenReader(partition, 0).status()));
    EXPECT_TRUE(absl::IsNotFound(log_->End(partition).status()));
  }
  EXPECT_TRUE(absl::IsNotFound(log_->PartitionCount(missing).status()));
  EXPECT_TRUE(
      absl::IsNotFound(under_test_->Open()->PartitionCount(missing).status()));
}

// A report may fail to come only because the appender has ended; what was
// reported as written is written.
TEST_P(LogContractTest, EndedAppenderReportsAtMostOnceAndNeverAgain) {
  for (int round = 0; round < 8; ++round) {
    const int64_t begin = *log_->End(partition_);
    Reports reports;
    auto appender = OpenAppender();
    for (int i = 0; i < 400; ++i) {
      appender->Append(ValueRecord(absl::StrCat(round, ":", i)),
                       reports.Next());
    }
    // From none to many of them are done by now.
    if (round > 0) {
      ASSERT_TRUE(reports.Wait(1 << (round - 1)));
    }
    appender.reset();
    const std::vector<Report> at_end = reports.all();

    // A fresh appender is not held up by what was abandoned, and its record
    // comes behind all of it or between; the old one's reports stay as they
    // were.
    auto fresh = OpenAppender();
    const auto mark = AppendAndWait(*fresh, ValueRecord("mark"));
    ASSERT_TRUE(mark.ok()) << mark.status();
    const std::vector<Report> later = reports.all();
    EXPECT_EQ(later.size(), at_end.size());
    std::set<int> reported;
    std::vector<std::string> values(*mark + 1 - begin);
    for (const StoredRecord& stored : ReadAll(*log_, partition_, begin)) {
      if (stored.offset <= *mark) {
        values[stored.offset - begin] = stored.record.value;
      }
    }
    for (const Report& report : later) {
      EXPECT_TRUE(reported.insert(report.append).second);
      if (!report.offset.ok()) continue;
      ASSERT_GE(*report.offset, begin);
      ASSERT_LT(*report.offset, *mark);
      EXPECT_EQ(values[*report.offset - begin],
                absl::StrCat(round, ":", report.append));
    }
  }
}

TEST_P(LogContractTest, ReportsMayAppendAndOpenReaders) {
  auto appender = OpenAppender();
  std::promise<std::string> result;
  appender->Append(ValueRecord("one"), [&](absl::StatusOr<int64_t> offset) {
    ASSERT_TRUE(offset.ok()) << offset.status();
    auto reader = log_->OpenReader(partition_, *offset);
    ASSERT_TRUE(reader.ok()) << reader.status();
    auto records = (*reader)->Read(1, kPatience);
    ASSERT_TRUE(records.ok()) << records.status();
    result.set_value(records->front().record.value);
  });
  EXPECT_EQ(result.get_future().get(), "one");
  appender.reset();
}

// Two owners: both append, the log takes all of it, and the fold decides.

TEST_P(LogContractTest, DeposedOwnersRecordsAreInTheLogAndVoid) {
  auto first_log = under_test_->Open();
  auto second_log = under_test_->Open();
  auto first = first_log->OpenAppender(partition_).value();
  auto second = second_log->OpenAppender(partition_).value();
  const auto append_event = [](Appender& appender, int64_t claim, int64_t seq,
                               const std::string& value, bool more = false) {
    Record record = ValueRecord(value);
    log::StampEvent(record, claim, seq, more);
    const auto offset = AppendAndWait(appender, std::move(record));
    EXPECT_TRUE(offset.ok()) << offset.status();
  };
  const auto first_claim =
      AppendAndWait(*first, log::MakeClaim({"first", "n1", "a:1"}));
  ASSERT_TRUE(first_claim.ok()) << first_claim.status();
  append_event(*first, *first_claim, 0, "counts");
  append_event(*first, *first_claim, 1, "half a command", true);
  const auto second_claim =
      AppendAndWait(*second, log::MakeClaim({"second", "n2", "b:1"}));
  ASSERT_TRUE(second_claim.ok()) << second_claim.status();
  append_event(*first, *first_claim, 2, "the other half");
  for (int seq = 0; seq < 3; ++seq) {
    append_event(*second, *second_claim, seq, absl::StrCat("new ", seq));
  }
  // Of the right seq, only not of the owner.
  append_event(*first, *first_claim, 3, "zombie");
  append_event(*second, *second_claim, 3, "new 3");

  EXPECT_EQ(*log_->End(partition_), 10);
  for (const auto& reading : {first_log, second_log, log_}) {
    log::Fold fold;
    std::vector<std::string> counting;
    std::vector<std::string> owners;
    for (StoredRecord& stored : ReadAll(*reading, partition_)) {
      FoldStep step = fold.Apply(std::move(stored));
      if (step.kind == FoldStep::Kind::kClaim) {
        owners.push_back(absl::StrCat(step.claim.owner, " ", step.claim.nonce,
                                      " ", step.claim.address));
      }
      for (const StoredRecord& event : step.group) {
        counting.push_back(event.record.value);
      }
    }
    EXPECT_THAT(owners, ElementsAre("first n1 a:1", "second n2 b:1"));
    EXPECT_THAT(counting,
                ElementsAre("counts", "new 0", "new 1", "new 2", "new 3"));
    EXPECT_EQ(fold.void_records(), 3);
    EXPECT_EQ(fold.claim(), *second_claim);
  }
}

TEST_P(LogContractTest, OwnerThatIsAloneHasEveryCommandDone) {
  Owner owner("alone", under_test_->Open(), partition_, 1);
  owner.Turn(500, false);
  EXPECT_EQ(owner.acknowledged().size(), 500u);
  owner.SettleAll();
  EXPECT_THAT(owner.never(), IsEmpty());
  ExpectFoldAgrees(*log_, partition_, {&owner});
  EXPECT_EQ(FoldAll(*log_, partition_).void_records, 0);
}

TEST_P(LogContractTest, OwnersAtOnceLoseNothingTheyAcknowledged) {
  constexpr int kOwners = 3;
  std::vector<std::unique_ptr<Owner>> owners;
  std::vector<std::thread> threads;
  for (int i = 0; i < kOwners; ++i) {
    owners.push_back(std::make_unique<Owner>(
        absl::StrCat("owner", i), under_test_->Open(), partition_, 17 * i));
  }
  for (auto& owner : owners) {
    threads.emplace_back([&owner] {
      for (int turn = 0; turn < 12; ++turn) owner->Turn(30, true);
      owner->SettleAll();
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<const Owner*> all;
  for (const auto& owner : owners) all.push_back(owner.get());
  ExpectFoldAgrees(*log_, partition_, all);
  const Folded folded = FoldAll(*log_, partition_);
  EXPECT_EQ(folded.claimants.size(), kOwners);
  EXPECT_FALSE(folded.commands.empty());
}

INSTANTIATE_TEST_SUITE_P(, LogContractTest, ::testing::ValuesIn(LogKinds()),
                         [](const ::testing::TestParamInfo<LogKind>& kind) {
                           return kind.param.name;
                         });

}  // namespace
}  // namespace aftercare::contract
