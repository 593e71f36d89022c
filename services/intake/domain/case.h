// Decisions about the work on a case: from the first reply to the follow-up
// call.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_H_

#include "absl/strings/string_view.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"
#include "services/intake/domain/case_common.h"

namespace aftercare::intake {

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::ReplyToCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::PauseCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::ResumeCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::ResolveCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::ReopenCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::CloseCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::RecordFollowUpRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::RecordRepairProgressRequest& request);

// Settles what is due on a case: breached clocks, a missed follow-up.
CaseDecision DecideTimer(const RowReader& rows, const CommandContext& context,
                         absl::string_view name);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_H_
