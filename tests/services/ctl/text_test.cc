#include "services/ctl/text.h"

#include <string>

#include "aftercare/common/v1/reasons.pb.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"

namespace aftercare::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(TextTest, OneFieldALineNestedOnesIndented) {
  dispatch::v1::CompleteWorkOrderRequest request;
  request.set_report("done\nand tested");
  auto* part = request.add_parts();
  part->set_part("元件");
  part->set_quantity(2);
  part->mutable_unit_price()->set_currency_code("CNY");
  part->mutable_unit_price()->set_minor_units(1250);
  request.set_free_of_charge(true);
  request.mutable_occur_time()->set_seconds(1772325000);
  EXPECT_EQ(ToText(request),
            "report: done\n"
            "  and tested\n"
            "parts:\n"
            "  part: 元件\n"
            "  quantity: 2\n"
            "  unit_price: 12.50 CNY\n"
            "free_of_charge: true\n"
            "occur_time: 2026-03-01T00:30:00Z\n");
  dispatch::v1::AssignWorkOrderRequest assign;
  assign.mutable_duration()->set_seconds(9000);
  EXPECT_EQ(ToText(assign), "duration: 2h30m\n");
}

// A description with an escape sequence must not rename the reader's window.
TEST(TextTest, TextOfACustomerCannotSteerTheTerminal) {
  intake::v1::OpenCaseRequest request;
  request.set_subject(
      "\x1b]0;gone\x07 \xc2\x9b"
      "31m é\x7f\ta");
  EXPECT_EQ(ToText(request), "subject: \\x1b]0;gone\\x07 \\x9b31m é\\x7f\ta\n");
  EXPECT_THAT(ToText(InvalidField("subject", "has \x1b")),
              Not(HasSubstr("\x1b")));
  // Bytes that are no UTF-8 stay as they are.
  EXPECT_EQ(Printable("\xc2"), "\xc2");
  EXPECT_EQ(Printable("\xc2z"), "\xc2z");
}

TEST(TextTest, ARefusalShowsReasonFieldsAndMetadata) {
  absl::Status refusal =
      Refuse(common::v1::REASON_ETAG_MISMATCH, "the etag differs",
             {{"have", "b"}, {"given", "a"}});
  EXPECT_EQ(ToText(refusal),
            "ABORTED ETAG_MISMATCH: the etag differs\n"
            "  given: a\n"
            "  have: b\n");
  EXPECT_THAT(ToText(InvalidField("parts[0].quantity", "is missing")),
              HasSubstr("\n  field parts[0].quantity: is missing\n"));
  EXPECT_EQ(ToText(absl::UnavailableError("gone")), "UNAVAILABLE: gone\n");
}

TEST(TextTest, ARefusalAsJsonParses) {
  for (const absl::Status& refusal :
       {Refuse(common::v1::REASON_ETAG_MISMATCH, "line\n\"quote\" \\ 王 \xff",
               {{"a\"b", "c\nd"}, {"e", ""}}),
        InvalidField("subject", "must \"not\" be so"),
        absl::Status(absl::UnavailableError("gone"))}) {
    const std::string json = ToJson(refusal);
    google::protobuf::Struct parsed;
    ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &parsed).ok())
        << json;
    EXPECT_EQ(parsed.fields().at("reason").string_value(), ReasonOf(refusal));
    EXPECT_EQ(parsed.fields().at("fields").list_value().values_size(),
              FieldOf(refusal).empty() ? 0 : 1);
    EXPECT_THAT(json, Not(HasSubstr("\n")));
  }
}

TEST(TextTest, ColumnsOfATableCountCharactersOfEastAsiaTwice) {
  EXPECT_EQ(Table({{"name", "n"}, {"王芳", "1"}, {"José", "22"}, {"x"}}),
            "name  n\n"
            "王芳  1\n"
            "José  22\n"
            "x\n");
}

TEST(TextTest, ALineOfTheLogSaysWhoActedAndWhoClaimed) {
  admin::v1::LogEntry entry;
  entry.set_offset(7);
  entry.set_kind(admin::v1::LogEntry::CLAIM);
  (*entry.mutable_headers())["claim_owner"] = "intake-0";
  EXPECT_EQ(EventLine(entry), "7 CLAIM by intake-0");
  (*entry.mutable_headers())["claim_address"] = "10.0.0.7:7400\x1b[2J";
  EXPECT_EQ(EventLine(entry), "7 CLAIM by intake-0 at 10.0.0.7:7400\\x1b[2J");
  entry.set_kind(admin::v1::LogEntry::EVENT);
  entry.set_text("{}");
  auto& headers = *entry.mutable_headers();
  headers["ce_time"] = "2026-03-01T00:30:00Z";
  headers["ce_type"] = "aftercare.intake.v1.CaseOpened";
  headers["ce_subject"] = "companies/acme/customers/c/cases/k";
  headers["ce_actor"] = "agent-li";
  EXPECT_EQ(EventLine(entry),
            "7 EVENT 2026-03-01T00:30:00Z aftercare.intake.v1.CaseOpened "
            "companies/acme/customers/c/cases/k by agent-li {}");
}

}  // namespace
}  // namespace aftercare::ctl
