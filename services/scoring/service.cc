#include "services/scoring/service.h"

#include "aftercare/scoring/v1/events.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "libs/shard/history.h"
#include "services/scoring/domain/appraisal.h"
#include "services/scoring/domain/evolve.h"
#include "services/scoring/domain/fact.h"
#include "services/scoring/domain/tables.h"
#include "services/scoring/views.h"

namespace aftercare::scoring {

using v1::ScoringEvent;

shard::Service MakeScoringService() {
  shard::Service s(
      "scoring", v1::RecordFactRequest::descriptor()->file()->FindServiceByName(
                     "ScoringService"));
  s.schema()
      .AddTable(kStaff)
      .AddTable(kFacts)
      .AddTable(kAppraisals)
      .AddIndex<v1::Fact>(kFacts, kFactByPeriod, PeriodKeys)
      .AddIndex<v1::Fact>(kFacts, kFactBySource, SourceKeys)
      .AddIndex<v1::Appraisal>(kAppraisals, kAppraisalByScore, ScoreKeys);
  s.SetEvolve<ScoringEvent>(Evolve);

  s.AddCommand<v1::RegisterStaffRequest, ScoringEvent>("RegisterStaff", Decide);
  s.AddCommand<v1::RecordFactRequest, ScoringEvent>("RecordFact", Decide);
  s.AddCommand<v1::WithdrawFactRequest, ScoringEvent>("WithdrawFact", Decide);
  s.AddCommand<v1::OpenAppraisalRequest, ScoringEvent>("OpenAppraisal", Decide);
  s.AddCommand<v1::RefreshAppraisalRequest, ScoringEvent>("RefreshAppraisal",
                                                          Decide);
  s.AddCommand<v1::AdjustAppraisalRequest, ScoringEvent>("AdjustAppraisal",
                                                         Decide);
  s.AddCommand<v1::FinalizeAppraisalRequest, ScoringEvent>("FinalizeAppraisal",
                                                           Decide);

  s.AddQuery<v1::GetStaffRequest, v1::StaffMember>("GetStaff", GetStaff);
  s.AddQuery<v1::ListStaffRequest, v1::ListStaffResponse>("ListStaff",
                                                          ListStaff);
  s.AddQuery<v1::GetFactRequest, v1::Fact>("GetFact", GetFact);
  s.AddQuery<v1::ListFactsRequest, v1::ListFactsResponse>("ListFacts",
                                                          ListFacts);
  s.AddQuery<v1::GetScoreRequest, v1::Score>("GetScore", GetScore);
  s.AddQuery<v1::GetAppraisalRequest, v1::Appraisal>("GetAppraisal",
                                                     GetAppraisal);
  s.AddQuery<v1::ListAppraisalsRequest, v1::ListAppraisalsResponse>(
      "ListAppraisals", ListAppraisals);
  s.AddQuery<v1::ExplainAppraisalRequest, v1::ExplainAppraisalResponse>(
      "ExplainAppraisal", ExplainAppraisal);
  s.AddQuery<common::v1::GetHistoryRequest, common::v1::GetHistoryResponse>(
      "GetAppraisalHistory", shard::GetHistory<ScoringEvent>);
  return s;
}

}  // namespace aftercare::scoring
