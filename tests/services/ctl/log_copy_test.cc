// Copies between real logs: embedded, Kafka's mock brokers and, where it can be
// had, Apache Kafka.

#include "services/ctl/log_copy.h"

#include <librdkafka/rdkafka.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/log/embedded_log.h"
#include "libs/log/fold.h"
#include "libs/testing/temp_dir.h"
#include "rocksdb/db.h"
#include "tests/contract/dev_kafka.h"
#include "tests/contract/log_under_test.h"
#include "tests/contract/mock_cluster.h"
#include "tests/libs/shard/shard_fixture.h"
#include "tests/services/ctl/ctl.h"

namespace aftercare::ctl {
namespace {

using ::aftercare::testing::Ctl;
using ::aftercare::testing::ShardFixture;
using ::aftercare::testing::TempDir;
using contract::AppendAndWait;
using contract::DevKafka;
using contract::FreshTopic;
using contract::MockCluster;
using contract::ReadAll;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int kPartitions = 2;

// Bytes of every kind: empty parts, NULs, names that repeat.
log::Record RecordOf(int number) {
  log::Record record;
  if (number % 3 != 0) record.key = absl::StrCat("key", number);
  if (number % 5 != 0) record.value.assign(number % 97, '\0');
  record.value += absl::StrCat(number);
  record.headers = {{"claim", "0"}, {"seq", absl::StrCat(number)}};
  if (number % 7 == 0) {
    record.headers.emplace_back("seq", std::string("\0\xff", 2));
    record.headers.emplace_back("empty", "");
  }
  return record;
}

void Fill(log::Log& log, const std::string& topic, int partition, int begin,
          int end) {
  contract::Reports reports;
  auto appender = log.OpenAppender({topic, partition});
  ASSERT_TRUE(appender.ok()) << appender.status();
  for (int i = begin; i < end; ++i) {
    (*appender)->Append(RecordOf(i), reports.Next());
  }
  ASSERT_TRUE(reports.WaitForAll());
  reports.OffsetsByAppend();
}

void ExpectSameRecords(log::Log& a, log::Log& b,
                       const log::TopicPartition& partition) {
  const auto left = ReadAll(a, partition);
  const auto right = ReadAll(b, partition);
  ASSERT_EQ(left.size(), right.size()) << partition.topic;
  for (size_t i = 0; i < left.size(); ++i) {
    ASSERT_EQ(left[i].offset, right[i].offset);
    ASSERT_EQ(left[i].record.key, right[i].record.key) << i;
    ASSERT_EQ(left[i].record.value, right[i].record.value) << i;
    ASSERT_EQ(left[i].record.headers, right[i].record.headers) << i;
  }
}

std::vector<std::string> Differences(
    const std::vector<CopiedPartition>& partitions) {
  std::vector<std::string> all;
  for (const auto& one : partitions) all.push_back(one.difference);
  return all;
}

// A source of one topic: 900 records in partition 0, 70 in partition 1.
class LogCopyTest : public ::testing::Test {
 protected:
  LogCopyTest() {
    options_.topics = {topic_};
    options_.patience = absl::Seconds(3);
  }
  void SetUp() override {
    source_ = OpenEmbedded("source");
    ASSERT_EQ(source_->EnsureTopic(topic_, kPartitions), absl::OkStatus());
    Fill(*source_, topic_, 0, 0, 900);
    Fill(*source_, topic_, 1, 1000, 1070);
  }

  std::unique_ptr<log::Log> OpenEmbedded(const std::string& name) {
    auto log =
        OpenTarget({LogAddress::Kind::kEmbedded, dir_ / name}, KafkaOptions());
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }
  static log::KafkaLogOptions KafkaOptions() { return {}; }

