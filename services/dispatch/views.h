// How technicians and orders are found: index keys, timers and queries.

#ifndef AFTERCARE_SERVICES_DISPATCH_VIEWS_H_
#define AFTERCARE_SERVICES_DISPATCH_VIEWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "libs/shard/service.h"

namespace aftercare::dispatch {

// Index kVisitByStart: every order that has a technician, by planned start.
std::vector<std::string> VisitKeys(const v1::WorkOrder& order);
// Index kOrderByOpenTime: all orders, under the company and the territory.
std::vector<std::string> OpenTimeKeys(const v1::WorkOrder& order);
std::vector<absl::Time> OrderTimers(const v1::WorkOrder& order);

absl::StatusOr<v1::Technician> GetTechnician(
    const shard::QueryContext& context,
    const v1::GetTechnicianRequest& request);
absl::StatusOr<v1::ListTechniciansResponse> ListTechnicians(
    const shard::QueryContext& context,
    const v1::ListTechniciansRequest& request);
absl::StatusOr<v1::WorkOrder> GetWorkOrder(
    const shard::QueryContext& context, const v1::GetWorkOrderRequest& request);
absl::StatusOr<v1::ListWorkOrdersResponse> ListWorkOrders(
    const shard::QueryContext& context,
    const v1::ListWorkOrdersRequest& request);
absl::StatusOr<v1::DayList> GetDayList(const shard::QueryContext& context,
                                       const v1::GetDayListRequest& request);
absl::StatusOr<v1::WorkOrderSummary> SummarizeWorkOrders(
    const shard::QueryContext& context,
    const v1::SummarizeWorkOrdersRequest& request);

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_VIEWS_H_
