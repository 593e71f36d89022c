#include "services/returns/reactions.h"

namespace aftercare::returns {

std::vector<reaction::Mapping> ReturnsReactions() { return {}; }

}  // namespace aftercare::returns
