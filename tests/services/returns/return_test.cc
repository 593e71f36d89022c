#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "tests/services/returns/returns_scenario.h"

namespace aftercare::returns {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReturnTest : public ReturnsTest {
 protected:
  using ReturnsTest::ReturnsTest;
};

// ---------------------------------------------------------------- requesting

// RET-02, RET-31
TEST_F(ReturnTest, RequestBindsTheUnitsAndNamesTheSignatures) {
  s_.Given("RequestReturn", Request("r1",
                                    absl::StrCat(Kettles(2), Phones({"P-2"}),
                                                 "description: '壶嘴漏水 💧'"),
                                    "unsaleable", "EXCHANGE"));
  EXPECT_EQ(s_.Events(), "ReturnRequested");
  EXPECT_EQ(R().state(), v1::Return::REQUESTED);
  EXPECT_EQ(R().kind(), v1::Return::EXCHANGE);
  EXPECT_EQ(R().description(), "壶嘴漏水 💧");
  EXPECT_EQ(R().handler(), "clerk");
  EXPECT_THAT(R().required_approvals(), ElementsAre("finance", "supervisor"));
  EXPECT_EQ(R().lines(0).quantity(), 2);
  EXPECT_EQ(R().lines(0).unit_price_paid().minor_units(), 8999);
  EXPECT_EQ(R().lines(1).product(), "phones");
  EXPECT_EQ(FromProto(R().request_time()), s_.now());
  EXPECT_EQ(Sold().quantity_in_returns(), 2);
  EXPECT_THAT(Sold(kPhones).serials_in_returns(), ElementsAre("P-2"));
  EXPECT_EQ(Sold().etag(), R().etag());
}

TEST_F(ReturnTest, RequestRefusesBadFields) {
  const std::string good = Request("r1", Kettles(1));
  const std::string huge(kMaxLongText + 1, 'x');
  for (const auto& [from, to, field] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"'r1'", "'R/1'", "return_id"},
           {"RETURN", "KIND_UNSPECIFIED", "kind"},
           {"'quality'", "''", "reason"},
           {"'quality'", absl::StrCat("'", huge, "'"), "reason"},
           {"'quality'", absl::StrCat("'quality' description: '", huge, "'"),
            "description"},
           {Kettles(1), "", "lines"},
           {Kettles(1), Kettles(1) + Kettles(1), "lines[1].sale_line"},
           {Kettles(1), Kettles(0), "lines[0].quantity"},
           // CASE-23: taking back a return by a negative one.
           {Kettles(1), Kettles(-1), "lines[0].quantity"},
           {Kettles(1), Kettles(kMaxQuantity + 1), "lines[0].quantity"},
           {"quantity: 1", "quantity: 1 serials: 'a' serials: 'b'",
            "lines[0].serials"},
           {"quantity: 1", "quantity: 1 serials: '\\001'",
            "lines[0].serials[0]"},
           // Another customer's sale line.
           {std::string(kKettles),
            "companies/acme/customers/c2/saleLines/kettles",
            "lines[0].sale_line"}}) {
    std::string bad = absl::StrReplaceAll(good, {{from, to}});
    ASSERT_NE(bad, good) << from;
    ExpectBad("RequestReturn", bad, field);
  }
  ExpectRefused("RequestReturn",
                absl::StrReplaceAll(good, {{kKettles, "kettles"}}),
                "NAME_INVALID", "lines[0].sale_line");
  ExpectRefused("RequestReturn",
                "parent: 'companies/acme' return_id: 'r1' kind: RETURN",
                "NAME_INVALID", "parent");
  std::string many;
  for (int i = 0; i <= kMaxLines; ++i) {
    absl::StrAppend(&many, "lines { sale_line: '", kKettles, "-", i,
                    "' quantity: 1 } ");
  }
  ExpectBad("RequestReturn", Request("r1", many), "lines");
}

// An enum value that this version does not know.
TEST_F(ReturnTest, RequestRefusesUnknownKinds) {
  v1::RequestReturnRequest request;
  request.set_parent(std::string(kCustomer));
  request.set_return_id("r1");
  request.set_kind(static_cast<v1::Return::Kind>(77));
  request.set_reason("quality");
  s_.When("RequestReturn", request);
  EXPECT_EQ(s_.Reason(), "FIELD_INVALID");
  EXPECT_EQ(s_.Field(), "kind");
}

TEST_F(ReturnTest, RequestRefusesUnknownReasonsLinesAndTakenIds) {
  ExpectRefused("RequestReturn", Request("r1", Kettles(1), "whim"),
                "RETURN_REASON_UNKNOWN");
  ExpectRefused("RequestReturn",
                absl::StrReplaceAll(Request("r1", Kettles(1)),
                                    {{kKettles, absl::StrCat(kKettles, "x")}}),
                "RESOURCE_NOT_FOUND");
  s_.Given("RequestReturn", Request("r1", Kettles(1)));
  ExpectRefused("RequestReturn", Request("r1", Kettles(1)),
                "RESOURCE_ALREADY_EXISTS");
}

// RET-26: seven days from the delivery on 2 March, ends with 9 March.
TEST_F(ReturnTest, WindowEndsWithTheLastDay) {
  s_.At("2026-03-09T23:59:59+08:00")
      .Given("RequestReturn", Request("r1", Kettles(1), "no_reason"));
  s_.At("2026-03-10T00:00:00+08:00");
  ExpectRefused("RequestReturn", Request("r2", Kettles(1), "no_reason"),
                "RETURN_WINDOW_OVER");
  // Defects are outside the window (WAR-01 covers them).
  s_.Given("RequestReturn", Request("r2", Kettles(1), "quality"));
}

TEST_F(ReturnTest, WindowIsThatOfTheBusinessTimeNotOfTheReport) {
  s_.At("2026-03-20T09:00:00+08:00");
  s_.Given("RequestReturn",
           Request("r1",
                   absl::StrCat(Kettles(1),
                                // 2026-03-09 12:00 +08
                                "occur_time { seconds: 1773028800 }"),
                   "no_reason"));
}

