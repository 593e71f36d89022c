#include "libs/handbook/check.h"

#include <functional>
#include <set>
#include <string>

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
      {"title", [](auto& h) { h.set_title(std::string(301, 'x')); }},
      {"people[0].display_name",
       [](auto& h) { h.mutable_people(0)->set_display_name("a\x01"); }},
      {"calendars[0]",
       [](auto& h) { h.mutable_calendars(0)->add_holidays("2026-01-01"); }},
      {"calendars[1].time_zone",
       [](auto& h) { h.mutable_calendars(1)->set_time_zone("Mars/Base"); }},
      {"calendars[1].shifts[0]",
       [](auto& h) {
         h.mutable_calendars(1)->mutable_shifts(0)->set_open("x");
       }},
      {"calendars[1].holidays[3]",
       [](auto& h) { h.mutable_calendars(1)->set_holidays(3, "2026-02-30"); }},
      {"calendars[1].makeup_days[0]",
       [](auto& h) { h.mutable_calendars(1)->set_makeup_days(0, "Monday"); }},
      {"calendars[1]",
       [](auto& h) { h.mutable_calendars(1)->add_makeup_days("2026-10-01"); }},
      {"calendars[1].makeup_as",
       [](auto& h) {
         h.mutable_calendars(1)->set_makeup_as(static_cast<v1::Weekday>(9));
       }},
      {"calendars[1].id",
       [](auto& h) { h.mutable_calendars(1)->set_id("hotline"); }},
      {"people", [](auto& h) { h.clear_people(); }},
      {"people[0].id", [](auto& h) { h.mutable_people(0)->set_id("system"); }},
      {"people[0].roles[0]",
       [](auto& h) { h.mutable_people(0)->set_roles(0, "agnet"); }},
      {"people[0].roles", [](auto& h) { h.mutable_people(0)->clear_roles(); }},
      {"people[0].roles[1]",
       [](auto& h) { h.mutable_people(0)->add_roles("agent"); }},
      {"people[1].id",
       [](auto& h) { h.mutable_people(1)->set_id("agent-li"); }},
      {"people[1].staff_id",
       [](auto& h) { h.mutable_people(1)->set_staff_id("agent-li"); }},
      {"product_lines[0].required_skills[0]",
       [](auto& h) {
         h.mutable_product_lines(0)->set_required_skills(0, "x");
       }},
      {"product_lines[0].warranty_months",
       [](auto& h) { h.mutable_product_lines(0)->set_warranty_months(-1); }},
      {"product_lines[1].id",
       [](auto& h) { h.mutable_product_lines(1)->set_id("kettle"); }},
      {"intake", [](auto& h) { h.clear_intake(); }},
      {"intake.channels",
       [](auto& h) { h.mutable_intake()->clear_channels(); }},
      {"intake.channels[1]",
       [](auto& h) { h.mutable_intake()->set_channels(1, "hotline"); }},
      {"intake.reopen_window",
       [](auto& h) {
         h.mutable_intake()->mutable_reopen_window()->set_days(-1);
       }},
      {"intake.follow_up_after",
       [](auto& h) {
         auto* span = h.mutable_intake()->mutable_follow_up_after();
         span->Clear();
         span->set_working_days(2);
       }},
      {"intake.reopen_clock",
       [](auto& h) {
         h.mutable_intake()->set_reopen_clock(static_cast<v1::ReopenClock>(9));
       }},
      {"intake.late_report_grace",
       [](auto& h) {
         h.mutable_intake()->mutable_late_report_grace()->set_seconds(-1);
       }},
      {"intake.clocks", [](auto& h) { h.mutable_intake()->clear_clocks(); }},
      {"intake.clocks[0].kind",
       [](auto& h) {
         h.mutable_intake()->mutable_clocks(0)->set_kind("on_site");
       }},
      {"intake.clocks[0].target",
       [](auto& h) { h.mutable_intake()->mutable_clocks(0)->clear_target(); }},
      {"intake.clocks[0].target",
       [](auto& h) {
         h.mutable_intake()->mutable_clocks(0)->mutable_target()->set_nanos(-1);
       }},
      {"intake.clocks[0].priorities[0]",
       [](auto& h) {
         h.mutable_intake()->mutable_clocks(0)->set_priorities(0, "urgnt");
       }},
      {"intake.clocks[1].case_kinds[0]",
       [](auto& h) {
         h.mutable_intake()->mutable_clocks(1)->set_case_kinds(0, "complain");
       }},
      {"intake.clocks[2].calendar",
       [](auto& h) {
         h.mutable_intake()->mutable_clocks(2)->set_calendar("offise");
       }},
      {"intake.clocks[3]",
       [](auto& h) {
         h.mutable_intake()->mutable_clocks(3)->set_kind("first_response");
       }},
      {"intake.dissatisfied_at",
       [](auto& h) { h.mutable_intake()->set_dissatisfied_at(5); }},
      {"dispatch", [](auto& h) { h.clear_dispatch(); }},
      {"dispatch.skills[1].id",
       [](auto& h) {
         h.mutable_dispatch()->mutable_skills(1)->set_id("small-appliance");
       }},
      {"dispatch.territories",
       [](auto& h) { h.mutable_dispatch()->clear_territories(); }},
      {"dispatch.territories[1].id",
       [](auto& h) {
         h.mutable_dispatch()->mutable_territories(1)->set_id("North 1");
       }},
      {"dispatch.territories[1].regions",
       [](auto& h) {
         h.mutable_dispatch()->mutable_territories(1)->clear_regions();
       }},
      {"dispatch.territories[2].regions[1]",
       [](auto& h) {
         h.mutable_dispatch()->mutable_territories(2)->add_regions("*");
       }},
      {"dispatch.clocks",
       [](auto& h) { h.mutable_dispatch()->clear_clocks(); }},
      {"dispatch.booking_horizon",
       [](auto& h) { h.mutable_dispatch()->clear_booking_horizon(); }},
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
      {"returns", [](auto& h) { h.clear_returns(); }},
      {"returns.calendar",
       [](auto& h) { h.mutable_returns()->set_calendar("ofice"); }},
      {"returns.clocks", [](auto& h) { h.mutable_returns()->clear_clocks(); }},
      {"returns.reasons",
       [](auto& h) { h.mutable_returns()->clear_reasons(); }},
      {"returns.reasons[1].id",
       [](auto& h) {
         h.mutable_returns()->mutable_reasons(1)->set_id("quality");
       }},
      {"returns.reasons[0].approvals[0]",
       [](auto& h) {
         h.mutable_returns()->mutable_reasons(0)->set_approvals(0, "boss");
       }},
      // A role that only one person has, who then leaves.
      {"returns.reasons[3].approvals[0]",
       [](auto& h) {
         for (auto& person : *h.mutable_people()) {
           if (person.roles(0) == "finance") person.set_roles(0, "auditor");
         }
       }},
      {"returns.window",
       [](auto& h) { h.mutable_returns()->mutable_window()->set_months(1); }},
      {"returns.window_start",
       [](auto& h) { h.mutable_returns()->clear_window_start(); }},
      {"returns.reasons[0].approvals",
       [](auto& h) {
         h.mutable_returns()->mutable_reasons(0)->clear_approvals();
       }},
      {"scoring", [](auto& h) { h.clear_scoring(); }},
      {"scoring.items", [](auto& h) { h.mutable_scoring()->clear_items(); }},
      {"scoring.items[1].id",
       [](auto& h) {
         h.mutable_scoring()->mutable_items(1)->set_id("response");
       }},
      {"scoring.items[0].fact_kinds",
       [](auto& h) {
         h.mutable_scoring()->mutable_items(0)->clear_fact_kinds();
       }},
      {"scoring.items[0].fact_kinds[0]",
       [](auto& h) {
         h.mutable_scoring()->mutable_items(0)->set_fact_kinds(0, "smiles");
       }},
      {"scoring.items[0].weight",
       [](auto& h) { h.mutable_scoring()->mutable_items(0)->set_weight(-5); }},
      {"scoring.items[0].measure",
       [](auto& h) { h.mutable_scoring()->mutable_items(0)->clear_measure(); }},
      {"scoring.items[0].measure",
       [](auto& h) {
         h.mutable_scoring()->mutable_items(0)->set_value_at_full(5);
       }},
      {"scoring.items[0].without_facts_percent",
       [](auto& h) {
         h.mutable_scoring()->mutable_items(0)->set_without_facts_percent(101);
       }},
      {"scoring.items[0].deduct_per_miss",
       [](auto& h) {
         h.mutable_scoring()->mutable_items(0)->set_deduct_per_miss(-1);
       }},
      {"scoring.levels", [](auto& h) { h.mutable_scoring()->clear_levels(); }},
      {"scoring.levels[1].id",
       [](auto& h) {
         h.mutable_scoring()->mutable_levels(1)->set_id("excellent");
       }},
      {"scoring.levels[0].min_points",
       [](auto& h) {
         h.mutable_scoring()->mutable_levels(0)->set_min_points(101);
       }},
      {"scoring.levels[1].min_points",
       [](auto& h) {
         h.mutable_scoring()->mutable_levels(1)->set_min_points(95);
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
    std::string all;
    for (const Problem& problem : Check(bad)) {
      found |= problem.path == damage.path;
      all += FormatProblem(problem) + "\n";
    }
    EXPECT_TRUE(found) << damage.path << " is not among:\n" << all;
  }
}

