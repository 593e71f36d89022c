#include "services/ctl/fields.h"

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/json_util.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/handbook/yaml.h"
#include "services/ctl/csv.h"

namespace aftercare::ctl {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

absl::Status Bad(absl::string_view path, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", problem));
}

// Digits after the point, by ISO 4217.
size_t MinorDigits(absl::string_view currency) {
  static const auto* const digits =
      new absl::flat_hash_map<absl::string_view, size_t>{
          {"BHD", 3}, {"BIF", 0}, {"CLF", 4}, {"CLP", 0}, {"DJF", 0},
          {"GNF", 0}, {"IQD", 3}, {"ISK", 0}, {"JOD", 3}, {"JPY", 0},
          {"KMF", 0}, {"KRW", 0}, {"KWD", 3}, {"LYD", 3}, {"OMR", 3},
          {"PYG", 0}, {"RWF", 0}, {"TND", 3}, {"UGX", 0}, {"UYI", 0},
          {"UYW", 4}, {"VND", 0}, {"VUV", 0}, {"XAF", 0}, {"XOF", 0},
          {"XPF", 0}};
  const auto it = digits->find(currency);
  return it == digits->end() ? 2 : it->second;
}

std::string EnumChoices(const FieldDescriptor& field) {
  std::string choices;
  for (int i = 0; i < field.enum_type()->value_count(); ++i) {
    const EnumValueDescriptor* value = field.enum_type()->value(i);
    if (value->number() == 0) continue;
    absl::StrAppend(&choices, choices.empty() ? "" : ", ",
                    absl::AsciiStrToLower(value->name()));
  }
  return choices;
}

absl::StatusOr<int> ParseEnum(const FieldDescriptor& field,
                              absl::string_view path, absl::string_view text) {
  const std::string wanted =
      absl::StrReplaceAll(absl::AsciiStrToUpper(text), {{"-", "_"}});
  const EnumValueDescriptor* value = field.enum_type()->FindValueByName(wanted);
  if (value == nullptr) {
    return Bad(path,
               absl::StrCat("'", text, "' is none of ", EnumChoices(field)));
  }
  return value->number();
}

absl::Status SetMessage(Message& target, absl::string_view path,
                        absl::string_view text) {
  const std::string type(target.GetDescriptor()->full_name());
  if (type == "google.protobuf.Timestamp") {
    auto time = ParseRfc3339(text);
    if (!time.ok()) {
      return Bad(path, absl::StrCat("'", text,
                                    "' is no time such as "
                                    "2026-03-01T08:30:00+08:00"));
    }
    target.CopyFrom(ToProto(*time));
    return absl::OkStatus();
  }
  if (type == "google.protobuf.Duration") {
    auto duration = handbook::ParseDuration(text);
    if (!duration.ok()) {
      return Bad(path, absl::StrCat("'", text, "' is no duration such as 90m"));
    }
    target.CopyFrom(ToProto(*duration));
    return absl::OkStatus();
  }
  if (type == "aftercare.common.v1.Money" && !absl::StartsWith(text, "{")) {
    auto money = ParseMoney(text);
    if (!money.ok()) return Bad(path, money.status().message());
    target.CopyFrom(*money);
    return absl::OkStatus();
  }
  target.Clear();
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(std::string(text), &target);
  if (!parsed.ok()) {
    return Bad(path, absl::StrCat("no JSON of ", type, ": ",
                                  std::string(parsed.message())));
  }
  return absl::OkStatus();
}

absl::Status SetScalar(Message& message, const FieldDescriptor& field,
                       absl::string_view path, absl::string_view text) {
  const Reflection& reflection = *message.GetReflection();
  const bool add = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32: {
      int32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) break;
      add ? reflection.AddInt32(&message, &field, value)
          : reflection.SetInt32(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      int64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) break;
      add ? reflection.AddInt64(&message, &field, value)
          : reflection.SetInt64(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      uint32_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) break;
      add ? reflection.AddUInt32(&message, &field, value)
          : reflection.SetUInt32(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT64: {
      uint64_t value = 0;
      if (!absl::SimpleAtoi(text, &value)) break;
      add ? reflection.AddUInt64(&message, &field, value)
          : reflection.SetUInt64(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool value = false;
      if (!absl::SimpleAtob(text, &value)) break;
      add ? reflection.AddBool(&message, &field, value)
          : reflection.SetBool(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      ASSIGN_OR_RETURN(const int value, ParseEnum(field, path, text));
      add ? reflection.AddEnumValue(&message, &field, value)
          : reflection.SetEnumValue(&message, &field, value);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_STRING:
      if (!IsUtf8(text)) return Bad(path, "is not UTF-8");
      add ? reflection.AddString(&message, &field, std::string(text))
          : reflection.SetString(&message, &field, std::string(text));
      return absl::OkStatus();
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return SetMessage(*(add ? reflection.AddMessage(&message, &field)
                              : reflection.MutableMessage(&message, &field)),
                        path, text);
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Bad(path, "this type cannot be set from text; use --request");
  }
  return Bad(path, absl::StrCat("'", text, "' is no ", field.cpp_type_name()));
}

std::vector<std::string> Parts(absl::string_view path) {
  return absl::StrSplit(absl::StrReplaceAll(path, {{"-", "_"}}), '.');
}

// The field at parts[at] of such a message.
absl::StatusOr<const FieldDescriptor*> FieldAt(
    const Descriptor& type, const std::vector<std::string>& parts, size_t at,
    absl::string_view path) {
  const FieldDescriptor* field = type.FindFieldByName(parts[at]);
  if (field == nullptr) {
    return Bad(path,
               absl::StrCat(type.name(), " has no field '", parts[at], "'"));
  }
  if (at + 1 == parts.size()) return field;
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return Bad(path, absl::StrCat("'", parts[at], "' has no fields"));
  }
  int index = 0;
  if (field->is_repeated() &&
      (at + 2 >= parts.size() || !absl::SimpleAtoi(parts[at + 1], &index) ||
       index < 0)) {
    return Bad(path, absl::StrCat("'", parts[at], "' is a list: write ",
                                  parts[at], ".0.<field>, then 1 and so on"));
  }
  return field;
}

absl::Status SetAt(Message& message, const std::vector<std::string>& parts,
                   size_t at, absl::string_view path, absl::string_view text) {
  ASSIGN_OR_RETURN(const FieldDescriptor* field,
                   FieldAt(*message.GetDescriptor(), parts, at, path));
  if (at + 1 == parts.size()) return SetScalar(message, *field, path, text);
  const Reflection& reflection = *message.GetReflection();
  if (!field->is_repeated()) {
    return SetAt(*reflection.MutableMessage(&message, field), parts, at + 1,
                 path, text);
  }
  const int size = reflection.FieldSize(message, field);
  int index = 0;
  if (!absl::SimpleAtoi(parts[at + 1], &index) || index > size) {
    return Bad(path,
               absl::StrCat("'", parts[at], "' has ", size,
                            " entries; the next is ", parts[at], ".", size));
  }
  return SetAt(*(index == size ? reflection.AddMessage(&message, field)
                               : reflection.MutableRepeatedMessage(
                                     &message, field, index)),
               parts, at + 2, path, text);
}

}  // namespace

absl::Status SetField(Message& message, absl::string_view path,
                      absl::string_view text) {
  return SetAt(message, Parts(path), 0, path, text);
}

absl::Status CheckField(const Descriptor& type, absl::string_view path) {
  const std::vector<std::string> parts = Parts(path);
  const Descriptor* at_type = &type;
  for (size_t at = 0; at < parts.size();) {
    ASSIGN_OR_RETURN(const FieldDescriptor* field,
                     FieldAt(*at_type, parts, at, path));
    at += at + 1 < parts.size() && field->is_repeated() ? 2 : 1;
    at_type = field->message_type();
  }
  return absl::OkStatus();
}

absl::StatusOr<common::v1::Money> ParseMoney(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no amount such as 12.50 CNY"));
  std::vector<std::string> parts =
      absl::StrSplit(text, ' ', absl::SkipWhitespace());
  if (parts.size() != 2) return bad;
  if (absl::ascii_isalpha(parts[0][0])) std::swap(parts[0], parts[1]);
  common::v1::Money money;
  money.set_currency_code(parts[1]);
  absl::string_view number = parts[0];
  const bool negative = absl::ConsumePrefix(&number, "-");
  const std::vector<std::string> halves = absl::StrSplit(number, '.');
  const size_t digits = MinorDigits(parts[1]);
  if (halves.size() > 2 || (halves.size() == 2 && halves[1].empty())) {
    return bad;
  }
  std::string minor = halves.size() == 2 ? halves[1] : "";
  if (minor.size() > digits) return bad;
  minor.resize(digits, '0');
  const std::string all = halves[0] + minor;
  for (char c : all) {
    if (!absl::ascii_isdigit(c)) return bad;
  }
  int64_t units = 0;
  if (halves[0].empty() || !absl::SimpleAtoi(all, &units)) return bad;
  money.set_minor_units(negative ? -units : units);
  return money;
}

std::string FormatMoney(const common::v1::Money& money) {
  const size_t digits = MinorDigits(money.currency_code());
  const bool negative = money.minor_units() < 0;
  std::string text =
      absl::StrCat(negative ? 0 - static_cast<uint64_t>(money.minor_units())
                            : static_cast<uint64_t>(money.minor_units()));
  if (digits > 0) {
    if (text.size() <= digits) text.insert(0, digits + 1 - text.size(), '0');
    text.insert(text.size() - digits, ".");
  }
  return absl::StrCat(negative ? "-" : "", text, " ", money.currency_code());
}

}  // namespace aftercare::ctl