TEST_F(ReturnTest, RequestCannotLieBeforeTheDelivery) {
  s_.At("2026-03-02T08:59:59+08:00");
  ExpectRefused("RequestReturn", Request("r1", Kettles(1)),
                "OCCUR_TIME_TOO_EARLY");
}

// RET-26 as some companies have it: three working days from the order.
class OrderWindowTest : public ReturnsTest {
 protected:
  OrderWindowTest()
      : ReturnsTest(PolicyWith("window: 7d\n  calendar: office\n  "
                               "window_start: delivery",
                               "window: 3wd\n  calendar: office\n  "
                               "window_start: order")) {}
};

TEST_F(OrderWindowTest, CountsWorkingDaysFromTheOrder) {
  // Ordered on Sunday 1 March: Monday, Tuesday, Wednesday.
  s_.At("2026-03-04T17:00:00+08:00")
      .Given("RequestReturn", Request("r1", Kettles(1), "no_reason"));
  s_.At("2026-03-04T17:00:01+08:00");
  ExpectRefused("RequestReturn", Request("r2", Kettles(1), "no_reason"),
                "RETURN_WINDOW_OVER");
}

// CASE-23 (open-mercato#3156): ordered 3, shipped 2 -> at most 2.
TEST_F(ReturnTest, OnlyWhatWasDeliveredCanComeBack) {
  s_.Given("RecordSaleLine", SaleLine("part", 3, 2, 100));
  s_.Given("RecordSaleLine", SaleLine("none", 3, 0, 100));
  const auto lines = [](absl::string_view id, int quantity) {
    return absl::StrCat("lines { sale_line: '", kCustomer, "/saleLines/", id,
                        "' quantity: ", quantity, " } ");
  };
  ExpectRefused("RequestReturn", Request("r1", lines("part", 3)),
                "QUANTITY_NOT_RETURNABLE");
  ExpectRefused("RequestReturn", Request("r1", lines("none", 1)),
                "QUANTITY_NOT_RETURNABLE");
  s_.Given("RequestReturn", Request("r1", lines("part", 2)));
}

// CASE-23 (mixerp#122), CASE-24 (compressor#1477): bought 5, returned 2, then
// 1; then 3 is too much. Requests that only wait count too.
TEST_F(ReturnTest, PoolIsWhatNoOtherReturnBinds) {
  s_.Given("RecordSaleLine", SaleLine("five", 5, 5, 100));
  const auto lines = [](int quantity) {
    return absl::StrCat("lines { sale_line: '", kCustomer,
                        "/saleLines/five' quantity: ", quantity, " } ");
  };
  s_.Given("RequestReturn", Request("r1", lines(2)));
  s_.Given("RequestReturn", Request("r2", lines(1)));
  ExpectRefused("RequestReturn", Request("r3", lines(3)),
                "QUANTITY_NOT_RETURNABLE");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(
      std::string(s_.status().GetPayload(kErrorInfoUrl).value())));
  EXPECT_EQ(info.metadata().at("returnable"), "2");
  s_.Given("RequestReturn", Request("r3", lines(2)));
  ExpectRefused("RequestReturn", Request("r4", lines(1)),
                "QUANTITY_NOT_RETURNABLE");
}

// CASE-23 (erpnext#48358): ten of ten are back. Nothing is left, and a negative
// return is no way to get some of it again.
TEST_F(ReturnTest, WhatIsBackForGoodCannotComeBackAgain) {
  s_.Given("RecordSaleLine", SaleLine("ten", 10, 10, 100));
  const std::string ten = absl::StrCat(kCustomer, "/saleLines/ten");
  const auto lines = [&](int quantity) {
    return absl::StrCat("lines { sale_line: '", ten, "' quantity: ", quantity,
                        " } ");
  };
  GivenApproved(lines(10));
  s_.Given("ReceiveGoods", Named(lines(10)));
  s_.Given("InspectReturn", Named(Inspected(10, 0, "", ten)));
  s_.Given("RefundReturn", Named());
  s_.Given("ConfirmRefundPaid",
           Named("refund_number: 1 payment_reference: 'p'"));
  s_.Given("CloseReturn", Named("result: 'x'"));
  ExpectRefused("RequestReturn", Request("r2", lines(1)),
                "QUANTITY_NOT_RETURNABLE");
  ExpectBad("RequestReturn", Request("r2", lines(-1)), "lines[0].quantity");
  ExpectRefused("CancelReturn", Named("reason: 'x'"), "RETURN_ENDED");
  EXPECT_EQ(Sold(ten).quantity_in_returns(), 10);
}

TEST_F(ReturnTest, SerialsMustBeSoldAndFree) {
  ExpectRefused("RequestReturn", Request("r1", Phones({"X-9"})),
                "SERIAL_NOT_SOLD");
  ExpectRefused("RequestReturn",
                Request("r1", absl::StrReplaceAll(Kettles(1),
                                                  {{" }", " serials: 'k' }"}})),
                "SERIAL_NOT_SOLD");
  ExpectBad(
      "RequestReturn",
      Request("r1", absl::StrReplaceAll(Kettles(1), {{kKettles, kPhones}})),
      "lines[0].serials");
  s_.Given("RequestReturn", Request("r1", Phones({"P-1"})));
  ExpectRefused("RequestReturn", Request("r2", Phones({"P-1"})),
                "SERIAL_IN_RETURN");
  s_.Given("RequestReturn", Request("r2", Phones({"P-2"})));
}

// ------------------------------------------------------------------- signing

