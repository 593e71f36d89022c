// The append protocol as an executable model. Several owners write to one
// partition through a network that delays, loses, doubles and reorders what is
// not in one owner's queue; owners claim at any time, pause and come back. What
// decides is the real code: log::Fold and log::CommitTracker.
//
// Invariants, checked after every schedule against the partition itself:
//   acknowledged => in the fold for ever
//   no command counts twice
//   each command was decided on exactly the state of its prefix
//   a command's events count all or not at all
//   a read shows every command that was acknowledged before it began
//
// With any check of the code removed the model must find a violation: else it
// would prove nothing.

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/log/commit_tracker.h"
#include "libs/log/fold.h"
#include "libs/log/log.h"

namespace aftercare::log {
namespace {

constexpr int kSchedules = 20000;

// A record on its way: it may arrive late, twice or never, and its report may
// be late or lost.
struct InFlight {
  int owner = 0;
  int generation = 0;  // of the owner's producer
  int64_t seq = -1;    // -1: a claim
  Record record;
};

struct Report {
  int generation = 0;
  int64_t seq = 0;
  std::optional<int64_t> offset;  // none: failed, outcome unknown
};

// What readers make of the partition: the ids of the commands that count, in
// order. A command's records carry its id and the number of commands before it.
struct Reading {
  std::vector<int> commands;
  bool prefix_wrong = false;
  bool group_torn = false;
};

Reading ReadAll(const std::vector<Record>& partition) {
  Reading reading;
  Fold fold;
  for (size_t i = 0; i < partition.size(); ++i) {
    FoldStep step = fold.Apply({static_cast<int64_t>(i), partition[i]});
    if (step.kind != FoldStep::Kind::kGroup) continue;
    const std::string id = step.group.front().record.key;
    for (const StoredRecord& member : step.group) {
      reading.group_torn |= member.record.key != id;
    }
    int prefix = 0;
    int size = 0;
    EXPECT_TRUE(absl::SimpleAtoi(step.group.front().record.value, &prefix));
    EXPECT_TRUE(
        absl::SimpleAtoi(step.group.front().record.Header("size"), &size));
    reading.group_torn |= size != static_cast<int>(step.group.size());
    reading.prefix_wrong |= prefix != static_cast<int>(reading.commands.size());
    int command = 0;
    EXPECT_TRUE(absl::SimpleAtoi(id, &command));
    reading.commands.push_back(command);
  }
  return reading;
}

class Schedule {
 public:
  Schedule(uint64_t seed, AckRules rules) : random_(seed), rules_(rules) {}

  // The violation that was found; empty if there is none.
  std::string Run() {
    owners_.resize(2 + Pick(2));
    const int steps = 60 + Pick(200);
    for (int i = 0; i < steps && violation_.empty(); ++i) Step();
    // Whatever is still under way arrives in the end, or not.
    while (!network_.empty()) Arrive(Pick(static_cast<int>(network_.size())));
    if (violation_.empty()) Check();
    return violation_;
  }

  int64_t reads() const { return reads_; }
  int64_t acknowledged() const {
    return static_cast<int64_t>(acknowledged_.size());
  }
  const std::vector<Record>& partition() const { return partition_; }

 private:
  struct Owner {
    int generation = 0;
    bool claiming = false;
    std::unique_ptr<CommitTracker> tracker;
    int64_t claim = -1;
    // Commands that count in what this owner has folded, and those it has sent
    // on top: what it decides on.
    std::vector<int> settled;
    std::deque<std::pair<int64_t, int>> sent;  // last seq, command
    // A read, the log's answer to it once it is there.
    struct Read {
      std::set<int> acknowledged;  // to anybody, when it began
      int64_t sent = 0;
      std::optional<int64_t> end;
    };
    std::optional<Read> read;
    std::deque<Report> reports;
  };

  int Pick(int n) {
    return static_cast<int>(random_() % static_cast<uint64_t>(n));
  }
  bool Chance(int percent) { return Pick(100) < percent; }

  void Step() {
    const int o = Pick(static_cast<int>(owners_.size()));
    Owner& owner = owners_[o];
    switch (Pick(13)) {
      case 0:
        if (Chance(30)) StartClaim(o);
        return;
      case 1:
      case 2:
      case 3:
        if (owner.tracker != nullptr) {
          Send(o);
        } else if (!owner.claiming) {
          StartClaim(o);
        }
        return;
      case 4:
      case 5:
      case 6:
        if (!network_.empty()) {
          Arrive(Pick(static_cast<int>(network_.size())));
        }
        return;
      case 7:
      case 8:
      case 9:
        if (owner.tracker != nullptr) Read(owner);
        return;
      default:
        if (!owner.reports.empty()) TakeReport(owner);
        return;
    }
  }

