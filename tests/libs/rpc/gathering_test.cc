#include "libs/rpc/gathering.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aftercare::rpc {
namespace {

using ::testing::ElementsAre;

TEST(GatheringTest, TellsAllAnswersOnceTheLastIsThere) {
  int calls = 0;
  std::vector<std::string> got;
  Gathering<std::string> gathering(
      3, [&](absl::StatusOr<std::vector<std::string>> answers) {
        ++calls;
        got = answers.value();
      });
  gathering.Take("b");
  gathering.Take("a");
  EXPECT_EQ(calls, 0);
  gathering.Take("c");
  EXPECT_EQ(calls, 1);
  EXPECT_THAT(got, ElementsAre("b", "a", "c"));
}

TEST(GatheringTest, TellsTheFirstErrorButNotBeforeTheLastAnswer) {
  absl::Status got;
  Gathering<int> gathering(4, [&](absl::StatusOr<std::vector<int>> answers) {
    got = answers.status();
  });
  gathering.Take(1);
  gathering.Take(absl::UnavailableError("first"));
  gathering.Take(absl::InternalError("second"));
  EXPECT_TRUE(got.ok());
  gathering.Take(2);
  EXPECT_EQ(got, absl::UnavailableError("first"));
}

TEST(GatheringTest, AnswersMayComeFromManyThreads) {
  constexpr int kThreads = 8;
  constexpr int kEach = 1000;
  std::atomic<int> calls{0};
  size_t count = 0;
  auto gathering = std::make_shared<Gathering<int>>(
      kThreads * kEach, [&](absl::StatusOr<std::vector<int>> answers) {
        ++calls;
        count = answers->size();
      });
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([gathering] {
      for (int i = 0; i < kEach; ++i) gathering->Take(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(count, kThreads * kEach);
}

}  // namespace
}  // namespace aftercare::rpc
