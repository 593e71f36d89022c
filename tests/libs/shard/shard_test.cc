#include "libs/shard/shard.h"

#include <atomic>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "aftercare/common/v1/rows.pb.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "libs/base/refusal.h"
#include "libs/log/fold.h"
#include "libs/shard/checkpoint.h"
#include "libs/testing/damage.h"
#include "rocksdb/db.h"
#include "services/intake/domain/tables.h"
#include "tests/libs/shard/shard_fixture.h"

namespace aftercare::shard {
namespace {

class ShardTest : public aftercare::testing::ShardFixture {
 protected:
  const intake::v1::Case Case(const std::string& name) {
    auto rows = shard_->Snapshot();
    EXPECT_TRUE(rows.ok()) << rows.status();
    const auto* found = (*rows)->Find(intake::kCases, name);
    return found == nullptr ? intake::v1::Case() : *found;
  }

  // Registers and opens some cases.
  void Fill(int cases) {
    ApplyHandbook();
    Register("c1");
    for (int i = 0; i < cases; ++i) {
      ASSERT_TRUE(Run("OpenCase", OpenCase("c1", absl::StrCat("k", i))).ok());
    }
  }
  const std::string kCase = "companies/acme/customers/c1/cases/k0";

  // Cases around one that can be told from all others, in the tables of a
  // database that nobody has open; then that case's rows are damaged, unless it
  // is left to the caller.
  static constexpr int kCases = 60;
  const std::string kBadCase = "companies/acme/customers/c1/cases/k30";
  const std::string kBadSubject = "the one that is damaged";
  void FillAndDamage(bool damage = true) {
    Start();
    ApplyHandbook();
    Register("c1");
    for (int i = 0; i < kCases; ++i) {
      std::string text = OpenCase("c1", absl::StrCat("k", i));
      if (i == 30) absl::StrReplaceAll({{"空调不制冷", kBadSubject}}, &text);
      ASSERT_TRUE(Run("OpenCase", text).ok());
    }
    shard_.reset();
    if (!damage) return;
    ASSERT_GT(aftercare::testing::DamageRows(options_.directory, kBadSubject),
              0);
  }

  // Another owner takes the shard's place, and the shard is not told.
  std::unique_ptr<Shard> Depose() {
    ShardOptions other = options_;
    other.directory = dir_ / "other";
    std::unique_ptr<Shard> deposed = std::exchange(shard_, StartShard(other));
    AwaitState(ShardState::kServing);
    return deposed;
  }

  // What somebody else writes into the partition.
  absl::StatusOr<int64_t> AppendAsStranger(log::Record record) {
    auto appender = log_->OpenAppender({service_.topic(), 0});
    if (!appender.ok()) return appender.status();
    std::promise<absl::StatusOr<int64_t>> done;
    (*appender)->Append(std::move(record), [&](absl::StatusOr<int64_t> offset) {
      done.set_value(std::move(offset));
    });
    return done.get_future().get();
  }

  void ExpectVerified() {
    const auto verdict = shard_->Verify(dir_ / "scratch");
    ASSERT_TRUE(verdict.ok()) << verdict.status();
    EXPECT_TRUE(verdict->ok) << verdict->problem;
  }
};

TEST_F(ShardTest, AnAcceptedCommandIsReadableAtOnce) {
  Start();
  Fill(1);
  EXPECT_EQ(Case(kCase).subject(), "空调不制冷");
  EXPECT_EQ(Case(kCase).owner(), "agent-li");
}

TEST_F(ShardTest, TheAnswerIsTheResourceAsTheCommandLeftIt) {
  Start();
  Fill(1);
  const auto result = Run("ReplyToCase", "name: '" + kCase + "' text: '好的'");
  ASSERT_TRUE(result.ok()) << result.status();
  intake::v1::Case c;
  ASSERT_TRUE(c.ParseFromString(result->row));
  EXPECT_TRUE(c.replied());
  EXPECT_EQ(result->resource, kCase);
}

TEST_F(ShardTest, ReplayOnAnEmptyDiskGivesTheSameRowsByteForByte) {
  Start();
  Fill(50);
  const ShardStatus before = shard_->Status();
  for (const bool wipe : {false, true}) {
    shard_.reset();
    log_.reset();
    if (wipe) std::filesystem::remove_all(options_.directory);
    OpenLog();
    Start();
    EXPECT_EQ(shard_->Status().digest, before.digest) << wipe;
    EXPECT_EQ(shard_->Status().rows, before.rows) << wipe;
    EXPECT_EQ(shard_->Status().events, before.events) << wipe;
  }
  ExpectVerified();
}

TEST_F(ShardTest, ACheckpointSeedsAnEmptyDisk) {
  Start();
  Fill(5);
  ASSERT_TRUE(shard_->Checkpoint(dir_ / "checkpoint").ok());
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "later")).ok());
  const ShardStatus before = shard_->Status();
  shard_.reset();
  std::filesystem::remove_all(options_.directory);
  std::filesystem::rename(dir_ / "checkpoint", options_.directory);
  Start();
  EXPECT_EQ(shard_->Status().digest, before.digest);
}

