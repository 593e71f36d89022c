#include "libs/base/names.h"

#include "gtest/gtest.h"
#include "libs/base/refusal.h"

namespace aftercare {
namespace {

TEST(NamesTest, IdsAreLowerCaseLettersDigitsAndInnerHyphens) {
  for (const char* good : {"a", "0", "a-b", "2026-03", "x--y"}) {
    EXPECT_TRUE(IsResourceId(good)) << good;
  }
  for (const char* bad : {"", "-a", "a-", "A", "a_b", "a/b", "é", "a b"}) {
    EXPECT_FALSE(IsResourceId(bad)) << bad;
  }
  EXPECT_TRUE(IsResourceId(std::string(63, 'a')));
  EXPECT_FALSE(IsResourceId(std::string(64, 'a')));
}

TEST(NamesTest, AMatchGivesTheIdsAtTheStars) {
  const auto ids = MatchName("name", "companies/*/customers/*/cases/*",
                             "companies/acme/customers/42/cases/7");
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(*ids, (std::vector<std::string>{"acme", "42", "7"}));
}

TEST(NamesTest, AnotherFormIsRefusedWithTheField) {
  for (const char* bad :
       {"", "companies", "companies/acme", "companies/acme/customers/42",
        "companies/acme/customers/42/cases/",
        "/companies/acme/customers/4/cases/7",
        "companies/acme/customers/42/cases/7/",
        "companies/ACME/customers/4/cases/7",
        "companies/acme/customers/42/orders/7",
        "companies/acme/customers/42/cases/7/replies/1"}) {
    const auto status =
        CheckName("case", "companies/*/customers/*/cases/*", bad);
    EXPECT_EQ(ReasonOf(status), "NAME_INVALID") << bad;
    EXPECT_EQ(FieldOf(status), "case") << bad;
  }
}

TEST(NamesTest, ARefusalShowsALongNameUpToAWholeCharacter) {
  for (int shift = 0; shift < 4; ++shift) {
    std::string name(shift, 'x');
    for (int i = 0; i < 100; ++i) name += "🙂";
    const absl::Status status = CheckName("name", "companies/*", name);
    const absl::string_view message = status.message();
    const size_t begin = message.find('\'') + 1;
    const absl::string_view shown =
        message.substr(begin, message.find('\'', begin) - begin);
    EXPECT_EQ((shown.size() - shift) % 4, 0u) << message;
    EXPECT_GT(shown.size(), 190u);
    EXPECT_LE(shown.size(), 200u);
  }
}

TEST(NamesTest, ThePartsOfAName) {
  const char* name = "companies/acme/customers/42/cases/7";
  EXPECT_EQ(BoundaryOf(name), "companies/acme/customers/42");
  EXPECT_EQ(BoundaryOf("companies/acme"), "companies/acme");
  EXPECT_EQ(CompanyOf(name), "companies/acme");
  EXPECT_EQ(ParentOf(name), "companies/acme/customers/42");
  EXPECT_EQ(ParentOf("companies/acme"), "");
  EXPECT_EQ(ParentOf(""), "");
  EXPECT_EQ(IdOf(name), "7");
}

}  // namespace
}  // namespace aftercare
