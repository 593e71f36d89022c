// What the handbook says to those who ask: services, topics, departments, and
// who is on duty. No rows are read.

#ifndef AFTERCARE_SERVICES_INTAKE_CATALOGUE_VIEWS_H_
#define AFTERCARE_SERVICES_INTAKE_CATALOGUE_VIEWS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "aftercare/intake/v1/cases.pb.h"
#include "libs/shard/service.h"

namespace aftercare::intake {

// HANDBOOK_MISSING when none is in force.
absl::Status CheckPolicy(const shard::QueryContext& context);

absl::StatusOr<v1::Catalogue> GetCatalogue(
    const shard::QueryContext& context, const v1::GetCatalogueRequest& request);

// CHANNEL_UNKNOWN for a channel without settings. Without a channel: of those
// that name contacts the first one that is open; when none is, the one that
// opens first.
absl::StatusOr<v1::OnDutyContact> GetOnDutyContact(
    const shard::QueryContext& context,
    const v1::GetOnDutyContactRequest& request);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_CATALOGUE_VIEWS_H_
