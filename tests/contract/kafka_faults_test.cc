// KafkaLog when the cluster misbehaves: refused, lost and late answers, brokers
// that go away, leaders that move. The rules, whatever happens:
//   a record reported as written is in the log, at that offset
//   an append is reported once; an error says "unknown", never "not written",
//     unless this client itself never sent it
//   what the fold makes of the log has every acknowledged command once
//
// Where a test sends several requests again and counts records, it sends one at
// a time: the mock brokers do not check sequence numbers (mock_cluster.h).

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/log/fold.h"
#include "libs/log/kafka_log.h"
#include "tests/contract/log_under_test.h"
#include "tests/contract/mock_cluster.h"
#include "tests/contract/owner.h"

namespace aftercare::contract {
namespace {

using log::Appender;
using log::KafkaLog;
using log::KafkaLogOptions;
using log::StoredRecord;
using log::TopicPartition;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const TopicPartition kPartition{"faults", 0};
constexpr int kLeader = 1;

class KafkaFaultsTest : public ::testing::Test {
 protected:
  KafkaFaultsTest() {
    cluster_.CreateTopic(kPartition.topic, 2);
    cluster_.SetLeader(kPartition, kLeader);
    options_.properties["bootstrap.servers"] = cluster_.bootstrap_servers();
    // So that a fault is mended in the time of a test, not of a cluster.
    options_.properties["retry.backoff.ms"] = "10";
    options_.properties["reconnect.backoff.ms"] = "10";
    options_.properties["reconnect.backoff.max.ms"] = "50";
    options_.properties["topic.metadata.refresh.fast.interval.ms"] = "20";
    options_.request_timeout = absl::Seconds(5);
  }

  void OneRequestAtATime() {
    options_.properties["max.in.flight.requests.per.connection"] = "1";
  }

