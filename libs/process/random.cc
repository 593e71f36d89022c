#include "libs/process/random.h"

#include <cstdint>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "libs/base/ids.h"

namespace aftercare {

std::string RandomId() {
  thread_local absl::BitGen gen;
  return IdFrom(absl::StrCat(absl::Hex(absl::Uniform<uint64_t>(gen)), "/",
                             absl::Hex(absl::Uniform<uint64_t>(gen))));
}

}  // namespace aftercare
