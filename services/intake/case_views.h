// How cases are found: index keys, timers and queries.

#ifndef AFTERCARE_SERVICES_INTAKE_CASE_VIEWS_H_
#define AFTERCARE_SERVICES_INTAKE_CASE_VIEWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/shard/service.h"

namespace aftercare::intake {

std::vector<std::string> OpenTimeKeys(const v1::Case& c);
// The case under the earliest due time of its running clocks; none runs: none.
std::vector<std::string> DueTimeKeys(const v1::Case& c);
std::vector<absl::Time> CaseTimers(const v1::Case& c);

absl::StatusOr<v1::Case> GetCase(const shard::QueryContext& context,
                                 const v1::GetCaseRequest& request);
absl::StatusOr<v1::FilledForm> GetForm(const shard::QueryContext& context,
                                       const v1::GetFormRequest& request);
absl::StatusOr<v1::ListCasesResponse> ListCases(
    const shard::QueryContext& context, const v1::ListCasesRequest& request);
absl::StatusOr<v1::CaseSummary> SummarizeCases(
    const shard::QueryContext& context,
    const v1::SummarizeCasesRequest& request);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_CASE_VIEWS_H_
