#include "libs/rpc/admin_service.h"

#include <filesystem>
#include <future>
#include <string>

#include "absl/strings/match.h"
#include "libs/log/fold.h"
#include "libs/shard/checkpoint.h"
#include "tests/libs/rpc/rpc_fixture.h"

namespace aftercare::rpc {
namespace {

using admin::v1::LogEntry;
using admin::v1::ReadAsOfRequest;
using admin::v1::ReadAsOfResponse;
using admin::v1::ReadEventsRequest;
using admin::v1::ReadEventsResponse;
using intake::v1::Customer;
using intake::v1::UpdateCustomerRequest;

class AdminServiceTest : public testing::RpcFixture {
 protected:
  void SetUp() override {
    RpcFixture::SetUp();
    ASSERT_TRUE(ApplyDemoHandbook().ok());
  }

  absl::StatusOr<ReadEventsResponse> Read(int partition, int64_t offset,
                                          int most = 0) {
    ReadEventsRequest request;
    request.set_service("intake");
    request.set_partition(partition);
    request.set_offset(offset);
    request.set_max_events(most);
    return Admin<ReadEventsResponse>("ReadEvents", request);
  }

  int PartitionOf(const std::string& boundary) {
    return log::PartitionOf(boundary, testing::kPartitions);
  }

  // A record of anybody's, straight into the log.
  void Append(int partition, log::Record record) {
    auto appender =
        log_->OpenAppender({hosted_[0]->service->topic(), partition});
    ASSERT_TRUE(appender.ok());
    std::promise<absl::StatusOr<int64_t>> done;
    (*appender)->Append(std::move(record), [&](absl::StatusOr<int64_t> o) {
      done.set_value(std::move(o));
    });
    ASSERT_TRUE(done.get_future().get().ok());
  }
};

TEST_F(AdminServiceTest, StatusShowsEveryShard) {
  ASSERT_TRUE(Register("c-1").ok());
  const auto status =
      Admin<admin::v1::Status>("GetStatus", admin::v1::GetStatusRequest());
  ASSERT_TRUE(status.ok()) << status.status();
  ASSERT_EQ(status->shards_size(), testing::kPartitions);
  int64_t events = 0;
  for (const auto& shard : status->shards()) {
    EXPECT_EQ(shard.service(), "intake");
    EXPECT_EQ(shard.state(), admin::v1::Shard::SERVING);
    EXPECT_EQ(shard.digest().size(), 32u);
    events += shard.events();
  }
  EXPECT_EQ(events, testing::kPartitions + 1);
  EXPECT_GT(status->free_disk_bytes(), 0);
  EXPECT_GT(status->resident_memory_bytes(), 1 << 20);
}

TEST_F(AdminServiceTest, OperatorsOnly) {
  for (const char* actor : {"agent-li", "auditor", "stranger"}) {
    EXPECT_EQ(ReasonOf(Admin<admin::v1::Status>(
                           "GetStatus", admin::v1::GetStatusRequest(), actor)
                           .status()),
              "ACTION_NOT_PERMITTED");
  }
}

TEST_F(AdminServiceTest, VerificationReplaysToTheSameDigest) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Register(absl::StrCat("c-", i)).ok());
  }
  const auto response = Admin<admin::v1::VerifyShardsResponse>(
      "VerifyShards", admin::v1::VerifyShardsRequest());
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->ok()) << response->ShortDebugString();
  ASSERT_EQ(response->verdicts_size(), testing::kPartitions);
  EXPECT_EQ(response->verdicts(0).live_digest(),
            response->verdicts(0).replayed_digest());
  admin::v1::VerifyShardsRequest unknown;
  unknown.set_service("sales");
  EXPECT_EQ(
      FieldOf(Admin<admin::v1::VerifyShardsResponse>("VerifyShards", unknown)
                  .status()),
      "service");
  // "All of none" would be no proof.
  for (int p = 0; p < testing::kPartitions; ++p) hosted_[0]->Take(p)->Stop();
  admin::v1::VerifyShardsRequest none;
  none.set_service("intake");
  EXPECT_EQ(FieldOf(Admin<admin::v1::VerifyShardsResponse>("VerifyShards", none)
                        .status()),
            "service");
}

TEST_F(AdminServiceTest, EventsAreShownAsTheyLieInTheLog) {
  ASSERT_TRUE(Register("c-1", "request_id: 'r-7'").ok());
  const auto page = Read(PartitionOf("companies/acme/customers/c-1"), 0);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->entries_size(), 3) << page->ShortDebugString();
  EXPECT_EQ(page->entries(0).kind(), LogEntry::CLAIM);
  EXPECT_EQ(page->entries(1).kind(), LogEntry::EVENT);
  const LogEntry& entry = page->entries(2);
  EXPECT_EQ(entry.kind(), LogEntry::EVENT);
  EXPECT_EQ(entry.key(), "companies/acme/customers/c-1");
  EXPECT_EQ(entry.headers().at("ce_actor"), "agent-li");
  EXPECT_EQ(entry.headers().at("ce_requestid"), "r-7");
  EXPECT_TRUE(absl::StrContains(entry.text(), "王小明 🙂"));
  EXPECT_EQ(page->next_offset(), entry.offset() + 1);

  const auto rest = Read(PartitionOf("companies/acme/customers/c-1"), 2, 1);
  ASSERT_TRUE(rest.ok()) << rest.status();
  ASSERT_EQ(rest->entries_size(), 1);
  EXPECT_EQ(rest->entries(0).kind(), LogEntry::EVENT);
}

