// A small handbook to which tests add sections, and where its problems are.

#ifndef AFTERCARE_TESTS_LIBS_HANDBOOK_SECTIONS_H_
#define AFTERCARE_TESTS_LIBS_HANDBOOK_SECTIONS_H_

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "libs/handbook/yaml.h"

namespace aftercare::handbook {

// A handbook that has nothing of intake but what it must; `intake` goes into
// that section, `top` behind the whole.
inline std::string HandbookText(absl::string_view intake,
                                absl::string_view top) {
  return absl::StrCat(R"yaml(company: companies/acme
version: 1
effective_time: 2026-01-01T00:00:00+08:00
time_zone: Asia/Shanghai
currency_code: CNY
calendars:
  - {id: always, always_open: true}
people:
  - {id: li, roles: [agent]}
  - {id: qiao, roles: [quality]}
  - {id: chen, roles: [supervisor]}
product_lines:
  - {id: laptop}
dispatch:
  territories:
    - {id: rest, regions: ["*"], calendar: always}
  clocks:
    - {kind: on_site, target: 24h}
    - {kind: repair, target: 72h}
  visit_duration: 90m
  booking_horizon: 3d
returns:
  window: 7d
  window_start: delivery
  reasons:
    - {id: quality, approvals: [supervisor]}
  clocks:
    - {kind: processing, target: 40h}
scoring:
  items:
    - {id: solution, fact_kinds: [resolution], weight: 100, measure: share_met}
  levels:
    - {id: good, min_points: 0}
intake:
  channels: [hotline, mobile]
  clocks:
    - {kind: first_response, target: 4h}
    - {kind: resolution, target: 24h}
  dissatisfied_at: 2
)yaml",
                      intake, top);
}

// Whether loading `text` reports a problem at `path`, on the line on which
// `mark` stands.
inline void ExpectProblem(const std::string& text, absl::string_view path,
                          absl::string_view mark) {
  const size_t at = text.find(std::string(mark));
  ASSERT_NE(at, std::string::npos) << mark;
  const auto line =
      1 + std::count(text.begin(), text.begin() + static_cast<long>(at), '\n');
  const LoadedHandbook loaded = LoadHandbook(text);
  bool found = false;
  for (const Problem& problem : loaded.problems) {
    found |= problem.path == path && problem.line == line;
  }
  EXPECT_TRUE(found) << path << " on line " << line << " is not among:\n"
                     << FormatProblems("file", loaded.problems);
}

}  // namespace aftercare::handbook

#endif  // AFTERCARE_TESTS_LIBS_HANDBOOK_SECTIONS_H_