TEST_F(ShardTest, AStandbyFollowsAndTakesOverWhenItIsPromoted) {
  Start();
  Fill(5);
  const auto standby = StartShard(StandbyOptions());
  const int64_t end = log_->End({service_.topic(), 0}).value();
  while (standby->Status().offset < end) std::this_thread::yield();
  EXPECT_EQ(standby->Status().state, ShardState::kFollowing);
  EXPECT_EQ(standby->Status().claim, shard_->Status().claim);
  EXPECT_EQ(standby->Status().lag(), 0);
  // It answers nothing, and it has claimed nothing.
  EXPECT_EQ(ReasonOf(standby->Snapshot().status()), "NOT_READY");
  EXPECT_EQ(log_->End({service_.topic(), 0}).value(), end);
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "later")).ok());
  const ShardStatus before = shard_->Status();

  standby->Promote();
  while (standby->Status().state != ShardState::kServing) {
    std::this_thread::yield();
  }
  EXPECT_EQ(standby->Status().digest, before.digest);
  EXPECT_EQ(standby->Status().events, before.events);
  EXPECT_GT(standby->Status().claim, before.claim);
}

// A write that fails would take the process with it, and what it owns.
TEST_F(ShardTest, AStandbyWithoutDiskSpaceWaitsForItAndSaysHowFarItIsBehind) {
  Start();
  Fill(5);
  std::atomic<int64_t> free{1000};
  ShardOptions standby_options = StandbyOptions();
  standby_options.end_interval = absl::Milliseconds(10);
  standby_options.free_bytes = [&]() -> absl::StatusOr<int64_t> {
    return free;
  };
  const auto standby = StartShard(standby_options);
  while (standby->Status().state != ShardState::kFollowing) {
    std::this_thread::yield();
  }
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(standby->Status().offset, 0);
  const auto end = [this] { return log_->End({service_.topic(), 0}).value(); };
  EXPECT_EQ(standby->Status().lag(), end());
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "later")).ok());
  while (standby->Status().lag() < end()) std::this_thread::yield();
  free = int64_t{1} << 40;
  while (standby->Status().offset < end()) std::this_thread::yield();
  EXPECT_EQ(standby->Status().lag(), 0);
}

TEST_F(ShardTest, AStandbyThatIsStartedAgainGoesOnFromItsRows) {
  Start();
  Fill(5);
  auto standby = StartShard(StandbyOptions());
  const int64_t end = log_->End({service_.topic(), 0}).value();
  while (standby->Status().offset < end) std::this_thread::yield();
  standby.reset();
  shard_.reset();
  // With another log, whatever it knows it has from its rows.
  log_.reset();
  std::filesystem::remove_all(dir_ / "log");
  OpenLog();
  standby = StartShard(StandbyOptions());
  while (standby->Status().state != ShardState::kFollowing) {
    std::this_thread::yield();
  }
  while (standby->Status().offset < end) std::this_thread::yield();
}

TEST_F(ShardTest, AStandbyCanBeStopped) {
  options_.follow = true;
  shard_ = StartShard(options_);
  AwaitState(ShardState::kFollowing);
  shard_->Stop();
  options_.follow = false;
  Start();
}

TEST_F(ShardTest, AnEmptyDiskBeginsWithTheNewestGoodCheckpoint) {
  Start();
  Fill(5);
  const std::string checkpoints = CheckpointsOf(dir_ / "c", "intake", 0);
  const auto older = WriteCheckpoint(*shard_, checkpoints, 2);
  ASSERT_TRUE(older.ok()) << older.status();
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "later")).ok());
  const auto newer = WriteCheckpoint(*shard_, checkpoints, 2);
  ASSERT_TRUE(newer.ok()) << newer.status();
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "last")).ok());
  const ShardStatus before = shard_->Status();
  // A row of the newer one is changed: its digest no longer fits.
  {
    rocksdb::DB* raw = nullptr;
    ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), *newer, &raw).ok());
    const std::unique_ptr<rocksdb::DB> db(raw);
    ASSERT_TRUE(db->Put(rocksdb::WriteOptions(), "case/zzz", "x").ok());
  }
  shard_.reset();
  std::filesystem::remove_all(options_.directory);
  options_.checkpoints = checkpoints;
  ::testing::internal::CaptureStderr();
  Start();
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(absl::StrContains(told, "a checkpoint is not used")) << told;
  EXPECT_TRUE(absl::StrContains(told, *older)) << told;
  EXPECT_EQ(shard_->Status().digest, before.digest);
  EXPECT_EQ(shard_->Status().events, before.events);
  ExpectVerified();
}

TEST_F(ShardTest, CheckpointsOfAnotherPartitionAreNotUsed) {
  Start();
  Fill(5);
  const std::string checkpoints = CheckpointsOf(dir_ / "c", "intake", 0);
  ASSERT_TRUE(WriteCheckpoint(*shard_, checkpoints, 1).ok());
  const ShardStatus before = shard_->Status();
  shard_.reset();
  ASSERT_TRUE(log_->EnsureTopic("another", 1).ok());
  std::filesystem::remove_all(options_.directory);
  Service other = intake::MakeIntakeService();
  other.set_row_version(other.row_version() + 1);
  options_.checkpoints = checkpoints;
  auto shard = Shard::Start(*log_, other, 0, 1, options_, clock_).value();
  while (shard->Status().state != ShardState::kServing) {
    std::this_thread::yield();
  }
  EXPECT_EQ(shard->Status().digest, before.digest);
}