  // Copies all to a target that has none of it.
  void ExpectCopies(log::Log& target) {
    const auto copied = CopyLog(*source_, target, options_);
    ASSERT_TRUE(copied.ok()) << copied.status();
    EXPECT_THAT(*copied,
                ElementsAre(AllOf(Field(&CopiedPartition::records, 900),
                                  Field(&CopiedPartition::copied, 900),
                                  Field(&CopiedPartition::already_there, 0)),
                            AllOf(Field(&CopiedPartition::records, 70),
                                  Field(&CopiedPartition::copied, 70))));
    EXPECT_THAT(Differences(*copied), Each(IsEmpty()));
    EXPECT_NE((*copied)[0].digest, (*copied)[1].digest);
    ExpectSameRecords(*source_, target, {topic_, 0});
    ExpectSameRecords(*source_, target, {topic_, 1});
  }

  // Refused, and the target is as it was.
  void ExpectRefused(log::Log& target, const std::string& message) {
    std::vector<int64_t> before;
    for (int p = 0; p < kPartitions; ++p) {
      before.push_back(target.End({topic_, p}).value_or(-1));
    }
    const auto copied = CopyLog(*source_, target, options_);
    EXPECT_TRUE(absl::IsFailedPrecondition(copied.status())) << copied.status();
    EXPECT_THAT(std::string(copied.status().message()), HasSubstr(message));
    for (int p = 0; p < kPartitions; ++p) {
      EXPECT_EQ(target.End({topic_, p}).value_or(-1), before[p]) << p;
    }
  }

