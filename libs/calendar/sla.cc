#include "libs/calendar/sla.h"

#include <algorithm>

#include "libs/base/time.h"

namespace aftercare::calendar {
namespace {

absl::Time Plus(const Calendar* calendar, absl::Time start,
                absl::Duration amount) {
  return calendar == nullptr ? std::clamp(start + amount, MinTime(), MaxTime())
                             : calendar->Add(start, amount);
}

absl::Duration Elapsed(const Calendar* calendar, absl::Time start,
                       absl::Time end) {
  if (end <= start) return absl::ZeroDuration();
  return calendar == nullptr ? end - start : calendar->Between(start, end);
}

// Sets the due time from what is left, and when to look whether it passed.
void Run(SlaClock& clock, const Calendar* calendar, absl::Time at,
         absl::Time record_time, absl::Duration grace) {
  clock.set_state(SlaClock::RUNNING);
  *clock.mutable_since_time() = ToProto(at);
  const absl::Duration left =
      std::max(absl::ZeroDuration(),
               FromProto(clock.target()) - FromProto(clock.used()));
  const absl::Time due = Plus(calendar, at, left);
  *clock.mutable_due_time() = ToProto(due);
  if (clock.breached()) {
    clock.clear_check_time();
  } else {
    *clock.mutable_check_time() =
        ToProto(due < record_time ? record_time + grace : due);
  }
}

void Finish(SlaClock& clock, absl::Time at, SlaClock::State state) {
  clock.set_state(state);
  *clock.mutable_stop_time() = ToProto(at);
  *clock.mutable_wall_total() = ToProto(
      std::max(absl::ZeroDuration(), at - FromProto(clock.start_time())));
  clock.clear_check_time();
}

bool Open(const SlaClock& clock) {
  return clock.state() == SlaClock::RUNNING ||
         clock.state() == SlaClock::PAUSED;
}

// Counted time past the due time at `at`.
absl::Duration LatenessAt(const SlaClock& clock, const Calendar* calendar,
                          absl::Time at) {
  return std::max(absl::ZeroDuration(),
                  UsedTime(clock, calendar, at) - FromProto(clock.target()));
}

}  // namespace

SlaClock StartClock(const handbook::v1::ClockTarget& target,
                    const Calendar* calendar, int64_t handbook_version,
                    absl::Time start, absl::Time record_time,
                    absl::Duration grace) {
  SlaClock clock;
  clock.set_kind(target.kind());
  *clock.mutable_target() = target.target();
  clock.set_calendar(calendar == nullptr ? "" : target.calendar());
  *clock.mutable_start_time() = ToProto(start);
  clock.mutable_used();
  clock.set_handbook_version(handbook_version);
  Run(clock, calendar, start, record_time, grace);
  return clock;
}

SlaClock PauseClock(SlaClock clock, const Calendar* calendar, absl::Time at) {
  if (clock.state() != SlaClock::RUNNING) return clock;
  if (at > FromProto(clock.due_time())) {
    clock.set_breached(true);
    *clock.mutable_lateness() = ToProto(LatenessAt(clock, calendar, at));
  }
  *clock.mutable_used() = ToProto(UsedTime(clock, calendar, at));
  clock.set_state(SlaClock::PAUSED);
  *clock.mutable_since_time() = ToProto(at);
  clock.clear_due_time();
  clock.clear_check_time();
  return clock;
}

SlaClock ResumeClock(SlaClock clock, const Calendar* calendar, absl::Time at,
                     absl::Time record_time, absl::Duration grace) {
  if (clock.state() != SlaClock::PAUSED) return clock;
  Run(clock, calendar, at, record_time, grace);
  return clock;
}

SlaClock StopClock(SlaClock clock, const Calendar* calendar, absl::Time at) {
  if (!Open(clock)) return clock;
  if (clock.state() == SlaClock::RUNNING) {
    const absl::Duration used = UsedTime(clock, calendar, at);
    // A clock taken up again with its target already used up is late however
    // soon it stops.
    const bool late =
        at > FromProto(clock.due_time()) || used > FromProto(clock.target());
    if (clock.breached() && !late &&
        FromProto(clock.used()) <= FromProto(clock.target())) {
      clock.set_stop_reported_late(true);
    }
    clock.set_breached(clock.breached() || late);
    if (clock.breached()) {
      *clock.mutable_lateness() = ToProto(
          std::max(absl::ZeroDuration(), used - FromProto(clock.target())));
    }
    *clock.mutable_used() = ToProto(used);
  }
  Finish(clock, at, SlaClock::STOPPED);
  return clock;
}

SlaClock CancelClock(SlaClock clock, const Calendar* calendar, absl::Time at) {
  if (!Open(clock)) return clock;
  if (clock.breached()) {
    *clock.mutable_lateness() = ToProto(LatenessAt(clock, calendar, at));
  }
  *clock.mutable_used() = ToProto(UsedTime(clock, calendar, at));
  Finish(clock, at, SlaClock::CANCELLED);
  return clock;
}

SlaClock CheckClock(SlaClock clock, absl::Time now) {
  if (clock.state() != SlaClock::RUNNING || clock.breached()) {
    clock.clear_check_time();
    return clock;
  }
  if (now > FromProto(clock.due_time())) {
    clock.set_breached(true);
    clock.clear_check_time();
  }
  return clock;
}

SlaClock ReopenClock(SlaClock clock, const Calendar* calendar, absl::Time at,
                     bool closed_counts, absl::Time record_time,
                     absl::Duration grace) {
  if (clock.state() != SlaClock::STOPPED) return clock;
  if (closed_counts) {
    *clock.mutable_used() =
        ToProto(FromProto(clock.used()) +
                Elapsed(calendar, FromProto(clock.stop_time()), at));
  }
  clock.clear_stop_time();
  clock.clear_wall_total();
  clock.clear_lateness();
  clock.clear_stop_reported_late();
  Run(clock, calendar, at, record_time, grace);
  return clock;
}

absl::Duration UsedTime(const SlaClock& clock, const Calendar* calendar,
                        absl::Time at) {
  absl::Duration used = FromProto(clock.used());
  if (clock.state() == SlaClock::RUNNING) {
    used += Elapsed(calendar, FromProto(clock.since_time()), at);
  }
  return used;
}

absl::Time WarnTime(const SlaClock& clock, const Calendar* calendar,
                    absl::Duration before) {
  return Plus(calendar, FromProto(clock.due_time()), -before);
}

}  // namespace aftercare::calendar
