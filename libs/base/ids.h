// Ids. Chance enters the domain only as text made here by the shell of a
// service before a command is decided.

#ifndef AFTERCARE_LIBS_BASE_IDS_H_
#define AFTERCARE_LIBS_BASE_IDS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace aftercare {

// The id of 16 characters that belongs to `seed`: the same for ever.
std::string IdFrom(absl::string_view seed);

// XXH3 64-bit hash; part of stored formats, never changed.
uint64_t StableHash(absl::string_view bytes);

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_IDS_H_
