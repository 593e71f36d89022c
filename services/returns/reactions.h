#ifndef AFTERCARE_SERVICES_RETURNS_REACTIONS_H_
#define AFTERCARE_SERVICES_RETURNS_REACTIONS_H_

#include <vector>

#include "libs/reaction/mapping.h"

namespace aftercare::returns {

// What returns does upon other services' facts: nothing. A complaint asks for
// an answer, and only a person knows whether it also asks for a return
// (RET-34).
std::vector<reaction::Mapping> ReturnsReactions();

}  // namespace aftercare::returns

#endif  // AFTERCARE_SERVICES_RETURNS_REACTIONS_H_
