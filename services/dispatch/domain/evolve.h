#ifndef AFTERCARE_SERVICES_DISPATCH_DOMAIN_EVOLVE_H_
#define AFTERCARE_SERVICES_DISPATCH_DOMAIN_EVOLVE_H_

#include "aftercare/dispatch/v1/events.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::dispatch {

// Rows from facts. A fact without its case here fails the build.
void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::DispatchEvent& event);

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_DOMAIN_EVOLVE_H_
