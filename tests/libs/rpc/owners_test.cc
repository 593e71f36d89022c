#include "libs/rpc/owners.h"

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/log/embedded_log.h"
#include "libs/log/fold.h"
#include "libs/testing/temp_dir.h"

namespace aftercare::rpc {
namespace {

using log::TopicPartition;

constexpr char kTopic[] = "aftercare.intake.events.v1";
constexpr int64_t kWide = 1000;

// Passes on to another log; counts who asks, and can be away or slow.
class FlakyLog final : public log::Log {
 public:
  explicit FlakyLog(log::Log& log) : log_(log) {}

  absl::StatusOr<int64_t> End(const TopicPartition& partition) override {
    ++reads_;
    const std::lock_guard held(gate_);
    if (away_) return absl::UnavailableError("no broker");
    return log_.End(partition);
  }
  absl::StatusOr<std::unique_ptr<log::Reader>> OpenReader(
      const TopicPartition& partition, int64_t offset) override {
    return log_.OpenReader(partition, offset);
  }
  absl::Status EnsureTopic(absl::string_view, int) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<int> PartitionCount(absl::string_view) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<std::unique_ptr<log::Appender>> OpenAppender(
      const TopicPartition&) override {
    return absl::UnimplementedError("");
  }

  int reads() const { return reads_; }
  void set_away(bool away) { away_ = away; }
  // Whoever holds it holds up everyone who asks.
  std::mutex& gate() { return gate_; }

 private:
  log::Log& log_;
  std::atomic<int> reads_{0};
  std::atomic<bool> away_{false};
  std::mutex gate_;
};

class OwnersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log::EmbeddedLogOptions options;
    options.directory = dir_ / "log";
    log_ = log::EmbeddedLog::Open(options).value();
    ASSERT_TRUE(log_->EnsureTopic(kTopic, 2).ok());
    flaky_ = std::make_unique<FlakyLog>(*log_);
  }

  // Appends and waits; the last one's offset.
  int64_t Append(std::vector<log::Record> records, int partition = 0) {
    auto appender = log_->OpenAppender({kTopic, partition}).value();
    std::promise<int64_t> last;
    for (size_t i = 0; i < records.size(); ++i) {
      appender->Append(std::move(records[i]),
                       [&, is_last = i + 1 == records.size()](
                           absl::StatusOr<int64_t> offset) {
                         if (is_last) last.set_value(offset.value());
                       });
    }
    return last.get_future().get();
  }
  int64_t Claim(const std::string& address, int partition = 0) {
    return Append({log::MakeClaim({"owner of " + address, "n", address})},
                  partition);
  }
  // Records written under a claim, whether or not they are late.
  void Write(int64_t claim, int count) {
    std::vector<log::Record> records(static_cast<size_t>(count));
    for (size_t i = 0; i < records.size(); ++i) {
      records[i].key = "k";
      log::StampEvent(records[i], claim, static_cast<int64_t>(i), false);
    }
    Append(std::move(records));
  }
  std::string Read(int64_t window) {
    return ReadOwner(*flaky_, {kTopic, 0}, window).value();
  }

  static absl::StatusOr<std::string> Find(Owners& owners, int partition = 0) {
    return Ask(owners, partition).get();
  }
  static std::future<absl::StatusOr<std::string>> Ask(Owners& owners,
                                                      int partition = 0) {
    auto answer = std::make_shared<std::promise<absl::StatusOr<std::string>>>();
    owners.Find({kTopic, partition}, [answer](absl::StatusOr<std::string> got) {
      answer->set_value(std::move(got));
    });
    return answer->get_future();
  }
  // As a caller who found that the address is of no use.
  static void Forget(Owners& owners, const std::string& address) {
    absl::SleepFor(Owners::kPause);
    owners.Forget({kTopic, 0}, address);
  }

  testing::TempDir dir_;
  std::unique_ptr<log::EmbeddedLog> log_;
  std::unique_ptr<FlakyLog> flaky_;
};

TEST_F(OwnersTest, NobodyOwnsWhatNobodyHasClaimed) {
  EXPECT_EQ(Read(kWide), "");
  log::Record foreign;
  foreign.key = "k";
  foreign.headers = {{std::string(log::kClaimHeader), "no number"}};
  Append({log::Record(), foreign});
  EXPECT_EQ(Read(kWide), "");
}

TEST_F(OwnersTest, TheLastClaimCounts) {
  Write(Claim("a:1"), 3);
  EXPECT_EQ(Read(kWide), "a:1");
  Claim("b:1");
  EXPECT_EQ(Read(kWide), "b:1");
  EXPECT_EQ(Read(1), "b:1");
}

TEST_F(OwnersTest, AClaimFarBackIsNamedByItsRecords) {
  Claim("a:1");
  const int64_t claim = Claim("b:1");
  Write(claim, 2500);
  for (const int64_t window : {1, 10, 2000}) {
    EXPECT_EQ(Read(window), "b:1") << window;
  }
}

TEST_F(OwnersTest, LateRecordsOfAnEarlierOwnerDoNotCountBesideTheLast) {
  const int64_t earlier = Claim("a:1");
  const int64_t last = Claim("b:1");
  Write(earlier, 5);
  EXPECT_EQ(Read(6), "b:1");
  Write(last, 1);
  Write(earlier, 5);
  EXPECT_EQ(Read(6), "b:1") << "its record is there, its claim is not";
  EXPECT_EQ(Read(5), "a:1") << "nothing in the window says otherwise";
}

