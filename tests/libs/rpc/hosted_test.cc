#include "libs/rpc/hosted.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/handbook/yaml.h"
#include "libs/log/log.h"
#include "services/intake/service.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Knows at most a handbook.
class FakeShard final : public shard::Shard {
 public:
  explicit FakeShard(std::shared_ptr<const handbook::Policy> policy = nullptr)
      : policy_(std::move(policy)) {}

  void Stop() override {}
  void Promote() override {}
  void Submit(shard::Command, shard::CommandCallback) override {}
  void SubmitHandbook(const handbook::v1::Handbook&, std::string, absl::Time,
                      shard::CommandCallback) override {}
  void Read(shard::Freshness, shard::ReadCallback) override {}
  absl::Status Readable() const override { return absl::OkStatus(); }
  std::shared_ptr<const handbook::Policy> PolicyAt(absl::string_view company,
                                                   absl::Time) override {
    return company == "companies/acme" ? policy_ : nullptr;
  }
  shard::ShardStatus Status() const override { return {}; }
  absl::StatusOr<Verdict> Verify(const std::string&) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<int64_t> Checkpoint(const std::string&) override {
    return absl::UnimplementedError("");
  }

 private:
  const std::shared_ptr<const handbook::Policy> policy_;
};

class HostedTest : public ::testing::Test {
 protected:
  Hosted host_{
      std::make_shared<const shard::Service>(intake::MakeIntakeService())};
};

TEST_F(HostedTest, UntilThePartitionsAreKnownCallsAreRefused) {
  EXPECT_EQ(host_.partitions(), 0);
  const absl::Status unknown = PartitionsKnown(host_);
  EXPECT_TRUE(absl::IsUnavailable(unknown));
  EXPECT_EQ(ReasonOf(unknown), "NOT_READY");
  EXPECT_TRUE(unknown.GetPayload(kRetryInfoUrl).has_value());
  EXPECT_EQ(host_.PartitionOf("companies/acme").status(), unknown);
  EXPECT_THAT(host_.Shards(), IsEmpty());
  host_.Open(3);
  EXPECT_EQ(host_.partitions(), 3);
  EXPECT_TRUE(PartitionsKnown(host_).ok());
}

// As every producer and consumer of the topic counts.
TEST_F(HostedTest, ABoundaryLiesWhereItsKeyDoes) {
  host_.Open(7);
  for (const char* boundary :
       {"companies/acme/customers/1", "companies/acme/customers/2"}) {
    EXPECT_EQ(host_.PartitionOf(boundary).value(),
              log::PartitionOf(boundary, 7));
  }
}

TEST_F(HostedTest, ShardsComeAndGoStandbysApart) {
  host_.Open(4);
  const auto two = std::make_shared<FakeShard>();
  const auto none = std::make_shared<FakeShard>();
  const auto standby = std::make_shared<FakeShard>();
  host_.Put(2, two);
  host_.Put(0, none);
  host_.PutStandby(3, standby);
  EXPECT_THAT(host_.Shards(), ElementsAre(none, two));
  EXPECT_THAT(host_.Standbys(), ElementsAre(standby));
  EXPECT_EQ(host_.Find(2), two);
  EXPECT_EQ(host_.Find(3), nullptr) << "a standby answers nothing";

  EXPECT_EQ(host_.Take(3), nullptr);
  EXPECT_EQ(host_.TakeStandby(3), standby);
  EXPECT_EQ(host_.TakeStandby(3), nullptr);
  EXPECT_THAT(host_.Standbys(), IsEmpty());
  EXPECT_EQ(host_.Take(0), none);
  EXPECT_EQ(host_.Find(0), nullptr);
  EXPECT_THAT(host_.Shards(), ElementsAre(two));
}

TEST_F(HostedTest, AnyShardThatKnowsTheHandbookWillDo) {
  const std::shared_ptr<const handbook::Policy> policy =
      handbook::Policy::Compile(
          handbook::LoadHandbook(testing::DemoHandbookText()).handbook)
          .value();
  host_.Open(3);
  host_.Put(0, std::make_shared<FakeShard>());
  host_.PutStandby(1, std::make_shared<FakeShard>(policy));
  EXPECT_EQ(host_.PolicyAt("companies/acme", absl::Now()), nullptr);
  host_.Put(2, std::make_shared<FakeShard>(policy));
  EXPECT_EQ(host_.PolicyAt("companies/acme", absl::Now()), policy);
  EXPECT_EQ(host_.PolicyAt("companies/other", absl::Now()), nullptr);
}

TEST_F(HostedTest, WhatDoesNotRunHereIsSaidWithItsPlace) {
  const absl::Status status = NotHere(host_, 3);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_EQ(ReasonOf(status), "NOT_OWNER");
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("intake/3"));
  EXPECT_TRUE(status.GetPayload(kRetryInfoUrl).has_value());
}

TEST(FindHostTest, FindsAServiceByItsShortName) {
  Hosts hosts;
  hosts.push_back(std::make_unique<Hosted>(
      std::make_shared<const shard::Service>(intake::MakeIntakeService()), 1));
  EXPECT_EQ(FindHost(hosts, "intake"), hosts.front().get());
  EXPECT_EQ(FindHost(hosts, "dispatch"), nullptr);
  EXPECT_EQ(FindHost(hosts, ""), nullptr);
}

}  // namespace
}  // namespace aftercare::rpc
