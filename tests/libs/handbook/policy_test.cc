#include "libs/handbook/policy.h"

#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/handbook/yaml.h"
#include "tests/libs/handbook/demo_handbook.h"
#include "tests/libs/handbook/sections.h"

namespace aftercare::handbook {
namespace {

std::shared_ptr<const Policy> Demo() {
  auto policy = Policy::Compile(
      LoadHandbook(aftercare::testing::DemoHandbookText()).handbook);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

// INT-14, INT-17: the first target whose conditions hold.
TEST(PolicyTest, TheFirstFittingTargetApplies) {
  const auto policy = Demo();
  const auto& clocks = policy->handbook().intake().clocks();
  const auto hours = [&](const char* kind, const char* priority) {
    return absl::ToInt64Hours(
        FromProto(policy->FindTarget(clocks, "first_response", kind, priority)
                      ->target()));
  };
  EXPECT_EQ(hours("complaint", "urgent"), 2);
  EXPECT_EQ(hours("complaint", "normal"), 24);
  EXPECT_EQ(hours("repair", "normal"), 4);
  EXPECT_EQ(policy->FindTarget(clocks, "on_site", "repair", "normal"), nullptr);
}

// GEN-33: regions to offices.
TEST(PolicyTest, ARegionNobodyNamesGoesToTheRest) {
  const auto policy = Demo();
  EXPECT_EQ(policy->TerritoryOf("beijing")->id(), "north");
  EXPECT_EQ(policy->TerritoryOf("atlantis")->id(), "central");
}

TEST(PolicyTest, LooksUpCalendarsPeopleAndProducts) {
  const auto policy = Demo();
  ASSERT_NE(policy->FindCalendar("office"), nullptr);
  EXPECT_EQ(policy->FindCalendar(""), nullptr);
  EXPECT_EQ(policy->FindPerson("tech-01")->staff_id(), "tech-01");
  EXPECT_EQ(policy->FindPerson("nobody"), nullptr);
  EXPECT_EQ(policy->FindProductLine("laptop")->warranty_months(), 24);
  EXPECT_EQ(policy->FindSkill("none"), nullptr);
}

// INT-28: the first route whose conditions hold.
TEST(PolicyTest, TheFirstFittingRouteApplies) {
  auto policy = Policy::Compile(LoadHandbook(HandbookText(R"yaml(
  case_types: [{id: complaint, kind: complaint, form: record}]
  classifications: [{id: fee}]
  routing:
    - {when: {classifications: [fee]}, department: finance}
    - {when: {types: [complaint]}, department: quality}
)yaml",
                                                          R"yaml(
departments: [{id: finance}, {id: quality}]
forms: [{id: record, fields: [{id: demand, type: text}]}]
)yaml"))
                                    .handbook);
  ASSERT_TRUE(policy.ok()) << policy.status();
  Situation situation;
  EXPECT_EQ((*policy)->FindRoute(situation), nullptr);
  situation.type = "complaint";
  EXPECT_EQ((*policy)->FindRoute(situation)->department(), "quality");
  situation.classification = "fee";
  EXPECT_EQ((*policy)->FindRoute(situation)->department(), "finance");
  EXPECT_EQ((*policy)->FindCaseType("complaint")->form(), "record");
  EXPECT_EQ((*policy)->FindForm("record")->fields_size(), 1);
  EXPECT_NE((*policy)->FindClassification("fee"), nullptr);
  EXPECT_NE((*policy)->FindDepartment("quality"), nullptr);
  EXPECT_EQ((*policy)->FindDepartment("nobody"), nullptr);
}

TEST(PolicyTest, AnUnusableHandbookIsRefusedWithItsProblems) {
  v1::Handbook bad =
      LoadHandbook(aftercare::testing::DemoHandbookText()).handbook;
  bad.clear_currency_code();
  const auto policy = Policy::Compile(bad);
  EXPECT_EQ(ReasonOf(policy.status()), "HANDBOOK_INVALID");
  EXPECT_EQ(FieldOf(policy.status()), "handbook.currency_code");
}

}  // namespace
}  // namespace aftercare::handbook
