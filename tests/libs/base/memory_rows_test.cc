#include "libs/base/memory_rows.h"

#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "gtest/gtest.h"
#include "libs/base/time.h"

namespace aftercare {
namespace {

using intake::v1::Case;
constexpr Table<Case> kCases{"case"};

Schema MakeSchema() {
  Schema schema;
  schema.AddTable(kCases)
      .AddIndex<Case>(kCases, "by_owner",
                      [](const Case& c) -> std::vector<std::string> {
                        if (c.owner().empty()) return {};
                        return {c.owner()};
                      })
      .AddTimer<Case>(kCases, [](const Case& c) -> std::vector<absl::Time> {
        if (!c.has_close_time()) return {};
        return {FromProto(c.close_time())};
      });
  return schema;
}

std::vector<std::string> Owners(const RowReader& rows, absl::string_view from,
                                absl::string_view to) {
  std::vector<std::string> found;
  rows.ScanIndex("by_owner", from, to,
                 [&](absl::string_view key, absl::string_view id) {
                   found.push_back(absl::StrCat(key, "=", id));
                   return true;
                 });
  return found;
}

TEST(MemoryRowsTest, AnIndexFollowsItsRows) {
  const Schema schema = MakeSchema();
  MemoryRows rows(schema);
  rows.Edit(kCases, "a/1").set_owner("li");
  rows.Edit(kCases, "a/2").set_owner("wang");
  EXPECT_EQ(Owners(rows, "", "\xff"),
            (std::vector<std::string>{"li=a/1", "wang=a/2"}));
  rows.Edit(kCases, "a/1").set_owner("zhao");
  EXPECT_EQ(Owners(rows, "", "\xff"),
            (std::vector<std::string>{"wang=a/2", "zhao=a/1"}));
  EXPECT_EQ(Owners(rows, "x", "\xff"), (std::vector<std::string>{"zhao=a/1"}));
  rows.Erase(kCases, "a/2");
  rows.Edit(kCases, "a/1").clear_owner();
  EXPECT_TRUE(Owners(rows, "", "\xff").empty());
  EXPECT_EQ(rows.Dump().size(), 1u);
}

TEST(MemoryRowsTest, TablesAreScannedInOrderAndStopWhenAsked) {
  const Schema schema = MakeSchema();
  MemoryRows rows(schema);
  for (const char* id : {"c", "a", "b"}) rows.Edit(kCases, id).set_name(id);
  std::string seen;
  rows.ScanTable(kCases, "", "\xff", [&](absl::string_view id, const Case& c) {
    EXPECT_EQ(c.name(), id);
    absl::StrAppend(&seen, id);
    return seen.size() < 2;
  });
  EXPECT_EQ(seen, "ab");
}

TEST(RowsTest, PrefixEndIsTheNextTextAfterAllWithThePrefix) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_LT(std::string("ab\xff\xff"), PrefixEnd("ab"));
}

}  // namespace
}  // namespace aftercare