  void StartClaim(int o) {
    Owner& owner = owners_[o];
    // A fresh producer; what the old one still has under way stays under way.
    ++owner.generation;
    owner.claiming = true;
    owner.tracker.reset();
    owner.reports.clear();
    owner.read.reset();
    network_.push_back({o, owner.generation, -1,
                        MakeClaim({absl::StrCat("owner", o), "", ""})});
  }

  void Send(int o) {
    Owner& owner = owners_[o];
    const int size = 1 + Pick(3);
    const int command = next_command_++;
    const int prefix =
        static_cast<int>(owner.settled.size() + owner.sent.size());
    const int64_t first = owner.tracker->Sent(size);
    for (int i = 0; i < size; ++i) {
      Record record;
      record.key = absl::StrCat(command);
      record.value = absl::StrCat(prefix);
      record.headers.emplace_back("size", absl::StrCat(size));
      StampEvent(record, owner.claim, first + i, i + 1 < size);
      network_.push_back({o, owner.generation, first + i, std::move(record)});
    }
    owner.sent.emplace_back(first + size - 1, command);
  }

  // Record `i` of the network reaches the partition, or is lost. Records of
  // one producer mostly keep their order; a retried one may overtake.
  void Arrive(int i) {
    if (!Chance(8)) {
      for (int k = 0; k < i; ++k) {
        if (network_[k].owner == network_[i].owner &&
            network_[k].generation == network_[i].generation) {
          i = k;
          break;
        }
      }
    }
    InFlight flight = std::move(network_[i]);
    network_.erase(network_.begin() + i);
    Owner& owner = owners_[flight.owner];
    const bool lost = Chance(5);
    std::optional<int64_t> offset;
    if (!lost) {
      offset = static_cast<int64_t>(partition_.size());
      partition_.push_back(flight.record);
      // A retry whose first try had arrived after all.
      if (Chance(5)) network_.push_back(flight);
    }
    if (flight.generation != owner.generation) return;  // nobody listens
    if (flight.seq < 0) {
      if (!owner.claiming) return;
      if (offset.has_value() && !Chance(10)) {
        FinishClaim(owner, *offset);
      } else {
        owner.claiming = false;  // no answer: it will claim again
      }
      return;
    }
    if (Chance(4)) return;  // the report is lost
    if (Chance(4)) offset.reset();
    owner.reports.push_back({flight.generation, flight.seq, offset});
    if (owner.reports.size() > 1 && Chance(10)) {
      std::swap(owner.reports.back(), owner.reports.front());
    }
  }

  // Reads and folds the partition through the new claim: what was sent before
  // is then definite.
  void FinishClaim(Owner& owner, int64_t offset) {
    owner.claiming = false;
    std::vector<Record> through(partition_.begin(),
                                partition_.begin() + offset + 1);
    owner.settled = ReadAll(through).commands;
    owner.sent.clear();
    owner.claim = offset;
    owner.tracker = std::make_unique<CommitTracker>(offset, rules_);
  }

  void TakeReport(Owner& owner) {
    const Report report = owner.reports.front();
    owner.reports.pop_front();
    if (owner.tracker == nullptr || report.generation != owner.generation) {
      return;
    }
    if (report.offset.has_value()) {
      owner.tracker->Delivered(report.seq, *report.offset);
    } else {
      owner.tracker->Failed(report.seq);
    }
    ReadGaps(owner);
    for (const auto& done : owner.tracker->TakeDone()) {
      while (!owner.sent.empty() && owner.sent.front().first <= done.last_seq) {
        acknowledged_.insert(owner.sent.front().second);
        owner.settled.push_back(owner.sent.front().second);
        owner.sent.pop_front();
      }
    }
    if (owner.tracker->state() != CommitTracker::State::kGood) {
      owner.tracker.reset();  // stops; claims again some time
    }
  }

  void ReadGaps(Owner& owner) {
    while (owner.tracker->state() == CommitTracker::State::kNeedsGap) {
      std::vector<StoredRecord> gap;
      for (int64_t at = owner.tracker->gap_from();
           at <= owner.tracker->gap_to(); ++at) {
        gap.push_back({at, partition_[static_cast<size_t>(at)]});
      }
      owner.tracker->GapRecords(std::move(gap));
    }
  }

