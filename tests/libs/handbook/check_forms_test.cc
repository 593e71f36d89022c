// Forms of a handbook: what `handbook check` finds, with its line.

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "libs/handbook/yaml.h"
#include "tests/libs/handbook/sections.h"

namespace aftercare::handbook {
namespace {

std::string WithFields(absl::string_view fields) {
  return HandbookText("",
                      absl::StrCat("forms:\n  - id: f\n    fields:\n", fields));
}

// One field, written on a line of its own.
void ExpectFieldProblem(absl::string_view field, absl::string_view path) {
  ExpectProblem(WithFields(absl::StrCat("      - {", field, "}\n")),
                absl::StrCat("forms[0].fields[0]", path),
                absl::StrCat("- {", field, "}"));
}

// INT-08, INT-09, INT-33: the complaint record of the source companies.
TEST(CheckFormsTest, AFormOfEveryTypeHasNoProblem) {
  const LoadedHandbook loaded = LoadHandbook(WithFields(R"yaml(
      - {id: description, type: long_text, required_at: open}
      - {id: occurred-at, type: time, required_at: accept}
      - {id: place, type: text, required_at: accept, max: 100}
      - {id: contact, type: phone, required_at: accept}
      - {id: email, type: email}
      - {id: demand, type: choice, choices: [refund, repair], required_at: resolve}
      - {id: witnesses, type: choices, choices: [li, wang]}
      - {id: rooms, type: number, min: -1, max: 9}
      - {id: loss, type: money, max: 100000, when: {fields: [demand=refund]}}
      - {id: bought, type: date, when: {kinds: [complaint], warranty: [in, unknown]}}
      - {id: injured, type: yes_no, required_at: close}
      - {id: met, type: person, when: {channels: [hotline], product_lines: [laptop], regions: [beijing]}}
      - {id: proof, type: file}
)yaml"));
  EXPECT_EQ(FormatProblems("f", loaded.problems), "");
  ASSERT_EQ(loaded.handbook.forms_size(), 1);
  EXPECT_EQ(loaded.handbook.forms(0).fields_size(), 13);
}

TEST(CheckFormsTest, EachFaultOfAFieldIsFoundOnItsLine) {
  ExpectFieldProblem("id: 'Bad Id', type: text", ".id");
  ExpectFieldProblem("id: a", ".type");
  ExpectFieldProblem("id: a, type: txt", ".type");
  ExpectFieldProblem("id: a, type: text, required_at: begin", ".required_at");
  // INT-35: whatever is told is recorded.
  ExpectFieldProblem("id: a, type: text, required_at: open", ".required_at");
  ExpectFieldProblem("id: a, type: choice", ".choices");
  ExpectFieldProblem("id: a, type: text, choices: [x]", ".choices");
  ExpectFieldProblem("id: a, type: choice, choices: [x, x]", ".choices[1]");
  ExpectFieldProblem("id: a, type: choice, choices: ['']", ".choices[0]");
  ExpectFieldProblem("id: a, type: time, max: 3", ".max");
  ExpectFieldProblem("id: a, type: number, min: 4, max: 3", ".max");
  ExpectFieldProblem("id: a, type: text, min: -1, max: 3", ".max");
  ExpectFieldProblem("id: subject, type: text, max: 10", ".max");
  ExpectFieldProblem("id: asset, type: file", ".type");
  ExpectFieldProblem("id: contact, type: number", ".type");
  ExpectFieldProblem("id: occurred-at, type: text", ".type");
}

TEST(CheckFormsTest, WhatAConditionNamesMustBeThere) {
  const auto condition = [](absl::string_view when, absl::string_view path) {
    ExpectFieldProblem(absl::StrCat("id: a, type: text, when: {", when, "}"),
                       absl::StrCat(".when.", path));
  };
  condition("types: [complaint]", "types[0]");
  condition("kinds: [complain]", "kinds[0]");
  condition("priorities: [low, hgh]", "priorities[1]");
  condition("channels: [fax]", "channels[0]");
  condition("classifications: [fee]", "classifications[0]");
  condition("product_lines: [phone]", "product_lines[0]");
  condition("warranty: [perhaps]", "warranty[0]");
  condition("fields: [b=1]", "fields[0]");
  condition("kinds: [repair, repair]", "kinds[1]");
  // Said by the case, the form never has a value for it.
  ExpectFieldProblem("id: subject, type: text, when: {fields: [subject]}",
                     ".when.fields[0]");
}

TEST(CheckFormsTest, FormsAndFieldsHaveIdsOfTheirOwn) {
  ExpectProblem(WithFields("      - {id: a, type: text}\n"
                           "      - {id: a, type: time}\n"),
                "forms[0].fields[1].id", "{id: a, type: time}");
  ExpectProblem(HandbookText("", "forms:\n  - {id: f}\n"), "forms[0].fields",
                "{id: f}");
  ExpectProblem(
      HandbookText("",
                   "forms:\n  - {id: f, fields: [{id: a, type: text}]}\n"
                   "  - {id: f, fields: [{id: b, type: text}]}\n"),
      "forms[1].id", "{id: b, type: text}");
}

}  // namespace
}  // namespace aftercare::handbook
