#include "services/dispatch/views.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "libs/shard/get.h"
#include "libs/shard/paging.h"
#include "services/dispatch/domain/booking.h"
#include "services/dispatch/domain/shared.h"
#include "services/dispatch/domain/tables.h"

namespace aftercare::dispatch {
namespace {

using common::v1::SlaClock;

// A territory, or `companies/*/territories/-` for all of a company's.
absl::Status CheckListParent(const std::string& parent) {
  const absl::string_view company = CompanyOf(parent);
  if (parent == absl::StrCat(company, "/territories/-")) {
    return CheckName("parent", "companies/*", company);
  }
  return CheckName("parent", kTerritoryPattern, parent);
}

// What the index keys of the parent's orders begin with.
std::string KeyName(const std::string& parent) {
  return std::string(IdOf(parent) == "-" ? CompanyOf(parent) : parent);
}

}  // namespace

std::vector<std::string> VisitKeys(const v1::WorkOrder& order) {
  if (order.technician().empty() || !order.has_booking()) return {};
  return {TimeKey(order.technician(), StretchOf(order.booking()).start)};
}

std::vector<std::string> OpenTimeKeys(const v1::WorkOrder& order) {
  const absl::Time time = FromProto(order.open_time());
  return {TimeKey(CompanyOf(order.name()), time),
          TimeKey(BoundaryOf(order.name()), time)};
}

std::vector<absl::Time> OrderTimers(const v1::WorkOrder& order) {
  std::vector<absl::Time> times;
  for (const SlaClock& clock : order.clocks()) {
    if (clock.has_check_time()) times.push_back(FromProto(clock.check_time()));
  }
  return times;
}

absl::StatusOr<v1::Technician> GetTechnician(
    const shard::QueryContext& context,
    const v1::GetTechnicianRequest& request) {
  return shard::GetRow(context, kTechnicians, kTechnicianPattern,
                       request.name());
}

absl::StatusOr<v1::ListTechniciansResponse> ListTechnicians(
    const shard::QueryContext& context,
    const v1::ListTechniciansRequest& request) {
  RETURN_IF_ERROR(CheckListParent(request.parent()));
  v1::ListTechniciansResponse response;
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::ListRows(context, shard::PageOf(request), kTechnicians,
                      shard::NamePrefix(request.parent(), "technicians"),
                      [&](const v1::Technician& technician) {
                        *response.add_technicians() = technician;
                        return true;
                      }));
  return response;
}

absl::StatusOr<v1::WorkOrder> GetWorkOrder(
    const shard::QueryContext& context,
    const v1::GetWorkOrderRequest& request) {
  return shard::GetRow(context, kWorkOrders, kWorkOrderPattern, request.name());
}

absl::StatusOr<v1::ListWorkOrdersResponse> ListWorkOrders(
    const shard::QueryContext& context,
    const v1::ListWorkOrdersRequest& request) {
  RETURN_IF_ERROR(CheckListParent(request.parent()));
  if (!v1::WorkOrder::State_IsValid(request.state())) {
    return InvalidField("state", "is no known value");
  }
  if (request.has_due_before() && !IsValid(request.due_before())) {
    return InvalidField("due_before", "is out of range");
  }
  if (!request.technician().empty()) {
    RETURN_IF_ERROR(
        CheckName("technician", kTechnicianPattern, request.technician()));
  }
  v1::WorkOrder wanted;
  wanted.set_state(request.state());
  const bool by_due_time =
      request.has_due_before() ||
      (request.technician().empty() &&
       request.state() != v1::WorkOrder::STATE_UNSPECIFIED &&
       !IsFinished(wanted));
  const std::string under = request.technician().empty()
                                ? KeyName(request.parent())
                                : request.technician();
  shard::IndexRange range;
  range.index = std::string(by_due_time                    ? kOpenByDueTime
                            : request.technician().empty() ? kOrderByOpenTime
                                                           : kVisitByStart);
  range.from = absl::StrCat(under, " ");
  range.to = request.has_due_before()
                 ? TimeKey(under, FromProto(request.due_before()))
                 : KeysEnd(under);
  const std::string territory =
      IdOf(request.parent()) == "-"
          ? absl::StrCat(CompanyOf(request.parent()), "/")
          : absl::StrCat(request.parent(), "/");
  v1::ListWorkOrdersResponse response;
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::WalkPage(
          context, shard::PageOf(request), range,
          [&](const RowReader& rows, absl::string_view id) {
            const v1::WorkOrder* order = rows.Find(kWorkOrders, id);
            if (order == nullptr || !absl::StartsWith(id, territory) ||
                (request.state() != v1::WorkOrder::STATE_UNSPECIFIED &&
                 order->state() != request.state())) {
              return false;
            }
            *response.add_work_orders() = *order;
            return true;
          }));
  return response;
}