TEST_F(ShardTest, OnlyTheNewestCheckpointsAreKept) {
  Start();
  Fill(1);
  const std::string checkpoints = CheckpointsOf(dir_ / "c", "intake", 0);
  for (const char* id : {"a", "b", "c"}) {
    ASSERT_TRUE(Run("OpenCase", OpenCase("c1", id)).ok());
    // The same place twice is one.
    ASSERT_TRUE(WriteCheckpoint(*shard_, checkpoints, 2).ok());
    ASSERT_TRUE(WriteCheckpoint(*shard_, checkpoints, 2).ok());
  }
  const auto offsets = ListCheckpoints(checkpoints);
  ASSERT_EQ(offsets.size(), 2u);
  EXPECT_EQ(offsets[0], shard_->Status().offset);
  EXPECT_LT(offsets[1], offsets[0]);
}

TEST_F(ShardTest, ARepeatedRequestIdHasOneEffect) {
  Start();
  Fill(0);
  const auto first = Run("OpenCase", OpenCase("c1", "k0"), "r1");
  ASSERT_TRUE(first.ok());
  const auto second = Run("OpenCase", OpenCase("c1", "k0"), "r1");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->row, first->row);
  EXPECT_EQ(shard_->Status().events, 3);
  // Still known after a restart on an empty disk.
  shard_.reset();
  std::filesystem::remove_all(options_.directory);
  Start();
  EXPECT_TRUE(Run("OpenCase", OpenCase("c1", "k0"), "r1").ok());
  EXPECT_EQ(shard_->Status().events, 3);
}

TEST_F(ShardTest, ARequestIdWithOtherContentIsRefused) {
  Start();
  Fill(0);
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "k0"), "r1").ok());
  const auto other = Run("OpenCase", OpenCase("c1", "k1"), "r1");
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(other.status()), "REQUEST_ID_REUSED");
}

TEST_F(ShardTest, RequestIdsExpireByEventTimeAndReplayAgrees) {
  Start();
  Fill(0);
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "k0"), "r1").ok());
  clock_.Advance(absl::Hours(24 * 5));
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "k1"), "r2").ok());
  // Forgotten: it is a new command now, and the id is taken.
  EXPECT_EQ(ReasonOf(Run("OpenCase", OpenCase("c1", "k0"), "r1").status()),
            "RESOURCE_ALREADY_EXISTS");
  ExpectVerified();
}

TEST_F(ShardTest, RequestIdsAreKnownAfterTheClockStepsBackByDays) {
  Start();
  Fill(1);
  const std::string reply = "name: '" + kCase + "' text: '好的'";
  ASSERT_TRUE(Run("ReplyToCase", reply, "today").ok());
  clock_.Advance(absl::Hours(24 * 2));
  ASSERT_TRUE(Run("ReplyToCase", reply, "ahead").ok());
  clock_.Advance(-absl::Hours(24 * 2));
  const int64_t events = shard_->Status().events;
  for (const char* id : {"ahead", "today"}) {
    ASSERT_TRUE(Run("ReplyToCase", reply, id).ok());
    EXPECT_EQ(shard_->Status().events, events) << id;
  }
  ASSERT_TRUE(Run("ReplyToCase", reply, "back").ok());
  ASSERT_TRUE(Run("ReplyToCase", reply, "back").ok());
  EXPECT_EQ(shard_->Status().events, events + 1);
}

// Further than a boundary notes on which days it had any.
TEST_F(ShardTest, RequestIdsAreKnownAfterTheClockStepsBackByMonths) {
  Start();
  Fill(1);
  const std::string reply = "name: '" + kCase + "' text: '好的'";
  clock_.Advance(absl::Hours(24 * 70));
  ASSERT_TRUE(Run("ReplyToCase", reply, "ahead").ok());
  clock_.Advance(-absl::Hours(24 * 70));
  ASSERT_TRUE(Run("ReplyToCase", reply, "back").ok());
  const int64_t events = shard_->Status().events;
  for (const char* id : {"ahead", "back"}) {
    ASSERT_TRUE(Run("ReplyToCase", reply, id).ok());
    EXPECT_EQ(shard_->Status().events, events) << id;
  }
}

TEST_F(ShardTest, ARefusalAppendsNothing) {
  Start();
  Fill(1);
  const auto before = shard_->Status();
  const auto refused = Run("CloseCase", "name: '" + kCase + "'");
  EXPECT_EQ(ReasonOf(refused.status()), "CASE_NOT_RESOLVED");
  EXPECT_EQ(shard_->Status().digest, before.digest);
  EXPECT_EQ(shard_->Status().offset, before.offset);
}

TEST_F(ShardTest, WithoutHandbookNothingIsDecided) {
  Start();
  EXPECT_EQ(ReasonOf(Run("RegisterCustomer",
                         "parent: 'companies/acme' customer_id: 'c1' "
                         "display_name: 'x'")
                         .status()),
            "HANDBOOK_MISSING");
}

