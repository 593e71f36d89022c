// Decisions about technicians: who they are, what they can do, when they are
// away.

#ifndef AFTERCARE_SERVICES_DISPATCH_DOMAIN_TECHNICIAN_H_
#define AFTERCARE_SERVICES_DISPATCH_DOMAIN_TECHNICIAN_H_

#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/dispatch/v1/events.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::dispatch {

Decision<v1::DispatchEvent> Decide(
    const RowReader& rows, const CommandContext& context,
    const v1::RegisterTechnicianRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::UpdateTechnicianRequest& request);
Decision<v1::DispatchEvent> Decide(const RowReader& rows,
                                   const CommandContext& context,
                                   const v1::SetLeaveRequest& request);

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_DOMAIN_TECHNICIAN_H_