  std::shared_ptr<KafkaLog> Open() {
    auto log = KafkaLog::Open(options_);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  std::unique_ptr<Appender> OpenAppender(KafkaLog& log) {
    auto appender = log.OpenAppender(kPartition);
    EXPECT_TRUE(appender.ok()) << appender.status();
    return *std::move(appender);
  }

  // Each of `values` once, in order, at the reported offsets.
  void ExpectStoredOnce(KafkaLog& log, const Reports& reports,
                        const std::vector<std::string>& values) {
    const std::vector<StoredRecord> stored = ReadAll(log, kPartition);
    EXPECT_EQ(Values(stored), values);
    const std::vector<int64_t> offsets = reports.OffsetsByAppend();
    ASSERT_EQ(offsets.size(), stored.size());
    for (size_t i = 0; i < stored.size(); ++i) {
      EXPECT_EQ(stored[i].offset, offsets[i]);
    }
  }

  MockCluster cluster_{3};
  KafkaLogOptions options_;
};

// Appends values "0", "1", ...
void AppendNumbers(Appender& appender, int from, int to, Reports& reports) {
  for (int i = from; i < to; ++i) {
    appender.Append(ValueRecord(absl::StrCat(i)), reports.Next());
  }
}

std::vector<std::string> Numbers(int to) {
  std::vector<std::string> numbers;
  for (int i = 0; i < to; ++i) numbers.push_back(absl::StrCat(i));
  return numbers;
}

// An error of an append whose outcome may be anything.
bool SaysUnknown(const absl::Status& status) {
  return !status.ok() && !absl::IsResourceExhausted(status) &&
         !absl::IsInvalidArgument(status);
}

// --- Produce requests that are refused

class RetriableErrorTest
    : public KafkaFaultsTest,
      public ::testing::WithParamInterface<rd_kafka_resp_err_t> {};

TEST_P(RetriableErrorTest, IsMendedWithoutTheWriterNoticing) {
  OneRequestAtATime();
  auto log = Open();
  auto appender = OpenAppender(*log);
  Reports reports;
  AppendNumbers(*appender, 0, 10, reports);
  ASSERT_TRUE(reports.WaitForAll());
  cluster_.RefuseNext(Request::kProduce, {GetParam(), GetParam()});
  AppendNumbers(*appender, 10, 30, reports);
  ASSERT_TRUE(reports.WaitForAll());
  ExpectStoredOnce(*log, reports, Numbers(30));
}

INSTANTIATE_TEST_SUITE_P(
    , RetriableErrorTest,
    ::testing::Values(RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
                      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                      RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
                      // The connection is closed instead of an answer.
                      RD_KAFKA_RESP_ERR__TRANSPORT),
    [](const ::testing::TestParamInfo<rd_kafka_resp_err_t>& error) {
      std::string name = rd_kafka_err2name(error.param);
      std::erase(name, '_');
      return name;
    });

class FinalErrorTest
    : public KafkaFaultsTest,
      public ::testing::WithParamInterface<rd_kafka_resp_err_t> {};

TEST_P(FinalErrorTest, IsReportedOnceAsUnknownAndAFreshAppenderGoesOn) {
  OneRequestAtATime();
  auto log = Open();
  auto appender = OpenAppender(*log);
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("before")).ok());
  cluster_.RefuseNext(Request::kProduce, {GetParam()});
  Reports reports;
  appender->Append(ValueRecord("refused"), reports.Next());
  ASSERT_TRUE(reports.WaitForAll());
  const absl::Status status = reports.all()[0].offset.status();
  EXPECT_TRUE(SaysUnknown(status)) << status;
  appender = OpenAppender(*log);
  const auto offset = AppendAndWait(*appender, ValueRecord("behind"));
  ASSERT_TRUE(offset.ok()) << offset.status();
  EXPECT_EQ(reports.all().size(), 1u);
  EXPECT_THAT(Values(ReadAll(*log, kPartition)),
              ElementsAre("before", "behind"));
}

INSTANTIATE_TEST_SUITE_P(
    , FinalErrorTest,
    ::testing::Values(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
                      RD_KAFKA_RESP_ERR_INVALID_MSG,
                      RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS,
                      RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
                      // "You sent this before": written, but where is not said.
                      RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER),
    [](const ::testing::TestParamInfo<rd_kafka_resp_err_t>& error) {
      std::string name = rd_kafka_err2name(error.param);
      std::erase(name, '_');
      return name;
    });

// The client cannot go on with its producer id at all.
TEST_F(KafkaFaultsTest, FatalErrorEndsTheAppenderAndNotTheLog) {
  auto log = Open();
  cluster_.RefuseNext(Request::kInitProducerId,
                      {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED});
  auto appender = OpenAppender(*log);
  Reports reports;
  // At the latest the second is refused by the client itself.
  for (int i = 0; i < 3; ++i) {
    AppendNumbers(*appender, i, i + 1, reports);
    ASSERT_TRUE(reports.WaitForAll());
  }
  for (const Report& report : reports.all()) {
    EXPECT_TRUE(SaysUnknown(report.offset.status())) << report.offset.status();
  }
  appender = OpenAppender(*log);
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("fresh")).ok());
  EXPECT_THAT(Values(ReadAll(*log, kPartition)), ElementsAre("fresh"));
}

TEST_F(KafkaFaultsTest, ProducerIdIsAskedForAgain) {
  auto log = Open();
  cluster_.RefuseNext(Request::kInitProducerId,
                      {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS,
                       RD_KAFKA_RESP_ERR__TRANSPORT});
  auto appender = OpenAppender(*log);
  Reports reports;
  AppendNumbers(*appender, 0, 20, reports);
  ASSERT_TRUE(reports.WaitForAll());
  ExpectStoredOnce(*log, reports, Numbers(20));
}

// --- Answers that are late or lost

TEST_F(KafkaFaultsTest, LateAnswersAreWaitedFor) {
  auto log = Open();
  auto appender = OpenAppender(*log);
  Reports reports;
  for (int delay : {200, 0, 100, 50}) {
    cluster_.DelayNextAnswer(kLeader, Request::kProduce, delay);
  }
  AppendNumbers(*appender, 0, 100, reports);
  ASSERT_TRUE(reports.WaitForAll());
  ExpectStoredOnce(*log, reports, Numbers(100));
}

// The record is in the log; nobody told the writer.
TEST_F(KafkaFaultsTest, TimeoutOfAWrittenRecordIsUnknown) {
  options_.delivery_timeout = absl::Milliseconds(500);
  auto log = Open();
  auto appender = OpenAppender(*log);
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("before")).ok());
  cluster_.DelayNextAnswer(kLeader, Request::kProduce, 60'000);
  Reports reports;
  appender->Append(ValueRecord("written"), reports.Next());
  ASSERT_TRUE(reports.WaitForAll());
  const absl::Status status = reports.all()[0].offset.status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(Values(ReadAll(*log, kPartition)),
              ElementsAre("before", "written"));
  EXPECT_EQ(cluster_.DelaysLeft(kLeader, Request::kProduce), 0u);
}