TEST_F(ShardTest, AHandbookVersionIsPublishedOnce) {
  Start();
  ApplyHandbook();
  const int64_t events = shard_->Status().events;
  ApplyHandbook();
  EXPECT_EQ(shard_->Status().events, events);
  auto changed =
      handbook::LoadHandbook(aftercare::testing::DemoHandbookText()).handbook;
  changed.set_title("another");
  std::promise<Result> done;
  shard_->SubmitHandbook(changed, "operator", absl::InfiniteFuture(),
                         [&](Result r) { done.set_value(std::move(r)); });
  EXPECT_EQ(ReasonOf(done.get_future().get().status()),
            "HANDBOOK_VERSION_CONFLICT");
  EXPECT_NE(shard_->PolicyAt("companies/acme", clock_.Now()), nullptr);
  EXPECT_EQ(shard_->PolicyAt("companies/acme", absl::UnixEpoch()), nullptr);
}

// The rows are the proof that the log has lost something: they are neither
// wiped nor built upon.
TEST_F(ShardTest, ALogThatLostAcknowledgedRecordsHaltsTheShard) {
  options_.append_timeout = absl::Milliseconds(50);
  Start();
  Fill(5);
  const ShardStatus before = shard_->Status();
  shard_.reset();
  log_.reset();
  std::filesystem::remove_all(dir_ / "log");
  OpenLog();
  for (int i = 0; i < 2; ++i) {
    shard_ = StartShard(options_);
    AwaitState(ShardState::kHalted);
    const ShardStatus halted = shard_->Status();
    EXPECT_TRUE(absl::StrContains(halted.problem_reason,
                                  absl::StrCat("stand at ", before.offset)))
        << halted.problem_reason;
    EXPECT_EQ(
        ReasonOf(
            Run("ReplyToCase", "name: '" + kCase + "' text: 'x'").status()),
        "LOG_CORRUPT");
    shard_.reset();
    EXPECT_EQ(log_->End({service_.topic(), 0}).value(), 0);
  }
  std::filesystem::remove_all(options_.directory);
  Start();
  EXPECT_EQ(shard_->Status().events, 0);
}

TEST_F(ShardTest, AHandbookKeepsTheCalendarsThatClocksName) {
  Start();
  ApplyHandbook();
  auto next =
      handbook::LoadHandbook(aftercare::testing::DemoHandbookText()).handbook;
  next.set_version(next.version() + 1);
  auto* extra = next.add_calendars();
  *extra = next.calendars(0);
  extra->set_id("extra");
  const auto publish = [&] {
    std::promise<Result> done;
    shard_->SubmitHandbook(next, "operator", absl::InfiniteFuture(),
                           [&](Result r) { done.set_value(std::move(r)); });
    return done.get_future().get().status();
  };
  ASSERT_TRUE(publish().ok());
  next.set_version(next.version() + 1);
  next.mutable_calendars()->RemoveLast();
  const absl::Status refused = publish();
  EXPECT_EQ(ReasonOf(refused), "HANDBOOK_INVALID") << refused;
  EXPECT_TRUE(absl::StrContains(
      std::string(refused.GetPayload(kErrorInfoUrl).value()), "extra"));
}

TEST_F(ShardTest, AnEventTheLogCannotTakeIsRefusedAndTheShardGoesOn) {
  Start();
  Fill(1);
  const auto before = shard_->Status();
  auto large =
      handbook::LoadHandbook(aftercare::testing::DemoHandbookText()).handbook;
  large.set_version(large.version() + 1);
  for (int i = 0; i < 40000; ++i) {
    auto* person = large.add_people();
    person->set_id(absl::StrCat("person-", i));
    person->set_display_name("王小明");
    person->add_roles("agent");
  }
  ASSERT_GT(large.ByteSizeLong(), log::kMaxRecordBytes);
  std::promise<Result> done;
  shard_->SubmitHandbook(large, "operator", absl::InfiniteFuture(),
                         [&](Result r) { done.set_value(std::move(r)); });
  const absl::Status refused = done.get_future().get().status();
  EXPECT_EQ(ReasonOf(refused), "EVENT_TOO_LARGE");
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(shard_->Status().digest, before.digest);
  EXPECT_EQ(shard_->Status().offset, before.offset);
  EXPECT_EQ(shard_->Status().claim, before.claim);
  EXPECT_TRUE(Run("ReplyToCase", "name: '" + kCase + "' text: 'ok'").ok());
  ExpectVerified();
}

TEST_F(ShardTest, AnExpiredCommandIsNotDecided) {
  Start();
  Fill(0);
  Command late = Make("OpenCase", OpenCase("c1", "k0"));
  late.deadline = clock_.Now() - absl::Seconds(1);
  EXPECT_EQ(ReasonOf(Run(std::move(late)).status()), "DEADLINE_PASSED");
  EXPECT_EQ(Case(kCase).name(), "");
}

TEST_F(ShardTest, OccurTimeMayLieInThePastButNotInTheFuture) {
  Start();
  Fill(0);
  const auto past = Run(
      "OpenCase", OpenCase("c1", "k0") + " occur_time { seconds: 1772000000 }");
  EXPECT_TRUE(past.ok()) << past.status();
  EXPECT_EQ(Case(kCase).open_time().seconds(), 1772000000);
  const auto future = Run(
      "OpenCase", OpenCase("c1", "k1") + " occur_time { seconds: 1900000000 }");
  EXPECT_EQ(ReasonOf(future.status()), "OCCUR_TIME_IN_FUTURE");
}

