// Decisions about who works on a case (INT-04, INT-28, INT-57).

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_OWNER_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_OWNER_H_

#include "absl/status/status.h"
#include "aftercare/intake/v1/cases.pb.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"
#include "services/intake/domain/case_common.h"

namespace aftercare::intake {

// The desk acts on every case. Other departments' people act on cases they own
// or help with and on those of their department. NOT_THE_HANDLER.
absl::Status CheckHandler(const CommandContext& context, const v1::Case& c);

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::TransferCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::AddCoHandlerRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::RemoveCoHandlerRequest& request);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_OWNER_H_
