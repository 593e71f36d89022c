#include "libs/base/ids.h"

#include <set>

#include "gtest/gtest.h"
#include "libs/base/names.h"

namespace aftercare {
namespace {

TEST(IdsTest, IdsAreResourceIdsAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomId();
    EXPECT_TRUE(IsResourceId(id)) << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(IdsTest, ASeedGivesTheSameIdForEver) {
  EXPECT_EQ(IdFrom("a"), IdFrom("a"));
  EXPECT_NE(IdFrom("a"), IdFrom("b"));
  EXPECT_TRUE(IsResourceId(IdFrom("")));
  // Stored in rows and sent to clients: must never change.
  EXPECT_EQ(StableHash("aftercare"), StableHash(std::string("aftercare")));
}

}  // namespace
}  // namespace aftercare
