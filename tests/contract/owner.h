// An owner of a partition as the shards are one: claims, sends commands of one
// to three records without waiting, takes a command for done when the real
// CommitTracker says so, and claims again when in doubt. After a claim has been
// folded it knows of every earlier command whether it counts.
//
// Only the protocol is here, no rows: what an owner believes can be held
// against what the fold makes of the log.

#ifndef AFTERCARE_TESTS_CONTRACT_OWNER_H_
#define AFTERCARE_TESTS_CONTRACT_OWNER_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/log/commit_tracker.h"
#include "libs/log/fold.h"
#include "libs/log/log.h"

namespace aftercare::contract {

// The commands that count, in order, as one reader folds them.
struct Folded {
  std::vector<std::string> commands;
  std::set<std::string> claimants;
  int64_t void_records = 0;
  int torn = 0;  // commands that came without one of their records
};

// Folds all of the partition. With a seed, in random steps and starting afresh
// from resume points, as a restarted process does.
Folded FoldAll(log::Log& log, const log::TopicPartition& partition,
               std::optional<uint32_t> restarts_seed = std::nullopt);

// Thread-compatible.
class Owner {
 public:
  Owner(std::string name, std::shared_ptr<log::Log> log,
        log::TopicPartition partition, uint32_t seed);
  ~Owner();

  // One ownership: claims, then sends up to `commands` and waits until they are
  // done. Ends early in doubt or when deposed. Also ends without waiting, now
  // and then, if `walks_away`: like a process that stalls or dies.
  void Turn(int commands, bool walks_away);

  // Claims until it succeeds, so that nothing is unknown any more.
  void SettleAll();

  // By command, what the owner would have told its callers.
  const std::set<std::string>& acknowledged() const { return acknowledged_; }
  // Found not to count after a later claim: told that they never happened.
  const std::set<std::string>& never() const { return never_; }
  int sent() const { return sent_; }
  int gaps_read() const { return gaps_read_; }
  int reports_failed() const { return reports_failed_; }

 private:
  struct Inbox {
    std::mutex mutex;
    std::condition_variable filled;
    // Of the present appender: seq (-1 the claim) and what was reported.
    std::deque<std::pair<int64_t, absl::StatusOr<int64_t>>> reports;
  };

  absl::Status Claim();
  absl::Status FoldThrough(int64_t offset);
  bool HandleReports(absl::Duration patience);
  void TakeDone();
  void Send();

  const std::string name_;
  const std::shared_ptr<log::Log> log_;
  const log::TopicPartition partition_;
  std::mt19937 random_;

  std::shared_ptr<Inbox> inbox_;
  std::unique_ptr<log::Appender> appender_;
  std::optional<log::CommitTracker> tracker_;
  int64_t claim_ = -1;
  std::deque<std::string> in_flight_;

  log::Fold fold_;
  std::unique_ptr<log::Reader> reader_;
  std::set<std::string> counted_;

  std::set<std::string> acknowledged_;
  std::set<std::string> never_;
  int sent_ = 0;
  int claims_ = 0;
  int gaps_read_ = 0;
  int reports_failed_ = 0;
};

// Fails the test unless what the owners believe is what the fold says:
// acknowledged commands count, once; those that "never happened" do not; no
// command is torn; readers agree however they read. `owners` are settled.
void ExpectFoldAgrees(log::Log& log, const log::TopicPartition& partition,
                      const std::vector<const Owner*>& owners);

}  // namespace aftercare::contract

#endif  // AFTERCARE_TESTS_CONTRACT_OWNER_H_
