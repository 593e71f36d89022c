#include "services/dispatch/domain/technician.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "aftercare/dispatch/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/handbook/policy.h"
#include "services/dispatch/domain/booking.h"
#include "services/dispatch/domain/shared.h"
#include "services/dispatch/domain/tables.h"

namespace aftercare::dispatch {
namespace {

using DispatchDecision = Decision<v1::DispatchEvent>;

constexpr int kMaxAbsences = 400;

template <typename Request>
absl::StatusOr<const v1::Technician*> FindTechnician(const RowReader& rows,
                                                     const Request& request) {
  RETURN_IF_ERROR(CheckName("name", kTechnicianPattern, request.name()));
  const v1::Technician* found = rows.Find(kTechnicians, request.name());
  if (found == nullptr) return NotFound(request.name());
  RETURN_IF_ERROR(CheckEtag(request.etag(), found->etag()));
  return found;
}

DispatchDecision One(absl::string_view name, v1::DispatchEvent event) {
  std::vector<Draft<v1::DispatchEvent>> drafts;
  drafts.push_back({std::string(name), std::move(event)});
  return drafts;
}

}  // namespace

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::RegisterTechnicianRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", kTerritoryPattern, request.parent()));
  RETURN_IF_ERROR(CheckId("technician_id", request.technician_id()));
  RETURN_IF_ERROR(CheckText("person", request.person(), kMaxShortText));
  RETURN_IF_ERROR(
      CheckOptionalText("display_name", request.display_name(), kMaxShortText));
  RETURN_IF_ERROR(
      CheckOptionalText("calendar", request.calendar(), kMaxShortText));
  RETURN_IF_ERROR(CheckSkills("skills", request.skills(), context));
  RETURN_IF_ERROR(CheckTerritory(request.parent(), context));
  const handbook::v1::Person* person =
      context.policy->FindPerson(request.person());
  if (person == nullptr ||
      std::find(person->roles().begin(), person->roles().end(), "technician") ==
          person->roles().end()) {
    return Refuse(v1::REASON_PERSON_UNKNOWN,
                  "the handbook knows no technician of that name",
                  {{"person", request.person()}});
  }
  if (!request.calendar().empty() &&
      context.policy->FindCalendar(request.calendar()) == nullptr) {
    return Refuse(v1::REASON_CALENDAR_UNKNOWN,
                  "the handbook has no such calendar",
                  {{"calendar", request.calendar()}});
  }
  const std::string name =
      absl::StrCat(request.parent(), "/technicians/", request.technician_id());
  if (rows.Find(kTechnicians, name) != nullptr) return AlreadyExists(name);
  // One person with two resources could be in two places at once.
  const std::string key = PersonKey(request.parent(), request.person());
  std::string registered;
  rows.ScanIndex(kTechnicianByPerson, key, key + '\x01',
                 [&](absl::string_view, absl::string_view id) {
                   registered = std::string(id);
                   return false;
                 });
  if (!registered.empty()) {
    return Refuse(v1::REASON_PERSON_REGISTERED,
                  "the person is a technician of this territory already",
                  {{"person", request.person()}, {"technician", registered}});
  }

  v1::DispatchEvent event;
  v1::Technician& technician =
      *event.mutable_technician_registered()->mutable_technician();
  technician.set_name(name);
  *technician.mutable_create_time() = ToProto(context.occur_time);
  technician.set_person(request.person());
  technician.set_display_name(request.display_name().empty()
                                  ? person->display_name()
                                  : request.display_name());
  *technician.mutable_skills() = request.skills();
  technician.set_calendar(request.calendar());
  return One(name, std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::UpdateTechnicianRequest& request) {
  ASSIGN_OR_RETURN(const v1::Technician* technician,
                   FindTechnician(rows, request));
  RETURN_IF_ERROR(CheckSkills("skills", request.skills(), context));
  if (request.inactive() && !technician->inactive()) {
    if (const auto* order = FindOpenOrder(rows, technician->name())) {
      return Refuse(
          v1::REASON_TECHNICIAN_HAS_ORDERS,
          "give the technician's unfinished orders to others first",
          {{"technician", technician->name()}, {"work_order", order->name()}});
    }
  }
  v1::DispatchEvent event;
  v1::Technician& changed =
      *event.mutable_technician_updated()->mutable_technician();
  changed = *technician;
  if (!request.skills().empty()) *changed.mutable_skills() = request.skills();
  changed.set_inactive(request.inactive());
  return One(technician->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext&,
                        const v1::SetLeaveRequest& request) {
  ASSIGN_OR_RETURN(const v1::Technician* technician,
                   FindTechnician(rows, request));
  if (request.leave_size() > kMaxAbsences) {
    return InvalidField(
        "leave", absl::StrCat("has more than ", kMaxAbsences, " absences"));
  }
  for (int i = 0; i < request.leave_size(); ++i) {
    const auto& leave = request.leave(i);
    const std::string path = absl::StrCat("leave[", i, "]");
    RETURN_IF_ERROR(CheckTime(absl::StrCat(path, ".start"), leave.start()));
    RETURN_IF_ERROR(CheckTime(absl::StrCat(path, ".end"), leave.end()));
    if (FromProto(leave.end()) <= FromProto(leave.start())) {
      return InvalidField(absl::StrCat(path, ".end"),
                          "must be later than start");
    }
  }
  std::vector<common::v1::Interval> sorted(request.leave().begin(),
                                           request.leave().end());
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return FromProto(a.start()) < FromProto(b.start());
  });
  for (size_t i = 1; i < sorted.size(); ++i) {
    if (StretchOf(sorted[i - 1]).Overlaps(StretchOf(sorted[i]))) {
      return InvalidField("leave", "two absences overlap");
    }
  }
  v1::DispatchEvent event;
  auto& fact = *event.mutable_leave_set();
  fact.set_name(technician->name());
  for (const auto& leave : sorted) {
    absl::Status covered = absl::OkStatus();
    ForEachBooking(
        rows, technician->name(), StretchOf(leave),
        [&](const v1::WorkOrder& order) {
          // A visit that is over can be covered by an absence that
          // began afterwards on the same day or is corrected later.
          if (IsFinished(order)) return true;
          covered = Refuse(
              v1::REASON_LEAVE_COVERS_VISIT,
              "the leave covers a visit; move that first",
              {{"technician", technician->name()},
               {"work_order", order.name()},
               {"start", FormatRfc3339(StretchOf(order.booking()).start)}});
          return false;
        });
    RETURN_IF_ERROR(covered);
    *fact.add_leave() = leave;
  }
  return One(technician->name(), std::move(event));
}

}  // namespace aftercare::dispatch
