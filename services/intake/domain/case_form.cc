#include "services/intake/domain/case_form.h"

#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/handbook/form.h"
#include "services/intake/domain/case_common.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {
namespace {

using common::v1::FieldValue;
using handbook::v1::FormField;

constexpr int kMaxAttachments = 100;

// What the case itself, its unit or the customer's file says of the field.
std::string SaidElsewhere(const RowReader& rows, const v1::Case& c,
                          const std::string& id) {
  if (id == "subject") return c.subject();
  if (id == "description") return c.description();
  if (id == "product-line") return c.product_line();
  if (id == "asset") return c.asset();
  if (id == "product" || id == "serial") {
    const v1::Asset* asset =
        c.asset().empty() ? nullptr : rows.Find(kAssets, c.asset());
    if (asset == nullptr) return "";
    return id == "product" ? asset->product() : asset->serial();
  }
  const v1::Customer* customer = rows.Find(kCustomers, BoundaryOf(c.name()));
  if (customer == nullptr) return "";
  if (id == "phone") return customer->phone();
  if (id == "email") return customer->email();
  if (id == "contact") {
    return customer->phone().empty() ? customer->email() : customer->phone();
  }
  if (id == "address") return customer->address();
  if (id == "customer") return customer->display_name();
  return "";
}

std::string PathOf(const std::string& field) {
  return absl::StrCat("fields[", field, "]");
}

absl::Status FieldUnknown(const std::string& field, const v1::Case& c) {
  return WithField(Refuse(v1::REASON_FORM_FIELD_UNKNOWN,
                          "the form of the case's type has no such field",
                          {{"field", field}, {"type", c.type()}}),
                   PathOf(field), "is no field of the form");
}

absl::Status CheckOne(const CommandContext& context,
                      const handbook::v1::Form* form, const FieldValue& value,
                      const v1::Case& c) {
  const FormField* field =
      form == nullptr ? nullptr : handbook::FindField(*form, value.field());
  if (field == nullptr) return FieldUnknown(value.field(), c);
  const std::string at = PathOf(value.field());
  if (handbook::IsCaseField(value.field())) {
    return InvalidField(at, "is said by the request's own field");
  }
  RETURN_IF_ERROR(handbook::CheckValue(at, *field, value, *context.policy));
  if (value.field() == "occurred-at" &&
      FromProto(value.time()) > FromProto(c.open_time())) {
    return InvalidField(at, "lies after the case came in");
  }
  return absl::OkStatus();
}

// No field twice, but for choices, of which none is there twice.
absl::Status CheckRepeats(const handbook::v1::Form& form,
                          const FieldValues& values) {
  std::set<std::pair<std::string, std::string>> seen;
  for (const FieldValue& value : values) {
    const FormField* field = handbook::FindField(form, value.field());
    const bool choices = field->type() == FormField::CHOICES;
    if (!seen.emplace(value.field(), choices ? value.text() : "").second) {
      return InvalidField(PathOf(value.field()), "is there twice");
    }
  }
  return absl::OkStatus();
}

}  // namespace

handbook::Situation SituationOf(const v1::Case& c) {
  handbook::Situation situation;
  situation.type = c.type();
  situation.kind = absl::AsciiStrToLower(v1::Case::Kind_Name(c.kind()));
  situation.priority =
      absl::AsciiStrToLower(v1::Case::Priority_Name(c.priority()));
  situation.channel = c.channel();
  situation.classification = c.classification();
  situation.product_line = c.product_line();
  situation.region = c.region();
  if (!c.asset().empty()) situation.warranty = c.in_warranty() ? "in" : "out";
  situation.fields = &c.fields();
  return situation;
}

const handbook::v1::Form* FormOf(const handbook::Policy& policy,
                                 const v1::Case& c) {
  const auto* type = policy.FindCaseType(c.type());
  return type == nullptr ? nullptr : policy.FindForm(type->form());
}

std::vector<FieldValue> ValuesOf(const RowReader& rows, const v1::Case& c,
                                 const FormField& field) {
  std::vector<FieldValue> values;
  for (const FieldValue& value : c.fields()) {
    if (value.field() == field.id()) values.push_back(value);
  }
  if (!values.empty()) return values;
  std::string text = SaidElsewhere(rows, c, field.id());
  if (text.empty()) return values;
  values.emplace_back();
  values.back().set_field(field.id());
  values.back().set_text(std::move(text));
  return values;
}

std::vector<std::string> MissingFields(const RowReader& rows,
                                       const handbook::Policy& policy,
                                       const v1::Case& c,
                                       absl::string_view stage) {
  std::vector<std::string> missing;
  const auto* form = FormOf(policy, c);
  if (form == nullptr) return missing;
  const handbook::Situation situation = SituationOf(c);
  for (const FormField& field : form->fields()) {
    if (handbook::IsDue(field, stage, situation) &&
        ValuesOf(rows, c, field).empty()) {
      missing.push_back(field.id());
    }
  }
  return missing;
}

