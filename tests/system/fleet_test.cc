// Several processes on a real Kafka, under load and faults of every kind; then
// what every caller was told is held against the topics.
//
//   AFTERCARE_FAULT_SECONDS  how long (30)
//   AFTERCARE_FAULT_NODES    brokers, 1 or 3 (1)
//   AFTERCARE_SEED           of the faults and the load

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/log/fold.h"
#include "libs/log/kafka_log.h"
#include "libs/testing/temp_dir.h"
#include "tests/contract/dev_kafka.h"
#include "tests/system/daemon.h"

namespace aftercare::testing {
namespace {

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";
constexpr int kInstances = 3;
constexpr int kPartitions = 4;
constexpr int kCallers = 6;
// A caller gives one process this long before it asks another.
constexpr absl::Duration kCallDeadline = absl::Seconds(8);

int64_t FromEnvironment(const char* name, int64_t otherwise) {
  const char* given = std::getenv(name);
  return given == nullptr ? otherwise : std::strtoll(given, nullptr, 10);
}

// What one caller did and was told.
struct History {
  int64_t calls = 0;
  int64_t unknown = 0;             // answers that left the outcome open
  std::set<std::string> accepted;  // request_ids
  std::set<std::string> refused;
  int64_t reads = 0;
  std::vector<std::string> stale;  // reads that did not see an OK before them
};

class FleetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    seed_ = static_cast<uint64_t>(FromEnvironment(
        "AFTERCARE_SEED", static_cast<int64_t>(std::random_device()())));
    random_.seed(seed_);
    nodes_ = static_cast<int>(FromEnvironment("AFTERCARE_FAULT_NODES", 1));
    auto kafka = contract::DevKafka::Start(nodes_);
    if (absl::IsUnavailable(kafka.status())) {
      GTEST_SKIP() << "no Kafka here: " << kafka.status().message();
    }
    ASSERT_TRUE(kafka.ok()) << kafka.status();
    kafka_ = *std::move(kafka);
    std::printf("AFTERCARE_SEED=%llu, %d broker(s)\n",
                static_cast<unsigned long long>(seed_), nodes_);
    for (int i = 0; i < kInstances; ++i) {
      intake_.push_back(std::make_unique<Daemon>(
          dir_ / absl::StrCat("intake-", i), "aftercare-intake"));
      ASSERT_EQ(StartIntake(i), absl::OkStatus());
    }
    for (const char* service : {"dispatch", "returns", "scoring"}) {
      others_.push_back(std::make_unique<Daemon>(
          dir_ / service, absl::StrCat("aftercare-", service)));
      ASSERT_EQ(others_.back()->Start(FlagsOf(service)), absl::OkStatus());
    }
    const absl::Time until = absl::Now() + absl::Seconds(60);
    absl::Status applied;
    do {
      applied = intake_[0]->ApplyDemoHandbook();
    } while (!applied.ok() && absl::Now() < until);
    ASSERT_TRUE(applied.ok()) << applied;
  }

  void TearDown() override {
    for (auto& daemon : intake_) daemon->Kill();
    for (auto& daemon : others_) daemon->Kill();
  }

  std::vector<std::string> FlagsOf(const std::string& instance) const {
    return {"--kafka.brokers",
            kafka_->bootstrap_servers(),
            "--kafka.replication-factor",
            absl::StrCat(kafka_->replication_factor()),
            "--kafka.min-insync-replicas",
            absl::StrCat(kafka_->min_insync_replicas()),
            "--partitions",
            absl::StrCat(kPartitions),
            "--instance",
            instance,
            "--checkpoint-dir",
            dir_ / "checkpoints",
            "--checkpoint-seconds",
            "5"};
  }

  absl::Status StartIntake(int i) {
    auto flags = FlagsOf(absl::StrCat("intake-", i));
    flags.insert(flags.end(), {"--standby", absl::StrCat(kPartitions)});
    const absl::Status started = intake_[static_cast<size_t>(i)]->Start(flags);
    return started;
  }

  // Any process will do; callers do not know which ones are well. Repeats the
  // call until its outcome is known.
  absl::StatusOr<std::string> Insist(std::mt19937_64& random, History& history,
                                     absl::string_view method,
                                     const std::string& request) {
    while (true) {
      const Daemon& daemon = *intake_[random() % kInstances];
      ++history.calls;
      auto answer =
          daemon.CallRaw(kIntake, method, request, "agent-li", kCallDeadline);
      if (!absl::IsUnavailable(answer.status()) &&
          !absl::IsDeadlineExceeded(answer.status()) &&
          !absl::IsCancelled(answer.status())) {
        return answer;
      }
      ++history.unknown;
      absl::SleepFor(absl::Milliseconds(20));
    }
  }