  const TempDir dir_;
  const std::string topic_ = FreshTopic();
  CopyOptions options_;
  std::unique_ptr<log::Log> source_;
};

TEST(LogAddressTest, NamesADirectoryOrBrokers) {
  const auto embedded = ParseLogAddress("embedded:/data/a:b");
  ASSERT_TRUE(embedded.ok()) << embedded.status();
  EXPECT_EQ(embedded->kind, LogAddress::Kind::kEmbedded);
  EXPECT_EQ(embedded->where, "/data/a:b");
  const auto kafka = ParseLogAddress("kafka:a:9092,b:9092");
  ASSERT_TRUE(kafka.ok()) << kafka.status();
  EXPECT_EQ(kafka->kind, LogAddress::Kind::kKafka);
  EXPECT_EQ(kafka->where, "a:9092,b:9092");
  for (const char* text : {"", "embedded", "embedded:", "kafka:", "/data"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseLogAddress(text).status()))
        << text;
  }
}

TEST(LogAddressTest, TheSameLogIsSeenUnderAnotherName) {
  const TempDir dir;
  const auto embedded = [](const std::string& path) {
    return LogAddress{LogAddress::Kind::kEmbedded, path};
  };
  EXPECT_TRUE(SameLog(embedded(dir.path()), embedded(dir / ".")));
  EXPECT_FALSE(SameLog(embedded(dir.path()), embedded(dir / "other")));
  EXPECT_FALSE(SameLog(embedded("a"), {LogAddress::Kind::kKafka, "a"}));
  EXPECT_TRUE(SameLog({LogAddress::Kind::kKafka, "a:1"},
                      {LogAddress::Kind::kKafka, "a:1"}));
}

TEST_F(LogCopyTest, AnEmbeddedLogIntoAnother) {
  ExpectCopies(*OpenEmbedded("target"));
}

TEST_F(LogCopyTest, AFinishedCopyStartedAgainChangesNothing) {
  const auto target = OpenEmbedded("target");
  ExpectCopies(*target);
  const auto again = CopyLog(*source_, *target, options_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(*again, Each(Field(&CopiedPartition::copied, 0)));
  EXPECT_EQ((*again)[0].already_there, 900);
  EXPECT_THAT(Differences(*again), Each(IsEmpty()));
}

TEST_F(LogCopyTest, ACopyThatWasCutOffGoesOn) {
  const auto target = OpenEmbedded("target");
  ASSERT_EQ(target->EnsureTopic(topic_, kPartitions), absl::OkStatus());
  Fill(*target, topic_, 0, 0, 301);
  const auto copied = CopyLog(*source_, *target, options_);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ((*copied)[0].already_there, 301);
  EXPECT_EQ((*copied)[0].copied, 599);
  EXPECT_EQ((*copied)[1].copied, 70);
  EXPECT_THAT(Differences(*copied), Each(IsEmpty()));
  ExpectSameRecords(*source_, *target, {topic_, 0});
  ExpectSameRecords(*source_, *target, {topic_, 1});
}

TEST_F(LogCopyTest, OneRecordAtATimeIsEnough) {
  options_.max_inflight_records = 1;
  options_.max_inflight_bytes = 1;
  ExpectCopies(*OpenEmbedded("target"));
}

TEST_F(LogCopyTest, TheDigestDependsOnTheOrder) {
  const auto target = OpenEmbedded("target");
  ASSERT_EQ(target->EnsureTopic(topic_, kPartitions), absl::OkStatus());
  Fill(*target, topic_, 0, 0, 100);
  Fill(*target, topic_, 0, 101, 102);
  Fill(*target, topic_, 0, 100, 101);
  Fill(*target, topic_, 0, 102, 900);
  Fill(*target, topic_, 1, 1000, 1070);
  const auto verified = VerifyCopy(*source_, *target, options_);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_THAT(Differences(*verified),
              ElementsAre(HasSubstr("other records"), IsEmpty()));
  ExpectRefused(*target, absl::StrCat(topic_,
                                      "/0 offset 100: the target has "
                                      "another record: its"));
}

TEST_F(LogCopyTest, OtherContentIsRefusedPrecisely) {
  struct Change {
    std::string what;
    void (*change)(log::Record&);
  };
  const std::vector<Change> changes = {
      {"its key differs", [](log::Record& r) { r.key += "x"; }},
      {"its value differs", [](log::Record& r) { r.value += "x"; }},
      {"its headers differ",
       [](log::Record& r) { std::swap(r.headers[0], r.headers[1]); }},
  };
  for (const Change& one : changes) {
    const auto target = OpenEmbedded(one.what);
    ASSERT_EQ(target->EnsureTopic(topic_, kPartitions), absl::OkStatus());
    Fill(*target, topic_, 1, 1000, 1005);
    log::Record record = RecordOf(1005);
    one.change(record);
    ASSERT_TRUE(
        AppendAndWait(**target->OpenAppender({topic_, 1}), record).ok());
    ExpectRefused(*target, absl::StrCat(topic_,
                                        "/1 offset 5: the target has "
                                        "another record: ",
                                        one.what));
  }
}

TEST_F(LogCopyTest, ATargetThatHasGoneOnIsRefused) {
  const auto target = OpenEmbedded("target");
  ExpectCopies(*target);
  // As a service does that starts on the copy.
  ASSERT_TRUE(AppendAndWait(**target->OpenAppender({topic_, 1}),
                            log::MakeClaim({"owner", "nonce", "address"}))
                  .ok());
  ExpectRefused(*target, "the target has 71 records, the source only 70");
  const auto verified = VerifyCopy(*source_, *target, options_);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_THAT(Differences(*verified),
              ElementsAre(IsEmpty(), "the target has 71 records"));
}

TEST_F(LogCopyTest, AnotherPartitionCountIsRefused) {
  const auto target = OpenEmbedded("target");
  ASSERT_EQ(target->EnsureTopic(topic_, 3), absl::OkStatus());
  ExpectRefused(*target, "has 3 partitions at the target and 2 at the source");
  const auto verified = VerifyCopy(*source_, *target, options_);
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_THAT(Differences(*verified),
              Each("the target has 3 partitions, not 2"));
}

TEST_F(LogCopyTest, NothingIsWrittenWhenALaterTopicIsRefused) {
  const std::string later = FreshTopic();
  ASSERT_EQ(source_->EnsureTopic(later, 1), absl::OkStatus());
  Fill(*source_, later, 0, 0, 10);
  const auto target = OpenEmbedded("target");
  ASSERT_EQ(target->EnsureTopic(later, 1), absl::OkStatus());
  Fill(*target, later, 0, 1, 2);
  options_.topics = {topic_, later};
  ExpectRefused(*target, absl::StrCat(later, "/0 offset 0"));
  EXPECT_TRUE(absl::IsNotFound(target->PartitionCount(topic_).status()));
}

TEST_F(LogCopyTest, TopicsAreThoseOfTheServices) {
  options_.topics.clear();
  const auto target = OpenEmbedded("target");
  const auto none = CopyLog(*source_, *target, options_);
  EXPECT_TRUE(absl::IsNotFound(none.status())) << none.status();
  for (const char* service : {"intake", "scoring"}) {
    const std::string topic = absl::StrCat("aftercare.", service, ".events.v1");
    ASSERT_EQ(source_->EnsureTopic(topic, 1), absl::OkStatus());
    Fill(*source_, topic, 0, 0, 5);
  }
  const auto copied = CopyLog(*source_, *target, options_);
  ASSERT_TRUE(copied.ok()) << copied.status();
  ASSERT_THAT(*copied, SizeIs(2));
  EXPECT_EQ((*copied)[1].partition.topic, "aftercare.scoring.events.v1");
  EXPECT_TRUE(absl::IsNotFound(target->PartitionCount(topic_).status()));
}

TEST_F(LogCopyTest, ATopicThatTheSourceLacksIsNotFound) {
  options_.topics = {topic_, "none"};
  const auto target = OpenEmbedded("target");
  const auto copied = CopyLog(*source_, *target, options_);
  EXPECT_TRUE(absl::IsNotFound(copied.status())) << copied.status();
  EXPECT_TRUE(absl::IsNotFound(target->PartitionCount(topic_).status()));
}

TEST_F(LogCopyTest, ASourceThatChangesMeanwhileIsFound) {
  const auto target = OpenEmbedded("target");
  bool done = false;
  options_.progress = [&](const CopyProgress& progress) {
    if (done || progress.step != CopyProgress::Step::kCopy) return;
    done = true;
    Fill(*source_, topic_, 1, 2000, 2001);
  };
  const auto copied = CopyLog(*source_, *target, options_);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_TRUE(done);
  EXPECT_THAT(Differences(*copied),
              ElementsAre(IsEmpty(), HasSubstr("the source has changed")));
}

TEST_F(LogCopyTest, ATargetThatIsWrittenToMeanwhileStopsTheCopy) {
  const auto target = OpenEmbedded("target");
  bool done = false;
  options_.progress = [&](const CopyProgress& progress) {
    if (done || progress.step != CopyProgress::Step::kCopy) return;
    done = true;
    Fill(*target, topic_, 1, 1000, 1001);
  };
  const auto copied = CopyLog(*source_, *target, options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(copied.status())) << copied.status();
  EXPECT_THAT(std::string(copied.status().message()),
              HasSubstr("the record of offset 0 came to offset 1"));
}

// Changes the stored form of the source's record at `offset` of partition 1.
void Damage(const std::string& directory, const std::string& topic, int offset,
            bool remove) {
  rocksdb::DB* raw = nullptr;
  ASSERT_TRUE(
      rocksdb::DB::Open(rocksdb::Options(), directory + "/db", &raw).ok());
  const std::unique_ptr<rocksdb::DB> db(raw);
  std::string key = "r" + topic;
  key.append({'\0', '\0', '\0', '\0', '\1'});
  key.append({'\0', '\0', '\0', '\0', '\0', '\0', '\0'});
  key += static_cast<char>(offset);
  std::string value;
  ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), key, &value).ok());
  value.back() ^= 1;
  ASSERT_TRUE((remove ? db->Delete(rocksdb::WriteOptions(), key)
                      : db->Put(rocksdb::WriteOptions(), key, value))
                  .ok());
}

