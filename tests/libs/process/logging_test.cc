#include "libs/process/logging.h"

#include "gtest/gtest.h"

namespace aftercare {
namespace {

TEST(LoggingTest, TextIsQuotedAsJson) {
  EXPECT_EQ(JsonQuote("a\"b\\c\nd\x01"), "\"a\\\"b\\\\c\\nd\\u0001\"");
  EXPECT_EQ(JsonQuote("售后 🙂"), "\"售后 🙂\"");
}

TEST(LoggingTest, BytesThatAreNoUtf8BecomeReplacementCharacters) {
  EXPECT_EQ(JsonQuote("a\xff"), "\"a\xEF\xBF\xBD\"");
  // Overlong, surrogate, too large, cut short.
  for (const char* bad :
       {"\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe5\x94"}) {
    EXPECT_NE(JsonQuote(bad).find("\xEF\xBF\xBD"), std::string::npos);
  }
}

TEST(LoggingTest, ALineIsOneObject) {
  ::testing::internal::CaptureStderr();
  LogError("a problem", {{"key", "va\"lue"}});
  const std::string line = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(line.front(), '{');
  EXPECT_EQ(line.substr(line.size() - 2), "}\n");
  EXPECT_NE(line.find("\"level\":\"error\""), std::string::npos);
  EXPECT_NE(line.find("\"key\":\"va\\\"lue\""), std::string::npos);
}

}  // namespace
}  // namespace aftercare