// What is sent again after a lost answer has the same seq: the fold takes it
// once, and the owner, whose report names the second copy, finds that out.
TEST_F(KafkaFaultsTest, LostAnswerCountsOnceAndIsAcknowledged) {
  auto log = Open();
  auto appender = OpenAppender(*log);
  const auto claim =
      AppendAndWait(*appender, log::MakeClaim({"owner", "nonce", ""}));
  ASSERT_TRUE(claim.ok()) << claim.status();
  log::CommitTracker tracker(*claim);
  // Far longer than the connection lives.
  cluster_.DelayNextAnswer(kLeader, Request::kProduce, 60'000);
  Reports reports;
  log::Record record = ValueRecord("once");
  log::StampEvent(record, *claim, tracker.Sent(1), false);
  appender->Append(std::move(record), reports.Next());
  ASSERT_TRUE(WaitUntil([&] { return *log->End(kPartition) > *claim + 1; }));
  cluster_.Down(kLeader);
  cluster_.Up(kLeader);
  ASSERT_TRUE(reports.WaitForAll());
  const int64_t offset = reports.OffsetsByAppend().front();
  tracker.Delivered(0, offset);
  std::vector<StoredRecord> stored = ReadAll(*log, kPartition);
  if (tracker.state() == log::CommitTracker::State::kNeedsGap) {
    tracker.GapRecords(stored);
  }
  EXPECT_EQ(tracker.state(), log::CommitTracker::State::kGood);
  EXPECT_EQ(tracker.TakeDone().size(), 1u);
  log::Fold fold;
  std::vector<std::string> counting;
  for (StoredRecord& one : stored) {
    for (const StoredRecord& event : fold.Apply(std::move(one)).group) {
      counting.push_back(event.record.value);
    }
  }
  EXPECT_THAT(counting, ElementsAre("once"));
}

// --- Brokers that go away

TEST_F(KafkaFaultsTest, AppendsWaitForTheBrokerAndKeepTheirOrder) {
  OneRequestAtATime();
  auto log = Open();
  auto appender = OpenAppender(*log);
  Reports reports;
  AppendNumbers(*appender, 0, 50, reports);
  ASSERT_TRUE(reports.WaitForAll());
  cluster_.Down(kLeader);
  AppendNumbers(*appender, 50, 150, reports);
  EXPECT_EQ(reports.all().size(), 50u);
  cluster_.Up(kLeader);
  AppendNumbers(*appender, 150, 200, reports);
  ASSERT_TRUE(reports.WaitForAll());
  ExpectStoredOnce(*log, reports, Numbers(200));
}

TEST_F(KafkaFaultsTest, BrokerAwayForTooLongIsUnknownForEachAppendOnce) {
  options_.delivery_timeout = absl::Milliseconds(300);
  auto log = Open();
  auto appender = OpenAppender(*log);
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("before")).ok());
  cluster_.DownAll();
  Reports reports;
  AppendNumbers(*appender, 0, 100, reports);
  ASSERT_TRUE(reports.WaitForAll());
  for (const Report& report : reports.all()) {
    EXPECT_TRUE(absl::IsUnavailable(report.offset.status()))
        << report.offset.status();
  }
  cluster_.UpAll();
  appender = OpenAppender(*log);
  const auto offset = AppendAndWait(*appender, ValueRecord("behind"));
  ASSERT_TRUE(offset.ok()) << offset.status();
  EXPECT_EQ(reports.all().size(), 100u);
  // Whatever of them arrived did so once and in order.
  const auto values = Values(ReadAll(*log, kPartition));
  ASSERT_GE(values.size(), 2u);
  EXPECT_EQ(values.front(), "before");
  EXPECT_EQ(values.back(), "behind");
}

// Else the delivery timeout of each would begin when the one before is over.
TEST_F(KafkaFaultsTest, RecordsDoNotWaitForOnesThatAreNotAnswered) {
  auto log = Open();
  auto appender = OpenAppender(*log);
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("before")).ok());
  cluster_.DelayNextAnswer(kLeader, Request::kProduce, 60'000);
  Reports reports;
  appender->Append(ValueRecord("unanswered"), reports.Next());
  ASSERT_TRUE(WaitUntil(
      [&] { return cluster_.DelaysLeft(kLeader, Request::kProduce) == 0; }));
  appender->Append(ValueRecord("next"), reports.Next());
  EXPECT_TRUE(WaitUntil([&] {
    return Values(ReadAll(*log, kPartition)) ==
           std::vector<std::string>{"before", "unanswered", "next"};
  }));
  EXPECT_EQ(reports.all().size(), 0u);
}

