#include "libs/log/fold.h"

#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace aftercare::log {
namespace {

using Kind = FoldStep::Kind;

StoredRecord ClaimAt(int64_t offset, const std::string& owner = "a") {
  return {offset, MakeClaim({owner, "nonce-" + owner, owner + ":443"})};
}

StoredRecord EventAt(int64_t offset, int64_t claim, int64_t seq,
                     bool more = false) {
  StoredRecord stored;
  stored.offset = offset;
  stored.record.value = absl::StrCat(claim, "/", seq);
  StampEvent(stored.record, claim, seq, more);
  return stored;
}

TEST(FoldTest, ClaimSaysWhoWritesFromHereOn) {
  Fold fold;
  const FoldStep step = fold.Apply(ClaimAt(7, "süd"));
  EXPECT_EQ(step.kind, Kind::kClaim);
  EXPECT_EQ(step.claim.owner, "süd");
  EXPECT_EQ(step.claim.nonce, "nonce-süd");
  EXPECT_EQ(step.claim.address, "süd:443");
  EXPECT_EQ(fold.claim(), 7);
  EXPECT_EQ(fold.next(), 0);
  EXPECT_EQ(fold.offset(), 8);
}

TEST(FoldTest, EventsInSequenceCount) {
  Fold fold;
  fold.Apply(ClaimAt(0));
  const FoldStep first = fold.Apply(EventAt(1, 0, 0));
  ASSERT_EQ(first.kind, Kind::kGroup);
  ASSERT_EQ(first.group.size(), 1u);
  EXPECT_EQ(first.group[0].offset, 1);
  EXPECT_EQ(fold.Apply(EventAt(2, 0, 1)).kind, Kind::kGroup);
  EXPECT_EQ(fold.void_records(), 0);
}

TEST(FoldTest, CommandCountsAsAWhole) {
  Fold fold;
  fold.Apply(ClaimAt(0));
  EXPECT_EQ(fold.Apply(EventAt(1, 0, 0, true)).kind, Kind::kPending);
  EXPECT_EQ(fold.settled(), 0);
  EXPECT_EQ(fold.Apply(EventAt(2, 0, 1, true)).kind, Kind::kPending);
  const FoldStep step = fold.Apply(EventAt(3, 0, 2));
  ASSERT_EQ(step.kind, Kind::kGroup);
  ASSERT_EQ(step.group.size(), 3u);
  EXPECT_EQ(step.group[0].record.value, "0/0");
  EXPECT_EQ(step.group[2].record.value, "0/2");
  EXPECT_EQ(fold.settled(), 3);
}

TEST(FoldTest, ClaimVoidsAnUnfinishedCommand) {
  Fold fold;
  fold.Apply(ClaimAt(0));
  fold.Apply(EventAt(1, 0, 0));
  fold.Apply(EventAt(2, 0, 1, true));
  EXPECT_EQ(fold.settled(), 1);
  EXPECT_EQ(fold.Apply(ClaimAt(3, "b")).kind, Kind::kClaim);
  EXPECT_EQ(fold.void_records(), 1);
  EXPECT_EQ(fold.Apply(EventAt(4, 0, 2)).kind, Kind::kVoid);
  EXPECT_EQ(fold.Apply(EventAt(5, 3, 0)).kind, Kind::kGroup);
  EXPECT_EQ(fold.void_records(), 2);
}

TEST(FoldTest, DuplicateGapAndForeignClaimAreVoid) {
  Fold fold;
  EXPECT_EQ(fold.Apply(EventAt(0, 0, 0)).kind, Kind::kVoid);  // no claim yet
  fold.Apply(ClaimAt(1));
  EXPECT_EQ(fold.Apply(EventAt(2, 1, 0)).kind, Kind::kGroup);
  EXPECT_EQ(fold.Apply(EventAt(3, 1, 0)).kind, Kind::kVoid);  // again
  EXPECT_EQ(fold.Apply(EventAt(4, 1, 2)).kind, Kind::kVoid);  // 1 is missing
  EXPECT_EQ(fold.Apply(EventAt(5, 9, 1)).kind, Kind::kVoid);  // not the claim
  EXPECT_EQ(fold.Apply(EventAt(6, 1, 1)).kind, Kind::kGroup);
  EXPECT_EQ(fold.void_records(), 4);
}

TEST(FoldTest, DuplicateInsideACommandLeavesItWhole) {
  Fold fold;
  fold.Apply(ClaimAt(0));
  fold.Apply(EventAt(1, 0, 0, true));
  EXPECT_EQ(fold.Apply(EventAt(2, 0, 0, true)).kind, Kind::kVoid);
  const FoldStep step = fold.Apply(EventAt(3, 0, 1));
  ASSERT_EQ(step.kind, Kind::kGroup);
  EXPECT_EQ(step.group.size(), 2u);
}

TEST(FoldTest, WhatIsNotOfAftercareIsVoid) {
  const std::vector<std::pair<std::string, std::string>> bad[] = {
      {},
      {{"claim", "0"}},
      {{"seq", "0"}},
      {{"claim", "zero"}, {"seq", "0"}},
      {{"claim", "0"}, {"seq", "-1"}},
      {{"claim", "0"}, {"seq", ""}},
      {{"claim", "99999999999999999999"}, {"seq", "0"}},
      // Readers in other languages compare the text.
      {{"claim", "00"}, {"seq", "0"}},
      {{"claim", "+0"}, {"seq", "0"}},
      {{"claim", "0"}, {"seq", " 0"}},
      {{"claim", "0"}, {"seq", "0\n"}},
      {{"claim", "-1"}, {"seq", "0"}},
  };
  for (const auto& headers : bad) {
    Fold fold;
    fold.Apply(ClaimAt(0));
    StoredRecord stored;
    stored.offset = 1;
    stored.record.headers = headers;
    const FoldStep step = fold.Apply(stored);
    EXPECT_EQ(step.kind, Kind::kVoid);
    EXPECT_EQ(fold.void_records(), 1);
    EXPECT_EQ(fold.offset(), 2);
    EXPECT_EQ(fold.next(), 0);
  }
}

TEST(FoldTest, ResumePointIsTheLastBoundaryOfACommand) {
  Fold fold;
  fold.Apply(ClaimAt(4));
  fold.Apply(EventAt(5, 4, 0));
  EXPECT_EQ(fold.resume_point(), (FoldState{4, 1, 6}));
  fold.Apply(EventAt(6, 4, 1, true));
  fold.Apply(EventAt(9, 4, 2, true));
  EXPECT_EQ(fold.resume_point(), (FoldState{4, 1, 6}));
  fold.Apply(EventAt(12, 4, 3));
  EXPECT_EQ(fold.resume_point(), (FoldState{4, 4, 13}));
}

// Whatever the records, a reader restarted from any resume point makes the same
// of them as one that never stopped.
TEST(FoldTest, RestartAnywhereChangesNothing) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    std::vector<StoredRecord> records;
    int64_t claim = 0;
    int64_t seq = 0;
    for (int64_t offset = 0; offset < 60; ++offset) {
      const uint32_t dice = random() % 10;
      if (offset == 0 || dice == 0) {
        records.push_back(ClaimAt(offset));
        claim = offset;
        seq = 0;
      } else if (dice == 1) {
        records.push_back(EventAt(offset, claim, random() % 4));
      } else {
        records.push_back(EventAt(offset, claim, seq++, random() % 2 == 0));
      }
    }
    const auto counted = [&](Fold& fold, std::vector<int64_t>& out,
                             const StoredRecord& record) {
      for (const StoredRecord& event : fold.Apply(record).group) {
        out.push_back(event.offset);
      }
    };
    Fold whole;
    std::vector<int64_t> expected;
    for (const StoredRecord& record : records) {
      counted(whole, expected, record);
    }
    ASSERT_FALSE(expected.empty());

    Fold fold;
    std::vector<int64_t> got;
    for (size_t i = 0; i < records.size(); ++i) {
      counted(fold, got, records[i]);
      if (random() % 5 == 0) {
        const FoldState state = fold.resume_point();
        fold = Fold(state);
        i = static_cast<size_t>(state.offset) - 1;
        // Each restart must make progress sooner or later: read on a while.
        for (int n = 0; n < 8 && i + 1 < records.size(); ++n) {
          counted(fold, got, records[++i]);
        }
      }
    }
    EXPECT_EQ(got, expected);
    EXPECT_EQ(fold.resume_point(), whole.resume_point());
  }
}

}  // namespace
}  // namespace aftercare::log
