// What a case says against what its type's form asks for (INT-05 to INT-09,
// INT-30, INT-33), and what follows from it: classification and department.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_FORM_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_FORM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"
#include "libs/handbook/policy.h"
#include "libs/handbook/when.h"

namespace aftercare::intake {

using handbook::FieldValues;

// What conditions of the handbook may ask about the case. It must outlive the
// answer.
handbook::Situation SituationOf(const v1::Case& c);

// The form of the case's type; null: the case has no type, its type no form, or
// the handbook knows the type no more.
const handbook::v1::Form* FormOf(const handbook::Policy& policy,
                                 const v1::Case& c);

// The field's values, wherever they are said: by the form, the case itself, its
// sold unit or the customer's file.
std::vector<common::v1::FieldValue> ValuesOf(
    const RowReader& rows, const v1::Case& c,
    const handbook::v1::FormField& field);

// Ids of the fields that the case has to say at that stage
// (libs/handbook/form.h) and that nothing says, in the order of the form.
std::vector<std::string> MissingFields(const RowReader& rows,
                                       const handbook::Policy& policy,
                                       const v1::Case& c,
                                       absl::string_view stage);

// FORM_INCOMPLETE when something is missing at the stage.
absl::Status CheckForm(const RowReader& rows, const CommandContext& context,
                       const v1::Case& c, absl::string_view stage);

// Writes `values` over earlier ones of the same fields. FORM_FIELD_UNKNOWN,
// FIELD_INVALID on fields[<id>].
absl::Status PutFields(const CommandContext& context, const FieldValues& values,
                       v1::Case& c);

// Brings missing_fields up to date.
void SetMissingFields(const RowReader& rows, const CommandContext& context,
                      v1::Case& c);

// FIELD_INVALID when one is malformed or there twice, or the case would have
// more than it can.
absl::Status AddAttachments(
    const google::protobuf::RepeatedPtrField<common::v1::Attachment>& added,
    v1::Case& c);

// Empty texts leave what is there; a code that the new classification does not
// have goes. CLASSIFICATION_UNKNOWN, FAULT_CODE_UNKNOWN.
absl::Status Classify(const CommandContext& context,
                      const std::string& classification,
                      const std::string& fault_code, v1::Case& c);

// The route that holds for the case, or null.
const handbook::v1::Route* RouteOf(const CommandContext& context,
                                   const v1::Case& c);

// The department by route, else by type; empty: none (INT-28).
std::string DepartmentOf(const CommandContext& context, const v1::Case& c);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_FORM_H_
