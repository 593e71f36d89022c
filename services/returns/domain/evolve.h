#ifndef AFTERCARE_SERVICES_RETURNS_DOMAIN_EVOLVE_H_
#define AFTERCARE_SERVICES_RETURNS_DOMAIN_EVOLVE_H_

#include "aftercare/returns/v1/events.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::returns {

// Rows from facts. A fact without its case here fails the build. A fact about
// a return also moves the running totals of its sale lines, which lie in the
// same consistency boundary.
void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::ReturnsEvent& event);

}  // namespace aftercare::returns

#endif  // AFTERCARE_SERVICES_RETURNS_DOMAIN_EVOLVE_H_
