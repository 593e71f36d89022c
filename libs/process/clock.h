#ifndef AFTERCARE_LIBS_PROCESS_CLOCK_H_
#define AFTERCARE_LIBS_PROCESS_CLOCK_H_

#include "absl/time/time.h"
#include "libs/base/time.h"

namespace aftercare {

// The machine's clock; never deleted. Thread-safe.
Clock& SystemClock();

// A moment on a clock that never steps, for measuring how long something takes
// and for waiting. Means nothing beside a time of day.
absl::Time SteadyNow();

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_PROCESS_CLOCK_H_
