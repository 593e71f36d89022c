// -----------------------------------------------------------------------------
// File: refusal.h
// -----------------------------------------------------------------------------
//
// A refusal is an absl::Status with a machine-readable reason. Reasons are
// values of a proto enum; the option `code` on the value gives the status
// code, so the proto is the table of errors.
//
//   return Refuse(intake::v1::REASON_CASE_CLOSED,
//                 "the case is closed", {{"name", c.name()}});
//
// libs/rpc turns it into google.rpc.Status with ErrorInfo and BadRequest.

#ifndef AFTERCARE_LIBS_BASE_REFUSAL_H_
#define AFTERCARE_LIBS_BASE_REFUSAL_H_

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/generated_enum_reflection.h"
#include "google/rpc/error_details.pb.h"

namespace aftercare {

using Metadata = std::vector<std::pair<std::string, std::string>>;

// The status for `value` of a reason enum. `message` is English for people;
// every variable in it belongs into `metadata`.
absl::Status RefuseWith(const google::protobuf::EnumValueDescriptor& value,
                        absl::string_view message, const Metadata& metadata);

template <typename ReasonEnum>
absl::Status Refuse(ReasonEnum reason, absl::string_view message,
                    const Metadata& metadata = {}) {
  return RefuseWith(
      *google::protobuf::GetEnumDescriptor<ReasonEnum>()->FindValueByNumber(
          reason),
      message, metadata);
}

// INVALID_ARGUMENT FIELD_INVALID naming one field of the request (a path such
// as "case.contact.phone") in BadRequest.
absl::Status InvalidField(absl::string_view field,
                          absl::string_view description);

// Adds a violation of one field to a refusal of any other reason.
absl::Status WithField(absl::Status status, absl::string_view field,
                       absl::string_view description);

// NOT_FOUND RESOURCE_NOT_FOUND.
absl::Status NotFound(absl::string_view name);

// ALREADY_EXISTS RESOURCE_ALREADY_EXISTS.
absl::Status AlreadyExists(absl::string_view name);

// Adds RetryInfo to a status that is not OK.
absl::Status WithRetryDelay(absl::Status status, absl::Duration delay);

// ErrorInfo.reason of a refusal; empty for any other status.
std::string ReasonOf(const absl::Status& status);

// Field named by the first violation of BadRequest; empty if there is none.
std::string FieldOf(const absl::Status& status);

// Type URLs under which details lie in absl::Status payloads.
inline constexpr absl::string_view kErrorInfoUrl =
    "type.googleapis.com/google.rpc.ErrorInfo";
inline constexpr absl::string_view kBadRequestUrl =
    "type.googleapis.com/google.rpc.BadRequest";
inline constexpr absl::string_view kRetryInfoUrl =
    "type.googleapis.com/google.rpc.RetryInfo";

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_REFUSAL_H_