// RET-05: finance first, then the head of the business.
TEST_F(ReturnTest, RolesSignInOrder) {
  s_.Given("RequestReturn", Request("r1", Kettles(1), "unsaleable"));
  ExpectRefused("ApproveReturn", Named(), "NOT_THE_APPROVER");
  s_.As("finance").Given("ApproveReturn", Named("note: '在比例之内'"));
  EXPECT_EQ(s_.Events(), "ReturnApproved");
  EXPECT_FALSE(s_.event<v1::ReturnsEvent>().return_approved().complete());
  EXPECT_EQ(R().state(), v1::Return::REQUESTED);
  ExpectRefused("ApproveReturn", Named(), "NOT_THE_APPROVER");
  s_.As("head").Given("ApproveReturn", Named());
  const auto& fact = s_.event<v1::ReturnsEvent>().return_approved();
  EXPECT_TRUE(fact.complete());
  EXPECT_EQ(fact.role(), "supervisor");
  EXPECT_EQ(fact.step(), 2);
  EXPECT_EQ(R().state(), v1::Return::APPROVED);
  EXPECT_EQ(R().approvals(0).by(), "finance");
  EXPECT_EQ(R().approvals(0).note(), "在比例之内");
  EXPECT_EQ(R().approvals(1).by(), "head");
  ExpectRefused("ApproveReturn", Named(), "RETURN_NOT_REQUESTED");
}

TEST_F(ReturnTest, OnePersonSignsOnce) {
  s_.Given("RequestReturn", Request("r1", Kettles(1), "unsaleable"));
  // The head has both roles.
  s_.As("head").Given("ApproveReturn", Named());
  ExpectRefused("ApproveReturn", Named(), "APPROVED_BY_SAME_PERSON");
}

TEST_F(ReturnTest, NobodyUnknownSigns) {
  s_.Given("RequestReturn", Request("r1", Kettles(1)));
  s_.As("system");
  ExpectRefused("ApproveReturn", Named(), "NOT_THE_APPROVER");
  ExpectRefused("RefuseReturn", Named("reason: 'no'"), "NOT_THE_APPROVER");
}

// RET-06: over quota is refused, with an explanation.
TEST_F(ReturnTest, RefusalFreesTheUnits) {
  s_.Given("RequestReturn",
           Request("r1", Kettles(3) + Phones({"P-1"}), "unsaleable"));
  ExpectBad("RefuseReturn", Named(), "reason");
  ExpectRefused("RefuseReturn", Named("reason: 'x'"), "NOT_THE_APPROVER");
  s_.As("finance").Given("RefuseReturn", Named("reason: '超过调换率'"));
  EXPECT_EQ(s_.Events(), "ReturnRefused");
  EXPECT_EQ(R().state(), v1::Return::REFUSED);
  EXPECT_EQ(R().end_reason(), "超过调换率");
  EXPECT_EQ(Sold().quantity_in_returns(), 0);
  EXPECT_THAT(Sold(kPhones).serials_in_returns(), IsEmpty());
  s_.As("clerk").Given("RequestReturn", Request("r2", Kettles(3)));
}

TEST_F(ReturnTest, SupervisorMayRefuseOutOfTurn) {
  s_.Given("RequestReturn", Request("r1", Kettles(1)));
  s_.As("head").Given("RefuseReturn", Named("reason: 'no'"));
  EXPECT_EQ(R().state(), v1::Return::REFUSED);
}

TEST_F(ReturnTest, ApprovedReturnsCannotBeRefused) {
  GivenApproved(Kettles(1));
  ExpectRefused("RefuseReturn", Named("reason: 'x'"), "RETURN_NOT_REQUESTED");
}

TEST_F(ReturnTest, CancellingFreesTheUnitsUntilGoodsArrive) {
  ExpectBad("CancelReturn", Named(), "reason");
  s_.Given("RequestReturn", Request("r1", Kettles(3)));
  s_.Given("CancelReturn", Named("reason: 'changed mind'"));
  EXPECT_EQ(s_.Events(), "ReturnCancelled");
  EXPECT_EQ(R().state(), v1::Return::CANCELLED);
  EXPECT_EQ(Sold().quantity_in_returns(), 0);

  const std::string second = absl::StrCat(kCustomer, "/returns/r2");
  s_.Given("RequestReturn", Request("r2", Kettles(3)));
  s_.Given("ApproveReturn", Named("", second));
  s_.Given("ReceiveGoods", Named(Kettles(1), second));
  ExpectRefused("CancelReturn", Named("reason: 'x'", second), "GOODS_ARRIVED");
}

// ----------------------------------------------------------------- receiving

// RET-10, RET-34
TEST_F(ReturnTest, NothingComesInWithoutApproval) {
  s_.Given("RequestReturn", Request("r1", Kettles(1)));
  ExpectRefused("ReceiveGoods", Named(Kettles(1)), "RETURN_NOT_APPROVED");
}

// CASE-30: two of three have arrived: not received yet.
TEST_F(ReturnTest, PartsArriveUntilAllIsThere) {
  GivenApproved(Kettles(3) + Phones({"P-1"}));
  s_.Given("ReceiveGoods", Named(Kettles(2) + "note: '外箱破损'"));
  EXPECT_EQ(s_.Events(), "GoodsReceived");
  EXPECT_EQ(R().state(), v1::Return::RECEIVING);
  s_.Given("ReceiveGoods", Named(Kettles(1)));
  EXPECT_EQ(R().state(), v1::Return::RECEIVING);
  s_.Given("ReceiveGoods", Named(Phones({"P-1"})));
  EXPECT_EQ(R().state(), v1::Return::RECEIVED);
  EXPECT_EQ(R().lines(0).quantity_received(), 3);
  EXPECT_THAT(R().lines(1).received_serials(), ElementsAre("P-1"));
}

TEST_F(ReturnTest, OnlyWhatIsExpectedComesIn) {
  GivenApproved(Kettles(2) + Phones({"P-1"}));
  s_.Given("ReceiveGoods", Named(Kettles(1)));
  ExpectRefused("ReceiveGoods", Named(Kettles(2)), "GOODS_NOT_EXPECTED");
  ExpectRefused("ReceiveGoods", Named(Phones({"P-2"})), "GOODS_NOT_EXPECTED");
  ExpectBad("ReceiveGoods",
            Named(absl::StrReplaceAll(Kettles(1), {{kKettles, kPhones}})),
            "lines[0].serials");
  ExpectBad("ReceiveGoods",
            Named(absl::StrReplaceAll(
                Kettles(1), {{kKettles, absl::StrCat(kKettles, "x")}})),
            "lines[0].sale_line");
  ExpectBad("ReceiveGoods", Named(), "lines");
  ExpectBad("ReceiveGoods", Named(Kettles(0)), "lines[0].quantity");
  s_.Given("ReceiveGoods", Named(Phones({"P-1"})));
  ExpectRefused("ReceiveGoods", Named(Phones({"P-1"})), "GOODS_NOT_EXPECTED");
}

