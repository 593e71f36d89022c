#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/handbook/checker.h"

namespace aftercare::handbook {
namespace {

// A reference that may be left out.
void Ref(Checker& check, const std::string& path, const std::string& id,
         const Checker::Ids& allowed, const char* what) {
  if (!id.empty()) check.OneOf(path, id, allowed, what);
}

const v1::Department* FindDepartment(const v1::Handbook& handbook,
                                     const std::string& id) {
  for (const auto& department : handbook.departments()) {
    if (department.id() == id) return &department;
  }
  return nullptr;
}

void CheckCaseTypes(Checker& check) {
  const auto& types = check.handbook().intake().case_types();
  std::set<std::string> seen;
  for (int i = 0; i < types.size(); ++i) {
    const v1::CaseType& type = types[i];
    const std::string path = absl::StrCat("intake.case_types[", i, "]");
    check.Id(path + ".id", type.id(), seen);
    check.OneOf(path + ".kind", type.kind(), Checker::known_kinds(),
                "kind of case");
    Ref(check, path + ".form", type.form(), check.form_ids(), "form");
    Ref(check, path + ".department", type.department(), check.department_ids(),
        "department");
    Ref(check, path + ".priority", type.priority(), Checker::known_priorities(),
        "priority");
    check.EachOneOf(path + ".classifications", type.classifications(),
                    check.classification_ids(), "classification");
    check.EachOneOf(path + ".co_departments", type.co_departments(),
                    check.department_ids(), "department");
    for (int d = 0; d < type.co_departments_size(); ++d) {
      const auto* department =
          FindDepartment(check.handbook(), type.co_departments(d));
      if (department != nullptr && department->lead().empty()) {
        check.Add(absl::StrCat(path, ".co_departments[", d, "]"),
                  "has no lead who could help with the case");
      }
    }
    if (type.catalogue() && type.title().empty()) {
      check.Add(path + ".title", "is missing: the catalogue shows it");
    }
  }
  if (check.handbook().intake().type_required() && types.empty()) {
    check.Add("intake.type_required", "goes with case_types only");
  }
}

void CheckClassifications(Checker& check) {
  const auto& classifications = check.handbook().intake().classifications();
  std::set<std::string> seen;
  std::set<std::string> codes;
  for (int i = 0; i < classifications.size(); ++i) {
    const auto& classification = classifications[i];
    const std::string path = absl::StrCat("intake.classifications[", i, "]");
    check.Id(path + ".id", classification.id(), seen);
    Ref(check, path + ".priority", classification.priority(),
        Checker::known_priorities(), "priority");
    for (int c = 0; c < classification.fault_codes_size(); ++c) {
      check.Id(absl::StrCat(path, ".fault_codes[", c, "]"),
               classification.fault_codes(c), codes);
    }
  }
}

void CheckRouting(Checker& check) {
  const auto& routing = check.handbook().intake().routing();
  bool unconditional = false;
  for (int i = 0; i < routing.size(); ++i) {
    const v1::Route& route = routing[i];
    const std::string path = absl::StrCat("intake.routing[", i, "]");
    check.Condition(path + ".when", route.when());
    check.OneOf(path + ".department", route.department(),
                check.department_ids(), "department");
    Ref(check, path + ".owner", route.owner(), check.person_ids(), "person");
    if (unconditional) {
      check.Add(path, "is never reached: an earlier route has no conditions");
    }
    unconditional = unconditional || route.when().ByteSizeLong() == 0;
  }
}

void CheckChannels(Checker& check) {
  const auto& settings = check.handbook().intake().channel_settings();
  std::set<std::string> seen;
  for (int i = 0; i < settings.size(); ++i) {
    const v1::ChannelSettings& channel = settings[i];
    const std::string path = absl::StrCat("intake.channel_settings[", i, "]");
    if (check.OneOf(path + ".id", channel.id(), check.channels(), "channel") &&
        !seen.insert(channel.id()).second) {
      check.Add(path + ".id",
                absl::StrCat("'", channel.id(), "' appears twice"));
    }
    check.CalendarRef(path + ".calendar", channel.calendar());
    check.EachOneOf(path + ".contacts", channel.contacts(), check.person_ids(),
                    "person");
    if (!channel.contacts().empty() && channel.calendar().empty()) {
      check.Add(path + ".calendar",
                "must say when the contacts are on duty (GEN-30)");
    }
  }
}

}  // namespace

void CheckDepartments(Checker& check) {
  std::set<std::string> seen;
  for (int i = 0; i < check.handbook().departments_size(); ++i) {
    const v1::Department& department = check.handbook().departments(i);
    const std::string path = absl::StrCat("departments[", i, "]");
    check.Id(path + ".id", department.id(), seen);
    Ref(check, path + ".lead", department.lead(), check.person_ids(), "person");
    check.EachOneOf(path + ".members", department.members(), check.person_ids(),
                    "person");
  }
}

void CheckCases(Checker& check) {
  CheckCaseTypes(check);
  CheckClassifications(check);
  CheckRouting(check);
  CheckChannels(check);
  const auto& titles = check.handbook().intake().priority_titles();
  if (!titles.empty() && static_cast<size_t>(titles.size()) !=
                             Checker::known_priorities().size()) {
    check.Add("intake.priority_titles",
              "must have one title for each of low, normal, high, urgent");
  }
  for (int i = 0; i < titles.size(); ++i) {
    if (titles[i].empty()) {
      check.Add(absl::StrCat("intake.priority_titles[", i, "]"), "is empty");
    }
  }
}

}  // namespace aftercare::handbook
