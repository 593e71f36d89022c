#ifndef AFTERCARE_SERVICES_DISPATCH_DOMAIN_TABLES_H_
#define AFTERCARE_SERVICES_DISPATCH_DOMAIN_TABLES_H_

#include "aftercare/dispatch/v1/resources.pb.h"
#include "libs/base/rows.h"

namespace aftercare::dispatch {

inline constexpr Table<v1::Technician> kTechnicians{"technician"};
inline constexpr Table<v1::WorkOrder> kWorkOrders{"work_order"};

// Indexes that decisions read; keys in booking.h.
inline constexpr absl::string_view kTechnicianByPerson = "technician_by_person";
inline constexpr absl::string_view kBookingByEnd = "booking_by_end";
inline constexpr absl::string_view kOpenByDueTime = "open_by_due_time";

// Indexes that queries read; keys in views.cc.
inline constexpr absl::string_view kVisitByStart = "visit_by_start";
inline constexpr absl::string_view kOrderByOpenTime = "order_by_open_time";

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_DOMAIN_TABLES_H_
