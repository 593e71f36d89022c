#include "libs/base/time.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace aftercare {
namespace {

constexpr int64_t kMaxSeconds = 7258118400;  // 2200-01-01T00:00:00Z
constexpr int64_t kMaxDurationSeconds = int64_t{200} * 366 * 86400;

}  // namespace

absl::Time MinTime() { return absl::UnixEpoch(); }
absl::Time MaxTime() { return absl::FromUnixSeconds(kMaxSeconds); }

google::protobuf::Timestamp ToProto(absl::Time time) {
  time = std::clamp(time, MinTime(), MaxTime());
  google::protobuf::Timestamp proto;
  const int64_t micros = absl::ToUnixMicros(time);
  proto.set_seconds(micros / 1000000);
  proto.set_nanos(static_cast<int32_t>(micros % 1000000) * 1000);
  return proto;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  google::protobuf::Duration proto;
  const int64_t micros = absl::ToInt64Microseconds(duration);
  proto.set_seconds(micros / 1000000);
  proto.set_nanos(static_cast<int32_t>(micros % 1000000) * 1000);
  return proto;
}

absl::Time FromProto(const google::protobuf::Timestamp& timestamp) {
  if (timestamp.seconds() < 0) return MinTime();
  if (timestamp.seconds() >= kMaxSeconds) return MaxTime();
  return absl::FromUnixSeconds(timestamp.seconds()) +
         absl::Nanoseconds(std::clamp(timestamp.nanos(), 0, 999999999));
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) +
         absl::Nanoseconds(duration.nanos());
}

bool IsValid(const google::protobuf::Timestamp& timestamp) {
  return timestamp.seconds() >= 0 && timestamp.seconds() < kMaxSeconds &&
         timestamp.nanos() >= 0 && timestamp.nanos() <= 999999999;
}

bool IsValid(const google::protobuf::Duration& duration) {
  if (duration.seconds() < -kMaxDurationSeconds ||
      duration.seconds() > kMaxDurationSeconds ||
      duration.nanos() < -999999999 || duration.nanos() > 999999999) {
    return false;
  }
  return !(duration.seconds() > 0 && duration.nanos() < 0) &&
         !(duration.seconds() < 0 && duration.nanos() > 0);
}

std::string FormatRfc3339(absl::Time time) {
  return absl::StrCat(
      absl::FormatTime("%Y-%m-%dT%H:%M:%E*S", time, absl::UTCTimeZone()), "Z");
}

absl::StatusOr<absl::Time> ParseRfc3339(absl::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' is not an RFC 3339 time: ", error));
  }
  if (time < MinTime() || time >= MaxTime()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", text, "' lies outside 1970 to 2199"));
  }
  return time;
}

std::string SortableTime(absl::Time time) {
  return absl::StrCat(
      absl::Hex(absl::ToUnixMicros(std::clamp(time, MinTime(), MaxTime())),
                absl::kZeroPad16));
}

absl::Time FromSortableTime(absl::string_view text) {
  uint64_t micros = 0;
  if (text.size() != 16 || !absl::SimpleHexAtoi(text, &micros)) {
    return absl::InfinitePast();
  }
  return absl::FromUnixMicros(static_cast<int64_t>(micros));
}

}  // namespace aftercare