// RET-29: five working days from the first arrival.
TEST_F(ReturnTest, FirstArrivalStartsTheClock) {
  GivenApproved(Kettles(3));
  EXPECT_THAT(R().clocks(), IsEmpty());
  s_.At("2026-03-03T09:00:00+08:00").Given("ReceiveGoods", Named(Kettles(1)));
  ASSERT_EQ(R().clocks_size(), 1);
  EXPECT_EQ(R().clocks(0).kind(), "processing");
  EXPECT_EQ(FormatRfc3339(FromProto(R().clocks(0).due_time())),
            "2026-03-09T09:00:00Z");
  s_.At("2026-03-04T09:00:00+08:00").Given("ReceiveGoods", Named(Kettles(1)));
  EXPECT_EQ(FormatRfc3339(FromProto(R().clocks(0).due_time())),
            "2026-03-09T09:00:00Z");
}

TEST_F(ReturnTest, OverdueProcessingIsABreachOnce) {
  GivenApproved(Kettles(1));
  s_.At("2026-03-03T09:00:00+08:00").Given("ReceiveGoods", Named(Kettles(1)));
  s_.WhenTimePasses("2026-03-09T17:00:00+08:00");
  EXPECT_EQ(s_.Events(), "");
  s_.WhenTimePasses("2026-03-09T17:00:01+08:00");
  EXPECT_EQ(s_.Events(), "ClockBreached");
  const auto& fact = s_.event<v1::ReturnsEvent>().clock_breached();
  EXPECT_EQ(fact.responsible(), "clerk");
  EXPECT_EQ(fact.clock().kind(), "processing");
  EXPECT_TRUE(R().clocks(0).breached());
  EXPECT_EQ(R().state(), v1::Return::RECEIVED);
  s_.WhenTimePasses("2026-06-01T00:00:00+08:00");
  EXPECT_EQ(s_.Events(), "");
}

// ---------------------------------------------------------------- inspecting

// RET-12 to RET-14
TEST_F(ReturnTest, InspectionDividesWhatArrived) {
  GivenApproved(Kettles(3));
  s_.Given("ReceiveGoods", Named(Kettles(3)));
  s_.As("inspector")
      .Given(
          "InspectReturn",
          Named(absl::StrCat("lines { sale_line: '", kKettles,
                             "' accepted: 2 damaged: 1 fault: COMPANY "
                             "finding: '焊缝开裂' responsible: 'welding' }")));
  EXPECT_EQ(s_.Events(), "ReturnInspected");
  const auto& fact = s_.event<v1::ReturnsEvent>().return_inspected();
  EXPECT_EQ(fact.by(), "inspector");
  EXPECT_EQ(fact.lines(0).finding(), "焊缝开裂");
  EXPECT_EQ(R().state(), v1::Return::INSPECTED);
  EXPECT_EQ(R().lines(0).quantity_accepted(), 2);
  EXPECT_EQ(R().lines(0).quantity_damaged(), 1);
  ExpectRefused("InspectReturn", Named(Inspected(1, 0)), "NOTHING_TO_INSPECT");
}

TEST_F(ReturnTest, InspectionCoversAllThatWaits) {
  GivenApproved(Kettles(3));
  ExpectRefused("InspectReturn", Named(Inspected(1, 0)), "NOTHING_TO_INSPECT");
  s_.Given("ReceiveGoods", Named(Kettles(2)));
  ExpectRefused("InspectReturn", Named(Inspected(1, 0)),
                "INSPECTION_INCOMPLETE");
  ExpectRefused("InspectReturn", Named(Inspected(2, 1)),
                "INSPECTION_INCOMPLETE");
  s_.Given("InspectReturn", Named(Inspected(1, 1)));
  // CASE-30: the third is still missing.
  EXPECT_EQ(R().state(), v1::Return::RECEIVING);
  s_.Given("ReceiveGoods", Named(Kettles(1)));
  EXPECT_EQ(R().state(), v1::Return::RECEIVED);
  s_.Given("InspectReturn", Named(Inspected(1, 0)));
  EXPECT_EQ(R().lines(0).quantity_accepted(), 2);
  EXPECT_EQ(R().state(), v1::Return::INSPECTED);
}

TEST_F(ReturnTest, InspectionRefusesBadFields) {
  GivenApproved(Kettles(3));
  s_.Given("ReceiveGoods", Named(Kettles(3)));
  const std::string good =
      absl::StrCat("lines { sale_line: '", kKettles,
                   "' accepted: 2 damaged: 1 fault: COMPANY finding: 'f' "
                   "responsible: 'r' }");
  const std::string huge(kMaxLongText + 1, 'x');
  for (const auto& [from, to, field] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {good, "", "lines"},
           {good, good + good, "lines[1].sale_line"},
           {std::string(kKettles), absl::StrCat(kKettles, "x"),
            "lines[0].sale_line"},
           {"accepted: 2", "accepted: -1", "lines[0].accepted"},
           {"damaged: 1", "damaged: -1", "lines[0].damaged"},
           {"fault: COMPANY", "", "lines[0].fault"},
           // RET-14: what is not accepted has a written statement.
           {"finding: 'f'", "", "lines[0].finding"},
           {"finding: 'f'", absl::StrCat("finding: '", huge, "'"),
            "lines[0].finding"},
           // RET-13: a fault of the company has its responsible.
           {"responsible: 'r'", "", "lines[0].responsible"},
           {"finding: 'f'", "finding: 'f' damaged_serials: 'x'",
            "lines[0].damaged_serials"}}) {
    const std::string bad = absl::StrReplaceAll(good, {{from, to}});
    ASSERT_NE(bad, good);
    ExpectBad("InspectReturn", Named(bad), field);
  }
}

