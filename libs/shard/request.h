// -----------------------------------------------------------------------------
// File: request.h
// -----------------------------------------------------------------------------
//
// What the core reads from a request by the method's rules: the resource it is
// about (and with it the boundary and the shard), its request_id and when it
// happened. Used for calls from outside and for commands of reactions alike.

#ifndef AFTERCARE_LIBS_SHARD_REQUEST_H_
#define AFTERCARE_LIBS_SHARD_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/common/v1/annotations.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace aftercare::shard {

// Longest request_id.
inline constexpr size_t kMaxRequestId = 128;

// The fields of one method's request, found once (Service::Method::fields).
// Copyable; thread-safe.
class RequestFields {
 public:
  // A rule that names a field the request lacks is a mistake in the proto:
  // FAILED_PRECONDITION.
  static absl::StatusOr<RequestFields> Of(
      const google::protobuf::MethodDescriptor& method,
      const common::v1::MethodRules& rules);

  // The name or parent the request carries; NAME_INVALID unless it is
  // `companies/{id}` followed by further collection/id pairs. For queries a
  // second pair at the end may have the id `-` (all boundaries).
  absl::StatusOr<std::string> NameOf(
      const google::protobuf::Message& request) const;

  // The resource the command is about: the name, or for a create method
  // parent/collection/id. Gives an empty id field its value first: from parent
  // and request_id (the same again for a repeated request), without one by
  // chance. NAME_INVALID when no boundary comes of it.
  absl::StatusOr<std::string> ResolveTarget(
      google::protobuf::Message& request) const;
  // Whether ResolveTarget will give the request an id that the same request
  // would get anywhere.
  bool DerivesId(const google::protobuf::Message& request) const;
  // Takes the id out again. For create methods only.
  void ClearId(google::protobuf::Message& request) const;

  // Empty when the request has none.
  std::string RequestIdOf(const google::protobuf::Message& request) const;
  void SetRequestId(google::protobuf::Message& request,
                    absl::string_view request_id) const;

  // Unset when the request says nothing. FIELD_INVALID outside
  // MinTime..MaxTime.
  absl::StatusOr<std::optional<absl::Time>> OccurTimeOf(
      const google::protobuf::Message& request) const;
  // Without effect when the request has no such field or has it set.
  void DefaultOccurTime(google::protobuf::Message& request,
                        absl::Time time) const;

 private:
  std::string name_field_;
  std::vector<const google::protobuf::FieldDescriptor*> name_path_;
  std::string child_collection_;
  const google::protobuf::FieldDescriptor* child_id_ = nullptr;
  const google::protobuf::FieldDescriptor* request_id_ = nullptr;
  const google::protobuf::FieldDescriptor* occur_time_ = nullptr;
  bool wildcard_ = false;
};

// FIELD_INVALID on `request_id` unless it has at most kMaxRequestId letters,
// digits and marks of . _ - : / # + = @ and does not begin with "event:",
// which belongs to reactions.
absl::Status CheckRequestId(absl::string_view request_id);

// What must be the same when a request_id comes again: the content and who
// sends it. Before an id is chosen for the request.
uint64_t Fingerprint(const google::protobuf::Message& request,
                     absl::string_view actor);

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_REQUEST_H_
