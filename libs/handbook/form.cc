#include "libs/handbook/form.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/civil_time.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/validate.h"

namespace aftercare::handbook {
namespace {

using common::v1::FieldValue;
using v1::FormField;

// RFC 5321: the longest path an address can have.
constexpr size_t kMaxEmail = 254;

FieldValue::ValueCase ValueOf(FormField::Type type) {
  switch (type) {
    case FormField::NUMBER:
      return FieldValue::kNumber;
    case FormField::MONEY:
      return FieldValue::kMoney;
    case FormField::TIME:
      return FieldValue::kTime;
    case FormField::YES_NO:
      return FieldValue::kYes;
    case FormField::FILE:
      return FieldValue::kFile;
    default:
      return FieldValue::kText;
  }
}

const char* NameOf(FieldValue::ValueCase value) {
  switch (value) {
    case FieldValue::kText:
      return "a text";
    case FieldValue::kNumber:
      return "a number";
    case FieldValue::kMoney:
      return "an amount";
    case FieldValue::kTime:
      return "a time";
    case FieldValue::kYes:
      return "yes or no";
    case FieldValue::kFile:
      return "a file";
    case FieldValue::VALUE_NOT_SET:
      break;
  }
  return "a value";
}

// Of UTF-8 text: bytes that continue none.
int64_t Characters(absl::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (c & 0xc0) != 0x80; });
}

absl::Status CheckLimits(absl::string_view at, const FormField& field,
                         int64_t amount, const char* unit) {
  if ((field.min() == 0 && field.max() == 0) ||
      (amount >= field.min() && amount <= field.max())) {
    return absl::OkStatus();
  }
  return InvalidField(
      at, absl::StrCat("must be ", field.min(), " to ", field.max(), unit));
}

absl::Status CheckFormText(absl::string_view at, const FormField& field,
                           const std::string& text, size_t max) {
  RETURN_IF_ERROR(CheckText(at, text, max));
  return CheckLimits(at, field, Characters(text), " characters");
}

bool IsDate(const std::string& text) {
  absl::CivilDay day;
  // Parsing alone takes 2026-3-1 as well.
  return absl::ParseCivilTime(text, &day) && absl::FormatCivilTime(day) == text;
}

bool IsPhone(absl::string_view text) {
  const auto digits =
      std::count_if(text.begin(), text.end(),
                    [](unsigned char c) { return absl::ascii_isdigit(c); });
  return digits >= 3 && digits <= 30 && text.size() <= 60 &&
         text.find_first_not_of("0123456789 +-()./#*") ==
             absl::string_view::npos;
}

bool IsEmail(absl::string_view text) {
  const size_t at = text.find('@');
  if (at == absl::string_view::npos || at == 0 || text.size() > kMaxEmail) {
    return false;
  }
  const absl::string_view domain = text.substr(at + 1);
  const size_t dot = domain.find('.');
  return domain.find('@') == absl::string_view::npos &&
         dot != absl::string_view::npos && dot != 0 && domain.back() != '.' &&
         std::none_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isspace(c) || absl::ascii_iscntrl(c);
         });
}

}  // namespace

const std::vector<std::string>& FormStages() {
  static const auto* const stages =
      new std::vector<std::string>{"open", "accept", "resolve", "close"};
  return *stages;
}

bool IsCaseField(absl::string_view id) {
  return id == "subject" || id == "description" || id == "product-line" ||
         id == "asset";
}

const FormField* FindField(const v1::Form& form, absl::string_view id) {
  for (const FormField& field : form.fields()) {
    if (field.id() == id) return &field;
  }
  return nullptr;
}

absl::Status CheckValue(absl::string_view at, const FormField& field,
                        const FieldValue& value, const Policy& policy) {
  const FieldValue::ValueCase wanted = ValueOf(field.type());
  if (value.value_case() != wanted) {
    return InvalidField(at, absl::StrCat("must be ", NameOf(wanted)));
  }
  switch (field.type()) {
    case FormField::TEXT:
      return CheckFormText(at, field, value.text(), kMaxShortText);
    case FormField::LONG_TEXT:
      return CheckFormText(at, field, value.text(), kMaxLongText);
    case FormField::NUMBER:
      return CheckLimits(at, field, value.number(), "");
    case FormField::MONEY:
      RETURN_IF_ERROR(
          CheckMoney(at, value.money(), policy.handbook().currency_code()));
      return CheckLimits(at, field, value.money().minor_units(),
                         " of the currency's smallest units");
    case FormField::DATE:
      if (IsDate(value.text())) return absl::OkStatus();
      return InvalidField(at, "must be a day such as 2026-03-01");
    case FormField::TIME:
      return CheckTime(at, value.time());
    case FormField::CHOICE:
    case FormField::CHOICES:
      if (std::find(field.choices().begin(), field.choices().end(),
                    value.text()) != field.choices().end()) {
        return absl::OkStatus();
      }
      return InvalidField(at,
                          absl::StrCat("must be one of ",
                                       absl::StrJoin(field.choices(), ", ")));
    case FormField::YES_NO:
      return absl::OkStatus();
    case FormField::PHONE:
      if (IsPhone(value.text())) return absl::OkStatus();
      return InvalidField(at, "must be a telephone number");
    case FormField::EMAIL:
      if (IsEmail(value.text())) return absl::OkStatus();
      return InvalidField(at, "must be an e-mail address");
    case FormField::PERSON:
      if (policy.FindPerson(value.text()) != nullptr) return absl::OkStatus();
      return InvalidField(at, "must be the id of one of the handbook's people");
    case FormField::FILE:
      return CheckAttachment(at, value.file());
    // A newer handbook than this program; check.h lets none be published.
    default:
      return InvalidField(at, "is of a type that is not known here");
  }
}

bool IsDue(const FormField& field, absl::string_view stage,
           const Situation& situation) {
  if (field.required_at().empty()) return false;
  const auto& stages = FormStages();
  const auto due = std::find(stages.begin(), stages.end(), field.required_at());
  return due <= std::find(stages.begin(), stages.end(), stage) &&
         Holds(field.when(), situation);
}

}  // namespace aftercare::handbook