  void Load(int caller, uint64_t seed, History& history) {
    std::mt19937_64 random(seed);
    int number = 0;
    // Of this caller's cases: the least etag that a read may show. Events of
    // the case itself count it up, and only this caller asks for them.
    std::map<std::string, int64_t> etags;
    std::vector<std::string> customers;
    const auto settle = [&](const std::string& id,
                            const absl::StatusOr<std::string>& answer) {
      if (answer.ok()) {
        history.accepted.insert(id);
      } else {
        history.refused.insert(id);
      }
      return answer.ok();
    };
    while (!stop_) {
      const std::string id = absl::StrCat("r-", caller, "-", number++);
      const uint64_t dice = random() % 20;
      if (customers.empty() || dice == 0) {
        intake::v1::RegisterCustomerRequest request;
        request.set_parent("companies/acme");
        request.set_customer_id(absl::StrCat("c-", caller, "-", number));
        request.set_display_name("王小明 🙂");
        request.set_region("beijing");
        request.set_request_id(id);
        if (settle(id, Insist(random, history, "RegisterCustomer",
                              request.SerializeAsString()))) {
          customers.push_back(
              absl::StrCat("companies/acme/customers/", request.customer_id()));
        }
      } else if (etags.empty() || dice < 8) {
        intake::v1::OpenCaseRequest request;
        request.set_parent(customers[random() % customers.size()]);
        request.set_kind(intake::v1::Case::INQUIRY);
        request.set_channel("hotline");
        request.set_subject("空调不制冷");
        request.set_product_line("appliance");
        request.set_request_id(id);
        const auto answer =
            Insist(random, history, "OpenCase", request.SerializeAsString());
        intake::v1::Case opened;
        if (settle(id, answer) && opened.ParseFromString(*answer)) {
          etags[opened.name()] = 1;
        }
      } else if (dice == 8) {
        // There is no such case: refused, and nothing of it may be written.
        intake::v1::ReplyToCaseRequest request;
        request.set_name(absl::StrCat(customers.front(), "/cases/none"));
        request.set_text("?");
        request.set_request_id(id);
        EXPECT_FALSE(settle(id, Insist(random, history, "ReplyToCase",
                                       request.SerializeAsString())));
      } else {
        auto it = etags.begin();
        std::advance(it, static_cast<int64_t>(random() % etags.size()));
        if (dice < 14) {
          intake::v1::ReplyToCaseRequest request;
          request.set_name(it->first);
          request.set_text(absl::StrCat("答复 ", id));
          request.set_request_id(id);
          if (settle(id, Insist(random, history, "ReplyToCase",
                                request.SerializeAsString()))) {
            ++it->second;
          }
        } else {
          intake::v1::GetCaseRequest request;
          request.set_name(it->first);
          const auto answer =
              Insist(random, history, "GetCase", request.SerializeAsString());
          intake::v1::Case found;
          int64_t etag = 0;
          ++history.reads;
          if (!answer.ok() || !found.ParseFromString(*answer) ||
              !absl::SimpleAtoi(found.etag(), &etag) || etag < it->second) {
            history.stale.push_back(
                absl::StrCat(it->first, ": ", answer.status().ToString(),
                             " etag ", etag, " after ", it->second));
          }
        }
      }
    }
  }

  // One fault at random, healed before it returns.
  void Fault(std::map<std::string, int>& faults) {
    const auto pause = [this](int from, int to) {
      absl::SleepFor(absl::Milliseconds(
          from +
          static_cast<int>(random_() % static_cast<uint64_t>(to - from))));
    };
    const int i = static_cast<int>(random_() % kInstances);
    Daemon& daemon = *intake_[static_cast<size_t>(i)];
    const int node =
        1 + static_cast<int>(random_() % static_cast<uint64_t>(nodes_));
    switch (random_() % 8) {
      case 0:
        ++faults["process killed, started again at once"];
        daemon.Kill();
        ASSERT_EQ(StartIntake(i), absl::OkStatus());
        break;
      case 1:
        ++faults["process killed, its rows deleted"];
        daemon.Kill();
        std::filesystem::remove_all(daemon.data() + "/shards");
        ASSERT_EQ(StartIntake(i), absl::OkStatus());
        break;
      case 2:
        ++faults["process killed, rows and checkpoints deleted"];
        daemon.Kill();
        std::filesystem::remove_all(daemon.data() + "/shards");
        {
          // Others may be writing there.
          std::error_code ignored;
          std::filesystem::remove_all(dir_ / "checkpoints", ignored);
        }
        ASSERT_EQ(StartIntake(i), absl::OkStatus());
        break;
      case 3:
        ++faults["process gone for longer than a session"];
        daemon.Kill();
        pause(7000, 9000);
        ASSERT_EQ(StartIntake(i), absl::OkStatus());
        break;
      case 4:
        ++faults["process frozen for longer than a session, then awake"];
        daemon.Pause();
        pause(7000, 10000);
        daemon.Resume();
        break;
      case 5:
        ++faults["process stopped in order, started again"];
        EXPECT_EQ(daemon.Stop(), 0);
        pause(0, 500);
        ASSERT_EQ(StartIntake(i), absl::OkStatus());
        break;
      case 6:
        ++faults["broker killed, started again"];
        ASSERT_EQ(kafka_->Node("kill", node), absl::OkStatus());
        pause(0, 1000);
        ASSERT_EQ(kafka_->Node("start", node), absl::OkStatus());
        break;
      default:
        ++faults["broker frozen, then awake"];
        ASSERT_EQ(kafka_->Node("pause", node), absl::OkStatus());
        pause(500, 3000);
        ASSERT_EQ(kafka_->Node("resume", node), absl::OkStatus());
        break;
    }
    pause(200, 3000);
  }

