#include "libs/store/row_store.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "gtest/gtest.h"
#include "libs/base/memory_rows.h"
#include "libs/store/digest.h"
#include "libs/testing/damage.h"
#include "libs/testing/temp_dir.h"

namespace aftercare::store {
namespace {

using intake::v1::Case;
constexpr Table<Case> kCases{"case"};

Schema MakeSchema() {
  Schema schema;
  schema.AddTable(kCases).AddIndex<Case>(
      kCases, "by_owner", [](const Case& c) -> std::vector<std::string> {
        if (c.owner().empty()) return {};
        return {c.owner(), c.owner() + "!"};
      });
  return schema;
}

class RowStoreTest : public ::testing::Test {
 protected:
  RowStoreTest() : schema_(MakeSchema()) { Open(); }

  void Open() {
    store_.reset();
    RowStoreOptions options;
    options.directory = dir_ / "rows";
    options.cached_rows = 3;  // so that eviction happens
    options.write_buffer_bytes = write_buffer_bytes_;
    auto opened = RowStore::Open(schema_, options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }

  void Accept(Turn turn, int64_t offset) {
    common::v1::ShardMeta position = store_->meta();
    position.set_offset(offset);
    store_->Accept(std::move(turn), position);
  }

  absl::Status Commit(Turn turn, int64_t offset) {
    Accept(std::move(turn), offset);
    return store_->Write();
  }

  absl::Status CommitOpen(int64_t offset) {
    common::v1::ShardMeta position = store_->meta();
    position.set_offset(offset);
    return store_->CommitOpenTurn(position);
  }

  // Files there are now.
  std::set<std::string> Files() {
    std::set<std::string> names;
    for (const auto& file : std::filesystem::directory_iterator(dir_ / "rows"))
      names.insert(file.path().filename().string());
    return names;
  }

  // What is on the disk once RocksDB has nothing more to flush or compact, as
  // after a kill -9; the store goes on with it.
  void Kill() {
    std::set<std::string> before;
    std::error_code error;
    do {
      before = Files();
      absl::SleepFor(absl::Milliseconds(300));
      std::filesystem::remove_all(dir_ / "killed");
      std::filesystem::copy(dir_ / "rows", dir_ / "killed",
                            std::filesystem::copy_options::recursive, error);
    } while (error || before != Files());
    store_.reset();
    std::filesystem::remove_all(dir_ / "rows");
    std::filesystem::rename(dir_ / "killed", dir_ / "rows");
    Open();
  }

  std::vector<std::string> Keys(const RowReader& rows) {
    std::vector<std::string> keys;
    rows.ScanKeys("a", "z", [&](absl::string_view key) {
      keys.emplace_back(key);
      return true;
    });
    return keys;
  }

  // The running digest must be that of the rows, counted anew.
  void ExpectDigestHolds() {
    const auto scan = store_->ScanDigest();
    ASSERT_TRUE(scan.ok());
    EXPECT_EQ(scan->digest, absl::MakeUint128(store_->meta().digest_high(),
                                              store_->meta().digest_low()));
    EXPECT_EQ(scan->rows, store_->meta().rows());
  }

  aftercare::testing::TempDir dir_;
  int64_t write_buffer_bytes_ = int64_t{32} << 20;
  Schema schema_;
  std::unique_ptr<RowStore> store_;
};

TEST_F(RowStoreTest, ATurnIsPendingUntilItIsCommitted) {
  store_->Edit(kCases, "1").set_owner("li");
  Turn turn = store_->EndTurn();
  EXPECT_EQ(store_->Find(kCases, "1")->owner(), "li");
  EXPECT_EQ(Keys(*store_).size(), 3u);
  EXPECT_EQ(store_->NewSnapshot()->Find(kCases, "1"), nullptr);
  ASSERT_TRUE(Commit(std::move(turn), 1).ok());
  EXPECT_EQ(store_->NewSnapshot()->Find(kCases, "1")->owner(), "li");
  EXPECT_EQ(Keys(*store_), Keys(*store_->NewSnapshot()));
  ExpectDigestHolds();
}

TEST_F(RowStoreTest, PendingTurnsCommitInOrderWhileLaterOnesStay) {
  store_->Edit(kCases, "1").set_owner("li");
  Turn first = store_->EndTurn();
  store_->Edit(kCases, "1").set_owner("wang");
  store_->Edit(kCases, "2").set_owner("wang");
  Turn second = store_->EndTurn();
  ASSERT_TRUE(Commit(std::move(first), 1).ok());
  EXPECT_EQ(store_->Find(kCases, "1")->owner(), "wang");
  EXPECT_EQ(store_->NewSnapshot()->Find(kCases, "1")->owner(), "li");
  ExpectDigestHolds();
  ASSERT_TRUE(Commit(std::move(second), 2).ok());
  EXPECT_EQ(store_->NewSnapshot()->Find(kCases, "1")->owner(), "wang");
  ExpectDigestHolds();
}

TEST_F(RowStoreTest, DroppingForgetsWhatWasNotCommitted) {
  store_->Edit(kCases, "1").set_owner("li");
  ASSERT_TRUE(Commit(store_->EndTurn(), 1).ok());
  store_->Edit(kCases, "1").set_owner("wang");
  Turn lost = store_->EndTurn();
  store_->Edit(kCases, "2").set_owner("zhao");
  store_->DropPending();
  EXPECT_EQ(store_->Find(kCases, "1")->owner(), "li");
  EXPECT_EQ(store_->Find(kCases, "2"), nullptr);
  EXPECT_EQ(Keys(*store_), Keys(*store_->NewSnapshot()));
}

TEST_F(RowStoreTest, PositionAndRowsSurviveTogether) {
  store_->Edit(kCases, "1").set_owner("li");
  ASSERT_TRUE(Commit(store_->EndTurn(), 17).ok());
  const std::string meta = store_->meta().SerializeAsString();
  Open();
  EXPECT_EQ(store_->meta().SerializeAsString(), meta);
  EXPECT_EQ(store_->meta().offset(), 17);
  EXPECT_EQ(store_->Find(kCases, "1")->owner(), "li");
  ExpectDigestHolds();
}

TEST_F(RowStoreTest, AKillLeavesAWholeNumberOfStretches) {
  // Flushed several times on the way.
  constexpr int kTurns = 100;
  const std::string text(64 << 10, 'x');
  write_buffer_bytes_ = 1 << 20;
  Open();
  for (int64_t offset = 1; offset <= kTurns; ++offset) {
    Case& row = store_->Edit(kCases, absl::StrCat(offset));
    row.set_owner("li");
    row.set_subject(absl::StrCat(offset, text));
    if (offset % 2 == 0) {
      ASSERT_TRUE(CommitOpen(offset).ok());
      continue;
    }
    Accept(store_->EndTurn(), offset);
    ASSERT_TRUE(store_->Write().ok());
  }
  Kill();
  EXPECT_GT(store_->meta().offset(), 0);
  EXPECT_LT(store_->meta().offset(), kTurns);
  EXPECT_EQ(store_->meta().rows(), 3 * store_->meta().offset());
  ExpectDigestHolds();
}

TEST_F(RowStoreTest, ClosingKeepsWhatWasWritten) {
  store_->Edit(kCases, "1").set_owner("li");
  ASSERT_TRUE(Commit(store_->EndTurn(), 1).ok());
  store_->Edit(kCases, "2").set_owner("wang");
  Accept(store_->EndTurn(), 2);
  Open();
  EXPECT_EQ(store_->meta().offset(), 1);
  EXPECT_EQ(store_->Find(kCases, "2"), nullptr);
  ExpectDigestHolds();
}

TEST_F(RowStoreTest, WhatIsAcceptedCountsAndIsSeenBySnapshotsOnceWritten) {
  store_->Edit(kCases, "1").set_owner("li");
  store_->Edit(kCases, "2").set_owner("li");
  Accept(store_->EndTurn(), 1);
  EXPECT_EQ(store_->meta().offset(), 1);
  EXPECT_EQ(store_->meta().rows(), 6);
  EXPECT_GT(store_->unwritten(), 0u);
  EXPECT_EQ(store_->NewSnapshot()->Find(kCases, "1"), nullptr);
  // Of a row that changes again, only the last is written; what is still
  // pending is not.
  store_->Edit(kCases, "1").set_owner("wang");
  Accept(store_->EndTurn(), 2);
  store_->Erase(kCases, "2");
  Accept(store_->EndTurn(), 3);
  store_->Edit(kCases, "1").set_owner("zhao");
  Turn pending = store_->EndTurn();
  ASSERT_TRUE(store_->Write().ok());
  EXPECT_EQ(store_->unwritten(), 0u);
  const auto snapshot = store_->NewSnapshot();
  EXPECT_EQ(snapshot->Find(kCases, "1")->owner(), "wang");
  EXPECT_EQ(Keys(*snapshot).size(), 3u);
  EXPECT_EQ(store_->Find(kCases, "1")->owner(), "zhao");
  ExpectDigestHolds();
  ASSERT_TRUE(Commit(std::move(pending), 4).ok());
  EXPECT_EQ(Keys(*store_), Keys(*store_->NewSnapshot()));
  ExpectDigestHolds();
}

TEST_F(RowStoreTest, ClosingKeepsWhatReplayMade) {
  store_->Edit(kCases, "1").set_owner("li");
  ASSERT_TRUE(CommitOpen(7).ok());
  Open();
  EXPECT_EQ(store_->meta().offset(), 7);
  EXPECT_NE(store_->Find(kCases, "1"), nullptr);
  ExpectDigestHolds();
}

// As on a full disk. RocksDB's file of log lines, if it had one, would end the
// process here.
TEST_F(RowStoreTest, FilesThatCannotGrowAreAnErrorAndNotTheEnd) {
  const std::string text(64 << 10, 'x');
  write_buffer_bytes_ = 1 << 20;
  Open();
  const auto write = [&](int64_t offset) {
    store_->Edit(kCases, absl::StrCat(offset)).set_subject(text);
    return Commit(store_->EndTurn(), offset);
  };
  ASSERT_TRUE(write(1).ok());
  Open();
  struct rlimit before {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit nothing = {0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &nothing), 0);
  int64_t offset = 1;
  while (write(++offset).ok()) {
  }
  EXPECT_TRUE(store_->broken());
  // Its position is ahead of what it has: it takes nothing more, even if
  // RocksDB would.
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_FALSE(write(++offset).ok());
  store_->DropPending();
  EXPECT_FALSE(CommitOpen(++offset).ok());
  Open();
  EXPECT_EQ(store_->meta().offset(), 1);
  ExpectDigestHolds();
  EXPECT_TRUE(write(2).ok());
}

TEST_F(RowStoreTest, AnUnchangedRowIsNotWritten) {
  store_->Edit(kCases, "1").set_owner("li");
  ASSERT_TRUE(Commit(store_->EndTurn(), 1).ok());
  const auto before = store_->meta();
  store_->Edit(kCases, "1").set_owner("li");
  ASSERT_TRUE(Commit(store_->EndTurn(), 1).ok());
  EXPECT_EQ(store_->meta().digest_low(), before.digest_low());
}

TEST_F(RowStoreTest, ACheckpointIsAStoreOfItsOwn) {
  store_->Edit(kCases, "1").set_owner("li");
  ASSERT_TRUE(Commit(store_->EndTurn(), 5).ok());
  ASSERT_TRUE(store_->WriteCheckpoint(dir_ / "checkpoint").ok());
  EXPECT_FALSE(store_->WriteCheckpoint(dir_ / "checkpoint").ok());
  store_->Edit(kCases, "1").set_owner("wang");
  ASSERT_TRUE(Commit(store_->EndTurn(), 6).ok());
  store_.reset();
  std::filesystem::remove_all(dir_ / "rows");
  std::filesystem::rename(dir_ / "checkpoint", dir_ / "rows");
  Open();
  EXPECT_EQ(store_->Find(kCases, "1")->owner(), "li");
  EXPECT_EQ(store_->meta().offset(), 5);
  ExpectDigestHolds();
}

TEST_F(RowStoreTest, ADamagedDatabaseIsDataLoss) {
  store_->Edit(kCases, "1").set_owner("li");
  ASSERT_TRUE(Commit(store_->EndTurn(), 1).ok());
  store_.reset();
  std::ofstream(dir_ / "rows/CURRENT") << "rubbish\n";
  RowStoreOptions options;
  options.directory = dir_ / "rows";
  EXPECT_FALSE(RowStore::Open(schema_, options).ok());
}

// Opening looks at few blocks. What then lies in a damaged one is not known not
// to be there.
TEST_F(RowStoreTest, AReadThatFailsBreaksTheStore) {
  for (int i = 10; i < 60; ++i) {
    Case& row = store_->Edit(kCases, absl::StrCat(i));
    row.set_owner("li");
    row.set_subject(absl::StrCat("subject ", i, std::string(300, 'x')));
  }
  ASSERT_TRUE(CommitOpen(1).ok());
  store_.reset();
  ASSERT_EQ(aftercare::testing::DamageRows(dir_ / "rows", "subject 35"), 1);
  const std::function<absl::Status()> reads[] = {
      [&] {
        EXPECT_EQ(store_->Find(kCases, "35"), nullptr);
        return store_->status();
      },
      [&] {
        store_->Edit(kCases, "35").set_owner("wang");
        return store_->status();
      },
      [&] {
        EXPECT_LT(Keys(*store_).size(), 150u);
        return store_->status();
      },
      [&] {
        // What is pending behind the damage does not hide it.
        store_->Edit(kCases, "70").set_owner("li");
        store_->EndTurn();
        EXPECT_LT(Keys(*store_).size(), 150u);
        return store_->status();
      },
      [&] {
        const auto snapshot = store_->NewSnapshot();
        EXPECT_EQ(snapshot->Find(kCases, "35"), nullptr);
        return snapshot->status();
      },
      [&] {
        const auto snapshot = store_->NewSnapshot();
        EXPECT_LT(Keys(*snapshot).size(), 150u);
        return snapshot->status();
      },
      [&] { return store_->ScanDigest().status(); },
  };
  int number = 0;
  for (const auto& read : reads) {
    SCOPED_TRACE(number++);
    Open();
    const auto elsewhere = store_->NewSnapshot();
    EXPECT_NE(store_->Find(kCases, "11"), nullptr);
    EXPECT_NE(elsewhere->Find(kCases, "59"), nullptr);
    EXPECT_EQ(store_->Find(kCases, "nobody"), nullptr);
    EXPECT_FALSE(store_->broken());
    EXPECT_TRUE(absl::IsDataLoss(read()));
    EXPECT_TRUE(store_->broken());
    EXPECT_TRUE(absl::IsDataLoss(store_->status()));
    // Nothing is built on it; other readers have read what they have read.
    EXPECT_TRUE(absl::IsDataLoss(CommitOpen(2)));
    store_->DropPending();
    store_->Edit(kCases, "11").set_owner("wang");
    EXPECT_TRUE(absl::IsDataLoss(Commit(store_->EndTurn(), 2)));
    EXPECT_TRUE(elsewhere->status().ok());
  }
  Open();
  EXPECT_EQ(store_->meta().offset(), 1);
}

TEST_F(RowStoreTest, ASnapshotSaysWhatItCannotParse) {
  store_->Edit(kCases, "1").set_subject("not \xff text");
  ASSERT_TRUE(Commit(store_->EndTurn(), 1).ok());
  const auto snapshot = store_->NewSnapshot();
  EXPECT_EQ(snapshot->Find(kCases, "2"), nullptr);
  EXPECT_TRUE(snapshot->status().ok());
  EXPECT_EQ(snapshot->Find(kCases, "1"), nullptr);
  EXPECT_TRUE(absl::IsDataLoss(snapshot->status()));
  EXPECT_FALSE(store_->broken());
}

// Property: any mix of edits, erasures, turns, commits and drops gives the
// rows, index entries and scans that plain memory gives; one long turn gives
// the same digest as many short ones.
TEST_F(RowStoreTest, RandomWorkEqualsMemoryAndCoalescingChangesNothing) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  MemoryRows truth(schema_);
  aftercare::testing::TempDir other_dir;
  RowStoreOptions options;
  options.directory = other_dir / "rows";
  auto coalesced = RowStore::Open(schema_, options);
  ASSERT_TRUE(coalesced.ok());
  std::vector<Turn> pending;
  int64_t offset = 0;
  for (int step = 0; step < 3000; ++step) {
    const std::string id = absl::StrCat(random() % 40);
    const std::string owner = absl::StrCat("o", random() % 5);
    const bool erase = random() % 4 == 0;
    for (RowEditor* rows : std::initializer_list<RowEditor*>{
             &truth, store_.get(), coalesced->get()}) {
      if (erase) {
        rows->Erase(kCases, id);
      } else {
        Case& c = rows->Edit(kCases, id);
        c.set_owner(random() % 7 == 99 ? "" : owner);
        c.set_subject(absl::StrCat(step));
      }
    }
    if (random() % 3 != 0) continue;
    pending.push_back(store_->EndTurn());
    const auto dump = truth.Dump();
    std::vector<std::string> keys;
    for (const auto& [key, bytes] : dump) keys.push_back(key);
    ASSERT_EQ(Keys(*store_), keys);
    if (random() % 3 == 0) {
      // All but the last few, and not always written at once.
      const size_t later = random() % std::min<size_t>(pending.size(), 3);
      for (size_t i = 0; i + later < pending.size(); ++i) {
        Accept(std::move(pending[i]), ++offset);
      }
      pending.erase(pending.begin(),
                    pending.end() - static_cast<std::ptrdiff_t>(later));
      if (random() % 3 != 0) continue;
      ASSERT_TRUE(store_->Write().ok());
      ExpectDigestHolds();
    }
  }
  pending.push_back(store_->EndTurn());
  for (Turn& turn : pending) Accept(std::move(turn), ++offset);
  ASSERT_TRUE(store_->Write().ok());
  EXPECT_EQ(Keys(*store_), Keys(*store_->NewSnapshot()));
  ASSERT_TRUE((*coalesced)->CommitOpenTurn(store_->meta()).ok());
  EXPECT_EQ((*coalesced)->meta().digest_low(), store_->meta().digest_low());
  EXPECT_EQ((*coalesced)->meta().digest_high(), store_->meta().digest_high());
  EXPECT_EQ((*coalesced)->meta().rows(), store_->meta().rows());
  ExpectDigestHolds();
}

}  // namespace
}  // namespace aftercare::store
