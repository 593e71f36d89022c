#ifndef AFTERCARE_SERVICES_RETURNS_SERVICE_H_
#define AFTERCARE_SERVICES_RETURNS_SERVICE_H_

#include "libs/shard/service.h"

namespace aftercare::returns {

// The returns service: sale lines, returns, refunds.
shard::Service MakeReturnsService();

}  // namespace aftercare::returns

#endif  // AFTERCARE_SERVICES_RETURNS_SERVICE_H_
