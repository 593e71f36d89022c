// What a fact makes of a case: one Apply per fact. Evolve uses it on rows; a
// decision whose later facts depend on its earlier ones, on a copy.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_STATE_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_STATE_H_

#include "absl/time/time.h"
#include "aftercare/intake/v1/cases.pb.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/resources.pb.h"

namespace aftercare::intake {

// `time` is when the fact occurred. Update time and etag are Evolve's.
void Apply(v1::Case& c, absl::Time time, const v1::CaseOpened& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseReplied& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CasePaused& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseResumed& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseResolved& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseReopened& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseClosed& fact);
void Apply(v1::Case& c, absl::Time time, const v1::FollowUpRecorded& fact);
void Apply(v1::Case& c, absl::Time time, const v1::FollowUpMissed& fact);
void Apply(v1::Case& c, absl::Time time,
           const v1::RepairProgressRecorded& fact);
void Apply(v1::Case& c, absl::Time time, const v1::ClockBreached& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseAmended& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseAccepted& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseRejected& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseTransferred& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CoHandlersChanged& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CasesLinked& fact);
void Apply(v1::Case& c, absl::Time time, const v1::CaseMerged& fact);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_STATE_H_
