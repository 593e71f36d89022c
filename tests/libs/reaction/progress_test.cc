#include "libs/reaction/progress.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "libs/log/embedded_log.h"
#include "libs/reaction/topic_progress.h"
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

// One contract for both kinds: what one object wrote, the next one loads.
class ProgressTest : public ::testing::TestWithParam<bool> {
 protected:
  void Open() {
    progress_.reset();
    if (!GetParam()) {
      progress_ = OpenLocalProgress(dir_ / "p").value();
      return;
    }
    log_.reset();
    log::EmbeddedLogOptions options;
    options.directory = dir_ / "log";
    log_ = log::EmbeddedLog::Open(options).value();
    ASSERT_TRUE(log_->EnsureTopic(ProgressTopic("dispatch"), 1).ok());
    progress_ =
        std::make_unique<TopicProgress>(*log_, ProgressTopic("dispatch"));
  }
  void SetUp() override { Open(); }

  testing::TempDir dir_;
  std::unique_ptr<log::EmbeddedLog> log_;
  std::unique_ptr<Progress> progress_;
};

TEST_P(ProgressTest, AnUnknownStreamBeginsAtTheBeginning) {
  const auto state = progress_->Load("dispatch<intake/0");
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->position, log::FoldState());
  EXPECT_TRUE(state->parked.empty());
}

TEST_P(ProgressTest, PositionsAndParkedEventsOutliveTheProcess) {
  const log::FoldState position{17, 4, 30};
  ASSERT_TRUE(
      progress_->Advance("a/1", position, {ParkedAt(12), ParkedAt(3)}).ok());
  ASSERT_TRUE(progress_->Advance("a/10", {1, 2, 3}, {ParkedAt(5)}).ok());
  ASSERT_TRUE(progress_->Unpark("a/10", ParkedAt(5)).ok());
  ASSERT_TRUE(progress_->Park("b", ParkedAt(7)).ok());
  for (int round = 0; round < 2; ++round) {
    const auto state = progress_->Load("a/1");
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->position, position);
    ASSERT_EQ(state->parked.size(), 2u);
    EXPECT_EQ(state->parked[0].offset(), 3);
    EXPECT_EQ(state->parked[1].SerializeAsString(),
              ParkedAt(12).SerializeAsString());
    EXPECT_TRUE(progress_->Load("a/10")->parked.empty());
    EXPECT_EQ(progress_->Load("b")->parked.size(), 1u);
    Open();
  }
}

INSTANTIATE_TEST_SUITE_P(, ProgressTest, ::testing::Bool(),
                         [](const ::testing::TestParamInfo<bool>& param) {
                           return param.param ? "Topic" : "Local";
                         });

TEST(TopicProgressTest, WhatAnotherProcessWroteMeanwhileIsLoaded) {
  const testing::TempDir dir;
  log::EmbeddedLogOptions options;
  options.directory = dir / "log";
  const auto log = log::EmbeddedLog::Open(options).value();
  ASSERT_TRUE(log->EnsureTopic(ProgressTopic("dispatch"), 1).ok());
  TopicProgress one(*log, ProgressTopic("dispatch"));
  TopicProgress other(*log, ProgressTopic("dispatch"));
  for (int64_t i = 1; i < 20; ++i) {
    ASSERT_TRUE(one.Advance("s", {i, i, i}, {ParkedAt(i)}).ok());
    const auto state = other.Load("s");
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(state->position.offset, i);
    ASSERT_EQ(state->parked.size(), 1u);
    ASSERT_TRUE(other.Unpark("s", ParkedAt(i)).ok());
    EXPECT_TRUE(one.Load("s")->parked.empty());
  }
}

TEST(TopicProgressTest, ATopicThatIsNotThereIsUnavailable) {
  const testing::TempDir dir;
  log::EmbeddedLogOptions options;
  options.directory = dir / "log";
  const auto log = log::EmbeddedLog::Open(options).value();
  TopicProgress progress(*log, ProgressTopic("dispatch"));
  EXPECT_TRUE(absl::IsUnavailable(progress.Load("s").status()));
  EXPECT_TRUE(absl::IsUnavailable(progress.Advance("s", {1, 1, 1}, {})));
  // As soon as it is there, it is used.
  ASSERT_TRUE(log->EnsureTopic(ProgressTopic("dispatch"), 1).ok());
  EXPECT_TRUE(progress.Advance("s", {1, 1, 1}, {}).ok());
  EXPECT_EQ(progress.Load("s")->position.offset, 1);
}

TEST(LocalProgressTest, ADamagedDirectoryIsBegunAnew) {
  const testing::TempDir dir;
  {
    auto progress = OpenLocalProgress(dir / "p");
    ASSERT_TRUE(progress.ok());
    ASSERT_TRUE((*progress)->Advance("a/1", {1, 2, 3}, {}).ok());
  }
  for (const auto& file : std::filesystem::directory_iterator(dir / "p")) {
    if (absl::StartsWith(file.path().filename().string(), "MANIFEST")) {
      std::ofstream(file.path(), std::ios::trunc) << "garbage";
    }
  }
  auto progress = OpenLocalProgress(dir / "p");
  ASSERT_TRUE(progress.ok()) << progress.status();
  EXPECT_EQ((*progress)->Load("a/1")->position, log::FoldState());
}

}  // namespace
}  // namespace aftercare::reaction
