#include "libs/base/ids.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/string_view.h"

namespace aftercare {
namespace {

std::string Encode(uint64_t high, uint64_t low) {
  // No i, l, o, u: ids are read aloud on the telephone.
  static constexpr char kAlphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string id(16, '0');
  for (int i = 0; i < 8; ++i) {
    id[i] = kAlphabet[(high >> (5 * i)) & 31];
    id[8 + i] = kAlphabet[(low >> (5 * i)) & 31];
  }
  return id;
}

}  // namespace

std::string IdFrom(absl::string_view seed) {
  const XXH128_hash_t hash = XXH3_128bits(seed.data(), seed.size());
  return Encode(hash.high64, hash.low64);
}

uint64_t StableHash(absl::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace aftercare
