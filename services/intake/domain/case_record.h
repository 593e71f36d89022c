// Decisions about what a case says: it comes in and is put on record.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_RECORD_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_RECORD_H_

#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"
#include "services/intake/domain/case_common.h"

namespace aftercare::intake {

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::OpenCaseRequest& request);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_RECORD_H_