TEST_F(KafkaFaultsTest, EndingWithoutBrokersReportsNothingAndIsQuick) {
  auto log = Open();
  auto appender = OpenAppender(*log);
  Reports reports;
  AppendNumbers(*appender, 0, 10, reports);
  ASSERT_TRUE(reports.WaitForAll());
  cluster_.DelayNextAnswer(kLeader, Request::kProduce, 60'000);
  AppendNumbers(*appender, 10, 20, reports);
  ASSERT_TRUE(WaitUntil(
      [&] { return cluster_.DelaysLeft(kLeader, Request::kProduce) == 0; }));
  cluster_.DownAll();
  AppendNumbers(*appender, 20, 1000, reports);
  const absl::Time begin = absl::Now();
  appender.reset();
  const size_t at_end = reports.all().size();
  log.reset();
  // Nowhere near the delivery timeout.
  EXPECT_LT(absl::Now() - begin, options_.delivery_timeout / 2);
  EXPECT_EQ(reports.all().size(), at_end);
  EXPECT_EQ(at_end, 10u);
}

TEST_F(KafkaFaultsTest, EveryQuestionSaysUnavailableWithoutBrokers) {
  options_.request_timeout = absl::Milliseconds(300);
  auto log = Open();
  ASSERT_TRUE(log->PartitionCount(kPartition.topic).ok());
  auto fresh = Open();
  cluster_.DownAll();
  const auto is_unavailable = [](const absl::Status& status) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  };
  is_unavailable(log->End(kPartition).status());
  is_unavailable(fresh->PartitionCount(kPartition.topic).status());
  is_unavailable(fresh->EnsureTopic(kPartition.topic, 2));
  is_unavailable(fresh->OpenAppender(kPartition).status());
  is_unavailable(fresh->OpenReader(kPartition, 0).status());
  cluster_.UpAll();
  EXPECT_TRUE(
      WaitUntil([&] { return fresh->PartitionCount(kPartition.topic).ok(); }));
  EXPECT_TRUE(WaitUntil([&] { return log->End(kPartition).ok(); }));
}

// The client has asked it before and knows of no other; by far not all of the
// patience may go into waiting for the dead.
TEST_F(KafkaFaultsTest, EndIsFoundAtTheNewLeaderWhenTheOldOneDies) {
  options_.request_timeout = absl::Seconds(20);
  auto log = Open();
  ASSERT_EQ(*log->End(kPartition), 0);
  {
    auto appender = OpenAppender(*log);
    ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("x")).ok());
  }
  cluster_.Down(kLeader);
  cluster_.SetLeader(kPartition, kLeader + 1);
  const absl::Time begin = absl::Now();
  const auto end = log->End(kPartition);
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(*end, 1);
  EXPECT_LT(absl::Now() - begin, options_.request_timeout / 2);
  cluster_.Up(kLeader);
}

TEST_F(KafkaFaultsTest, ReaderSaysUnavailableAndGoesOnWhereItStood) {
  options_.request_timeout = absl::Milliseconds(300);
  auto log = Open();
  auto appender = OpenAppender(*log);
  Reports reports;
  AppendNumbers(*appender, 0, 5, reports);
  ASSERT_TRUE(reports.WaitForAll());
  auto reader = log->OpenReader(kPartition, 0).value();
  std::vector<std::string> values;
  const auto read = [&] {
    auto batch = reader->Read(100, absl::Milliseconds(50));
    if (!batch.ok()) return batch.status();
    for (const StoredRecord& stored : *batch) {
      values.push_back(stored.record.value);
    }
    return absl::OkStatus();
  };
  ASSERT_TRUE(WaitUntil([&] { return read().ok() && values.size() == 5; }));
  cluster_.DownAll();
  ASSERT_TRUE(WaitUntil([&] { return absl::IsUnavailable(read()); }));
  EXPECT_EQ(reader->position(), 5);
  cluster_.UpAll();
  AppendNumbers(*appender, 5, 8, reports);
  ASSERT_TRUE(reports.WaitForAll());
  ASSERT_TRUE(WaitUntil([&] { return read().ok() && values.size() >= 8; }));
  EXPECT_EQ(values, Numbers(8));
}

// --- Leaders that move