TEST_F(LogCopyTest, AnOffsetWithoutARecordIsRefused) {
  source_.reset();
  Damage(dir_ / "source", topic_, 17, /*remove=*/true);
  source_ = OpenEmbedded("source");
  const auto target = OpenEmbedded("target");
  ExpectRefused(*target, absl::StrCat("source ", topic_,
                                      "/1: offsets 17 to 17 have no record"));
  EXPECT_TRUE(absl::IsNotFound(target->PartitionCount(topic_).status()));
}

TEST_F(LogCopyTest, ADamagedSourceIsDataLoss) {
  source_.reset();
  Damage(dir_ / "source", topic_, 17, /*remove=*/false);
  source_ = OpenEmbedded("source");
  const auto target = OpenEmbedded("target");
  const auto copied = CopyLog(*source_, *target, options_);
  EXPECT_TRUE(absl::IsDataLoss(copied.status())) << copied.status();
  EXPECT_THAT(std::string(copied.status().message()),
              AllOf(HasSubstr(absl::StrCat("source ", topic_, "/1")),
                    HasSubstr("offset 17")));
  EXPECT_TRUE(absl::IsNotFound(target->PartitionCount(topic_).status()));
}

TEST_F(LogCopyTest, ADamagedCopyIsADifference) {
  ExpectCopies(*OpenEmbedded("target"));
  Damage(dir_ / "target", topic_, 17, /*remove=*/false);
  const auto damaged = VerifyCopy(*source_, *OpenEmbedded("target"), options_);
  ASSERT_TRUE(damaged.ok()) << damaged.status();
  EXPECT_THAT(Differences(*damaged),
              ElementsAre(IsEmpty(), HasSubstr("offset 17 is damaged")));
  Damage(dir_ / "target", topic_, 17, /*remove=*/true);
  const auto gap = VerifyCopy(*source_, *OpenEmbedded("target"), options_);
  ASSERT_TRUE(gap.ok()) << gap.status();
  EXPECT_THAT(Differences(*gap),
              ElementsAre(IsEmpty(), "the target has 69 records"));
}

