#include "services/dispatch/domain/work_order.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "aftercare/dispatch/v1/reasons.pb.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/calendar/sla.h"
#include "libs/handbook/policy.h"
#include "services/dispatch/domain/booking.h"
#include "services/dispatch/domain/shared.h"
#include "services/dispatch/domain/tables.h"

namespace aftercare::dispatch {
namespace {

using calendar::SlaClock;
using Order = v1::WorkOrder;
using DispatchDecision = Decision<v1::DispatchEvent>;
using Drafts = std::vector<Draft<v1::DispatchEvent>>;
using Clocks = google::protobuf::RepeatedPtrField<SlaClock>;

constexpr absl::string_view kOnSite = "on_site";
constexpr absl::string_view kRepair = "repair";
constexpr int kMaxParts = 200;
constexpr int kMaxPhotos = 50;
constexpr int kMaxQuantity = 100000;

void Append(Drafts& drafts, absl::string_view name, v1::DispatchEvent event) {
  drafts.push_back({std::string(name), std::move(event)});
}

DispatchDecision One(absl::string_view name, v1::DispatchEvent event) {
  Drafts drafts;
  Append(drafts, name, std::move(event));
  return drafts;
}

template <typename Request>
absl::StatusOr<const Order*> FindOrder(const RowReader& rows,
                                       const Request& request) {
  RETURN_IF_ERROR(CheckName("name", kWorkOrderPattern, request.name()));
  const Order* found = rows.Find(kWorkOrders, request.name());
  if (found == nullptr) return NotFound(request.name());
  RETURN_IF_ERROR(CheckEtag(request.etag(), found->etag()));
  return found;
}

// The step fits the order's state and does not lie before the last one. A late
// report about an order that was cancelled meanwhile stops here, visibly
// (CASE-21).
absl::Status CheckStep(const Order& order, const CommandContext& context,
                       std::initializer_list<Order::State> allowed) {
  if (std::find(allowed.begin(), allowed.end(), order.state()) ==
      allowed.end()) {
    return Refuse(
        v1::REASON_WORK_ORDER_STATE,
        "the work order's state does not allow this step",
        {{"name", order.name()}, {"state", Order::State_Name(order.state())}});
  }
  if (context.occur_time < FromProto(order.step_time())) {
    return Refuse(v1::REASON_OCCUR_TIME_TOO_EARLY,
                  "occur_time lies before the work order's last step",
                  {{"name", order.name()},
                   {"earliest", FormatRfc3339(FromProto(order.step_time()))}});
  }
  return absl::OkStatus();
}

// A technician speaks for himself; those who plan or import may report for him.
absl::Status CheckSpeaker(const Order& order, const CommandContext& context) {
  if (context.actor == order.person() || context.actor == "system") {
    return absl::OkStatus();
  }
  const handbook::v1::Person* person =
      context.policy->FindPerson(context.actor);
  if (person != nullptr) {
    for (const std::string& role : person->roles()) {
      if (role == "dispatcher" || role == "supervisor" || role == "importer") {
        return absl::OkStatus();
      }
    }
  }
  return Refuse(v1::REASON_NOT_ASSIGNED_TO_YOU,
                "only the assigned technician may say this",
                {{"name", order.name()}, {"technician", order.technician()}});
}

absl::Duration Grace(const CommandContext& context) {
  return FromProto(context.policy->handbook().dispatch().late_report_grace());
}

// The clocks of `kind` (empty: all) as `change` leaves them, those only that
// differ from before.
Clocks ChangedClocks(const Order& order, const CommandContext& context,
                     absl::string_view kind,
                     SlaClock (*change)(SlaClock, const calendar::Calendar*,
                                        absl::Time)) {
  Clocks changed;
  for (const SlaClock& clock : order.clocks()) {
    if (!kind.empty() && clock.kind() != kind) continue;
    if (clock.state() != SlaClock::RUNNING &&
        clock.state() != SlaClock::PAUSED) {
      continue;
    }
    *changed.Add() =
        change(clock, context.policy->FindCalendar(clock.calendar()),
               context.occur_time);
  }
  return changed;
}

v1::DispatchEvent Assigned(const Order& order, const v1::Technician& technician,
                           const Stretch& booking) {
  v1::DispatchEvent event;
  auto& fact = *event.mutable_work_order_assigned();
  fact.set_name(order.name());
  fact.set_case_(order.case_());
  fact.set_technician(technician.name());
  fact.set_person(technician.person());
  *fact.mutable_booking() = ToInterval(booking);
  fact.set_previous_technician(order.technician());
  return event;
}

// The fact of an automatic assignment, or of its failure.
v1::DispatchEvent Automatic(const Order& order, const Assignment& found) {
  if (found.technician == nullptr) {
    v1::DispatchEvent event;
    auto& fact = *event.mutable_assignment_failed();
    fact.set_name(order.name());
    fact.set_case_(order.case_());
    fact.set_explanation(found.explanation);
    *fact.mutable_funnel() = found.funnel;
    return event;
  }
  v1::DispatchEvent event = Assigned(order, *found.technician, found.booking);
  auto& fact = *event.mutable_work_order_assigned();
  fact.set_automatic(true);
  fact.set_explanation(found.explanation);
  *fact.mutable_funnel() = found.funnel;
  return event;
}

absl::Duration VisitDuration(const CommandContext& context) {
  return FromProto(context.policy->handbook().dispatch().visit_duration());
}

absl::Status CheckDuration(absl::string_view field,
                           const google::protobuf::Duration& duration) {
  if (IsValid(duration) && FromProto(duration) >= absl::Minutes(5) &&
      FromProto(duration) <= absl::Hours(24)) {
    return absl::OkStatus();
  }
  return InvalidField(field, "must be 5 minutes to 24 hours");
}

// Instants are kept to the microsecond, as the booking index is.
absl::Time ToMicros(absl::Time time) {
  return absl::FromUnixMicros(absl::ToUnixMicros(time));
}

absl::Status CheckPhotos(
    const google::protobuf::RepeatedPtrField<common::v1::Attachment>& photos) {
  if (photos.size() > kMaxPhotos) {
    return InvalidField("photos",
                        absl::StrCat("has more than ", kMaxPhotos, " photos"));
  }
  absl::flat_hash_set<absl::string_view> seen;
  for (int i = 0; i < photos.size(); ++i) {
    const std::string path = absl::StrCat("photos[", i, "]");
    RETURN_IF_ERROR(CheckAttachment(path, photos[i]));
    if (!seen.insert(photos[i].sha256()).second) {
      return InvalidField(absl::StrCat(path, ".sha256"), "is there twice");
    }
  }
  return absl::OkStatus();
}

// What the work costs: labour and parts (DSP-40).
absl::StatusOr<int64_t> SumOfWork(const v1::CompleteWorkOrderRequest& request,
                                  absl::string_view currency) {
  int64_t sum = 0;
  if (request.has_labour()) {
    RETURN_IF_ERROR(CheckMoney("labour", request.labour(), currency));
    sum = request.labour().minor_units();
  }
  if (request.parts_size() > kMaxParts) {
    return InvalidField("parts",
                        absl::StrCat("has more than ", kMaxParts, " parts"));
  }
  for (int i = 0; i < request.parts_size(); ++i) {
    const Order::Part& part = request.parts(i);
    const std::string path = absl::StrCat("parts[", i, "]");
    RETURN_IF_ERROR(
        CheckText(absl::StrCat(path, ".part"), part.part(), kMaxShortText));
    RETURN_IF_ERROR(CheckRange(absl::StrCat(path, ".quantity"), part.quantity(),
                               1, kMaxQuantity));
    RETURN_IF_ERROR(CheckMoney(absl::StrCat(path, ".unit_price"),
                               part.unit_price(), currency));
    // At most 10^5 times 10^13 beside a sum of 10^13: no overflow.
    sum += part.quantity() * part.unit_price().minor_units();
    if (sum > kMaxAmount) {
      return InvalidField(path, "brings the sum above ten trillion");
    }
  }
  return sum;
}

// The order of a case whose own id another case's order has.
std::string OtherName(absl::string_view territory,
                      absl::string_view case_name) {
  return absl::StrCat(territory, "/workOrders/", IdFrom(case_name));
}

}  // namespace

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::CreateWorkOrderRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", kTerritoryPattern, request.parent()));
  RETURN_IF_ERROR(CheckId("work_order_id", request.work_order_id()));
  const auto of_company = [&](absl::string_view field, absl::string_view name,
                              absl::string_view pattern) -> absl::Status {
    if (name.empty()) return absl::OkStatus();
    RETURN_IF_ERROR(CheckName(field, pattern, name));
    if (CompanyOf(name) != CompanyOf(request.parent())) {
      return InvalidField(field, "belongs to another company");
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(
      of_company("case", request.case_(), "companies/*/customers/*/cases/*"));
  RETURN_IF_ERROR(
      of_company("customer", request.customer(), "companies/*/customers/*"));
  RETURN_IF_ERROR(
      of_company("asset", request.asset(), "companies/*/customers/*/assets/*"));
  const std::string customer = request.customer().empty()
                                   ? std::string(BoundaryOf(request.case_()))
                                   : request.customer();
  for (const auto& [field, name] :
       {std::pair("case", request.case_()), {"asset", request.asset()}}) {
    if (!name.empty() && !customer.empty() && BoundaryOf(name) != customer) {
      return InvalidField(field, "belongs to another customer");
    }
  }
  const std::string priority =
      request.priority().empty() ? "normal" : request.priority();
  if (priority != "low" && priority != "normal" && priority != "high" &&
      priority != "urgent") {
    return InvalidField("priority", "must be low, normal, high or urgent");
  }
  RETURN_IF_ERROR(
      CheckOptionalText("product_line", request.product_line(), kMaxShortText));
  RETURN_IF_ERROR(
      CheckOptionalText("description", request.description(), kMaxLongText));
  RETURN_IF_ERROR(
      CheckSkills("required_skills", request.required_skills(), context));
  RETURN_IF_ERROR(CheckTerritory(request.parent(), context));
  const auto* line = context.policy->FindProductLine(request.product_line());
  if (line == nullptr && !request.product_line().empty()) {
    return Refuse(v1::REASON_PRODUCT_LINE_UNKNOWN,
                  "the handbook names no such product line",
                  {{"product_line", request.product_line()}});
  }

  std::string name =
      absl::StrCat(request.parent(), "/workOrders/", request.work_order_id());
  const Order* taken = rows.Find(kWorkOrders, name);
  if (taken != nullptr && context.actor == "system" &&
      taken->case_() != request.case_()) {
    // Two customers' cases may have the same id; neither repair may be lost.
    name = OtherName(request.parent(), request.case_());
    taken = rows.Find(kWorkOrders, name);
  }
  if (taken != nullptr) return AlreadyExists(name);

  Drafts drafts;
  v1::DispatchEvent event;
  Order& order = *event.mutable_work_order_created()->mutable_work_order();
  order.set_name(name);
  *order.mutable_create_time() = ToProto(context.occur_time);
  *order.mutable_open_time() = ToProto(context.occur_time);
  *order.mutable_step_time() = ToProto(context.occur_time);
  order.set_state(Order::UNASSIGNED);
  order.set_case_(request.case_());
  order.set_customer(customer);
  order.set_asset(request.asset());
  order.set_product_line(request.product_line());
  order.set_priority(priority);
  order.set_description(request.description());
  order.set_in_warranty(request.in_warranty());
  if (line != nullptr)
    *order.mutable_required_skills() = line->required_skills();
  for (const std::string& skill : request.required_skills()) {
    if (std::find(order.required_skills().begin(),
                  order.required_skills().end(),
                  skill) == order.required_skills().end()) {
      order.add_required_skills(skill);
    }
  }
  for (absl::string_view kind : {kOnSite, kRepair}) {
    const auto* target = context.policy->FindTarget(
        context.policy->handbook().dispatch().clocks(), kind, "repair",
        priority);
    if (target == nullptr) continue;
    *order.add_clocks() = calendar::StartClock(
        *target, context.policy->FindCalendar(target->calendar()),
        context.policy->version(), context.occur_time, context.record_time,
        Grace(context));
  }
  const Order created = order;
  Append(drafts, name, std::move(event));
  if (request.assign_automatically()) {
    Append(drafts, name,
           Automatic(created, ChooseTechnician(rows, context, created,
                                               context.occur_time,
                                               VisitDuration(context))));
  }
  return drafts;
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::AssignWorkOrderRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  absl::Duration duration = VisitDuration(context);
  if (request.has_duration()) {
    RETURN_IF_ERROR(CheckDuration("duration", request.duration()));
    duration = FromProto(request.duration());
  }
  if (request.has_start_time()) {
    RETURN_IF_ERROR(CheckTime("start_time", request.start_time()));
  }
  if (request.automatic()) {
    if (!request.technician().empty()) {
      return InvalidField("technician", "must be empty with automatic");
    }
    if (request.locked()) {
      return InvalidField("locked", "needs a named technician");
    }
  } else {
    RETURN_IF_ERROR(
        CheckName("technician", kTechnicianPattern, request.technician()));
    if (BoundaryOf(request.technician()) != BoundaryOf(order->name())) {
      return InvalidField("technician", "belongs to another territory");
    }
    if (!request.has_start_time()) {
      return InvalidField("start_time", "is missing");
    }
  }
  RETURN_IF_ERROR(CheckStep(
      *order, context,
      {Order::UNASSIGNED, Order::ASSIGNED, Order::ACCEPTED, Order::STARTED}));

  if (request.automatic()) {
    if (order->locked()) {
      return Refuse(v1::REASON_WORK_ORDER_LOCKED,
                    "the booking was fixed by hand", {{"name", order->name()}});
    }
    const absl::Time from =
        request.has_start_time()
            ? std::max(FromProto(request.start_time()), context.occur_time)
            : context.occur_time;
    const Assignment found =
        ChooseTechnician(rows, context, *order, from, duration);
    if (found.technician == nullptr) {
      return Refuse(v1::REASON_NO_TECHNICIAN_AVAILABLE,
                    absl::StrCat("no technician: ", found.explanation),
                    {{"name", order->name()},
                     {"technicians", absl::StrCat(found.funnel.technicians())},
                     {"inactive", absl::StrCat(found.funnel.inactive())},
                     {"unskilled", absl::StrCat(found.funnel.unskilled())},
                     {"declined", absl::StrCat(found.funnel.declined())},
                     {"no_time", absl::StrCat(found.funnel.no_time())}});
    }
    return One(order->name(), Automatic(*order, found));
  }

  const v1::Technician* technician =
      rows.Find(kTechnicians, request.technician());
  if (technician == nullptr) return NotFound(request.technician());
  const absl::Time start = ToMicros(FromProto(request.start_time()));
  const Stretch wanted{start, start + duration};
  RETURN_IF_ERROR(CheckBooking(rows, context, *technician, *order, wanted));
  v1::DispatchEvent event = Assigned(*order, *technician, wanted);
  auto& fact = *event.mutable_work_order_assigned();
  fact.set_locked(request.locked());
  fact.set_explanation(absl::StrCat("chosen by ", context.actor));
  return One(order->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::RescheduleWorkOrderRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  RETURN_IF_ERROR(CheckTime("start_time", request.start_time()));
  RETURN_IF_ERROR(CheckStep(
      *order, context, {Order::ASSIGNED, Order::ACCEPTED, Order::STARTED}));
  const v1::Technician* technician =
      rows.Find(kTechnicians, order->technician());
  if (technician == nullptr) return NotFound(order->technician());
  const Stretch old = StretchOf(order->booking());
  const absl::Time start = ToMicros(FromProto(request.start_time()));
  const Stretch wanted{start, start + (old.end - old.start)};
  RETURN_IF_ERROR(CheckBooking(rows, context, *technician, *order, wanted));
  v1::DispatchEvent event = Assigned(*order, *technician, wanted);
  auto& fact = *event.mutable_work_order_assigned();
  fact.set_locked(order->locked());
  fact.set_explanation(absl::StrCat("moved from ", FormatRfc3339(old.start),
                                    " by ", context.actor));
  return One(order->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::AcceptWorkOrderRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  RETURN_IF_ERROR(CheckStep(*order, context, {Order::ASSIGNED}));
  RETURN_IF_ERROR(CheckSpeaker(*order, context));
  v1::DispatchEvent event;
  auto& fact = *event.mutable_work_order_accepted();
  fact.set_name(order->name());
  fact.set_person(order->person());
  return One(order->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::DeclineWorkOrderRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  // DSP-28: a refusal is on record with its reason.
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxLongText));
  RETURN_IF_ERROR(
      CheckStep(*order, context, {Order::ASSIGNED, Order::ACCEPTED}));
  RETURN_IF_ERROR(CheckSpeaker(*order, context));
  v1::DispatchEvent event;
  auto& fact = *event.mutable_work_order_declined();
  fact.set_name(order->name());
  fact.set_technician(order->technician());
  fact.set_person(order->person());
  fact.set_reason(request.reason());
  return One(order->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::StartTravelRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  RETURN_IF_ERROR(CheckStep(*order, context, {Order::ACCEPTED}));
  RETURN_IF_ERROR(CheckSpeaker(*order, context));
  v1::DispatchEvent event;
  auto& fact = *event.mutable_travel_started();
  fact.set_name(order->name());
  fact.set_person(order->person());
  return One(order->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::ArriveAtSiteRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  RETURN_IF_ERROR(CheckStep(*order, context, {Order::STARTED}));
  RETURN_IF_ERROR(CheckSpeaker(*order, context));
  v1::DispatchEvent event;
  auto& fact = *event.mutable_visit_arrived();
  fact.set_name(order->name());
  fact.set_case_(order->case_());
  fact.set_technician(order->technician());
  fact.set_person(order->person());
  fact.set_visit(order->visits() + 1);
  *fact.mutable_clocks() =
      ChangedClocks(*order, context, kOnSite, calendar::StopClock);
  return One(order->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::CompleteWorkOrderRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  // DSP-26: no repair without a report.
  RETURN_IF_ERROR(CheckText("report", request.report(), kMaxLongText));
  const std::string& currency = context.policy->handbook().currency_code();
  ASSIGN_OR_RETURN(const int64_t sum, SumOfWork(request, currency));
  const int64_t fee = request.free_of_charge() ? 0 : sum;
  if (request.has_fee()) {
    RETURN_IF_ERROR(CheckMoney("fee", request.fee(), currency));
    if (request.fee().minor_units() != fee) {
      return Refuse(v1::REASON_FEE_DOES_NOT_ADD_UP,
                    "the fee is not what labour and parts add up to (DSP-40)",
                    {{"fee", absl::StrCat(request.fee().minor_units())},
                     {"expected", absl::StrCat(fee)},
                     {"currency", currency}});
    }
  }
  RETURN_IF_ERROR(CheckPhotos(request.photos()));
  RETURN_IF_ERROR(CheckStep(*order, context, {Order::ON_SITE}));
  RETURN_IF_ERROR(CheckSpeaker(*order, context));
  v1::DispatchEvent event;
  auto& fact = *event.mutable_work_order_completed();
  fact.set_name(order->name());
  fact.set_case_(order->case_());
  fact.set_technician(order->technician());
  fact.set_person(order->person());
  fact.set_report(request.report());
  *fact.mutable_parts() = request.parts();
  fact.mutable_labour()->set_currency_code(currency);
  fact.mutable_labour()->set_minor_units(request.labour().minor_units());
  fact.mutable_fee()->set_currency_code(currency);
  fact.mutable_fee()->set_minor_units(fee);
  fact.set_free_of_charge(request.free_of_charge());
  *fact.mutable_photos() = request.photos();
  fact.set_first_visit_fix(order->visits() == 1);
  *fact.mutable_clocks() =
      ChangedClocks(*order, context, "", calendar::StopClock);
  return One(order->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::CannotCompleteWorkOrderRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxLongText));
  RETURN_IF_ERROR(CheckStep(*order, context, {Order::STARTED, Order::ON_SITE}));
  RETURN_IF_ERROR(CheckSpeaker(*order, context));
  v1::DispatchEvent event;
  auto& fact = *event.mutable_work_order_cannot_complete();
  fact.set_name(order->name());
  fact.set_case_(order->case_());
  fact.set_technician(order->technician());
  fact.set_person(order->person());
  fact.set_reason(request.reason());
  fact.set_needs_reschedule(request.needs_reschedule());
  // The customer still waits when another visit follows.
  if (!request.needs_reschedule()) {
    *fact.mutable_clocks() =
        ChangedClocks(*order, context, "", calendar::CancelClock);
  }
  return One(order->name(), std::move(event));
}

DispatchDecision Decide(const RowReader& rows, const CommandContext& context,
                        const v1::CancelWorkOrderRequest& request) {
  ASSIGN_OR_RETURN(const Order* order, FindOrder(rows, request));
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxLongText));
  if (!request.case_().empty() && request.case_() != order->case_()) {
    const std::string other =
        OtherName(BoundaryOf(order->name()), request.case_());
    order = rows.Find(kWorkOrders, other);
    if (order == nullptr) return NotFound(other);
  }
  // A closed case ends an order that is open and leaves others as they are.
  if (context.actor == "system" && IsFinished(*order)) return Drafts();
  RETURN_IF_ERROR(CheckStep(*order, context,
                            {Order::UNASSIGNED, Order::ASSIGNED,
                             Order::ACCEPTED, Order::STARTED, Order::ON_SITE}));
  v1::DispatchEvent event;
  auto& fact = *event.mutable_work_order_cancelled();
  fact.set_name(order->name());
  fact.set_case_(order->case_());
  fact.set_reason(request.reason());
  *fact.mutable_clocks() =
      ChangedClocks(*order, context, "", calendar::CancelClock);
  return One(order->name(), std::move(event));
}

DispatchDecision DecideTimer(const RowReader& rows,
                             const CommandContext& context,
                             absl::string_view name) {
  Drafts drafts;
  const Order* order = rows.Find(kWorkOrders, name);
  if (order == nullptr) return drafts;
  for (const SlaClock& clock : order->clocks()) {
    if (!clock.has_check_time() ||
        FromProto(clock.check_time()) > context.record_time) {
      continue;
    }
    SlaClock now = calendar::CheckClock(clock, context.record_time);
    if (!now.breached() || clock.breached()) continue;
    v1::DispatchEvent event;
    auto& fact = *event.mutable_clock_breached();
    fact.set_name(order->name());
    *fact.mutable_clock() = std::move(now);
    fact.set_responsible(order->person());
    Append(drafts, name, std::move(event));
  }
  return drafts;
}

}  // namespace aftercare::dispatch
