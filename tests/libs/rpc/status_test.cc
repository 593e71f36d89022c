#include "libs/rpc/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"

namespace aftercare::rpc {
namespace {

TEST(StatusTest, RefusalsComeOutAsTheyWentIn) {
  const absl::Status sent =
      WithRetryDelay(Refuse(common::v1::REASON_OVERLOADED,
                            "zu viel 太多 🙂", {{"n", "7"}}),
                     absl::Milliseconds(300));
  EXPECT_EQ(FromGrpc(ToGrpc(sent)), sent);
  const absl::Status field = InvalidField("case.phone", "is missing");
  EXPECT_EQ(FromGrpc(ToGrpc(field)), field);
  EXPECT_EQ(FieldOf(FromGrpc(ToGrpc(field))), "case.phone");
}

TEST(StatusTest, OkStaysOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(StatusTest, OurOwnFailuresDoNotTellTheirInnerText) {
  const grpc::Status shown = ToGrpc(absl::InternalError("row 42 of /secret"));
  EXPECT_EQ(shown.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_FALSE(absl::StrContains(shown.error_message(), "secret"));
  EXPECT_EQ(ReasonOf(FromGrpc(shown)), "INTERNAL_ERROR");
}

TEST(StatusTest, ManyViolationsAreCutToWhatATrailerCarries) {
  absl::Status status =
      Refuse(common::v1::REASON_HANDBOOK_INVALID, std::string(5000, 'x'));
  google::rpc::BadRequest bad;
  for (int i = 0; i < 2000; ++i) {
    auto* violation = bad.add_field_violations();
    violation->set_field(absl::StrCat("handbook.people[", i, "]"));
    violation->set_description("has a role nobody knows");
  }
  status.SetPayload(kBadRequestUrl, absl::Cord(bad.SerializeAsString()));
  const grpc::Status shown = ToGrpc(status);
  EXPECT_LE(shown.error_details().size(), 4000u);
  EXPECT_LE(shown.error_message().size(), 1000u);
  const absl::Status back = FromGrpc(shown);
  EXPECT_EQ(ReasonOf(back), "HANDBOOK_INVALID");
  EXPECT_EQ(FieldOf(back), "handbook.people[0]");
}

TEST(StatusTest, LongTextsAreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "箱";
  for (int shift = 0; shift < 3; ++shift) {
    const grpc::Status shown = ToGrpc(Refuse(
        common::v1::REASON_FIELD_INVALID,
        absl::StrCat(std::string(static_cast<size_t>(shift), 'a'), text)));
    const std::string& message = shown.error_message();
    ASSERT_TRUE(absl::EndsWith(message, "..."));
    EXPECT_EQ((message.size() - 3 - static_cast<size_t>(shift)) % 3, 0u)
        << shift;
  }
}

TEST(StatusTest, DetailsThatDoNotParseAreLeftOut) {
  const absl::Status back = FromGrpc(
      grpc::Status(grpc::StatusCode::NOT_FOUND, "gone", "\xff\xff\xff"));
  EXPECT_EQ(back, absl::NotFoundError("gone"));
}

}  // namespace
}  // namespace aftercare::rpc