TEST_F(LogCopyTest, ProgressCountsEveryStepToItsEnd) {
  std::vector<CopyProgress> last(3);
  options_.progress = [&](const CopyProgress& progress) {
    last[static_cast<size_t>(progress.step)] = progress;
  };
  ExpectCopies(*OpenEmbedded("target"));
  EXPECT_EQ(last[0].total, 970);
  EXPECT_EQ(last[1].total, 970);
  EXPECT_EQ(last[2].total, 2 * 970);
  for (const CopyProgress& one : last) EXPECT_EQ(one.done, one.total);
}

TEST_F(LogCopyTest, ADirectoryIsOpenedWithCare) {
  const auto open = [&](const std::string& name) {
    return OpenSource({LogAddress::Kind::kEmbedded, dir_ / name}, {}).status();
  };
  EXPECT_TRUE(absl::IsNotFound(open("none")));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "none"));
  const absl::Status held = open("source");
  EXPECT_TRUE(absl::IsFailedPrecondition(held)) << held;
  EXPECT_THAT(std::string(held.message()),
              AllOf(HasSubstr("is held by process"), HasSubstr("stopped")));
  // A service's --data in place of its log.
  OpenEmbedded("data/log").reset();
  for (const absl::Status& status :
       {open("data"),
        OpenTarget({LogAddress::Kind::kEmbedded, dir_ / "data"}, {})
            .status()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("data/log"));
  }
  EXPECT_EQ(open("data/log"), absl::OkStatus());
}

// aftercarectl itself, killed again and again, each time a little later, until
// it comes to its end. `flags` name the target.
void ExpectEndsInSpiteOfKills(const std::string& source,
                              const std::string& topic,
                              std::vector<std::string> flags) {
  flags.insert(flags.begin(), {"--json", "log", "copy", "--from",
                               "embedded:" + source, "--topics", topic});
  int kills = 0;
  for (absl::Duration life = absl::Milliseconds(100);; life *= 1.3) {
    Ctl ctl(0, flags);
    const absl::Time until = absl::Now() + life;
    while (!ctl.Ended() && absl::Now() < until) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    if (!ctl.Ended()) {
      ++kills;
      ctl.Kill();
      ctl.Wait();
      continue;
    }
    ASSERT_EQ(ctl.Wait(), 0) << ctl.err();
    // The last run found what an earlier one had left.
    EXPECT_THAT(ctl.out(), AllOf(HasSubstr("\"difference\":\"\""),
                                 Not(HasSubstr("\"already_there\":0,"))));
    break;
  }
  EXPECT_GT(kills, 0);
}

