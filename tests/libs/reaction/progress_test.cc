#include "libs/reaction/progress.h"

#include <filesystem>
#include <fstream>

#include "gtest/gtest.h"
#include "libs/testing/temp_dir.h"

namespace aftercare::reaction {
namespace {

admin::v1::Parked ParkedAt(int64_t offset) {
  admin::v1::Parked parked;
  parked.set_event_id("intake/0/0/" + std::to_string(offset));
  parked.set_offset(offset);
  parked.set_problem("不行 🙂");
  return parked;
}

TEST(ProgressTest, AnUnknownStreamBeginsAtTheBeginning) {
  const testing::TempDir dir;
  auto progress = Progress::Open(dir / "p");
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ((*progress)->Position("dispatch<intake/0"), log::FoldState());
  EXPECT_TRUE((*progress)->ParkedOf("dispatch<intake/0").empty());
}

TEST(ProgressTest, PositionsAndParkedEventsOutliveTheProcess) {
  const testing::TempDir dir;
  const log::FoldState position{17, 4, 30};
  {
    auto progress = Progress::Open(dir / "p");
    ASSERT_TRUE(progress.ok());
    ASSERT_TRUE((*progress)
                    ->Advance("a/1", position, {ParkedAt(12), ParkedAt(3)})
                    .ok());
    ASSERT_TRUE((*progress)->Advance("a/10", {1, 2, 3}, {ParkedAt(5)}).ok());
    ASSERT_TRUE((*progress)->Unpark("a/10", ParkedAt(5)).ok());
  }
  auto progress = Progress::Open(dir / "p");
  ASSERT_TRUE(progress.ok());
  EXPECT_EQ((*progress)->Position("a/1"), position);
  const auto parked = (*progress)->ParkedOf("a/1");
  ASSERT_EQ(parked.size(), 2u);
  EXPECT_EQ(parked[0].offset(), 3);
  EXPECT_EQ(parked[1].SerializeAsString(), ParkedAt(12).SerializeAsString());
  EXPECT_TRUE((*progress)->ParkedOf("a/10").empty());
}

TEST(ProgressTest, ADamagedDirectoryIsBegunAnew) {
  const testing::TempDir dir;
  {
    auto progress = Progress::Open(dir / "p");
    ASSERT_TRUE(progress.ok());
    ASSERT_TRUE((*progress)->Advance("a/1", {1, 2, 3}, {}).ok());
  }
  for (const auto& file : std::filesystem::directory_iterator(dir / "p")) {
    if (file.path().filename().string().rfind("MANIFEST", 0) == 0) {
      std::ofstream(file.path(), std::ios::trunc) << "garbage";
    }
  }
  auto progress = Progress::Open(dir / "p");
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ((*progress)->Position("a/1"), log::FoldState());
}

}  // namespace
}  // namespace aftercare::reaction
