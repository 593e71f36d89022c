#include "libs/base/ids.h"

#include "gtest/gtest.h"
#include "libs/base/names.h"

namespace aftercare {
namespace {

TEST(IdsTest, ASeedGivesTheSameIdForEver) {
  EXPECT_EQ(IdFrom("a"), IdFrom("a"));
  EXPECT_NE(IdFrom("a"), IdFrom("b"));
  EXPECT_TRUE(IsResourceId(IdFrom("")));
  // Stored in rows and sent to clients: must never change.
  EXPECT_EQ(StableHash("aftercare"), StableHash(std::string("aftercare")));
}

}  // namespace
}  // namespace aftercare
