#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_EVOLVE_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_EVOLVE_H_

#include "aftercare/intake/v1/events.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::intake {

// Rows from facts. A fact without its case here fails the build.
void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::IntakeEvent& event);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_EVOLVE_H_
