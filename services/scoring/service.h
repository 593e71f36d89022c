#ifndef AFTERCARE_SERVICES_SCORING_SERVICE_H_
#define AFTERCARE_SERVICES_SCORING_SERVICE_H_

#include "libs/shard/service.h"

namespace aftercare::scoring {

// The scoring service said once: tables, indexes, commands, queries.
shard::Service MakeScoringService();

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_SERVICE_H_
