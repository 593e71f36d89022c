#include "libs/rpc/handbook_service.h"

#include <string>

#include "absl/strings/match.h"
#include "tests/libs/rpc/rpc_fixture.h"

namespace aftercare::rpc {
namespace {

using handbook::v1::ApplyHandbookRequest;
using handbook::v1::GetHandbookRequest;
using handbook::v1::ListHandbookVersionsRequest;
using handbook::v1::ListHandbookVersionsResponse;
using BookMessage = handbook::v1::Handbook;

class HandbookServiceTest : public testing::RpcFixture {
 protected:
  HandbookServiceTest() {
    *apply_.mutable_handbook() =
        handbook::LoadHandbook(testing::DemoHandbookText()).handbook;
    get_.set_name("companies/acme");
  }
  absl::Status Apply(const std::string& actor = "operator") {
    return Handbook<BookMessage>("ApplyHandbook", apply_, actor).status();
  }
  ApplyHandbookRequest apply_;
  GetHandbookRequest get_;
};

TEST_F(HandbookServiceTest, ReachesEveryPartitionOnceHoweverOftenItIsApplied) {
  const int64_t before = LogEnd();
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(LogEnd(), before + testing::kPartitions);
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(LogEnd(), before + testing::kPartitions);
  for (const auto& shard : hosted_[0]->Shards()) {
    EXPECT_NE(shard->PolicyAt("companies/acme", absl::Now()), nullptr);
  }
  const auto shown = Handbook<BookMessage>("GetHandbook", get_, "agent-li");
  ASSERT_TRUE(shown.ok()) << shown.status();
  EXPECT_EQ(shown->SerializeAsString(), apply_.handbook().SerializeAsString());
}

TEST_F(HandbookServiceTest, OnlyOperatorsPublish) {
  EXPECT_EQ(ReasonOf(Apply("agent-li")), "ACTION_NOT_PERMITTED");
  ASSERT_TRUE(Apply().ok());
  EXPECT_EQ(ReasonOf(Apply("supervisor-chen")), "ACTION_NOT_PERMITTED");
  EXPECT_EQ(ReasonOf(Apply("")), "CREDENTIALS_MISSING");
}

TEST_F(HandbookServiceTest, ABadHandbookTouchesNoPartitionAndNamesItsFields) {
  const int64_t before = LogEnd();
  apply_.mutable_handbook()->mutable_calendars(1)->set_time_zone("Mars/Base");
  const absl::Status status = Apply();
  EXPECT_EQ(ReasonOf(status), "HANDBOOK_INVALID");
  EXPECT_TRUE(absl::StrContains(FieldOf(status), "calendars[1]"))
      << FieldOf(status);
  EXPECT_EQ(LogEnd(), before);
}

TEST_F(HandbookServiceTest, AVersionCannotChangeItsContent) {
  ASSERT_TRUE(Apply().ok());
  const int64_t before = LogEnd();
  apply_.mutable_handbook()->set_title("another");
  EXPECT_EQ(ReasonOf(Apply()), "HANDBOOK_VERSION_CONFLICT");
  EXPECT_EQ(LogEnd(), before);
}

TEST_F(HandbookServiceTest, TheVersionInForceIsThatOfTheTimeAskedFor) {
  ASSERT_TRUE(Apply().ok());
  apply_.mutable_handbook()->set_version(2);
  apply_.mutable_handbook()->mutable_effective_time()->set_seconds(1767225600);
  ASSERT_TRUE(Apply().ok());
  get_.mutable_at_time()->set_seconds(1767225599);
  EXPECT_EQ(Handbook<BookMessage>("GetHandbook", get_)->version(), 1);
  get_.mutable_at_time()->set_seconds(1767225600);
  EXPECT_EQ(Handbook<BookMessage>("GetHandbook", get_)->version(), 2);
  get_.mutable_at_time()->set_seconds(86400);
  EXPECT_EQ(ReasonOf(Handbook<BookMessage>("GetHandbook", get_).status()),
            "RESOURCE_NOT_FOUND");
  get_.mutable_at_time()->set_seconds(253370764800);
  EXPECT_EQ(FieldOf(Handbook<BookMessage>("GetHandbook", get_).status()),
            "at_time");

  ListHandbookVersionsRequest list;
  list.set_name("companies/acme");
  const auto versions =
      Handbook<ListHandbookVersionsResponse>("ListHandbookVersions", list);
  ASSERT_TRUE(versions.ok()) << versions.status();
  ASSERT_EQ(versions->versions_size(), 2);
  EXPECT_EQ(versions->versions(1).version(), 2);
  EXPECT_TRUE(versions->versions(0).people().empty());
}

TEST_F(HandbookServiceTest, CompaniesMustBeNamed) {
  apply_.mutable_handbook()->set_company("acme");
  EXPECT_EQ(ReasonOf(Apply()), "NAME_INVALID");
  get_.set_name("companies/acme/customers/1");
  EXPECT_EQ(ReasonOf(Handbook<BookMessage>("GetHandbook", get_).status()),
            "NAME_INVALID");
}

}  // namespace
}  // namespace aftercare::rpc
