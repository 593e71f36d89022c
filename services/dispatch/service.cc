#include "services/dispatch/service.h"

#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/dispatch/v1/events.pb.h"
#include "libs/shard/history.h"
#include "services/dispatch/domain/booking.h"
#include "services/dispatch/domain/evolve.h"
#include "services/dispatch/domain/tables.h"
#include "services/dispatch/domain/technician.h"
#include "services/dispatch/domain/work_order.h"
#include "services/dispatch/views.h"

namespace aftercare::dispatch {

using v1::DispatchEvent;

shard::Service MakeDispatchService() {
  shard::Service s(
      "dispatch",
      v1::CreateWorkOrderRequest::descriptor()->file()->FindServiceByName(
          "DispatchService"));
  s.schema()
      .AddTable(kTechnicians)
      .AddTable(kWorkOrders)
      .AddIndex<v1::Technician>(kTechnicians, kTechnicianByPerson, PersonKeys)
      .AddIndex<v1::WorkOrder>(kWorkOrders, kBookingByEnd, BookingKeys)
      .AddIndex<v1::WorkOrder>(kWorkOrders, kOpenByDueTime, OpenKeys)
      .AddIndex<v1::WorkOrder>(kWorkOrders, kVisitByStart, VisitKeys)
      .AddIndex<v1::WorkOrder>(kWorkOrders, kOrderByOpenTime, OpenTimeKeys)
      .AddTimer<v1::WorkOrder>(kWorkOrders, OrderTimers);
  s.SetEvolve<DispatchEvent>(Evolve);
  s.SetTimer<DispatchEvent>(DecideTimer);

  s.AddCommand<v1::RegisterTechnicianRequest, DispatchEvent>(
      "RegisterTechnician", Decide);
  s.AddCommand<v1::UpdateTechnicianRequest, DispatchEvent>("UpdateTechnician",
                                                           Decide);
  s.AddCommand<v1::SetLeaveRequest, DispatchEvent>("SetLeave", Decide);
  s.AddCommand<v1::CreateWorkOrderRequest, DispatchEvent>("CreateWorkOrder",
                                                          Decide);
  s.AddCommand<v1::AssignWorkOrderRequest, DispatchEvent>("AssignWorkOrder",
                                                          Decide);
  s.AddCommand<v1::AcceptWorkOrderRequest, DispatchEvent>("AcceptWorkOrder",
                                                          Decide);
  s.AddCommand<v1::DeclineWorkOrderRequest, DispatchEvent>("DeclineWorkOrder",
                                                           Decide);
  s.AddCommand<v1::StartTravelRequest, DispatchEvent>("StartTravel", Decide);
  s.AddCommand<v1::ArriveAtSiteRequest, DispatchEvent>("ArriveAtSite", Decide);
  s.AddCommand<v1::CompleteWorkOrderRequest, DispatchEvent>("CompleteWorkOrder",
                                                            Decide);
  s.AddCommand<v1::CannotCompleteWorkOrderRequest, DispatchEvent>(
      "CannotCompleteWorkOrder", Decide);
  s.AddCommand<v1::RescheduleWorkOrderRequest, DispatchEvent>(
      "RescheduleWorkOrder", Decide);
  s.AddCommand<v1::CancelWorkOrderRequest, DispatchEvent>("CancelWorkOrder",
                                                          Decide);

  s.AddQuery<v1::GetTechnicianRequest, v1::Technician>("GetTechnician",
                                                       GetTechnician);
  s.AddQuery<v1::ListTechniciansRequest, v1::ListTechniciansResponse>(
      "ListTechnicians", ListTechnicians);
  s.AddQuery<v1::GetWorkOrderRequest, v1::WorkOrder>("GetWorkOrder",
                                                     GetWorkOrder);
  s.AddQuery<v1::ListWorkOrdersRequest, v1::ListWorkOrdersResponse>(
      "ListWorkOrders", ListWorkOrders);
  s.AddQuery<v1::GetDayListRequest, v1::DayList>("GetDayList", GetDayList);
  s.AddQuery<common::v1::GetHistoryRequest, common::v1::GetHistoryResponse>(
      "GetWorkOrderHistory", shard::GetHistory<DispatchEvent>);
  s.AddQuery<v1::SummarizeWorkOrdersRequest, v1::WorkOrderSummary>(
      "SummarizeWorkOrders", SummarizeWorkOrders);
  return s;
}

}  // namespace aftercare::dispatch