// Another process's clock was wrong when it stated the fact: it has happened by
// now all the same.
TEST_F(ShardTest, AReactionToAFactFromTheFutureHappensNow) {
  Start();
  Fill(0);
  auto command = Make(
      "OpenCase", OpenCase("c1", "k1") + " occur_time { seconds: 1900000000 }");
  command.reaction = true;
  const auto made = Run(std::move(command));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(FromProto(Case("companies/acme/customers/c1/cases/k1").open_time()),
            clock_.Now());
}

TEST_F(ShardTest, ADeadlineThatPassesBecomesAnEvent) {
  Start();
  Fill(1);
  EXPECT_FALSE(Case(kCase).clocks(0).breached());
  clock_.Advance(absl::Hours(24 * 10));
  while (!Case(kCase).clocks(0).breached() ||
         !Case(kCase).clocks(1).breached()) {
    std::this_thread::yield();
  }
  ExpectVerified();
}

TEST_F(ShardTest, ManyCommandsInFlightKeepTheirOrder) {
  Start();
  Fill(0);
  constexpr int kCount = 3000;
  std::atomic<int> answered{0};
  std::atomic<int> bad{0};
  std::promise<void> all;
  for (int i = 0; i < kCount; ++i) {
    shard_->Submit(Make("OpenCase", OpenCase("c1", absl::StrCat("p", i))),
                   [&](Result r) {
                     if (!r.ok()) ++bad;
                     if (++answered == kCount) all.set_value();
                   });
  }
  all.get_future().wait();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(shard_->Status().events, kCount + 2);
  auto rows = shard_->Snapshot();
  ASSERT_TRUE(rows.ok());
  const auto* history =
      (*rows)->FindRow("parent/companies/acme/customers/c1",
                       common::v1::ParentRow::default_instance());
  ASSERT_NE(history, nullptr);
  EXPECT_EQ(static_cast<const common::v1::ParentRow*>(history)->revision(),
            kCount + 1);
  ExpectVerified();
}

TEST_F(ShardTest, AFullQueueAsksToComeBack) {
  options_.max_queued_commands = 4;
  Start();
  Fill(0);
  std::atomic<int> overloaded{0};
  std::atomic<int> answered{0};
  constexpr int kCount = 2000;
  std::promise<void> all;
  for (int i = 0; i < kCount; ++i) {
    shard_->Submit(
        Make("OpenCase", OpenCase("c1", absl::StrCat("q", i))), [&](Result r) {
          if (ReasonOf(r.status()) == "OVERLOADED") {
            EXPECT_TRUE(r.status().GetPayload(kRetryInfoUrl).has_value());
            ++overloaded;
          } else {
            EXPECT_TRUE(r.ok()) << r.status();
          }
          if (++answered == kCount) all.set_value();
        });
  }
  all.get_future().wait();
  EXPECT_GT(overloaded, 0);
}

TEST_F(ShardTest, LowDiskSpaceMakesItReadOnlyAndBack) {
  std::atomic<int64_t> free{int64_t{1} << 40};
  options_.free_bytes = [&]() -> absl::StatusOr<int64_t> { return free; };
  Start();
  Fill(1);
  free = 1000;
  AwaitState(ShardState::kReadOnly);
  EXPECT_EQ(ReasonOf(Run("OpenCase", OpenCase("c1", "k9")).status()),
            "DISK_SPACE_LOW");
  EXPECT_EQ(Case(kCase).subject(), "空调不制冷");
  free = int64_t{1} << 40;
  AwaitState(ShardState::kServing);
  EXPECT_TRUE(Run("OpenCase", OpenCase("c1", "k9")).ok());
}

TEST_F(ShardTest, AnUnknownFactStopsTheOwnerWithOffsetKeyAndReason) {
  Start();
  Fill(1);
  const int64_t claim = shard_->Status().claim;
  const int64_t offset = shard_->Status().offset;
  shard_.reset();
  // A fact of a newer version: field 4000, valid in every other way.
  log::Record record;
  record.key = "companies/acme/customers/c1";
  record.value = std::string("\x82\xfa\x01\x00", 4);
  for (const auto& [name, value] :
       std::vector<std::pair<std::string, std::string>>{
           {"ce_id", "intake/0/x"},
           {"ce_subject", "companies/acme/customers/c1"},
           {"ce_time", "2026-03-02T01:00:00Z"},
           {"ce_recordtime", "2026-03-02T01:00:00Z"},
           {"ce_sequence", "000000000003"}}) {
    record.headers.emplace_back(name, value);
  }
  log::StampEvent(record, claim, 3, false);
  ASSERT_EQ(AppendAsStranger(record).value(), offset);
  shard_ = StartShard(options_);
  AwaitState(ShardState::kHalted);
  while (shard_->Status().problem_offset < 0) std::this_thread::yield();
  const ShardStatus status = shard_->Status();
  EXPECT_EQ(status.problem_offset, offset);
  EXPECT_EQ(status.problem_key, "companies/acme/customers/c1");
  EXPECT_NE(status.problem_reason, "");
  EXPECT_FALSE(shard_->Snapshot().ok());
  EXPECT_EQ(ReasonOf(Run("OpenCase", OpenCase("c1", "k9")).status()),
            "LOG_CORRUPT");
}

