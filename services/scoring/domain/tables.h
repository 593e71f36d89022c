#ifndef AFTERCARE_SERVICES_SCORING_DOMAIN_TABLES_H_
#define AFTERCARE_SERVICES_SCORING_DOMAIN_TABLES_H_

#include "absl/strings/string_view.h"
#include "aftercare/scoring/v1/resources.pb.h"
#include "libs/base/rows.h"

namespace aftercare::scoring {

inline constexpr Table<v1::StaffMember> kStaff{"staff"};
inline constexpr Table<v1::Fact> kFacts{"fact"};
inline constexpr Table<v1::Appraisal> kAppraisals{"appraisal"};

// Indexes; keys in views.cc. Names hold no '|', so it ends a part of a key.
// "<staff>|<period>|<occur time>".
inline constexpr absl::string_view kFactByPeriod = "fact_by_period";
// "<staff>|<kind>|<source resource>", facts that count only.
inline constexpr absl::string_view kFactBySource = "fact_by_source";
// "<company>|<period>|<10000 - points>": best first.
inline constexpr absl::string_view kAppraisalByScore = "appraisal_by_score";

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_DOMAIN_TABLES_H_
