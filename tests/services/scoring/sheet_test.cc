#include "services/scoring/domain/sheet.h"

#include <tuple>
#include <utility>

#include "scoring_fixture.h"

namespace aftercare::scoring {
namespace {

std::vector<v1::Fact> Facts(
    const std::vector<std::tuple<const char*, bool, int64_t>>& given) {
  std::vector<v1::Fact> facts;
  for (const auto& [kind, met, value] : given) {
    v1::Fact fact;
    fact.set_name(absl::StrCat(kLi, "/facts/f", facts.size()));
    fact.set_kind(kind);
    fact.set_met(met);
    fact.set_value(value);
    facts.push_back(fact);
  }
  return facts;
}

class SheetTest : public ScoringTest {
 protected:
  // A handbook with one item of 100 points.
  static std::shared_ptr<const handbook::Policy> OneItem(
      absl::string_view item) {
    std::string yaml(kHandbook.substr(0, kHandbook.find("  items:")));
    absl::StrAppend(&yaml, "  items:\n    - ", item, "\n",
                    kHandbook.substr(kHandbook.find("  levels:")));
    return PolicyOf(yaml);
  }
  static v1::ScoreSheet Compute(absl::string_view item,
                                const std::vector<v1::Fact>& facts) {
    return ComputeSheet(facts, *OneItem(item), 0);
  }
  static constexpr absl::string_view kShare =
      "{id: a, title: A, fact_kinds: [repair], weight: 100, measure: "
      "share_met}";
};

// KPI-02, KPI-27: numerator and denominator are whole, rounding is down.
TEST_F(SheetTest, AShareIsRoundedDownOnce) {
  const auto sheet = Compute(kShare, Facts({{"repair", true, 1},
                                            {"repair", true, 1},
                                            {"repair", false, 0},
                                            {"resolution", false, 0}}));
  ASSERT_EQ(sheet.lines_size(), 1);
  const auto& line = sheet.lines(0);
  EXPECT_EQ(line.counted(), 3);
  EXPECT_EQ(line.met(), 2);
  EXPECT_EQ(line.earned(), 6666);
  EXPECT_EQ(line.points(), 6666);
  EXPECT_EQ(line.mean_hundredths(), 66);
  EXPECT_EQ(sheet.points(), 6666);
  EXPECT_EQ(sheet.facts_counted(), 4);
  EXPECT_EQ(sheet.handbook_version(), 5);
  EXPECT_EQ(line.explanation(), "2 of 3 met, 100.00 for all: 66.66");
}

// KPI-07: a single miss shows; it is never rounded up to all.
TEST_F(SheetTest, OneMissOfThousandsIsNotAllMet) {
  std::vector<v1::Fact> facts;
  for (int i = 0; i < 20001; ++i) {
    v1::Fact fact;
    fact.set_name(absl::StrCat(kLi, "/facts/f", i));
    fact.set_kind("repair");
    fact.set_met(i != 17);
    facts.push_back(fact);
  }
  EXPECT_EQ(Compute(kShare, facts).points(), 9999);
}

// KPI-01: the mean of the stars, from one star (nothing) to five (all).
TEST_F(SheetTest, AMeanLiesBetweenItsEnds) {
  constexpr absl::string_view kStars =
      "{id: a, title: A, fact_kinds: [satisfaction], weight: 100, measure: "
      "mean_value, value_at_zero: 1, value_at_full: 5}";
  const auto points = [&](const std::vector<v1::Fact>& facts) {
    return Compute(kStars, facts).points();
  };
  EXPECT_EQ(points(Facts({{"satisfaction", true, 5}})), 10000);
  EXPECT_EQ(points(Facts({{"satisfaction", false, 1}})), 0);
  EXPECT_EQ(points(Facts({{"satisfaction", true, 3}})), 5000);
  // 14/3 stars: (14/3 - 1) / 4 = 11/12.
  const auto sheet = Compute(kStars, Facts({{"satisfaction", true, 5},
                                            {"satisfaction", true, 5},
                                            {"satisfaction", true, 4}}));
  EXPECT_EQ(sheet.points(), 9166);
  EXPECT_EQ(sheet.lines(0).mean_hundredths(), 466);
  EXPECT_EQ(sheet.lines(0).value_sum(), 14);
  EXPECT_EQ(sheet.lines(0).explanation(),
            "mean of 3 values 4.66 between 1 (nothing) and 5 (100.00): 91.66");
  // Beyond the ends nothing more is gained or lost.
  EXPECT_EQ(points(Facts({{"satisfaction", true, 1000000000000}})), 10000);
  EXPECT_EQ(points(Facts({{"satisfaction", false, -1000000000000}})), 0);
}

// KPI-24: the shorter the better is the same measure turned round.
TEST_F(SheetTest, AMeanMayCountDown) {
  const auto sheet = Compute(
      "{id: a, title: A, fact_kinds: [repair], weight: 100, measure: "
      "mean_value, value_at_zero: 100, value_at_full: 0}",
      Facts({{"repair", true, 25}, {"repair", true, 50}}));
  EXPECT_EQ(sheet.points(), 6250);
  EXPECT_EQ(sheet.lines(0).mean_hundredths(), 3750);
}

TEST_F(SheetTest, ANegativeMeanIsRoundedTowardsMinusInfinity) {
  const auto sheet = Compute(
      "{id: a, title: A, fact_kinds: [repair], weight: 100, measure: "
      "mean_value, value_at_zero: -10, value_at_full: 0}",
      Facts({{"repair", true, -1}, {"repair", true, 0}, {"repair", true, 0}}));
  EXPECT_EQ(sheet.lines(0).mean_hundredths(), -34);
  EXPECT_EQ(sheet.points(), 9666);
}

// KPI-27, SCO-07: no facts is no verdict; the handbook says what it is worth.
TEST_F(SheetTest, WithoutFactsTheHandbookDecides) {
  EXPECT_EQ(Compute(kShare, {}).points(), 10000);
  EXPECT_FALSE(Compute(kShare, {}).lines(0).has_mean_hundredths());
  const auto sheet = Compute(
      "{id: a, title: A, fact_kinds: [repair], weight: 100, measure: "
      "share_met, without_facts_percent: 0}",
      {});
  EXPECT_EQ(sheet.points(), 0);
  EXPECT_EQ(sheet.lines(0).explanation(), "no facts: 0% of 100.00: 0.00");
}

// SCO-29: deductions come off the item and stop at nothing.
TEST_F(SheetTest, DeductionsStopAtTheItemsOwnPoints) {
  constexpr absl::string_view kStrict =
      "{id: a, title: A, fact_kinds: [repair], weight: 100, measure: "
      "share_met, deduct_per_miss: 30}";
  const auto one =
      Compute(kStrict, Facts({{"repair", true, 1}, {"repair", false, 0}}));
  EXPECT_EQ(one.lines(0).earned(), 5000);
  EXPECT_EQ(one.lines(0).deducted(), 3000);
  EXPECT_EQ(one.points(), 2000);
  EXPECT_EQ(one.lines(0).explanation(),
            "1 of 2 met, 100.00 for all: 50.00; less 1 times 30.00: 20.00");
  const auto two = Compute(
      kStrict,
      Facts({{"repair", true, 1}, {"repair", false, 0}, {"repair", false, 0}}));
  EXPECT_EQ(two.lines(0).earned(), 3333);
  EXPECT_EQ(two.lines(0).deducted(), 3333);
  EXPECT_EQ(two.points(), 0);
  EXPECT_EQ(two.lines(0).explanation(),
            "1 of 3 met, 100.00 for all: 33.33; less 2 times 30.00, down to "
            "nothing: 0.00");
}

// C-21: a mark is reached at exactly its points and missed a hundredth below.
TEST_F(SheetTest, LevelsAreReachedExactly) {
  v1::ScoreSheet sheet;
  auto* line = sheet.add_lines();
  for (const auto& [points, level] :
       std::vector<std::pair<int, const char*>>{{10000, "excellent"},
                                                {9000, "excellent"},
                                                {8999, "good"},
                                                {7500, "good"},
                                                {7499, "acceptable"},
                                                {6000, "acceptable"},
                                                {5999, "insufficient"},
                                                {0, "insufficient"}}) {
    line->set_points(points);
    SetTotals(sheet, *Handbook(), 0);
    EXPECT_EQ(sheet.level(), level) << points;
  }
}

TEST_F(SheetTest, TheTotalStaysWithinNothingAndAll) {
  v1::ScoreSheet sheet;
  sheet.add_lines()->set_points(500);
  SetTotals(sheet, *Handbook(), -2000);
  EXPECT_EQ(sheet.points(), 0);
  EXPECT_EQ(sheet.computed_points(), 500);
  EXPECT_EQ(sheet.adjustment_points(), -2000);
  sheet.add_lines()->set_points(9000);
  SetTotals(sheet, *Handbook(), 2000);
  EXPECT_EQ(sheet.points(), 10000);
  EXPECT_EQ(sheet.computed_points(), 9500);
}

// SCO-11: every fact behind a figure is on the sheet.
TEST_F(SheetTest, EachItemNamesItsFacts) {
  const auto sheet = ComputeSheet(Facts({{"first_response", true, 1},
                                         {"on_site", false, 0},
                                         {"satisfaction", true, 4},
                                         {"inspection", false, 0}}),
                                  *Handbook(), 0);
  ASSERT_EQ(sheet.lines_size(), 4);
  ASSERT_EQ(sheet.lines(0).facts_size(), 2);
  EXPECT_EQ(sheet.lines(0).facts(0).fact_id(), "f0");
  EXPECT_TRUE(sheet.lines(0).facts(0).met());
  EXPECT_EQ(sheet.lines(0).facts(1).fact_id(), "f1");
  EXPECT_EQ(sheet.lines(1).facts_size(), 0);
  ASSERT_EQ(sheet.lines(2).facts_size(), 1);
  EXPECT_EQ(sheet.lines(2).facts(0).value(), 4);
  // 12.50 + 30 (no facts) + 22.50 + 0.
  EXPECT_EQ(sheet.computed_points(), 1250 + 3000 + 2250);
  EXPECT_EQ(sheet.level(), "acceptable");
}

TEST_F(SheetTest, TheDigestKnowsTheSetAndNotTheOrder) {
  auto facts = Facts({{"repair", true, 1}, {"repair", true, 1}});
  const uint64_t both = FactsDigest(facts);
  std::swap(facts[0], facts[1]);
  EXPECT_EQ(FactsDigest(facts), both);
  facts.pop_back();
  EXPECT_NE(FactsDigest(facts), both);
  EXPECT_EQ(FactsDigest({}), 0u);
}

TEST_F(SheetTest, OnlyFactsThatCountAreTaken) {
  Record("a1", "repair", true, 1);
  s_.At("2026-03-31T23:59:59+08:00");
  Record("a2", "repair", true, 1);
  s_.At("2026-04-01T00:00:00+08:00");
  Record("a3", "repair", true, 1);
  Record("other", "repair", true, 1, "companies/acme/staff/s-wu");
  const auto facts = CountedFacts(s_.rows(), kLi, "2026-03");
  ASSERT_EQ(facts.size(), 2u);
  EXPECT_EQ(IdOf(facts[0].name()), "a1");
  EXPECT_EQ(IdOf(facts[1].name()), "a2");
}

TEST_F(SheetTest, PointsAreWrittenWithTwoDigits) {
  EXPECT_EQ(FormatPoints(0), "0.00");
  EXPECT_EQ(FormatPoints(5), "0.05");
  EXPECT_EQ(FormatPoints(10000), "100.00");
  EXPECT_EQ(FormatPoints(-1250), "-12.50");
  EXPECT_EQ(FormatPoints(-50), "-0.50");
}

}  // namespace
}  // namespace aftercare::scoring
