// protobuf's JSON mapping as we print it: one line, fields by the names the
// proto gives them, 64-bit numbers as text, empty fields left out.

#ifndef AFTERCARE_LIBS_BASE_JSON_H_
#define AFTERCARE_LIBS_BASE_JSON_H_

#include <string>

#include "google/protobuf/message.h"

namespace aftercare {

// Without a line's end. "{}" for what cannot be printed, such as an Any of an
// unknown type.
std::string ToJson(const google::protobuf::Message& message);

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_JSON_H_
