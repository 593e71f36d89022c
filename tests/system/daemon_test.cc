// aftercared as a process: exit codes, one holder per directory, draining.

#include "tests/system/daemon.h"

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/testing/temp_dir.h"

namespace aftercare::testing {
namespace {

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";

TEST(DaemonTest, BadFlagsEndWithCodeTwo) {
  const TempDir dir;
  Daemon daemon(dir / "data");
  EXPECT_EQ(daemon.RunToEnd({"--no-such-flag"}), 2);
  EXPECT_EQ(daemon.RunToEnd({"--partitions", "0"}), 2);
  EXPECT_EQ(daemon.RunToEnd({"--log-level", "loud"}), 2);
  EXPECT_EQ(daemon.RunToEnd({"--kafka.brokers", "127.0.0.1:1",
                             "--kafka.replication-factor", "1"}),
            2);
  for (const char* address : {"7401", ":7401", "127.0.0.1", "127.0.0.1:x"}) {
    for (const char* flag : {"--listen", "--advertise", "--metrics"}) {
      EXPECT_EQ(daemon.RunToEnd({flag, address}), 2) << flag << " " << address;
    }
  }
}

// Else it would stand in the claims, and others would call themselves.
TEST(DaemonTest, OnKafkaAnAddressOfNoOneHostIsNotAdvertised) {
  const TempDir dir;
  const std::vector<std::vector<std::string>> bad = {
      {"--listen", "0.0.0.0:0"},
      {"--listen", "0:0"},
      {"--listen", "[::]:0"},
      {"--listen", "[0::0]:0"},
      {"--listen", "127.0.0.1:0", "--advertise", "0.0.0.0:7400"}};
  for (size_t i = 0; i < bad.size(); ++i) {
    Daemon daemon(dir / absl::StrCat(i));
    std::vector<std::string> flags = bad[i];
    flags.insert(flags.end(), {"--kafka.brokers", "127.0.0.1:1"});
    EXPECT_EQ(daemon.RunToEnd(flags), 2) << i;
    EXPECT_TRUE(absl::StrContains(daemon.Log(), "--advertise HOST:PORT"))
        << daemon.Log();
  }
  Daemon told(dir / "told");
  EXPECT_EQ(told.Start({"--listen", "0.0.0.0:0", "--advertise", "localhost:1",
                        "--kafka.brokers", "127.0.0.1:1"}),
            absl::OkStatus());
  // Alone it tells nobody.
  Daemon alone(dir / "alone");
  EXPECT_EQ(alone.Start({"--listen", "0.0.0.0:0"}), absl::OkStatus());
}

TEST(DaemonTest, ASecondProcessOnTheSameDataIsRefusedAndToldWhoHoldsIt) {
  // Whatever the log is: on Kafka, too, there are rows to spoil.
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>(),
        std::vector<std::string>{"--kafka.brokers", "127.0.0.1:1"}}) {
    const TempDir dir;
    Daemon first(dir / "data");
    ASSERT_EQ(first.Start(flags), absl::OkStatus());
    const auto ports = [&dir] {
      std::string line;
      std::ifstream file(dir / "data/ports.json");
      std::getline(file, line);
      return line;
    };
    const std::string before = ports();
    Daemon second(dir / "data");
    EXPECT_EQ(second.RunToEnd(flags), 1);
    EXPECT_TRUE(absl::StrContains(second.Log(), "cannot run"));
    EXPECT_TRUE(absl::StrContains(second.Log(), "/data is held by process "));
    // The first is not disturbed.
    EXPECT_EQ(ports(), before);
    EXPECT_TRUE(first.AwaitServing().ok());
    EXPECT_EQ(first.Stop(), 0);
  }
}

TEST(DaemonTest, ThePartitionCountIsFixedByTheData) {
  const TempDir dir;
  Daemon daemon(dir / "data");
  ASSERT_TRUE(daemon.Start({"--partitions", "2"}).ok());
  ASSERT_TRUE(daemon.AwaitServing().ok());
  ASSERT_EQ(daemon.Stop(), 0);
  EXPECT_EQ(daemon.RunToEnd({"--partitions", "3"}), 1);
  ASSERT_TRUE(daemon.Start({"--partitions", "2"}).ok());
  ASSERT_TRUE(daemon.AwaitServing().ok());
}

TEST(DaemonTest, AnAddressInUseEndsWithCodeOne) {
  const TempDir dir;
  Daemon first(dir / "one");
  ASSERT_EQ(first.Start(), absl::OkStatus());
  Daemon second(dir / "two");
  EXPECT_EQ(
      second.RunToEnd({"--listen", absl::StrCat("127.0.0.1:", first.port())}),
      1);
}

TEST(DaemonTest, HealthFollowsTheShards) {
  const TempDir dir;
  Daemon daemon(dir / "data");
  ASSERT_TRUE(daemon.Start({"--metrics", "127.0.0.1:0"}).ok());
  EXPECT_GT(daemon.metrics_port(), 0);
  ASSERT_TRUE(daemon.AwaitServing().ok());
  grpc::health::v1::HealthCheckResponse health;
  while (health.status() != grpc::health::v1::HealthCheckResponse::SERVING) {
    const auto answer = daemon.Call<grpc::health::v1::HealthCheckResponse>(
        "grpc.health.v1.Health", "Check",
        grpc::health::v1::HealthCheckRequest(), "");
    ASSERT_TRUE(answer.ok()) << answer.status();
    health = *answer;
  }
}

// SIGTERM: what is under way is answered, then the process ends by itself.
TEST(DaemonTest, StopsInGoodOrderUnderLoad) {
  const TempDir dir;
  Daemon daemon(dir / "data");
  ASSERT_EQ(daemon.Start(), absl::OkStatus());
  ASSERT_TRUE(daemon.AwaitServing().ok());
  ASSERT_TRUE(daemon.ApplyDemoHandbook().ok());
  std::atomic<int> done{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> callers;
  std::vector<std::vector<std::string>> acknowledged(8);
  for (int t = 0; t < 8; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        intake::v1::RegisterCustomerRequest request;
        request.set_parent("companies/acme");
        request.set_customer_id(absl::StrCat("c-", t, "-", i));
        request.set_display_name("王小明 🙂");
        request.set_region("beijing");
        const auto made = daemon.Call<intake::v1::Customer>(
            kIntake, "RegisterCustomer", request, "agent-li");
        if (made.ok()) {
          acknowledged[static_cast<size_t>(t)].push_back(made->name());
          ++done;
        } else if (!absl::IsUnavailable(made.status())) {
          ADD_FAILURE() << made.status();
        }
      }
    });
  }
  while (done < 100) std::this_thread::yield();
  EXPECT_EQ(daemon.Stop(), 0);
  stop = true;
  for (std::thread& caller : callers) caller.join();

  ASSERT_EQ(daemon.Start(), absl::OkStatus());
  ASSERT_TRUE(daemon.AwaitServing().ok());
  for (const auto& names : acknowledged) {
    for (const std::string& name : names) {
      intake::v1::GetCustomerRequest get;
      get.set_name(name);
      EXPECT_TRUE(daemon
                      .Call<intake::v1::Customer>(kIntake, "GetCustomer", get,
                                                  "agent-li")
                      .ok())
          << name;
    }
  }
}

}  // namespace
}  // namespace aftercare::testing
