// -----------------------------------------------------------------------------
// File: shard.h
// -----------------------------------------------------------------------------
//
// One partition of one service in this process: a bounded queue of commands,
// one thread, one RocksDB directory. It owns (claims), catches up by replay,
// decides, appends, acknowledges, applies - the five steps of the design.
//
// What a caller can rely on: when `done` gets OK, the command's events are in
// the log for ever and every later read, of whatever shard, sees them. When it
// gets UNAVAILABLE or DEADLINE_EXCEEDED the outcome may be unknown; repeating
// the command with the same request_id has one effect.
//
// Another process may have claimed the partition without this shard knowing
// yet. Its events are void then, and what rests on its rows alone - reads,
// refusals, repeated answers - waits until it has seen where the log ends at a
// moment after the question, and that nobody else has claimed up to there. One
// look serves all who wait.

#ifndef AFTERCARE_LIBS_SHARD_SHARD_H_
#define AFTERCARE_LIBS_SHARD_SHARD_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "libs/base/rows.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "libs/log/log.h"
#include "libs/process/clock.h"
#include "libs/shard/service.h"

namespace aftercare::shard {

// A command on its way to a shard.
struct Command {
  // Of the shard's service; null for the core's own HandbookApplied.
  const Service::Method* method = nullptr;
  std::shared_ptr<const google::protobuf::Message> request;
  // The consistency boundary (BoundaryOf the resource): decided here.
  std::string boundary;
  // Who acts: a handbook person's id, or "system" for reactions.
  std::string actor;
  // Empty: not repeatable. Reactions set it to the source event's id.
  std::string request_id;
  // Of the request (Fingerprint); same request_id with another fingerprint is
  // refused.
  uint64_t fingerprint = 0;
  // Unset: the record time.
  std::optional<absl::Time> occur_time;
  // A command still waiting then is dropped with DEADLINE_PASSED.
  absl::Time deadline = absl::InfiniteFuture();
  // Reactions: the source event's id (ce_causationid) and correlation; a
  // business refusal is recorded as ReactionRefused and answered OK.
  std::string cause;
  std::string correlation;
  bool reaction = false;
  std::string traceparent;
};

// What a command leaves: the resource's name and its serialized row as of the
// command (for a repeated request_id: as of now). A reaction that was refused
// has `refused_reason`.
struct CommandResult {
  std::string resource;
  std::string row;
  std::string refused_reason;
};

using CommandCallback = std::function<void(absl::StatusOr<CommandResult>)>;

enum class ShardState {
  kReplaying,
  kServing,
  kReadOnly,
  kHalted,
  kInDoubt,
  kFollowing
};

// What is read may be behind what others were told, see Read.
enum class Freshness { kConfirmed, kAny };

using ReadCallback =
    std::function<void(absl::StatusOr<std::unique_ptr<RowReader>>)>;

// Whether a shard in that state has rows that are of use to somebody.
inline bool IsReadable(ShardState state) {
  return state == ShardState::kServing || state == ShardState::kReadOnly ||
         state == ShardState::kInDoubt;
}

struct ShardStatus {
  std::string service;
  int partition = 0;
  ShardState state = ShardState::kReplaying;
  int64_t offset = 0;
  // One's own; of a standby, the newest it has read.
  int64_t claim = -1;
  int64_t events = 0;
  int64_t rows = 0;
  int64_t void_records = 0;
  std::string digest;  // 32 hexadecimal digits
  int64_t queued_commands = 0;
  // Set when halted: the record that stopped the replay.
  int64_t problem_offset = -1;
  std::string problem_key;
  std::string problem_reason;
  // The log's end when replay began or, of a standby, a few seconds ago.
  int64_t replay_target = 0;

