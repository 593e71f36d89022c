// Several processes on a real Kafka, under load and faults of every kind; then
// what every caller was told is held against the topics.
//
//   AFTERCARE_FAULT_SECONDS  how long (60)
//   AFTERCARE_FAULT_NODES    brokers, 1 or 3 (1)
//   AFTERCARE_SEED           of the faults and the load
//   AFTERCARE_FAULTS         only faults whose name has this text in it

#include "tests/system/fleet.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gtest/gtest.h"
#include "libs/log/fold.h"
#include "tests/contract/dev_kafka.h"
#include "tests/system/history.h"
#include "tests/system/network.h"

namespace aftercare::testing {
namespace {

constexpr int kCallers = 8;

// Why there is no network to cut; empty: there is one.
std::string& NoNetwork() {
  static std::string why;
  return why;
}

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoll(given, nullptr, 10);
}

class FleetTest : public ::testing::Test {
 protected:
  struct Fault {
    std::string name;
    std::function<void()> happen;
  };

  void SetUp() override {
    seed_ = static_cast<uint64_t>(FromEnvironment(
        "AFTERCARE_SEED", static_cast<int64_t>(std::random_device()())));
    random_.seed(seed_);
    const int brokers =
        static_cast<int>(FromEnvironment("AFTERCARE_FAULT_NODES", 1));
    const absl::Status started = fleet_.Start(brokers);
    if (absl::IsUnavailable(started) &&
        absl::StrContains(started.message(), "no Kafka here")) {
      GTEST_SKIP() << started.message();
    }
    ASSERT_TRUE(started.ok()) << started;
    std::printf("AFTERCARE_SEED=%llu, %d broker(s)\n",
                static_cast<unsigned long long>(seed_), brokers);
  }

  // At random between the two, in milliseconds.
  void Pause(int from, int to) {
    absl::SleepFor(absl::Milliseconds(
        from + static_cast<int>(random_() % static_cast<uint64_t>(to - from))));
  }

  Fleet::Member& AnyMember() {
    return fleet_.member(
        static_cast<int>(random_() % static_cast<uint64_t>(fleet_.members())));
  }

  int AnyBroker() {
    return 1 + static_cast<int>(random_() %
                                static_cast<uint64_t>(fleet_.brokers()));
  }

  void Start(Fleet::Member& member) {
    ASSERT_EQ(fleet_.StartMember(member), absl::OkStatus());
  }

  // Each is healed when it returns. Those that cannot be had here are said and
  // left out.
  std::vector<Fault> AllFaults();
  void ComeAndGo();
  void Scale();
  void FillDisk();
  void StepClock();
  void WriteAsDeposedOwner();

  // After load and faults: everything calm, and every answer in the topics.
  void Check(const std::vector<std::unique_ptr<Caller>>& callers,
             absl::Duration lasted, int faults);

