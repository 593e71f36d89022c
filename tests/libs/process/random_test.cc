#include "libs/process/random.h"

#include <set>

#include "gtest/gtest.h"
#include "libs/base/names.h"

namespace aftercare {
namespace {

TEST(RandomTest, IdsAreResourceIdsAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomId();
    EXPECT_TRUE(IsResourceId(id)) << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

}  // namespace
}  // namespace aftercare
