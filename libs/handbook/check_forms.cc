#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/handbook/checker.h"
#include "libs/handbook/form.h"

namespace aftercare::handbook {
namespace {

using v1::FormField;

bool IsText(FormField::Type type) {
  return type == FormField::TEXT || type == FormField::LONG_TEXT;
}

void CheckChoices(Checker& check, const std::string& path,
                  const FormField& field) {
  const bool chooses =
      field.type() == FormField::CHOICE || field.type() == FormField::CHOICES;
  if (chooses != !field.choices().empty()) {
    check.Add(path + ".choices", chooses ? "names nothing to choose from"
                                         : "goes with choice and choices only");
  }
  std::set<std::string> seen;
  for (int i = 0; i < field.choices_size(); ++i) {
    if (field.choices(i).empty() || !seen.insert(field.choices(i)).second) {
      check.Add(absl::StrCat(path, ".choices[", i, "]"),
                "is empty or repeated");
    }
  }
}

void CheckLimits(Checker& check, const std::string& path,
                 const FormField& field) {
  if (field.min() == 0 && field.max() == 0) return;
  if (IsCaseField(field.id())) {
    check.Add(path + ".max", "what the case itself says has its own limits");
  } else if (!IsText(field.type()) && field.type() != FormField::NUMBER &&
             field.type() != FormField::MONEY) {
    check.Add(path + ".max",
              "goes with text, long_text, number and money only");
  } else if (field.min() > field.max() ||
             (field.type() != FormField::NUMBER && field.min() < 0)) {
    check.Add(path + ".max", "must not be less than min, and min not negative");
  }
}

// Ids that are filled from elsewhere have a type that can hold it.
void CheckKnownId(Checker& check, const std::string& path,
                  const FormField& field) {
  static const auto* const from_files = new std::set<std::string>{
      "product", "serial", "contact", "phone", "email", "address", "customer"};
  if (IsCaseField(field.id()) && !IsText(field.type())) {
    check.Add(path + ".type", "must be text or long_text: the case says it");
  } else if (from_files->contains(field.id()) && !IsText(field.type()) &&
             field.type() != FormField::PHONE &&
             field.type() != FormField::EMAIL) {
    check.Add(path + ".type",
              "must be a text, phone or email: the customer's file or the sold "
              "unit may say it");
  } else if (field.id() == "occurred-at" && field.type() != FormField::TIME) {
    check.Add(path + ".type", "must be time");
  }
}

void CheckField(Checker& check, const std::string& path,
                const FormField& field) {
  if (field.type() == FormField::TYPE_UNSPECIFIED) {
    check.Add(path + ".type", "is missing");
  }
  if (!field.required_at().empty()) {
    check.OneOf(path + ".required_at", field.required_at(), FormStages(),
                "stage of a case");
  }
  if (field.required_at() == FormStages().front() && !IsCaseField(field.id())) {
    check.Add(path + ".required_at",
              "at open only subject, description, product-line and asset can "
              "be asked for: whatever is told is recorded (INT-35)");
  }
  CheckChoices(check, path, field);
  CheckLimits(check, path, field);
  CheckKnownId(check, path, field);
  check.Condition(path + ".when", field.when());
}

}  // namespace

void CheckForms(Checker& check) {
  std::set<std::string> forms;
  for (int i = 0; i < check.handbook().forms_size(); ++i) {
    const v1::Form& form = check.handbook().forms(i);
    const std::string path = absl::StrCat("forms[", i, "]");
    check.Id(path + ".id", form.id(), forms);
    if (form.fields().empty()) check.Add(path + ".fields", "names no field");
    std::set<std::string> fields;
    for (int f = 0; f < form.fields_size(); ++f) {
      const std::string at = absl::StrCat(path, ".fields[", f, "]");
      check.Id(at + ".id", form.fields(f).id(), fields);
      CheckField(check, at, form.fields(f));
    }
  }
}

}  // namespace aftercare::handbook
