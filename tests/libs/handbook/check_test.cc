#include "libs/handbook/check.h"

#include <functional>

#include "gtest/gtest.h"
#include "libs/handbook/yaml.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::handbook {
namespace {

struct Damage {
  const char* path;
  std::function<void(v1::Handbook&)> change;
};

// One change per rule; each must be found at its path. SCO-23, GEN-30, GEN-38.
TEST(CheckTest, EachContradictionIsFoundWhereItIs) {
  const v1::Handbook good =
      LoadHandbook(aftercare::testing::DemoHandbookText()).handbook;
  ASSERT_TRUE(Check(good).empty());
  const Damage damages[] = {
      {"company", [](auto& h) { h.set_company("acme"); }},
      {"version", [](auto& h) { h.set_version(0); }},
      {"effective_time", [](auto& h) { h.clear_effective_time(); }},
      {"time_zone", [](auto& h) { h.set_time_zone("Asia/Shangai"); }},
      {"currency_code", [](auto& h) { h.set_currency_code("cny"); }},
      {"calendars[1]",
       [](auto& h) {
         h.mutable_calendars(1)->mutable_shifts(0)->set_open("x");
       }},
      {"calendars[1].id",
       [](auto& h) { h.mutable_calendars(1)->set_id("hotline"); }},
      {"people", [](auto& h) { h.clear_people(); }},
      {"people[0].id", [](auto& h) { h.mutable_people(0)->set_id("system"); }},
      {"people[0].roles[0]",
       [](auto& h) { h.mutable_people(0)->set_roles(0, "agnet"); }},
      {"people[1].staff_id",
       [](auto& h) { h.mutable_people(1)->set_staff_id("agent-li"); }},
      {"product_lines[0].required_skills[0]",
       [](auto& h) {
         h.mutable_product_lines(0)->set_required_skills(0, "x");
       }},
      {"intake", [](auto& h) { h.clear_intake(); }},
      {"intake.channels",
       [](auto& h) { h.mutable_intake()->clear_channels(); }},
      {"intake.clocks", [](auto& h) { h.mutable_intake()->clear_clocks(); }},
      {"intake.clocks[0].kind",
       [](auto& h) {
         h.mutable_intake()->mutable_clocks(0)->set_kind("on_site");
       }},
      {"intake.clocks[0].target",
       [](auto& h) { h.mutable_intake()->mutable_clocks(0)->clear_target(); }},
      {"intake.clocks[3]",
       [](auto& h) {
         h.mutable_intake()->mutable_clocks(3)->set_kind("first_response");
       }},
      {"intake.dissatisfied_at",
       [](auto& h) { h.mutable_intake()->set_dissatisfied_at(5); }},
      {"dispatch.territories[1].regions[0]",
       [](auto& h) {
         h.mutable_dispatch()->mutable_territories(1)->set_regions(0,
                                                                   "beijing");
       }},
      {"dispatch.territories[0].calendar",
       [](auto& h) {
         h.mutable_dispatch()->mutable_territories(0)->clear_calendar();
       }},
      {"dispatch.visit_duration",
       [](auto& h) { h.mutable_dispatch()->clear_visit_duration(); }},
      {"returns.window",
       [](auto& h) { h.mutable_returns()->mutable_window()->set_months(1); }},
      {"returns.window_start",
       [](auto& h) { h.mutable_returns()->clear_window_start(); }},
      {"returns.reasons[0].approvals",
       [](auto& h) {
         h.mutable_returns()->mutable_reasons(0)->clear_approvals();
       }},
      {"scoring.items",
       [](auto& h) { h.mutable_scoring()->mutable_items(0)->set_weight(24); }},
      {"scoring.items[2].value_at_full",
       [](auto& h) {
         h.mutable_scoring()->mutable_items(2)->set_value_at_full(1);
       }},
      {"scoring.levels[3].min_points",
       [](auto& h) {
         h.mutable_scoring()->mutable_levels(3)->set_min_points(1);
       }},
  };
  for (const Damage& damage : damages) {
    v1::Handbook bad = good;
    damage.change(bad);
    bool found = false;
    for (const Problem& problem : Check(bad))
      found |= problem.path == damage.path;
    EXPECT_TRUE(found) << damage.path;
  }
}

TEST(CheckTest, SuggestionsAreNearAndNothingElse) {
  EXPECT_EQ(DidYouMean("offise", {"office", "hotline"}), "office");
  EXPECT_EQ(DidYouMean("something", {"office", "hotline"}), "");
}

}  // namespace
}  // namespace aftercare::handbook
