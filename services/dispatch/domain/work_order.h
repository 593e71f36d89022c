// Decisions about work orders: from the request to the finished visit.
//
//   UNASSIGNED -> ASSIGNED -> ACCEPTED -> STARTED -> ON_SITE -> COMPLETED
//
// with ways back to UNASSIGNED (declined; another visit needed) and ASSIGNED
// (moved), and two other ends: CANNOT_COMPLETE and CANCELLED.

#ifndef AFTERCARE_SERVICES_DISPATCH_DOMAIN_WORK_ORDER_H_
#define AFTERCARE_SERVICES_DISPATCH_DOMAIN_WORK_ORDER_H_

#include "absl/strings/string_view.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/dispatch/v1/events.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::dispatch {

Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::CreateWorkOrderRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::AssignWorkOrderRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::AcceptWorkOrderRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::DeclineWorkOrderRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::StartTravelRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::ArriveAtSiteRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::CompleteWorkOrderRequest& request);
Decision<v1::DispatchEvent> Decide(
    const RowReader& rows, const CommandContext& context,
    const v1::CannotCompleteWorkOrderRequest& request);
Decision<v1::DispatchEvent> Decide(
    const RowReader& rows, const CommandContext& context,
    const v1::RescheduleWorkOrderRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::CancelWorkOrderRequest& request);

// Settles the order's clocks whose due time has passed.
Decision<v1::DispatchEvent> DecideTimer(const RowReader& rows,
                                        const CommandContext& context,
                                        absl::string_view name);

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_DOMAIN_WORK_ORDER_H_
