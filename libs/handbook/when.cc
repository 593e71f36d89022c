#include "libs/handbook/when.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace aftercare::handbook {
namespace {

using common::v1::FieldValue;
using Texts = google::protobuf::RepeatedPtrField<std::string>;

bool Fits(const Texts& alternatives, const std::string& value) {
  return alternatives.empty() ||
         std::find(alternatives.begin(), alternatives.end(), value) !=
             alternatives.end();
}

bool IsValue(const FieldValue& value, absl::string_view wanted) {
  switch (value.value_case()) {
    case FieldValue::kText:
      return value.text() == wanted;
    case FieldValue::kNumber:
      return absl::StrCat(value.number()) == wanted;
    case FieldValue::kYes:
      return wanted == (value.yes() ? "true" : "false");
    case FieldValue::kMoney:
    case FieldValue::kTime:
    case FieldValue::kFile:
    case FieldValue::VALUE_NOT_SET:
      return false;
  }
  return false;
}

bool HasField(const FieldValues* fields, absl::string_view entry) {
  if (fields == nullptr) return false;
  const auto [id, wanted] = SplitFieldCondition(entry);
  return std::any_of(fields->begin(), fields->end(),
                     [&, id = id, wanted = wanted](const FieldValue& value) {
                       return value.field() == id &&
                              (wanted.empty() || IsValue(value, wanted));
                     });
}

// Each field that is named has one of the values named with it.
bool FieldsHold(const Texts& entries, const FieldValues* fields) {
  return std::all_of(
      entries.begin(), entries.end(), [&](const std::string& one) {
        const absl::string_view id = SplitFieldCondition(one).first;
        return std::any_of(entries.begin(), entries.end(),
                           [&](const std::string& other) {
                             return SplitFieldCondition(other).first == id &&
                                    HasField(fields, other);
                           });
      });
}

}  // namespace

std::pair<absl::string_view, absl::string_view> SplitFieldCondition(
    absl::string_view entry) {
  const size_t cut = entry.find('=');
  if (cut == absl::string_view::npos) return {entry, ""};
  return {entry.substr(0, cut), entry.substr(cut + 1)};
}

bool Holds(const v1::When& when, const Situation& situation) {
  return Fits(when.types(), situation.type) &&
         Fits(when.kinds(), situation.kind) &&
         Fits(when.priorities(), situation.priority) &&
         Fits(when.channels(), situation.channel) &&
         Fits(when.classifications(), situation.classification) &&
         Fits(when.product_lines(), situation.product_line) &&
         Fits(when.regions(), situation.region) &&
         Fits(when.warranty(), situation.warranty) &&
         FieldsHold(when.fields(), situation.fields);
}

}  // namespace aftercare::handbook