TEST_F(AdminServiceTest, RecordsOfNoWriterInForceAreShownAsVoid) {
  log::Record record;
  record.key = "companies/acme/customers/c-1";
  log::StampEvent(record, 4711, 0, false);
  Append(0, record);
  log::Record garbage;
  garbage.key = "\xff\xfe";
  garbage.value = "\x01\x02";
  Append(0, garbage);
  int64_t claims_end = 0;
  const auto all = Read(0, 0);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->entries_size(), 4) << all->ShortDebugString();
  EXPECT_EQ(all->entries(2).kind(), LogEntry::VOID);
  EXPECT_EQ(all->entries(3).kind(), LogEntry::VOID);
  claims_end = all->next_offset();
  // The same whatever offset the reader begins at.
  const auto tail = Read(0, 2);
  ASSERT_TRUE(tail.ok()) << tail.status();
  ASSERT_EQ(tail->entries_size(), 2);
  EXPECT_EQ(tail->entries(0).kind(), LogEntry::VOID);
  EXPECT_EQ(tail->next_offset(), claims_end);
}

TEST_F(AdminServiceTest, ReadingRefusesWhatDoesNotExist) {
  EXPECT_EQ(FieldOf(Read(7, 0).status()), "partition");
  EXPECT_EQ(FieldOf(Read(-1, 0).status()), "partition");
  EXPECT_EQ(FieldOf(Read(0, -1).status()), "offset");
  EXPECT_EQ(FieldOf(Read(0, 1 << 20).status()), "offset");
  EXPECT_EQ(FieldOf(Read(0, 0, -1).status()), "max_events");
}

// Two axes: what was true then, what was known then.
TEST_F(AdminServiceTest, AResourceIsShownAsItWasOnEitherAxis) {
  ASSERT_TRUE(Register("c-1", "occur_time { seconds: 1767225600 }").ok());
  const auto after_first = absl::Now();
  UpdateCustomerRequest update;
  update.set_name("companies/acme/customers/c-1");
  update.set_display_name("王大明");
  update.mutable_occur_time()->set_seconds(1767312000);
  ASSERT_TRUE(client_
                  ->Invoke<Customer>(
                      Find(hosted_[0]->service->descriptor(), "UpdateCustomer"),
                      update, {.actor = "agent-li"})
                  .ok());
  const auto as_of = [&](auto set) {
    ReadAsOfRequest request;
    request.set_name("companies/acme/customers/c-1");
    set(request);
    const auto response = Admin<ReadAsOfResponse>("ReadAsOf", request);
    EXPECT_TRUE(response.ok()) << response.status();
    return *response;
  };
  const auto early = as_of([](ReadAsOfRequest& r) {
    r.mutable_occur_time()->set_seconds(1767225599);
  });
  EXPECT_EQ(early.json(), "");
  const auto between = as_of([](ReadAsOfRequest& r) {
    r.mutable_occur_time()->set_seconds(1767311999);
  });
  EXPECT_TRUE(absl::StrContains(between.json(), "王小明 🙂"))
      << between.json();
  EXPECT_EQ(between.type(), "aftercare.intake.v1.Customer");
  EXPECT_EQ(between.events(), 1);
  const auto late = as_of([](ReadAsOfRequest& r) {
    r.mutable_occur_time()->set_seconds(1767312000);
  });
  EXPECT_TRUE(absl::StrContains(late.json(), "王大明")) << late.json();
  const auto known = as_of([&](ReadAsOfRequest& r) {
    *r.mutable_record_time() = ToProto(after_first);
  });
  EXPECT_TRUE(absl::StrContains(known.json(), "王小明 🙂"))
      << known.json();
}

TEST_F(AdminServiceTest, ACheckpointIsWrittenOnceAndOnlyWhereNothingIs) {
  admin::v1::WriteCheckpointRequest request;
  request.set_directory(dir_ / "checkpoint");
  const auto written =
      Admin<admin::v1::WriteCheckpointResponse>("WriteCheckpoint", request);
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_EQ(written->shards_size(), testing::kPartitions);
  EXPECT_TRUE(shard::ListCheckpoints(dir_ / "checkpoint/intake/1").size() == 1);
  EXPECT_EQ(FieldOf(Admin<admin::v1::WriteCheckpointResponse>("WriteCheckpoint",
                                                              request)
                        .status()),
            "directory");
}

TEST_F(AdminServiceTest, NothingParkedCanBeResolved) {
  admin::v1::ResolveParkedRequest request;
  request.set_reaction("dispatch<intake");
  request.set_event_id("intake/0/0/0");
  EXPECT_EQ(
      FieldOf(Admin<admin::v1::Parked>("ResolveParked", request).status()),
      "action");
  request.set_action(admin::v1::ResolveParkedRequest::SKIP);
  EXPECT_EQ(
      ReasonOf(Admin<admin::v1::Parked>("ResolveParked", request).status()),
      "RESOURCE_NOT_FOUND");
}

}  // namespace
}  // namespace aftercare::rpc
