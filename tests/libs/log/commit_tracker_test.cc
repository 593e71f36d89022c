#include "libs/log/commit_tracker.h"

#include <vector>

#include "gtest/gtest.h"

namespace aftercare::log {
namespace {

using State = CommitTracker::State;

StoredRecord Event(int64_t offset, int64_t claim, int64_t seq,
                   bool more = false) {
  StoredRecord stored;
  stored.offset = offset;
  StampEvent(stored.record, claim, seq, more);
  return stored;
}

std::vector<int64_t> DoneSeqs(CommitTracker& tracker) {
  std::vector<int64_t> seqs;
  for (const auto& done : tracker.TakeDone()) seqs.push_back(done.last_seq);
  return seqs;
}

TEST(CommitTrackerTest, DoneWhenAllRecordsLieWhereExpected) {
  CommitTracker tracker(10);
  EXPECT_EQ(tracker.Sent(2), 0);
  EXPECT_EQ(tracker.Sent(1), 2);
  EXPECT_EQ(tracker.open_records(), 3);
  tracker.Delivered(0, 11);
  EXPECT_TRUE(tracker.TakeDone().empty());
  tracker.Delivered(1, 12);
  const auto done = tracker.TakeDone();
  ASSERT_EQ(done.size(), 1u);
  EXPECT_EQ(done[0].last_seq, 1);
  EXPECT_EQ(done[0].end_offset, 13);
  tracker.Delivered(2, 13);
  EXPECT_EQ(DoneSeqs(tracker), std::vector<int64_t>{2});
  EXPECT_EQ(tracker.open_records(), 0);
  EXPECT_EQ(tracker.state(), State::kGood);
}

TEST(CommitTrackerTest, WaitsForEveryEarlierSeq) {
  CommitTracker tracker(0);
  tracker.Sent(1);
  tracker.Sent(1);
  tracker.Delivered(1, 2);
  EXPECT_TRUE(tracker.TakeDone().empty());
  EXPECT_EQ(tracker.state(), State::kGood);
  tracker.Delivered(0, 1);
  EXPECT_EQ(DoneSeqs(tracker), (std::vector<int64_t>{0, 1}));
}

TEST(CommitTrackerTest, FailedReportLeavesEverythingLaterInDoubt) {
  CommitTracker tracker(0);
  tracker.Sent(1);
  tracker.Sent(1);
  tracker.Failed(0);
  tracker.Delivered(1, 1);
  EXPECT_EQ(tracker.state(), State::kInDoubt);
  EXPECT_TRUE(tracker.TakeDone().empty());
}

TEST(CommitTrackerTest, SkippedOffsetsMustBeReadFirst) {
  CommitTracker tracker(0);
  tracker.Sent(1);
  tracker.Delivered(0, 3);
  ASSERT_EQ(tracker.state(), State::kNeedsGap);
  EXPECT_EQ(tracker.gap_from(), 1);
  EXPECT_EQ(tracker.gap_to(), 3);
  EXPECT_TRUE(tracker.TakeDone().empty());
  // Late records of a deposed writer: void.
  tracker.GapRecords({Event(1, 0, 7), Event(2, 0, 9), Event(3, 0, 0)});
  EXPECT_EQ(tracker.state(), State::kGood);
  EXPECT_EQ(DoneSeqs(tracker), std::vector<int64_t>{0});
}

TEST(CommitTrackerTest, ForeignClaimInTheGapDemotes) {
  CommitTracker tracker(0);
  tracker.Sent(1);
  tracker.Delivered(0, 2);
  ASSERT_EQ(tracker.state(), State::kNeedsGap);
  tracker.GapRecords({{1, MakeClaim({"b", "n", "b:1"})}, Event(2, 0, 0)});
  EXPECT_EQ(tracker.state(), State::kDemoted);
  EXPECT_TRUE(tracker.TakeDone().empty());
}

TEST(CommitTrackerTest, AnEndBehindWhatIsKnownIsAGap) {
  CommitTracker tracker(0);
  tracker.Sent(1);
  EXPECT_FALSE(tracker.Knows(1, 1));
  EXPECT_FALSE(tracker.Knows(0, 2));
  EXPECT_EQ(tracker.state(), State::kGood);
  tracker.Delivered(0, 1);
  EXPECT_TRUE(tracker.Knows(1, 2));
  EXPECT_FALSE(tracker.Knows(1, 4));
  ASSERT_EQ(tracker.state(), State::kNeedsGap);
  EXPECT_EQ(tracker.gap_from(), 2);
  EXPECT_EQ(tracker.gap_to(), 3);
  // A stranger's, then a later owner's.
  tracker.GapRecords({Event(2, 7, 0), {3, MakeClaim({"b", "n", "b:1"})}});
  EXPECT_EQ(tracker.state(), State::kDemoted);
  EXPECT_EQ(DoneSeqs(tracker), std::vector<int64_t>{0});
}

TEST(CommitTrackerTest, ClaimBehindOurRecordLeavesItDone) {
  CommitTracker tracker(0);
  tracker.Sent(1);
  tracker.Sent(1);
  tracker.Delivered(0, 1);
  tracker.Delivered(1, 3);
  tracker.GapRecords({{2, MakeClaim({"b", "n", "b:1"})}, Event(3, 0, 1)});
  EXPECT_EQ(tracker.state(), State::kDemoted);
  EXPECT_EQ(DoneSeqs(tracker), std::vector<int64_t>{0});
}

TEST(CommitTrackerTest, GapCanSettleRecordsWhoseReportsAreLate) {
  CommitTracker tracker(0);
  tracker.Sent(1);
  tracker.Sent(1);
  tracker.Delivered(0, 2);
  ASSERT_EQ(tracker.state(), State::kNeedsGap);
  tracker.GapRecords({Event(1, 0, 5), Event(2, 0, 0), Event(3, 0, 1)});
  EXPECT_EQ(DoneSeqs(tracker), (std::vector<int64_t>{0, 1}));
  tracker.Delivered(1, 3);  // late, and known already
  EXPECT_EQ(tracker.state(), State::kGood);
  tracker.Failed(1);
  EXPECT_EQ(tracker.state(), State::kGood);
}

TEST(CommitTrackerTest, GapWithoutTheReportedRecordIsDoubt) {
  CommitTracker tracker(0);
  tracker.Sent(1);
  tracker.Delivered(0, 4);
  tracker.GapRecords({Event(1, 0, 5)});
  EXPECT_EQ(tracker.state(), State::kInDoubt);
}

TEST(CommitTrackerTest, OffsetBehindTheKnownEndIsDoubt) {
  CommitTracker tracker(5);
  tracker.Sent(1);
  tracker.Delivered(0, 3);
  EXPECT_EQ(tracker.state(), State::kInDoubt);
  EXPECT_TRUE(tracker.TakeDone().empty());
}

}  // namespace
}  // namespace aftercare::log
