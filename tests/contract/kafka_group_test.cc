// How processes share partitions through a real broker's consumer group.

#include "libs/log/kafka_group.h"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <set>
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

using log::KafkaGroup;
using log::KafkaGroupOptions;
using log::KafkaLog;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kPartitions = 6;

// Who holds which partition, over all members: never two at a time.
class Ledger {
 public:
  void Assigned(const std::string& member, const std::vector<int>& partitions) {
    const std::lock_guard lock(mutex_);
    for (const int p : partitions) {
      EXPECT_TRUE(holders_.emplace(p, member).second)
          << p << " is " << holders_[p] << "'s and goes to " << member;
    }
  }
  void Revoked(const std::string& member, const std::vector<int>& partitions) {
    const std::lock_guard lock(mutex_);
    for (const int p : partitions) {
      EXPECT_EQ(holders_[p], member) << p;
      holders_.erase(p);
    }
  }
  std::set<int> Of(const std::string& member) const {
    const std::lock_guard lock(mutex_);
    std::set<int> partitions;
    for (const auto& [partition, holder] : holders_) {
      if (holder == member) partitions.insert(partition);
    }
    return partitions;
  }

 private:
  mutable std::mutex mutex_;
  std::map<int, std::string> holders_;
};

// As a process with `name` for its --instance. While it lives; its end is as
// silent as that of one that was killed.
class Member {
 public:
  Member(const KafkaGroupOptions& options, Ledger& ledger, std::string name)
      : name_(std::move(name)) {
    auto group = KafkaGroup::Join(
        options, {.assigned =
                      [this, &ledger](const std::vector<int>& partitions) {
                        ledger.Assigned(name_, partitions);
                        ++assignments_;
                      },
                  .revoked =
                      [this, &ledger](const std::vector<int>& partitions) {
                        ledger.Revoked(name_, partitions);
                        const std::lock_guard lock(mutex_);
                        revoked_.insert(partitions.begin(), partitions.end());
                      },
                  .failed =
                      [this](const absl::Status& status) {
                        const std::lock_guard lock(mutex_);
                        failures_.push_back(status);
                      }});
    EXPECT_TRUE(group.ok()) << group.status();
    group_ = *std::move(group);
  }

  // Calls of `assigned`, also those that brought nothing.
  int assignments() const { return assignments_; }
  std::set<int> revoked() const {
    const std::lock_guard lock(mutex_);
    return revoked_;
  }
  std::vector<absl::Status> failures() const {
    const std::lock_guard lock(mutex_);
    return failures_;
  }

 private:
  const std::string name_;
  std::atomic<int> assignments_{0};
  mutable std::mutex mutex_;
  std::set<int> revoked_;               // guarded by mutex_
  std::vector<absl::Status> failures_;  // guarded by mutex_
  std::unique_ptr<KafkaGroup> group_;
};

class KafkaBrokerGroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto kafka = DevKafka::Shared();
    if (absl::IsUnavailable(kafka.status())) {
      GTEST_SKIP() << kafka.status().message();
    }
    ASSERT_TRUE(kafka.ok()) << kafka.status();
    const auto log_options = RealKafkaOptions(**kafka);
    options_.properties = log_options.properties;
    options_.topic = FreshTopic();
    options_.group = options_.topic;
    // Kafka's own default allows no shorter one than six seconds.
    options_.session_timeout = absl::Seconds((*kafka)->own() ? 3 : 6);
    ASSERT_TRUE(KafkaLog::Open(log_options)
                    .value()
                    ->EnsureTopic(options_.topic, kPartitions)
                    .ok());
  }

  // `name` tells members of one instance apart.
  std::unique_ptr<Member> Join(const std::string& name,
                               const std::string& instance = "") {
    KafkaGroupOptions options = options_;
    options.instance = instance.empty() ? name : instance;
    return std::make_unique<Member>(options, ledger_, name);
  }

  bool AwaitShares(const std::map<std::string, size_t>& shares) {
    return WaitUntil([&] {
      for (const auto& [member, count] : shares) {
        if (ledger_.Of(member).size() != count) return false;
      }
      return true;
    });
  }

  KafkaGroupOptions options_;
  Ledger ledger_;
};

TEST_F(KafkaBrokerGroupTest, MembersShareAndWhatStaysIsNotDisturbed) {
  const auto first = Join("first");
  ASSERT_TRUE(AwaitShares({{"first", kPartitions}}));
  const auto second = Join("second");
  ASSERT_TRUE(AwaitShares({{"first", 3}, {"second", 3}}));
  EXPECT_THAT(first->revoked(), SizeIs(3));
  EXPECT_EQ(first->revoked(), ledger_.Of("second"));
  const auto third = Join("third");
  ASSERT_TRUE(AwaitShares({{"first", 2}, {"second", 2}, {"third", 2}}));
  EXPECT_THAT(first->revoked(), SizeIs(4));
  EXPECT_THAT(second->revoked(), SizeIs(1));
}

