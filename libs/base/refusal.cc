#include "libs/base/refusal.h"

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "aftercare/common/v1/annotations.pb.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "libs/base/time.h"

namespace aftercare {
namespace {

// aftercare.intake.v1 -> intake.aftercare, aftercare.common.v1 -> aftercare.
std::string DomainOf(const google::protobuf::EnumValueDescriptor& value) {
  absl::string_view package = value.file()->package();
  absl::ConsumePrefix(&package, "aftercare.");
  package = package.substr(0, package.find('.'));
  if (package == "common") return "aftercare";
  return absl::StrCat(package, ".aftercare");
}

// The metadata is a map: only sorted is the same refusal the same bytes.
std::string Bytes(const google::rpc::ErrorInfo& info) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    info.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

absl::Status RefuseWith(const google::protobuf::EnumValueDescriptor& value,
                        absl::string_view message, const Metadata& metadata) {
  google::rpc::ErrorInfo info;
  absl::string_view reason = value.name();
  absl::ConsumePrefix(&reason, "REASON_");
  info.set_reason(std::string(reason));
  info.set_domain(DomainOf(value));
  for (const auto& [key, text] : metadata) {
    (*info.mutable_metadata())[key] = text;
  }
  absl::Status status(static_cast<absl::StatusCode>(
                          value.options().GetExtension(common::v1::code)),
                      message);
  // A reason without a code would be OK, which a refusal never is.
  if (status.ok()) status = absl::InternalError(message);
  status.SetPayload(kErrorInfoUrl, absl::Cord(Bytes(info)));
  return status;
}

absl::Status InvalidField(absl::string_view field,
                          absl::string_view description) {
  return WithField(Refuse(common::v1::REASON_FIELD_INVALID,
                          absl::StrCat(field, ": ", description),
                          {{"field", std::string(field)}}),
                   field, description);
}

absl::Status WithField(absl::Status status, absl::string_view field,
                       absl::string_view description) {
  google::rpc::BadRequest bad;
  if (const auto payload = status.GetPayload(kBadRequestUrl)) {
    bad.ParseFromString(std::string(*payload));
  }
  auto* violation = bad.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(std::string(description));
  status.SetPayload(kBadRequestUrl, absl::Cord(bad.SerializeAsString()));
  return status;
}

absl::Status NotFound(absl::string_view name) {
  return Refuse(common::v1::REASON_RESOURCE_NOT_FOUND,
                absl::StrCat(name, " does not exist"),
                {{"name", std::string(name)}});
}

absl::Status AlreadyExists(absl::string_view name) {
  return Refuse(common::v1::REASON_RESOURCE_ALREADY_EXISTS,
                absl::StrCat(name, " exists already"),
                {{"name", std::string(name)}});
}

absl::Status WithRetryDelay(absl::Status status, absl::Duration delay) {
  google::rpc::RetryInfo retry;
  *retry.mutable_retry_delay() = ToProto(delay);
  status.SetPayload(kRetryInfoUrl, absl::Cord(retry.SerializeAsString()));
  return status;
}

std::string ReasonOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  const auto payload = status.GetPayload(kErrorInfoUrl);
  if (!payload || !info.ParseFromString(std::string(*payload))) return "";
  return info.reason();
}

std::string FieldOf(const absl::Status& status) {
  google::rpc::BadRequest bad;
  const auto payload = status.GetPayload(kBadRequestUrl);
  if (!payload || !bad.ParseFromString(std::string(*payload)) ||
      bad.field_violations().empty()) {
    return "";
  }
  return bad.field_violations(0).field();
}

}  // namespace aftercare
