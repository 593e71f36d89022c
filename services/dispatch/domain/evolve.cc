#include "services/dispatch/domain/evolve.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "libs/base/time.h"
#include "services/dispatch/domain/booking.h"
#include "services/dispatch/domain/tables.h"

namespace aftercare::dispatch {
namespace {

template <typename Resource>
void Stamp(Resource& resource, const EventMeta& meta) {
  *resource.mutable_update_time() = ToProto(meta.occur_time);
  resource.set_etag(absl::StrCat(meta.revision));
}

v1::WorkOrder& EditOrder(RowEditor& rows, const EventMeta& meta) {
  v1::WorkOrder& order = rows.Edit(kWorkOrders, meta.subject);
  Stamp(order, meta);
  return order;
}

// An order that takes a step.
v1::WorkOrder& StepTo(v1::WorkOrder::State state, RowEditor& rows,
                      const EventMeta& meta) {
  v1::WorkOrder& order = EditOrder(rows, meta);
  order.set_state(state);
  *order.mutable_step_time() = ToProto(meta.occur_time);
  return order;
}

template <typename Clocks>
void PutClocks(v1::WorkOrder& order, const Clocks& changed) {
  for (const auto& clock : changed) {
    for (auto& mine : *order.mutable_clocks()) {
      if (mine.kind() == clock.kind()) mine = clock;
    }
  }
}

// The technician is free again.
void Release(v1::WorkOrder& order) {
  order.clear_technician();
  order.clear_person();
  order.clear_booking();
  order.clear_locked();
  order.clear_arrive_time();
}

// A visit that ends before its planned time gives back the rest.
void EndVisit(v1::WorkOrder& order, absl::Time at) {
  Stretch booking = StretchOf(order.booking());
  booking.end = std::max(booking.start, std::min(booking.end, at));
  *order.mutable_booking() = ToInterval(booking);
}

}  // namespace

void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::DispatchEvent& event) {
  switch (event.fact_case()) {
    case v1::DispatchEvent::kPlatform:
    case v1::DispatchEvent::FACT_NOT_SET:
      return;
    case v1::DispatchEvent::kTechnicianRegistered: {
      v1::Technician& technician = rows.Edit(kTechnicians, meta.subject);
      technician = event.technician_registered().technician();
      Stamp(technician, meta);
      return;
    }
    case v1::DispatchEvent::kTechnicianUpdated: {
      v1::Technician& technician = rows.Edit(kTechnicians, meta.subject);
      technician = event.technician_updated().technician();
      Stamp(technician, meta);
      return;
    }
    case v1::DispatchEvent::kLeaveSet: {
      v1::Technician& technician = rows.Edit(kTechnicians, meta.subject);
      *technician.mutable_leave() = event.leave_set().leave();
      Stamp(technician, meta);
      return;
    }
    case v1::DispatchEvent::kWorkOrderCreated: {
      v1::WorkOrder& order = rows.Edit(kWorkOrders, meta.subject);
      order = event.work_order_created().work_order();
      Stamp(order, meta);
      return;
    }
    case v1::DispatchEvent::kWorkOrderAssigned: {
      const auto& fact = event.work_order_assigned();
      v1::WorkOrder& order = StepTo(v1::WorkOrder::ASSIGNED, rows, meta);
      order.set_technician(fact.technician());
      order.set_person(fact.person());
      *order.mutable_booking() = fact.booking();
      order.set_locked(fact.locked());
      order.clear_problem();
      return;
    }
    case v1::DispatchEvent::kAssignmentFailed: {
      EditOrder(rows, meta)
          .set_problem(event.assignment_failed().explanation());
      return;
    }
    case v1::DispatchEvent::kWorkOrderAccepted: {
      StepTo(v1::WorkOrder::ACCEPTED, rows, meta);
      return;
    }
    case v1::DispatchEvent::kWorkOrderDeclined: {
      const auto& fact = event.work_order_declined();
      v1::WorkOrder& order = StepTo(v1::WorkOrder::UNASSIGNED, rows, meta);
      order.add_declined_by(fact.technician());
      order.set_problem(fact.reason());
      Release(order);
      return;
    }
    case v1::DispatchEvent::kTravelStarted: {
      StepTo(v1::WorkOrder::STARTED, rows, meta);
      return;
    }
    case v1::DispatchEvent::kVisitArrived: {
      const auto& fact = event.visit_arrived();
      v1::WorkOrder& order = StepTo(v1::WorkOrder::ON_SITE, rows, meta);
      order.set_visits(fact.visit());
      *order.mutable_arrive_time() = ToProto(meta.occur_time);
      PutClocks(order, fact.clocks());
      return;
    }
    case v1::DispatchEvent::kWorkOrderCompleted: {
      const auto& fact = event.work_order_completed();
      v1::WorkOrder& order = StepTo(v1::WorkOrder::COMPLETED, rows, meta);
      *order.mutable_complete_time() = ToProto(meta.occur_time);
      order.set_report(fact.report());
      *order.mutable_parts() = fact.parts();
      *order.mutable_labour() = fact.labour();
      *order.mutable_fee() = fact.fee();
      *order.mutable_photos() = fact.photos();
      order.set_free_of_charge(fact.free_of_charge());
      PutClocks(order, fact.clocks());
      EndVisit(order, meta.occur_time);
      return;
    }
    case v1::DispatchEvent::kWorkOrderCannotComplete: {
      const auto& fact = event.work_order_cannot_complete();
      v1::WorkOrder& order =
          StepTo(fact.needs_reschedule() ? v1::WorkOrder::UNASSIGNED
                                         : v1::WorkOrder::CANNOT_COMPLETE,
                 rows, meta);
      order.set_problem(fact.reason());
      PutClocks(order, fact.clocks());
      if (fact.needs_reschedule()) {
        Release(order);
      } else {
        EndVisit(order, meta.occur_time);
      }
      return;
    }
    case v1::DispatchEvent::kWorkOrderCancelled: {
      const auto& fact = event.work_order_cancelled();
      v1::WorkOrder& order = StepTo(v1::WorkOrder::CANCELLED, rows, meta);
      order.set_problem(fact.reason());
      PutClocks(order, fact.clocks());
      Release(order);
      return;
    }
    case v1::DispatchEvent::kClockBreached: {
      v1::WorkOrder& order = EditOrder(rows, meta);
      PutClocks(order, google::protobuf::RepeatedPtrField<common::v1::SlaClock>(
                           &event.clock_breached().clock(),
                           &event.clock_breached().clock() + 1));
      return;
    }
  }
}

}  // namespace aftercare::dispatch
