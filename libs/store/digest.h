// Order-independent 128-bit hash over a set of (key, value) pairs: the sum of
// the pairs' hashes. Adding and removing a pair are inverse, so a running
// digest needs no rescan, and equal sets have equal digests whatever the order
// they came in. It guards against mistakes and damage, not against an attacker
// who chooses rows.

#ifndef AFTERCARE_LIBS_STORE_DIGEST_H_
#define AFTERCARE_LIBS_STORE_DIGEST_H_

#include <string>

#include "absl/numeric/int128.h"
#include "absl/strings/string_view.h"

namespace aftercare::store {

// Contribution of one stored pair. Part of the stored format.
absl::uint128 PairHash(absl::string_view key, absl::string_view value);

// 32 lower-case hexadecimal digits.
std::string DigestText(absl::uint128 digest);

}  // namespace aftercare::store

#endif  // AFTERCARE_LIBS_STORE_DIGEST_H_
