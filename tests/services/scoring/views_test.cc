#include "services/scoring/views.h"

#include <vector>

#include "scoring_fixture.h"

namespace aftercare::scoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ViewsTest : public ScoringTest {
 protected:
  static std::string Staff(absl::string_view id) {
    return absl::StrCat("companies/acme/staff/", id);
  }
  // Ids of all pages of ListFacts.
  std::vector<std::string> Facts(absl::string_view more, int page_size = 0,
                                 int* pages = nullptr) {
    std::vector<std::string> ids;
    std::string token;
    do {
      const auto response = Ask<v1::ListFactsResponse>(
          "ListFacts",
          absl::StrCat("parent: '", kLi, "' ", more, " page_size: ", page_size,
                       " page_token: '", token, "'"));
      for (const auto& fact : response.facts()) {
        ids.emplace_back(IdOf(fact.name()));
      }
      token = response.next_page_token();
      if (pages != nullptr) ++*pages;
    } while (!token.empty());
    return ids;
  }
  // "<staff>/<period>" of all pages of ListAppraisals.
  std::vector<std::string> Appraisals(absl::string_view request,
                                      int page_size = 0) {
    std::vector<std::string> ids;
    std::string token;
    do {
      const auto response = Ask<v1::ListAppraisalsResponse>(
          "ListAppraisals", absl::StrCat(request, " page_size: ", page_size,
                                         " page_token: '", token, "'"));
      for (const auto& appraisal : response.appraisals()) {
        ids.push_back(absl::StrCat(IdOf(BoundaryOf(appraisal.name())), "/",
                                   appraisal.period()));
      }
      token = response.next_page_token();
    } while (!token.empty());
    return ids;
  }
  // Three people's March and one February; points: wu 94, li 64, wang 94.
  void ThreePeople() {
    Record("m1", "satisfaction", false, 1, Staff("s-li"));
    Record("m2", "repair", true, 1, Staff("s-wu"));
    Record("m3", "resolution", true, 1, Staff("s-wang"));
    for (absl::string_view id : {"s-wu", "s-li", "s-wang"}) {
      s_.Given("OpenAppraisal", OpenText(Staff(id)));
    }
    s_.Given("OpenAppraisal", OpenText(kLi, "2026-02"));
  }
};

TEST_F(ViewsTest, GetsByName) {
  Record("a1", "repair", true, 1);
  s_.Given("OpenAppraisal", OpenText());
  EXPECT_EQ(Ask<v1::StaffMember>("GetStaff", Named(kLi)).display_name(),
            "李娜");
  EXPECT_EQ(
      Ask<v1::Fact>("GetFact", Named(absl::StrCat(kLi, "/facts/a1"))).kind(),
      "repair");
  EXPECT_EQ(Ask<v1::Appraisal>("GetAppraisal", Named(kMarch)).period(),
            "2026-03");
  ExpectAskRefused("GetStaff", Named(Staff("nobody")), "RESOURCE_NOT_FOUND");
  ExpectAskRefused("GetStaff", Named(kMarch), "NAME_INVALID", "name");
  ExpectAskRefused("GetFact", Named(absl::StrCat(kLi, "/facts/a2")),
                   "RESOURCE_NOT_FOUND");
  ExpectAskRefused("GetFact", Named(""), "NAME_INVALID", "name");
  ExpectAskRefused("GetAppraisal",
                   Named(absl::StrCat(kLi, "/appraisals/2026-04")),
                   "RESOURCE_NOT_FOUND");
  ExpectAskRefused("GetAppraisal", Named(kLi), "NAME_INVALID", "name");
}

