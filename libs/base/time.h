// -----------------------------------------------------------------------------
// File: time.h
// -----------------------------------------------------------------------------
//
// Conversions between absl::Time and the protobuf well-known types, and the
// range of instants Aftercare accepts. Instants are UTC; a zone enters only
// through a calendar (libs/calendar).

#ifndef AFTERCARE_LIBS_BASE_TIME_H_
#define AFTERCARE_LIBS_BASE_TIME_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace aftercare {

// Earliest and latest business time a command may carry: 1970-01-01 and
// 2200-01-01. A year 9999 is a typing error, not a date of service.
absl::Time MinTime();
absl::Time MaxTime();

google::protobuf::Timestamp ToProto(absl::Time time);
google::protobuf::Duration ToProto(absl::Duration duration);

// Total: an out-of-range value is clamped to MinTime()/MaxTime().
absl::Time FromProto(const google::protobuf::Timestamp& timestamp);
absl::Duration FromProto(const google::protobuf::Duration& duration);

// False when seconds or nanos are outside what the well-known type and
// MinTime()..MaxTime() allow.
bool IsValid(const google::protobuf::Timestamp& timestamp);
bool IsValid(const google::protobuf::Duration& duration);

// RFC 3339 in UTC with the fraction that is needed: 2026-03-01T08:30:00Z.
std::string FormatRfc3339(absl::Time time);

// Accepts RFC 3339 with any offset. INVALID_ARGUMENT otherwise.
absl::StatusOr<absl::Time> ParseRfc3339(absl::string_view text);

// Sixteen hexadecimal digits of the microseconds since 1970 that sort as the
// instants do; for row keys.
std::string SortableTime(absl::Time time);

// Inverse of SortableTime; absl::InfinitePast() if `text` is not one.
absl::Time FromSortableTime(absl::string_view text);

// Where the present comes from (libs/process has the machine's). Domain code
// never sees one: time reaches it
// through the command.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;
};

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_TIME_H_