absl::Status CheckForm(const RowReader& rows, const CommandContext& context,
                       const v1::Case& c, absl::string_view stage) {
  const std::vector<std::string> missing =
      MissingFields(rows, *context.policy, c, stage);
  if (missing.empty()) return absl::OkStatus();
  const auto* form = FormOf(*context.policy, c);
  absl::Status refusal =
      Refuse(v1::REASON_FORM_INCOMPLETE,
             absl::StrCat("the case does not say what its form asks for: ",
                          absl::StrJoin(missing, ", ")),
             {{"name", c.name()},
              {"stage", std::string(stage)},
              {"form", form->id()},
              {"rule", form->rule()},
              {"fields", absl::StrJoin(missing, ",")}});
  for (const std::string& field : missing) {
    refusal = WithField(std::move(refusal), PathOf(field), "is missing");
  }
  return refusal;
}

absl::Status PutFields(const CommandContext& context, const FieldValues& values,
                       v1::Case& c) {
  if (values.empty()) return absl::OkStatus();
  const auto* form = FormOf(*context.policy, c);
  for (int i = 0; i < values.size(); ++i) {
    // What is no id is not repeated in the refusal.
    RETURN_IF_ERROR(
        CheckId(absl::StrCat("fields[", i, "].field"), values[i].field()));
    RETURN_IF_ERROR(CheckOne(context, form, values[i], c));
  }
  RETURN_IF_ERROR(CheckRepeats(*form, values));
  FieldValues all;
  const auto take = [&all](const FieldValues& from, const std::string& field) {
    const int before = all.size();
    for (const FieldValue& value : from) {
      if (value.field() == field) *all.Add() = value;
    }
    return all.size() > before;
  };
  for (const FormField& field : form->fields()) {
    if (!take(values, field.id())) take(c.fields(), field.id());
  }
  // Of fields that an earlier handbook had.
  for (const FieldValue& value : c.fields()) {
    if (handbook::FindField(*form, value.field()) == nullptr) {
      *all.Add() = value;
    }
  }
  c.mutable_fields()->Swap(&all);
  return absl::OkStatus();
}

void SetMissingFields(const RowReader& rows, const CommandContext& context,
                      v1::Case& c) {
  c.clear_missing_fields();
  for (std::string& field : MissingFields(rows, *context.policy, c, "accept")) {
    c.add_missing_fields(std::move(field));
  }
}

absl::Status AddAttachments(
    const google::protobuf::RepeatedPtrField<common::v1::Attachment>& added,
    v1::Case& c) {
  std::set<std::string> seen;
  for (const auto& attachment : c.attachments()) {
    seen.insert(attachment.sha256());
  }
  for (int i = 0; i < added.size(); ++i) {
    const std::string at = absl::StrCat("attachments[", i, "]");
    RETURN_IF_ERROR(CheckAttachment(at, added[i]));
    if (!seen.insert(added[i].sha256()).second) {
      return InvalidField(absl::StrCat(at, ".sha256"), "is there twice");
    }
    *c.add_attachments() = added[i];
  }
  if (c.attachments_size() > kMaxAttachments) {
    return InvalidField("attachments",
                        absl::StrCat("a case has at most ", kMaxAttachments));
  }
  return absl::OkStatus();
}

absl::Status Classify(const CommandContext& context,
                      const std::string& classification,
                      const std::string& fault_code, v1::Case& c) {
  std::string wanted = classification;
  if (wanted.empty() && c.classification().empty() && !fault_code.empty()) {
    // No code belongs to two.
    for (const auto& known :
         context.policy->handbook().intake().classifications()) {
      if (Contains(known.fault_codes(), fault_code)) wanted = known.id();
    }
  }
  if (!wanted.empty()) {
    const auto* type = context.policy->FindCaseType(c.type());
    if (context.policy->FindClassification(wanted) == nullptr ||
        (type != nullptr && !type->classifications().empty() &&
         !Contains(type->classifications(), wanted))) {
      return Refuse(v1::REASON_CLASSIFICATION_UNKNOWN,
                    "the handbook has no such classification for the case",
                    {{"classification", wanted}, {"type", c.type()}});
    }
    c.set_classification(wanted);
  }
  const auto* known = context.policy->FindClassification(c.classification());
  const auto has_code = [&](const std::string& code) {
    return known != nullptr && Contains(known->fault_codes(), code);
  };
  if (!fault_code.empty()) {
    if (!has_code(fault_code)) {
      return Refuse(
          v1::REASON_FAULT_CODE_UNKNOWN,
          "the case's classification has no such fault code",
          {{"fault_code", fault_code}, {"classification", c.classification()}});
    }
    c.set_fault_code(fault_code);
  } else if (!wanted.empty() && !has_code(c.fault_code())) {
    c.clear_fault_code();
  }
  return absl::OkStatus();
}

const handbook::v1::Route* RouteOf(const CommandContext& context,
                                   const v1::Case& c) {
  return context.policy->handbook().intake().routing().empty()
             ? nullptr
             : context.policy->FindRoute(SituationOf(c));
}

std::string DepartmentOf(const CommandContext& context, const v1::Case& c) {
  if (const auto* route = RouteOf(context, c)) return route->department();
  const auto* type = context.policy->FindCaseType(c.type());
  return type == nullptr ? "" : type->department();
}

}  // namespace aftercare::intake
