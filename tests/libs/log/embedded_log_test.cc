#include "libs/log/embedded_log.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "rocksdb/db.h"

namespace aftercare::log {
namespace {

using ::testing::HasSubstr;

const TopicPartition kPartition{"t", 0};

class EmbeddedLogTest : public ::testing::Test {
 protected:
  EmbeddedLogTest() {
    std::string name = ::testing::TempDir() + "embedded_log_XXXXXX";
    directory_ = mkdtemp(name.data());
    options_.directory = directory_;
  }
  ~EmbeddedLogTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<EmbeddedLog> Open() {
    auto log = EmbeddedLog::Open(options_);
    EXPECT_TRUE(log.ok()) << log.status();
    EXPECT_TRUE((*log)->EnsureTopic("t", 2).ok());
    return *std::move(log);
  }

  static absl::StatusOr<int64_t> AppendAndWait(Appender& appender,
                                               std::string value) {
    std::promise<absl::StatusOr<int64_t>> result;
    Record record;
    record.value = std::move(value);
    appender.Append(std::move(record), [&](absl::StatusOr<int64_t> offset) {
      result.set_value(std::move(offset));
    });
    return result.get_future().get();
  }

  std::string directory_;
  EmbeddedLogOptions options_;
};

TEST_F(EmbeddedLogTest, SecondOpenerIsToldWhoHoldsIt) {
  auto log = Open();
  const auto second = EmbeddedLog::Open(options_);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("process ", getpid(), " on ")));
  log.reset();
  EXPECT_TRUE(EmbeddedLog::Open(options_).ok());
}

TEST_F(EmbeddedLogTest, SecondProcessIsToldWhoHoldsIt) {
  auto log = Open();
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto second = EmbeddedLog::Open(options_);
    _exit(absl::IsFailedPrecondition(second.status()) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(EmbeddedLogTest, AcknowledgedRecordsSurviveTheProcess) {
  // The child is this binary started anew: a fork would take over a process
  // whose RocksDB threads are missing. It finds the directory by the variable.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  constexpr char kVariable[] = "AFTERCARE_LOG_OF_PARENT";
  setenv(kVariable, directory_.c_str(), /*overwrite=*/0);
  EXPECT_EXIT(
      {
        std::filesystem::remove(directory_);
        options_.directory = getenv(kVariable);
        auto log = Open();
        auto appender = log->OpenAppender(kPartition);
        for (int i = 0; i < 50; ++i) {
          if (!AppendAndWait(**appender, absl::StrCat(i)).ok()) _exit(1);
        }
        _exit(0);  // nothing is closed
      },
      ::testing::ExitedWithCode(0), "");
  unsetenv(kVariable);
  auto log = Open();
  auto reader = log->OpenReader(kPartition, 0);
  const auto records = (*reader)->Read(100, absl::ZeroDuration());
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_EQ(records->size(), 50u);
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ((*records)[i].record.value, absl::StrCat(i));
    EXPECT_EQ((*records)[i].offset, i);
  }
}

TEST_F(EmbeddedLogTest, DamagedRecordIsDataLossAtItsOffset) {
  {
    auto log = Open();
    auto appender = log->OpenAppender(kPartition);
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(AppendAndWait(**appender, absl::StrCat("value", i)).ok());
    }
  }
  {
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(
        rocksdb::DB::Open(rocksdb::Options(), directory_ + "/db", &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    std::string key("rt");
    key += std::string(5, '\0');
    key += std::string("\0\0\0\0\0\0\0\3", 8);
    std::string value;
    ASSERT_TRUE(db->Get(rocksdb::ReadOptions(), key, &value).ok());
    value[value.size() / 2] ^= 1;
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), key, value).ok());
  }
  auto log = Open();
  auto reader = log->OpenReader(kPartition, 0);
  const auto good = (*reader)->Read(100, absl::ZeroDuration());
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->size(), 3u);
  const auto bad = (*reader)->Read(100, absl::ZeroDuration());
  EXPECT_TRUE(absl::IsDataLoss(bad.status())) << bad.status();
  EXPECT_THAT(std::string(bad.status().message()), HasSubstr("offset 3"));
  EXPECT_EQ((*reader)->position(), 3);
}