TEST_F(LogCopyTest, KillsCostNothing) {
  const std::string topic = FreshTopic();
  ASSERT_EQ(source_->EnsureTopic(topic, 1), absl::OkStatus());
  Fill(*source_, topic, 0, 0, 100000);
  source_.reset();
  ExpectEndsInSpiteOfKills(dir_ / "source", topic,
                           {"--to", "embedded:" + dir_ / "target"});
  source_ = OpenEmbedded("source");
  ExpectSameRecords(*source_, *OpenEmbedded("target"), {topic, 0});
}

// To Kafka's mock brokers and back. They make no topics when asked to.
class MockLogCopyTest : public LogCopyTest {
 protected:
  std::unique_ptr<log::Log> OpenKafka() {
    log::KafkaLogOptions kafka;
    kafka.delivery_timeout = absl::Seconds(2);
    auto log = OpenTarget(
        {LogAddress::Kind::kKafka, cluster_.bootstrap_servers()}, kafka);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  MockCluster cluster_{1};
};

TEST_F(MockLogCopyTest, AnEmbeddedLogIntoKafkaAndBack) {
  cluster_.CreateTopic(topic_, kPartitions);
  const auto kafka = OpenKafka();
  ExpectCopies(*kafka);
  const auto back = OpenEmbedded("back");
  const auto copied = CopyLog(*kafka, *back, options_);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_THAT(Differences(*copied), Each(IsEmpty()));
  ExpectSameRecords(*source_, *back, {topic_, 0});
  ExpectSameRecords(*source_, *back, {topic_, 1});
}

TEST_F(MockLogCopyTest, KafkaIntoKafka) {
  cluster_.CreateTopic(topic_, kPartitions);
  MockCluster other(1);
  other.CreateTopic(topic_, kPartitions);
  const auto kafka = OpenKafka();
  ExpectCopies(*kafka);
  auto target =
      OpenTarget({LogAddress::Kind::kKafka, other.bootstrap_servers()}, {});
  ASSERT_TRUE(target.ok()) << target.status();
  const auto copied = CopyLog(*kafka, **target, options_);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_THAT(Differences(*copied), Each(IsEmpty()));
  ExpectSameRecords(*source_, **target, {topic_, 0});
}

TEST_F(MockLogCopyTest, BrokersThatDieEndTheCopyAndItGoesOnLater) {
  cluster_.CreateTopic(topic_, kPartitions);
  options_.max_inflight_records = 10;
  options_.progress = [&](const CopyProgress& progress) {
    if (progress.step == CopyProgress::Step::kCopy) cluster_.DownAll();
  };
  const auto cut = CopyLog(*source_, *OpenKafka(), options_);
  EXPECT_TRUE(absl::IsUnavailable(cut.status())) << cut.status();
  cluster_.UpAll();
  options_.progress = nullptr;
  const auto kafka = OpenKafka();
  const auto copied = CopyLog(*source_, *kafka, options_);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_GT((*copied)[0].already_there, 0);
  EXPECT_LT((*copied)[0].already_there, 900);
  EXPECT_THAT(Differences(*copied), Each(IsEmpty()));
  ExpectSameRecords(*source_, *kafka, {topic_, 0});
}

TEST_F(MockLogCopyTest, ForeignRecordsInKafkaAreRefused) {
  cluster_.CreateTopic(topic_, kPartitions);
  const auto kafka = OpenKafka();
  Fill(*kafka, topic_, 0, 5, 6);
  ExpectRefused(*kafka, absl::StrCat(topic_,
                                     "/0 offset 0: the target has "
                                     "another record: its key"));
}

TEST_F(MockLogCopyTest, RecordsThatRetentionTookAreRefused) {
  cluster_.CreateTopic(topic_, kPartitions);
  const auto kafka = OpenKafka();
  // The mock keeps 5 MB of a partition.
  auto appender = kafka->OpenAppender({topic_, 0});
  ASSERT_TRUE(appender.ok()) << appender.status();
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(AppendAndWait(**appender, contract::ValueRecord(
                                              std::string(900 << 10, 'x')))
                    .ok());
  }
  const auto copied = CopyLog(*kafka, *OpenEmbedded("target"), options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(copied.status())) << copied.status();
  EXPECT_THAT(std::string(copied.status().message()),
              HasSubstr("retention has taken the beginning"));
}