// A record cannot stand before the claim it was written under; an offset of the
// future would make anyone the owner.
TEST_F(OwnersTest, ARecordThatNamesAClaimOfTheFutureSaysNothing) {
  const int64_t claim = Claim("a:1");
  Write(100, 1);
  EXPECT_EQ(Read(kWide), "a:1");
  Write(claim, 1);
  EXPECT_EQ(Read(2), "a:1");
}

TEST_F(OwnersTest, AnErrorOfTheLogIsPassedOn) {
  EXPECT_TRUE(absl::IsNotFound(ReadOwner(*log_, {"no", 0}, 1).status()));
  flaky_->set_away(true);
  EXPECT_TRUE(absl::IsUnavailable(ReadOwner(*flaky_, {kTopic, 0}, 1).status()));
}

TEST_F(OwnersTest, WhatIsKnownIsNotReadAgain) {
  Claim("a:1");
  Claim("b:1", 1);
  Owners owners(*flaky_);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Find(owners).value(), "a:1");
    EXPECT_EQ(Find(owners, 1).value(), "b:1");
  }
  EXPECT_EQ(flaky_->reads(), 2);
  // A claim alone changes nothing: who asks the deposed owner is told.
  Claim("c:1");
  EXPECT_EQ(Find(owners).value(), "a:1");
}

TEST_F(OwnersTest, AnAddressThatProvedWrongIsReadAgain) {
  Claim("a:1");
  Owners owners(*flaky_);
  EXPECT_EQ(Find(owners).value(), "a:1");
  Claim("b:1");
  Forget(owners, "a:1");
  EXPECT_EQ(Find(owners).value(), "b:1");
  // Somebody learns of the first only now.
  Forget(owners, "a:1");
  EXPECT_EQ(Find(owners).value(), "b:1");
  EXPECT_EQ(flaky_->reads(), 2);
}

TEST_F(OwnersTest, TheLogIsNotAskedAgainWithinThePause) {
  Claim("a:1");
  Owners owners(*flaky_);
  EXPECT_EQ(Find(owners).value(), "a:1");
  const absl::Time read = absl::Now();
  Claim("b:1");
  owners.Forget({kTopic, 0}, "a:1");
  const std::string found = Find(owners).value();
  if (absl::Now() - read < Owners::kPause) {
    EXPECT_EQ(found, "a:1");
    EXPECT_EQ(flaky_->reads(), 1);
  }
  absl::SleepFor(Owners::kPause);
  EXPECT_EQ(Find(owners).value(), "b:1");
}

// A deposed owner may have had more in flight than the window holds.
TEST_F(OwnersTest, AnAddressThatStaysWrongIsSoughtFurtherBack) {
  const int64_t earlier = Claim("a:1");
  Claim("b:1");
  Write(earlier, 3000);
  Owners owners(*flaky_);
  std::string found = Find(owners).value();
  EXPECT_EQ(found, "a:1");
  for (int i = 0; i < 4 && found != "b:1"; ++i) {
    Forget(owners, found);
    found = Find(owners).value();
  }
  EXPECT_EQ(found, "b:1");
}

TEST_F(OwnersTest, WithoutAClaimItIsRefusedUntilThereIsOne) {
  Owners owners(*flaky_);
  const absl::Status nobody = Find(owners).status();
  EXPECT_TRUE(absl::IsUnavailable(nobody)) << nobody;
  EXPECT_EQ(ReasonOf(nobody), "NOT_OWNER");
  EXPECT_TRUE(nobody.GetPayload(kRetryInfoUrl).has_value());
  Claim("a:1");
  EXPECT_EQ(Find(owners).value(), "a:1");
}

TEST_F(OwnersTest, AnUnreachableLogIsRefusedUntilItIsBack) {
  Claim("a:1");
  Owners owners(*flaky_);
  flaky_->set_away(true);
  for (int i = 0; i < 2; ++i) {
    const absl::Status away = Find(owners).status();
    EXPECT_TRUE(absl::IsUnavailable(away)) << away;
    EXPECT_EQ(ReasonOf(away), "LOG_UNAVAILABLE");
    EXPECT_TRUE(away.GetPayload(kRetryInfoUrl).has_value());
  }
  flaky_->set_away(false);
  EXPECT_EQ(Find(owners).value(), "a:1");
}

TEST_F(OwnersTest, WhoeverAsksMeanwhileGetsTheSameAnswer) {
  Claim("a:1");
  Claim("b:1", 1);
  Owners owners(*flaky_);
  std::vector<std::future<absl::StatusOr<std::string>>> answers;
  {
    const std::lock_guard held(flaky_->gate());
    for (int i = 0; i < 20; ++i) answers.push_back(Ask(owners));
  }
  for (auto& answer : answers) EXPECT_EQ(answer.get().value(), "a:1");
  // What is asked later is read later.
  EXPECT_EQ(Find(owners, 1).value(), "b:1");
  EXPECT_EQ(flaky_->reads(), 2);
}

TEST_F(OwnersTest, NobodyIsLeftWithoutAnAnswerAtTheEnd) {
  Claim("a:1");
  Claim("b:1", 1);
  auto owners = std::make_unique<Owners>(*flaky_);
  std::unique_lock held(flaky_->gate());
  auto asked = Ask(*owners);
  while (flaky_->reads() == 0) std::this_thread::yield();
  auto queued = Ask(*owners, 1);
  std::thread end([&] { owners.reset(); });
  // Until the end has begun the queued one would be answered as well.
  absl::SleepFor(absl::Milliseconds(100));
  held.unlock();
  end.join();
  EXPECT_EQ(asked.get().value(), "a:1");
  EXPECT_EQ(ReasonOf(queued.get().status()), "SHUTTING_DOWN");
}

}  // namespace
}  // namespace aftercare::rpc
