#ifndef AFTERCARE_SERVICES_INTAKE_SERVICE_H_
#define AFTERCARE_SERVICES_INTAKE_SERVICE_H_

#include "libs/shard/service.h"

namespace aftercare::intake {

// The intake service said once: tables, indexes, commands, queries.
shard::Service MakeIntakeService();

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_SERVICE_H_