TEST_F(ReturnTest, DamagedSerialsAreAmongThoseThatWait) {
  GivenApproved(Phones({"P-1", "P-2"}));
  s_.Given("ReceiveGoods", Named(Phones({"P-2"})));
  ExpectBad("InspectReturn", Named(Inspected(0, 1, "", kPhones)),
            "lines[0].damaged_serials");
  ExpectBad("InspectReturn",
            Named(Inspected(0, 1, "damaged_serials: 'P-1'", kPhones)),
            "lines[0].damaged_serials");
  s_.Given("InspectReturn",
           Named(Inspected(0, 1, "damaged_serials: 'P-2'", kPhones)));
  s_.Given("ReceiveGoods", Named(Phones({"P-1"})));
  // P-2 has been inspected before.
  ExpectBad("InspectReturn",
            Named(Inspected(0, 1, "damaged_serials: 'P-2'", kPhones)),
            "lines[0].damaged_serials");
  s_.Given("InspectReturn", Named(Inspected(1, 0, "", kPhones)));
  EXPECT_THAT(R().lines(0).damaged_serials(), ElementsAre("P-2"));
}

// ----------------------------------------------------------------- refunding

// CASE-22 (spree#14678): three units for 269.97, two received -> 179.98.
TEST_F(ReturnTest, RefundIsAtMostThePriceOfTheAcceptedUnits) {
  GivenApproved(Kettles(3));
  s_.Given("ReceiveGoods", Named(Kettles(2)));
  s_.Given("InspectReturn", Named(Inspected(2, 0)));
  ExpectRefused("RefundReturn", Named(Paying(2, 26997)),
                "REFUND_ABOVE_CEILING");
  ExpectRefused("RefundReturn", Named(Paying(2, 17999)),
                "REFUND_ABOVE_CEILING");
  s_.As("finance").Given("RefundReturn", Named(Paying(2, 17998)));
  EXPECT_EQ(s_.Events(), "RefundGranted");
  const auto& fact = s_.event<v1::ReturnsEvent>().refund_granted();
  EXPECT_EQ(fact.amount().minor_units(), 17998);
  EXPECT_EQ(fact.refund().number(), 1);
  EXPECT_EQ(fact.by(), "finance");
  EXPECT_EQ(Sold().amount_refunded().minor_units(), 17998);
  EXPECT_EQ(Sold().quantity_refunded(), 2);
  EXPECT_EQ(R().amount_granted().minor_units(), 17998);
}

// CASE-26 (vendure#4135): two at 40 -> 80, and two units, not four.
TEST_F(ReturnTest, RefundOfEverythingCountsEachUnitOnce) {
  s_.Given("RecordSaleLine", SaleLine("two", 2, 2, 4000));
  const std::string two = absl::StrCat(kCustomer, "/saleLines/two");
  const std::string lines = absl::StrReplaceAll(Kettles(2), {{kKettles, two}});
  GivenApproved(lines);
  s_.Given("ReceiveGoods", Named(lines));
  s_.Given("InspectReturn", Named(Inspected(2, 0, "", two)));
  s_.Given("RefundReturn", Named());
  EXPECT_EQ(R().amount_granted().minor_units(), 8000);
  EXPECT_EQ(R().lines(0).quantity_refunded(), 2);
  EXPECT_EQ(Sold(two).quantity_refunded(), 2);
  ExpectRefused("RefundReturn", Named(), "UNITS_NOT_ACCEPTED");
}

// CASE-27 (saleor#19645): charged 100; grants of 60 and 60.
TEST_F(ReturnTest, GrantsAddUp) {
  s_.Given("RecordSaleLine", SaleLine("one", 1, 1, 10000));
  const std::string one = absl::StrCat(kCustomer, "/saleLines/one");
  const std::string lines = absl::StrReplaceAll(Kettles(1), {{kKettles, one}});
  GivenApproved(lines);
  s_.Given("ReceiveGoods", Named(lines));
  s_.Given("InspectReturn", Named(Inspected(1, 0, "", one)));
  s_.Given("RefundReturn", Named(Paying(0, 6000, one)));
  ExpectRefused("RefundReturn", Named(Paying(0, 6000, one)),
                "REFUND_ABOVE_CEILING");
  // What is left, and with it the unit.
  s_.Given("RefundReturn", Named());
  EXPECT_EQ(
      s_.event<v1::ReturnsEvent>().refund_granted().amount().minor_units(),
      4000);
  EXPECT_EQ(R().lines(0).quantity_refunded(), 1);
}

// CASE-28: two equal partial refunds are two refunds, and two payouts.
TEST_F(ReturnTest, EqualPartsAreSeparateRefunds) {
  GivenInspected(1, 1);
  s_.Given("RefundReturn", Named(Paying(0, 3000)));
  s_.Given("RefundReturn", Named(Paying(1, 3000)));
  EXPECT_EQ(R().refunds_size(), 2);
  EXPECT_EQ(R().refunds(1).number(), 2);
  EXPECT_EQ(R().amount_granted().minor_units(), 6000);
  s_.As("finance");
  s_.Given("ConfirmRefundPaid",
           Named("refund_number: 1 payment_reference: 'ALI-1'"));
  s_.Given("ConfirmRefundPaid",
           Named("refund_number: 2 payment_reference: 'ALI-2'"));
  EXPECT_EQ(R().amount_paid().minor_units(), 6000);
}

// A unit settled below its price leaves nothing for "everything".
TEST_F(ReturnTest, AgreedLowerAmountsStay) {
  GivenInspected(2, 2);
  s_.Given("RefundReturn", Named(Paying(1, 1000)));
  s_.Given("RefundReturn", Named());
  EXPECT_EQ(
      s_.event<v1::ReturnsEvent>().refund_granted().amount().minor_units(),
      8999);
  ExpectRefused("RefundReturn", Named(), "UNITS_NOT_ACCEPTED");
}

