#include "libs/store/digest.h"

#include "gtest/gtest.h"

namespace aftercare::store {
namespace {

TEST(DigestTest, OrderDoesNotMatterAndRemovalUndoes) {
  const absl::uint128 a = PairHash("k1", "v1");
  const absl::uint128 b = PairHash("k2", "v2");
  EXPECT_EQ(a + b, b + a);
  EXPECT_EQ(a + b - a, b);
  EXPECT_NE(PairHash("k1", "v2"), a);
  EXPECT_NE(PairHash("k2", "v1"), a);
  EXPECT_NE(PairHash("k1v", "1"), a);
  EXPECT_EQ(DigestText(a).size(), 32u);
  EXPECT_EQ(DigestText(0), std::string(32, '0'));
}

}  // namespace
}  // namespace aftercare::store
