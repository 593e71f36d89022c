// -----------------------------------------------------------------------------
// File: booking.h
// -----------------------------------------------------------------------------
//
// Who can make a visit and when. A booking is the interval of an order while a
// technician has it; bookings of one technician never overlap, touching ends
// are allowed (CASE-18). All bookings of a territory are decided in one shard,
// so of two that want the same hour the second is refused (CASE-19).

#ifndef AFTERCARE_SERVICES_DISPATCH_DOMAIN_BOOKING_H_
#define AFTERCARE_SERVICES_DISPATCH_DOMAIN_BOOKING_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/dispatch/v1/events.pb.h"
#include "aftercare/dispatch/v1/resources.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::dispatch {

// Half-open: `end` does not belong to it.
struct Stretch {
  absl::Time start;
  absl::Time end;

  bool Overlaps(const Stretch& other) const {
    return start < other.end && other.start < end;
  }
};

Stretch StretchOf(const common::v1::Interval& interval);
common::v1::Interval ToInterval(const Stretch& stretch);

// Index keys of what happens at an instant, under a resource's name; KeysEnd is
// behind all of them.
std::string TimeKey(absl::string_view name, absl::Time time);
std::string KeysEnd(absl::string_view name);

// Completed, given up or cancelled: no step follows.
bool IsFinished(const v1::WorkOrder& order);

// Index kTechnicianByPerson: the person within the territory.
std::vector<std::string> PersonKeys(const v1::Technician& technician);
std::string PersonKey(absl::string_view territory, absl::string_view person);

// Index kBookingByEnd: orders that take up a technician's time, by the end of
// the booking. As bookings do not overlap this is also their order by start,
// so the first that ends behind an instant is the only one to look at.
std::vector<std::string> BookingKeys(const v1::WorkOrder& order);

// Index kOpenByDueTime: unfinished orders by the earliest due time of a running
// clock (none: behind all others), under the company, the territory and the
// technician.
std::vector<std::string> OpenKeys(const v1::WorkOrder& order);

// Visits the technician's bookings that overlap `wanted`, by start, until
// `visit` returns false.
void ForEachBooking(const RowReader& rows, absl::string_view technician,
                    const Stretch& wanted,
                    absl::FunctionRef<bool(const v1::WorkOrder&)> visit);

// The first booking of the technician that overlaps `wanted`, leaving out the
// order `except`; null if there is none.
const v1::WorkOrder* FindOverlap(const RowReader& rows,
                                 absl::string_view technician,
                                 const Stretch& wanted,
                                 absl::string_view except);

// Any unfinished order of the technician; null if there is none.
const v1::WorkOrder* FindOpenOrder(const RowReader& rows,
                                   absl::string_view technician);

// May `technician` make this visit? Refuses with the reason that a person can
// act on: inactive, skill, declined, shift, leave, other visit.
absl::Status CheckBooking(const RowReader& rows, const CommandContext& context,
                          const v1::Technician& technician,
                          const v1::WorkOrder& order, const Stretch& wanted);

struct Assignment {
  // Null: nobody.
  const v1::Technician* technician = nullptr;
  Stretch booking;
  v1::AssignmentFunnel funnel;
  // In words for people: why this one, or why nobody.
  std::string explanation;
};

// The technician of the order's territory who can begin earliest at or after
// `from`; of several the one with fewest visits that day, then the first by
// name. The order in which technicians were registered plays no part
// (CASE-D12).
Assignment ChooseTechnician(const RowReader& rows,
                            const CommandContext& context,
                            const v1::WorkOrder& order, absl::Time from,
                            absl::Duration duration);

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_DOMAIN_BOOKING_H_
