#include "services/ctl/methods.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/common/v1/annotations.pb.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"

namespace aftercare::ctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

std::string TypeOf(const FieldDescriptor& field) {
  std::string type;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    for (int i = 0; i < field.enum_type()->value_count(); ++i) {
      if (field.enum_type()->value(i)->number() == 0) continue;
      absl::StrAppend(&type, type.empty() ? "" : "|",
                      Kebab(field.enum_type()->value(i)->name()));
    }
  } else if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
    type = field.message_type()->name();
    if (type == "Timestamp") type = "TIME";
    if (type == "Duration") type = "DURATION";
    if (type == "Money") type = "'12.50 CNY'";
  } else {
    type = absl::AsciiStrToUpper(field.type_name());
    if (type == "STRING") type = "TEXT";
  }
  return field.is_repeated() ? absl::StrCat(type, " ...") : type;
}

bool IsPlain(const Descriptor& type) {
  return absl::StartsWith(type.full_name(), "google.protobuf.") ||
         type.full_name() == "aftercare.common.v1.Money";
}

void AddFlags(const Descriptor& type, const std::string& prefix, int depth,
              std::string* text) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const std::string name = absl::StrCat(prefix, Kebab(field.name()));
    const bool nested = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
                        !IsPlain(*field.message_type());
    if (nested && depth < 2) {
      AddFlags(*field.message_type(),
               absl::StrCat(name, field.is_repeated() ? ".0." : "."), depth + 1,
               text);
    } else {
      absl::StrAppendFormat(text, "  --%-28s %s\n", name, TypeOf(field));
    }
  }
}

}  // namespace

const std::vector<const ServiceDescriptor*>& Services() {
  static const auto* const services =
      new std::vector<const ServiceDescriptor*>([] {
        // The requests' descriptors keep the files linked.
        std::vector<const ServiceDescriptor*> all;
        for (const Descriptor* request :
             {admin::v1::GetStatusRequest::descriptor(),
              dispatch::v1::CreateWorkOrderRequest::descriptor(),
              handbook::v1::ApplyHandbookRequest::descriptor(),
              intake::v1::OpenCaseRequest::descriptor(),
              returns::v1::RequestReturnRequest::descriptor(),
              scoring::v1::OpenAppraisalRequest::descriptor()}) {
          all.push_back(request->file()->service(0));
        }
        return all;
      }());
  return *services;
}

std::string ShortName(const ServiceDescriptor& service) {
  const std::vector<std::string> parts =
      absl::StrSplit(service.full_name(), '.');
  return parts.size() > 1 ? parts[1] : service.name();
}

std::string Kebab(absl::string_view name) {
  std::string text;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (absl::ascii_isupper(c) && i > 0 && absl::ascii_islower(name[i - 1])) {
      text += '-';
    }
    text += c == '_' ? '-' : absl::ascii_tolower(c);
  }
  return text;
}

absl::StatusOr<const MethodDescriptor*> FindMethod(absl::string_view service,
                                                   absl::string_view method) {
  std::vector<std::string> names;
  for (const ServiceDescriptor* known : Services()) {
    names.push_back(ShortName(*known));
    if (names.back() != service) continue;
    for (int i = 0; i < known->method_count(); ++i) {
      if (known->method(i)->name() == method ||
          Kebab(known->method(i)->name()) == method) {
        return known->method(i);
      }
    }
    return absl::InvalidArgumentError(
        absl::StrCat("no method '", method, "':\n", Describe(*known)));
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "no service '", service, "'; there are ", absl::StrJoin(names, ", ")));
}

std::unique_ptr<google::protobuf::Message> NewRequest(
    const MethodDescriptor& method) {
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(method.input_type())
          ->New());
}

bool IsQuery(const MethodDescriptor& method) {
  // These two decide nothing in a shard, which is what the proto's `query`
  // says, but a second time is not like the first.
  if (method.name() == "WriteCheckpoint" || method.name() == "ResolveParked") {
    return false;
  }
  return method.options().GetExtension(common::v1::rules).query();
}

std::string Describe(const ServiceDescriptor& service) {
  std::string text;
  for (int i = 0; i < service.method_count(); ++i) {
    const MethodDescriptor& method = *service.method(i);
    absl::StrAppendFormat(&text, "  %s %-26s %s -> %s\n", ShortName(service),
                          Kebab(method.name()),
                          IsQuery(method) ? "reads  " : "changes",
                          method.output_type()->name());
  }
  return text;
}

std::string Describe(const MethodDescriptor& method) {
  const auto& rules = method.options().GetExtension(common::v1::rules);
  std::string text = absl::StrFormat(
      "aftercarectl %s %s [flags]\n%s %s; for %s\n",
      ShortName(*method.service()), Kebab(method.name()),
      IsQuery(method) ? "Reads. Answers with" : "Changes. Answers with",
      method.output_type()->name(), absl::StrJoin(rules.roles(), ", "));
  AddFlags(*method.input_type(), "", 0, &text);
  return text;
}

}  // namespace aftercare::ctl
