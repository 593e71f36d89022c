#include "services/ctl/text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "aftercare/common/v1/types.pb.h"
#include "google/rpc/error_details.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/log/fold.h"
#include "libs/process/logging.h"
#include "services/ctl/fields.h"

namespace aftercare::ctl {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// True, and the text in `shown`, for messages that fit on one line.
absl::StatusOr<std::string> OneLine(const Message& message) {
  const std::string& type = message.GetDescriptor()->full_name();
  if (type == "google.protobuf.Timestamp") {
    return FormatRfc3339(
        FromProto(static_cast<const google::protobuf::Timestamp&>(message)));
  }
  if (type == "google.protobuf.Duration") {
    return absl::FormatDuration(
        FromProto(static_cast<const google::protobuf::Duration&>(message)));
  }
  if (type == "aftercare.common.v1.Money") {
    return FormatMoney(static_cast<const common::v1::Money&>(message));
  }
  return absl::NotFoundError("more than one line");
}

std::string Scalar(const Message& message, const FieldDescriptor& field,
                   int index) {
  const Reflection& r = *message.GetReflection();
  const bool many = index >= 0;
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return absl::StrCat(many ? r.GetRepeatedInt32(message, &field, index)
                               : r.GetInt32(message, &field));
    case FieldDescriptor::CPPTYPE_INT64:
      return absl::StrCat(many ? r.GetRepeatedInt64(message, &field, index)
                               : r.GetInt64(message, &field));
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(many ? r.GetRepeatedUInt32(message, &field, index)
                               : r.GetUInt32(message, &field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(many ? r.GetRepeatedUInt64(message, &field, index)
                               : r.GetUInt64(message, &field));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return absl::StrCat(many ? r.GetRepeatedDouble(message, &field, index)
                               : r.GetDouble(message, &field));
    case FieldDescriptor::CPPTYPE_FLOAT:
      return absl::StrCat(many ? r.GetRepeatedFloat(message, &field, index)
                               : r.GetFloat(message, &field));
    case FieldDescriptor::CPPTYPE_BOOL:
      return (many ? r.GetRepeatedBool(message, &field, index)
                   : r.GetBool(message, &field))
                 ? "true"
                 : "false";
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = many ? r.GetRepeatedEnumValue(message, &field, index)
                              : r.GetEnumValue(message, &field);
      const auto* value = field.enum_type()->FindValueByNumber(number);
      return value == nullptr ? absl::StrCat(number)
                              : absl::AsciiStrToLower(value->name());
    }
    case FieldDescriptor::CPPTYPE_STRING:
      return many ? r.GetRepeatedString(message, &field, index)
                  : r.GetString(message, &field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  return "";
}

void Append(const Message& message, const std::string& indent,
            std::string* text) {
  std::vector<const FieldDescriptor*> fields;
  const Reflection& r = *message.GetReflection();
  r.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? r.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const int index = field->is_repeated() ? i : -1;
      absl::StrAppend(text, indent, field->name(), ":");
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        // Continuation lines stay under their field.
        absl::StrAppend(
            text, " ",
            absl::StrReplaceAll(Printable(Scalar(message, *field, index)),
                                {{"\n", absl::StrCat("\n", indent, "  ")}}),
            "\n");
        continue;
      }
      const Message& inner = index < 0
                                 ? r.GetMessage(message, field)
                                 : r.GetRepeatedMessage(message, field, index);
      if (auto line = OneLine(inner); line.ok()) {
        absl::StrAppend(text, " ", *line, "\n");
      } else {
        absl::StrAppend(text, "\n");
        Append(inner, indent + "  ", text);
      }
    }
  }
}

struct Refusal {
  google::rpc::ErrorInfo info;
  google::rpc::BadRequest fields;
};

Refusal Details(const absl::Status& status) {
  Refusal refusal;
  if (auto info = status.GetPayload(kErrorInfoUrl)) {
    refusal.info.ParseFromString(std::string(*info));
  }
  if (auto fields = status.GetPayload(kBadRequestUrl)) {
    refusal.fields.ParseFromString(std::string(*fields));
  }
  return refusal;
}

