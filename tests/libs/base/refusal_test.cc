#include "libs/base/refusal.h"

#include <set>

#include "aftercare/common/v1/annotations.pb.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "aftercare/intake/v1/reasons.pb.h"
#include "gtest/gtest.h"

namespace aftercare {
namespace {

TEST(RefusalTest, CodeAndDomainComeFromTheProto) {
  const absl::Status status =
      Refuse(intake::v1::REASON_CASE_NOT_OPEN, "text", {{"name", "x"}});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(
      info.ParseFromString(std::string(*status.GetPayload(kErrorInfoUrl))));
  EXPECT_EQ(info.reason(), "CASE_NOT_OPEN");
  EXPECT_EQ(info.domain(), "intake.aftercare");
  EXPECT_EQ(info.metadata().at("name"), "x");
}

TEST(RefusalTest, EveryCommonReasonHasACode) {
  const auto* reasons =
      google::protobuf::GetEnumDescriptor<common::v1::Reason>();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const auto* value = reasons->value(i);
    if (value->number() == 0) continue;
    const int code = value->options().GetExtension(common::v1::code);
    EXPECT_GT(code, 0) << value->name();
    EXPECT_LE(code, 16) << value->name();
  }
}

TEST(RefusalTest, AFieldViolationNamesTheField) {
  const absl::Status status = InvalidField("case.subject", "is missing");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "FIELD_INVALID");
  EXPECT_EQ(FieldOf(status), "case.subject");
}

TEST(RefusalTest, ARefusalOfAnyReasonMayNameFields) {
  absl::Status status =
      WithField(WithField(NotFound("companies/a"), "first", "is one"), "second",
                "is two");
  EXPECT_EQ(ReasonOf(status), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(FieldOf(status), "first");
  google::rpc::BadRequest bad;
  ASSERT_TRUE(
      bad.ParseFromString(std::string(*status.GetPayload(kBadRequestUrl))));
  ASSERT_EQ(bad.field_violations_size(), 2);
  EXPECT_EQ(bad.field_violations(1).field(), "second");
  EXPECT_EQ(bad.field_violations(1).description(), "is two");
}

TEST(RefusalTest, AnOrdinaryStatusHasNoReason) {
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), "");
  EXPECT_EQ(FieldOf(absl::OkStatus()), "");
}

}  // namespace
}  // namespace aftercare
