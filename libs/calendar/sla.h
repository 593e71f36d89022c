// -----------------------------------------------------------------------------
// File: sla.h
// -----------------------------------------------------------------------------
//
// SLA clocks as values: each function takes a clock and gives it back changed.
// Events carry the changed clock whole, so replay computes nothing and a
// settled breach never changes after a calendar edit.
//
// Rules: equality with the due time is on time; lateness is frozen when the
// clock stops; a pause gives back business time, not wall time (CASE-06); what
// has stopped or been cancelled ignores further changes.
//
// `calendar` is the compiled calendar named in the clock, null for wall time.

#ifndef AFTERCARE_LIBS_CALENDAR_SLA_H_
#define AFTERCARE_LIBS_CALENDAR_SLA_H_

#include "absl/time/time.h"
#include "aftercare/common/v1/types.pb.h"
#include "aftercare/handbook/v1/handbook.pb.h"
#include "libs/calendar/calendar.h"

namespace aftercare::calendar {

using common::v1::SlaClock;

// A running clock. `record_time` is when the start was reported: where the due
// time lies before it, the shard looks only `grace` after the report.
SlaClock StartClock(const handbook::v1::ClockTarget& target,
                    const Calendar* calendar, int64_t handbook_version,
                    absl::Time start, absl::Time record_time,
                    absl::Duration grace);

// Running -> paused from `at`. A breach that has already happened by `at` is
// settled first.
SlaClock PauseClock(SlaClock clock, const Calendar* calendar, absl::Time at);

// Paused -> running from `at` with what was left.
SlaClock ResumeClock(SlaClock clock, const Calendar* calendar, absl::Time at,
                     absl::Time record_time, absl::Duration grace);

// Stops for good at `at`: on time if at <= due, else breached with its
// lateness. A clock stopped while paused is on time unless breached before.
// A breach settled earlier stays, `stop_reported_late` says that the stop
// occurred in time.
SlaClock StopClock(SlaClock clock, const Calendar* calendar, absl::Time at);

// Ends without verdict; an earlier breach stays on record.
SlaClock CancelClock(SlaClock clock, const Calendar* calendar, absl::Time at);

// Settles a breach when the due time has passed at `now`; otherwise the clock
// comes back unchanged except for its check_time.
SlaClock CheckClock(SlaClock clock, absl::Time now);

// Takes a stopped clock up again (a reopened case). `closed_counts` false: the
// time since it stopped is a pause (CASE-09).
SlaClock ReopenClock(SlaClock clock, const Calendar* calendar, absl::Time at,
                     bool closed_counts, absl::Time record_time,
                     absl::Duration grace);

// Counted time used by `at` (running: up to now; else frozen).
absl::Duration UsedTime(const SlaClock& clock, const Calendar* calendar,
                        absl::Time at);

// When to warn: `before` of counted time ahead of the due time (CASE-07).
absl::Time WarnTime(const SlaClock& clock, const Calendar* calendar,
                    absl::Duration before);

}  // namespace aftercare::calendar

#endif  // AFTERCARE_LIBS_CALENDAR_SLA_H_
