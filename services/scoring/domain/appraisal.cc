#include "services/scoring/domain/appraisal.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "aftercare/scoring/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/handbook/policy.h"
#include "services/scoring/domain/period.h"
#include "services/scoring/domain/sheet.h"
#include "services/scoring/domain/tables.h"

namespace aftercare::scoring {
namespace {

using v1::ScoringEvent;
using Drafts = std::vector<Draft<ScoringEvent>>;

Drafts One(const std::string& subject, ScoringEvent event) {
  Drafts drafts;
  drafts.push_back({subject, std::move(event)});
  return drafts;
}

// The appraisal a command changes: known, as the caller saw it, still open.
template <typename Request>
absl::StatusOr<const v1::Appraisal*> FindOpen(const RowReader& rows,
                                              const CommandContext& context,
                                              const Request& request) {
  const v1::Appraisal* appraisal = rows.Find(kAppraisals, request.name());
  if (appraisal == nullptr) return NotFound(request.name());
  RETURN_IF_ERROR(CheckEtag(request.etag(), appraisal->etag()));
  if (appraisal->state() == v1::Appraisal::FINALIZED) {
    return Refuse(v1::REASON_APPRAISAL_FINALIZED, "the appraisal is final",
                  {{"name", request.name()}});
  }
  if (context.occur_time < FromProto(appraisal->update_time())) {
    return Refuse(
        v1::REASON_OCCUR_TIME_TOO_EARLY,
        "occur_time lies before the appraisal's last change",
        {{"name", request.name()},
         {"last_change", FormatRfc3339(FromProto(appraisal->update_time()))}});
  }
  return appraisal;
}

template <typename Request>
absl::Status CheckAppraisalName(const Request& request) {
  RETURN_IF_ERROR(
      CheckName("name", "companies/*/staff/*/appraisals/*", request.name()));
  return ParsePeriod("name", IdOf(request.name()), absl::UTCTimeZone())
      .status();
}

// Judgement about oneself is none.
absl::Status CheckNotOwn(const CommandContext& context,
                         const v1::Appraisal& appraisal) {
  const auto* actor = context.policy->FindPerson(context.actor);
  if (actor == nullptr ||
      actor->staff_id() != IdOf(BoundaryOf(appraisal.name()))) {
    return absl::OkStatus();
  }
  return Refuse(v1::REASON_OWN_APPRAISAL,
                "nobody adjusts or finalizes the own appraisal",
                {{"name", appraisal.name()}, {"actor", context.actor}});
}

}  // namespace

Decision<ScoringEvent> Decide(const RowReader& rows,
                              const CommandContext& context,
                              const v1::OpenAppraisalRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", "companies/*/staff/*", request.parent()));
  ASSIGN_OR_RETURN(const Period period,
                   ParsePeriod("appraisal_id", request.appraisal_id(),
                               context.policy->zone()));
  const v1::StaffMember* staff = rows.Find(kStaff, request.parent());
  if (staff == nullptr) return NotFound(request.parent());
  const std::string name =
      absl::StrCat(request.parent(), "/appraisals/", period.id);
  if (rows.Find(kAppraisals, name) != nullptr) return AlreadyExists(name);
  if (context.occur_time < period.start) {
    return Refuse(
        v1::REASON_PERIOD_NOT_BEGUN, "the month has not begun",
        {{"period", period.id}, {"start_time", FormatRfc3339(period.start)}});
  }
  ScoringEvent event;
  auto& appraisal = *event.mutable_appraisal_opened()->mutable_appraisal();
  appraisal.set_name(name);
  *appraisal.mutable_create_time() = ToProto(context.occur_time);
  appraisal.set_state(v1::Appraisal::OPEN);
  appraisal.set_period(period.id);
  *appraisal.mutable_period_start_time() = ToProto(period.start);
  *appraisal.mutable_period_end_time() = ToProto(period.end);
  appraisal.set_display_name(staff->display_name());
  *appraisal.mutable_sheet() = ComputeSheet(
      CountedFacts(rows, request.parent(), period.id), *context.policy, 0);
  appraisal.set_opened_by(context.actor);
  return One(name, std::move(event));
}

Decision<ScoringEvent> Decide(const RowReader& rows,
                              const CommandContext& context,
                              const v1::RefreshAppraisalRequest& request) {
  RETURN_IF_ERROR(CheckAppraisalName(request));
  ASSIGN_OR_RETURN(const v1::Appraisal* appraisal,
                   FindOpen(rows, context, request));
  v1::ScoreSheet sheet = ComputeSheet(
      CountedFacts(rows, BoundaryOf(request.name()), appraisal->period()),
      *context.policy, appraisal->sheet().adjustment_points());
  // Sheets hold no maps, so equal ones have equal bytes.
  if (sheet.SerializeAsString() == appraisal->sheet().SerializeAsString()) {
    return Refuse(v1::REASON_SHEET_UP_TO_DATE,
                  "the sheet shows every fact already",
                  {{"name", request.name()}});
  }
  ScoringEvent event;
  auto& refreshed = *event.mutable_appraisal_refreshed();
  refreshed.set_name(request.name());
  *refreshed.mutable_sheet() = std::move(sheet);
  return One(request.name(), std::move(event));
}

Decision<ScoringEvent> Decide(const RowReader& rows,
                              const CommandContext& context,
                              const v1::AdjustAppraisalRequest& request) {
  RETURN_IF_ERROR(CheckAppraisalName(request));
  RETURN_IF_ERROR(
      CheckRange("points", request.points(), -kMaxAdjustment, kMaxAdjustment));
  if (request.points() == 0) return InvalidField("points", "is missing");
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxLongText));
  ASSIGN_OR_RETURN(const v1::Appraisal* appraisal,
                   FindOpen(rows, context, request));
  RETURN_IF_ERROR(CheckNotOwn(context, *appraisal));
  if (appraisal->adjustments_size() >= kMaxAdjustments) {
    return Refuse(
        v1::REASON_TOO_MANY_ADJUSTMENTS,
        "the sheet has as many adjustments as it may",
        {{"name", request.name()}, {"limit", absl::StrCat(kMaxAdjustments)}});
  }
  v1::ScoreSheet sheet = appraisal->sheet();
  SetTotals(sheet, *context.policy,
            sheet.adjustment_points() + request.points());
  ScoringEvent event;
  auto& adjusted = *event.mutable_appraisal_adjusted();
  adjusted.set_name(request.name());
  auto& adjustment = *adjusted.mutable_adjustment();
  adjustment.set_points(request.points());
  adjustment.set_reason(request.reason());
  adjustment.set_by(context.actor);
  *adjustment.mutable_time() = ToProto(context.occur_time);
  adjusted.set_adjustment_points(sheet.adjustment_points());
  adjusted.set_points(sheet.points());
  adjusted.set_level(sheet.level());
  return One(request.name(), std::move(event));
}

Decision<ScoringEvent> Decide(const RowReader& rows,
                              const CommandContext& context,
                              const v1::FinalizeAppraisalRequest& request) {
  RETURN_IF_ERROR(CheckAppraisalName(request));
  ASSIGN_OR_RETURN(const v1::Appraisal* appraisal,
                   FindOpen(rows, context, request));
  RETURN_IF_ERROR(CheckNotOwn(context, *appraisal));
  const absl::Time end = FromProto(appraisal->period_end_time());
  if (context.occur_time < end) {
    return Refuse(
        v1::REASON_PERIOD_NOT_OVER, "the month is not over",
        {{"period", appraisal->period()}, {"end_time", FormatRfc3339(end)}});
  }
  if (FactsDigest(CountedFacts(rows, BoundaryOf(request.name()),
                               appraisal->period())) !=
      appraisal->sheet().facts_digest()) {
    return Refuse(v1::REASON_SHEET_OUTDATED,
                  "facts came or went since the sheet was computed",
                  {{"name", request.name()}});
  }
  ScoringEvent event;
  auto& finalized = *event.mutable_appraisal_finalized();
  finalized.set_name(request.name());
  finalized.set_by(context.actor);
  finalized.set_points(appraisal->sheet().points());
  finalized.set_level(appraisal->sheet().level());
  return One(request.name(), std::move(event));
}

}  // namespace aftercare::scoring
