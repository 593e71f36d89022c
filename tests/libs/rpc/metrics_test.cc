#include "libs/rpc/metrics.h"

#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/libs/rpc/http_get.h"
#include "tests/libs/rpc/rpc_fixture.h"

namespace aftercare::rpc {
namespace {

class MetricsTest : public testing::RpcFixture {
 protected:
  MetricsTest() { metrics_address_ = "127.0.0.1:0"; }
};

TEST_F(MetricsTest, CallsAndShardsAreShown) {
  ASSERT_TRUE(ApplyDemoHandbook().ok());
  ASSERT_TRUE(Register("c-1").ok());
  ASSERT_FALSE(Register("c-1").ok());
  const std::string page = testing::Fetch(metrics_->port(), "/metrics");
  const auto shows = [&](const std::string& line) {
    EXPECT_TRUE(absl::StrContains(page, line)) << line << "\n" << page;
  };
  const std::string method =
      "aftercare.intake.v1.IntakeService.RegisterCustomer";
  shows(absl::StrCat("aftercare_calls_total{code=\"OK\",method=\"", method,
                     "\"} 1"));
  shows(absl::StrCat("aftercare_calls_total{code=\"ALREADY_EXISTS\",method=\"",
                     method, "\"} 1"));
  shows(
      absl::StrCat("aftercare_call_seconds_count{method=\"", method, "\"} 2"));
  shows("aftercare_shard_serving{service=\"intake\",partition=\"1\"} 1");
}

// What dashboards and alerts are built on: a name that goes is a break.
TEST_F(MetricsTest, EveryMetricIsThereInPrometheusText) {
  ASSERT_TRUE(ApplyDemoHandbook().ok());
  const std::string page = testing::Fetch(metrics_->port(), "/metrics");
  EXPECT_TRUE(absl::StrContains(page, "200 OK")) << page;
  EXPECT_TRUE(absl::StrContains(page, "Content-Type: text/plain")) << page;
  const std::pair<const char*, const char*> metrics[] = {
      {"aftercare_calls_total", "counter"},
      {"aftercare_call_seconds", "histogram"},
      {"aftercare_shard_serving", "gauge"},
      {"aftercare_shard_halted", "gauge"},
      {"aftercare_shard_queued_commands", "gauge"},
      {"aftercare_shard_events", "gauge"},
      {"aftercare_shard_rows", "gauge"},
      {"aftercare_shard_void_records", "gauge"},
      {"aftercare_shard_offset", "gauge"},
      {"aftercare_shard_replay_target", "gauge"},
      {"aftercare_shard_lag", "gauge"},
      {"aftercare_shard_following", "gauge"}};
  for (const auto& [name, type] : metrics) {
    EXPECT_TRUE(absl::StrContains(page, absl::StrCat("# HELP ", name, " ")))
        << name;
    EXPECT_TRUE(
        absl::StrContains(page, absl::StrCat("# TYPE ", name, " ", type)))
        << name;
  }
  // As the shard itself says it: the claim and the handbook.
  for (int p = 0; p < testing::kPartitions; ++p) {
    const auto shows = [&](const char* name, int64_t value) {
      const std::string line = absl::StrCat(
          name, "{service=\"intake\",partition=\"", p, "\"} ", value, "\n");
      EXPECT_TRUE(absl::StrContains(page, line)) << line << page;
    };
    const shard::ShardStatus status = hosted_[0]->Find(p)->Status();
    shows("aftercare_shard_events", 1);
    shows("aftercare_shard_offset", status.offset);
    shows("aftercare_shard_rows", status.rows);
    shows("aftercare_shard_halted", 0);
    shows("aftercare_shard_following", 0);
    shows("aftercare_shard_lag", 0);
  }
}

TEST_F(MetricsTest, AStandbyShowsHowFarItIsAndNothingOfAnOwner) {
  ASSERT_TRUE(ApplyDemoHandbook().ok());
  hosted_[0]->Take(1)->Stop();
  shard::ShardOptions options;
  options.directory = dir_ / "standby";
  options.follow = true;
  hosted_[0]->PutStandby(1, shard::Shard::Start(*log_, *hosted_[0]->service, 1,
                                                testing::kPartitions, options)
                                .value());
  const auto standby = hosted_[0]->Standbys().front();
  // The claim and the handbook.
  while (standby->Status().offset < 2) std::this_thread::yield();
  const std::string page = testing::Fetch(metrics_->port(), "/metrics");
  const auto line = [](const char* name, const char* value) {
    return absl::StrCat(name, "{service=\"intake\",partition=\"1\"} ", value);
  };
  for (const std::string& shown :
       {line("aftercare_shard_offset", "2"), line("aftercare_shard_lag", "0"),
        line("aftercare_shard_following", "1")}) {
    EXPECT_TRUE(absl::StrContains(page, shown)) << shown << "\n" << page;
  }
  EXPECT_FALSE(absl::StrContains(page, line("aftercare_shard_serving", "")));
  EXPECT_FALSE(absl::StrContains(page, line("aftercare_shard_events", "")));
}

TEST_F(MetricsTest, ATakenAddressIsRefused) {
  const auto second =
      Metrics::Start(absl::StrCat("127.0.0.1:", metrics_->port()), hosted_);
  EXPECT_FALSE(second.ok());
}

}  // namespace
}  // namespace aftercare::rpc