// Characters, not bytes, and two columns for those of East Asia.
size_t Width(const std::string& text) {
  size_t width = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) == 0x80) continue;
    width += byte >= 0xE3 ? 2 : 1;
  }
  return width;
}

}  // namespace

std::string ToText(const Message& message) {
  std::string text;
  Append(message, "", &text);
  return text;
}

std::string ToText(const absl::Status& refusal) {
  const Refusal details = Details(refusal);
  std::string text =
      absl::StrCat(absl::StatusCodeToString(refusal.code()),
                   details.info.reason().empty() ? "" : " ",
                   details.info.reason(), ": ", refusal.message(), "\n");
  for (const auto& violation : details.fields.field_violations()) {
    absl::StrAppend(&text, "  field ", violation.field(), ": ",
                    violation.description(), "\n");
  }
  std::vector<std::string> lines;
  for (const auto& [name, value] : details.info.metadata()) {
    lines.push_back(absl::StrCat("  ", name, ": ", value, "\n"));
  }
  std::sort(lines.begin(), lines.end());
  for (const std::string& line : lines) text += line;
  return Printable(text);
}

std::string ToJson(const absl::Status& refusal) {
  const Refusal details = Details(refusal);
  std::string json = absl::StrCat(
      "{\"code\":", JsonQuote(absl::StatusCodeToString(refusal.code())),
      ",\"reason\":", JsonQuote(details.info.reason()), ",\"message\":",
      JsonQuote(absl::string_view(refusal.message().data(),
                                  refusal.message().size())),
      ",\"fields\":[");
  for (int i = 0; i < details.fields.field_violations_size(); ++i) {
    const auto& violation = details.fields.field_violations(i);
    absl::StrAppend(
        &json, i == 0 ? "" : ",", "{\"field\":", JsonQuote(violation.field()),
        ",\"description\":", JsonQuote(violation.description()), "}");
  }
  std::vector<std::string> pairs;
  for (const auto& [name, value] : details.info.metadata()) {
    pairs.push_back(absl::StrCat(JsonQuote(name), ":", JsonQuote(value)));
  }
  std::sort(pairs.begin(), pairs.end());
  json += "],\"metadata\":{";
  for (size_t i = 0; i < pairs.size(); ++i) {
    absl::StrAppend(&json, i == 0 ? "" : ",", pairs[i]);
  }
  return json + "}}";
}

std::string Printable(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto byte = static_cast<unsigned char>(text[i]);
    bool control =
        (byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7F;
    // U+0080 to U+009F steer terminals too; two bytes in UTF-8.
    if (byte == 0xC2 && i + 1 < text.size() &&
        (static_cast<unsigned char>(text[i + 1]) & 0xE0) == 0x80) {
      byte = static_cast<unsigned char>(text[++i]);
      control = true;
    }
    if (control) {
      absl::StrAppendFormat(&out, "\\x%02x", byte);
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], Width(row[i]));
    }
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - Width(row[i]) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string EventLine(const admin::v1::LogEntry& entry) {
  const auto header = [&](absl::string_view name) {
    const auto it = entry.headers().find(std::string(name));
    return it == entry.headers().end() ? std::string() : it->second;
  };
  const std::string begin = absl::StrCat(
      entry.offset(), " ", admin::v1::LogEntry::Kind_Name(entry.kind()), " ");
  if (entry.kind() == admin::v1::LogEntry::CLAIM) {
    const std::string address = header(log::kAddressHeader);
    return Printable(absl::StrCat(begin, "by ", header(log::kOwnerHeader),
                                  address.empty() ? "" : " at ", address));
  }
  return Printable(absl::StrCat(begin, header("ce_time"), " ",
                                header("ce_type"), " ", header("ce_subject"),
                                " by ", header("ce_actor"), " ", entry.text()));
}

}  // namespace aftercare::ctl