TEST_F(EmbeddedLogTest, BelowTheFloorNothingIsWritten) {
  std::atomic<int64_t> free{int64_t{1} << 40};
  options_.min_free_bytes = 1000;
  options_.free_bytes = [&]() -> absl::StatusOr<int64_t> {
    return free.load();
  };
  auto log = Open();
  auto appender = *log->OpenAppender(kPartition);
  ASSERT_TRUE(AppendAndWait(*appender, "first").ok());
  free = 999;
  absl::StatusOr<int64_t> refused = 0;
  for (int i = 0; i < 1000000 && refused.ok(); ++i) {
    refused = AppendAndWait(*appender, "later");
  }
  EXPECT_TRUE(absl::IsResourceExhausted(refused.status())) << refused.status();
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("999"));
  const int64_t end = *log->End(kPartition);
  free = 1000;
  absl::StatusOr<int64_t> again = absl::UnknownError("");
  while (!again.ok()) again = AppendAndWait(*appender, "again");
  // A refused record leaves no hole and no record.
  EXPECT_EQ(*again, end);
}

TEST_F(EmbeddedLogTest, QueueIsBoundedInBytes) {
  options_.max_queued_bytes = 20000;
  auto log = Open();
  auto appender = *log->OpenAppender(kPartition);
  Record big;
  big.value = std::string(30000, 'x');
  std::promise<absl::Status> result;
  appender->Append(big, [&](absl::StatusOr<int64_t> offset) {
    result.set_value(offset.status());
  });
  EXPECT_TRUE(absl::IsResourceExhausted(result.get_future().get()));
  EXPECT_EQ(*AppendAndWait(*appender, "small"), 0);
}

TEST_F(EmbeddedLogTest, TopicsAndOffsetsSurviveReopening) {
  {
    auto log = Open();
    ASSERT_TRUE(log->EnsureTopic("tt", 3).ok());  // "t" is its prefix
    auto appender = *log->OpenAppender({"tt", 2});
    EXPECT_EQ(*AppendAndWait(*appender, "x"), 0);
    EXPECT_EQ(*AppendAndWait(*appender, "y"), 1);
  }
  auto log = Open();
  EXPECT_EQ(*log->PartitionCount("tt"), 3);
  EXPECT_EQ(*log->End({"tt", 2}), 2);
  EXPECT_EQ(*log->End({"tt", 1}), 0);
  EXPECT_EQ(*log->End({"t", 1}), 0);
  auto appender = *log->OpenAppender({"tt", 2});
  EXPECT_EQ(*AppendAndWait(*appender, "z"), 2);
}

TEST_F(EmbeddedLogTest, ManyWritersShareSyncsAndKeepTheirOrder) {
  auto log = Open();
  constexpr int kEach = 3000;
  std::vector<std::thread> writers;
  std::vector<std::vector<int64_t>> offsets(2);
  for (int p = 0; p < 2; ++p) {
    writers.emplace_back([&, p] {
      auto appender = *log->OpenAppender({"t", p});
      std::promise<void> all;
      for (int i = 0; i < kEach; ++i) {
        Record record;
        record.value = absl::StrCat(i);
        appender->Append(record, [&](absl::StatusOr<int64_t> offset) {
          offsets[p].push_back(offset.ok() ? *offset : -1);
          if (offsets[p].size() == kEach) all.set_value();
        });
      }
      all.get_future().wait();
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (int p = 0; p < 2; ++p) {
    for (int i = 0; i < kEach; ++i) ASSERT_EQ(offsets[p][i], i);
    auto reader = *log->OpenReader({"t", p}, 0);
    const auto records = reader->Read(kEach + 1, absl::ZeroDuration());
    ASSERT_EQ(records->size(), static_cast<size_t>(kEach));
    EXPECT_EQ((*records)[kEach - 1].record.value, absl::StrCat(kEach - 1));
  }
}

}  // namespace
}  // namespace aftercare::log
