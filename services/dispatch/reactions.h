// What dispatch does about the facts of other services.

#ifndef AFTERCARE_SERVICES_DISPATCH_REACTIONS_H_
#define AFTERCARE_SERVICES_DISPATCH_REACTIONS_H_

#include <vector>

#include "libs/reaction/mapping.h"

namespace aftercare::dispatch {

// A repair case that is opened becomes a work order in the territory that
// serves the customer's region, with the case's id; one that is closed cancels
// what is left of it.
std::vector<reaction::Mapping> DispatchReactions();

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_REACTIONS_H_
