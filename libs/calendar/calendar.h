// -----------------------------------------------------------------------------
// File: calendar.h
// -----------------------------------------------------------------------------
//
// Business time: when a company works, in its own zone, with split shifts,
// holidays, make-up working days and daylight saving. Instants in, instants
// out; the zone's rules decide what a local time means.
//
//   ASSIGN_OR_RETURN(auto calendar, Calendar::Compile(proto, "Asia/Shanghai"));
//   absl::Time due = calendar.Add(start, absl::Hours(4));

#ifndef AFTERCARE_LIBS_CALENDAR_CALENDAR_H_
#define AFTERCARE_LIBS_CALENDAR_CALENDAR_H_

#include <array>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "aftercare/handbook/v1/handbook.pb.h"

namespace aftercare::calendar {

// Immutable and thread-safe.
class Calendar {
 public:
  // INVALID_ARGUMENT for an unknown zone, bad times or days, overlapping
  // shifts, or a calendar that never opens.
  static absl::StatusOr<Calendar> Compile(const handbook::v1::Calendar& proto,
                                          absl::string_view default_zone);

  bool always_open() const { return always_open_; }
  absl::TimeZone zone() const { return zone_; }

  bool IsOpen(absl::Time time) const;
  bool IsWorkingDay(absl::CivilDay day) const;

  // `time` itself if open then, else the next opening.
  absl::Time NextOpen(absl::Time time) const;

  // The instant at which `amount` of business time has passed since `start`.
  // The end of a stretch counts as that stretch's end, not as the next
  // opening: 8 h of 09-17 from 09:00 is 17:00. Negative amounts count back
  // (warnings before a due time); zero gives `start`. Looks at most ten years
  // ahead or back and then gives MaxTime() or MinTime().
  absl::Time Add(absl::Time start, absl::Duration amount) const;

  // Business time between two instants; negative when `end` < `start`.
  absl::Duration Between(absl::Time start, absl::Time end) const;

  // The close of the nth working day after the day of `start`; n below 1 is
  // taken as 1.
  absl::Time AddWorkingDays(absl::Time start, int n) const;

 private:
  struct Stretch {
    int open_minute = 0;
    int close_minute = 0;  // at most 1440
  };
  Calendar() = default;
  const std::vector<Stretch>& HoursOf(absl::CivilDay day) const;
  absl::Time OpenOf(absl::CivilDay day, const Stretch& stretch) const;
  absl::Time CloseOf(absl::CivilDay day, const Stretch& stretch) const;
  absl::CivilDay FirstDay(absl::Time time) const;
  absl::CivilDay LastDay(absl::Time time) const;
  absl::Time AddForward(absl::Time start, absl::Duration amount) const;
  absl::Time AddBackward(absl::Time start, absl::Duration amount) const;

  bool always_open_ = false;
  absl::TimeZone zone_;
  // Index 0 is Monday.
  std::array<std::vector<Stretch>, 7> week_;
  std::vector<Stretch> makeup_hours_;
  absl::flat_hash_set<absl::CivilDay> holidays_;
  absl::flat_hash_set<absl::CivilDay> makeup_days_;
};

// When a handbook span that begins at `start` ends. `calendar` may be null for
// spans without business time; days and months are cut in `zone` and end at the
// last microsecond before the next local midnight.
absl::StatusOr<absl::Time> EndOfSpan(const handbook::v1::Span& span,
                                     absl::Time start, const Calendar* calendar,
                                     absl::TimeZone zone);

}  // namespace aftercare::calendar

#endif  // AFTERCARE_LIBS_CALENDAR_CALENDAR_H_