  // Every process answers for what it owns, and all partitions are owned.
  void AwaitCalm() {
    const absl::Time until = absl::Now() + absl::Seconds(90);
    std::string seen;
    while (absl::Now() < until) {
      std::map<int, int> serving;
      bool calm = true;
      seen.clear();
      for (const auto& daemon : intake_) {
        const auto status = daemon->Status();
        calm &= status.ok();
        if (!status.ok()) continue;
        for (const auto& shard : status->shards()) {
          absl::StrAppend(&seen, shard.ShortDebugString(), "\n");
          if (shard.state() == admin::v1::Shard::FOLLOWING) continue;
          calm &= shard.state() == admin::v1::Shard::SERVING;
          ++serving[shard.partition()];
        }
      }
      calm &= serving.size() == kPartitions;
      for (const auto& [partition, times] : serving) calm &= times == 1;
      if (calm) return;
      absl::SleepFor(absl::Milliseconds(200));
    }
    FAIL() << "the processes do not come to rest:\n" << seen;
  }

  // What counts in the topic, against what the callers were told.
  void Check(const std::vector<History>& histories) {
    log::KafkaLogOptions options;
    options.properties["bootstrap.servers"] = kafka_->bootstrap_servers();
    const auto log = log::KafkaLog::Open(options).value();
    const std::string topic = "aftercare.intake.events.v1";
    std::map<std::string, std::set<std::string>> events_of;  // by request_id
    int64_t events = 0;
    int64_t claims = 0;
    int64_t late = 0;
    for (int p = 0; p < kPartitions; ++p) {
      const int64_t end = log->End({topic, p}).value();
      const auto reader = log->OpenReader({topic, p}, 0).value();
      log::Fold fold;
      std::map<std::string, int64_t> revisions;
      while (reader->position() < end) {
        auto records = reader->Read(1000, absl::Seconds(5));
        ASSERT_TRUE(records.ok()) << records.status();
        ASSERT_FALSE(records->empty()) << "the end does not come";
        for (auto& record : *records) {
          claims += record.record.Header(log::kOwnerHeader).empty() ? 0 : 1;
          const log::FoldStep step = fold.Apply(std::move(record));
          late += step.kind == log::FoldStep::Kind::kVoid ? 1 : 0;
          for (const auto& member : step.group) {
            ++events;
            // Handbooks are in every partition.
            if (member.record.key != "companies/acme") {
              EXPECT_EQ(log::PartitionOf(member.record.key, kPartitions), p);
            }
            const std::string id(member.record.Header("ce_requestid"));
            const std::string event(member.record.Header("ce_id"));
            if (!id.empty()) {
              EXPECT_TRUE(events_of[id].insert(event).second)
                  << event << " twice";
            }
            int64_t revision = 0;
            ASSERT_TRUE(absl::SimpleAtoi(member.record.Header("ce_sequence"),
                                         &revision));
            EXPECT_EQ(revision, ++revisions[member.record.key])
                << member.record.key;
          }
        }
      }
    }
    size_t accepted = 0;
    int64_t calls = 0;
    int64_t unknown = 0;
    int64_t reads = 0;
    size_t refused = 0;
    for (const History& history : histories) {
      accepted += history.accepted.size();
      refused += history.refused.size();
      calls += history.calls;
      unknown += history.unknown;
      reads += history.reads;
      EXPECT_TRUE(history.stale.empty()) << absl::StrJoin(history.stale, "\n");
      for (const std::string& id : history.accepted) {
        // One command is one event here.
        EXPECT_EQ(events_of[id].size(), 1u) << id;
      }
      for (const std::string& id : history.refused) {
        EXPECT_FALSE(events_of.contains(id)) << id;
      }
    }
    std::printf(
        "calls %lld (outcome open %lld), accepted %zu, refused %zu, reads "
        "%lld; "
        "in the topic: events %lld, claims %lld, void records %lld\n",
        static_cast<long long>(calls), static_cast<long long>(unknown),
        accepted, refused, static_cast<long long>(reads),
        static_cast<long long>(events), static_cast<long long>(claims),
        static_cast<long long>(late));
    EXPECT_GT(accepted, 50u);
    EXPECT_GT(refused, 0u);
    EXPECT_GT(reads, 0);
    for (const auto& daemon : intake_) {
      const auto verified = daemon->Call<admin::v1::VerifyShardsResponse>(
          "aftercare.admin.v1.AdminService", "VerifyShards",
          admin::v1::VerifyShardsRequest(), "operator");
      ASSERT_TRUE(verified.ok()) << verified.status();
      EXPECT_TRUE(verified->ok()) << verified->DebugString();
    }
  }

