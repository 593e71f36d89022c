// Decisions about how cases of one customer hang together (CASE-16).

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_LINKS_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_LINKS_H_

#include <string>

#include "aftercare/intake/v1/cases.pb.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"
#include "services/intake/domain/case_common.h"

namespace aftercare::intake {

// The case in which `c` goes on: itself, or the one at the end of its merges.
const v1::Case& Survivor(const RowReader& rows, const v1::Case& c);

// The facts of a case that opens and is `relation` to `other`, a case that
// exists; with an empty `other`, to none.
Drafts Opened(const CommandContext& context, v1::Case c,
              const std::string& other, v1::Case::Link::Relation relation);

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::LinkCasesRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::MergeCaseRequest& request);
CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::SplitCaseRequest& request);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_LINKS_H_
