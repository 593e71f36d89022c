#include "libs/shard/replay.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "services/intake/service.h"

namespace aftercare::shard {
namespace {

log::StoredRecord Claim(int64_t offset) {
  return {offset, log::MakeClaim({"a", "n", "h:1"})};
}

// Gives records with the offsets from `from` to `end`, then `error`, or
// nothing more.
class FakeReader final : public log::Reader {
 public:
  FakeReader(int64_t end, absl::Status error, std::atomic<int64_t>* reached)
      : end_(end), error_(std::move(error)), reached_(reached) {}

  absl::StatusOr<std::vector<log::StoredRecord>> Read(
      int max_records, absl::Duration wait) override {
    std::vector<log::StoredRecord> records;
    while (position_ < end_ && static_cast<int>(records.size()) < max_records) {
      records.push_back(Claim(position_++));
    }
    *reached_ = position_;
    if (records.empty()) {
      if (!error_.ok()) return error_;
      absl::SleepFor(std::min(wait, absl::Milliseconds(1)));
    }
    return records;
  }
  int64_t position() const override { return position_; }

 private:
  const int64_t end_;
  const absl::Status error_;
  std::atomic<int64_t>* const reached_;
  int64_t position_ = 0;
};

class ReadAheadTest : public ::testing::Test {
 protected:
  std::unique_ptr<ReadAhead> Open(int64_t end, int64_t last,
                                  absl::Status error = absl::OkStatus()) {
    return std::make_unique<ReadAhead>(
        service_,
        std::make_unique<FakeReader>(end, std::move(error), &reached_), last);
  }

  const Service service_ = intake::MakeIntakeService();
  std::atomic<int64_t> reached_{0};
};

TEST_F(ReadAheadTest, GivesEveryRecordInOrderThroughTheLast) {
  auto ahead = Open(50000, 30000);
  int64_t next = 0;
  while (next <= 30000) {
    auto batch = ahead->Next();
    ASSERT_TRUE(batch.ok()) << batch.status();
    for (const DecodedRecord& record : *batch) {
      ASSERT_EQ(record.record.offset, next++);
      // What the fold needs is still there.
      ASSERT_EQ(record.record.record.Header(log::kOwnerHeader), "a");
    }
  }
  EXPECT_EQ(next, 30001);
}

TEST_F(ReadAheadTest, AnErrorComesAfterTheRecordsBeforeItAndStays) {
  auto ahead = Open(5000, 9000, absl::DataLossError("rotten"));
  int64_t seen = 0;
  auto batch = ahead->Next();
  for (; batch.ok(); batch = ahead->Next()) {
    seen += static_cast<int64_t>(batch->size());
  }
  EXPECT_EQ(seen, 5000);
  EXPECT_EQ(batch.status(), absl::DataLossError("rotten"));
  EXPECT_EQ(ahead->error_position(), 5000);
  EXPECT_EQ(ahead->Next().status(), absl::DataLossError("rotten"));
}

TEST_F(ReadAheadTest, NobodyTakingTheRecordsItReadsNoFurther) {
  {
    auto ahead = Open(1000000, 999999);
    while (reached_ < 10000) absl::SleepFor(absl::Milliseconds(1));
    absl::SleepFor(absl::Milliseconds(20));
  }
  EXPECT_LE(reached_, 10000);
}

TEST_F(ReadAheadTest, ASilentLogGivesNothingForAWhile) {
  auto ahead = Open(0, 10);
  const auto batch = ahead->Next();
  ASSERT_TRUE(batch.ok());
  EXPECT_TRUE(batch->empty());
}

TEST(DecodeTest, LeavesTheFoldItsHeadersAndKeepsTheKey) {
  const Service service = intake::MakeIntakeService();
  log::Record record;
  record.key = "companies/acme/customers/c1";
  record.value = "\xff not an event";
  log::StampEvent(record, 3, 4, true);
  const DecodedRecord decoded = Decode(service, {9, record});
  EXPECT_EQ(decoded.record.offset, 9);
  EXPECT_EQ(decoded.key, record.key);
  EXPECT_EQ(decoded.record.record.Header(log::kClaimHeader), "3");
  EXPECT_EQ(decoded.record.record.Header(log::kSeqHeader), "4");
  EXPECT_EQ(decoded.record.record.Header(log::kMoreHeader), "1");
  EXPECT_TRUE(absl::IsDataLoss(decoded.event.status()));
}

}  // namespace
}  // namespace aftercare::shard
