// -----------------------------------------------------------------------------
// File: when.h
// -----------------------------------------------------------------------------
//
// Conditions of rules (conditions.proto) against what is known of a case.

#ifndef AFTERCARE_LIBS_HANDBOOK_WHEN_H_
#define AFTERCARE_LIBS_HANDBOOK_WHEN_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "aftercare/common/v1/forms.pb.h"
#include "aftercare/handbook/v1/conditions.pb.h"

namespace aftercare::handbook {

using FieldValues = google::protobuf::RepeatedPtrField<common::v1::FieldValue>;

// What a condition may ask about. Empty: not known.
struct Situation {
  std::string type;
  std::string kind;
  std::string priority;
  std::string channel;
  std::string classification;
  std::string product_line;
  std::string region;
  // in, out, unknown.
  std::string warranty = "unknown";
  // Of the form; null: none. Must outlive the situation.
  const FieldValues* fields = nullptr;
};

bool Holds(const v1::When& when, const Situation& situation);

// An entry of When.fields cut in two: the field's id and the wanted value.
// Without '=' the value is empty: any will do.
std::pair<absl::string_view, absl::string_view> SplitFieldCondition(
    absl::string_view entry);

}  // namespace aftercare::handbook

#endif  // AFTERCARE_LIBS_HANDBOOK_WHEN_H_
