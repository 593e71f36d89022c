#include "libs/base/validate.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"

namespace aftercare {

absl::Status CheckText(absl::string_view field, absl::string_view text,
                       size_t max) {
  if (text.empty()) return InvalidField(field, "is missing");
  return CheckOptionalText(field, text, max);
}

absl::Status CheckOptionalText(absl::string_view field, absl::string_view text,
                               size_t max) {
  if (text.size() > max) {
    return InvalidField(field, absl::StrCat("is longer than ", max, " bytes"));
  }
  for (char c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' &&
         c != '\t') ||
        c == 0x7f) {
      return InvalidField(field, "holds a control character");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTime(absl::string_view field,
                       const google::protobuf::Timestamp& time) {
  if (IsValid(time) && (time.seconds() != 0 || time.nanos() != 0)) {
    return absl::OkStatus();
  }
  return InvalidField(field, "is missing or outside 1970 to 2199");
}

absl::Status CheckMoney(absl::string_view field, const common::v1::Money& money,
                        absl::string_view currency) {
  if (money.currency_code() != currency) {
    return InvalidField(absl::StrCat(field, ".currency_code"),
                        absl::StrCat("must be ", currency));
  }
  if (money.minor_units() < 0 || money.minor_units() > kMaxAmount) {
    return InvalidField(absl::StrCat(field, ".minor_units"),
                        "must not be negative or above ten trillion");
  }
  return absl::OkStatus();
}

absl::Status CheckAttachment(absl::string_view field,
                             const common::v1::Attachment& attachment) {
  const std::string& sha256 = attachment.sha256();
  if (sha256.size() != 64 ||
      !std::all_of(sha256.begin(), sha256.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
               (c >= 'a' && c <= 'f');
      })) {
    return InvalidField(absl::StrCat(field, ".sha256"),
                        "must be 64 lower-case hexadecimal digits");
  }
  RETURN_IF_ERROR(CheckOptionalText(absl::StrCat(field, ".media_type"),
                                    attachment.media_type(), kMaxShortText));
  return CheckOptionalText(absl::StrCat(field, ".title"), attachment.title(),
                           kMaxShortText);
}

absl::Status CheckRange(absl::string_view field, int64_t value, int64_t low,
                        int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("must be ", low, " to ", high));
}

absl::Status CheckEtag(absl::string_view given, absl::string_view have) {
  if (given.empty() || given == have) return absl::OkStatus();
  return Refuse(common::v1::REASON_ETAG_MISMATCH,
                "the resource has changed since it was read",
                {{"etag", std::string(have)}});
}

}  // namespace aftercare
