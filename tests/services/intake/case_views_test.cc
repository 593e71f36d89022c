#include "services/intake/case_views.h"

#include <set>
#include <vector>

#include "tests/services/intake/cases_fixture.h"

namespace aftercare::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CaseViewsTest : public IntakeTest {
 protected:
  CaseViewsTest() { RegisterCustomers(); }

  static std::vector<std::string> Ids(const v1::ListCasesResponse& response) {
    std::vector<std::string> ids;
    for (const auto& c : response.cases()) {
      ids.push_back(c.name().substr(c.name().rfind('/') + 1));
    }
    return ids;
  }
  std::vector<std::string> Cases(absl::string_view more,
                                 absl::string_view customer = "-") {
    return Ids(Ask<v1::ListCasesResponse>(
        "ListCases", absl::StrCat("parent: 'companies/acme/customers/",
                                  customer, "' ", more)));
  }
  v1::CaseSummary Summary(absl::string_view more = "") {
    return Ask<v1::CaseSummary>(
        "SummarizeCases", absl::StrCat("parent: 'companies/acme' ", more));
  }
  template <typename Counts>
  static std::map<std::string, int64_t> Map(const Counts& counts) {
    std::map<std::string, int64_t> map;
    for (const auto& entry : counts) map[entry.label()] = entry.count();
    return map;
  }
};

TEST_F(CaseViewsTest, CasesAreReadByName) {
  Open("k1");
  EXPECT_EQ(Ask<v1::Case>("GetCase", Named("k1")).subject(), "开不了机");
}

TEST_F(CaseViewsTest, ReadingRefusesMalformedAndUnknownNames) {
  ExpectQueryRefusal("GetCase", absl::StrCat("name: '", kWang, "'"),
                     "NAME_INVALID", "name");
  ExpectQueryRefusal("GetCase", Named("none"), "RESOURCE_NOT_FOUND");
}

TEST_F(CaseViewsTest, ListsRefuseMalformedParentsAndFilters) {
  for (absl::string_view parent :
       {"", "companies/acme", "companies/-/customers/-",
        "companies/acme/customers/", "companies/acme/territories/-"}) {
    ExpectQueryRefusal("ListCases", absl::StrCat("parent: '", parent, "'"),
                       "NAME_INVALID", "parent");
  }
  ExpectQueryRefusal("SummarizeCases", "parent: 'acme'", "NAME_INVALID",
                     "parent");
  ExpectQueryRefusal(
      "SummarizeCases",
      "parent: 'companies/acme' open_from {seconds: 253402300799}",
      "FIELD_INVALID", "open_from");
  ExpectQueryRefusal("SummarizeCases",
                     "parent: 'companies/acme' open_before {nanos: -1}",
                     "FIELD_INVALID", "open_before");
  const std::string all = "parent: 'companies/acme/customers/-' ";
  ExpectQueryRefusal("ListCases", all + "due_before {seconds: 253402300799}",
                     "FIELD_INVALID", "due_before");
  ExpectQueryRefusal("ListCases", all + "page_size: -1", "FIELD_INVALID",
                     "page_size");
  ExpectQueryRefusal("ListCases", all + "page_token: 'rubbish'",
                     "PAGE_TOKEN_INVALID");
  ExpectQueryRefusal("ListCases", all + "state: 99", "FIELD_INVALID", "state");
  ExpectQueryRefusal("ListCases", all + "kind: 99", "FIELD_INVALID", "kind");
}

TEST_F(CaseViewsTest, AllCasesAreListedByOpenTime) {
  s_.At(Local("10:00"));
  Open("late");
  s_.At(Local("09:00"));
  Open("early", "REPAIR", "", kZhao);
  s_.At(Local("09:30"));
  Open("mid", "COMPLAINT");
  EXPECT_THAT(Cases(""), ElementsAre("early", "mid", "late"));
  EXPECT_THAT(Cases("", "wang"), ElementsAre("late", "mid"));  // by name
  EXPECT_THAT(Cases("", "nobody"), IsEmpty());
}

TEST_F(CaseViewsTest, CasesAreFilteredByStateKindAndOwner) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.At(Local("09:01")).As("wang");
  Open("k2", "COMPLAINT");
  s_.At(Local("09:02"));
  Open("k3", "REPAIR");
  s_.Given("ResolveCase", Named("k2", "resolution: 'r'"));
  for (absl::string_view customer : {"-", "wang"}) {
    EXPECT_THAT(Cases("state: OPEN", customer), ElementsAre("k1", "k3"));
    EXPECT_THAT(Cases("state: RESOLVED", customer), ElementsAre("k2"));
    EXPECT_THAT(Cases("kind: REPAIR", customer), ElementsAre("k3"));
    EXPECT_THAT(Cases("owner: 'wang'", customer), ElementsAre("k2", "k3"));
    EXPECT_THAT(Cases("owner: 'wang' state: OPEN", customer),
                ElementsAre("k3"));
    EXPECT_THAT(Cases("state: CLOSED", customer), IsEmpty());
  }
}