// The messages themselves where they carry what to write instead.
TEST(CheckTest, AReferenceThatIsNearlyRightComesWithTheRightOne) {
  v1::Handbook bad =
      LoadHandbook(aftercare::testing::DemoHandbookText()).handbook;
  bad.set_time_zone("Asia/Shangai");
  bad.mutable_people(0)->set_roles(0, "agnet");
  bad.mutable_returns()->set_calendar("ofice");
  std::string text;
  for (const Problem& problem : Check(bad)) {
    text += FormatProblem(problem) + "\n";
  }
  EXPECT_EQ(text,
            "time_zone: 'Asia/Shangai' is no IANA time zone (did you mean "
            "'Asia/Shanghai'?)\n"
            "people[0].roles[0]: 'agnet' is no known role (did you mean "
            "'agent'?)\n"
            "returns.calendar: 'ofice' is no known calendar (did you mean "
            "'office'?)\n");
}

TEST(CheckTest, AnEmptyHandbookLacksEverySection) {
  std::set<std::string> paths;
  for (const Problem& problem : Check({})) paths.insert(problem.path);
  for (const char* path :
       {"company", "version", "effective_time", "time_zone", "currency_code",
        "people", "intake", "dispatch", "returns", "scoring"}) {
    EXPECT_TRUE(paths.contains(path)) << path;
  }
}

TEST(CheckTest, SuggestionsAreNearAndNothingElse) {
  EXPECT_EQ(DidYouMean("offise", {"office", "hotline"}), "office");
  EXPECT_EQ(DidYouMean("something", {"office", "hotline"}), "");
}

}  // namespace
}  // namespace aftercare::handbook