  // Records still to be read up to there.
  int64_t lag() const { return std::max<int64_t>(0, replay_target - offset); }
};

struct ShardOptions {
  std::string directory;  // this shard's own
  std::string owner;      // process name for the claim
  std::string address;    // advertised in the claim
  // Begin as a standby: read along without claiming, until Promote.
  bool follow = false;
  // Where the partition's checkpoints are (checkpoint.h); empty: none. The
  // newest whose rows fit their digest is taken when the directory is empty.
  std::string checkpoints;
  int max_queued_commands = 4096;
  int max_inflight_records = 1024;
  int64_t max_inflight_bytes = 8 << 20;
  // Largest difference by which occur_time may lie after the shard's clock.
  absl::Duration clock_tolerance = absl::Minutes(5);
  // request_ids are remembered for this many whole days of record time.
  int request_days = 2;
  // Free bytes below which the shard turns read-only. `free_bytes` null asks
  // the file system.
  int64_t min_free_bytes = int64_t{256} << 20;
  std::function<absl::StatusOr<int64_t>()> free_bytes;
  // No answer from the log for this long: in doubt.
  absl::Duration append_timeout = absl::Seconds(10);
  // How often due timers are looked for.
  absl::Duration timer_interval = absl::Milliseconds(100);
  // How often a standby asks where the log ends. Only told, never relied on.
  absl::Duration end_interval = absl::Seconds(5);
  // Rows a stretch of replay gathers before it is written.
  int replay_stretch_rows = 20000;
  // Memory for RocksDB's write buffers and for decoded rows.
  int64_t write_buffer_bytes = int64_t{32} << 20;
  int64_t block_cache_bytes = int64_t{32} << 20;
  int cached_rows = 20000;
};

// Thread-safe.
class Shard {
 public:
  // Starts the thread: own, catch up, serve; or follow. `log`, `service` and
  // `clock` must outlive the shard.
  static absl::StatusOr<std::unique_ptr<Shard>> Start(
      log::Log& log, const Service& service, int partition, int partitions,
      ShardOptions options, Clock& clock = SystemClock());

  // As Stop.
  virtual ~Shard() = default;

  // Drains: queued commands are refused with SHUTTING_DOWN, those in flight
  // are waited for (at most the append timeout). When it returns the producer
  // is closed and the directory is free, but for readers that still live.
  // Afterwards commands are refused with SHUTTING_DOWN. May be repeated.
  virtual void Stop() = 0;

  // Ends following: claims, reads the tail, serves. Without effect on an owner.
  virtual void Promote() = 0;

  // Never blocks. `done` runs once, on the shard's thread or before Submit
  // returns; it must not block.
  virtual void Submit(Command command, CommandCallback done) = 0;

  // Writes a handbook version into this partition. Same version and content:
  // OK without effect. `result.resource` is the company.
  virtual void SubmitHandbook(const handbook::v1::Handbook& handbook,
                              std::string actor, absl::Time deadline,
                              CommandCallback done) = 0;

  // Rows at one moment. kConfirmed: containing everything that anybody was told
  // before the call; UNAVAILABLE while the log does not answer. kAny:
  // containing what this shard has told; also while it is in doubt. UNAVAILABLE
  // while replaying or halted. Never blocks; `done` runs once, on the shard's
  // thread or before Read returns, and must not block. Each reader is for one
  // thread. When a reader's status() is not OK the shard goes to get its rows
  // anew.
  virtual void Read(Freshness freshness, ReadCallback done) = 0;

  // Read, waited for: not for threads that must not block.
  absl::StatusOr<std::unique_ptr<RowReader>> Snapshot(
      Freshness freshness = Freshness::kConfirmed);

  // Why nothing can be read at all; OK if something can.
  virtual absl::Status Readable() const = 0;

  // The company's policy in force at `at`; null when there is none. Never
  // blocks for long; usable from any thread once serving.
  virtual std::shared_ptr<const handbook::Policy> PolicyAt(
      absl::string_view company, absl::Time at) = 0;

  virtual ShardStatus Status() const = 0;

  // Compares live rows with a recount and with a replay of the log into
  // `scratch_directory` (made and removed). Blocks the caller, not the shard.
  struct Verdict {
    int64_t offset = 0;
    std::string live_digest, scanned_digest, replayed_digest;
    bool ok = false;
    std::string problem;
  };
  virtual absl::StatusOr<Verdict> Verify(
      const std::string& scratch_directory) = 0;

  // Writes a RocksDB checkpoint with its fold state; the directory must not
  // exist. A shard started on a copy of it replays only the tail. The offset
  // it goes on from.
  virtual absl::StatusOr<int64_t> Checkpoint(const std::string& directory) = 0;
};

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_SHARD_H_
