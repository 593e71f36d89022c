// What only a real broker shows: topics as they are made, what is on its disk,
// sequence numbers that it checks, and how it comes back after it was killed or
// stood still. The faults of a network are the mock's (kafka_faults_test.cc),
// groups have their own file (kafka_group_test.cc).

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/log/kafka_log.h"
#include "tests/contract/dev_kafka.h"
#include "tests/contract/log_under_test.h"

namespace aftercare::contract {
namespace {

using log::KafkaLog;
using log::KafkaLogOptions;
using log::TopicPartition;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr int kNode = 1;

class KafkaBrokerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto kafka = DevKafka::Shared();
    if (absl::IsUnavailable(kafka.status())) {
      GTEST_SKIP() << kafka.status().message();
    }
    ASSERT_TRUE(kafka.ok()) << kafka.status();
    kafka_ = *kafka;
    options_ = RealKafkaOptions(*kafka_);
    topic_ = FreshTopic();
  }

  void TearDown() override {
    // A test that failed half-way must not leave the others a dead broker.
    if (HasFailure() && kafka_ != nullptr && kafka_->own()) {
      EXPECT_TRUE(kafka_->Node("start", kNode).ok());
    }
  }

  std::shared_ptr<KafkaLog> Open() const { return Open(options_); }

  static std::shared_ptr<KafkaLog> Open(const KafkaLogOptions& options) {
    auto log = KafkaLog::Open(options);
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  DevKafka* kafka_ = nullptr;
  KafkaLogOptions options_;
  std::string topic_;
};

// Bare librdkafka, for what the log does not offer.
class Client {
 public:
  Client(rd_kafka_type_t type, std::map<std::string, std::string> properties) {
    char error[256] = {};
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, nullptr);
    for (const auto& [name, value] : properties) {
      EXPECT_EQ(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error,
                                  sizeof(error)),
                RD_KAFKA_CONF_OK)
          << error;
    }
    client_ = rd_kafka_new(type, conf, error, sizeof(error));
    EXPECT_NE(client_, nullptr) << error;
  }
  ~Client() { rd_kafka_destroy(client_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_t* get() const { return client_; }

 private:
  rd_kafka_t* client_ = nullptr;
};

// What is set on the topic itself, whatever the brokers' defaults are.
std::map<std::string, std::string> ConfigOf(rd_kafka_t* client,
                                            const std::string& topic) {
  std::map<std::string, std::string> config;
  rd_kafka_ConfigResource_t* resource =
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_DescribeConfigs(client, &resource, 1, nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(
      queue, static_cast<int>(absl::ToInt64Milliseconds(kPatience)));
  if (event != nullptr) {
    size_t count = 0;
    const rd_kafka_ConfigResource_t** results =
        rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &count);
    for (size_t i = 0; i < count; ++i) {
      size_t entries = 0;
      const rd_kafka_ConfigEntry_t** all =
          rd_kafka_ConfigResource_configs(results[i], &entries);
      for (size_t j = 0; j < entries; ++j) {
        if (rd_kafka_ConfigEntry_source(all[j]) !=
            RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG) {
          continue;
        }
        const char* value = rd_kafka_ConfigEntry_value(all[j]);
        config[rd_kafka_ConfigEntry_name(all[j])] =
            value == nullptr ? "" : value;
      }
    }
    rd_kafka_event_destroy(event);
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_ConfigResource_destroy(resource);
  return config;
}

// A record that says where it comes in the order, and compresses.
log::Record NumberedRecord(int n) {
  return ValueRecord(absl::StrCat(n, " ", std::string(200, 'x')));
}

void ExpectNumbers(log::Log& log, const TopicPartition& partition, int count) {
  const auto values = Values(ReadAll(log, partition));
  ASSERT_THAT(values, SizeIs(count));
  for (int i = 0; i < count; ++i) {
    ASSERT_EQ(values[i], NumberedRecord(i).value);
  }
}

// --- Topics

TEST_F(KafkaBrokerTest, EnsureTopicMakesATopicThatIsKeptForEver) {
  auto log = Open();
  ASSERT_TRUE(log->EnsureTopic(topic_, 8).ok());
  EXPECT_EQ(*log->PartitionCount(topic_), 8);
  EXPECT_EQ(*Open()->PartitionCount(topic_), 8);
  // At once, on each.
  for (int p = 0; p < 8; ++p) {
    EXPECT_EQ(*log->End({topic_, p}), 0);
  }
  // Another count is refused by those who know the topic and those who do not.
  for (const auto& any : {log, Open()}) {
    const absl::Status other = any->EnsureTopic(topic_, 4);
    EXPECT_TRUE(absl::IsFailedPrecondition(other)) << other;
    EXPECT_THAT(other.message(),
                HasSubstr(absl::StrCat(topic_, " has 8 partitions, not 4")));
  }
}

TEST_F(KafkaBrokerTest, TopicsSayThemselvesHowTheyAreKept) {
  const Client client(RD_KAFKA_PRODUCER,
                      {{"bootstrap.servers", kafka_->bootstrap_servers()}});
  KafkaLogOptions options = options_;
  // Not the brokers' default; nothing is appended.
  options.min_insync_replicas = options_.min_insync_replicas + 1;
  auto log = Open(options);
  const std::string in_sync = absl::StrCat(options.min_insync_replicas);
  ASSERT_TRUE(log->EnsureTopic(topic_, 2).ok());
  EXPECT_THAT(ConfigOf(client.get(), topic_),
              UnorderedElementsAre(
                  Pair("cleanup.policy", "delete"), Pair("retention.ms", "-1"),
                  Pair("retention.bytes", "-1"),
                  Pair("unclean.leader.election.enable", "false"),
                  Pair("min.insync.replicas", in_sync)));
  const std::string compacted = topic_ + "-compacted";
  ASSERT_TRUE(log->EnsureCompactedTopic(compacted).ok());
  EXPECT_EQ(*log->PartitionCount(compacted), 1);
  EXPECT_THAT(
      ConfigOf(client.get(), compacted),
      UnorderedElementsAre(Pair("cleanup.policy", "compact"),
                           Pair("segment.bytes", "16777216"),
                           Pair("unclean.leader.election.enable", "false"),
                           Pair("min.insync.replicas", in_sync)));
  // One that is there is taken as it is.
  EXPECT_TRUE(Open()->EnsureCompactedTopic(compacted).ok());
}

TEST_F(KafkaBrokerTest, EnsureTopicByManyProcessesAtOnceMakesOne) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      const absl::Status status = Open()->EnsureTopic(topic_, 4);
      EXPECT_TRUE(status.ok()) << status;
      if (status.ok()) ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 6);
  EXPECT_EQ(*Open()->PartitionCount(topic_), 4);
}