TEST_F(KafkaFaultsTest, LeaderChangesLoseAndDoubleNothing) {
  OneRequestAtATime();
  auto log = Open();
  auto appender = OpenAppender(*log);
  auto reader = log->OpenReader(kPartition, 0).value();
  Reports reports;
  int sent = 0;
  for (int leader : {2, 3, 1, 3}) {
    AppendNumbers(*appender, sent, sent + 40, reports);
    cluster_.SetLeader(kPartition, leader);
    AppendNumbers(*appender, sent + 40, sent + 60, reports);
    sent += 60;
    ASSERT_TRUE(reports.WaitForAll());
  }
  ExpectStoredOnce(*log, reports, Numbers(sent));
  // A reader that was there all the time follows too.
  std::vector<std::string> values;
  ASSERT_TRUE(WaitUntil([&] {
    auto batch = reader->Read(100, absl::Milliseconds(50));
    EXPECT_TRUE(batch.ok() || absl::IsUnavailable(batch.status()))
        << batch.status();
    if (!batch.ok()) return false;
    for (const StoredRecord& stored : *batch) {
      values.push_back(stored.record.value);
    }
    return static_cast<int>(values.size()) >= sent;
  }));
  EXPECT_EQ(values, Numbers(sent));
}

TEST_F(KafkaFaultsTest, AppendsWaitForALeader) {
  OneRequestAtATime();
  auto log = Open();
  auto appender = OpenAppender(*log);
  Reports reports;
  AppendNumbers(*appender, 0, 10, reports);
  ASSERT_TRUE(reports.WaitForAll());
  cluster_.SetNoLeader(kPartition);
  AppendNumbers(*appender, 10, 30, reports);
  EXPECT_EQ(reports.all().size(), 10u);
  cluster_.SetLeader(kPartition, 2);
  ASSERT_TRUE(reports.WaitForAll());
  ExpectStoredOnce(*log, reports, Numbers(30));
}

TEST_F(KafkaFaultsTest, EndFollowsTheLeader) {
  options_.request_timeout = absl::Milliseconds(500);
  auto log = Open();
  auto appender = OpenAppender(*log);
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("x")).ok());
  ASSERT_EQ(*log->End(kPartition), 1);
  cluster_.SetNoLeader(kPartition);
  const auto nobody = log->End(kPartition);
  EXPECT_TRUE(absl::IsUnavailable(nobody.status())) << nobody.status();
  options_.request_timeout = kPatience;
  auto patient = Open();
  for (int leader : {2, 3, 1}) {
    cluster_.SetLeader(kPartition, leader);
    const auto end = patient->End(kPartition);
    ASSERT_TRUE(end.ok()) << end.status();
    EXPECT_EQ(*end, 1);
  }
}

// A claim must not wait for the client to look for the leader once more: that
// would be a second or two each.
TEST_F(KafkaFaultsTest, FreshAppenderKnowsTheLeader) {
  auto log = Open();
  const absl::Time begin = absl::Now();
  for (int i = 0; i < 10; ++i) {
    auto first = OpenAppender(*log);
    auto second = OpenAppender(*log);
    ASSERT_TRUE(AppendAndWait(*first, ValueRecord("x")).ok());
    ASSERT_TRUE(AppendAndWait(*second, ValueRecord("y")).ok());
  }
  EXPECT_LT(absl::Now() - begin, absl::Seconds(8));
}

// --- Fetches that fail

TEST_F(KafkaFaultsTest, FailedFetchesSkipNothing) {
  auto log = Open();
  auto appender = OpenAppender(*log);
  Reports reports;
  for (int i = 0; i < 20; ++i) {
    AppendNumbers(*appender, i, i + 1, reports);
    ASSERT_TRUE(reports.WaitForAll());
  }
  cluster_.RefuseNext(
      Request::kFetch,
      {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR__TRANSPORT,
       RD_KAFKA_RESP_ERR_UNKNOWN, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
       RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
       RD_KAFKA_RESP_ERR__TRANSPORT});
  EXPECT_EQ(Values(ReadAll(*log, kPartition)), Numbers(20));
}

TEST_F(KafkaFaultsTest, ReaderStaysOutOfRangeOnceTheClusterSaidSo) {
  auto log = Open();
  auto appender = OpenAppender(*log);
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("x")).ok());
  cluster_.RefuseNext(Request::kFetch, {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE});
  auto reader = log->OpenReader(kPartition, 0).value();
  for (int i = 0; i < 2; ++i) {
    const auto records = reader->Read(10, kPatience);
    EXPECT_TRUE(absl::IsOutOfRange(records.status())) << records.status();
  }
}

