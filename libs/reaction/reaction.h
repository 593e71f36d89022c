// -----------------------------------------------------------------------------
// File: reaction.h
// -----------------------------------------------------------------------------
//
// Turns events of one service into commands of another. A Reaction follows one
// partition of a source topic: it folds the records, asks the Mapping what each
// event asks for, and submits the commands to the target's shards with the
// event's id as request_id ("event:<id>", "#n" for the nth further command).
// It moves its stored position only behind events that are done, so it delivers
// at least once; the target remembers request_ids of reactions for ever, so the
// effect is single even when all progress is lost.
//
// Order: events of one source key one after the other, commands of one event
// one after the other; keys do not wait for each other (up to `window` events
// in flight).
//
// What can go wrong with an event:
//   refused for a business reason  the shard records ReactionRefused; done
//   target unavailable             repeated with growing, jittered pauses, for
//                                  as long as it takes: a shard that replays is
//                                  no reason to give up
//   no handbook at the target yet  repeated up to max_attempts, then parked
//   anything else (corrupt value,  parked: visible in ListParked until an
//   mapping error, INTERNAL, ...)  operator retries or skips it
//   a fact this version does not   skipped and counted; the source's own
//   know                           process is the one that must stop at it
// A parked event holds up nothing, not even later events of its own key: the
// operator who retries it later must know that.

#ifndef AFTERCARE_LIBS_REACTION_REACTION_H_
#define AFTERCARE_LIBS_REACTION_REACTION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "libs/log/log.h"
#include "libs/reaction/mapping.h"
#include "libs/reaction/progress.h"
#include "libs/shard/service.h"
#include "libs/shard/shard.h"

namespace aftercare::reaction {

struct ReactionOptions {
  int partition = 0;  // of the source topic
  int window = 64;
  int max_attempts = 20;
  absl::Duration first_pause = absl::Milliseconds(20);
  absl::Duration longest_pause = absl::Seconds(5);
  // The position is written at most so often; losing it costs repetitions.
  absl::Duration save_interval = absl::Milliseconds(200);
};

// The service commands go to, wherever its shards run. The functions are
// thread-safe.
struct Target {
  const shard::Service* service = nullptr;
  // As shard::Shard::Submit, to the shard that owns the command's boundary.
  std::function<void(shard::Command, shard::CommandCallback)> submit;
  // The company's handbook in force at a time; null when it has none.
  // UNAVAILABLE while nobody here can know.
  std::function<absl::StatusOr<std::shared_ptr<const handbook::Policy>>(
      absl::string_view company, absl::Time at)>
      policy;
};

// Thread-safe.
class Reaction {
 public:
  // Starts its thread. FAILED_PRECONDITION when the mapping is unusable.
  // `source` decodes the topic's events; everything given must outlive the
  // reaction, and whatever the target's functions use.
  static absl::StatusOr<std::unique_ptr<Reaction>> Start(
      log::Log& log, const shard::Service& source, Target target,
      Mapping mapping, Progress& progress, ReactionOptions options = {});

  // Begins to stop, without waiting: nothing more is read or sent.
  virtual void Stop() = 0;

  // Stops, and waits for commands in flight to be answered. Commands
  // must still be answered, or be refused.
  virtual ~Reaction() = default;

  // "<target><<source>".
  virtual const std::string& name() const = 0;
  virtual admin::v1::Reaction Status() const = 0;
  virtual std::vector<admin::v1::Parked> ListParked() const = 0;

  // RETRY carries the event out again and waits for the outcome, up to
  // `wait`; it stays parked, with its new problem, when that fails again.
  // SKIP gives it up. NOT_FOUND when no such event is parked here. Returns the
  // entry: parked still when `problem` is not empty.
  virtual absl::StatusOr<admin::v1::Parked> Resolve(
      absl::string_view event_id,
      admin::v1::ResolveParkedRequest::Action action, absl::Duration wait) = 0;
};

}  // namespace aftercare::reaction

#endif  // AFTERCARE_LIBS_REACTION_REACTION_H_