TEST_F(KafkaBrokerTest, EnsureTopicWithOtherCountsAtOnceLetsOneWin) {
  std::vector<std::thread> threads;
  std::vector<absl::Status> results(5);
  for (int i = 0; i < 5; ++i) {
    threads.emplace_back(
        [&, i] { results[i] = Open()->EnsureTopic(topic_, i + 1); });
  }
  for (std::thread& thread : threads) thread.join();
  const int count = *Open()->PartitionCount(topic_);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(results[i].code(), i + 1 == count
                                     ? absl::StatusCode::kOk
                                     : absl::StatusCode::kFailedPrecondition)
        << results[i];
  }
}

TEST_F(KafkaBrokerTest, TopicThatCannotBeMadeSaysSoForGood) {
  auto log = Open();
  for (const std::string& name :
       {std::string("a/b"), std::string("with space"), std::string("."),
        std::string(250, 'x'), std::string("主题")}) {
    const absl::Status status = log->EnsureTopic(name, 1);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name << ": " << status;
  }
  KafkaLogOptions options = options_;
  options.replication_factor = 100;
  const absl::Status status = Open(options)->EnsureTopic(topic_, 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("--kafka.replication-factor 1 "
                        "--kafka.min-insync-replicas 1"));
  EXPECT_TRUE(absl::IsNotFound(Open()->PartitionCount(topic_).status()));
}

// The command that developers and deployments make their topics with.
TEST_F(KafkaBrokerTest, TopicsCommandMakesThemOnceAndChecksThemAfterwards) {
  if (!kafka_->own()) GTEST_SKIP() << "makes Aftercare's own topics";
  absl::Status status = kafka_->Run({"topics", "--partitions", "4"});
  ASSERT_TRUE(status.ok()) << status;
  for (const char* service : {"intake", "dispatch", "returns", "scoring"}) {
    const std::string topic = absl::StrCat("aftercare.", service, ".events.v1");
    // As the processes would have made them.
    status = Open()->EnsureTopic(topic, 4);
    EXPECT_TRUE(status.ok()) << status;
    ASSERT_TRUE(Open()->EnsureTopic(topic_ + service, 4).ok());
    const Client client(RD_KAFKA_PRODUCER,
                        {{"bootstrap.servers", kafka_->bootstrap_servers()}});
    EXPECT_EQ(ConfigOf(client.get(), topic),
              ConfigOf(client.get(), topic_ + service));
  }
  status = kafka_->Run({"topics", "--partitions", "4"});
  EXPECT_TRUE(status.ok()) << status;
  status = kafka_->Run({"topics", "--partitions", "5"});
  EXPECT_THAT(status.message(), HasSubstr("exit code 1"));
  EXPECT_THAT(status.message(), HasSubstr("has 4 partitions, not 5"));
}

