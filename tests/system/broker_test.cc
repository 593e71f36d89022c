// A process whose broker dies, and comes back.

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gmock/gmock.h"
#include "grpc/health/v1/health.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/log/fold.h"
#include "libs/log/kafka_log.h"
#include "libs/rpc/gateway.h"
#include "libs/testing/temp_dir.h"
#include "tests/contract/dev_kafka.h"
#include "tests/libs/rpc/http_get.h"
#include "tests/system/daemon.h"

namespace aftercare::testing {
namespace {

using grpc::health::v1::HealthCheckResponse;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";
constexpr int kPartitions = 2;
constexpr int kNode = 1;
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr absl::Duration kDeadline = absl::Seconds(6);

class BrokerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto kafka = contract::DevKafka::Start(1);
    if (absl::IsUnavailable(kafka.status())) {
      GTEST_SKIP() << "no Kafka here: " << kafka.status().message();
    }
    ASSERT_TRUE(kafka.ok()) << kafka.status();
    kafka_ = *std::move(kafka);
    if (!kafka_->own()) GTEST_SKIP() << "no Kafka here that may be killed";
  }

  void TearDown() override { daemon_.Kill(); }

  std::vector<std::string> Flags() const {
    return {"--kafka.brokers",
            kafka_->bootstrap_servers(),
            "--kafka.replication-factor",
            "1",
            "--kafka.min-insync-replicas",
            "1",
            "--partitions",
            absl::StrCat(kPartitions),
            "--metrics",
            "127.0.0.1:0",
            "--instance",
            "the-one"};
  }

  HealthCheckResponse::ServingStatus Health() const {
    const auto answer = daemon_.Call<HealthCheckResponse>(
        "grpc.health.v1.Health", "Check",
        grpc::health::v1::HealthCheckRequest(), "");
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->status() : HealthCheckResponse::UNKNOWN;
  }
  bool AwaitHealth(HealthCheckResponse::ServingStatus wanted) const {
    const absl::Time end = absl::Now() + kPatience;
    while (Health() != wanted) {
      if (absl::Now() > end) return false;
      absl::SleepFor(absl::Milliseconds(50));
    }
    return true;
  }

  absl::Status Register(const std::string& id) const {
    intake::v1::RegisterCustomerRequest request;
    request.set_parent("companies/acme");
    request.set_customer_id(id);
    request.set_display_name("王小明 🙂");
    request.set_region("beijing");
    request.set_request_id("register-" + id);
    return daemon_
        .CallRaw(kIntake, "RegisterCustomer", request.SerializeAsString(),
                 "agent-li", kDeadline)
        .status();
  }

  absl::Status Read(const std::string& id, const std::string& freshness) const {
    intake::v1::GetCustomerRequest request;
    request.set_name("companies/acme/customers/" + id);
    return daemon_.client()
        ->InvokeRaw(absl::StrCat("/", kIntake, "/GetCustomer"),
                    request.SerializeAsString(),
                    {.actor = "agent-li",
                     .deadline = kDeadline,
                     .metadata = {{rpc::kFreshnessMetadata, freshness}}})
        .status();
  }

  // How often each customer was registered, by everything that counts.
  std::map<std::string, int> Registered() const {
    log::KafkaLogOptions options;
    options.properties["bootstrap.servers"] = kafka_->bootstrap_servers();
    const auto log = log::KafkaLog::Open(options).value();
    std::map<std::string, int> times;
    for (int p = 0; p < kPartitions; ++p) {
      const log::TopicPartition partition{"aftercare.intake.events.v1", p};
      const int64_t end = log->End(partition).value();
      const auto reader = log->OpenReader(partition, 0).value();
      log::Fold fold;
      while (reader->position() < end) {
        auto records = reader->Read(1000, kPatience).value();
        for (auto& record : records) {
          for (const auto& event : fold.Apply(std::move(record)).group) {
            if (absl::EndsWith(event.record.Header("ce_type"),
                               "CustomerRegistered")) {
              ++times[std::string(event.record.Header("ce_subject"))];
            }
          }
        }
      }
    }
    return times;
  }

  TempDir dir_;
  std::unique_ptr<contract::DevKafka> kafka_;
  Daemon daemon_{dir_ / "data"};
};

