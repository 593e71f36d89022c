#ifndef AFTERCARE_SERVICES_INTAKE_REACTIONS_H_
#define AFTERCARE_SERVICES_INTAKE_REACTIONS_H_

#include <vector>

#include "libs/reaction/mapping.h"

namespace aftercare::intake {

// What intake does about facts of dispatch: the case follows its repair.
std::vector<reaction::Mapping> IntakeReactions();

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_REACTIONS_H_