// --- Records on the broker's disk

class KafkaBrokerCompressionTest
    : public KafkaBrokerTest,
      public ::testing::WithParamInterface<std::string> {};

TEST_P(KafkaBrokerCompressionTest, MakesTheSegmentSmallAndReadsBack) {
  if (!kafka_->own()) GTEST_SKIP() << "needs the broker's disk";
  constexpr int kCount = 2000;
  options_.properties["compression.codec"] = GetParam();
  // Compression is of batches.
  options_.properties["linger.ms"] = "20";
  auto log = Open();
  ASSERT_TRUE(log->EnsureTopic(topic_, 1).ok());
  auto appender = log->OpenAppender({topic_, 0}).value();
  Reports reports;
  int64_t bytes = 0;
  for (int i = 0; i < kCount; ++i) {
    log::Record record = NumberedRecord(i);
    bytes += static_cast<int64_t>(record.value.size());
    appender->Append(std::move(record), reports.Next());
  }
  ASSERT_TRUE(reports.WaitForAll());
  EXPECT_THAT(reports.OffsetsByAppend(), SizeIs(kCount));
  const int64_t on_disk = kafka_->BytesOnDisk({topic_, 0}, kNode);
  if (GetParam() == "none") {
    EXPECT_GT(on_disk, bytes);
  } else {
    EXPECT_GT(on_disk, 0);
    EXPECT_LT(on_disk, bytes / 4);
  }
  // By a reader that was told nothing.
  ExpectNumbers(*Open(RealKafkaOptions(*kafka_)), {topic_, 0}, kCount);
}

INSTANTIATE_TEST_SUITE_P(, KafkaBrokerCompressionTest,
                         ::testing::Values("none", "gzip", "snappy", "lz4",
                                           "zstd"),
                         [](const auto& codec) { return codec.param; });

