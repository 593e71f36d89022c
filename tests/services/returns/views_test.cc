#include "services/returns/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "aftercare/returns/v1/returns_service.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/shard/history_rows.h"
#include "tests/services/returns/returns_scenario.h"

namespace aftercare::returns {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ViewsTest : public ReturnsTest {
 protected:
  template <typename Response>
  Response Answer(absl::string_view method, absl::string_view request) {
    auto answer = s_.Ask(method, request);
    EXPECT_TRUE(answer.ok()) << method << " " << request << answer.status();
    return answer.ok() ? static_cast<const Response&>(**answer) : Response();
  }

  void ExpectNoAnswer(absl::string_view method, absl::string_view request,
                      absl::string_view reason, absl::string_view field) {
    const auto answer = s_.Ask(method, request);
    EXPECT_EQ(ReasonOf(answer.status()), reason) << method << " " << request;
    EXPECT_EQ(FieldOf(answer.status()), field) << method << " " << request;
  }

  // Last segments of the names on all pages of a list, page by page.
  std::vector<std::string> Ids(absl::string_view request, int page_size = 2) {
    std::vector<std::string> ids;
    std::string token;
    do {
      const auto page = Answer<v1::ListReturnsResponse>(
          "ListReturns", absl::StrCat(request, " page_size: ", page_size,
                                      " page_token: '", token, "'"));
      EXPECT_LE(page.returns_size(), page_size);
      for (const auto& r : page.returns()) {
        ids.emplace_back(r.name().substr(r.name().rfind('/') + 1));
      }
      token = page.next_page_token();
    } while (!token.empty() && ids.size() < 100);
    return ids;
  }

  static constexpr absl::string_view kAll =
      "parent: 'companies/acme/customers/-'";

