// A record nobody can use: the owner's replay stops at it and says where, all
// others go on; a reader from outside skips and counts what it does not know.
// Rows nobody can read: they are made anew from the log.

#include <future>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/log/embedded_log.h"
#include "libs/log/fold.h"
#include "libs/testing/damage.h"
#include "libs/testing/temp_dir.h"
#include "tests/system/daemon.h"

namespace aftercare::testing {
namespace {

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";
constexpr char kTopic[] = "aftercare.intake.events.v1";

class CorruptTest : public ::testing::Test {
 protected:
  CorruptTest() : daemon_(dir_ / "data") {}

  void SetUp() override {
    ASSERT_TRUE(daemon_.Start().ok());
    ASSERT_TRUE(daemon_.AwaitServing().ok());
    ASSERT_TRUE(daemon_.ApplyDemoHandbook().ok());
    for (int i = 0; i < 12; ++i) {
      intake::v1::RegisterCustomerRequest request;
      request.set_parent("companies/acme");
      request.set_customer_id(absl::StrCat("c-", i));
      request.set_display_name("王小明 🙂");
      request.set_region("beijing");
      ASSERT_TRUE(daemon_
                      .Call<intake::v1::Customer>(kIntake, "RegisterCustomer",
                                                  request, "agent-li")
                      .ok());
    }
    ASSERT_TRUE(daemon_.AwaitReactions().ok());
    ASSERT_EQ(daemon_.Stop(), 0);
  }

  // Writes an event with that value under a claim of its own, while the server
  // is down. Returns its offset.
  int64_t WriteEvent(int partition, const std::string& value) {
    log::EmbeddedLogOptions options;
    options.directory = daemon_.data() + "/log";
    auto log = log::EmbeddedLog::Open(options).value();
    auto appender = log->OpenAppender({kTopic, partition}).value();
    const auto append = [&](log::Record record) {
      std::promise<int64_t> done;
      appender->Append(std::move(record), [&](absl::StatusOr<int64_t> offset) {
        done.set_value(offset.value());
      });
      return done.get_future().get();
    };
    const int64_t claim = append(log::MakeClaim({"somebody", "nonce", ""}));
    log::Record record;
    record.key = "companies/acme/customers/c-x";
    record.value = value;
    record.headers = {{"ce_id", absl::StrCat("intake/", partition, "/x/0")},
                      {"ce_subject", record.key},
                      {"ce_sequence", "000000000001"},
                      {"ce_time", "2026-03-01T00:00:00Z"},
                      {"ce_recordtime", "2026-03-01T00:00:00Z"},
                      {"ce_actor", "somebody"}};
    log::StampEvent(record, claim, 0, false);
    return append(record);
  }

  // The intake shard with the bad record is halted at it; others serve.
  void ExpectHalted(int partition, int64_t offset, const char* reason) {
    ASSERT_TRUE(daemon_.Start().ok());
    bool settled = false;
    while (!settled) {
      const auto status = daemon_.Status();
      ASSERT_TRUE(status.ok()) << status.status();
      settled = true;
      for (const auto& shard : status->shards()) {
        settled &= shard.state() != admin::v1::Shard::REPLAYING;
      }
    }
    const auto status = daemon_.Status();
    ASSERT_TRUE(status.ok());
    int halted = 0;
    for (const auto& shard : status->shards()) {
      if (shard.state() != admin::v1::Shard::HALTED) {
        EXPECT_EQ(shard.state(), admin::v1::Shard::SERVING);
        continue;
      }
      ++halted;
      EXPECT_EQ(shard.service(), "intake");
      EXPECT_EQ(shard.partition(), partition);
      EXPECT_EQ(shard.problem().topic(), kTopic);
      EXPECT_EQ(shard.problem().offset(), offset);
      EXPECT_EQ(shard.problem().key(), "companies/acme/customers/c-x");
      EXPECT_TRUE(absl::StrContains(shard.problem().reason(), reason))
          << shard.problem().reason();
    }
    EXPECT_EQ(halted, 1);

    // Health tells, and customers of the other partition are served.
    const auto health = daemon_.Call<grpc::health::v1::HealthCheckResponse>(
        "grpc.health.v1.Health", "Check",
        grpc::health::v1::HealthCheckRequest(), "");
    ASSERT_TRUE(health.ok());
    EXPECT_EQ(health->status(),
              grpc::health::v1::HealthCheckResponse::NOT_SERVING);
    int answered = 0;
    for (int i = 0; i < 12; ++i) {
      intake::v1::GetCustomerRequest get;
      get.set_name(absl::StrCat("companies/acme/customers/c-", i));
      const auto found = daemon_.Call<intake::v1::Customer>(
          kIntake, "GetCustomer", get, "agent-li");
      if (log::PartitionOf(get.name(), 2) == partition) {
        EXPECT_TRUE(absl::IsDataLoss(found.status())) << found.status();
      } else {
        EXPECT_TRUE(found.ok()) << found.status();
        ++answered;
      }
    }
    EXPECT_GT(answered, 0);

    admin::v1::ReadEventsRequest read;
    read.set_service("intake");
    read.set_partition(partition);
    read.set_offset(offset);
    const auto page = daemon_.Call<admin::v1::ReadEventsResponse>(
        "aftercare.admin.v1.AdminService", "ReadEvents", read, "operator");
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_GE(page->entries_size(), 1);
    EXPECT_EQ(page->entries(0).kind(), admin::v1::LogEntry::UNREADABLE);
  }