// What only real brokers do. Named so that the filter of the test finds it.
class KafkaBrokerLogCopyTest : public LogCopyTest {
 protected:
  void SetUp() override {
    LogCopyTest::SetUp();
    const auto kafka = DevKafka::Shared();
    if (absl::IsUnavailable(kafka.status())) {
      GTEST_SKIP() << kafka.status().message();
    }
    ASSERT_TRUE(kafka.ok()) << kafka.status();
    kafka_ = *kafka;
  }
  std::unique_ptr<log::Log> OpenKafka() {
    auto log =
        OpenTarget({LogAddress::Kind::kKafka, kafka_->bootstrap_servers()},
                   contract::RealKafkaOptions(*kafka_));
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  DevKafka* kafka_ = nullptr;
};

TEST_F(KafkaBrokerLogCopyTest, AnEmbeddedLogIntoKafkaAndBack) {
  const auto kafka = OpenKafka();
  ExpectCopies(*kafka);
  const auto again = CopyLog(*source_, *kafka, options_);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(*again, Each(Field(&CopiedPartition::copied, 0)));
  const auto back = OpenEmbedded("back");
  const auto copied = CopyLog(*kafka, *back, options_);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_THAT(Differences(*copied), Each(IsEmpty()));
  ExpectSameRecords(*source_, *back, {topic_, 0});
}

TEST_F(KafkaBrokerLogCopyTest, ACopyThatWasCutOffGoesOn) {
  const auto kafka = OpenKafka();
  ASSERT_EQ(kafka->EnsureTopic(topic_, kPartitions), absl::OkStatus());
  Fill(*kafka, topic_, 0, 0, 301);
  const auto copied = CopyLog(*source_, *kafka, options_);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ((*copied)[0].already_there, 301);
  EXPECT_THAT(Differences(*copied), Each(IsEmpty()));
}

TEST_F(KafkaBrokerLogCopyTest, ForeignRecordsAreRefused) {
  const auto kafka = OpenKafka();
  ASSERT_EQ(kafka->EnsureTopic(topic_, kPartitions), absl::OkStatus());
  Fill(*kafka, topic_, 1, 5, 6);
  ExpectRefused(*kafka, absl::StrCat(topic_, "/1 offset 0: the target has "));
}

TEST_F(KafkaBrokerLogCopyTest, KillsCostNothing) {
  const std::string topic = FreshTopic();
  ASSERT_EQ(source_->EnsureTopic(topic, 1), absl::OkStatus());
  Fill(*source_, topic, 0, 0, 100000);
  source_.reset();
  ExpectEndsInSpiteOfKills(dir_ / "source", topic,
                           {"--to", "kafka:" + kafka_->bootstrap_servers(),
                            absl::StrCat("--kafka.replication-factor=",
                                         kafka_->replication_factor()),
                            absl::StrCat("--kafka.min-insync-replicas=",
                                         kafka_->min_insync_replicas())});
  source_ = OpenEmbedded("source");
  ExpectSameRecords(*source_, *OpenKafka(), {topic, 0});
}

// One transaction: a record, and the broker's own control record behind it.
void WriteTransaction(const std::string& servers, const std::string& topic) {
  char text[256] = {};
  std::string value = "value";
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", servers.c_str(), text,
                    sizeof(text));
  rd_kafka_conf_set(conf, "transactional.id", topic.c_str(), text,
                    sizeof(text));
  rd_kafka_t* client =
      rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
  ASSERT_NE(client, nullptr) << text;
  const auto check = [](rd_kafka_error_t* error) {
    EXPECT_EQ(error, nullptr) << rd_kafka_error_string(error);
    if (error != nullptr) rd_kafka_error_destroy(error);
  };
  check(rd_kafka_init_transactions(client, 30000));
  check(rd_kafka_begin_transaction(client));
  EXPECT_EQ(rd_kafka_producev(client, RD_KAFKA_V_TOPIC(topic.c_str()),
                              RD_KAFKA_V_PARTITION(0),
                              RD_KAFKA_V_VALUE(value.data(), value.size()),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                              RD_KAFKA_V_END),
            RD_KAFKA_RESP_ERR_NO_ERROR);
  check(rd_kafka_commit_transaction(client, 30000));
  rd_kafka_destroy(client);
}