TEST_F(CaseViewsTest, CasesAreFilteredByChannelAndWhoHelps) {
  Open("k1");
  s_.Given("OpenCase", absl::StrCat("parent: '", kWang,
                                    "' case_id: 'k2' kind: INQUIRY "
                                    "channel: 'email' subject: 's'"));
  s_.Given("AddCoHandler", Named("k2", "person: 'mao'"));
  for (absl::string_view customer : {"-", "wang"}) {
    EXPECT_THAT(Cases("channel: 'hotline'", customer), ElementsAre("k1"));
    EXPECT_THAT(Cases("channel: 'email'", customer), ElementsAre("k2"));
    EXPECT_THAT(Cases("co_handler: 'mao'", customer), ElementsAre("k2"));
    EXPECT_THAT(Cases("co_handler: 'li'", customer), IsEmpty());
  }
}

// CASE-07's due times order the list of what is due; each case stands in it
// once, at its earliest running clock.
TEST_F(CaseViewsTest, DueCasesAreListedByTheirEarliestDueTime) {
  s_.At(Local("09:00"));
  Open("inquiry");                                  // 13:00 and 17:00
  Open("urgent", "COMPLAINT", "priority: URGENT");  // 11:00 and 09:05
  Open("repair", "REPAIR", "", kZhao);              // 13:00
  const auto before = [](absl::string_view time, int day = 2) {
    return absl::StrCat("due_before ", Stamp(Local(time, day)));
  };
  EXPECT_THAT(Cases(before("09:05")), IsEmpty());
  EXPECT_THAT(Cases(before("09:06")), ElementsAre("urgent"));
  EXPECT_THAT(Cases(before("17:01", 5)),
              ElementsAre("urgent", "inquiry", "repair"));
  EXPECT_THAT(Cases(before("17:01", 5), "zhao"), ElementsAre("repair"));
  EXPECT_THAT(Cases(before("17:01", 5) + " kind: INQUIRY"),
              ElementsAre("inquiry"));
  // An answer leaves the resolution; a pause and a resolution leave nothing.
  s_.Given("ReplyToCase", Named("inquiry", "text: 't'"));
  EXPECT_THAT(Cases(before("13:01")), ElementsAre("urgent", "repair"));
  s_.Given("PauseCase", Named("inquiry", "reason: 'r'"));
  s_.Given("ResolveCase", Named("urgent", "resolution: 'r'"));
  EXPECT_THAT(Cases(before("17:01", 5)), ElementsAre("repair"));
}

TEST_F(CaseViewsTest, EveryPageSizeGivesEachDueCaseOnce) {
  for (int i = 0; i < 23; ++i) {
    s_.At(Instant(Local("09:00")) + absl::Minutes(i / 3));
    Open(absl::StrCat("k", i), i % 2 == 0 ? "INQUIRY" : "COMPLAINT", "",
         i % 5 == 0 ? kZhao : kWang);
  }
  for (int size : {1, 2, 7, 22, 23, 1000}) {
    std::multiset<std::string> seen;
    std::string token;
    do {
      const auto page = Ask<v1::ListCasesResponse>(
          "ListCases",
          absl::StrCat("parent: 'companies/acme/customers/-' due_before ",
                       Stamp(Local("09:00", 20)), " page_size: ", size,
                       " page_token: '", token, "'"));
      EXPECT_LE(page.cases_size(), size);
      for (const auto& c : page.cases()) seen.insert(c.name());
      token = page.next_page_token();
      ASSERT_LE(seen.size(), 23u);
    } while (!token.empty());
    EXPECT_EQ(seen.size(), 23u) << size;
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 23u);
  }
}