// Anybody who may write to the topic can put something else into it. The owner
// answers on behind it, so nobody who reads may stop at it.
TEST_F(ShardTest, ARecordThatIsNotOfAftercareIsVoidForEveryReader) {
  Start();
  Fill(1);
  const auto standby = StartShard(StandbyOptions());
  log::Record stranger;
  stranger.key = "companies/acme/customers/c1";
  stranger.value = "hello";
  ASSERT_TRUE(AppendAsStranger(stranger).ok());

  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "k9")).ok());
  const int64_t end = log_->End({service_.topic(), 0}).value();
  while (standby->Status().offset < end) std::this_thread::yield();
  ExpectVerified();
  const ShardStatus before = shard_->Status();
  shard_.reset();
  std::filesystem::remove_all(options_.directory);
  Start();
  EXPECT_EQ(shard_->Status().digest, before.digest);
  EXPECT_GE(shard_->Status().void_records, 1);
}

TEST_F(ShardTest, ADeposedOwnerFindsOutAndClaimsAgain) {
  Start();
  Fill(1);
  const int64_t first_claim = shard_->Status().claim;
  // Somebody else claims and goes away.
  ASSERT_TRUE(
      AppendAsStranger(log::MakeClaim({"other", "nonce", "address"})).ok());
  const auto result = Run("OpenCase", OpenCase("c1", "k9"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GT(shard_->Status().claim, first_claim);
  // The record written under the old claim is void, not doubled.
  EXPECT_EQ(shard_->Status().events, 4);
  EXPECT_EQ(shard_->Status().void_records, 1);
  ExpectVerified();
}

// It has sent nothing since, and nobody has told it.
TEST_F(ShardTest, ADeposedOwnerThatDoesNotKnowItReadsNothingOld) {
  Start();
  Fill(1);
  std::unique_ptr<Shard> deposed = Depose();
  ASSERT_TRUE(Run("OpenCase", OpenCase("c1", "new")).ok());

  // Who does not mind gets what is there.
  const std::string name = "companies/acme/customers/c1/cases/new";
  auto any = deposed->Snapshot(Freshness::kAny);
  ASSERT_TRUE(any.ok()) << any.status();
  EXPECT_EQ((*any)->Find(intake::kCases, name), nullptr);
  any = absl::UnavailableError("closed");
  const auto rows = deposed->Snapshot();
  EXPECT_TRUE(absl::IsUnavailable(rows.status())) << rows.status();
}

TEST_F(ShardTest,
       ADeposedOwnerThatDoesNotKnowItRefusesNothingThatItCannotKnow) {
  Start();
  Fill(1);
  std::unique_ptr<Shard> deposed = Depose();
  const Command open = Make("OpenCase", OpenCase("c1", "new"), "r1");
  ASSERT_TRUE(Run(open).ok());

  // By its rows there is no such case. It claims again and sees.
  shard_ = std::move(deposed);
  const auto replied =
      Run("ReplyToCase",
          "name: 'companies/acme/customers/c1/cases/new' text: '好的'");
  EXPECT_TRUE(replied.ok()) << replied.status();
  const int64_t events = shard_->Status().events;
  EXPECT_TRUE(Run(open).ok());
  EXPECT_EQ(shard_->Status().events, events);
}

// A look at the end that shows no more than strangers' records changes nothing.
TEST_F(ShardTest, AStrangersRecordDoesNotMakeAnOwnerDoubt) {
  Start();
  Fill(1);
  ASSERT_TRUE(AppendAsStranger({.key = "k", .value = "hello"}).ok());
  const int64_t claim = shard_->Status().claim;
  EXPECT_EQ(Case(kCase).subject(), "空调不制冷");
  EXPECT_TRUE(Run("ReplyToCase", "name: '" + kCase + "' text: '好的'").ok());
  EXPECT_TRUE(Case(kCase).replied());
  EXPECT_EQ(shard_->Status().claim, claim);
}

// Two processes that both believe to own the partition, and both get commands.
TEST_F(ShardTest, OwnersThatDeposeEachOtherLeaveEachOtherTime) {
  Start();
  Fill(1);
  shard::ShardOptions options = options_;
  options.directory = dir_ / "rival";
  options.owner = "rival";
  auto rival = StartShard(options);
  std::atomic<bool> stop{false};
  std::atomic<int> accepted{0};
  std::vector<std::thread> callers;
  int number = 0;
  for (Shard* shard : {shard_.get(), rival.get()}) {
    callers.emplace_back([&, shard, caller = number++] {
      for (int i = 0; !stop; ++i) {
        std::promise<Result> done;
        shard->Submit(
            Make("OpenCase", OpenCase("c1", absl::StrCat("r", caller, "-", i))),
            [&](Result r) { done.set_value(std::move(r)); });
        if (done.get_future().get().ok()) ++accepted;
      }
    });
  }
  absl::SleepFor(absl::Seconds(3));
  stop = true;
  for (std::thread& caller : callers) caller.join();
  rival.reset();
  int claims = 0;
  auto reader = log_->OpenReader({service_.topic(), 0}, 0).value();
  while (true) {
    const auto records = reader->Read(1000, absl::ZeroDuration());
    ASSERT_TRUE(records.ok()) << records.status();
    if (records->empty()) break;
    for (const auto& record : *records) {
      claims += record.record.Header(log::kOwnerHeader).empty() ? 0 : 1;
    }
  }
  // Ten rounds are half a minute; without the pauses it is a hundred a second.
  EXPECT_LT(claims, 40);
  EXPECT_GT(claims, 2);
  EXPECT_GT(accepted, 0);
  ExpectVerified();
}

TEST_F(ShardTest, ACommandOnADamagedRowIsDecidedOnceTheRowsAreMadeAnew) {
  FillAndDamage();
  ::testing::internal::CaptureStderr();
  Start();
  const ShardStatus before = shard_->Status();
  // Others are in flight before it, wait behind it, or come while the rows are
  // not there.
  constexpr int kOthers = 200;
  std::atomic<int> answered{0};
  std::atomic<int> accepted{0};
  std::promise<void> all;
  const auto count = [&](const Result& result) {
    if (result.ok()) {
      ++accepted;
    } else {
      EXPECT_EQ(ReasonOf(result.status()), "NOT_READY") << result.status();
    }
    if (++answered == kOthers) all.set_value();
  };
  std::promise<Result> replied;
  for (int i = 0; i < kOthers; ++i) {
    if (i == 20) {
      shard_->Submit(
          Make("ReplyToCase", "name: '" + kBadCase + "' text: '好的'"),
          [&](Result r) { replied.set_value(std::move(r)); });
    }
    shard_->Submit(Make("OpenCase", OpenCase("c1", absl::StrCat("o", i))),
                   count);
  }
  const Result reply = replied.get_future().get();
  EXPECT_TRUE(reply.ok()) << reply.status();
  all.get_future().wait();
  const std::string told = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(absl::StrContains(told, "rows cannot be used")) << told;
  EXPECT_GT(shard_->Status().claim, before.claim);
  EXPECT_EQ(shard_->Status().state, ShardState::kServing);
  EXPECT_GE(accepted, 20);
  EXPECT_EQ(shard_->Status().events, before.events + accepted + 1);
  EXPECT_TRUE(Case(kBadCase).replied());
  EXPECT_EQ(Case(kBadCase).subject(), kBadSubject);
  ExpectVerified();
}

// They must not be refused for good, nor counted as had.
TEST_F(ShardTest, ARepeatedRequestOnADamagedRowIsAnsweredFromRowsMadeAnew) {
  Start();
  Fill(60);
  const std::string id = "an id that is remembered and then damaged";
  ASSERT_TRUE(
      Run("ReplyToCase", "name: '" + kCase + "' text: '好的'", id).ok());
  const ShardStatus before = shard_->Status();
  shard_.reset();
  ASSERT_GT(aftercare::testing::DamageRows(options_.directory, id), 0);
  Start();
  ASSERT_TRUE(
      Run("ReplyToCase", "name: '" + kCase + "' text: '好的'", id).ok());
  EXPECT_EQ(shard_->Status().events, before.events);
  EXPECT_EQ(shard_->Status().digest, before.digest);
}

TEST_F(ShardTest, WhoReadsADamagedRowIsToldAndTheRowsAreMadeAnew) {
  for (const bool scan : {false, true}) {
    SCOPED_TRACE(scan);
    shard_.reset();
    log_.reset();
    std::filesystem::remove_all(options_.directory);
    std::filesystem::remove_all(dir_ / "log");
    OpenLog();
    FillAndDamage();
    Start();
    int failed = 0;
    while (true) {
      const auto rows = shard_->Snapshot();
      if (!rows.ok()) {
        ASSERT_EQ(ReasonOf(rows.status()), "NOT_READY");
        std::this_thread::yield();
        continue;
      }
      int found = 0;
      if (scan) {
        (*rows)->ScanTable(intake::kCases, "", "\xff",
                           [&](absl::string_view, const intake::v1::Case&) {
                             ++found;
                             return true;
                           });
      } else if ((*rows)->Find(intake::kCases, kBadCase) != nullptr) {
        found = kCases;
      }
      if ((*rows)->status().ok()) {
        EXPECT_EQ(found, kCases);
        break;
      }
      EXPECT_TRUE(absl::IsDataLoss((*rows)->status()));
      ++failed;
    }
    EXPECT_GT(failed, 0);
    ExpectVerified();
  }
}

// Passes on to another log, whose records can be long in coming.
class SlowLog final : public log::Log {
 public:
  explicit SlowLog(log::Log& log) : log_(log) {}

  void set_silent(bool silent) { silent_ = silent; }

  absl::Status EnsureTopic(absl::string_view topic, int partitions) override {
    return log_.EnsureTopic(topic, partitions);
  }
  absl::StatusOr<int> PartitionCount(absl::string_view topic) override {
    return log_.PartitionCount(topic);
  }
  absl::StatusOr<std::unique_ptr<log::Appender>> OpenAppender(
      const log::TopicPartition& partition) override {
    return log_.OpenAppender(partition);
  }
  absl::StatusOr<int64_t> End(const log::TopicPartition& partition) override {
    return log_.End(partition);
  }
  absl::StatusOr<std::unique_ptr<log::Reader>> OpenReader(
      const log::TopicPartition& partition, int64_t offset) override {
    auto reader = log_.OpenReader(partition, offset);
    if (!reader.ok()) return reader.status();
    return std::make_unique<SlowReader>(*std::move(reader), silent_);
  }

 private:
  class SlowReader final : public log::Reader {
   public:
    SlowReader(std::unique_ptr<log::Reader> reader,
               const std::atomic<bool>& silent)
        : reader_(std::move(reader)), silent_(silent) {}

    absl::StatusOr<std::vector<log::StoredRecord>> Read(
        int max_records, absl::Duration wait) override {
      if (silent_) return std::vector<log::StoredRecord>();
      return reader_->Read(max_records, wait);
    }
    int64_t position() const override { return reader_->position(); }

   private:
    const std::unique_ptr<log::Reader> reader_;
    const std::atomic<bool>& silent_;
  };

  log::Log& log_;
  std::atomic<bool> silent_{false};
};

TEST_F(ShardTest, ASlowLogIsNotVerifiedAsOneThatLostItsEnd) {
  SlowLog slow(*log_);
  auto started = Shard::Start(slow, service_, 0, 1, options_, clock_);
  ASSERT_TRUE(started.ok()) << started.status();
  shard_ = *std::move(started);
  AwaitState(ShardState::kServing);
  ApplyHandbook();
  Register("c1");
  slow.set_silent(true);
  EXPECT_TRUE(absl::IsUnavailable(shard_->Verify(dir_ / "scratch").status()));
  slow.set_silent(false);
  ExpectVerified();
  shard_.reset();
}

TEST_F(ShardTest, VerifyingDamagedRowsSaysSoAndTheyAreMadeAnew) {
  FillAndDamage();
  Start();
  EXPECT_TRUE(absl::IsDataLoss(shard_->Verify(dir_ / "scratch").status()));
  while (!shard_->Verify(dir_ / "scratch").ok()) std::this_thread::yield();
  ExpectVerified();
}

TEST_F(ShardTest, ADeadlineOfADamagedRowIsSettledOnceTheRowsAreMadeAnew) {
  FillAndDamage();
  clock_.Advance(absl::Hours(24 * 10));
  Start();
  bool breached = false;
  while (!breached) {
    std::this_thread::yield();
    const auto rows = shard_->Snapshot();
    if (!rows.ok()) continue;
    const auto* c = (*rows)->Find(intake::kCases, kBadCase);
    breached = c != nullptr && c->clocks(0).breached();
  }
  ExpectVerified();
}

TEST_F(ShardTest, AReplayThatMeetsADamagedRowBeginsAnew) {
  FillAndDamage(false);
  std::filesystem::rename(options_.directory, dir_ / "behind");
  Start();
  ASSERT_TRUE(Run("ReplyToCase", "name: '" + kBadCase + "' text: '好的'").ok());
  const ShardStatus before = shard_->Status();
  shard_.reset();
  ASSERT_GT(aftercare::testing::DamageRows(dir_ / "behind", kBadSubject), 0);
  for (const bool follow : {false, true}) {
    SCOPED_TRACE(follow);
    ShardOptions options = options_;
    options.directory = dir_ / absl::StrCat("again", follow);
    options.follow = follow;
    std::filesystem::copy(dir_ / "behind", options.directory);
    ::testing::internal::CaptureStderr();
    shard_ = StartShard(options);
    if (follow) {
      const int64_t end = log_->End({service_.topic(), 0}).value();
      while (shard_->Status().offset < end) std::this_thread::yield();
      shard_->Promote();
    }
    AwaitState(ShardState::kServing);
    const std::string told = ::testing::internal::GetCapturedStderr();
    EXPECT_TRUE(absl::StrContains(told, "rows cannot be used")) << told;
    EXPECT_EQ(shard_->Status().digest, before.digest);
    EXPECT_EQ(shard_->Status().events, before.events);
    ExpectVerified();
    shard_.reset();
  }
}

TEST_F(ShardTest, StoppingAnswersEveryCaller) {
  Start();
  Fill(0);
  std::atomic<int> answered{0};
  constexpr int kCount = 500;
  for (int i = 0; i < kCount; ++i) {
    shard_->Submit(Make("OpenCase", OpenCase("c1", absl::StrCat("s", i))),
                   [&](Result) { ++answered; });
  }
  shard_.reset();
  EXPECT_EQ(answered, kCount);
}

TEST_F(ShardTest, StoppingEndsThoughReadersKeepComing) {
  Start();
  Fill(1);
  std::atomic<bool> over{false};
  std::atomic<int> read{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      while (!over) read += shard_->Snapshot().ok() ? 1 : 0;
    });
  }
  while (read < 100) std::this_thread::yield();
  shard_->Stop();
  EXPECT_EQ(ReasonOf(shard_->Snapshot().status()), "SHUTTING_DOWN");
  over = true;
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace aftercare::shard