  uint64_t seed_ = 0;
  std::mt19937_64 random_;
  Fleet fleet_;
  Checker checker_;
  int deposed_records_ = 0;
  std::atomic<int64_t> answered_{0};
  // What happened beside the faults themselves.
  std::map<std::string, int> also_;
};

std::vector<FleetTest::Fault> FleetTest::AllFaults() {
  std::vector<Fault> faults;
  const auto add = [&](const char* name, std::function<void()> happen,
                       const std::string& missing = "") {
    const char* only = std::getenv("AFTERCARE_FAULTS");
    if (only != nullptr && !absl::StrContains(name, only)) return;
    if (missing.empty()) {
      faults.push_back({name, std::move(happen)});
    } else {
      std::printf("LEFT OUT: %s (%s)\n", name, missing.c_str());
    }
  };
  add("process killed, started again at once", [this] {
    Fleet::Member& member = AnyMember();
    member.daemon->Kill();
    Start(member);
  });
  add("process killed, its rows deleted", [this] {
    Fleet::Member& member = AnyMember();
    member.daemon->Kill();
    std::filesystem::remove_all(member.daemon->data() + "/shards");
    Start(member);
  });
  add("process killed, rows and checkpoints deleted", [this] {
    Fleet::Member& member = AnyMember();
    member.daemon->Kill();
    std::filesystem::remove_all(member.daemon->data() + "/shards");
    // Others may be writing there.
    std::error_code ignored;
    std::filesystem::remove_all(fleet_.checkpoints(), ignored);
    Start(member);
  });
  add("process gone for longer than a session", [this] {
    Fleet::Member& member = AnyMember();
    member.daemon->Kill();
    Pause(7000, 9000);
    Start(member);
  });
  add("process frozen for longer than a session, then awake", [this] {
    Fleet::Member& member = AnyMember();
    member.daemon->Pause();
    Pause(7000, 10000);
    member.daemon->Resume();
  });
  add("process stopped in order, started again", [this] {
    Fleet::Member& member = AnyMember();
    EXPECT_EQ(fleet_.Stop(member), absl::OkStatus());
    Pause(0, 500);
    Start(member);
  });
  add("processes come and go every few seconds", [this] { ComeAndGo(); });
  add("scaled from three processes to one, to three and again",
      [this] { Scale(); });
  const std::string no_brokers =
      fleet_.kafka().own() ? "" : "the brokers are not ours";
  add(
      "broker killed, started again",
      [this] {
        const int node = AnyBroker();
        ASSERT_EQ(fleet_.kafka().Node("kill", node), absl::OkStatus());
        Pause(0, 1000);
        ASSERT_EQ(fleet_.kafka().Node("start", node), absl::OkStatus());
      },
      no_brokers);
  add(
      "broker frozen, then awake",
      [this] {
        const int node = AnyBroker();
        ASSERT_EQ(fleet_.kafka().Node("pause", node), absl::OkStatus());
        Pause(500, 3000);
        ASSERT_EQ(fleet_.kafka().Node("resume", node), absl::OkStatus());
      },
      no_brokers);
  const auto cut = [this](int cable, int from, int to) {
    ASSERT_EQ(network::Cut(cable), absl::OkStatus());
    Pause(from, to);
    ASSERT_EQ(network::Heal(cable), absl::OkStatus());
  };
  add(
      "process cut off the network for a moment",
      [this, cut] { cut(AnyMember().cable, 1000, 5000); }, NoNetwork());
  add(
      "process cut off the network for longer than a session",
      [this, cut] { cut(AnyMember().cable, 8000, 15000); }, NoNetwork());
  add(
      "broker cut off the network",
      [this, cut] {
        // A lone one is missed by everybody.
        cut(fleet_.CableOfBroker(AnyBroker()), 1000,
            fleet_.brokers() > 1 ? 15000 : 5000);
      },
      NoNetwork());
  add(
      "disk of a process full", [this] { FillDisk(); },
      fleet_.small_disk() == nullptr ? "no disk of its own: " + NoNetwork()
                                     : "");
  add(
      "clock of a process stepped back and forth", [this] { StepClock(); },
      fleet_.odd_clock() == nullptr ? "not on this kind of processor" : "");
  add("records of a deposed owner, repeated and late, and of a stranger",
      [this] { WriteAsDeposedOwner(); });
  return faults;
}

// Every change of the group stops what moves for a moment.
void FleetTest::ComeAndGo() {
  for (int i = 0; i < 3; ++i) {
    const auto guest = fleet_.MakeGuest();
    Start(*guest);
    Pause(2000, 4000);
    if (i % 2 == 0) {
      EXPECT_EQ(fleet_.Stop(*guest), absl::OkStatus());
    } else {
      guest->daemon->Kill();
    }
  }
}

void FleetTest::Scale() {
  const auto served = [this](const char* how) {
    absl::Status calm = fleet_.AwaitCalm();
    if (calm.ok()) calm = fleet_.AwaitServed();
    if (!calm.ok())
      checker_.Violation(absl::StrCat(how, ": ", calm.ToString()));
  };
  for (int times = 0; times < 2; ++times) {
    for (int i = 1; i < Fleet::kIntake; ++i) {
      EXPECT_EQ(fleet_.Stop(fleet_.member(i)), absl::OkStatus());
    }
    served("one process");
    for (int i = 1; i < Fleet::kIntake; ++i) Start(fleet_.member(i));
    served("three processes");
  }
}

void FleetTest::FillDisk() {
  ASSERT_EQ(fleet_.FillDisk(), absl::OkStatus());
  Pause(3000, 8000);
  fleet_.FreeDisk();
}

void FleetTest::StepClock() {
  const std::vector<absl::Duration> offsets = {
      absl::Hours(1), -absl::Hours(1), absl::Seconds(4), -absl::Seconds(4)};
  for (int i = 0; i < 4; ++i) {
    fleet_.SetClock(offsets[random_() % offsets.size()]);
    Pause(1000, 3000);
  }
  fleet_.SetClock(absl::ZeroDuration());
}

void FleetTest::WriteAsDeposedOwner() {
  const log::TopicPartition where{
      random_() % 2 == 0 ? kIntakeTopic : kDispatchTopic,
      static_cast<int>(random_() % kPartitions)};
  const auto end = fleet_.log().End(where);
  auto reader = fleet_.log().OpenReader(where, 0);
  // A broker may still be busy with the fault before.
  if (!end.ok() || !reader.ok()) return;
  log::Record counted;
  int64_t claim = -1;    // in force
  int64_t deposed = -1;  // the one before it
  std::map<int64_t, int64_t> next;
  log::Fold fold;
  while ((*reader)->position() < *end) {
    auto records = (*reader)->Read(1000, absl::Seconds(10));
    if (!records.ok() || records->empty()) return;
    for (log::StoredRecord& record : *records) {
      const log::FoldStep step = fold.Apply(std::move(record));
      if (step.kind == log::FoldStep::Kind::kClaim) {
        deposed = claim;
        claim = fold.claim();
      }
      if (!step.group.empty()) counted = step.group.back().record;
      next[fold.claim()] = fold.next();
    }
  }
  auto appender = fleet_.log().OpenAppender(where);
  if (!appender.ok()) return;
  std::vector<log::Record> late;
  // What a passer-by writes into the topic.
  late.emplace_back();
  late.back().key = "companies/acme/customers/nobody";
  late.back().value = "hello";
  if (!counted.headers.empty()) late.push_back(counted);
  if (!counted.headers.empty() && deposed >= 0) {
    // As if it had come at last: what the deposed owner would have said next.
    log::Record fresh = counted;
    for (auto& [name, value] : fresh.headers) {
      if (name == log::kClaimHeader) value = absl::StrCat(deposed);
      if (name == log::kSeqHeader) value = absl::StrCat(next[deposed]);
      if (name == "ce_id") value += "-late";
      if (name == "ce_requestid") value += "-late";
    }
    late.push_back(std::move(fresh));
  }
  std::atomic<int> answers{0};
  std::atomic<int> there{0};
  for (const log::Record& record : late) {
    (*appender)->Append(record, [&](const absl::StatusOr<int64_t>& offset) {
      there += offset.ok() ? 1 : 0;
      ++answers;
    });
  }
  const absl::Time until = absl::Now() + absl::Seconds(15);
  while (answers < static_cast<int>(late.size()) && absl::Now() < until) {
    absl::SleepFor(absl::Milliseconds(10));
  }
  appender->reset();
  deposed_records_ += there;
}

void FleetTest::Check(const std::vector<std::unique_ptr<Caller>>& callers,
                      absl::Duration lasted, int faults) {
  const auto parked = fleet_.AwaitReactions();
  if (!parked.ok()) checker_.Violation(parked.status().ToString());
  checker_.ReadTopic(fleet_.log(), kIntakeTopic, kPartitions);
  checker_.ReadTopic(fleet_.log(), kDispatchTopic, kPartitions);
  std::vector<const History*> histories;
  History all;
  size_t accepted = 0;
  size_t refused = 0;
  for (const auto& caller : callers) {
    const History& history = caller->history();
    histories.push_back(&history);
    accepted += history.accepted.size();
    refused += history.refused.size();
    all.calls += history.calls;
    all.unknown += history.unknown;
    all.reads += history.reads;
    all.busy += history.busy;
  }
  checker_.Compare(histories, parked.value_or(std::set<std::string>()));
  for (const std::string& problem : fleet_.Verify()) {
    checker_.Violation(problem);
  }
  const auto number = [](auto n) { return static_cast<long long>(n); };
  std::printf(
      "in the topics: events %lld, bookings %lld, repairs %lld, claims %lld, "
      "void records %lld (%d of them written by the test)\n",
      number(checker_.events()), number(checker_.bookings()),
      number(checker_.repairs()), number(checker_.claims()),
      number(checker_.void_records()), deposed_records_);
  std::printf(
      "summary: seconds %lld, faults %d, calls %lld, OK %lld, refused %lld "
      "(technician busy %lld), unknown %lld, reads %lld, parked %lld, "
      "violations %lld\n",
      number(absl::ToInt64Seconds(lasted)), faults, number(all.calls),
      number(accepted), number(refused), number(all.busy), number(all.unknown),
      number(all.reads), number(parked.ok() ? parked->size() : 0),
      number(checker_.violations().size()));
  for (size_t i = 0; i < std::min<size_t>(20, checker_.violations().size());
       ++i) {
    ADD_FAILURE() << checker_.violations()[i];
  }
  EXPECT_EQ(checker_.violations().size(), 0u);
  EXPECT_GT(accepted, 50u);
  EXPECT_GT(refused, 0u);
  EXPECT_GT(all.reads, 0);
  EXPECT_GT(checker_.bookings(), 0);
  // Of so many some must have wanted the same time.
  if (checker_.bookings() >= 50) {
    EXPECT_GT(all.busy, 0);
  }
  EXPECT_GE(checker_.void_records(), deposed_records_);
}

TEST_F(FleetTest, WhatCallersWereToldIsWhatTheTopicsHold) {
  ASSERT_EQ(fleet_.AwaitCalm(), absl::OkStatus());
  const absl::Time begin = absl::Now();
  const absl::Time until =
      begin + absl::Seconds(FromEnvironment("AFTERCARE_FAULT_SECONDS", 60));
  std::vector<std::unique_ptr<Caller>> callers;
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  for (int c = 0; c < kCallers; ++c) {
    callers.push_back(std::make_unique<Caller>(
        c, random_(),
        [this](auto& random, auto service, auto method, const auto& request,
               const auto& actor, std::string& from) {
          auto answer =
              fleet_.CallAny(random, service, method, request, actor, from);
          answered_ += answer.ok() ? 1 : 0;
          return answer;
        }));
    threads.emplace_back(
        [&stop, caller = callers.back().get()] { caller->Run(stop); });
  }
  // All kinds in some order, then all in another: a short run sees many, a long
  // one all alike.
  std::vector<Fault> kinds = AllFaults();
  if (kinds.empty()) ADD_FAILURE() << "no fault is left";
  std::map<std::string, int> counts;
  int faults = 0;
  for (size_t i = 0;
       !kinds.empty() && absl::Now() < until && !HasFatalFailure(); ++i) {
    if (i % kinds.size() == 0) {
      std::shuffle(kinds.begin(), kinds.end(), random_);
    }
    const Fault& fault = kinds[i % kinds.size()];
    ++counts[fault.name];
    ++faults;
    std::printf("%6.1f s, %6lld good answers: %s\n",
                absl::ToDoubleSeconds(absl::Now() - begin),
                static_cast<long long>(answered_), fault.name.c_str());
    std::fflush(stdout);
    fault.happen();
    Pause(200, 3000);
    for (const std::string& ended : fleet_.Supervise()) {
      checker_.Violation(absl::StrCat(
          ended, " ended by itself during or after: ", fault.name));
    }
  }
  const absl::Duration lasted = absl::Now() - begin;
  const absl::Status calm =
      HasFatalFailure() ? absl::OkStatus() : fleet_.AwaitCalm();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (const auto& [fault, times] : counts) {
    std::printf("%3d x %s\n", times, fault.c_str());
  }
  if (fleet_.fenced() > 0) {
    also_["times a process was fenced by its own past and started again"] =
        fleet_.fenced();
  }
  for (const auto& [what, times] : also_) {
    std::printf("    %d %s\n", times, what.c_str());
  }
  ASSERT_EQ(calm, absl::OkStatus());
  if (HasFatalFailure()) return;
  Check(callers, lasted, faults);
}

TEST_F(FleetTest, AStandbyTakesOverFromAKilledOwner) {
  ASSERT_EQ(fleet_.AwaitCalm(), absl::OkStatus());
  Daemon& owner = *fleet_.member(1).daemon;
  const auto status = owner.Status();
  ASSERT_TRUE(status.ok());
  std::set<int> lost;
  for (const auto& shard : status->shards()) {
    if (shard.state() == admin::v1::Shard::SERVING) {
      lost.insert(shard.partition());
    }
  }
  ASSERT_FALSE(lost.empty());
  owner.Kill();
  const absl::Time begin = absl::Now();
  ASSERT_EQ(fleet_.AwaitServed(), absl::OkStatus());
  // Measured, not asserted to the second: machines differ.
  std::printf(
      "from SIGKILL of an owner to the first OK for each of its "
      "partitions: %.1f s\n",
      absl::ToDoubleSeconds(absl::Now() - begin));
  Start(fleet_.member(1));
}

}  // namespace
}  // namespace aftercare::testing

// Kafka comes by the real network; after that the test has one of its own.
int main(int argc, char** argv) {
  using aftercare::testing::NoNetwork;
  testing::InitGoogleTest(&argc, argv);
  const char* given = std::getenv("AFTERCARE_KAFKA");
  const absl::Status fetched = aftercare::contract::DevKafka::Fetch();
  if (given != nullptr && *given != '\0') {
    NoNetwork() = "the brokers are not ours";
  } else if (fetched.ok()) {
    if (const absl::Status entered = aftercare::testing::network::Enter();
        !entered.ok()) {
      NoNetwork() = std::string(entered.message());
    }
  }
  return RUN_ALL_TESTS();
}