  TempDir dir_;
  uint64_t seed_ = 0;
  int nodes_ = 1;
  std::mt19937_64 random_;
  std::unique_ptr<contract::DevKafka> kafka_;
  std::vector<std::unique_ptr<Daemon>> intake_;
  std::vector<std::unique_ptr<Daemon>> others_;
  std::atomic<bool> stop_{false};
};

TEST_F(FleetTest, WhatCallersWereToldIsWhatTheTopicsHold) {
  const absl::Time until = absl::Now() + absl::Seconds(FromEnvironment(
                                             "AFTERCARE_FAULT_SECONDS", 30));
  std::vector<History> histories(kCallers);
  std::vector<std::thread> callers;
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back([this, c, seed = random_(), &histories] {
      Load(c, seed, histories[static_cast<size_t>(c)]);
    });
  }
  std::map<std::string, int> faults;
  while (absl::Now() < until && !HasFatalFailure()) Fault(faults);
  if (!HasFatalFailure()) AwaitCalm();
  stop_ = true;
  for (std::thread& caller : callers) caller.join();
  for (const auto& [fault, times] : faults) {
    std::printf("%3d x %s\n", times, fault.c_str());
  }
  if (HasFatalFailure()) return;
  Check(histories);
}

TEST_F(FleetTest, AStandbyTakesOverFromAKilledOwner) {
  AwaitCalm();
  std::vector<std::string> customers;
  for (int c = 0; c < 40; ++c) {
    intake::v1::RegisterCustomerRequest request;
    request.set_parent("companies/acme");
    request.set_customer_id(absl::StrCat("c-", c));
    request.set_display_name("王小明");
    request.set_region("beijing");
    ASSERT_TRUE(intake_[0]
                    ->Call<intake::v1::Customer>(kIntake, "RegisterCustomer",
                                                 request, "agent-li")
                    .ok());
  }
  const auto status = intake_[1]->Status();
  ASSERT_TRUE(status.ok());
  std::set<int> lost;
  for (const auto& shard : status->shards()) {
    if (shard.state() == admin::v1::Shard::SERVING) {
      lost.insert(shard.partition());
    }
  }
  ASSERT_FALSE(lost.empty());
  intake_[1]->Kill();
  const absl::Time begin = absl::Now();
  // A command for every partition that was lost is accepted elsewhere.
  for (int c = 0; !lost.empty(); ++c) {
    const std::string id = absl::StrCat("after-", c);
    const std::string name = "companies/acme/customers/" + id;
    if (!lost.contains(log::PartitionOf(name, kPartitions))) continue;
    lost.erase(log::PartitionOf(name, kPartitions));
    intake::v1::RegisterCustomerRequest request;
    request.set_parent("companies/acme");
    request.set_customer_id(id);
    request.set_display_name("王小明");
    request.set_region("beijing");
    request.set_request_id(id);
    while (true) {
      const auto made = intake_[0]->CallRaw(kIntake, "RegisterCustomer",
                                            request.SerializeAsString(),
                                            "agent-li", absl::Seconds(2));
      if (made.ok()) break;
      ASSERT_LT(absl::Now() - begin, absl::Seconds(60)) << made.status();
      absl::SleepFor(absl::Milliseconds(20));
    }
  }
  // Measured, not asserted to the second: machines differ.
  std::printf(
      "from SIGKILL of an owner to the first OK for each of its "
      "partitions: %.1f s\n",
      absl::ToDoubleSeconds(absl::Now() - begin));
  ASSERT_EQ(StartIntake(1), absl::OkStatus());
}

}  // namespace
}  // namespace aftercare::testing
