#include "tests/contract/log_under_test.h"

#include <unistd.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "libs/base/status_macros.h"
#include "libs/log/embedded_log.h"
#include "libs/log/kafka_log.h"
#include "libs/testing/temp_dir.h"
#include "tests/contract/dev_kafka.h"
#include "tests/contract/mock_cluster.h"

namespace aftercare::contract {
namespace {

class EmbeddedUnderTest final : public LogUnderTest {
 public:
  void CreateTopic(const std::string& topic, int partitions) override {
    EXPECT_TRUE(Open()->EnsureTopic(topic, partitions).ok());
  }

  std::shared_ptr<log::Log> Open() override { return Open(options_); }

  std::shared_ptr<log::Log> OpenWithQueueOf(int64_t bytes) override {
    EXPECT_TRUE(holder_.expired());
    log::EmbeddedLogOptions options = options_;
    options.max_queued_bytes = bytes;
    return Open(std::move(options));
  }

 private:
  std::shared_ptr<log::Log> Open(log::EmbeddedLogOptions options) {
    if (auto held = holder_.lock()) return held;
    auto log = log::EmbeddedLog::Open(std::move(options));
    EXPECT_TRUE(log.ok()) << log.status();
    std::shared_ptr<log::Log> opened = *std::move(log);
    holder_ = opened;
    return opened;
  }

  const testing::TempDir directory_;
  const log::EmbeddedLogOptions options_{.directory = directory_ / "log",
                                         .free_bytes = {}};
  std::weak_ptr<log::Log> holder_;
};

// Any cluster: as it stands, a real one; the mock makes its topics otherwise.
class KafkaUnderTest : public LogUnderTest {
 public:
  explicit KafkaUnderTest(log::KafkaLogOptions options)
      : options_(std::move(options)) {}

  void CreateTopic(const std::string& topic, int partitions) override {
    EXPECT_TRUE(Open()->EnsureTopic(topic, partitions).ok());
  }

  std::shared_ptr<log::Log> Open() override { return Open(options_); }

  std::shared_ptr<log::Log> OpenWithQueueOf(int64_t bytes) override {
    log::KafkaLogOptions options = options_;
    options.max_queued_bytes = bytes;
    return Open(std::move(options));
  }

 private:
  static std::shared_ptr<log::Log> Open(log::KafkaLogOptions options) {
    auto log = log::KafkaLog::Open(std::move(options));
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }

  const log::KafkaLogOptions options_;
};

class MockKafkaUnderTest final : public KafkaUnderTest {
 public:
  MockKafkaUnderTest() : KafkaUnderTest(Options()) {}

  // The mock cannot make topics when a client asks for it.
  void CreateTopic(const std::string& topic, int partitions) override {
    Cluster().CreateTopic(topic, partitions);
  }

 private:
  static MockCluster& Cluster() {
    static MockCluster cluster(3);
    return cluster;
  }

