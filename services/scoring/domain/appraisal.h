// Commands of the monthly appraisal (SCO-01): open, refresh, adjust, finalize.

#ifndef AFTERCARE_SERVICES_SCORING_DOMAIN_APPRAISAL_H_
#define AFTERCARE_SERVICES_SCORING_DOMAIN_APPRAISAL_H_

#include "aftercare/scoring/v1/events.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::scoring {

// Largest single adjustment, in hundredths of a point, and how many there may
// be on one sheet.
inline constexpr int kMaxAdjustment = 2000;
inline constexpr int kMaxAdjustments = 20;

// Refuses FIELD_INVALID, NAME_INVALID, RESOURCE_NOT_FOUND (nobody of this name
// has facts or was registered), RESOURCE_ALREADY_EXISTS, PERIOD_NOT_BEGUN.
Decision<v1::ScoringEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::OpenAppraisalRequest& request);

// The next three refuse NAME_INVALID, RESOURCE_NOT_FOUND, ETAG_MISMATCH,
// APPRAISAL_FINALIZED, OCCUR_TIME_TOO_EARLY.

// Uses the handbook in force at occur_time. Also SHEET_UP_TO_DATE.
Decision<v1::ScoringEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::RefreshAppraisalRequest& request);

// Also FIELD_INVALID, OWN_APPRAISAL, TOO_MANY_ADJUSTMENTS.
Decision<v1::ScoringEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::AdjustAppraisalRequest& request);

// Freezes the figures that were shown, so the sheet must hold every fact there
// is by now. Also OWN_APPRAISAL, PERIOD_NOT_OVER, SHEET_OUTDATED.
Decision<v1::ScoringEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::FinalizeAppraisalRequest& request);

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_DOMAIN_APPRAISAL_H_
