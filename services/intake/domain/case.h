// Decisions about cases: from the first contact to the follow-up call.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_H_

#include "absl/strings/string_view.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::intake {

using CaseDecision = Decision<v1::IntakeEvent>;

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::OpenCaseRequest& request);
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
