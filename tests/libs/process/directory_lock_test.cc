#include "libs/process/directory_lock.h"

#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/testing/temp_dir.h"

namespace aftercare {
namespace {

using ::testing::HasSubstr;

TEST(DirectoryLockTest, TheSecondIsRefusedAndToldWhoIsTheFirst) {
  const testing::TempDir dir;
  auto first = DirectoryLock::Take(dir / "made/here");
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = DirectoryLock::Take(dir / "made/here");
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("made/here is held by process ", getpid(),
                                     " on ")));
  EXPECT_TRUE(DirectoryLock::Take(dir / "other").ok());
  first->reset();
  EXPECT_TRUE(DirectoryLock::Take(dir / "made/here").ok());
}

TEST(DirectoryLockTest, ADirectoryThatCannotBeIsSaidByName) {
  const auto lock = DirectoryLock::Take("/proc/none");
  EXPECT_TRUE(absl::IsUnavailable(lock.status())) << lock.status();
  EXPECT_THAT(std::string(lock.status().message()), HasSubstr("/proc/none"));
}

}  // namespace
}  // namespace aftercare