absl::StatusOr<v1::DayList> GetDayList(const shard::QueryContext& context,
                                       const v1::GetDayListRequest& request) {
  RETURN_IF_ERROR(CheckName("name", kTechnicianPattern, request.name()));
  if (request.has_day() && !IsValid(request.day())) {
    return InvalidField("day", "is out of range");
  }
  if (context.policy == nullptr) {
    return Refuse(common::v1::REASON_HANDBOOK_MISSING,
                  "the company has no handbook, so no zone to cut days in",
                  {{"company", std::string(CompanyOf(request.name()))}});
  }
  const RowReader& rows = context.rows();
  if (rows.Find(kTechnicians, request.name()) == nullptr) {
    return NotFound(request.name());
  }
  const absl::TimeZone zone = context.policy->zone();
  const absl::CivilDay day = absl::ToCivilDay(
      request.has_day() ? FromProto(request.day()) : context.now, zone);
  v1::DayList list;
  rows.ScanIndex(kVisitByStart,
                 TimeKey(request.name(), absl::FromCivil(day, zone)),
                 TimeKey(request.name(), absl::FromCivil(day + 1, zone)),
                 [&](absl::string_view, absl::string_view id) {
                   const v1::WorkOrder* order = rows.Find(kWorkOrders, id);
                   if (order != nullptr) *list.add_visits() = *order;
                   return true;
                 });
  return list;
}

absl::StatusOr<v1::WorkOrderSummary> SummarizeWorkOrders(
    const shard::QueryContext& context,
    const v1::SummarizeWorkOrdersRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", "companies/*", request.parent()));
  v1::WorkOrderSummary summary;
  std::map<std::string, int64_t> states;
  std::map<std::string, v1::WorkOrderSummary::ClockCount> clocks;
  auto& fees = *summary.mutable_fees();
  if (context.policy != nullptr) {
    fees.set_currency_code(context.policy->handbook().currency_code());
  }
  const std::string prefix = absl::StrCat(request.parent(), "/territories/");
  for (const RowReader* rows : context.shards) {
    rows->ScanTable(
        kWorkOrders, prefix, PrefixEnd(prefix),
        [&](absl::string_view, const v1::WorkOrder& order) {
          summary.set_work_orders(summary.work_orders() + 1);
          summary.set_visits(summary.visits() + order.visits());
          ++states[absl::AsciiStrToLower(
              v1::WorkOrder::State_Name(order.state()))];
          if (order.state() == v1::WorkOrder::COMPLETED) {
            summary.set_completed(summary.completed() + 1);
            if (order.visits() == 1) {
              summary.set_first_visit_fixes(summary.first_visit_fixes() + 1);
            }
            fees.set_minor_units(fees.minor_units() +
                                 order.fee().minor_units());
          }
          for (const SlaClock& clock : order.clocks()) {
            auto& count = clocks[clock.kind()];
            count.set_kind(clock.kind());
            if (clock.breached()) {
              count.set_breached(count.breached() + 1);
            } else if (clock.state() == SlaClock::STOPPED) {
              count.set_met(count.met() + 1);
            } else if (clock.state() != SlaClock::CANCELLED) {
              count.set_running(count.running() + 1);
            }
          }
          return true;
        });
  }
  for (const auto& [label, count] : states) {
    auto* entry = summary.add_by_state();
    entry->set_label(label);
    entry->set_count(count);
  }
  for (const auto& [kind, count] : clocks) *summary.add_clocks() = count;
  return summary;
}

}  // namespace aftercare::dispatch
