#include "libs/shard/apply.h"

#include "aftercare/intake/v1/events.pb.h"
#include "gtest/gtest.h"
#include "libs/base/time.h"
#include "services/intake/service.h"

namespace aftercare::shard {
namespace {

Event Sample() {
  Event event;
  event.meta.id = "intake/0/7/3";
  event.meta.subject = "companies/acme/customers/c1/cases/k1";
  event.meta.parent = "companies/acme/customers/c1";
  event.meta.revision = 12;
  event.meta.record_time = ParseRfc3339("2026-03-02T01:02:03.000004Z").value();
  event.meta.occur_time = ParseRfc3339("2026-03-01T01:02:03Z").value();
  event.meta.actor = "agent-li";
  auto message = std::make_unique<intake::v1::IntakeEvent>();
  message->mutable_case_closed()->set_by("李娜 🙂");
  event.bytes = message->SerializeAsString();
  event.message = std::move(message);
  event.request_id = "r-1";
  event.fingerprint = 0xfedcba9876543210u;
  event.cause = "dispatch/0/1/1";
  event.correlation = "r-0";
  event.traceparent = "00-1-2-01";
  event.handbook_version = 4;
  return event;
}

TEST(ApplyTest, AnEventComesBackFromItsRecordAsItWas) {
  const Service service = intake::MakeIntakeService();
  const Event event = Sample();
  const log::Record record = ToRecord(service, event);
  EXPECT_EQ(record.key, event.meta.parent);
  EXPECT_EQ(record.Header("ce_type"), "aftercare.intake.v1.CaseClosed");
  EXPECT_EQ(record.Header("ce_specversion"), "1.0");
  const auto back = FromRecord(service, {5, record});
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->meta.id, event.meta.id);
  EXPECT_EQ(back->meta.subject, event.meta.subject);
  EXPECT_EQ(back->meta.parent, event.meta.parent);
  EXPECT_EQ(back->meta.revision, event.meta.revision);
  EXPECT_EQ(back->meta.record_time, event.meta.record_time);
  EXPECT_EQ(back->meta.occur_time, event.meta.occur_time);
  EXPECT_EQ(back->meta.actor, event.meta.actor);
  EXPECT_EQ(back->bytes, event.bytes);
  EXPECT_EQ(back->request_id, event.request_id);
  EXPECT_EQ(back->fingerprint, event.fingerprint);
  EXPECT_EQ(back->cause, event.cause);
  EXPECT_EQ(back->correlation, event.correlation);
  EXPECT_EQ(back->traceparent, event.traceparent);
  EXPECT_EQ(back->handbook_version, event.handbook_version);
}

TEST(ApplyTest, DamagedRecordsAreDataLossNotACrash) {
  const Service service = intake::MakeIntakeService();
  const log::Record good = ToRecord(service, Sample());
  for (size_t i = 0; i < good.headers.size(); ++i) {
    const std::string& name = good.headers[i].first;
    if (name != "ce_id" && name != "ce_subject" && name != "ce_time" &&
        name != "ce_recordtime" && name != "ce_sequence") {
      continue;
    }
    log::Record bad = good;
    bad.headers.erase(bad.headers.begin() + static_cast<int>(i));
    EXPECT_EQ(FromRecord(service, {0, bad}).status().code(),
              absl::StatusCode::kDataLoss)
        << name;
    bad = good;
    bad.headers[i].second = name == "ce_id" || name == "ce_subject" ? "" : "x";
    EXPECT_EQ(FromRecord(service, {0, bad}).status().code(),
              absl::StatusCode::kDataLoss)
        << name;
  }
  log::Record bad = good;
  bad.value = "\xff\xff\xff";
  EXPECT_FALSE(FromRecord(service, {0, bad}).ok());
  bad.value = "";
  EXPECT_FALSE(FromRecord(service, {0, bad}).ok());
}

TEST(ApplyTest, TheRowFormatFollowsTablesAndVersion) {
  Service service = intake::MakeIntakeService();
  const std::string format = RowFormat(service);
  EXPECT_EQ(RowFormat(intake::MakeIntakeService()), format);
  service.set_row_version(2);
  EXPECT_NE(RowFormat(service), format);
}

}  // namespace
}  // namespace aftercare::shard
