// Case types, classifications, routes, channels and departments of a handbook:
// what `handbook check` finds, with its line.

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/handbook/yaml.h"
#include "tests/libs/handbook/sections.h"

namespace aftercare::handbook {
namespace {

constexpr absl::string_view kTop = R"yaml(
departments:
  - {id: after-sales, lead: chen, members: [li], duties: [接听投诉电话]}
  - {id: quality, lead: qiao}
  - {id: stock}
forms:
  - {id: record, fields: [{id: demand, type: text}]}
)yaml";

// The section `name` of intake with one entry, on a line of its own, behind
// what the other sections need.
std::string WithEntry(absl::string_view name, absl::string_view entry) {
  const std::string classifications =
      name == "classifications"
          ? ""
          : "  classifications: [{id: quality, fault_codes: [leak]}]\n";
  return HandbookText(
      absl::StrCat(classifications, "  ", name, ":\n    - {", entry, "}\n"),
      kTop);
}

void ExpectEntryProblem(absl::string_view name, absl::string_view entry,
                        absl::string_view path) {
  ExpectProblem(WithEntry(name, entry),
                absl::StrCat("intake.", name, "[0]", path),
                absl::StrCat("- {", entry, "}"));
}

void ExpectNoProblem(const std::string& text) {
  EXPECT_EQ(FormatProblems("f", LoadHandbook(text).problems), "") << text;
}

// GEN-41, DEL-17, INT-57.
TEST(CheckCasesTest, CaseTypesNameWhatTheyUse) {
  ExpectNoProblem(WithEntry(
      "case_types",
      "id: complaint, kind: complaint, title: 投诉, form: record, "
      "department: after-sales, priority: high, classifications: [quality], "
      "co_departments: [quality], catalogue: true, lines: [质量, 态度]"));
  ExpectNoProblem(WithEntry("case_types",
                            "id: design, kind: request, free_of_charge: true"));
  const auto fault = [](absl::string_view entry, absl::string_view path) {
    ExpectEntryProblem("case_types", entry, path);
  };
  fault("id: X, kind: repair", ".id");
  fault("id: a, kind: reapir", ".kind");
  fault("id: a, kind: repair, form: recrod", ".form");
  fault("id: a, kind: repair, department: sales", ".department");
  fault("id: a, kind: repair, priority: top", ".priority");
  fault("id: a, kind: repair, classifications: [fee]", ".classifications[0]");
  fault("id: a, kind: repair, co_departments: [sales]", ".co_departments[0]");
  // Nobody could help.
  fault("id: a, kind: repair, co_departments: [stock]", ".co_departments[0]");
  fault("id: a, kind: repair, catalogue: true", ".title");
}

// INT-41.
TEST(CheckCasesTest, NoFaultCodeBelongsToTwoClassifications) {
  ExpectNoProblem(WithEntry("classifications",
                            "id: leak, priority: high, fault_codes: [drip]"));
  ExpectEntryProblem("classifications", "id: a, priority: top", ".priority");
  ExpectEntryProblem("classifications", "id: a, fault_codes: [X]",
                     ".fault_codes[0]");
  const std::string text = HandbookText(
      "  classifications:\n    - {id: a, fault_codes: [leak]}\n"
      "    - {id: b, fault_codes: [drip, leak]}\n",
      "");
  ExpectProblem(text, "intake.classifications[1].fault_codes[1]", "{id: b");
}

// INT-28.
TEST(CheckCasesTest, RoutesLeadToADepartment) {
  ExpectNoProblem(WithEntry(
      "routing",
      "when: {classifications: [quality]}, department: quality, owner: qiao"));
  ExpectEntryProblem("routing", "when: {kinds: [repair]}", ".department");
  ExpectEntryProblem("routing", "department: sales", ".department");
  ExpectEntryProblem("routing", "department: stock, owner: wang", ".owner");
  ExpectEntryProblem("routing", "when: {types: [a]}, department: stock",
                     ".when.types[0]");
  ExpectProblem(HandbookText("  routing:\n    - {department: stock}\n"
                             "    - {department: quality}\n",
                             kTop),
                "intake.routing[1]", "{department: quality}");
}

// GEN-16, GEN-17, INT-03.
TEST(CheckCasesTest, ChannelSettingsAreOfChannelsThatAreThere) {
  ExpectNoProblem(WithEntry(
      "channel_settings",
      "id: hotline, number: '8008307582', calendar: always, contacts: [li]"));
  const auto fault = [](absl::string_view entry, absl::string_view path) {
    ExpectEntryProblem("channel_settings", entry, path);
  };
  fault("id: fax", ".id");
  fault("id: hotline, calendar: nights", ".calendar");
  fault("id: hotline, calendar: always, contacts: [nobody]", ".contacts[0]");
  // GEN-30: when they are on duty is not to be guessed.
  fault("id: hotline, contacts: [li]", ".calendar");
  ExpectProblem(HandbookText("  channel_settings:\n    - {id: hotline}\n"
                             "    - {id: hotline, number: '1'}\n",
                             kTop),
                "intake.channel_settings[1].id", "number: '1'");
}

// GEN-45.
TEST(CheckCasesTest, DepartmentsAreOfPeopleWhoAreThere) {
  const auto fault = [](absl::string_view entry, absl::string_view path) {
    ExpectProblem(
        HandbookText("", absl::StrCat("departments:\n  - {", entry, "}\n")),
        absl::StrCat("departments[0]", path), absl::StrCat("- {", entry, "}"));
  };
  fault("id: X", ".id");
  fault("id: a, lead: nobody", ".lead");
  fault("id: a, members: [li, nobody]", ".members[1]");
  fault("id: a, members: [li, li]", ".members[1]");
}

TEST(CheckCasesTest, PrioritiesHaveAllTheirTitlesOrNone) {
  ExpectNoProblem(HandbookText("  priority_titles: [P4, P3, P2, P1]\n", ""));
  ExpectProblem(HandbookText("  priority_titles: [P4, P3]\n", ""),
                "intake.priority_titles", "priority_titles");
  ExpectProblem(HandbookText("  priority_titles: [P4, P3, P2, '']\n", ""),
                "intake.priority_titles[3]", "priority_titles");
}

TEST(CheckCasesTest, ATypeCanOnlyBeAskedForWhereThereAreTypes) {
  ExpectNoProblem(HandbookText(
      "  type_required: true\n  case_types: [{id: a, kind: repair}]\n", ""));
  ExpectProblem(HandbookText("  type_required: true\n", ""),
                "intake.type_required", "type_required");
}

}  // namespace
}  // namespace aftercare::handbook
