#include "libs/shard/request.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/process/random.h"
#include "libs/shard/apply.h"
#include "libs/shard/paging.h"

namespace aftercare::shard {
namespace {

using google::protobuf::FieldDescriptor;

// Longer ones are no names of anything.
constexpr size_t kMaxName = 512;

bool IsCollection(absl::string_view segment) {
  return !segment.empty() && segment.size() <= 63 &&
         absl::ascii_islower(segment.front()) &&
         std::all_of(segment.begin(), segment.end(), absl::ascii_isalpha);
}

bool IsName(absl::string_view name, bool wildcard) {
  if (name.size() > kMaxName) return false;
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  if (parts.size() % 2 != 0 || parts[0] != "companies") return false;
  for (size_t i = 0; i < parts.size(); i += 2) {
    if (!IsCollection(parts[i])) return false;
    if (i == 2 && wildcard && parts[3] == "-" && parts.size() == 4) continue;
    if (!IsResourceId(parts[i + 1])) return false;
  }
  return true;
}

const FieldDescriptor* StringField(const google::protobuf::Descriptor& type,
                                   const std::string& name) {
  const FieldDescriptor* field = type.FindFieldByName(name);
  if (field == nullptr || field->is_repeated() ||
      field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
    return nullptr;
  }
  return field;
}

}  // namespace

absl::StatusOr<RequestFields> RequestFields::Of(
    const google::protobuf::MethodDescriptor& method,
    const common::v1::MethodRules& rules) {
  const google::protobuf::Descriptor& type = *method.input_type();
  RequestFields fields;
  fields.name_field_ = rules.name_field().empty() ? "name" : rules.name_field();
  fields.wildcard_ = rules.query();
  const google::protobuf::Descriptor* at = &type;
  const std::vector<std::string> path = absl::StrSplit(fields.name_field_, '.');
  for (size_t i = 0; i < path.size(); ++i) {
    const FieldDescriptor* field =
        at == nullptr ? nullptr : at->FindFieldByName(path[i]);
    const bool last = i + 1 == path.size();
    if (field == nullptr || field->is_repeated() ||
        field->cpp_type() != (last ? FieldDescriptor::CPPTYPE_STRING
                                   : FieldDescriptor::CPPTYPE_MESSAGE)) {
      return absl::FailedPreconditionError(
          absl::StrCat(method.full_name(), ": no text field ",
                       fields.name_field_, " in the request"));
    }
    fields.name_path_.push_back(field);
    at = field->message_type();
  }
  fields.request_id_ = StringField(type, "request_id");
  if (!rules.child_id_field().empty()) {
    fields.child_collection_ = rules.child_collection();
    fields.child_id_ = StringField(type, rules.child_id_field());
    if (fields.child_id_ == nullptr || fields.child_collection_.empty() ||
        fields.request_id_ == nullptr) {
      return absl::FailedPreconditionError(
          absl::StrCat(method.full_name(),
                       ": child_collection and child_id_field do not fit the "
                       "request, or it has no request_id"));
    }
  }
  const FieldDescriptor* time = type.FindFieldByName("occur_time");
  if (time != nullptr && time->message_type() != nullptr &&
      time->message_type()->full_name() == "google.protobuf.Timestamp") {
    fields.occur_time_ = time;
  }
  return fields;
}

absl::StatusOr<std::string> RequestFields::NameOf(
    const google::protobuf::Message& request) const {
  const google::protobuf::Message* at = &request;
  for (size_t i = 0; i + 1 < name_path_.size(); ++i) {
    at = &at->GetReflection()->GetMessage(*at, name_path_[i]);
  }
  std::string name = at->GetReflection()->GetString(*at, name_path_.back());
  if (!IsName(name, wildcard_)) {
    return InvalidName(name_field_, "companies/*/...", name);
  }
  return name;
}

absl::StatusOr<std::string> RequestFields::ResolveTarget(
    google::protobuf::Message& request) const {
  ASSIGN_OR_RETURN(std::string name, NameOf(request));
  std::string target = name;
  if (child_id_ != nullptr) {
    std::string id = request.GetReflection()->GetString(request, child_id_);
    if (id.empty()) {
      const std::string request_id = RequestIdOf(request);
      id = request_id.empty() ? RandomId()
                              : IdFrom(absl::StrCat(name, "|", request_id));
      request.GetReflection()->SetString(&request, child_id_, id);
    }
    RETURN_IF_ERROR(CheckId(child_id_->name(), id));
    absl::StrAppend(&target, "/", child_collection_, "/", id);
  }
  if (BoundaryOf(target) == CompanyOf(target)) {
    return InvalidName(name_field_, "companies/*/*/*", name);
  }
  return target;
}

bool RequestFields::DerivesId(const google::protobuf::Message& request) const {
  return child_id_ != nullptr &&
         request.GetReflection()->GetString(request, child_id_).empty() &&
         !RequestIdOf(request).empty();
}

void RequestFields::ClearId(google::protobuf::Message& request) const {
  request.GetReflection()->ClearField(&request, child_id_);
}

std::string RequestFields::RequestIdOf(
    const google::protobuf::Message& request) const {
  return request_id_ == nullptr
             ? ""
             : request.GetReflection()->GetString(request, request_id_);
}

void RequestFields::SetRequestId(google::protobuf::Message& request,
                                 absl::string_view request_id) const {
  if (request_id_ == nullptr) return;
  request.GetReflection()->SetString(&request, request_id_,
                                     std::string(request_id));
}

absl::StatusOr<std::optional<absl::Time>> RequestFields::OccurTimeOf(
    const google::protobuf::Message& request) const {
  if (occur_time_ == nullptr ||
      !request.GetReflection()->HasField(request, occur_time_)) {
    return std::optional<absl::Time>();
  }
  const auto& time = static_cast<const google::protobuf::Timestamp&>(
      request.GetReflection()->GetMessage(request, occur_time_));
  if (!IsValid(time)) {
    return InvalidField("occur_time", "is outside 1970 to 2199");
  }
  return std::optional<absl::Time>(FromProto(time));
}

void RequestFields::DefaultOccurTime(google::protobuf::Message& request,
                                     absl::Time time) const {
  if (occur_time_ == nullptr ||
      request.GetReflection()->HasField(request, occur_time_)) {
    return;
  }
  request.GetReflection()
      ->MutableMessage(&request, occur_time_)
      ->CopyFrom(ToProto(time));
}

absl::Status CheckRequestId(absl::string_view request_id) {
  if (request_id.size() > kMaxRequestId) {
    return InvalidField(
        "request_id", absl::StrCat("has more than ", kMaxRequestId, " bytes"));
  }
  if (absl::StartsWith(request_id, kEventRequestPrefix)) {
    return InvalidField("request_id", "must not begin with 'event:'");
  }
  constexpr absl::string_view kMarks = "._-:/#+=@";
  for (const char c : request_id) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        kMarks.find(c) == absl::string_view::npos) {
      return InvalidField("request_id",
                          "may hold letters, digits and . _ - : / # + = @");
    }
  }
  return absl::OkStatus();
}

uint64_t Fingerprint(const google::protobuf::Message& request,
                     absl::string_view actor) {
  return StableHash(
      absl::StrCat(absl::Hex(ArgumentsDigest(request)), " ", actor));
}

}  // namespace aftercare::shard
