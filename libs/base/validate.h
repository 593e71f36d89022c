// -----------------------------------------------------------------------------
// File: validate.h
// -----------------------------------------------------------------------------
//
// Checks of request fields that every Decide needs. Each refuses with
// INVALID_ARGUMENT FIELD_INVALID naming the field.

#ifndef AFTERCARE_LIBS_BASE_VALIDATE_H_
#define AFTERCARE_LIBS_BASE_VALIDATE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aftercare/common/v1/types.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "google/protobuf/timestamp.pb.h"
#include "libs/base/refusal.h"

namespace aftercare {

// Bytes a short text (a name, a title) and a long one (a description) may have.
inline constexpr size_t kMaxShortText = 300;
inline constexpr size_t kMaxLongText = 20000;
// Largest amount, in minor units.
inline constexpr int64_t kMaxAmount = 10'000'000'000'000;

// Present and not longer than `max` bytes, without control characters other
// than tab and line breaks.
absl::Status CheckText(absl::string_view field, absl::string_view text,
                       size_t max);

// As CheckText, but may be empty.
absl::Status CheckOptionalText(absl::string_view field, absl::string_view text,
                               size_t max);

// Present and in range.
absl::Status CheckTime(absl::string_view field,
                       const google::protobuf::Timestamp& time);

// In the company's currency and 0 to kMaxAmount.
absl::Status CheckMoney(absl::string_view field, const common::v1::Money& money,
                        absl::string_view currency);

// A SHA-256 in 64 lower-case hexadecimal digits; media type and title are short
// texts and may be empty.
absl::Status CheckAttachment(absl::string_view field,
                             const common::v1::Attachment& attachment);

absl::Status CheckRange(absl::string_view field, int64_t value, int64_t low,
                        int64_t high);

// ABORTED ETAG_MISMATCH when the caller's etag is set and differs.
absl::Status CheckEtag(absl::string_view given, absl::string_view have);

// A known value other than the unspecified one.
template <typename Enum>
absl::Status CheckEnum(absl::string_view field, Enum value);

template <typename Enum>
absl::Status CheckEnum(absl::string_view field, Enum value) {
  if (value != 0 &&
      google::protobuf::GetEnumDescriptor<Enum>()->FindValueByNumber(value) !=
          nullptr) {
    return absl::OkStatus();
  }
  return InvalidField(field, value == 0 ? "is missing" : "is no known value");
}

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_VALIDATE_H_
