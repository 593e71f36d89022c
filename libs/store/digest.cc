#include "libs/store/digest.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/str_format.h"

namespace aftercare::store {

absl::uint128 PairHash(absl::string_view key, absl::string_view value) {
  const XXH64_hash_t seed = XXH3_64bits(key.data(), key.size());
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(value.data(), value.size(), seed);
  return absl::MakeUint128(hash.high64, hash.low64 ^ seed);
}

std::string DigestText(absl::uint128 digest) {
  return absl::StrFormat("%016x%016x", absl::Uint128High64(digest),
                         absl::Uint128Low64(digest));
}

}  // namespace aftercare::store
