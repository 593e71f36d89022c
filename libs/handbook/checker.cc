#include "libs/handbook/checker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "libs/base/names.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/handbook/form.h"
#include "libs/handbook/when.h"

namespace aftercare::handbook {

namespace {

template <typename List>
Checker::Ids IdsOf(const List& list) {
  Checker::Ids ids;
  for (const auto& entry : list) ids.push_back(entry.id());
  return ids;
}

}  // namespace

Checker::Checker(const v1::Handbook& handbook)
    : handbook_(handbook),
      calendar_ids_(IdsOf(handbook.calendars())),
      skill_ids_(IdsOf(handbook.dispatch().skills())),
      person_ids_(IdsOf(handbook.people())),
      product_line_ids_(IdsOf(handbook.product_lines())),
      form_ids_(IdsOf(handbook.forms())),
      department_ids_(IdsOf(handbook.departments())),
      case_type_ids_(IdsOf(handbook.intake().case_types())),
      classification_ids_(IdsOf(handbook.intake().classifications())),
      channels_(handbook.intake().channels().begin(),
                handbook.intake().channels().end()) {
  absl::TimeZone zone;
  if (!handbook.time_zone().empty() &&
      absl::LoadTimeZone(handbook.time_zone(), &zone)) {
    zone_ = handbook.time_zone();
  }
  for (const auto& person : handbook.people()) {
    held_roles_.insert(person.roles().begin(), person.roles().end());
  }
  for (const auto& form : handbook.forms()) {
    for (const auto& field : form.fields()) field_ids_.push_back(field.id());
  }
}

const Checker::Ids& Checker::known_roles() {
  static const auto* const roles = new Ids{
      "agent",     "supervisor", "dispatcher", "technician",   "returns_clerk",
      "inspector", "finance",    "appraiser",  "importer",     "auditor",
      "manager",   "quality",    "sales",      "tech_support", "complaints"};
  return *roles;
}

const Checker::Ids& Checker::known_kinds() {
  static const auto* const kinds =
      new Ids{"inquiry",    "complaint", "repair",
              "suggestion", "request",   "intelligence"};
  return *kinds;
}

const Checker::Ids& Checker::known_priorities() {
  static const auto* const priorities =
      new Ids{"low", "normal", "high", "urgent"};
  return *priorities;
}

void Checker::Add(std::string path, std::string text, std::string suggestion) {
  problems_.push_back(
      {std::move(path), std::move(text), std::move(suggestion), 0});
}

void Checker::Values(const google::protobuf::Message& message,
                     const std::string& path) {
  using google::protobuf::FieldDescriptor;
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name =
        path.empty() ? field->name() : absl::StrCat(path, ".", field->name());
    const int count =
        field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const bool list = field->is_repeated();
      const std::string at = list ? absl::StrCat(name, "[", i, "]") : name;
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Values(list ? reflection->GetRepeatedMessage(message, field, i)
                    : reflection->GetMessage(message, field),
               at);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        const std::string text =
            list ? reflection->GetRepeatedString(message, field, i)
                 : reflection->GetString(message, field);
        if (!CheckOptionalText(at, text, kMaxShortText).ok()) {
          Add(at, absl::StrCat("is longer than ", kMaxShortText,
                               " bytes or holds a control character"));
        }
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
        const int value =
            list ? reflection->GetRepeatedEnumValue(message, field, i)
                 : reflection->GetEnumValue(message, field);
        if (field->enum_type()->FindValueByNumber(value) == nullptr) {
          Add(at, absl::StrCat(value, " is no known value"));
        }
      }
    }
  }
}

void Checker::Id(const std::string& path, const std::string& id,
                 std::set<std::string>& seen) {
  if (!IsResourceId(id)) {
    Add(path, "must be 1 to 63 lower-case letters, digits or hyphens");
  } else if (!seen.insert(id).second) {
    Add(path, absl::StrCat("'", id, "' appears twice"));
  }
}

bool Checker::OneOf(const std::string& path, const std::string& value,
                    const Ids& allowed, const char* what) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) {
    return true;
  }
  Add(path, absl::StrCat("'", value, "' is no known ", what),
      DidYouMean(value, allowed));
  return false;
}

void Checker::EachOneOf(
    const std::string& path,
    const google::protobuf::RepeatedPtrField<std::string>& values,
    const Ids& allowed, const char* what) {
  std::set<std::string> seen;
  for (int i = 0; i < values.size(); ++i) {
    const std::string at = absl::StrCat(path, "[", i, "]");
    OneOf(at, values[i], allowed, what);
    if (!seen.insert(values[i]).second) {
      Add(at, absl::StrCat("'", values[i], "' appears twice"));
    }
  }
}