TEST_F(KafkaBrokerGroupTest, AMemberThatIsSilentLosesAllAfterTheSession) {
  const auto first = Join("first");
  auto second = Join("second");
  ASSERT_TRUE(AwaitShares({{"first", 3}, {"second", 3}}));
  const std::set<int> kept = ledger_.Of("first");
  const std::set<int> revoked = first->revoked();
  const absl::Time gone = absl::Now();
  second.reset();
  // Its own process hears of it at once.
  EXPECT_THAT(ledger_.Of("second"), IsEmpty());
  ASSERT_TRUE(AwaitShares({{"first", kPartitions}}));
  // Three missed heartbeats of twelve are forgiven.
  EXPECT_GT(absl::Now() - gone, options_.session_timeout * 3 / 4);
  EXPECT_EQ(first->revoked(), revoked) << "what it had was not disturbed";
  EXPECT_THAT(first->failures(), IsEmpty());
}

TEST_F(KafkaBrokerGroupTest, AMemberThatIsBackWithinTheSessionMovesNothing) {
  const auto first = Join("first");
  auto second = Join("second");
  ASSERT_TRUE(AwaitShares({{"first", 3}, {"second", 3}}));
  const std::set<int> of_second = ledger_.Of("second");
  const std::set<int> revoked = first->revoked();
  const int assignments = first->assignments();
  for (int i = 0; i < 2; ++i) {
    second.reset();
    second = Join("second");
    ASSERT_TRUE(AwaitShares({{"second", 3}}));
    EXPECT_EQ(ledger_.Of("second"), of_second);
  }
  // Nor does it when the session of the one that ended is over.
  absl::SleepFor(options_.session_timeout * 3 / 2);
  EXPECT_EQ(ledger_.Of("second"), of_second);
  EXPECT_EQ(first->revoked(), revoked);
  EXPECT_EQ(first->assignments(), assignments);
  EXPECT_THAT(second->revoked(), IsEmpty());
}

// As a process that is stopped before it has really started.
TEST_F(KafkaBrokerGroupTest, AMemberMayLeaveWhileItStillJoins) {
  const auto first = Join("first");
  ASSERT_TRUE(AwaitShares({{"first", kPartitions}}));
  for (int i = 0; i < 40; ++i) {
    const auto second = Join("second");
    absl::SleepFor(absl::Milliseconds(10 * i));
  }
  EXPECT_THAT(ledger_.Of("second"), IsEmpty());
  ASSERT_TRUE(AwaitShares({{"first", kPartitions}}));
  EXPECT_THAT(first->failures(), IsEmpty());
}

TEST_F(KafkaBrokerGroupTest, OfTwoWithOneInstanceTheFirstIsToldAndOnce) {
  const auto other = Join("other");
  auto first = Join("first", "same");
  ASSERT_TRUE(AwaitShares({{"other", 3}, {"first", 3}}));
  const std::set<int> of_first = ledger_.Of("first");
  const std::set<int> revoked = other->revoked();
  const absl::Time begin = absl::Now();
  // The second is given them while the first does not know yet: claims decide.
  Ledger of_its_own;
  KafkaGroupOptions options = options_;
  options.instance = "same";
  const Member second(options, of_its_own, "second");
  ASSERT_TRUE(WaitUntil([&] { return of_its_own.Of("second") == of_first; }));
  ASSERT_TRUE(WaitUntil([&] { return !first->failures().empty(); }));
  EXPECT_LT(absl::Now() - begin, options_.session_timeout);
  // Whatever else comes of it.
  absl::SleepFor(options_.session_timeout);
  ASSERT_THAT(first->failures(), SizeIs(1));
  const absl::Status failure = first->failures().front();
  EXPECT_TRUE(absl::IsFailedPrecondition(failure)) << failure;
  EXPECT_THAT(std::string(failure.message()), HasSubstr("FENCED_INSTANCE_ID"));
  EXPECT_THAT(std::string(failure.message()), HasSubstr("same"));
  first.reset();
  EXPECT_THAT(ledger_.Of("first"), IsEmpty());
  EXPECT_THAT(second.failures(), IsEmpty());
  EXPECT_EQ(of_its_own.Of("second"), of_first);
  EXPECT_EQ(other->revoked(), revoked);
}

}  // namespace
}  // namespace aftercare::contract
