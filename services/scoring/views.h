// Index keys and queries of the scoring service.

#ifndef AFTERCARE_SERVICES_SCORING_VIEWS_H_
#define AFTERCARE_SERVICES_SCORING_VIEWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "libs/shard/service.h"

namespace aftercare::scoring {

// Keys: see domain/tables.h.
std::vector<std::string> PeriodKeys(const v1::Fact& fact);
std::vector<std::string> SourceKeys(const v1::Fact& fact);
std::vector<std::string> ScoreKeys(const v1::Appraisal& appraisal);

absl::StatusOr<v1::StaffMember> GetStaff(const shard::QueryContext& context,
                                         const v1::GetStaffRequest& request);
absl::StatusOr<v1::ListStaffResponse> ListStaff(
    const shard::QueryContext& context, const v1::ListStaffRequest& request);
absl::StatusOr<v1::Fact> GetFact(const shard::QueryContext& context,
                                 const v1::GetFactRequest& request);
absl::StatusOr<v1::ListFactsResponse> ListFacts(
    const shard::QueryContext& context, const v1::ListFactsRequest& request);

// By the handbook in force now.
absl::StatusOr<v1::Score> GetScore(const shard::QueryContext& context,
                                   const v1::GetScoreRequest& request);
absl::StatusOr<v1::Appraisal> GetAppraisal(
    const shard::QueryContext& context, const v1::GetAppraisalRequest& request);
absl::StatusOr<v1::ListAppraisalsResponse> ListAppraisals(
    const shard::QueryContext& context,
    const v1::ListAppraisalsRequest& request);
absl::StatusOr<v1::ExplainAppraisalResponse> ExplainAppraisal(
    const shard::QueryContext& context,
    const v1::ExplainAppraisalRequest& request);

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_VIEWS_H_
