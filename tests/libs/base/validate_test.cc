#include "libs/base/validate.h"

#include "aftercare/intake/v1/resources.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"

namespace aftercare {
namespace {

TEST(ValidateTest, TextHasALimitAndNoControlCharacters) {
  EXPECT_TRUE(CheckText("f", "空调不制冷\n🙂", 100).ok());
  EXPECT_EQ(FieldOf(CheckText("f", "", 100)), "f");
  EXPECT_FALSE(CheckText("f", std::string(101, 'a'), 100).ok());
  EXPECT_FALSE(CheckText("f", std::string("a\0b", 3), 100).ok());
  EXPECT_FALSE(CheckText("f", "a\x1b[31m", 100).ok());
  EXPECT_TRUE(CheckOptionalText("f", "", 100).ok());
}

TEST(ValidateTest, MoneyIsInTheCompanysCurrencyAndNotNegative) {
  common::v1::Money money;
  money.set_currency_code("CNY");
  money.set_minor_units(1999);
  EXPECT_TRUE(CheckMoney("fee", money, "CNY").ok());
  money.set_minor_units(-1);
  EXPECT_EQ(FieldOf(CheckMoney("fee", money, "CNY")), "fee.minor_units");
  money.set_minor_units(kMaxAmount + 1);
  EXPECT_FALSE(CheckMoney("fee", money, "CNY").ok());
  money.set_minor_units(1);
  EXPECT_EQ(FieldOf(CheckMoney("fee", money, "EUR")), "fee.currency_code");
}

TEST(ValidateTest, AnAttachmentIsProvenByItsDigest) {
  common::v1::Attachment attachment;
  attachment.set_sha256(std::string(63, 'a') + "0");
  attachment.set_title("发票 🧾");
  EXPECT_TRUE(CheckAttachment("file", attachment).ok());
  attachment.set_title(std::string(301, 'x'));
  EXPECT_EQ(FieldOf(CheckAttachment("file", attachment)), "file.title");
  attachment.clear_title();
  attachment.set_media_type("image\x01");
  EXPECT_EQ(FieldOf(CheckAttachment("file", attachment)), "file.media_type");
  attachment.clear_media_type();
  for (const std::string& bad : {std::string(), std::string(64, 'A'),
                                 std::string(64, 'g'), std::string(65, 'a')}) {
    attachment.set_sha256(bad);
    EXPECT_EQ(FieldOf(CheckAttachment("file", attachment)), "file.sha256");
  }
}

TEST(ValidateTest, AnUnknownEnumNumberIsRefused) {
  using intake::v1::Case;
  EXPECT_TRUE(CheckEnum("kind", Case::REPAIR).ok());
  EXPECT_FALSE(CheckEnum("kind", Case::KIND_UNSPECIFIED).ok());
  EXPECT_FALSE(CheckEnum("kind", static_cast<Case::Kind>(99)).ok());
}

TEST(ValidateTest, AnEtagThatDiffersAborts) {
  EXPECT_TRUE(CheckEtag("", "3").ok());
  EXPECT_TRUE(CheckEtag("3", "3").ok());
  EXPECT_EQ(ReasonOf(CheckEtag("2", "3")), "ETAG_MISMATCH");
}

}  // namespace
}  // namespace aftercare