TEST_F(ViewsTest, ListsPeopleByNamePageByPage) {
  ThreePeople();
  std::vector<std::string> ids;
  std::string token;
  do {
    const auto response = Ask<v1::ListStaffResponse>(
        "ListStaff",
        absl::StrCat("parent: 'companies/acme' page_size: 2 page_token: '",
                     token, "'"));
    for (const auto& staff : response.staff()) {
      ids.emplace_back(IdOf(staff.name()));
    }
    token = response.next_page_token();
  } while (!token.empty());
  EXPECT_THAT(ids, ElementsAre("s-li", "s-wang", "s-wu"));
  EXPECT_EQ(Ask<v1::ListStaffResponse>("ListStaff", "parent: 'companies/other'")
                .staff_size(),
            0);
  ExpectAskRefused("ListStaff", absl::StrCat("parent: '", kLi, "'"),
                   "NAME_INVALID", "parent");
  ExpectAskRefused("ListStaff", "parent: 'companies/acme' page_size: -1",
                   "FIELD_INVALID", "page_size");
  ExpectAskRefused("ListStaff", "parent: 'companies/acme' page_token: 'x'",
                   "PAGE_TOKEN_INVALID");
}

TEST_F(ViewsTest, ListsAPersonsFactsByTime) {
  s_.At("2026-03-03T09:00:00+08:00");
  Record("b", "repair", true, 1);
  s_.At("2026-03-02T09:00:00+08:00");
  Record("c", "satisfaction", true, 5);
  s_.At("2026-04-02T09:00:00+08:00");
  Record("a", "repair", false, 0);
  Record("x", "repair", false, 0, Staff("s-wu"));
  int pages = 0;
  EXPECT_THAT(Facts("", 1, &pages), ElementsAre("c", "b", "a"));
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(Facts("period: '2026-03'"), ElementsAre("c", "b"));
  EXPECT_THAT(Facts("period: '2026-03' kind: 'repair'"), ElementsAre("b"));
  EXPECT_THAT(Facts("kind: 'repair'", 1), ElementsAre("b", "a"));
  EXPECT_THAT(Facts("period: '2026-02'"), IsEmpty());
  ExpectAskRefused("ListFacts", "parent: 'companies/acme/staff/-'",
                   "NAME_INVALID", "parent");
  ExpectAskRefused("ListFacts",
                   absl::StrCat("parent: '", kLi, "' period: 'march'"),
                   "FIELD_INVALID", "period");
}

// A token belongs to the arguments it was given for.
TEST_F(ViewsTest, ATokenOfOtherArgumentsIsRefused) {
  Record("a", "repair", true, 1);
  Record("b", "repair", true, 1);
  const auto page = Ask<v1::ListFactsResponse>(
      "ListFacts", absl::StrCat("parent: '", kLi, "' page_size: 1"));
  ASSERT_FALSE(page.next_page_token().empty());
  ExpectAskRefused(
      "ListFacts",
      absl::StrCat("parent: '", kLi, "' kind: 'repair' page_token: '",
                   page.next_page_token(), "'"),
      "PAGE_TOKEN_INVALID");
}

// SCO-11: anyone can ask for the score before there is an appraisal.
TEST_F(ViewsTest, TheScoreIsWhatAnAppraisalWouldShow) {
  Record("a1", "first_response", true, 1);
  Record("a2", "satisfaction", true, 4);
  const auto score =
      Ask<v1::Score>("GetScore", Named(kLi, "period: '2026-03'"));
  s_.Given("OpenAppraisal", OpenText());
  EXPECT_EQ(score.sheet().SerializeAsString(),
            March().sheet().SerializeAsString());
  EXPECT_EQ(score.staff_member(), kLi);
  EXPECT_EQ(score.period(), "2026-03");
  ExpectAskRefused("GetScore", Named(kLi), "FIELD_INVALID", "period");
  ExpectAskRefused("GetScore", Named(kLi, "period: '2026-14'"), "FIELD_INVALID",
                   "period");
  ExpectAskRefused("GetScore", Named(Staff("nobody"), "period: '2026-03'"),
                   "RESOURCE_NOT_FOUND");
  ExpectAskRefused("GetScore", Named("companies/acme", "period: '2026-03'"),
                   "NAME_INVALID", "name");
}

TEST_F(ViewsTest, AScoreNeedsAHandbook) {
  Record("a1", "repair", true, 1);
  shard::QueryContext context;
  context.shards = {&s_.rows()};
  v1::GetScoreRequest request;
  request.set_name(std::string(kLi));
  request.set_period("2026-03");
  EXPECT_EQ(ReasonOf(GetScore(context, request).status()), "HANDBOOK_MISSING");
}