TEST_F(CaseViewsTest, TheSummaryCountsKindsStatesClocksAndStars) {
  s_.At(Local("09:00"));
  Open("k1", "INQUIRY", "product_line: 'laptop'");
  Open("k2", "COMPLAINT");
  Open("k3", "REPAIR", "", kZhao);
  s_.At(Local("10:00")).Given("ResolveCase", Named("k1", "resolution: 'r'"));
  s_.Given("RecordFollowUp", Named("k1", "satisfaction: 4"));
  s_.WhenTimePasses(Local("18:00"));  // k2, k3: first response breached
  const auto summary = Summary();
  EXPECT_EQ(summary.cases(), 3);
  EXPECT_EQ(summary.customers(), 2);
  EXPECT_EQ(summary.resolved(), 1);
  EXPECT_EQ(summary.reopened(), 0);
  EXPECT_EQ(Map(summary.by_kind()),
            (std::map<std::string, int64_t>{
                {"complaint", 1}, {"inquiry", 1}, {"repair", 1}}));
  EXPECT_EQ(Map(summary.by_state()),
            (std::map<std::string, int64_t>{{"open", 2}, {"resolved", 1}}));
  EXPECT_EQ(Map(summary.by_product_line()),
            (std::map<std::string, int64_t>{{"laptop", 1}, {"none", 2}}));
  EXPECT_EQ(Map(summary.by_satisfaction()),
            (std::map<std::string, int64_t>{{"4", 1}}));
  ASSERT_EQ(summary.clocks_size(), 2);
  EXPECT_EQ(summary.clocks(0).kind(), "first_response");
  EXPECT_EQ(summary.clocks(0).met(), 1);
  EXPECT_EQ(summary.clocks(0).breached(), 2);
  EXPECT_EQ(summary.clocks(0).running(), 0);
  EXPECT_EQ(summary.clocks(1).kind(), "resolution");
  EXPECT_EQ(summary.clocks(1).met(), 1);
  EXPECT_EQ(summary.clocks(1).breached(), 0);
  EXPECT_EQ(summary.clocks(1).running(), 2);
}

TEST_F(CaseViewsTest, TheSummaryIsCutByOpenTime) {
  for (int day : {2, 3, 4}) {
    s_.At(Local("09:00", day));
    Open(absl::StrCat("k", day));
  }
  EXPECT_EQ(
      Summary(absl::StrCat("open_from ", Stamp(Local("09:00", 3)))).cases(), 2);
  EXPECT_EQ(
      Summary(absl::StrCat("open_before ", Stamp(Local("09:00", 3)))).cases(),
      1);
  EXPECT_EQ(Summary(absl::StrCat("open_from ", Stamp(Local("09:00", 3)),
                                 " open_before ", Stamp(Local("09:00", 4))))
                .cases(),
            1);
  EXPECT_EQ(Ask<v1::CaseSummary>("SummarizeCases", "parent: 'companies/acme2'")
                .cases(),
            0);
}

// CASE-33: a hundred resolutions of ninety cases of fifty customers: each
// figure is there, and none stands for another.
TEST_F(CaseViewsTest, ResolutionsCasesAndCustomersAreCountedApart) {
  for (int c = 0; c < 50; ++c) {
    s_.Given("RegisterCustomer",
             absl::StrCat("parent: 'companies/acme' customer_id: 'c", c,
                          "' display_name: 'C' region: 'beijing'"));
  }
  for (int i = 0; i < 90; ++i) {
    const std::string customer =
        absl::StrCat("companies/acme/customers/c", i % 50);
    const std::string id = absl::StrCat("k", i);
    const std::string name = absl::StrCat("name: '", customer, "/cases/", id);
    Open(id, "INQUIRY", "", customer);
    s_.Given("ResolveCase", absl::StrCat(name, "' resolution: 'r'"));
    if (i >= 10) continue;
    s_.Given("ReopenCase", absl::StrCat(name, "' reason: 'r'"));
    s_.Given("ResolveCase", absl::StrCat(name, "' resolution: 'r'"));
  }
  EXPECT_EQ(Summary().customers(), 50);
  EXPECT_EQ(Summary().cases(), 90);
  EXPECT_EQ(Summary().resolved(), 90);
  EXPECT_EQ(Summary().resolved() + Summary().reopened(), 100);
}

// CASE-33: cases and customers apart; reopened and open now is no resolution.
// CASE-35: nor is what automation gave up.
TEST_F(CaseViewsTest, OnlyStandingResolutionsOfPeopleCount) {
  Open("k1");
  Open("k2");
  Open("k3");
  for (absl::string_view id : {"k1", "k2"}) {
    s_.Given("ResolveCase", Named(id, "resolution: 'r'"));
  }
  s_.Given("ResolveCase", Named("k3", "resolution: 'r' by_timeout: true"));
  EXPECT_EQ(Summary().resolved(), 2);
  s_.Given("ReopenCase", Named("k2", "reason: 'r'"));
  EXPECT_EQ(Summary().cases(), 3);
  EXPECT_EQ(Summary().customers(), 1);
  EXPECT_EQ(Summary().resolved(), 1);
  EXPECT_EQ(Summary().reopened(), 1);
  s_.Given("ResolveCase", Named("k2", "resolution: 'r'"));
  EXPECT_EQ(Summary().resolved(), 2);
  EXPECT_EQ(Summary().reopened(), 1);
}