  static log::KafkaLogOptions Options() {
    log::KafkaLogOptions options;
    options.properties["bootstrap.servers"] = Cluster().bootstrap_servers();
    return options;
  }
};

}  // namespace

log::KafkaLogOptions RealKafkaOptions(const DevKafka& kafka) {
  log::KafkaLogOptions options;
  options.properties["bootstrap.servers"] = kafka.bootstrap_servers();
  options.replication_factor = kafka.replication_factor();
  options.min_insync_replicas = kafka.min_insync_replicas();
  return options;
}

std::string FreshTopic() {
  static const std::string run =
      absl::StrCat(getpid(), "-", absl::ToUnixNanos(absl::Now()));
  static std::atomic<int> count{0};
  return absl::StrCat("contract.", run, ".", count.fetch_add(1));
}

std::vector<LogKind> LogKinds() {
  return {
      {"Embedded", [] { return std::make_unique<EmbeddedUnderTest>(); }},
      {"MockKafka", [] { return std::make_unique<MockKafkaUnderTest>(); }},
      {"RealKafka",
       []() -> absl::StatusOr<std::unique_ptr<LogUnderTest>> {
         ASSIGN_OR_RETURN(DevKafka* const kafka, DevKafka::Shared());
         return std::make_unique<KafkaUnderTest>(RealKafkaOptions(*kafka));
       }},
  };
}

log::DeliveryCallback Reports::Next() {
  std::lock_guard lock(state_->mutex);
  return [state = state_,
          append = state_->appends++](absl::StatusOr<int64_t> offset) {
    std::lock_guard inner(state->mutex);
    state->reports.push_back({append, std::move(offset)});
    state->grown.notify_all();
  };
}

bool Reports::Wait(size_t count, absl::Duration patience) const {
  std::unique_lock lock(state_->mutex);
  return state_->grown.wait_for(
      lock, absl::ToChronoMilliseconds(patience),
      [&] { return state_->reports.size() >= count; });
}

bool WaitUntil(const std::function<bool()>& condition) {
  const absl::Time until = absl::Now() + kPatience;
  while (!condition()) {
    if (absl::Now() > until) return false;
    absl::SleepFor(absl::Milliseconds(2));
  }
  return true;
}

bool Reports::WaitForAll(absl::Duration patience) const {
  return Wait(static_cast<size_t>(appends()), patience);
}

std::vector<Report> Reports::all() const {
  std::lock_guard lock(state_->mutex);
  return state_->reports;
}

int Reports::appends() const {
  std::lock_guard lock(state_->mutex);
  return state_->appends;
}

std::vector<int64_t> Reports::OffsetsByAppend() const {
  std::vector<int64_t> offsets(static_cast<size_t>(appends()), -1);
  for (const Report& report : all()) {
    EXPECT_TRUE(report.offset.ok())
        << "append " << report.append << ": " << report.offset.status();
    if (!report.offset.ok()) continue;
    int64_t& offset = offsets[static_cast<size_t>(report.append)];
    EXPECT_EQ(offset, -1) << "append " << report.append << " reported twice";
    offset = *report.offset;
  }
  for (size_t i = 0; i < offsets.size(); ++i) {
    EXPECT_GE(offsets[i], 0) << "append " << i << " has no offset";
  }
  return offsets;
}

log::Record ValueRecord(std::string value) {
  log::Record record;
  record.value = std::move(value);
  return record;
}

absl::StatusOr<int64_t> AppendAndWait(log::Appender& appender,
                                      log::Record record) {
  Reports reports;
  appender.Append(std::move(record), reports.Next());
  if (!reports.WaitForAll()) return absl::DeadlineExceededError("no report");
  return reports.all().front().offset;
}

std::vector<log::StoredRecord> ReadAll(log::Log& log,
                                       const log::TopicPartition& partition,
                                       int64_t offset) {
  std::vector<log::StoredRecord> records;
  const auto end = log.End(partition);
  auto reader = log.OpenReader(partition, offset);
  EXPECT_TRUE(end.ok()) << end.status();
  EXPECT_TRUE(reader.ok()) << reader.status();
  if (!end.ok() || !reader.ok()) return records;
  const absl::Time until = absl::Now() + kPatience;
  while ((*reader)->position() < *end) {
    auto batch = (*reader)->Read(1000, absl::Seconds(1));
    EXPECT_TRUE(batch.ok()) << batch.status();
    if (!batch.ok()) break;
    for (log::StoredRecord& record : *batch) {
      records.push_back(std::move(record));
    }
    if (absl::Now() > until) {
      ADD_FAILURE() << "read to " << (*reader)->position() << " of " << *end;
      break;
    }
  }
  return records;
}

std::vector<std::string> Values(const std::vector<log::StoredRecord>& records) {
  std::vector<std::string> values;
  for (const auto& stored : records) values.push_back(stored.record.value);
  return values;
}

}  // namespace aftercare::contract
