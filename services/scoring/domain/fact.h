// Commands about people and the facts that are counted for them.

#ifndef AFTERCARE_SERVICES_SCORING_DOMAIN_FACT_H_
#define AFTERCARE_SERVICES_SCORING_DOMAIN_FACT_H_

#include "aftercare/scoring/v1/events.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::scoring {

// Refuses FIELD_INVALID, NAME_INVALID, RESOURCE_ALREADY_EXISTS.
Decision<v1::ScoringEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::RegisterStaffRequest& request);

// A fact of the same id, kind and source is the same fact: no events. Refuses
// FIELD_INVALID, NAME_INVALID, STAFF_UNKNOWN, FACT_ID_TAKEN.
Decision<v1::ScoringEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::RecordFactRequest& request);

// No active fact of this kind and source: no events. Refuses FIELD_INVALID,
// NAME_INVALID.
Decision<v1::ScoringEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::WithdrawFactRequest& request);

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_DOMAIN_FACT_H_