// Until a broker is there again every call is answered with a reason, nothing
// that was asked for is lost or done twice, and no hand is needed.
TEST_F(BrokerTest, AProcessLivesOnWithoutItsBroker) {
  ASSERT_EQ(daemon_.Start(Flags()), absl::OkStatus());
  ASSERT_TRUE(AwaitHealth(HealthCheckResponse::SERVING)) << daemon_.Log();
  ASSERT_EQ(daemon_.ApplyDemoHandbook(), absl::OkStatus());
  ASSERT_EQ(Register("c-0"), absl::OkStatus());

  std::vector<std::string> unanswered;
  const auto expect_a_reason = [&](int from, int to) {
    std::vector<std::thread> callers;
    std::vector<absl::Status> answers(static_cast<size_t>(to - from));
    const absl::Time begin = absl::Now();
    for (int i = from; i < to; ++i) {
      unanswered.push_back(absl::StrCat("c-", i));
      callers.emplace_back([this, id = unanswered.back(),
                            &answer = answers[static_cast<size_t>(i - from)]] {
        answer = Register(id);
      });
    }
    for (std::thread& caller : callers) caller.join();
    EXPECT_LT(absl::Now() - begin, kDeadline);
    for (const absl::Status& answer : answers) {
      EXPECT_TRUE(absl::IsUnavailable(answer)) << answer;
      EXPECT_NE(ReasonOf(answer), "") << answer;
    }
  };
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Read("c-0", ""), absl::OkStatus());
    ASSERT_EQ(kafka_->Node("kill", kNode), absl::OkStatus());
    // Whether this process still owns the partition nobody can say now.
    EXPECT_EQ(Read("c-0", "any"), absl::OkStatus());
    EXPECT_EQ(ReasonOf(Read("c-0", "")), "LOG_UNAVAILABLE");
    // Under way while the broker dies: in the shards, perhaps in the log.
    expect_a_reason(1 + 20 * round, 11 + 20 * round);
    ASSERT_TRUE(AwaitHealth(HealthCheckResponse::NOT_SERVING)) << daemon_.Log();
    // The session is over: the partitions are nobody's.
    expect_a_reason(11 + 20 * round, 21 + 20 * round);
    EXPECT_THAT(Fetch(daemon_.metrics_port(), "/metrics"), HasSubstr("200 OK"));
    EXPECT_TRUE(daemon_.Status().ok());

    ASSERT_EQ(kafka_->Node("start", kNode), absl::OkStatus());
    ASSERT_TRUE(AwaitHealth(HealthCheckResponse::SERVING)) << daemon_.Log();
    for (const std::string& id : unanswered) {
      EXPECT_EQ(Register(id), absl::OkStatus()) << id;
    }
  }
  EXPECT_THAT(unanswered, SizeIs(40));
  unanswered.push_back("c-0");
  std::map<std::string, int> once;
  for (const std::string& id : unanswered) {
    once["companies/acme/customers/" + id] = 1;
  }
  EXPECT_EQ(Registered(), once);
}

TEST_F(BrokerTest, AProcessMayStartBeforeItsBroker) {
  ASSERT_EQ(kafka_->Node("kill", kNode), absl::OkStatus());
  ASSERT_EQ(daemon_.Start(Flags()), absl::OkStatus());
  EXPECT_EQ(Health(), HealthCheckResponse::NOT_SERVING);
  const absl::Status early = Register("c-0");
  EXPECT_TRUE(absl::IsUnavailable(early)) << early;
  EXPECT_EQ(ReasonOf(early), "NOT_READY");
  // Nor does an operator hear that all is well.
  admin::v1::ReadAsOfRequest as_of;
  as_of.set_name("companies/acme/customers/c-0");
  as_of.mutable_record_time()->set_seconds(1800000000);
  admin::v1::ReadEventsRequest events;
  events.set_service("intake");
  const std::string admin = "aftercare.admin.v1.AdminService";
  for (const absl::Status& told :
       {daemon_
            .Call<admin::v1::ReadAsOfResponse>(admin, "ReadAsOf", as_of,
                                               "operator")
            .status(),
        daemon_
            .Call<admin::v1::ReadEventsResponse>(admin, "ReadEvents", events,
                                                 "operator")
            .status(),
        daemon_
            .Call<admin::v1::VerifyShardsResponse>(
                admin, "VerifyShards", admin::v1::VerifyShardsRequest(),
                "operator")
            .status()}) {
    EXPECT_EQ(ReasonOf(told), "NOT_READY") << told;
  }
  ASSERT_EQ(kafka_->Node("start", kNode), absl::OkStatus());
  ASSERT_TRUE(AwaitHealth(HealthCheckResponse::SERVING)) << daemon_.Log();
  ASSERT_EQ(daemon_.ApplyDemoHandbook(), absl::OkStatus());
  EXPECT_EQ(Register("c-0"), absl::OkStatus());
}

// By mistake, as after a copied configuration.
TEST_F(BrokerTest, OfTwoProcessesWithOneInstanceTheFirstEnds) {
  Daemon first(dir_ / "first");
  ASSERT_EQ(first.Start(Flags()), absl::OkStatus());
  const absl::Time end = absl::Now() + kPatience;
  // Only then it is in all its groups.
  while (!absl::StrContains(first.Log(), "\"message\":\"serving\"")) {
    ASSERT_LT(absl::Now(), end) << first.Log();
    absl::SleepFor(absl::Milliseconds(50));
  }
  ASSERT_EQ(daemon_.Start(Flags()), absl::OkStatus());
  std::optional<int> code;
  while (!code.has_value() && absl::Now() < end) {
    code = first.EndedByItself();
    absl::SleepFor(absl::Milliseconds(50));
  }
  EXPECT_EQ(code, 1) << first.Log();
  EXPECT_THAT(first.Log(), HasSubstr("FENCED_INSTANCE_ID"));
  EXPECT_TRUE(AwaitHealth(HealthCheckResponse::SERVING)) << daemon_.Log();
}

}  // namespace
}  // namespace aftercare::testing
