// The dispatch service: technicians, work orders, visits.

#ifndef AFTERCARE_SERVICES_DISPATCH_SERVICE_H_
#define AFTERCARE_SERVICES_DISPATCH_SERVICE_H_

#include "libs/shard/service.h"

namespace aftercare::dispatch {

shard::Service MakeDispatchService();

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_SERVICE_H_