// ---- With case types and forms ----------------------------------------------

class TypedViewsTest : public CasesTest {
 protected:
  std::vector<std::string> Cases(absl::string_view more) {
    std::vector<std::string> ids;
    const auto page = Ask<v1::ListCasesResponse>(
        "ListCases",
        absl::StrCat("parent: 'companies/acme/customers/-' ", more));
    for (const auto& c : page.cases()) {
      ids.push_back(c.name().substr(c.name().rfind('/') + 1));
    }
    return ids;
  }
  v1::FilledForm Form(absl::string_view id) {
    return Ask<v1::FilledForm>("GetForm", Named(id));
  }
};

// INT-05: which cases wait for information; INT-28: whose they are.
TEST_F(TypedViewsTest, CasesAreFilteredByTypeDepartmentAndWhatIsMissing) {
  OpenTyped("k1", "complaint",
            absl::StrCat("description: 'd' ", ComplaintRecord()));
  s_.At(Local("09:01"));
  OpenTyped("k2", "complaint",
            "description: 'd' classification: 'product-quality'");
  s_.At(Local("09:02"));
  OpenTyped("k3", "repair");
  s_.At(Local("09:03"));
  OpenTyped("k4", "repair");
  s_.Given("RejectCase", Named("k4", "code: NOT_GENUINE text: 't'"));
  EXPECT_THAT(Cases("type: 'complaint'"), ElementsAre("k1", "k2"));
  EXPECT_THAT(Cases("department: 'quality'"), ElementsAre("k2"));
  EXPECT_THAT(Cases("department: 'after-sales'"),
              ElementsAre("k1", "k3", "k4"));
  // The rejected one waits for nothing.
  EXPECT_THAT(Cases("missing_information: true"), ElementsAre("k2", "k3"));
  EXPECT_THAT(Cases("missing_information: true type: 'repair'"),
              ElementsAre("k3"));
}

// INT-09: the complaint record as far as it is filled.
TEST_F(TypedViewsTest, AFormIsShownAsFarAsItIsFilled) {
  s_.Given("UpdateCustomer", absl::StrCat("name: '", kWang, "' phone: '110'"));
  OpenTyped(
      "k1", "complaint",
      absl::StrCat("description: '不制冷' ", Field("place", "text: '朝阳区'"),
                   Field("witnesses", "text: 'staff'"),
                   Field("witnesses", "text: 'family'")));
  const auto form = Form("k1");
  EXPECT_EQ(form.name(), CaseName("k1"));
  EXPECT_EQ(form.form(), "complaint-record");
  EXPECT_EQ(form.title(), "顾客投诉记录表");
  EXPECT_EQ(form.rule(), "INT-08");
  std::map<std::string, v1::FilledForm::Entry> entries;
  for (const auto& entry : form.entries()) entries[entry.field()] = entry;
  ASSERT_EQ(entries.size(), 8u);
  EXPECT_EQ(entries["description"].values(0).text(), "不制冷");
  EXPECT_EQ(entries["place"].title(), "地点");
  EXPECT_EQ(entries["place"].required_at(), "accept");
  EXPECT_EQ(entries["place"].values(0).text(), "朝阳区");
  EXPECT_EQ(entries["contact"].values(0).text(), "110");  // the customer's file
  EXPECT_EQ(entries["witnesses"].values_size(), 2);
  EXPECT_FALSE(entries["witnesses"].missing());
  EXPECT_TRUE(entries["occurred-at"].missing());
  EXPECT_TRUE(entries["demand"].missing());
  // Asked for only where money is demanded.
  EXPECT_FALSE(entries["amount"].missing());
}

TEST_F(TypedViewsTest, ACaseWithoutATypeHasNoForm) {
  Open("k1");
  const auto form = Form("k1");
  EXPECT_EQ(form.name(), CaseName("k1"));
  EXPECT_EQ(form.form(), "");
  EXPECT_EQ(form.entries_size(), 0);
  OpenTyped("k2", "opinion");
  EXPECT_EQ(Form("k2").form(), "");
  ExpectQueryRefusal("GetForm", Named("none"), "RESOURCE_NOT_FOUND");
  ExpectQueryRefusal("GetForm", "", "NAME_INVALID", "name");
}

}  // namespace
}  // namespace aftercare::intake
