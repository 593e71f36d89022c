#include "services/scoring/domain/appraisal.h"

#include "scoring_fixture.h"

namespace aftercare::scoring {
namespace {

class AppraisalTest : public ScoringTest {
 protected:
  // A month of Li Na's: 3 of 4 answers in time, one resolution, 4 and 5 stars,
  // a miss in quality.
  void LiveThroughMarch() {
    Record("a1", "first_response", true, 1);
    Record("a2", "first_response", true, 1);
    Record("a3", "first_response", true, 1);
    Record("a4", "first_response", false, 0);
    Record("b1", "resolution", true, 1);
    Record("c1", "satisfaction", true, 5);
    Record("c2", "satisfaction", true, 4);
    Record("d1", "inspection", true, 1);
    Record("d2", "inspection", false, 0);
  }
  void Open() { s_.Given("OpenAppraisal", OpenText()); }
  static std::string AdjustText(int points,
                                absl::string_view reason = "表扬信") {
    return Named(kMarch,
                 absl::StrCat("points: ", points, " reason: '", reason, "'"));
  }
};

// SCO-01, KPI-27: the score with everything behind it.
TEST_F(AppraisalTest, OpeningComputesTheMonth) {
  LiveThroughMarch();
  s_.At("2026-04-01T08:00:00+08:00");
  s_.When("OpenAppraisal", OpenText());
  EXPECT_EQ(s_.Events(), "AppraisalOpened");
  const auto& appraisal = March();
  EXPECT_EQ(appraisal.state(), v1::Appraisal::OPEN);
  EXPECT_EQ(appraisal.period(), "2026-03");
  EXPECT_EQ(appraisal.display_name(), "李娜");
  EXPECT_EQ(appraisal.opened_by(), "zhou-qiang");
  EXPECT_EQ(FormatRfc3339(FromProto(appraisal.period_start_time())),
            "2026-02-28T16:00:00Z");
  EXPECT_EQ(FormatRfc3339(FromProto(appraisal.period_end_time())),
            "2026-03-31T16:00:00Z");
  const auto& sheet = appraisal.sheet();
  ASSERT_EQ(sheet.lines_size(), 4);
  EXPECT_EQ(sheet.lines(0).points(), 1875);  // 3 of 4 of 25
  EXPECT_EQ(sheet.lines(1).points(), 3000);
  EXPECT_EQ(sheet.lines(2).points(), 2625);  // 4.5 stars of 1 to 5 of 30
  EXPECT_EQ(sheet.lines(3).points(), 550);   // half of 15, less 2
  EXPECT_EQ(sheet.points(), 8050);
  EXPECT_EQ(sheet.level(), "good");
  EXPECT_EQ(sheet.facts_counted(), 9);
  EXPECT_EQ(sheet.handbook_version(), 5);
  EXPECT_EQ(sheet.lines(0).facts_size(), 4);
}

TEST_F(AppraisalTest, AMonthMayBeOpenedWhileItRuns) {
  LiveThroughMarch();
  s_.At("2026-03-10T08:00:00+08:00");
  s_.When("OpenAppraisal", OpenText());
  EXPECT_TRUE(s_.status().ok());
  ExpectRefused("FinalizeAppraisal", Named(kMarch), "PERIOD_NOT_OVER");
  s_.At("2026-03-31T23:59:59+08:00");
  ExpectRefused("FinalizeAppraisal", Named(kMarch), "PERIOD_NOT_OVER");
  s_.At("2026-04-01T00:00:00+08:00");
  s_.When("FinalizeAppraisal", Named(kMarch));
  EXPECT_TRUE(s_.status().ok()) << s_.status();
}

TEST_F(AppraisalTest, AMonthToComeIsNotOpened) {
  Record("a1", "repair", true, 1);
  s_.At("2026-03-31T23:59:59+08:00");
  ExpectRefused("OpenAppraisal", OpenText(kLi, "2026-04"), "PERIOD_NOT_BEGUN");
  s_.At("2026-04-01T00:00:00+08:00");
  s_.When("OpenAppraisal", OpenText(kLi, "2026-04"));
  EXPECT_TRUE(s_.status().ok());
}

TEST_F(AppraisalTest, AMonthWithoutFactsIsScoredByTheHandbook) {
  Record("a1", "repair", true, 1);
  s_.Given("OpenAppraisal", OpenText(kLi, "2026-01"));
  const auto* appraisal =
      s_.Find(kAppraisals, absl::StrCat(kLi, "/appraisals/2026-01"));
  ASSERT_NE(appraisal, nullptr);
  EXPECT_EQ(appraisal->sheet().points(), 2500 + 3000 + 3000 + 900);
  EXPECT_EQ(appraisal->sheet().facts_counted(), 0);
}

TEST_F(AppraisalTest, OnePersonAndMonthHaveOneAppraisal) {
  LiveThroughMarch();
  Open();
  ExpectRefused("OpenAppraisal", OpenText(), "RESOURCE_ALREADY_EXISTS");
  s_.At("2026-04-01T08:00:00+08:00");
  s_.Given("FinalizeAppraisal", Named(kMarch));
  ExpectRefused("OpenAppraisal", OpenText(), "RESOURCE_ALREADY_EXISTS");
}

TEST_F(AppraisalTest, BadOpeningsAreRefused) {
  Record("a1", "repair", true, 1);
  ExpectRefused("OpenAppraisal", OpenText("companies/acme/staff/nobody"),
                "RESOURCE_NOT_FOUND");
  ExpectRefused("OpenAppraisal", OpenText(""), "NAME_INVALID", "parent");
  ExpectRefused("OpenAppraisal", OpenText("companies/acme/territories/x"),
                "NAME_INVALID", "parent");
  ExpectRefused("OpenAppraisal", OpenText(kLi, "2026-13"), "FIELD_INVALID",
                "appraisal_id");
  ExpectRefused("OpenAppraisal", OpenText(kLi, "9999-12"), "FIELD_INVALID",
                "appraisal_id");
  // The server's own choice of an id is no month.
  ExpectRefused("OpenAppraisal", OpenText(kLi, ""), "FIELD_INVALID",
                "appraisal_id");
  ExpectRefused("OpenAppraisal",
                absl::StrCat(OpenText(), " occur_time {seconds: 253402300799}"),
                "FIELD_INVALID", "occur_time");
}

TEST_F(AppraisalTest, RefreshingTakesInWhatHappenedSince) {
  LiveThroughMarch();
  Open();
  EXPECT_EQ(March().sheet().points(), 8050);
  s_.At("2026-03-20T09:00:00+08:00");
  Record("a5", "first_response", false, 0);
  EXPECT_EQ(March().sheet().points(), 8050);
  s_.When("RefreshAppraisal", Named(kMarch));
  EXPECT_EQ(s_.Events(), "AppraisalRefreshed");
  EXPECT_EQ(March().sheet().points(), 8050 - 1875 + 1500);
  EXPECT_EQ(March().sheet().lines(0).facts_size(), 5);
  ExpectRefused("RefreshAppraisal", Named(kMarch), "SHEET_UP_TO_DATE");
}

TEST_F(AppraisalTest, RefreshingKeepsAdjustments) {
  LiveThroughMarch();
  Open();
  s_.As("sun-li").Given("AdjustAppraisal", AdjustText(300));
  Record("a5", "first_response", false, 0);
  s_.Given("RefreshAppraisal", Named(kMarch));
  EXPECT_EQ(March().sheet().adjustment_points(), 300);
  EXPECT_EQ(March().sheet().points(), 8050 - 1875 + 1500 + 300);
}

// SCO-11, SCO-22: points by judgement name the judge and the reason.
TEST_F(AppraisalTest, AdjustmentsCarryTheirReason) {
  LiveThroughMarch();
  Open();
  s_.As("sun-li");
  s_.When("AdjustAppraisal", AdjustText(950, "客户送锦旗 🚩"));
  EXPECT_EQ(s_.Events(), "AppraisalAdjusted");
  EXPECT_EQ(March().sheet().points(), 9000);
  EXPECT_EQ(March().sheet().level(), "excellent");
  EXPECT_EQ(March().sheet().computed_points(), 8050);
  ASSERT_EQ(March().adjustments_size(), 1);
  EXPECT_EQ(March().adjustments(0).reason(), "客户送锦旗 🚩");
  EXPECT_EQ(March().adjustments(0).by(), "sun-li");
  EXPECT_EQ(March().adjustments(0).points(), 950);
  s_.When("AdjustAppraisal", AdjustText(-1));
  EXPECT_EQ(March().sheet().points(), 8999);
  EXPECT_EQ(March().sheet().level(), "good");
}

TEST_F(AppraisalTest, AdjustmentsAreBounded) {
  LiveThroughMarch();
  Open();
  s_.As("sun-li");
  for (int points : {0, 2001, -2001, INT32_MAX, INT32_MIN}) {
    ExpectRefused("AdjustAppraisal", AdjustText(points), "FIELD_INVALID",
                  "points");
  }
  ExpectRefused("AdjustAppraisal", AdjustText(1, ""), "FIELD_INVALID",
                "reason");
  ExpectRefused("AdjustAppraisal", AdjustText(1, std::string(20001, 'x')),
                "FIELD_INVALID", "reason");
  for (int i = 0; i < kMaxAdjustments; ++i) {
    s_.Given("AdjustAppraisal", AdjustText(kMaxAdjustment));
  }
  EXPECT_EQ(March().sheet().points(), 10000);
  EXPECT_EQ(March().sheet().adjustment_points(), 40000);
  ExpectRefused("AdjustAppraisal", AdjustText(1), "TOO_MANY_ADJUSTMENTS");
}

TEST_F(AppraisalTest, NobodyJudgesThemselves) {
  Record("a1", "inspection", true, 1, "companies/acme/staff/s-sun");
  const std::string own = "companies/acme/staff/s-sun/appraisals/2026-03";
  s_.At("2026-04-01T08:00:00+08:00").As("sun-li");
  s_.Given("OpenAppraisal", OpenText("companies/acme/staff/s-sun"));
  ExpectRefused("AdjustAppraisal", Named(own, "points: 1 reason: 'x'"),
                "OWN_APPRAISAL");
  ExpectRefused("FinalizeAppraisal", Named(own), "OWN_APPRAISAL");
  s_.As("zhou-qiang").When("FinalizeAppraisal", Named(own));
  EXPECT_TRUE(s_.status().ok()) << s_.status();
}

TEST_F(AppraisalTest, AFinalAppraisalNeverChanges) {
  LiveThroughMarch();
  Open();
  s_.At("2026-04-02T08:00:00+08:00");
  s_.When("FinalizeAppraisal", Named(kMarch));
  EXPECT_EQ(s_.Events(), "AppraisalFinalized");
  const auto& fact = s_.event<v1::ScoringEvent>().appraisal_finalized();
  EXPECT_EQ(fact.points(), 8050);
  EXPECT_EQ(fact.level(), "good");
  EXPECT_EQ(March().state(), v1::Appraisal::FINALIZED);
  EXPECT_EQ(March().finalized_by(), "zhou-qiang");
  EXPECT_EQ(FormatRfc3339(FromProto(March().finalize_time())),
            "2026-04-02T00:00:00Z");
  ExpectRefused("FinalizeAppraisal", Named(kMarch), "APPRAISAL_FINALIZED");
  ExpectRefused("RefreshAppraisal", Named(kMarch), "APPRAISAL_FINALIZED");
  ExpectRefused("AdjustAppraisal", AdjustText(1), "APPRAISAL_FINALIZED");
}

// What is signed is what was shown.
TEST_F(AppraisalTest, AnOutdatedSheetIsNotFinalized) {
  LiveThroughMarch();
  Open();
  Record("a5", "first_response", true, 1);
  s_.At("2026-04-01T08:00:00+08:00");
  ExpectRefused("FinalizeAppraisal", Named(kMarch), "SHEET_OUTDATED");
  s_.Given("RefreshAppraisal", Named(kMarch));
  s_.As("system");
  s_.Given("WithdrawFact",
           absl::StrCat("parent: '", kLi,
                        "' kind: 'resolution' source_resource: "
                        "'companies/acme/customers/7/cases/b1' source_event: "
                        "'e' reason: 'reopened'"));
  s_.As("zhou-qiang");
  ExpectRefused("FinalizeAppraisal", Named(kMarch), "SHEET_OUTDATED");
  s_.Given("RefreshAppraisal", Named(kMarch));
  s_.When("FinalizeAppraisal", Named(kMarch));
  EXPECT_TRUE(s_.status().ok()) << s_.status();
}

TEST_F(AppraisalTest, AnEtagGuardsAgainstChangesInBetween) {
  LiveThroughMarch();
  Open();
  const std::string etag = March().etag();
  s_.Given("AdjustAppraisal", AdjustText(1));
  EXPECT_NE(March().etag(), etag);
  s_.At("2026-04-01T08:00:00+08:00");
  const std::string stale = absl::StrCat("etag: '", etag, "'");
  ExpectRefused("RefreshAppraisal", Named(kMarch, stale), "ETAG_MISMATCH");
  ExpectRefused("AdjustAppraisal", absl::StrCat(AdjustText(1), stale),
                "ETAG_MISMATCH");
  ExpectRefused("FinalizeAppraisal", Named(kMarch, stale), "ETAG_MISMATCH");
  s_.When("FinalizeAppraisal",
          Named(kMarch, absl::StrCat("etag: '", March().etag(), "'")));
  EXPECT_TRUE(s_.status().ok()) << s_.status();
}

TEST_F(AppraisalTest, ChangesComeInOrder) {
  LiveThroughMarch();
  s_.At("2026-04-05T08:00:00+08:00");
  Open();
  const std::string before =
      absl::StrCat("occur_time ", Stamp("2026-04-05T07:59:59+08:00"));
  ExpectRefused("RefreshAppraisal", Named(kMarch, before),
                "OCCUR_TIME_TOO_EARLY");
  ExpectRefused("AdjustAppraisal", absl::StrCat(AdjustText(1), before),
                "OCCUR_TIME_TOO_EARLY");
  ExpectRefused("FinalizeAppraisal", Named(kMarch, before),
                "OCCUR_TIME_TOO_EARLY");
}

TEST_F(AppraisalTest, BadNamesAreRefused) {
  LiveThroughMarch();
  Open();
  for (absl::string_view method :
       {"RefreshAppraisal", "AdjustAppraisal", "FinalizeAppraisal"}) {
    const absl::string_view more =
        method == "AdjustAppraisal" ? "points: 1 reason: 'x'" : "";
    for (absl::string_view name :
         {absl::string_view(""), kLi,
          absl::string_view("companies/acme/staff/s-li/facts/2026-03"),
          absl::string_view("companies/acme/staff/S LI/appraisals/2026-03")}) {
      ExpectRefused(method, Named(name, more), "NAME_INVALID", "name");
    }
    ExpectRefused(method, Named(absl::StrCat(kLi, "/appraisals/march"), more),
                  "FIELD_INVALID", "name");
    ExpectRefused(method, Named(absl::StrCat(kLi, "/appraisals/2026-04"), more),
                  "RESOURCE_NOT_FOUND");
    ExpectRefused(method,
                  Named("companies/other/staff/s-li/appraisals/2026-03", more),
                  "RESOURCE_NOT_FOUND");
  }
}

}  // namespace
}  // namespace aftercare::scoring