// Any client of Kafka finds a key where PartitionOf says.
TEST_F(KafkaBrokerTest, OtherClientsPutKeysIntoTheSamePartition) {
  constexpr int kPartitions = 5;
  auto log = Open();
  ASSERT_TRUE(log->EnsureTopic(topic_, kPartitions).ok());
  {
    const Client client(RD_KAFKA_PRODUCER,
                        {{"bootstrap.servers", kafka_->bootstrap_servers()},
                         {"partitioner", "murmur2"}});
    for (int i = 0; i < 100; ++i) {
      const std::string key = absl::StrCat("companies/海尔/customers/", i);
      ASSERT_EQ(rd_kafka_producev(
                    client.get(), RD_KAFKA_V_TOPIC(topic_.c_str()),
                    RD_KAFKA_V_KEY(key.data(), key.size()),
                    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                RD_KAFKA_RESP_ERR_NO_ERROR);
    }
    ASSERT_EQ(rd_kafka_flush(client.get(), 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  int found = 0;
  for (int p = 0; p < kPartitions; ++p) {
    for (const auto& stored : ReadAll(*log, {topic_, p})) {
      EXPECT_EQ(log::PartitionOf(stored.record.key, kPartitions), p);
      ++found;
    }
  }
  EXPECT_EQ(found, 100);
}

// --- How long an append takes

// A burst of fifty and more took some 45 ms on the mock, whose sockets wait for
// the acknowledgement of an earlier packet. A real broker's do not; the median
// leaves room for a machine with more to do.
TEST_F(KafkaBrokerTest, BurstsAreAcknowledgedWithoutDelay) {
  auto log = Open();
  ASSERT_TRUE(log->EnsureTopic(topic_, 1).ok());
  auto appender = log->OpenAppender({topic_, 0}).value();
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("warm")).ok());
  for (const int burst : {1, 10, 50, 100, 500}) {
    std::vector<absl::Duration> took;
    for (int round = 0; round < 31; ++round) {
      Reports reports;
      const absl::Time begin = absl::Now();
      for (int i = 0; i < burst; ++i) {
        appender->Append(NumberedRecord(i), reports.Next());
      }
      ASSERT_TRUE(reports.WaitForAll());
      took.push_back(absl::Now() - begin);
    }
    std::nth_element(took.begin(), took.begin() + 15, took.end());
    EXPECT_LT(took[15], absl::Milliseconds(30)) << "bursts of " << burst;
    RecordProperty(absl::StrCat("burst_of_", burst, "_median_us"),
                   static_cast<int>(absl::ToInt64Microseconds(took[15])));
  }
}

// --- The broker stands still, or dies

// Requests time out and are sent again while the first ones are still to be
// worked on: the broker knows their sequence numbers.
TEST_F(KafkaBrokerTest, RecordsSentAgainAreWrittenOnce) {
  if (!kafka_->own()) GTEST_SKIP() << "needs to stop the broker";
  constexpr int kCount = 600;
  options_.properties["socket.timeout.ms"] = "1200";
  auto log = Open();
  ASSERT_TRUE(log->EnsureTopic(topic_, 1).ok());
  auto appender = log->OpenAppender({topic_, 0}).value();
  Reports reports;
  for (int i = 0; i < kCount; ++i) {
    if (i == 200) {
      ASSERT_TRUE(reports.WaitForAll());
      ASSERT_TRUE(kafka_->Node("pause", kNode).ok());
    }
    if (i == 400) {
      // Long enough for a time-out, shorter than the broker's session.
      absl::SleepFor(absl::Milliseconds(2500));
      EXPECT_TRUE(kafka_->Node("resume", kNode).ok());
    }
    appender->Append(NumberedRecord(i), reports.Next());
    // Several requests, not one.
    if (i % 50 == 49) absl::SleepFor(absl::Milliseconds(5));
  }
  ASSERT_TRUE(reports.WaitForAll());
  const std::vector<int64_t> offsets = reports.OffsetsByAppend();
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(offsets[i], i);
  ExpectNumbers(*Open(), {topic_, 0}, kCount);
}

TEST_F(KafkaBrokerTest, AppendToABrokerThatStandsStillIsUnknown) {
  if (!kafka_->own()) GTEST_SKIP() << "needs to stop the broker";
  options_.delivery_timeout = absl::Milliseconds(700);
  auto log = Open();
  ASSERT_TRUE(log->EnsureTopic(topic_, 1).ok());
  auto appender = log->OpenAppender({topic_, 0}).value();
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("before")).ok());
  ASSERT_TRUE(kafka_->Node("pause", kNode).ok());
  const absl::Time begin = absl::Now();
  const auto unknown = AppendAndWait(*appender, ValueRecord("unknown"));
  const absl::Duration took = absl::Now() - begin;
  ASSERT_TRUE(kafka_->Node("resume", kNode).ok());
  EXPECT_TRUE(absl::IsUnavailable(unknown.status())) << unknown.status();
  EXPECT_LT(took, absl::Seconds(5));
  // It was on the wire: now it arrives, or it never does.
  appender = log->OpenAppender({topic_, 0}).value();
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("behind")).ok());
  std::vector<std::string> values = Values(ReadAll(*log, {topic_, 0}));
  std::erase(values, "unknown");
  EXPECT_THAT(values, ElementsAre("before", "behind"));
}

TEST_F(KafkaBrokerTest, KilledBrokerComesBackWithAllItAcknowledged) {
  if (!kafka_->own()) GTEST_SKIP() << "needs to kill the broker";
  constexpr int kCount = 1500;
  auto log = Open();
  ASSERT_TRUE(log->EnsureTopic(topic_, 1).ok());
  auto appender = log->OpenAppender({topic_, 0}).value();
  auto reader = log->OpenReader({topic_, 0}, 0).value();
  Reports reports;
  for (int i = 0; i < kCount; ++i) {
    if (i == 500) {
      ASSERT_TRUE(reports.Wait(250));
      ASSERT_TRUE(kafka_->Node("kill", kNode).ok());
    }
    if (i == 1000) {
      const absl::Status started = kafka_->Node("start", kNode);
      ASSERT_TRUE(started.ok()) << started;
    }
    appender->Append(NumberedRecord(i), reports.Next());
  }
  ASSERT_TRUE(reports.WaitForAll());
  const std::vector<int64_t> offsets = reports.OffsetsByAppend();
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(offsets[i], i);
  ExpectNumbers(*Open(), {topic_, 0}, kCount);
  // And the reader that was there all the time goes on.
  const absl::Time until = absl::Now() + kPatience;
  while (reader->position() < kCount && absl::Now() < until) {
    (void)reader->Read(1000, absl::Milliseconds(200));
  }
  EXPECT_EQ(reader->position(), kCount);
}