void Checker::CalendarRef(const std::string& path, const std::string& id) {
  if (id.empty()) return;
  OneOf(path, id, calendar_ids_, "calendar");
}

void Checker::Clocks(
    const std::string& path,
    const google::protobuf::RepeatedPtrField<v1::ClockTarget>& clocks,
    const Ids& kinds, const Ids& required) {
  std::set<std::string> unconditional;
  for (int i = 0; i < clocks.size(); ++i) {
    const auto& clock = clocks[i];
    const std::string at = absl::StrCat(path, "[", i, "]");
    OneOf(at + ".kind", clock.kind(), kinds, "clock");
    if (!clock.has_target() || !InRange(clock.target())) {
      Add(at + ".target", "must be more than nothing and at most ten years");
    }
    CalendarRef(at + ".calendar", clock.calendar());
    for (int k = 0; k < clock.case_kinds_size(); ++k) {
      OneOf(absl::StrCat(at, ".case_kinds[", k, "]"), clock.case_kinds(k),
            known_kinds(), "kind of case");
    }
    for (int p = 0; p < clock.priorities_size(); ++p) {
      OneOf(absl::StrCat(at, ".priorities[", p, "]"), clock.priorities(p),
            known_priorities(), "priority");
    }
    if (unconditional.contains(clock.kind())) {
      Add(at, absl::StrCat("is never reached: an earlier ", clock.kind(),
                           " target has no conditions"));
    }
    if (clock.case_kinds().empty() && clock.priorities().empty()) {
      unconditional.insert(clock.kind());
    }
  }
  for (const std::string& kind : required) {
    if (!unconditional.contains(kind)) {
      Add(path, absl::StrCat("has no ", kind,
                             " target that holds for every case (GEN-30)"));
    }
  }
}

bool Checker::InRange(const google::protobuf::Duration& duration) {
  return IsValid(duration) && FromProto(duration) > absl::ZeroDuration() &&
         FromProto(duration) <= absl::Hours(24 * 3660);
}

void Checker::SpanSet(const std::string& path, const v1::Span& span,
                      bool calendar_known) {
  const int set = (span.has_time() ? 1 : 0) +
                  (span.working_days() != 0 ? 1 : 0) +
                  (span.days() != 0 ? 1 : 0) + (span.months() != 0 ? 1 : 0);
  if (set != 1) {
    Add(path, "must set exactly one of time, working_days, days, months");
  } else if (span.working_days() < 0 || span.working_days() > 3650 ||
             span.days() < 0 || span.days() > 3650 || span.months() < 0 ||
             span.months() > 1200 ||
             (span.has_time() && !InRange(span.time()))) {
    Add(path, "is out of range");
  } else if (span.working_days() > 0 && !calendar_known) {
    Add(path, "counts working days without a calendar");
  }
}

void Checker::Grace(const std::string& path,
                    const google::protobuf::Duration& grace) {
  if (!IsValid(grace) || FromProto(grace) < absl::ZeroDuration() ||
      FromProto(grace) > absl::Hours(24 * 31)) {
    Add(path, "must be between nothing and 31 days");
  }
}

void Checker::Condition(const std::string& path, const v1::When& when) {
  EachOneOf(path + ".types", when.types(), case_type_ids_, "case type");
  EachOneOf(path + ".kinds", when.kinds(), known_kinds(), "kind of case");
  EachOneOf(path + ".priorities", when.priorities(), known_priorities(),
            "priority");
  EachOneOf(path + ".channels", when.channels(), channels_, "channel");
  EachOneOf(path + ".classifications", when.classifications(),
            classification_ids_, "classification");
  EachOneOf(path + ".product_lines", when.product_lines(), product_line_ids_,
            "product line");
  EachOneOf(path + ".warranty", when.warranty(), {"in", "out", "unknown"},
            "state of the warranty");
  for (int i = 0; i < when.fields_size(); ++i) {
    const std::string at = absl::StrCat(path, ".fields[", i, "]");
    const std::string id(SplitFieldCondition(when.fields(i)).first);
    if (OneOf(at, id, field_ids_, "field of a form") && IsCaseField(id)) {
      Add(at, "has no value in the form: the case itself says it");
    }
  }
}

}  // namespace aftercare::handbook