TEST_F(ReturnTest, UnitsWithoutPriceAreSettledWithNothing) {
  s_.Given("RecordSaleLine", SaleLine("gift", 1, 1, 0));
  const std::string gift = absl::StrCat(kCustomer, "/saleLines/gift");
  const std::string lines = absl::StrReplaceAll(Kettles(1), {{kKettles, gift}});
  GivenApproved(lines);
  s_.Given("ReceiveGoods", Named(lines));
  s_.Given("InspectReturn", Named(Inspected(1, 0, "", gift)));
  s_.Given("RefundReturn", Named());
  EXPECT_EQ(R().state(), v1::Return::SETTLED);
  s_.Given("CloseReturn", Named("result: 'taken back'"));
  EXPECT_EQ(R().outcome(), v1::Return::REFUNDED);
}

TEST_F(ReturnTest, RefundRefusesBadFields) {
  GivenInspected(3, 2);
  for (const auto& [lines, field] :
       std::vector<std::pair<std::string, std::string>>{
           {Paying(-1, 100), "lines[0].quantity"},
           {Paying(1, -100), "lines[0].amount.minor_units"},
           {Paying(1, kMaxAmount + 1), "lines[0].amount.minor_units"},
           {Paying(0, 0), "lines[0].amount.minor_units"},
           {Paying(1, 0), "lines[0].amount.minor_units"},
           {Paying(1, 1, absl::StrCat(kKettles, "x")), "lines[0].sale_line"},
           {Paying(1, 1) + Paying(1, 1), "lines[1].sale_line"},
           {absl::StrReplaceAll(Paying(1, 1), {{"CNY", "EUR"}}),
            "lines[0].amount.currency_code"},
           {"note: '" + std::string(kMaxLongText + 1, 'x') + "'", "note"}}) {
    ExpectBad("RefundReturn", Named(lines), field);
  }
  ExpectRefused("RefundReturn", Named(Paying(3, 100)), "UNITS_NOT_ACCEPTED");
}

TEST_F(ReturnTest, NothingIsRefundedBeforeInspection) {
  GivenApproved(Kettles(1));
  ExpectRefused("RefundReturn", Named(), "UNITS_NOT_ACCEPTED");
  s_.Given("ReceiveGoods", Named(Kettles(1)));
  ExpectRefused("RefundReturn", Named(), "UNITS_NOT_ACCEPTED");
  ExpectRefused("RefundReturn", Named(Paying(1, 1)), "UNITS_NOT_ACCEPTED");
  ExpectRefused("RefundReturn", Named(Paying(0, 1)), "REFUND_ABOVE_CEILING");
}

TEST_F(ReturnTest, BoundsTheRefundsOfAReturn) {
  GivenInspected(3, 3);
  for (int i = 0; i < kMaxRefunds; ++i) {
    s_.Given("RefundReturn", Named(Paying(0, 1)));
  }
  ExpectRefused("RefundReturn", Named(Paying(0, 1)), "TOO_MANY_REFUNDS");
}

// -------------------------------------------------------------------- paying

// CASE-28: a grant is not a payout; the provider's echo adds none.
TEST_F(ReturnTest, PayoutIsConfirmedOnce) {
  GivenInspected(1, 1);
  s_.Given("RefundReturn", Named());
  EXPECT_EQ(R().state(), v1::Return::INSPECTED);
  EXPECT_EQ(R().amount_paid().minor_units(), 0);
  const std::string paid =
      Named("refund_number: 1 payment_reference: '支付宝-1 💰'");
  s_.As("finance").Given("ConfirmRefundPaid", paid);
  EXPECT_EQ(s_.Events(), "RefundPaid");
  EXPECT_EQ(s_.event<v1::ReturnsEvent>().refund_paid().amount().minor_units(),
            8999);
  EXPECT_EQ(R().state(), v1::Return::SETTLED);
  EXPECT_EQ(R().refunds(0).payment_reference(), "支付宝-1 💰");
  EXPECT_EQ(R().refunds(0).paid_by(), "finance");
  ExpectRefused("ConfirmRefundPaid", paid, "PAYMENT_REFERENCE_USED");
  ExpectRefused("ConfirmRefundPaid",
                Named("refund_number: 1 payment_reference: 'other'"),
                "REFUND_ALREADY_PAID");
}

TEST_F(ReturnTest, PaymentReferenceIsUniqueAmongTheCustomersReturns) {
  GivenInspected(1, 1);
  s_.Given("RefundReturn", Named());
  s_.Given("ConfirmRefundPaid",
           Named("refund_number: 1 payment_reference: 'ALI-1'"));
  const std::string r2 = absl::StrCat(kCustomer, "/returns/r2");
  s_.Given("RequestReturn", Request("r2", Kettles(1)));
  s_.Given("ApproveReturn", Named("", r2));
  s_.Given("ReceiveGoods", Named(Kettles(1), r2));
  s_.Given("InspectReturn", Named(Inspected(1, 0), r2));
  s_.Given("RefundReturn", Named("", r2));
  ExpectRefused("ConfirmRefundPaid",
                Named("refund_number: 1 payment_reference: 'ALI-1'", r2),
                "PAYMENT_REFERENCE_USED");
  // The beginning of a used reference is another reference.
  s_.Given("ConfirmRefundPaid",
           Named("refund_number: 1 payment_reference: 'ALI'", r2));
}

TEST_F(ReturnTest, PayoutRefusesBadFields) {
  GivenInspected(1, 1);
  s_.Given("RefundReturn", Named());
  ExpectBad("ConfirmRefundPaid", Named("payment_reference: 'x'"),
            "refund_number");
  ExpectBad("ConfirmRefundPaid",
            Named("refund_number: -1 payment_reference: 'x'"), "refund_number");
  ExpectBad("ConfirmRefundPaid", Named("refund_number: 1"),
            "payment_reference");
  ExpectBad("ConfirmRefundPaid",
            Named("refund_number: 1 payment_reference: 'a\\nb'"),
            "payment_reference");
  ExpectRefused("ConfirmRefundPaid",
                Named("refund_number: 2 payment_reference: 'x'"),
                "REFUND_NOT_FOUND");
}

