// -----------------------------------------------------------------------------
// File: names.h
// -----------------------------------------------------------------------------
//
// Resource names: `companies/acme/customers/42/cases/7`. The first two pairs
// are the consistency boundary (the "parent"): Kafka key and shard follow from
// them.
//
//   ASSIGN_OR_RETURN(auto ids,
//                    MatchName("name", "companies/*/customers/*/cases/*",
//                    name));
//   // ids = {"acme", "42", "7"}

#ifndef AFTERCARE_LIBS_BASE_NAMES_H_
#define AFTERCARE_LIBS_BASE_NAMES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace aftercare {

// True for 1 to 63 lower-case letters, digits and hyphens that neither begin
// nor end with a hyphen.
bool IsResourceId(absl::string_view id);

// INVALID_ARGUMENT NAME_INVALID with BadRequest on `field`: `name` does not
// have the form of `pattern`.
absl::Status InvalidName(absl::string_view field, absl::string_view pattern,
                         absl::string_view name);

// The ids at the stars of `pattern`. Refuses with INVALID_ARGUMENT
// NAME_INVALID and BadRequest on `field` when `name` has another form.
absl::StatusOr<std::vector<std::string>> MatchName(absl::string_view field,
                                                   absl::string_view pattern,
                                                   absl::string_view name);

// Like MatchName for a caller who needs no ids.
absl::Status CheckName(absl::string_view field, absl::string_view pattern,
                       absl::string_view name);

// INVALID_ARGUMENT with BadRequest on `field` unless IsResourceId.
absl::Status CheckId(absl::string_view field, absl::string_view id);

// The consistency boundary: the first four segments, or all of a shorter name.
absl::string_view BoundaryOf(absl::string_view name);

// The company: the first two segments (`companies/acme`).
absl::string_view CompanyOf(absl::string_view name);

// The name without its last two segments; empty when there are only two.
absl::string_view ParentOf(absl::string_view name);

// The last segment.
absl::string_view IdOf(absl::string_view name);

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_NAMES_H_
