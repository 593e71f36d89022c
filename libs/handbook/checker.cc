#include "libs/handbook/checker.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "libs/base/names.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"

namespace aftercare::handbook {

Checker::Checker(const v1::Handbook& handbook) : handbook_(handbook) {
  absl::TimeZone zone;
  if (!handbook.time_zone().empty() &&
      absl::LoadTimeZone(handbook.time_zone(), &zone)) {
    zone_ = handbook.time_zone();
  }
  for (const auto& calendar : handbook.calendars()) {
    calendar_ids_.push_back(calendar.id());
  }
  for (const auto& skill : handbook.dispatch().skills()) {
    skill_ids_.push_back(skill.id());
  }
  for (const auto& person : handbook.people()) {
    held_roles_.insert(person.roles().begin(), person.roles().end());
  }
}

const std::vector<std::string>& Checker::known_roles() {
  static const auto* const roles = new std::vector<std::string>{
      "agent",     "supervisor", "dispatcher", "technician", "returns_clerk",
      "inspector", "finance",    "appraiser",  "importer",   "auditor"};
  return *roles;
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
                    const std::vector<std::string>& allowed, const char* what) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) {
    return true;
  }
  Add(path, absl::StrCat("'", value, "' is no known ", what),
      DidYouMean(value, allowed));
  return false;
}

void Checker::CalendarRef(const std::string& path, const std::string& id) {
  if (id.empty()) return;
  OneOf(path, id, calendar_ids_, "calendar");
}

void Checker::Clocks(
    const std::string& path,
    const google::protobuf::RepeatedPtrField<v1::ClockTarget>& clocks,
    const std::vector<std::string>& kinds,
    const std::vector<std::string>& required) {
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
            {"inquiry", "complaint", "repair"}, "kind of case");
    }
    for (int p = 0; p < clock.priorities_size(); ++p) {
      OneOf(absl::StrCat(at, ".priorities[", p, "]"), clock.priorities(p),
            {"low", "normal", "high", "urgent"}, "priority");
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

}  // namespace aftercare::handbook