// ------------------------------------------------- replacing and sending back

// RET-16
TEST_F(ReturnTest, ReplacementSettlesAcceptedUnits) {
  GivenInspected(3, 2);
  s_.Given("SendReplacement", Named(Kettles(1) + "tracking: 'SF123'"));
  EXPECT_EQ(s_.Events(), "ReplacementSent");
  EXPECT_EQ(R().lines(0).quantity_replaced(), 1);
  EXPECT_EQ(Sold().quantity_replaced(), 1);
  // One unit is left to refund.
  ExpectRefused("RefundReturn", Named(Paying(1, 9000)), "REFUND_ABOVE_CEILING");
  ExpectRefused("SendReplacement", Named(Kettles(2)), "UNITS_NOT_ACCEPTED");
  s_.Given("RefundReturn", Named());
  EXPECT_EQ(R().amount_granted().minor_units(), 8999);
  ExpectRefused("SendReplacement", Named(Kettles(1)), "UNITS_NOT_ACCEPTED");
}

TEST_F(ReturnTest, UnitWithMoneyGrantedIsNotReplacedToo) {
  GivenInspected(1, 1);
  s_.Given("RefundReturn", Named(Paying(0, 1)));
  ExpectRefused("SendReplacement", Named(Kettles(1)), "REFUND_ABOVE_CEILING");
}

TEST_F(ReturnTest, ReplacementRefusesBadFields) {
  GivenInspected(2, 2);
  ExpectBad("SendReplacement", Named(), "lines");
  ExpectBad("SendReplacement", Named(Kettles(0)), "lines[0].quantity");
  ExpectBad("SendReplacement",
            Named(absl::StrReplaceAll(
                Kettles(1), {{kKettles, absl::StrCat(kKettles, "x")}})),
            "lines[0].sale_line");
  ExpectBad("SendReplacement",
            Named(Kettles(1) + "tracking: '" +
                  std::string(kMaxShortText + 1, 'x') + "'"),
            "tracking");
  s_.Given("SendReplacement",
           Named(absl::StrReplaceAll(
               Kettles(2), {{" }", " serials: 'N-1' serials: 'N-2' }"}})));
}

// RET-14, RET-28: what the customer broke goes back, with an explanation.
TEST_F(ReturnTest, DamagedUnitsGoBackAndAreTheCustomersAgain) {
  GivenInspected(3, 1);
  EXPECT_EQ(Sold().quantity_in_returns(), 3);
  ExpectBad("RejectReturn", Named(), "reason");
  s_.Given("RejectReturn", Named("reason: '人为损坏' tracking: 'SF9'"));
  EXPECT_EQ(s_.Events(), "ReturnRejected");
  EXPECT_EQ(s_.event<v1::ReturnsEvent>().return_rejected().lines(0).quantity(),
            2);
  EXPECT_EQ(R().lines(0).quantity_rejected(), 2);
  EXPECT_EQ(Sold().quantity_in_returns(), 1);
  ExpectRefused("RejectReturn", Named("reason: 'x'"), "NOTHING_TO_REJECT");
}

TEST_F(ReturnTest, RejectedSerialsAreFreeTheOthersAreNot) {
  GivenApproved(Phones({"P-1", "P-2"}));
  s_.Given("ReceiveGoods", Named(Phones({"P-1", "P-2"})));
  s_.Given("InspectReturn",
           Named(Inspected(1, 1, "damaged_serials: 'P-1'", kPhones)));
  s_.Given("RejectReturn", Named("reason: 'water inside'"));
  EXPECT_THAT(s_.event<v1::ReturnsEvent>().return_rejected().lines(0).serials(),
              ElementsAre("P-1"));
  EXPECT_THAT(Sold(kPhones).serials_in_returns(), ElementsAre("P-2"));
  ExpectRefused("RequestReturn", Request("r2", Phones({"P-2"})),
                "SERIAL_IN_RETURN");
  s_.Given("RequestReturn", Request("r2", Phones({"P-1"})));
}

// ------------------------------------------------------------------- closing

TEST_F(ReturnTest, ClosingNeedsEverythingDone) {
  GivenApproved(Kettles(3));
  const std::string close = Named("result: 'told by phone'");
  ExpectBad("CloseReturn", Named(), "result");
  ExpectRefused("CloseReturn", close, "NOTHING_RECEIVED");
  s_.Given("ReceiveGoods", Named(Kettles(3)));
  ExpectRefused("CloseReturn", close, "GOODS_NOT_INSPECTED");
  s_.Given("InspectReturn", Named(Inspected(2, 1)));
  ExpectRefused("CloseReturn", close, "UNITS_NOT_SETTLED");
  s_.Given("RefundReturn", Named());
  ExpectRefused("CloseReturn", close, "UNITS_NOT_SETTLED");
  s_.Given("RejectReturn", Named("reason: 'dropped'"));
  EXPECT_EQ(R().state(), v1::Return::INSPECTED);
  ExpectRefused("CloseReturn", close, "REFUND_NOT_PAID");
  s_.Given("ConfirmRefundPaid",
           Named("refund_number: 1 payment_reference: 'p'"));
  EXPECT_EQ(R().state(), v1::Return::SETTLED);
  s_.Given("CloseReturn", Named("result: '已退款 ✅'"));
  EXPECT_EQ(s_.Events(), "ReturnClosed");
  EXPECT_EQ(R().state(), v1::Return::CLOSED);
  EXPECT_EQ(R().outcome(), v1::Return::MIXED);
  EXPECT_EQ(R().result(), "已退款 ✅");
  EXPECT_TRUE(R().has_close_time());
}

