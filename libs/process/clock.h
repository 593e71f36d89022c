#ifndef AFTERCARE_LIBS_PROCESS_CLOCK_H_
#define AFTERCARE_LIBS_PROCESS_CLOCK_H_

#include "libs/base/time.h"

namespace aftercare {

// The machine's clock; never deleted. Thread-safe.
Clock& SystemClock();

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_PROCESS_CLOCK_H_