// --- Three brokers

int LeaderOf(rd_kafka_t* client, const TopicPartition& partition) {
  int leader = -1;
  const rd_kafka_metadata_t* metadata = nullptr;
  rd_kafka_topic_t* topic =
      rd_kafka_topic_new(client, partition.topic.c_str(), nullptr);
  if (rd_kafka_metadata(client, 0, topic, &metadata, 10'000) ==
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    for (int i = 0; i < metadata->topics[0].partition_cnt; ++i) {
      const auto& found = metadata->topics[0].partitions[i];
      if (found.id == partition.partition) leader = found.leader;
    }
    rd_kafka_metadata_destroy(metadata);
  }
  rd_kafka_topic_destroy(topic);
  return leader;
}

// One story, because three brokers take a while to start: the leader dies and
// appends go on with two; a second one dies and nothing is acknowledged; they
// come back and nothing is lost or doubled.
TEST(KafkaBrokersTest, LeaderDiesThenTheMajorityAndNothingAcknowledgedIsLost) {
  auto started = DevKafka::Start(3);
  if (absl::IsUnavailable(started.status())) {
    GTEST_SKIP() << started.status().message();
  }
  ASSERT_TRUE(started.ok()) << started.status();
  const std::unique_ptr<DevKafka> kafka = *std::move(started);
  if (!kafka->own()) GTEST_SKIP() << "needs to kill brokers";
  const TopicPartition partition{FreshTopic(), 0};
  auto log = KafkaLog::Open(RealKafkaOptions(*kafka)).value();
  ASSERT_TRUE(log->EnsureTopic(partition.topic, 1).ok());
  const Client client(RD_KAFKA_PRODUCER,
                      {{"bootstrap.servers", kafka->bootstrap_servers()}});

  auto appender = log->OpenAppender(partition).value();
  // Follows through all of it.
  auto reader = log->OpenReader(partition, 0).value();
  ASSERT_TRUE(reader->Read(1, absl::ZeroDuration()).ok());
  Reports reports;
  for (int i = 0; i < 500; ++i) {
    appender->Append(NumberedRecord(i), reports.Next());
  }
  ASSERT_TRUE(reports.Wait(100));
  const int first = LeaderOf(client.get(), partition);
  ASSERT_GT(first, 0);
  ASSERT_TRUE(kafka->Node("kill", first).ok());
  for (int i = 500; i < 1000; ++i) {
    appender->Append(NumberedRecord(i), reports.Next());
  }
  // Two of three are the majority: they elect, and take what was under way.
  ASSERT_TRUE(reports.WaitForAll());
  const std::vector<int64_t> offsets = reports.OffsetsByAppend();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(offsets[i], i);
  ExpectNumbers(*log, partition, 1000);
  const int second = LeaderOf(client.get(), partition);
  ASSERT_NE(second, first);

  // One copy is not enough to acknowledge by.
  int other = 1;
  while (other == first || other == second) ++other;
  ASSERT_TRUE(kafka->Node("kill", other).ok());
  log::KafkaLogOptions impatient = RealKafkaOptions(*kafka);
  impatient.delivery_timeout = absl::Seconds(3);
  auto impatient_log = KafkaLog::Open(impatient).value();
  appender.reset();
  appender = impatient_log->OpenAppender(partition).value();
  const auto lonely = AppendAndWait(*appender, ValueRecord("lonely"));
  EXPECT_TRUE(absl::IsUnavailable(lonely.status())) << lonely.status();

  absl::Status status = kafka->Run({"up"});
  ASSERT_TRUE(status.ok()) << status;
  appender = log->OpenAppender(partition).value();
  ASSERT_TRUE(AppendAndWait(*appender, ValueRecord("behind")).ok());
  std::vector<std::string> values = Values(ReadAll(*log, partition));
  // It may have arrived, once; that is what "unknown" says.
  EXPECT_LE(std::erase(values, "lonely"), 1u);
  ASSERT_THAT(values, SizeIs(1001));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(values[i], NumberedRecord(i).value);
  EXPECT_EQ(values.back(), "behind");
  const int64_t end = *log->End(partition);
  const absl::Time until = absl::Now() + kPatience;
  while (reader->position() < end && absl::Now() < until) {
    (void)reader->Read(1000, absl::Milliseconds(200));
  }
  EXPECT_EQ(reader->position(), end);
}

}  // namespace
}  // namespace aftercare::contract
