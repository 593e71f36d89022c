// What each fact of the scoring service does to the rows.

#ifndef AFTERCARE_SERVICES_SCORING_DOMAIN_EVOLVE_H_
#define AFTERCARE_SERVICES_SCORING_DOMAIN_EVOLVE_H_

#include "aftercare/scoring/v1/events.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::scoring {

// Total: never fails.
void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::ScoringEvent& event);

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_DOMAIN_EVOLVE_H_