TEST_F(ReturnTest, OutcomeSaysWhatBecameOfTheGoods) {
  GivenInspected(1, 1);
  s_.Given("SendReplacement", Named(Kettles(1)));
  EXPECT_EQ(R().state(), v1::Return::SETTLED);
  s_.Given("CloseReturn", Named("result: 'x'"));
  EXPECT_EQ(R().outcome(), v1::Return::REPLACED);

  const std::string r2 = absl::StrCat(kCustomer, "/returns/r2");
  s_.Given("RequestReturn", Request("r2", Kettles(1)));
  s_.Given("ApproveReturn", Named("", r2));
  s_.Given("ReceiveGoods", Named(Kettles(1), r2));
  s_.Given("InspectReturn", Named(Inspected(0, 1), r2));
  s_.Given("RejectReturn", Named("reason: 'x'", r2));
  s_.Given("CloseReturn", Named("result: 'x'", r2));
  EXPECT_EQ(R(r2).outcome(), v1::Return::REJECTED);
}

// RET-29: the clock stops with the answer to the customer.
TEST_F(ReturnTest, ClosingStopsTheClock) {
  GivenInspected(1, 1);
  s_.Given("SendReplacement", Named(Kettles(1)));
  s_.At("2026-03-04T10:00:00+08:00").Given("CloseReturn", Named("result: 'x'"));
  const auto& fact = s_.event<v1::ReturnsEvent>().return_closed();
  EXPECT_EQ(fact.handler(), "clerk");
  ASSERT_EQ(fact.clocks_size(), 1);
  EXPECT_EQ(fact.clocks(0).state(), common::v1::SlaClock::STOPPED);
  EXPECT_FALSE(fact.clocks(0).breached());
  // Two working days of eight hours.
  EXPECT_EQ(fact.clocks(0).used().seconds(), 16 * 3600);
  s_.WhenTimePasses("2026-06-01T00:00:00+08:00");
  EXPECT_EQ(s_.Events(), "");
}

// CASE-24: units that never came are the customer's again.
TEST_F(ReturnTest, ClosingFreesWhatNeverArrived) {
  GivenApproved(Kettles(3) + Phones({"P-1", "P-2"}));
  s_.Given("ReceiveGoods", Named(Kettles(2) + Phones({"P-2"})));
  s_.Given("InspectReturn",
           Named(Inspected(2, 0) + Inspected(1, 0, "", kPhones)));
  s_.Given("SendReplacement", Named(Kettles(2)));
  s_.Given("RefundReturn", Named());
  s_.Given("ConfirmRefundPaid",
           Named("refund_number: 1 payment_reference: 'p'"));
  EXPECT_EQ(R().state(), v1::Return::RECEIVING);
  s_.Given("CloseReturn", Named("result: 'the rest never came'"));
  EXPECT_EQ(s_.event<v1::ReturnsEvent>().return_closed().not_received_size(),
            2);
  EXPECT_EQ(Sold().quantity_in_returns(), 2);
  EXPECT_THAT(Sold(kPhones).serials_in_returns(), ElementsAre("P-2"));
  ExpectRefused("RequestReturn", Request("r2", Kettles(2)),
                "QUANTITY_NOT_RETURNABLE");
  s_.Given("RequestReturn", Request("r2", Kettles(1) + Phones({"P-1"})));
}

// --------------------------------------------------------- what all have alike

const std::vector<std::pair<std::string, std::string>>& Steps() {
  static const auto& steps =
      *new std::vector<std::pair<std::string, std::string>>{
          {"ApproveReturn", ""},
          {"RefuseReturn", "reason: 'x'"},
          {"CancelReturn", "reason: 'x'"},
          {"ReceiveGoods",
           absl::StrCat("lines { sale_line: '", kKettles, "' quantity: 1 }")},
          {"InspectReturn", absl::StrCat("lines { sale_line: '", kKettles,
                                         "' accepted: 1 fault: NO_FAULT }")},
          {"RefundReturn", ""},
          {"ConfirmRefundPaid", "refund_number: 1 payment_reference: 'x'"},
          {"SendReplacement",
           absl::StrCat("lines { sale_line: '", kKettles, "' quantity: 1 }")},
          {"RejectReturn", "reason: 'x'"},
          {"CloseReturn", "result: 'x'"}};
  return steps;
}

TEST_F(ReturnTest, EveryStepRefusesBadNames) {
  for (const auto& [method, fields] : Steps()) {
    for (const char* name : {"", "r1", "companies/acme/customers/c1",
                             "companies/acme/customers/c1/returns/",
                             "companies/acme/customers/c1/returns/R 1",
                             "companies/acme/customers/c1/saleLines/kettles",
                             "companies/acme/customers/c1/returns/r1/x"}) {
      ExpectRefused(method, Named(fields, name), "NAME_INVALID", "name");
    }
    ExpectRefused(method, Named(fields), "RESOURCE_NOT_FOUND");
  }
}

TEST_F(ReturnTest, EveryStepRefusesEndedReturns) {
  s_.Given("RequestReturn", Request("r1", Kettles(1)));
  s_.Given("CancelReturn", Named("reason: 'x'"));
  for (const auto& [method, fields] : Steps()) {
    ExpectRefused(method, Named(fields), "RETURN_ENDED");
  }
}

TEST_F(ReturnTest, EveryStepRefusesAnOldEtagAndEarlierTimes) {
  s_.Given("RequestReturn", Request("r1", Kettles(1)));
  for (const auto& [method, fields] : Steps()) {
    ExpectRefused(method, Named(fields + " etag: '1'"), "ETAG_MISMATCH");
    ExpectRefused(method,
                  // A second before the request.
                  Named(fields + " occur_time { seconds: 1772416799 }"),
                  "OCCUR_TIME_TOO_EARLY");
    ExpectBad(method, Named(fields + " occur_time { seconds: 253370764800 }"),
              "occur_time");
  }
  s_.Given("ApproveReturn", Named("etag: '" + R().etag() + "'"));
}

}  // namespace
}  // namespace aftercare::returns
