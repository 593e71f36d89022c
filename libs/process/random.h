#ifndef AFTERCARE_LIBS_PROCESS_RANDOM_H_
#define AFTERCARE_LIBS_PROCESS_RANDOM_H_

#include <string>

namespace aftercare {

// A fresh id of 16 lower-case letters and digits (80 random bits), fit for a
// resource name. Thread-safe.
std::string RandomId();

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_PROCESS_RANDOM_H_