TEST_F(ViewsTest, TheBestComesFirst) {
  ThreePeople();
  const std::string all = "parent: 'companies/acme/staff/-' ";
  for (int page_size : {0, 1, 2}) {
    EXPECT_THAT(Appraisals(all + "period: '2026-03'", page_size),
                ElementsAre("s-wang/2026-03", "s-wu/2026-03", "s-li/2026-03"));
    EXPECT_THAT(Appraisals(all, page_size),
                ElementsAre("s-li/2026-02", "s-li/2026-03", "s-wang/2026-03",
                            "s-wu/2026-03"));
  }
  // The order follows the points.
  s_.As("sun-li").Given(
      "AdjustAppraisal",
      Named(absl::StrCat(Staff("s-wu"), "/appraisals/2026-03"),
            "points: 100 reason: 'x'"));
  EXPECT_THAT(Appraisals(all + "period: '2026-03'"),
              ElementsAre("s-wu/2026-03", "s-wang/2026-03", "s-li/2026-03"));
}

TEST_F(ViewsTest, AppraisalsAreFiltered) {
  ThreePeople();
  s_.At("2026-04-01T08:00:00+08:00")
      .Given("FinalizeAppraisal",
             Named(absl::StrCat(Staff("s-wu"), "/appraisals/2026-03")));
  const std::string all = "parent: 'companies/acme/staff/-' ";
  const std::string li = absl::StrCat("parent: '", kLi, "' ");
  EXPECT_THAT(Appraisals(all + "state: FINALIZED"),
              ElementsAre("s-wu/2026-03"));
  EXPECT_THAT(Appraisals(all + "state: OPEN period: '2026-03'"),
              ElementsAre("s-wang/2026-03", "s-li/2026-03"));
  EXPECT_THAT(Appraisals(li), ElementsAre("s-li/2026-02", "s-li/2026-03"));
  EXPECT_THAT(Appraisals(li + "period: '2026-03'"),
              ElementsAre("s-li/2026-03"));
  EXPECT_THAT(Appraisals("parent: 'companies/other/staff/-'"), IsEmpty());
  EXPECT_THAT(Appraisals("parent: 'companies/other/staff/-' "
                         "period: '2026-03'"),
              IsEmpty());
  ExpectAskRefused("ListAppraisals", "parent: 'companies/acme'", "NAME_INVALID",
                   "parent");
  ExpectAskRefused("ListAppraisals", "parent: '-/staff/-'", "NAME_INVALID",
                   "parent");
  ExpectAskRefused("ListAppraisals", all + "period: '2026'", "FIELD_INVALID",
                   "period");
  ExpectAskRefused("ListAppraisals", all + "state: 77", "FIELD_INVALID",
                   "state");
}

// KPI-27: the cases behind every figure.
TEST_F(ViewsTest, AnAppraisalIsExplainedByItsFacts) {
  Record("a1", "first_response", true, 1);
  Record("a2", "satisfaction", true, 4);
  Record("a3", "on_site", false, 0);
  s_.Given("OpenAppraisal", OpenText());
  Record("a4", "on_site", false, 0);
  std::vector<std::string> ids;
  std::string token;
  do {
    const auto page = Ask<v1::ExplainAppraisalResponse>(
        "ExplainAppraisal",
        Named(kMarch, absl::StrCat("page_size: 2 page_token: '", token, "'")));
    for (const auto& fact : page.facts()) ids.emplace_back(IdOf(fact.name()));
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_THAT(ids, ElementsAre("a1", "a2", "a3"));
  const auto one = Ask<v1::ExplainAppraisalResponse>(
      "ExplainAppraisal", Named(kMarch, "item: 'satisfaction'"));
  ASSERT_EQ(one.facts_size(), 1);
  EXPECT_EQ(one.facts(0).source_resource(),
            "companies/acme/customers/7/cases/a2");
  ExpectAskRefused("ExplainAppraisal", Named(kMarch, "item: 'charm'"),
                   "FIELD_INVALID", "item");
  ExpectAskRefused("ExplainAppraisal",
                   Named(absl::StrCat(kLi, "/appraisals/2026-04")),
                   "RESOURCE_NOT_FOUND");
}

}  // namespace
}  // namespace aftercare::scoring