  // Begins a read, lets the log say where it ends, or answers if that is known.
  void Read(Owner& owner) {
    if (!owner.read.has_value()) {
      owner.read = {acknowledged_, owner.tracker->sent_records(), {}};
      return;
    }
    if (!owner.read->end.has_value()) {
      owner.read->end = static_cast<int64_t>(partition_.size());
      return;
    }
    if (!owner.tracker->Knows(owner.read->sent, *owner.read->end)) {
      ReadGaps(owner);
      if (owner.tracker->state() != CommitTracker::State::kGood) {
        owner.tracker.reset();
      }
      return;
    }
    ++reads_;
    for (const int command : owner.read->acknowledged) {
      if (std::count(owner.settled.begin(), owner.settled.end(), command) ==
          0) {
        violation_ = absl::StrCat("a read does not show command ", command);
      }
    }
    owner.read.reset();
  }

  void Check() {
    const Reading reading = ReadAll(partition_);
    std::set<int> counted;
    for (int command : reading.commands) {
      if (!counted.insert(command).second) {
        violation_ = absl::StrCat("command ", command, " counts twice");
        return;
      }
    }
    for (int command : acknowledged_) {
      if (!counted.contains(command)) {
        violation_ = absl::StrCat("command ", command,
                                  " was acknowledged and does not count");
        return;
      }
    }
    if (reading.prefix_wrong) violation_ = "decided on another prefix";
    if (reading.group_torn) violation_ = "a command counts in part";
  }

  std::mt19937_64 random_;
  const AckRules rules_;
  std::vector<Owner> owners_;
  std::vector<InFlight> network_;
  std::vector<Record> partition_;
  std::set<int> acknowledged_;
  int next_command_ = 0;
  int64_t reads_ = 0;
  std::string violation_;
};

// Seeds until a violation, at most `schedules`; -1 if there is none.
int FirstViolation(AckRules rules, int schedules, std::string& what) {
  for (int seed = 1; seed <= schedules; ++seed) {
    what = Schedule(static_cast<uint64_t>(seed), rules).Run();
    if (!what.empty()) return seed;
  }
  return -1;
}

TEST(ProtocolModelTest, NothingAcknowledgedIsLostOrDoubledInAnySchedule) {
  std::string what;
  const int seed = FirstViolation({}, kSchedules, what);
  EXPECT_EQ(seed, -1) << "seed " << seed << ": " << what;
}

TEST(ProtocolModelTest, WithoutTheEarlierSeqsCheckTheModelFindsALoss) {
  std::string what;
  EXPECT_NE(FirstViolation({.every_earlier_seq = false}, kSchedules, what), -1);
}

TEST(ProtocolModelTest, WithoutTheOffsetCheckTheModelFindsALoss) {
  std::string what;
  EXPECT_NE(FirstViolation({.contiguous_offsets = false}, kSchedules, what),
            -1);
}

TEST(ProtocolModelTest, WithoutALookAtTheEndTheModelFindsAStaleRead) {
  std::string what;
  EXPECT_NE(FirstViolation({.reads_look_at_the_end = false}, kSchedules, what),
            -1);
}

// The model itself must get somewhere: commands are acknowledged, records are
// void, owners take over from each other.
TEST(ProtocolModelTest, SchedulesAcknowledgeTakeOverAndWasteRecords) {
  int64_t acknowledged = 0;
  int64_t reads = 0;
  int64_t claims = 0;
  int64_t voids = 0;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    Schedule schedule(seed, {});
    ASSERT_EQ(schedule.Run(), "") << "seed " << seed;
    acknowledged += schedule.acknowledged();
    reads += schedule.reads();
    Fold fold;
    int64_t offset = 0;
    for (const Record& record : schedule.partition()) {
      const auto kind = fold.Apply({offset++, record}).kind;
      claims += kind == FoldStep::Kind::kClaim ? 1 : 0;
      voids += kind == FoldStep::Kind::kVoid ? 1 : 0;
    }
  }
  EXPECT_GT(acknowledged, 500);
  EXPECT_GT(reads, 300);
  EXPECT_GT(claims, 1000);
  EXPECT_GT(voids, 500);
}

}  // namespace
}  // namespace aftercare::log
