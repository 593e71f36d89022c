// The progress of reactions in a topic that a real broker compacts.

#include <librdkafka/rdkafka.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/log/kafka_log.h"
#include "libs/reaction/topic_progress.h"
#include "tests/contract/dev_kafka.h"
#include "tests/contract/log_under_test.h"

namespace aftercare::contract {
namespace {

using log::FoldState;
using log::KafkaLog;
using reaction::Progress;
using reaction::TopicProgress;
using ::testing::ElementsAre;
using ::testing::SizeIs;

// The cleaner looks every fifteen seconds for something to do.
constexpr absl::Duration kCleaning = absl::Seconds(90);

admin::v1::Parked ParkedAt(int64_t offset) {
  admin::v1::Parked parked;
  parked.set_event_id(absl::StrCat("intake/0/0/", offset));
  parked.set_offset(offset);
  parked.set_problem("不行 🙂");
  return parked;
}

std::vector<int64_t> OffsetsOf(const Progress::State& state) {
  std::vector<int64_t> offsets;
  for (const auto& parked : state.parked) offsets.push_back(parked.offset());
  return offsets;
}

// Compacts as soon and as thoroughly as Kafka can.
void Hurry(const std::string& bootstrap_servers, const std::string& topic) {
  char error[256] = {};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  ASSERT_EQ(rd_kafka_conf_set(conf, "bootstrap.servers",
                              bootstrap_servers.c_str(), error, sizeof(error)),
            RD_KAFKA_CONF_OK);
  rd_kafka_t* client =
      rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
  ASSERT_NE(client, nullptr) << error;
  rd_kafka_ConfigResource_t* resource =
      rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  for (const auto& [name, value] :
       {std::pair("cleanup.policy", "compact"), std::pair("segment.ms", "100"),
        std::pair("min.cleanable.dirty.ratio", "0.01"),
        std::pair("delete.retention.ms", "0")}) {
    rd_kafka_ConfigResource_set_config(resource, name, value);
  }
  rd_kafka_queue_t* queue = rd_kafka_queue_new(client);
  rd_kafka_AlterConfigs(client, &resource, 1, nullptr, queue);
  rd_kafka_event_t* event = rd_kafka_queue_poll(
      queue, static_cast<int>(absl::ToInt64Milliseconds(kPatience)));
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_event_destroy(event);
  rd_kafka_queue_destroy(queue);
  rd_kafka_ConfigResource_destroy(resource);
  rd_kafka_destroy(client);
}

TEST(KafkaBrokerProgressTest, ACompactedTopicReadsBackRight) {
  auto kafka = DevKafka::Shared();
  if (absl::IsUnavailable(kafka.status())) {
    GTEST_SKIP() << kafka.status().message();
  }
  ASSERT_TRUE(kafka.ok()) << kafka.status();
  const std::string topic = FreshTopic();
  const std::unique_ptr<KafkaLog> log =
      KafkaLog::Open(RealKafkaOptions(**kafka)).value();
  ASSERT_TRUE(log->EnsureCompactedTopic(topic).ok());
  Hurry((*kafka)->bootstrap_servers(), topic);

  TopicProgress writer(*log, topic);
  TopicProgress reader_of_long_ago(*log, topic);
  for (int64_t i = 1; i <= 100; ++i) {
    ASSERT_TRUE(writer.Advance("a/0", {i, i * 2, i * 3}, {}).ok());
  }
  for (const int64_t i : {3, 5, 7}) {
    ASSERT_TRUE(writer.Park("a/0", ParkedAt(i)).ok());
  }
  ASSERT_TRUE(writer.Advance("b/0", {1, 1, 1}, {ParkedAt(9)}).ok());
  EXPECT_THAT(OffsetsOf(reader_of_long_ago.Load("a/0").value()),
              ElementsAre(3, 5, 7));
  ASSERT_TRUE(writer.Unpark("a/0", ParkedAt(5)).ok());
  const int64_t written = log->End({topic, 0}).value();

  // What the cleaner must leave: the last record of each key.
  const auto left = [&] {
    std::vector<log::StoredRecord> records;
    for (auto& record : ReadAll(*log, {topic, 0})) {
      if (record.offset < written) records.push_back(std::move(record));
    }
    return records;
  };
  // Positions of a/0 and b/0, parked 3, 5, 7 and 9, and what a Load writes.
  constexpr size_t kKeys = 7;
  ASSERT_GT(left().size(), 100u);
  const absl::Time end = absl::Now() + kCleaning;
  while (left().size() > kKeys && absl::Now() < end) {
    // A segment is closed when a record comes behind its time.
    ASSERT_TRUE(writer.Advance("other/0", {1, 1, 1}, {}).ok());
    absl::SleepFor(absl::Milliseconds(200));
  }
  const auto records = left();
  ASSERT_THAT(records, SizeIs(kKeys)) << "the cleaner has not done its work";
  std::set<std::string> keys;
  for (const auto& record : records) keys.insert(record.record.key);
  EXPECT_THAT(keys, SizeIs(kKeys));

  TopicProgress new_reader(*log, topic);
  for (TopicProgress* progress : {&new_reader, &writer, &reader_of_long_ago}) {
    const auto state = progress->Load("a/0");
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->position, (FoldState{100, 200, 300}));
    EXPECT_THAT(OffsetsOf(*state), ElementsAre(3, 7));
    EXPECT_EQ(state->parked.front().SerializeAsString(),
              ParkedAt(3).SerializeAsString());
    EXPECT_THAT(OffsetsOf(progress->Load("b/0").value()), ElementsAre(9));
  }
}

}  // namespace
}  // namespace aftercare::contract
