// -----------------------------------------------------------------------------
// File: decider.h
// -----------------------------------------------------------------------------
//
// What a service's domain consists of: functions without I/O, clock or chance.
//
//   Decision<IntakeEvent> Decide(const RowReader&, const CommandContext&,
//                                const CloseCaseRequest&);   // one per command
//   Decision<IntakeEvent> DecideTimer(const RowReader&, const CommandContext&,
//                                     absl::string_view name);
//   void Evolve(RowEditor&, const EventMeta&, const IntakeEvent&);
//
// Decide answers with the facts to record, or a refusal (refusal.h). Evolve is
// total: it never fails and ignores what it does not understand about rows that
// are not there.

#ifndef AFTERCARE_LIBS_BASE_DECIDER_H_
#define AFTERCARE_LIBS_BASE_DECIDER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aftercare {

namespace handbook {
class Policy;
}

// Everything a decision may depend on beside the rows and the request.
struct CommandContext {
  // Id of the person who acts (handbook people), or "system".
  std::string actor;
  // When the command is recorded: the shard's clock.
  absl::Time record_time;
  // When it happened in the business. Never later than record_time plus the
  // allowed clock difference; equal to it unless the request says otherwise.
  absl::Time occur_time;
  // The company's handbook in force at occur_time. Never null.
  const handbook::Policy* policy = nullptr;
  // A fresh id for a resource this command makes; further ones are made from
  // it with IdFrom(fresh_id + suffix).
  std::string fresh_id;
  // The event that caused the command (reactions), else empty.
  std::string cause;
};

// One fact about one resource. `subject` is the resource's full name.
template <typename Event>
struct Draft {
  std::string subject;
  Event event;
};

// The first draft's subject is the resource the command answers with. No
// drafts: the command changes nothing and answers with the named resource
// (only reactions and timers may).
template <typename Event>
using Decision = absl::StatusOr<std::vector<Draft<Event>>>;

// What surrounds an event in the log.
struct EventMeta {
  // Unique for ever: service/partition/claim/seq.
  std::string id;
  std::string subject;
  // Consistency boundary (BoundaryOf(subject)) and the event's position in its
  // stream, from 1 without gaps.
  std::string parent;
  int64_t revision = 0;
  absl::Time record_time;
  absl::Time occur_time;
  std::string actor;
};

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_DECIDER_H_
