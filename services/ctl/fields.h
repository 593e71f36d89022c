// Fields of any message from text, as a person types them in a shell or a
// mapping file writes them.

#ifndef AFTERCARE_SERVICES_CTL_FIELDS_H_
#define AFTERCARE_SERVICES_CTL_FIELDS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aftercare/common/v1/types.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace aftercare::ctl {

// Sets the field at `path`, for example `case-id`, `booking.start` or
// `lines.0.quantity`; hyphens and underscores are the same. Text by type:
//
//   enum       name in lower case, `_` or `-`: repair, cannot-complete
//   Timestamp  RFC 3339: 2026-03-01T08:30:00+08:00
//   Duration   90m, 2d12h
//   Money      12.50 CNY
//   message    its JSON
//   repeated   each call adds one; an index sets fields of a message in it
//
// INVALID_ARGUMENT, naming the field, when the text does not fit.
absl::Status SetField(google::protobuf::Message& message,
                      absl::string_view path, absl::string_view text);

// INVALID_ARGUMENT when SetField could not find `path` in such a message.
absl::Status CheckField(const google::protobuf::Descriptor& type,
                        absl::string_view path);

// "12.5 CNY" or "CNY 12.50" in the currency's smallest unit.
absl::StatusOr<common::v1::Money> ParseMoney(absl::string_view text);

// "12.50 CNY"
std::string FormatMoney(const common::v1::Money& money);

}  // namespace aftercare::ctl

#endif  // AFTERCARE_SERVICES_CTL_FIELDS_H_
