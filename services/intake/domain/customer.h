// Decisions about customers and the units sold to them.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CUSTOMER_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CUSTOMER_H_

#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::intake {

Decision<v1::IntakeEvent> Decide(const RowReader& rows,
                                 const CommandContext& context,
                                 const v1::RegisterCustomerRequest& request);
Decision<v1::IntakeEvent> Decide(const RowReader& rows,
                                 const CommandContext& context,
                                 const v1::UpdateCustomerRequest& request);
Decision<v1::IntakeEvent> Decide(const RowReader& rows,
                                 const CommandContext& context,
                                 const v1::RegisterAssetRequest& request);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CUSTOMER_H_