// --- Owners under faults: the protocol as a whole

class OwnersUnderFaultsTest : public KafkaFaultsTest,
                              public ::testing::WithParamInterface<uint32_t> {
 protected:
  void RandomFault(std::mt19937& random) {
    const int broker = static_cast<int>(random() % 3) + 1;
    switch (random() % 7) {
      case 0:
        cluster_.RefuseNext(
            Request::kProduce,
            {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
             RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT});
        break;
      case 1:
        cluster_.RefuseNext(Request::kProduce, {RD_KAFKA_RESP_ERR__TRANSPORT});
        break;
      case 2:
        cluster_.RefuseNext(Request::kProduce, {RD_KAFKA_RESP_ERR_INVALID_MSG});
        break;
      case 3:
        // An answer that is lost: written, and the connection ends before.
        cluster_.DelayNextAnswer(broker, Request::kProduce, 100);
        absl::SleepFor(absl::Milliseconds(random() % 20));
        cluster_.Down(broker);
        cluster_.Up(broker);
        break;
      case 4:
        cluster_.DelayNextAnswer(broker, Request::kProduce,
                                 static_cast<int>(random() % 40));
        break;
      case 5:
        cluster_.Down(broker);
        absl::SleepFor(absl::Milliseconds(random() % 60));
        cluster_.Up(broker);
        break;
      case 6:
        cluster_.SetLeader(kPartition, broker);
        break;
    }
  }
};

TEST_P(OwnersUnderFaultsTest, FoldAgreesWithWhatEachOwnerBelieves) {
  options_.delivery_timeout = absl::Seconds(1);
  std::vector<std::unique_ptr<Owner>> owners;
  for (uint32_t i = 0; i < 2; ++i) {
    owners.push_back(std::make_unique<Owner>(absl::StrCat("owner", i), Open(),
                                             kPartition, GetParam() * 2 + i));
  }
  std::atomic<int> running{static_cast<int>(owners.size())};
  std::vector<std::thread> threads;
  for (auto& owner : owners) {
    threads.emplace_back([&owner, &running] {
      for (int turn = 0; turn < 6; ++turn) owner->Turn(40, true);
      --running;
    });
  }
  std::mt19937 random(GetParam());
  // Then the owners end their turns on a sound cluster.
  const absl::Time until = absl::Now() + absl::Seconds(1);
  while (running.load() > 0 && absl::Now() < until) {
    RandomFault(random);
    absl::SleepFor(absl::Milliseconds(random() % 30));
  }
  cluster_.ForgetRefusals(Request::kProduce);
  cluster_.UpAll();
  for (std::thread& thread : threads) thread.join();
  std::vector<const Owner*> all;
  for (auto& owner : owners) {
    owner->SettleAll();
    all.push_back(owner.get());
  }
  ExpectFoldAgrees(*Open(), kPartition, all);
}

INSTANTIATE_TEST_SUITE_P(, OwnersUnderFaultsTest,
                         ::testing::Values(1u, 2u, 3u, 4u));

// One owner alone under faults gets its commands through by claiming again.
TEST_F(KafkaFaultsTest, OwnerInDoubtClaimsAgainAndLosesNothing) {
  // Every record a request of its own, five on their way at once: a refused
  // one is overtaken by those behind it.
  options_.properties["batch.num.messages"] = "1";
  Owner owner("owner", Open(), kPartition, 5);
  const rd_kafka_resp_err_t errors[] = {
      RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_DUPLICATE_SEQUENCE_NUMBER, RD_KAFKA_RESP_ERR__TRANSPORT,
      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED};
  for (const rd_kafka_resp_err_t error : errors) {
    // The claim goes through, one of what follows does not.
    cluster_.RefuseNext(Request::kProduce,
                        {RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_NO_ERROR,
                         error, RD_KAFKA_RESP_ERR_NO_ERROR, error});
    owner.Turn(60, false);
    cluster_.ForgetRefusals(Request::kProduce);
  }
  const size_t before = owner.acknowledged().size();
  owner.Turn(60, false);
  EXPECT_GE(owner.acknowledged().size(), before + 60);
  owner.SettleAll();
  auto log = Open();
  ExpectFoldAgrees(*log, kPartition, {&owner});
}

}  // namespace
}  // namespace aftercare::contract
