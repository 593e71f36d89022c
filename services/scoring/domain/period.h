// The month as the unit of appraisal (SCO-01, SCO-24): `2026-03`, cut in the
// company's zone. Pure; values only.

#ifndef AFTERCARE_SERVICES_SCORING_DOMAIN_PERIOD_H_
#define AFTERCARE_SERVICES_SCORING_DOMAIN_PERIOD_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aftercare::scoring {

// A month, half open.
struct Period {
  std::string id;
  absl::Time start;
  absl::Time end;
};

// The month `id` in `zone`. INVALID_ARGUMENT on `field` unless it is written
// YYYY-MM and lies within the years 1970 to 2199.
absl::StatusOr<Period> ParsePeriod(absl::string_view field,
                                   absl::string_view id, absl::TimeZone zone);

// Id of the month that `time` belongs to.
std::string PeriodOf(absl::Time time, absl::TimeZone zone);

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_DOMAIN_PERIOD_H_
