// Decisions about what a case says: it comes in, is completed, and is accepted
// or rejected.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_RECORD_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_RECORD_H_

#include "absl/status/statusor.h"
#include "aftercare/intake/v1/cases.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"
#include "services/intake/domain/case_common.h"

namespace aftercare::intake {

// The case a request opens, with everything but its links.
absl::StatusOr<v1::Case> NewCase(const RowReader& rows,
                                 const CommandContext& context,
                                 const v1::OpenCaseRequest& request);

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::OpenCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::AmendCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::AcceptCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::RejectCaseRequest& request);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_RECORD_H_
