// The kinds of log the contract is run on, and what a test needs to drive any
// of them: appends whose reports are kept, and reading to the end.

#ifndef AFTERCARE_TESTS_CONTRACT_LOG_UNDER_TEST_H_
#define AFTERCARE_TESTS_CONTRACT_LOG_UNDER_TEST_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/log/kafka_log.h"
#include "libs/log/log.h"
#include "tests/contract/dev_kafka.h"

namespace aftercare::contract {

// How long a test waits for what must come. Far more than it ever takes: only
// a fault makes a test wait that long.
inline constexpr absl::Duration kPatience = absl::Seconds(30);

// False when it does not come true within kPatience.
bool WaitUntil(const std::function<bool()>& condition);

class LogUnderTest {
 public:
  virtual ~LogUnderTest() = default;

  // In whatever way the kind makes its topics.
  virtual void CreateTopic(const std::string& topic, int partitions) = 0;

  // Where a log can be opened by many, a further client that shares nothing
  // with the earlier ones, like another process. Where one process holds it,
  // that holder's. The log closes with its last holder, so dropping every
  // pointer and opening again is a restart.
  virtual std::shared_ptr<log::Log> Open() = 0;

  // The same with appenders (or a log) that hold no more than `bytes`. No
  // other holder may be left.
  virtual std::shared_ptr<log::Log> OpenWithQueueOf(int64_t bytes) = 0;
};

struct LogKind {
  std::string name;
  // UNAVAILABLE where the kind cannot be had on this machine.
  std::function<absl::StatusOr<std::unique_ptr<LogUnderTest>>()> make;
};

// To run the contract on one more log, name it here.
std::vector<LogKind> LogKinds();

// As a process that talks to these brokers would open its log.
log::KafkaLogOptions RealKafkaOptions(const DevKafka& kafka);

// A name no earlier test has used, nor an earlier run on the same brokers.
std::string FreshTopic();

struct Report {
  int append = 0;  // counted from 0
  absl::StatusOr<int64_t> offset;
};

// Keeps what is reported about appends, in the order of the reports. Lives on
// while a callback may still run. Thread-safe.
class Reports {
 public:
  // The callback of the next append.
  log::DeliveryCallback Next();

  // Waits until so many reports are there. False when they do not come.
  bool Wait(size_t count, absl::Duration patience = kPatience) const;
  // Waits for one report of every append.
  bool WaitForAll(absl::Duration patience = kPatience) const;

  std::vector<Report> all() const;
  int appends() const;

  // The offset of each append, by number; fails the test where it has none, an
  // error or more than one report.
  std::vector<int64_t> OffsetsByAppend() const;

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable grown;
    std::vector<Report> reports;
    int appends = 0;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

// A record with this value and nothing else.
log::Record ValueRecord(std::string value);

absl::StatusOr<int64_t> AppendAndWait(log::Appender& appender,
                                      log::Record record);

// Everything from `offset` to the end at the time of the call.
std::vector<log::StoredRecord> ReadAll(log::Log& log,
                                       const log::TopicPartition& partition,
                                       int64_t offset = 0);

std::vector<std::string> Values(const std::vector<log::StoredRecord>& records);

}  // namespace aftercare::contract

#endif  // AFTERCARE_TESTS_CONTRACT_LOG_UNDER_TEST_H_
