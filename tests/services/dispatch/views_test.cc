#include "services/dispatch/views.h"

#include <set>
#include <vector>

#include "dispatch_fixture.h"

namespace aftercare::dispatch {
namespace {

class ViewsTest : public DispatchTest {
 protected:
  // Ids of the listed orders, page by page.
  std::vector<std::string> List(absl::string_view request, int page_size = 0,
                                int* pages = nullptr) {
    std::vector<std::string> ids;
    std::string token;
    do {
      const auto response = Ask<v1::ListWorkOrdersResponse>(
          "ListWorkOrders", absl::StrCat(request, " page_size: ", page_size,
                                         " page_token: '", token, "'"));
      for (const auto& order : response.work_orders()) {
        ids.emplace_back(IdOf(order.name()));
      }
      token = response.next_page_token();
      if (pages != nullptr) ++*pages;
    } while (!token.empty() && ids.size() < 1000);
    return ids;
  }
  void ExpectAskRefused(absl::string_view method, absl::string_view request,
                        absl::string_view reason, absl::string_view field) {
    SCOPED_TRACE(absl::StrCat(method, " ", request));
    const auto answer = s_.Ask(method, request);
    EXPECT_EQ(ReasonOf(answer.status()), reason) << answer.status();
    EXPECT_EQ(FieldOf(answer.status()), field) << answer.status();
  }
  static std::string North() { return absl::StrCat("parent: '", kNorth, "' "); }
};

TEST_F(ViewsTest, GetsByName) {
  Register("wu");
  Create("w1");
  EXPECT_EQ(Ask<v1::Technician>("GetTechnician",
                                absl::StrCat("name: '", Tech("wu"), "'"))
                .person(),
            "wu");
  EXPECT_EQ(Ask<v1::WorkOrder>("GetWorkOrder", Named("w1")).state(),
            v1::WorkOrder::UNASSIGNED);
  ExpectAskRefused("GetTechnician", "name: 'wu'", "NAME_INVALID", "name");
  ExpectAskRefused("GetTechnician", absl::StrCat("name: '", Tech("feng"), "'"),
                   "RESOURCE_NOT_FOUND", "");
  ExpectAskRefused("GetWorkOrder", "", "NAME_INVALID", "name");
  ExpectAskRefused("GetWorkOrder", Named("w2"), "RESOURCE_NOT_FOUND", "");
}

TEST_F(ViewsTest, TechniciansOfOneTerritoryOrOfAll) {
  for (const char* person : {"wu", "zheng", "feng"}) Register(person);
  s_.Given("RegisterTechnician",
           "parent: 'companies/acme/territories/rest' technician_id: 'chu' "
           "person: 'chu'");
  std::vector<std::string> ids;
  std::string token;
  do {
    const auto page = Ask<v1::ListTechniciansResponse>(
        "ListTechnicians",
        absl::StrCat(North(), "page_size: 2 page_token: '", token, "'"));
    EXPECT_LE(page.technicians_size(), 2);
    for (const auto& t : page.technicians()) ids.emplace_back(IdOf(t.name()));
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_THAT(ids, ::testing::ElementsAre("feng", "wu", "zheng"));
  EXPECT_EQ(Ask<v1::ListTechniciansResponse>(
                "ListTechnicians", "parent: 'companies/acme/territories/-'")
                .technicians_size(),
            4);
  EXPECT_EQ(Ask<v1::ListTechniciansResponse>(
                "ListTechnicians", "parent: 'companies/other/territories/-'")
                .technicians_size(),
            0);
  for (const char* parent : {"", "companies/acme", "companies/-/territories/-",
                             "companies/acme/customers/-"}) {
    ExpectAskRefused("ListTechnicians", absl::StrCat("parent: '", parent, "'"),
                     "NAME_INVALID", "parent");
  }
}

TEST_F(ViewsTest, OrdersByOpenTimeWithStablePages) {
  for (int i = 0; i < 7; ++i) {
    s_.At(absl::StrCat("2026-03-02T08:0", i, ":00+08:00"));
    Create(absl::StrCat("w", 9 - i));
  }
  s_.Given("CreateWorkOrder",
           "parent: 'companies/acme/territories/rest' work_order_id: 'r1'");
  int pages = 0;
  EXPECT_THAT(List(North(), 3, &pages),
              ::testing::ElementsAre("w9", "w8", "w7", "w6", "w5", "w4", "w3"));
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(List("parent: 'companies/acme/territories/-'", 2).size(), 8u);
  ExpectAskRefused("ListWorkOrders", North() + "page_token: 'forged'",
                   "PAGE_TOKEN_INVALID", "");
  ExpectAskRefused("ListWorkOrders", North() + "page_size: -1", "FIELD_INVALID",
                   "page_size");
}

TEST_F(ViewsTest, UnfinishedStatesComeByDueTime) {
  Create("slow");
  Create("urgent", "priority: 'urgent'");
  Create("gone");
  s_.Given("CancelWorkOrder", Named("gone", "reason: 'x'"));
  EXPECT_THAT(List(North() + "state: UNASSIGNED"),
              ::testing::ElementsAre("urgent", "slow"));
  EXPECT_THAT(List(North() + "state: CANCELLED"),
              ::testing::ElementsAre("gone"));
  EXPECT_THAT(List(North() + "state: COMPLETED"), ::testing::IsEmpty());
}

TEST_F(ViewsTest, DueBeforeFindsWhatHasToBeDoneNext) {
  Create("slow");
  Create("urgent", "priority: 'urgent'");
  const auto before = [&](absl::string_view local) {
    return absl::StrCat(North(), "due_before ", Stamp(local));
  };
  // Due at 12:00 is not due before 12:00.
  EXPECT_THAT(List(before(Local("12:00"))), ::testing::IsEmpty());
  EXPECT_THAT(List(before(Local("12:01"))), ::testing::ElementsAre("urgent"));
  EXPECT_THAT(List(before(Local("12:00", 9))),
              ::testing::ElementsAre("urgent", "slow"));
}

TEST_F(ViewsTest, OrdersOfATechnicianByVisit) {
  Register("wu");
  Register("zheng");
  for (const char* id : {"a", "b", "c"}) Create(id);
  Assign("b", "wu", Local("09:00"));
  Assign("a", "wu", Local("13:00"));
  Assign("c", "zheng", Local("09:00"));
  const std::string of_wu =
      absl::StrCat(North(), "technician: '", Tech("wu"), "' ");
  EXPECT_THAT(List(of_wu), ::testing::ElementsAre("b", "a"));
  EXPECT_THAT(List(of_wu + "state: ASSIGNED", 1),
              ::testing::ElementsAre("b", "a"));
  EXPECT_THAT(List(of_wu + "state: ACCEPTED"), ::testing::IsEmpty());
  EXPECT_THAT(List(absl::StrCat("parent: 'companies/acme/territories/rest' "
                                "technician: '",
                                Tech("wu"), "'")),
              ::testing::IsEmpty());
  ExpectAskRefused("ListWorkOrders", North() + "technician: 'wu'",
                   "NAME_INVALID", "technician");
  ExpectAskRefused("ListWorkOrders", North() + "state: 99", "FIELD_INVALID",
                   "state");
  ExpectAskRefused("ListWorkOrders",
                   North() + "due_before {seconds: 253370764800}",
                   "FIELD_INVALID", "due_before");
}

TEST_F(ViewsTest, ADayIsCutInTheCompanysZone) {
  Register("wu", "calendar: 'always'");
  for (const char* id : {"early", "night", "next"}) Create(id);
  Assign("night", "wu", Local("23:30"));
  Assign("early", "wu", Local("08:00"));
  Assign("next", "wu", Local("01:00", 3));
  const auto day = [&](absl::string_view more) {
    std::vector<std::string> ids;
    const auto list = Ask<v1::DayList>(
        "GetDayList", absl::StrCat("name: '", Tech("wu"), "' ", more));
    for (const auto& visit : list.visits()) {
      ids.emplace_back(IdOf(visit.name()));
    }
    return ids;
  };
  // 16:30 and 17:00 UTC of the 2nd are two days in Shanghai.
  EXPECT_THAT(day(absl::StrCat("day ", Stamp(Local("12:00")))),
              ::testing::ElementsAre("early", "night"));
  EXPECT_THAT(day(absl::StrCat("day ", Stamp(Local("00:00", 3)))),
              ::testing::ElementsAre("next"));
  // Today without a day.
  EXPECT_THAT(day(""), ::testing::ElementsAre("early", "night"));
  ExpectAskRefused("GetDayList", "name: 'wu'", "NAME_INVALID", "name");
  ExpectAskRefused("GetDayList", absl::StrCat("name: '", Tech("feng"), "'"),
                   "RESOURCE_NOT_FOUND", "");
  ExpectAskRefused(
      "GetDayList",
      absl::StrCat("name: '", Tech("wu"), "' day {seconds: 253370764800}"),
      "FIELD_INVALID", "day");
}

TEST_F(ViewsTest, TheSummaryCountsStatesVisitsClocksAndFees) {
  Register("wu");
  for (const char* id : {"done", "open", "gone"}) Create(id);
  Assign("done", "wu", Local("09:00"));
  s_.At(Local("09:00"));
  VisitUpTo("ArriveAtSite", "done", "wu");
  s_.Given("CompleteWorkOrder",
           Named("done",
                 "report: 'ok' labour {currency_code: 'CNY' "
                 "minor_units: 500}"));
  s_.Given("CancelWorkOrder", Named("gone", "reason: 'x'"));
  s_.WhenTimePasses(Local("09:00", 4));
  const auto summary = Ask<v1::WorkOrderSummary>("SummarizeWorkOrders",
                                                 "parent: 'companies/acme'");
  EXPECT_EQ(summary.work_orders(), 3);
  EXPECT_EQ(summary.visits(), 1);
  EXPECT_EQ(summary.completed(), 1);
  EXPECT_EQ(summary.first_visit_fixes(), 1);
  EXPECT_EQ(summary.fees().minor_units(), 500);
  EXPECT_EQ(summary.fees().currency_code(), "CNY");
  ASSERT_EQ(summary.by_state_size(), 3);
  EXPECT_EQ(summary.by_state(0).label(), "cancelled");
  EXPECT_EQ(summary.by_state(1).label(), "completed");
  EXPECT_EQ(summary.by_state(2).label(), "unassigned");
  ASSERT_EQ(summary.clocks_size(), 2);
  EXPECT_EQ(summary.clocks(0).kind(), "on_site");
  EXPECT_EQ(summary.clocks(0).met(), 1);
  EXPECT_EQ(summary.clocks(0).breached(), 1);
  EXPECT_EQ(summary.clocks(1).met(), 1);
  EXPECT_EQ(summary.clocks(1).running(), 1);
  ExpectAskRefused("SummarizeWorkOrders", North(), "NAME_INVALID", "parent");
  EXPECT_EQ(Ask<v1::WorkOrderSummary>("SummarizeWorkOrders",
                                      "parent: 'companies/other'")
                .work_orders(),
            0);
}

}  // namespace
}  // namespace aftercare::dispatch
