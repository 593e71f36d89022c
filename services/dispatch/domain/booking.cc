#include "services/dispatch/domain/booking.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aftercare/dispatch/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/calendar/calendar.h"
#include "libs/handbook/policy.h"
#include "services/dispatch/domain/tables.h"

namespace aftercare::dispatch {
namespace {

using calendar::Calendar;
using common::v1::SlaClock;

// Visits found automatically begin at a quarter of an hour where nothing else
// gives the time: people agree on such times.
constexpr absl::Duration kSlot = absl::Minutes(15);

const handbook::v1::Territory* TerritoryOf(const CommandContext& context,
                                           absl::string_view name) {
  const absl::string_view id = IdOf(BoundaryOf(name));
  for (const auto& t : context.policy->handbook().dispatch().territories()) {
    if (t.id() == id) return &t;
  }
  return nullptr;
}

const Calendar* TerritoryCalendar(const CommandContext& context,
                                  absl::string_view name) {
  const auto* territory = TerritoryOf(context, name);
  return territory == nullptr
             ? nullptr
             : context.policy->FindCalendar(territory->calendar());
}

// Null: works at any time.
const Calendar* HoursOf(const CommandContext& context,
                        const v1::Technician& technician) {
  const Calendar* own = context.policy->FindCalendar(technician.calendar());
  return own != nullptr ? own : TerritoryCalendar(context, technician.name());
}

bool InHours(const Calendar* hours, const Stretch& wanted) {
  return hours == nullptr ||
         hours->Between(wanted.start, wanted.end) == wanted.end - wanted.start;
}

// When the opening that holds `open` ends, looked for up to `limit`, to the
// second.
absl::Time ClosingTime(const Calendar& hours, absl::Time open,
                       absl::Time limit) {
  absl::Time low = open;
  absl::Time high = limit;
  while (high - low > absl::Seconds(1)) {
    const absl::Time middle = low + (high - low) / 2;
    (InHours(&hours, {open, middle}) ? low : high) = middle;
  }
  return high;
}

const common::v1::Interval* FindLeave(const v1::Technician& technician,
                                      const Stretch& wanted) {
  for (const auto& leave : technician.leave()) {
    if (StretchOf(leave).Overlaps(wanted)) return &leave;
  }
  return nullptr;
}

std::vector<std::string> MissingSkills(const v1::Technician& technician,
                                       const v1::WorkOrder& order) {
  std::vector<std::string> missing;
  for (const std::string& skill : order.required_skills()) {
    if (std::find(technician.skills().begin(), technician.skills().end(),
                  skill) == technician.skills().end()) {
      missing.push_back(skill);
    }
  }
  return missing;
}

bool HasDeclined(const v1::Technician& technician, const v1::WorkOrder& order) {
  return std::find(order.declined_by().begin(), order.declined_by().end(),
                   technician.name()) != order.declined_by().end();
}

// The first start in [from, latest] at which the technician is free.
std::optional<absl::Time> EarliestStart(const RowReader& rows,
                                        const Calendar* hours,
                                        const v1::Technician& technician,
                                        const v1::WorkOrder& order,
                                        absl::Time from, absl::Time latest,
                                        absl::Duration duration) {
  absl::Time start = from;
  while (true) {
    if (hours != nullptr) start = hours->NextOpen(start);
    if (start > latest) return std::nullopt;
    const Stretch wanted{start, start + duration};
    // Each obstacle ends behind `start`, so the search advances.
    if (!InHours(hours, wanted)) {
      start = ClosingTime(*hours, start, wanted.end);
    } else if (const auto* leave = FindLeave(technician, wanted)) {
      start = StretchOf(*leave).end;
    } else if (const auto* other =
                   FindOverlap(rows, technician.name(), wanted, order.name())) {
      start = StretchOf(other->booking()).end;
    } else {
      return start;
    }
  }
}

int VisitsOnDay(const RowReader& rows, absl::string_view technician,
                absl::Time time, absl::TimeZone zone) {
  const absl::CivilDay day = absl::ToCivilDay(time, zone);
  int visits = 0;
  rows.ScanIndex(kBookingByEnd, TimeKey(technician, absl::FromCivil(day, zone)),
                 TimeKey(technician, absl::FromCivil(day + 1, zone)),
                 [&](absl::string_view, absl::string_view) {
                   ++visits;
                   return true;
                 });
  return visits;
}

std::string LocalTime(absl::Time time, const CommandContext& context) {
  return absl::FormatTime("%Y-%m-%d %H:%M", time, context.policy->zone());
}

std::string FunnelText(const v1::AssignmentFunnel& funnel) {
  std::string text = absl::StrCat("of ", funnel.technicians(), " technicians");
  const auto add = [&](int count, absl::string_view what) {
    if (count > 0) absl::StrAppend(&text, ", ", count, " ", what);
  };
  add(funnel.inactive(), "inactive");
  add(funnel.unskilled(), "without the skills");
  add(funnel.declined(), "declined it");
  add(funnel.no_time(), "without free time");
  add(funnel.free(), "free");
  return text;
}

}  // namespace

// Keys are "<name> <time>": a space sorts before all that a name may hold.
std::string TimeKey(absl::string_view name, absl::Time time) {
  return absl::StrCat(name, " ", SortableTime(time));
}

std::string KeysEnd(absl::string_view name) {
  return PrefixEnd(absl::StrCat(name, " "));
}

Stretch StretchOf(const common::v1::Interval& interval) {
  return {FromProto(interval.start()), FromProto(interval.end())};
}

common::v1::Interval ToInterval(const Stretch& stretch) {
  common::v1::Interval interval;
  *interval.mutable_start() = ToProto(stretch.start);
  *interval.mutable_end() = ToProto(stretch.end);
  return interval;
}

bool IsFinished(const v1::WorkOrder& order) {
  return order.state() == v1::WorkOrder::COMPLETED ||
         order.state() == v1::WorkOrder::CANNOT_COMPLETE ||
         order.state() == v1::WorkOrder::CANCELLED;
}

std::string PersonKey(absl::string_view territory, absl::string_view person) {
  return absl::StrCat(territory, " ", person);
}

std::vector<std::string> PersonKeys(const v1::Technician& technician) {
  return {PersonKey(BoundaryOf(technician.name()), technician.person())};
}

std::vector<std::string> BookingKeys(const v1::WorkOrder& order) {
  if (order.technician().empty() || !order.has_booking()) return {};
  const Stretch booking = StretchOf(order.booking());
  // A visit that was over before its time began takes up none of it.
  if (booking.start >= booking.end) return {};
  return {TimeKey(order.technician(), booking.end)};
}

std::vector<std::string> OpenKeys(const v1::WorkOrder& order) {
  if (IsFinished(order)) return {};
  absl::Time due = MaxTime();
  for (const SlaClock& clock : order.clocks()) {
    if (clock.state() == SlaClock::RUNNING) {
      due = std::min(due, FromProto(clock.due_time()));
    }
  }
  std::vector<std::string> keys = {TimeKey(CompanyOf(order.name()), due),
                                   TimeKey(BoundaryOf(order.name()), due)};
  if (!order.technician().empty()) {
    keys.push_back(TimeKey(order.technician(), due));
  }
  return keys;
}

void ForEachBooking(const RowReader& rows, absl::string_view technician,
                    const Stretch& wanted,
                    absl::FunctionRef<bool(const v1::WorkOrder&)> visit) {
  rows.ScanIndex(
      kBookingByEnd, TimeKey(technician, wanted.start + absl::Microseconds(1)),
      KeysEnd(technician), [&](absl::string_view, absl::string_view id) {
        const v1::WorkOrder* order = rows.Find(kWorkOrders, id);
        return order == nullptr ||
               (StretchOf(order->booking()).Overlaps(wanted) && visit(*order));
      });
}

const v1::WorkOrder* FindOverlap(const RowReader& rows,
                                 absl::string_view technician,
                                 const Stretch& wanted,
                                 absl::string_view except) {
  const v1::WorkOrder* found = nullptr;
  ForEachBooking(rows, technician, wanted, [&](const v1::WorkOrder& order) {
    if (order.name() == except) return true;
    found = &order;
    return false;
  });
  return found;
}

const v1::WorkOrder* FindOpenOrder(const RowReader& rows,
                                   absl::string_view technician) {
  const v1::WorkOrder* found = nullptr;
  rows.ScanIndex(kOpenByDueTime, absl::StrCat(technician, " "),
                 KeysEnd(technician),
                 [&](absl::string_view, absl::string_view id) {
                   found = rows.Find(kWorkOrders, id);
                   return found == nullptr;
                 });
  return found;
}

absl::Status CheckBooking(const RowReader& rows, const CommandContext& context,
                          const v1::Technician& technician,
                          const v1::WorkOrder& order, const Stretch& wanted) {
  if (technician.inactive()) {
    return Refuse(v1::REASON_TECHNICIAN_INACTIVE, "the technician is inactive",
                  {{"technician", technician.name()}});
  }
  if (const auto missing = MissingSkills(technician, order); !missing.empty()) {
    return Refuse(v1::REASON_SKILL_MISSING,
                  "the technician lacks a skill the order needs (DSP-02)",
                  {{"technician", technician.name()},
                   {"skills", absl::StrJoin(missing, ",")}});
  }
  if (HasDeclined(technician, order)) {
    return Refuse(v1::REASON_TECHNICIAN_DECLINED,
                  "the technician has declined this order",
                  {{"technician", technician.name()}});
  }
  if (wanted.start < context.occur_time) {
    return Refuse(v1::REASON_START_IN_PAST,
                  "the visit would begin before it is assigned",
                  {{"start", FormatRfc3339(wanted.start)},
                   {"now", FormatRfc3339(context.occur_time)}});
  }
  if (!InHours(HoursOf(context, technician), wanted)) {
    return Refuse(v1::REASON_OUTSIDE_SHIFT,
                  "the visit is not wholly within the technician's hours",
                  {{"technician", technician.name()},
                   {"start", FormatRfc3339(wanted.start)},
                   {"end", FormatRfc3339(wanted.end)}});
  }
  if (const auto* leave = FindLeave(technician, wanted)) {
    const Stretch absence = StretchOf(*leave);
    return Refuse(v1::REASON_TECHNICIAN_ON_LEAVE,
                  "the technician is on leave in that time",
                  {{"technician", technician.name()},
                   {"leave_start", FormatRfc3339(absence.start)},
                   {"leave_end", FormatRfc3339(absence.end)}});
  }
  if (const auto* other =
          FindOverlap(rows, technician.name(), wanted, order.name())) {
    const Stretch taken = StretchOf(other->booking());
    return Refuse(v1::REASON_TECHNICIAN_BUSY,
                  "the technician has another visit in that time",
                  {{"technician", technician.name()},
                   {"work_order", other->name()},
                   {"start", FormatRfc3339(taken.start)},
                   {"end", FormatRfc3339(taken.end)}});
  }
  return absl::OkStatus();
}

Assignment ChooseTechnician(const RowReader& rows,
                            const CommandContext& context,
                            const v1::WorkOrder& order, absl::Time from,
                            absl::Duration duration) {
  Assignment best;
  const auto& dispatch = context.policy->handbook().dispatch();
  const auto horizon = calendar::EndOfSpan(
      dispatch.booking_horizon(), from,
      TerritoryCalendar(context, order.name()), context.policy->zone());
  const absl::Time latest = horizon.ok() ? *horizon : from;
  const absl::Time first =
      absl::UnixEpoch() + absl::Ceil(from - absl::UnixEpoch(), kSlot);

  v1::AssignmentFunnel& funnel = best.funnel;
  int best_visits = 0;
  const std::string prefix =
      absl::StrCat(BoundaryOf(order.name()), "/technicians/");
  rows.ScanTable(
      kTechnicians, prefix, PrefixEnd(prefix),
      [&](absl::string_view name, const v1::Technician&) {
        // The row that is visited ends with the visit; this one stays.
        const v1::Technician& technician = *rows.Find(kTechnicians, name);
        funnel.set_technicians(funnel.technicians() + 1);
        if (technician.inactive()) {
          funnel.set_inactive(funnel.inactive() + 1);
          return true;
        }
        if (!MissingSkills(technician, order).empty()) {
          funnel.set_unskilled(funnel.unskilled() + 1);
          return true;
        }
        if (HasDeclined(technician, order)) {
          funnel.set_declined(funnel.declined() + 1);
          return true;
        }
        const auto start =
            EarliestStart(rows, HoursOf(context, technician), technician, order,
                          first, latest, duration);
        if (!start.has_value()) {
          funnel.set_no_time(funnel.no_time() + 1);
          return true;
        }
        funnel.set_free(funnel.free() + 1);
        if (best.technician != nullptr && *start > best.booking.start) {
          return true;
        }
        const int visits =
            VisitsOnDay(rows, name, *start, context.policy->zone());
        // Technicians come by name: of equals the first stays.
        if (best.technician == nullptr || *start < best.booking.start ||
            visits < best_visits) {
          best.technician = &technician;
          best.booking = {*start, *start + duration};
          best_visits = visits;
        }
        return true;
      });

  if (best.technician == nullptr) {
    best.explanation =
        absl::StrCat("nobody can come before ", LocalTime(latest, context),
                     ": ", FunnelText(funnel));
    return best;
  }
  best.explanation = absl::StrCat(
      "earliest start ", LocalTime(best.booking.start, context), ", ",
      best_visits, " other visits that day; ", FunnelText(funnel));
  for (const SlaClock& clock : order.clocks()) {
    if (clock.kind() == "on_site" && clock.state() == SlaClock::RUNNING &&
        FromProto(clock.due_time()) < best.booking.start) {
      absl::StrAppend(&best.explanation, "; after the on-site due time ",
                      LocalTime(FromProto(clock.due_time()), context));
    }
  }
  return best;
}

}  // namespace aftercare::dispatch