TEST_F(KafkaBrokerLogCopyTest, OffsetsOfControlRecordsAreRefused) {
  const std::string topic = FreshTopic();
  const auto kafka = OpenKafka();
  ASSERT_EQ(kafka->EnsureTopic(topic, 1), absl::OkStatus());
  const auto target = OpenEmbedded("target");
  options_.topics = {topic};
  WriteTransaction(kafka_->bootstrap_servers(), topic);
  // The control record comes a little later.
  while (kafka->End({topic, 0}).value_or(0) < 2) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  // At the end there is only silence.
  const auto silent = CopyLog(*kafka, *target, options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(silent.status())) << silent.status();
  EXPECT_THAT(std::string(silent.status().message()),
              AllOf(HasSubstr("from offset 1 on"),
                    HasSubstr("Control records of transactions")));
  WriteTransaction(kafka_->bootstrap_servers(), topic);
  const auto gap = CopyLog(*kafka, *target, options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(gap.status())) << gap.status();
  EXPECT_THAT(std::string(gap.status().message()),
              HasSubstr("offsets 1 to 1 have no record"));
  EXPECT_TRUE(absl::IsNotFound(target->PartitionCount(topic).status()));
}

TEST_F(KafkaBrokerLogCopyTest, MoreReplicasThanBrokersAreRefused) {
  if (kafka_->replication_factor() != 1) GTEST_SKIP() << "enough brokers";
  auto kafka =
      OpenTarget({LogAddress::Kind::kKafka, kafka_->bootstrap_servers()}, {});
  ASSERT_TRUE(kafka.ok()) << kafka.status();
  ExpectRefused(**kafka, "--kafka.replication-factor 1");
}

// What the copy is for: a shard that replays it has the rows of the source's.
class CopiedShardTest : public ShardFixture {
 protected:
  void SetUp() override {
    Start();
    ApplyHandbook();
    Register("c1");
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE(
          Run("OpenCase", OpenCase("c1", absl::StrCat("k", i)), absl::StrCat(i))
              .ok());
    }
    before_ = shard_->Status();
    shard_.reset();
    options_.directory = dir_ / "shard-on-copy";
  }

  void ExpectReplaysAlike(log::Log& target) {
    const auto copied = CopyLog(*log_, target, {});
    ASSERT_TRUE(copied.ok()) << copied.status();
    EXPECT_THAT(Differences(*copied), Each(IsEmpty()));
    auto shard = shard::Shard::Start(target, service_, 0, 1, options_, clock_);
    ASSERT_TRUE(shard.ok()) << shard.status();
    shard_ = *std::move(shard);
    AwaitState(shard::ShardState::kServing);
    const shard::ShardStatus after = shard_->Status();
    EXPECT_EQ(after.digest, before_.digest);
    EXPECT_EQ(after.rows, before_.rows);
    EXPECT_EQ(after.events, before_.events);
    EXPECT_EQ(after.void_records, before_.void_records);
    // It goes on from there.
    EXPECT_TRUE(Run("OpenCase", OpenCase("c1", "later")).ok());
    shard_.reset();
  }

  shard::ShardStatus before_;
};

TEST_F(CopiedShardTest, AnEmbeddedCopy) {
  auto target = OpenTarget({LogAddress::Kind::kEmbedded, dir_ / "copy"}, {});
  ASSERT_TRUE(target.ok()) << target.status();
  ExpectReplaysAlike(**target);
}

TEST_F(CopiedShardTest, ACopyInKafka) {
  MockCluster cluster(1);
  cluster.CreateTopic(service_.topic(), 1);
  auto target =
      OpenTarget({LogAddress::Kind::kKafka, cluster.bootstrap_servers()}, {});
  ASSERT_TRUE(target.ok()) << target.status();
  ExpectReplaysAlike(**target);
}

}  // namespace
}  // namespace aftercare::ctl
