// What scoring makes of the facts of the other services.

#ifndef AFTERCARE_SERVICES_SCORING_REACTIONS_H_
#define AFTERCARE_SERVICES_SCORING_REACTIONS_H_

#include <vector>

#include "libs/reaction/mapping.h"

namespace aftercare::scoring {

// Facts about people from intake, dispatch and returns (README.md has the
// table). Somebody the handbook does not know, or knows without a staff_id, is
// not scored; no event is ever parked.
std::vector<reaction::Mapping> ScoringReactions();

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_REACTIONS_H_
