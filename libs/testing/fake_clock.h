// A clock that stands until it is told.

#ifndef AFTERCARE_LIBS_TESTING_FAKE_CLOCK_H_
#define AFTERCARE_LIBS_TESTING_FAKE_CLOCK_H_

#include <atomic>

#include "absl/time/time.h"
#include "libs/base/time.h"

namespace aftercare::testing {

// Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now) : micros_(absl::ToUnixMicros(now)) {}
  absl::Time Now() override { return absl::FromUnixMicros(micros_); }
  void Set(absl::Time now) { micros_ = absl::ToUnixMicros(now); }
  void Advance(absl::Duration by) { micros_ += absl::ToInt64Microseconds(by); }

 private:
  std::atomic<int64_t> micros_;
};

}  // namespace aftercare::testing

#endif  // AFTERCARE_LIBS_TESTING_FAKE_CLOCK_H_
