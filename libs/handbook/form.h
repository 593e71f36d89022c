// -----------------------------------------------------------------------------
// File: form.h
// -----------------------------------------------------------------------------
//
// Forms (forms.proto): whether a value is one of its field's type, and what is
// due when.

#ifndef AFTERCARE_LIBS_HANDBOOK_FORM_H_
#define AFTERCARE_LIBS_HANDBOOK_FORM_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aftercare/common/v1/forms.pb.h"
#include "aftercare/handbook/v1/forms.pb.h"
#include "libs/handbook/policy.h"
#include "libs/handbook/when.h"

namespace aftercare::handbook {

// Where a field may be due, in the order in which a case comes there: open,
// accept, resolve, close.
const std::vector<std::string>& FormStages();

// Whether the case itself says the field (its subject, description, product
// line or asset), so that the form takes no value for it.
bool IsCaseField(absl::string_view id);

// The field with that id, or null.
const v1::FormField* FindField(const v1::Form& form, absl::string_view id);

// FIELD_INVALID on `at` unless `value` is of the field's type and within its
// limits. Persons and the currency are the policy's.
absl::Status CheckValue(absl::string_view at, const v1::FormField& field,
                        const common::v1::FieldValue& value,
                        const Policy& policy);

// Whether the field has to be filled at that stage: it is due there or before,
// and its condition holds.
bool IsDue(const v1::FormField& field, absl::string_view stage,
           const Situation& situation);

}  // namespace aftercare::handbook

#endif  // AFTERCARE_LIBS_HANDBOOK_FORM_H_