  TempDir dir_;
  Daemon daemon_;
};

TEST_F(CorruptTest, AnUnknownFactStopsTheOwnerAndIsSkippedByOthers) {
  // Field 1999, a message: a fact of a later version.
  const int64_t offset = WriteEvent(1, std::string("\xfa\x7c\x02\x0a\x00", 5));
  ExpectHalted(1, offset, "does not know");
  ASSERT_TRUE(daemon_.AwaitReactions().ok());
  const auto status = daemon_.Status();
  ASSERT_TRUE(status.ok());
  int64_t skipped = 0;
  for (const auto& reaction : status->reactions()) {
    if (absl::EndsWith(reaction.name(), "<intake")) {
      EXPECT_EQ(reaction.parked(), 0);
      skipped += reaction.skipped_unknown();
    }
  }
  // Dispatch and scoring follow intake.
  EXPECT_EQ(skipped, 2);
}

TEST_F(CorruptTest, ACorruptValueStopsTheOwnerAndIsParkedByOthers) {
  const int64_t offset = WriteEvent(0, "\xff\xff\xff");
  ExpectHalted(0, offset, "does not parse");
  ASSERT_TRUE(daemon_.AwaitReactions().ok());
  const auto parked = daemon_.Call<admin::v1::ListParkedResponse>(
      "aftercare.admin.v1.AdminService", "ListParked",
      admin::v1::ListParkedRequest(), "operator");
  ASSERT_TRUE(parked.ok()) << parked.status();
  ASSERT_EQ(parked->parked_size(), 2);
  for (const auto& entry : parked->parked()) {
    EXPECT_EQ(entry.offset(), offset);
    EXPECT_EQ(entry.partition(), 0);
    EXPECT_EQ(entry.event_id(), "intake/0/x/0");
    admin::v1::ResolveParkedRequest skip;
    skip.set_reaction(entry.reaction());
    skip.set_event_id(entry.event_id());
    skip.set_action(admin::v1::ResolveParkedRequest::SKIP);
    EXPECT_TRUE(daemon_
                    .Call<admin::v1::Parked>("aftercare.admin.v1.AdminService",
                                             "ResolveParked", skip, "operator")
                    .ok());
  }
}

TEST_F(CorruptTest, DamagedRowsAreMadeAnewAndNeverTakenForMissing) {
  const std::string customer = "companies/acme/customers/c-7";
  const std::string name = customer + "/cases/k-20";
  const std::string subject = "the one that is damaged";
  ASSERT_TRUE(daemon_.Start().ok());
  ASSERT_TRUE(daemon_.AwaitServing().ok());
  for (int i = 0; i < 40; ++i) {
    intake::v1::OpenCaseRequest open;
    open.set_parent(customer);
    open.set_case_id(absl::StrCat("k-", i));
    open.set_kind(intake::v1::Case::INQUIRY);
    open.set_channel("hotline");
    open.set_subject(i == 20 ? subject : "空调不制冷");
    const auto opened =
        daemon_.Call<intake::v1::Case>(kIntake, "OpenCase", open, "agent-li");
    ASSERT_TRUE(opened.ok()) << opened.status();
  }
  const std::string rows = absl::StrCat(daemon_.data(), "/shards/intake/",
                                        log::PartitionOf(customer, 2));
  const auto opened_again = [&] {
    const std::vector<std::string> parts =
        absl::StrSplit(daemon_.Log(), "rows are opened again");
    return parts.size() - 1;
  };
  const auto restart_damaged = [&] {
    const size_t before = opened_again();
    ASSERT_TRUE(daemon_.AwaitReactions().ok());
    ASSERT_EQ(daemon_.Stop(), 0);
    ASSERT_GT(DamageRows(rows, subject), 0);
    ASSERT_TRUE(daemon_.Start().ok());
    // They serve: nobody has looked at that case yet.
    ASSERT_TRUE(daemon_.AwaitServing().ok());
    EXPECT_EQ(opened_again(), before);
  };
  {
    SCOPED_TRACE("a command");
    restart_damaged();
    intake::v1::ReplyToCaseRequest reply;
    reply.set_name(name);
    reply.set_text("好的");
    const auto replied = daemon_.Call<intake::v1::Case>(kIntake, "ReplyToCase",
                                                        reply, "agent-li");
    ASSERT_TRUE(replied.ok()) << replied.status();
    EXPECT_EQ(replied->subject(), subject);
    EXPECT_EQ(opened_again(), 1u);
    ASSERT_TRUE(daemon_.AwaitServing().ok());
  }
  {
    SCOPED_TRACE("a query");
    restart_damaged();
    intake::v1::GetCaseRequest get;
    get.set_name(name);
    absl::StatusOr<intake::v1::Case> found;
    int refused = 0;
    while (true) {
      found =
          daemon_.Call<intake::v1::Case>(kIntake, "GetCase", get, "agent-li");
      if (found.ok()) break;
      ASSERT_EQ(ReasonOf(found.status()), "NOT_READY") << found.status();
      ++refused;
    }
    EXPECT_GT(refused, 0);
    EXPECT_EQ(found->subject(), subject);
    EXPECT_TRUE(found->replied());
    EXPECT_EQ(opened_again(), 2u);
    ASSERT_TRUE(daemon_.AwaitServing().ok());
  }
  const auto verified = daemon_.Call<admin::v1::VerifyShardsResponse>(
      "aftercare.admin.v1.AdminService", "VerifyShards",
      admin::v1::VerifyShardsRequest(), "operator");
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_TRUE(verified->ok()) << verified->DebugString();
}

}  // namespace
}  // namespace aftercare::testing
