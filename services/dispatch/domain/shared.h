// Checks that decisions about technicians and work orders share.

#ifndef AFTERCARE_SERVICES_DISPATCH_DOMAIN_SHARED_H_
#define AFTERCARE_SERVICES_DISPATCH_DOMAIN_SHARED_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/repeated_field.h"
#include "libs/base/decider.h"

namespace aftercare::dispatch {

inline constexpr absl::string_view kTerritoryPattern =
    "companies/*/territories/*";
inline constexpr absl::string_view kTechnicianPattern =
    "companies/*/territories/*/technicians/*";
inline constexpr absl::string_view kWorkOrderPattern =
    "companies/*/territories/*/workOrders/*";

// TERRITORY_UNKNOWN unless the handbook has the territory.
absl::Status CheckTerritory(absl::string_view territory,
                            const CommandContext& context);

// SKILL_UNKNOWN for one that the handbook does not name; FIELD_INVALID for one
// that is there twice.
absl::Status CheckSkills(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<std::string>& skills,
    const CommandContext& context);

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_SERVICES_DISPATCH_DOMAIN_SHARED_H_