  // Of two customers: c1 asks for r3, r2, r1 in this order, c2 between the
  // first two for q1; r2 has come in.
  void GivenReturns() {
    s_.Given("RequestReturn", Request("r3", Kettles(1)));
    s_.At(s_.now() + absl::Minutes(1));
    const auto foreign = [](std::string text) {
      return absl::StrReplaceAll(text, {{"customers/c1", "customers/c2"}});
    };
    s_.Given("RecordSaleLine", foreign(SaleLine("kettles", 3, 3, 8999)));
    s_.Given("RequestReturn", foreign(Request("q1", Kettles(2), "unsaleable")));
    s_.At(s_.now() + absl::Minutes(1));
    s_.Given("RequestReturn", Request("r2", Kettles(1)));
    s_.At(s_.now() + absl::Minutes(1));
    s_.Given("RequestReturn", Request("r1", Kettles(1), "no_reason"));
    const std::string r2 = absl::StrCat(kCustomer, "/returns/r2");
    s_.Given("ApproveReturn", Named("", r2));
    s_.Given("ReceiveGoods", Named(Kettles(1), r2));
  }
};

TEST_F(ViewsTest, GetsOneByName) {
  s_.Given("RequestReturn",
           Request("r1", Kettles(1) + "description: '漏水 💧'"));
  EXPECT_EQ(Answer<v1::Return>("GetReturn", Named()).description(), "漏水 💧");
  EXPECT_EQ(Answer<v1::SaleLine>("GetSaleLine", Named("", kKettles))
                .quantity_in_returns(),
            1);
  for (const char* method : {"GetReturn", "GetSaleLine"}) {
    ExpectNoAnswer(method, Named("", "companies/acme"), "NAME_INVALID", "name");
  }
  ExpectNoAnswer("GetReturn", Named("", absl::StrCat(kReturn, "x")),
                 "RESOURCE_NOT_FOUND", "");
  ExpectNoAnswer("GetSaleLine", Named("", absl::StrCat(kKettles, "x")),
                 "RESOURCE_NOT_FOUND", "");
}

TEST_F(ViewsTest, ListsOneCustomersReturnsByName) {
  GivenReturns();
  EXPECT_THAT(Ids("parent: 'companies/acme/customers/c1'"),
              ElementsAre("r1", "r2", "r3"));
  EXPECT_THAT(Ids("parent: 'companies/acme/customers/c1' state: RECEIVED"),
              ElementsAre("r2"));
  EXPECT_THAT(Ids("parent: 'companies/acme/customers/c1' reason: 'no_reason'"),
              ElementsAre("r1"));
  EXPECT_THAT(Ids("parent: 'companies/acme/customers/c3'"), IsEmpty());
}

TEST_F(ViewsTest, ListsACompanysReturnsByRequestTime) {
  GivenReturns();
  for (int page_size : {1, 2, 3, 4, 50}) {
    EXPECT_THAT(Ids(kAll, page_size), ElementsAre("r3", "q1", "r2", "r1"));
  }
  EXPECT_THAT(Ids(absl::StrCat(kAll, " state: REQUESTED"), 1),
              ElementsAre("r3", "q1", "r1"));
  EXPECT_THAT(Ids(absl::StrCat(kAll, " reason: 'unsaleable'")),
              ElementsAre("q1"));
  EXPECT_THAT(Ids("parent: 'companies/other/customers/-'"), IsEmpty());
}

TEST_F(ViewsTest, ListsWhatIsDue) {
  GivenReturns();
  // The clock of r2 runs from 2 March 10:03 to 9 March 10:03.
  const auto due_before = [&](absl::string_view time) {
    return absl::StrCat(" due_before { seconds: ",
                        absl::ToUnixSeconds(*ParseRfc3339(time)), " }");
  };
  const std::string before = due_before("2026-03-09T10:03:00+08:00");
  const std::string after = due_before("2026-03-09T10:03:01+08:00");
  EXPECT_THAT(Ids(absl::StrCat(kAll, before)), IsEmpty());
  EXPECT_THAT(Ids(absl::StrCat(kAll, after)), ElementsAre("r2"));
  EXPECT_THAT(Ids("parent: 'companies/acme/customers/c1'" + after),
              ElementsAre("r2"));
  EXPECT_THAT(Ids("parent: 'companies/acme/customers/c2'" + after), IsEmpty());
  EXPECT_THAT(Ids(absl::StrCat(kAll, after, " state: CLOSED")), IsEmpty());
}

TEST_F(ViewsTest, ListsSaleLinesByName) {
  GivenReturns();
  std::vector<std::string> names;
  std::string token;
  do {
    const auto page = Answer<v1::ListSaleLinesResponse>(
        "ListSaleLines",
        absl::StrCat(kAll, " page_size: 2 page_token: '", token, "'"));
    for (const auto& line : page.sale_lines()) names.push_back(line.name());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_THAT(names, ElementsAre(kKettles, kPhones,
                                 "companies/acme/customers/c2/saleLines/"
                                 "kettles"));
  EXPECT_EQ(Answer<v1::ListSaleLinesResponse>(
                "ListSaleLines", "parent: 'companies/acme/customers/c2'")
                .sale_lines_size(),
            1);
}

TEST_F(ViewsTest, ListsRefuseBadRequests) {
  GivenReturns();
  for (const char* method : {"ListReturns", "ListSaleLines"}) {
    for (const char* parent :
         {"", "-", "companies/acme", "companies/-/customers/-",
          "companies/acme/staff/-", "companies/acme/customers/C1"}) {
      ExpectNoAnswer(method, absl::StrCat("parent: '", parent, "'"),
                     "NAME_INVALID", "parent");
    }
    ExpectNoAnswer(method, absl::StrCat(kAll, " page_size: -1"),
                   "FIELD_INVALID", "page_size");
    ExpectNoAnswer(method, absl::StrCat(kAll, " page_token: 'rubbish'"),
                   "PAGE_TOKEN_INVALID", "");
  }
  ExpectNoAnswer("ListReturns",
                 absl::StrCat(kAll, " due_before { seconds: 253370764800 }"),
                 "FIELD_INVALID", "due_before");
  // A token is good for its own list only.
  const std::string token =
      Answer<v1::ListReturnsResponse>("ListReturns",
                                      absl::StrCat(kAll, " page_size: 1"))
          .next_page_token();
  EXPECT_NE(token, "");
  ExpectNoAnswer(
      "ListReturns",
      absl::StrCat(kAll, " state: REQUESTED page_token: '", token, "'"),
      "PAGE_TOKEN_INVALID", "");
  // An enum value this version does not know.
  v1::ListReturnsRequest request;
  request.set_parent("companies/acme/customers/-");
  request.set_state(static_cast<v1::Return::State>(88));
  shard::QueryContext context;
  context.shards = {&s_.rows()};
  EXPECT_EQ(FieldOf(ListReturns(context, request).status()), "state");
}

// RET-18, RET-21, FIN-17: pieces and amounts.
TEST_F(ViewsTest, SummaryCountsPiecesAndAmounts) {
  GivenReturns();
  const std::string r2 = absl::StrCat(kCustomer, "/returns/r2");
  s_.Given("InspectReturn", Named(Inspected(1, 0), r2));
  s_.Given("RefundReturn", Named("", r2));
  auto summary =
      Answer<v1::ReturnSummary>("SummarizeReturns", "parent: 'companies/acme'");
  EXPECT_EQ(summary.returns(), 4);
  EXPECT_EQ(summary.customers(), 2);
  EXPECT_EQ(summary.requested_units(), 5);
  EXPECT_EQ(summary.received_units(), 1);
  EXPECT_EQ(summary.accepted_units(), 1);
  EXPECT_EQ(summary.refunded_units(), 1);
  EXPECT_EQ(summary.amount_granted().minor_units(), 8999);
  EXPECT_EQ(summary.amount_granted().currency_code(), "CNY");
  // CASE-28: granted is not paid.
  EXPECT_EQ(summary.amount_paid().minor_units(), 0);
  EXPECT_EQ(summary.clocks(0).running(), 1);
  s_.Given("ConfirmRefundPaid",
           Named("refund_number: 1 payment_reference: 'p'", r2));
  s_.Given("CloseReturn", Named("result: 'x'", r2));
  summary =
      Answer<v1::ReturnSummary>("SummarizeReturns", "parent: 'companies/acme'");
  EXPECT_EQ(summary.amount_paid().minor_units(), 8999);
  EXPECT_EQ(summary.clocks(0).met(), 1);
  EXPECT_EQ(summary.clocks(0).running(), 0);
  ASSERT_EQ(summary.by_outcome_size(), 1);
  EXPECT_EQ(summary.by_outcome(0).label(), "refunded");
  ASSERT_EQ(summary.by_state_size(), 2);
  EXPECT_EQ(summary.by_state(0).label(), "closed");
  EXPECT_EQ(summary.by_state(1).count(), 3);
  ASSERT_EQ(summary.by_reason_size(), 3);
  EXPECT_EQ(summary.by_reason(1).label(), "quality");
  EXPECT_EQ(summary.by_reason(1).count(), 2);
}

TEST_F(ViewsTest, SummaryCoversAPeriod) {
  GivenReturns();
  // 2 March 10:01 +08: from q1 up to, and without, r2.
  EXPECT_EQ(Answer<v1::ReturnSummary>(
                "SummarizeReturns",
                "parent: 'companies/acme' request_from { seconds: 1772416860 } "
                "request_before { seconds: 1772416920 }")
                .returns(),
            1);
  EXPECT_EQ(
      Answer<v1::ReturnSummary>("SummarizeReturns", "parent: 'companies/none'")
          .returns(),
      0);
  ExpectNoAnswer("SummarizeReturns", "parent: 'companies/acme/customers/c1'",
                 "NAME_INVALID", "parent");
  ExpectNoAnswer(
      "SummarizeReturns",
      "parent: 'companies/acme' request_from { seconds: 253370764800 }",
      "FIELD_INVALID", "request_from");
  ExpectNoAnswer("SummarizeReturns",
                 "parent: 'companies/acme' request_before { seconds: -1 }",
                 "FIELD_INVALID", "request_before");
}

TEST_F(ViewsTest, HistoryTellsTheFacts) {
  s_.Given("RequestReturn", Request("r1", Kettles(1)));
  MemoryRows rows(TheService().schema());
  EventMeta meta;
  meta.id = "returns/0/0/0";
  meta.subject = std::string(kReturn);
  meta.actor = "clerk";
  meta.revision = 3;
  shard::AppendHistory(rows, meta,
                       s_.event<v1::ReturnsEvent>().SerializeAsString());
  shard::QueryContext context;
  context.shards = {&rows};
  common::v1::GetHistoryRequest request;
  request.set_name(std::string(kReturn));
  const auto answer =
      TheService().FindMethod("GetReturnHistory")->query(context, request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  const auto& history =
      static_cast<const common::v1::GetHistoryResponse&>(**answer);
  ASSERT_EQ(history.entries_size(), 1);
  EXPECT_EQ(history.entries(0).type(), "ReturnRequested");
  EXPECT_EQ(history.entries(0).actor(), "clerk");
  EXPECT_THAT(history.entries(0).fact_json(), HasSubstr("\"quality\""));
}

}  // namespace
}  // namespace aftercare::returns
