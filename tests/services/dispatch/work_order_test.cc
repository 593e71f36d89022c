#include "services/dispatch/domain/work_order.h"

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "dispatch_fixture.h"

namespace aftercare::dispatch {
namespace {

using common::v1::SlaClock;

class WorkOrderTest : public DispatchTest {
 protected:
  static std::string Creation(absl::string_view more) {
    return absl::StrCat("parent: '", kNorth, "' work_order_id: 'w1' ", more);
  }
  // w1 of technician wu, booked for 09:00, in the wanted state at 09:00.
  void Reach(absl::string_view state) {
    Register("wu");
    Create("w1");
    if (state == "UNASSIGNED") return;
    if (state == "CANCELLED") {
      s_.Given("CancelWorkOrder", Named("w1", "reason: 'x'"));
      return;
    }
    Assign("w1", "wu", Local("09:00"));
    s_.At(Local("09:00"));
    if (state == "ASSIGNED") return;
    VisitUpTo(state == "ACCEPTED"  ? "AcceptWorkOrder"
              : state == "STARTED" ? "StartTravel"
                                   : "ArriveAtSite",
              "w1", "wu");
    if (state == "COMPLETED") {
      s_.Given("CompleteWorkOrder", Named("w1", "report: 'done'"));
    }
    if (state == "CANNOT_COMPLETE") {
      s_.Given("CannotCompleteWorkOrder", Named("w1", "reason: 'x'"));
    }
  }
};

TEST_F(WorkOrderTest, CreatedWithSkillsOfTheProductLineAndBothClocks) {
  s_.When("CreateWorkOrder",
          Creation("case: 'companies/acme/customers/7/cases/9' "
                   "asset: 'companies/acme/customers/7/assets/1' "
                   "product_line: 'laptop' required_skills: 'carpentry' "
                   "priority: 'urgent' description: '电脑坏了 💻' "
                   "in_warranty: true"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderCreated");
  const auto& order = Order("w1");
  EXPECT_EQ(order.state(), v1::WorkOrder::UNASSIGNED);
  EXPECT_EQ(order.customer(), "companies/acme/customers/7");
  EXPECT_EQ(order.description(), "电脑坏了 💻");
  EXPECT_TRUE(order.in_warranty());
  EXPECT_THAT(order.required_skills(),
              ::testing::ElementsAre("electronics", "carpentry"));
  // DSP-14: four hours when urgent here; DSP-29: the 72-hour limit.
  EXPECT_EQ(FormatRfc3339(FromProto(Clock("w1", "on_site").due_time())),
            Utc(Local("12:00")));
  EXPECT_EQ(FormatRfc3339(FromProto(Clock("w1", "repair").due_time())),
            Utc(Local("08:00", 5)));
  EXPECT_EQ(Clock("w1", "repair").handbook_version(), 3);
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, PriorityIsNormalWhenNotSaid) {
  Create("w1");
  EXPECT_EQ(Order("w1").priority(), "normal");
  EXPECT_EQ(FormatRfc3339(FromProto(Clock("w1", "on_site").due_time())),
            Utc(Local("08:00", 3)));
}

TEST_F(WorkOrderTest, CreationBooksInTheSameCommandWhereSomebodyIsFree) {
  Register("wu");
  s_.When("CreateWorkOrder", Creation("assign_automatically: true"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderCreated,WorkOrderAssigned");
  EXPECT_EQ(StateOf("w1"), "ASSIGNED");
  EXPECT_EQ(StartOf("w1"), Utc(Local("08:00")));
  ExpectReplayEqualsLive();
}

// CASE-D15: unassigned, reason given.
TEST_F(WorkOrderTest, CreationWithoutAFreeTechnicianSaysWhy) {
  Register("wu");
  s_.When("CreateWorkOrder",
          Creation("product_line: 'laptop' assign_automatically: true"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderCreated,AssignmentFailed");
  EXPECT_EQ(StateOf("w1"), "UNASSIGNED");
  EXPECT_THAT(Order("w1").problem(),
              ::testing::HasSubstr("1 without the skills"));
  EXPECT_EQ(
      s_.event<v1::DispatchEvent>(1).assignment_failed().funnel().unskilled(),
      1);
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, CreationRefusesWhatIsMalformed) {
  ExpectRefusal("CreateWorkOrder", "parent: 'x' work_order_id: 'w1'",
                "NAME_INVALID", "parent");
  ExpectRefusal("CreateWorkOrder",
                absl::StrCat("parent: '", kNorth, "' work_order_id: 'W_1'"),
                "FIELD_INVALID", "work_order_id");
  ExpectRefusal("CreateWorkOrder", Creation("case: 'cases/9'"), "NAME_INVALID",
                "case");
  ExpectRefusal("CreateWorkOrder", Creation("customer: 'x'"), "NAME_INVALID",
                "customer");
  ExpectRefusal("CreateWorkOrder", Creation("asset: 'x'"), "NAME_INVALID",
                "asset");
  // Foreign parents.
  ExpectRefusal("CreateWorkOrder",
                Creation("case: 'companies/other/customers/7/cases/9'"),
                "FIELD_INVALID", "case");
  ExpectRefusal("CreateWorkOrder",
                Creation("case: 'companies/acme/customers/7/cases/9' "
                         "customer: 'companies/acme/customers/8'"),
                "FIELD_INVALID", "case");
  ExpectRefusal("CreateWorkOrder",
                Creation("case: 'companies/acme/customers/7/cases/9' "
                         "asset: 'companies/acme/customers/8/assets/1'"),
                "FIELD_INVALID", "asset");
  ExpectRefusal("CreateWorkOrder", Creation("priority: 'NOW'"), "FIELD_INVALID",
                "priority");
  ExpectRefusal(
      "CreateWorkOrder",
      Creation(absl::StrCat("description: '", std::string(20001, 'x'), "'")),
      "FIELD_INVALID", "description");
  ExpectRefusal("CreateWorkOrder",
                Creation("occur_time {seconds: 253370764800}"), "FIELD_INVALID",
                "occur_time");
}

TEST_F(WorkOrderTest, CreationRefusesWhatTheHandbookDoesNotKnow) {
  ExpectRefusal("CreateWorkOrder", Creation("required_skills: 'magic'"),
                "SKILL_UNKNOWN");
  ExpectRefusal("CreateWorkOrder", Creation("product_line: 'rocket'"),
                "PRODUCT_LINE_UNKNOWN");
  ExpectRefusal("CreateWorkOrder",
                "parent: 'companies/acme/territories/mars' work_order_id: 'w'",
                "TERRITORY_UNKNOWN");
  Create("w1");
  ExpectRefusal("CreateWorkOrder", Creation(""), "RESOURCE_ALREADY_EXISTS");
}

// Case ids are unique within a customer only.
TEST_F(WorkOrderTest, CasesOfTwoCustomersWithOneIdGetTwoOrders) {
  s_.As("system");
  const std::string first = "case: 'companies/acme/customers/7/cases/w1'";
  const std::string second = "case: 'companies/acme/customers/8/cases/w1'";
  s_.Given("CreateWorkOrder", Creation(first));
  s_.Given("CreateWorkOrder", Creation(second));
  const std::string other =
      s_.event<v1::DispatchEvent>().work_order_created().work_order().name();
  EXPECT_NE(other, Name("w1"));
  ExpectRefusal("CreateWorkOrder", Creation(first), "RESOURCE_ALREADY_EXISTS");
  ExpectRefusal("CreateWorkOrder", Creation(second), "RESOURCE_ALREADY_EXISTS");
  // Closing the second case leaves the first one's order alone.
  s_.Given("CancelWorkOrder",
           Named("w1", absl::StrCat("reason: 'closed' ", second)));
  EXPECT_EQ(StateOf("w1"), "UNASSIGNED");
  EXPECT_EQ(s_.Find(kWorkOrders, other)->state(), v1::WorkOrder::CANCELLED);
  ExpectRefusal("CancelWorkOrder",
                Named("w1",
                      "reason: 'closed' "
                      "case: 'companies/acme/customers/9/cases/w1'"),
                "RESOURCE_NOT_FOUND");
}

TEST_F(WorkOrderTest, AssignedByHandWithTheHandbooksLength) {
  Reach("UNASSIGNED");
  s_.When("AssignWorkOrder", AssignText("w1", "wu", Local("09:00")));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderAssigned");
  EXPECT_EQ(EndOf("w1"), Utc(Local("10:30")));
  EXPECT_EQ(Order("w1").person(), "wu");
  EXPECT_FALSE(s_.event<v1::DispatchEvent>().work_order_assigned().automatic());
  EXPECT_EQ(s_.event<v1::DispatchEvent>().work_order_assigned().explanation(),
            "chosen by zhou");
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, AssignmentRefusesWhatIsMalformed) {
  Reach("UNASSIGNED");
  ExpectRefusal("AssignWorkOrder", "name: 'w1'", "NAME_INVALID", "name");
  ExpectRefusal("AssignWorkOrder", Named("none", "automatic: true"),
                "RESOURCE_NOT_FOUND");
  ExpectRefusal("AssignWorkOrder", Named("w1", "automatic: true etag: '99'"),
                "ETAG_MISMATCH");
  ExpectRefusal("AssignWorkOrder", Named("w1"), "NAME_INVALID", "technician");
  ExpectRefusal("AssignWorkOrder",
                Named("w1", absl::StrCat("technician: '", Tech("wu"), "'")),
                "FIELD_INVALID", "start_time");
  ExpectRefusal("AssignWorkOrder",
                Named("w1", absl::StrCat("technician: '", Tech("wu"),
                                         "' start_time {seconds: "
                                         "253370764800}")),
                "FIELD_INVALID", "start_time");
  ExpectRefusal("AssignWorkOrder",
                Named("w1", absl::StrCat("technician: '", Tech("wu"),
                                         "' automatic: true")),
                "FIELD_INVALID", "technician");
  ExpectRefusal("AssignWorkOrder", Named("w1", "automatic: true locked: true"),
                "FIELD_INVALID", "locked");
  ExpectRefusal("AssignWorkOrder",
                Named("w1",
                      "technician: "
                      "'companies/acme/territories/rest/technicians/wu'"),
                "FIELD_INVALID", "technician");
  for (const char* duration : {"seconds: 299", "seconds: 86401", "seconds: -1",
                               "seconds: 315576000001", "nanos: -5"}) {
    ExpectRefusal("AssignWorkOrder",
                  AssignText("w1", "wu", Local("09:00")) +
                      absl::StrCat("duration {", duration, "}"),
                  "FIELD_INVALID", "duration");
  }
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "feng", Local("09:00")),
                "RESOURCE_NOT_FOUND");
}

TEST_F(WorkOrderTest, AutomaticAssignmentLeavesALockedBookingAlone) {
  Reach("UNASSIGNED");
  s_.Given("AssignWorkOrder",
           AssignText("w1", "wu", Local("13:00")) + "locked: true");
  EXPECT_TRUE(Order("w1").locked());
  ExpectRefusal("AssignWorkOrder", Named("w1", "automatic: true"),
                "WORK_ORDER_LOCKED");
  // By hand it moves, and is free again when it is not locked anew.
  s_.Given("RescheduleWorkOrder",
           Named("w1", absl::StrCat("start_time ", Stamp(Local("14:00")))));
  EXPECT_TRUE(Order("w1").locked());
  Assign("w1", "wu", Local("15:00"));
  EXPECT_FALSE(Order("w1").locked());
  s_.Given("AssignWorkOrder", Named("w1", "automatic: true"));
  EXPECT_EQ(StartOf("w1"), Utc(Local("08:00")));
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, ADeclinedOrderIsFreeAndNeverGoesToThatTechnicianAgain) {
  Register("wu");
  Register("zheng");
  Create("w1");
  Create("w2");
  Assign("w1", "wu", Local("09:00"));
  s_.As("wu").When("DeclineWorkOrder", Named("w1", "reason: '路太远'"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderDeclined");
  // DSP-28: who refused, and why, is on record.
  const auto& fact = s_.event<v1::DispatchEvent>().work_order_declined();
  EXPECT_EQ(fact.person(), "wu");
  EXPECT_EQ(fact.reason(), "路太远");
  EXPECT_EQ(StateOf("w1"), "UNASSIGNED");
  EXPECT_FALSE(Order("w1").has_booking());
  EXPECT_EQ(Order("w1").problem(), "路太远");
  s_.As("zhou");
  // The booking is free.
  Assign("w2", "wu", Local("09:00"));
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "wu", Local("13:00")),
                "TECHNICIAN_DECLINED");
  s_.Given("AssignWorkOrder", Named("w1", "automatic: true"));
  EXPECT_EQ(Order("w1").technician(), Tech("zheng"));
  EXPECT_EQ(Order("w1").problem(), "");
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, DeclineNeedsAReason) {
  Reach("ASSIGNED");
  s_.As("wu");
  ExpectRefusal("DeclineWorkOrder", Named("w1"), "FIELD_INVALID", "reason");
}

TEST_F(WorkOrderTest, AVisitFromAcceptanceToCompletion) {
  Reach("ASSIGNED");
  s_.At(Local("08:30"));
  s_.RecordedAt(Local("08:30")).As("wu");
  s_.When("AcceptWorkOrder", Named("w1"));
  EXPECT_EQ(s_.Events(), "WorkOrderAccepted");
  s_.At(Local("08:40")).When("StartTravel", Named("w1"));
  EXPECT_EQ(s_.Events(), "TravelStarted");
  EXPECT_EQ(StateOf("w1"), "STARTED");
  s_.At(Local("09:00")).When("ArriveAtSite", Named("w1"));
  EXPECT_EQ(s_.Events(), "VisitArrived");
  EXPECT_EQ(s_.event<v1::DispatchEvent>().visit_arrived().visit(), 1);
  EXPECT_EQ(Clock("w1", "on_site").state(), SlaClock::STOPPED);
  EXPECT_FALSE(Clock("w1", "on_site").breached());
  EXPECT_EQ(Clock("w1", "repair").state(), SlaClock::RUNNING);
  const std::string hash(64, 'a');
  s_.At(Local("10:00"))
      .When("CompleteWorkOrder",
            Named("w1", absl::StrCat(
                            "report: '更换电源 🔌' "
                            "parts {part: 'PSU' quantity: 2 unit_price "
                            "{currency_code: 'CNY' minor_units: 19950}} "
                            "labour {currency_code: 'CNY' minor_units: 8000} "
                            "fee {currency_code: 'CNY' minor_units: 47900} "
                            "photos {sha256: '",
                            hash, "' media_type: 'image/jpeg'}")));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderCompleted");
  const auto& fact = s_.event<v1::DispatchEvent>().work_order_completed();
  EXPECT_TRUE(fact.first_visit_fix());
  EXPECT_EQ(fact.person(), "wu");
  EXPECT_EQ(fact.fee().minor_units(), 47900);
  EXPECT_EQ(Order("w1").report(), "更换电源 🔌");
  EXPECT_EQ(Order("w1").photos(0).sha256(), hash);
  EXPECT_EQ(StateOf("w1"), "COMPLETED");
  EXPECT_EQ(Clock("w1", "repair").state(), SlaClock::STOPPED);
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, TheFeeIsComputedWhenNotSaid) {
  Reach("ON_SITE");
  s_.As("wu").Given("CompleteWorkOrder",
                    Named("w1",
                          "report: 'ok' labour {currency_code: 'CNY' "
                          "minor_units: 100} parts {part: 'p' quantity: 3 "
                          "unit_price {currency_code: 'CNY' minor_units: 7}}"));
  EXPECT_EQ(Order("w1").fee().minor_units(), 121);
  EXPECT_EQ(Order("w1").fee().currency_code(), "CNY");
}

TEST_F(WorkOrderTest, FreeOfChargeCostsNothingAndKeepsWhatWasUsed) {
  Reach("ON_SITE");
  const std::string used =
      "report: 'ok' free_of_charge: true labour {currency_code: 'CNY' "
      "minor_units: 100} ";
  ExpectRefusal("CompleteWorkOrder",
                Named("w1", used + "fee {currency_code: 'CNY' "
                                   "minor_units: 100}"),
                "FEE_DOES_NOT_ADD_UP");
  s_.Given("CompleteWorkOrder",
           Named("w1", used + "fee {currency_code: 'CNY'}"));
  EXPECT_EQ(Order("w1").fee().minor_units(), 0);
  EXPECT_EQ(Order("w1").labour().minor_units(), 100);
  EXPECT_TRUE(Order("w1").free_of_charge());
}

TEST_F(WorkOrderTest, CompletionRefusesWhatIsMalformed) {
  Reach("ON_SITE");
  s_.As("wu");
  const auto refused = [&](absl::string_view more, absl::string_view reason,
                           absl::string_view field) {
    ExpectRefusal("CompleteWorkOrder",
                  Named("w1", absl::StrCat("report: 'ok' ", more)), reason,
                  field);
  };
  // DSP-26: no repair without a report.
  ExpectRefusal("CompleteWorkOrder", Named("w1"), "FIELD_INVALID", "report");
  ExpectRefusal(
      "CompleteWorkOrder",
      Named("w1", absl::StrCat("report: '", std::string(20001, 'x'), "'")),
      "FIELD_INVALID", "report");
  refused("labour {currency_code: 'CNY' minor_units: -1}", "FIELD_INVALID",
          "labour.minor_units");
  refused("labour {currency_code: 'USD' minor_units: 1}", "FIELD_INVALID",
          "labour.currency_code");
  refused("fee {currency_code: 'CNY' minor_units: -1}", "FIELD_INVALID",
          "fee.minor_units");
  // DSP-40.
  refused("fee {currency_code: 'CNY' minor_units: 1}", "FEE_DOES_NOT_ADD_UP",
          "");
  refused("parts {quantity: 1 unit_price {currency_code: 'CNY'}}",
          "FIELD_INVALID", "parts[0].part");
  refused("parts {part: 'p' quantity: 0 unit_price {currency_code: 'CNY'}}",
          "FIELD_INVALID", "parts[0].quantity");
  refused("parts {part: 'p' quantity: -3 unit_price {currency_code: 'CNY'}}",
          "FIELD_INVALID", "parts[0].quantity");
  refused("parts {part: 'p' quantity: 1}", "FIELD_INVALID",
          "parts[0].unit_price.currency_code");
  refused(
      "parts {part: 'p' quantity: 100000 unit_price {currency_code: 'CNY' "
      "minor_units: 10000000000000}}",
      "FIELD_INVALID", "parts[0]");
  refused("photos {sha256: 'beef'}", "FIELD_INVALID", "photos[0].sha256");
  refused(absl::StrCat("photos {sha256: '", std::string(64, 'A'), "'}"),
          "FIELD_INVALID", "photos[0].sha256");
  const std::string photo =
      absl::StrCat("photos {sha256: '", std::string(64, 'a'), "'} ");
  refused(photo + photo, "FIELD_INVALID", "photos[1].sha256");
  std::string many;
  for (int i = 0; i < 201; ++i) {
    many += "parts {part: 'p' quantity: 1 unit_price {currency_code: 'CNY'}} ";
  }
  refused(many, "FIELD_INVALID", "parts");
}

TEST_F(WorkOrderTest, AnotherVisitBringsTheOrderBackAndTheClockRunsOn) {
  Reach("ON_SITE");
  s_.At(Local("09:30")).As("wu");
  s_.When("CannotCompleteWorkOrder",
          Named("w1", "reason: '缺配件' needs_reschedule: true"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderCannotComplete");
  EXPECT_EQ(StateOf("w1"), "UNASSIGNED");
  EXPECT_EQ(Order("w1").problem(), "缺配件");
  EXPECT_EQ(Clock("w1", "repair").state(), SlaClock::RUNNING);
  s_.As("zhou").Given("AssignWorkOrder", Named("w1", "automatic: true"));
  s_.At(Local("10:00"));
  VisitUpTo("ArriveAtSite", "w1", "wu");
  EXPECT_EQ(Order("w1").visits(), 2);
  // The first arrival decided the on-site clock.
  EXPECT_EQ(FormatRfc3339(FromProto(Clock("w1", "on_site").stop_time())),
            Utc(Local("09:00")));
  s_.As("wu").Given("CompleteWorkOrder", Named("w1", "report: 'ok'"));
  EXPECT_FALSE(
      s_.event<v1::DispatchEvent>().work_order_completed().first_visit_fix());
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, GivenUpForGoodEndsTheClocksWithoutAVerdict) {
  Reach("ON_SITE");
  s_.As("wu");
  ExpectRefusal("CannotCompleteWorkOrder", Named("w1"), "FIELD_INVALID",
                "reason");
  s_.Given("CannotCompleteWorkOrder", Named("w1", "reason: 'no parts exist'"));
  EXPECT_EQ(StateOf("w1"), "CANNOT_COMPLETE");
  EXPECT_EQ(Clock("w1", "repair").state(), SlaClock::CANCELLED);
  EXPECT_FALSE(Clock("w1", "repair").breached());
  s_.WhenTimePasses(Local("08:00", 28));
  EXPECT_EQ(s_.Events(), "");
}

TEST_F(WorkOrderTest, RescheduleKeepsTechnicianAndLength) {
  Reach("UNASSIGNED");
  s_.Given("AssignWorkOrder",
           AssignText("w1", "wu", Local("09:00")) + "duration {seconds: 3600}");
  s_.As("wu").Given("AcceptWorkOrder", Named("w1")).As("zhou");
  s_.When("RescheduleWorkOrder",
          Named("w1", absl::StrCat("start_time ", Stamp(Local("14:00")))));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderAssigned");
  EXPECT_EQ(StartOf("w1"), Utc(Local("14:00")));
  EXPECT_EQ(EndOf("w1"), Utc(Local("15:00")));
  // It has to be accepted anew.
  EXPECT_EQ(StateOf("w1"), "ASSIGNED");
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, RescheduleRefusals) {
  Reach("ASSIGNED");
  Create("w2");
  Assign("w2", "wu", Local("14:00"));
  const auto to = [&](absl::string_view local) {
    return Named("w1", absl::StrCat("start_time ", Stamp(local)));
  };
  ExpectRefusal("RescheduleWorkOrder", Named("w1"), "FIELD_INVALID",
                "start_time");
  ExpectRefusal("RescheduleWorkOrder", to(Local("13:00")), "TECHNICIAN_BUSY");
  ExpectRefusal("RescheduleWorkOrder", to(Local("12:00")), "OUTSIDE_SHIFT");
  ExpectRefusal("RescheduleWorkOrder", to(Local("08:00")), "START_IN_PAST");
}

TEST_F(WorkOrderTest, CancellingFreesTheTechnicianAndEndsTheClocks) {
  Reach("ACCEPTED");
  ExpectRefusal("CancelWorkOrder", Named("w1"), "FIELD_INVALID", "reason");
  s_.When("CancelWorkOrder", Named("w1", "reason: '客户取消'"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderCancelled");
  EXPECT_EQ(Order("w1").technician(), "");
  EXPECT_EQ(Clock("w1", "on_site").state(), SlaClock::CANCELLED);
  Create("w2");
  Assign("w2", "wu", Local("09:00"));
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, AReactionCancelsNothingThatIsFinished) {
  Reach("COMPLETED");
  const auto before = s_.Dump();
  s_.As("system").Given("CancelWorkOrder", Named("w1", "reason: 'closed'"));
  EXPECT_EQ(s_.event_count(), 0u);
  EXPECT_EQ(s_.Dump(), before);
}

// Method -> further fields, and the states that allow it.
const std::map<std::string, std::pair<std::string, std::set<std::string>>>&
Steps() {
  static const auto* const steps =
      new std::map<std::string, std::pair<std::string, std::set<std::string>>>{
          {"AcceptWorkOrder", {"", {"ASSIGNED"}}},
          {"DeclineWorkOrder", {"reason: 'x'", {"ASSIGNED", "ACCEPTED"}}},
          {"StartTravel", {"", {"ACCEPTED"}}},
          {"ArriveAtSite", {"", {"STARTED"}}},
          {"CompleteWorkOrder", {"report: 'x'", {"ON_SITE"}}},
          {"CannotCompleteWorkOrder", {"reason: 'x'", {"STARTED", "ON_SITE"}}},
          {"RescheduleWorkOrder",
           {absl::StrCat("start_time ", Stamp(Local("14:00"))),
            {"ASSIGNED", "ACCEPTED", "STARTED"}}},
          {"AssignWorkOrder",
           {"automatic: true",
            {"UNASSIGNED", "ASSIGNED", "ACCEPTED", "STARTED"}}},
          {"CancelWorkOrder",
           {"reason: 'x'",
            {"UNASSIGNED", "ASSIGNED", "ACCEPTED", "STARTED", "ON_SITE"}}}};
  return *steps;
}

// A state and a method.
class WorkOrderStateTest : public WorkOrderTest,
                           public ::testing::WithParamInterface<
                               std::tuple<std::string, std::string>> {};

// DSP-62: no step may be skipped, none repeated.
TEST_P(WorkOrderStateTest, EveryStepHasItsStates) {
  const auto& [state, method] = GetParam();
  const auto& [fields, allowed] = Steps().at(method);
  Reach(state);
  ASSERT_EQ(StateOf("w1"), state);
  ExpectRefusal(method, absl::StrCat("name: 'x' ", fields), "NAME_INVALID",
                "name");
  ExpectRefusal(method, Named("unknown", fields), "RESOURCE_NOT_FOUND");
  ExpectRefusal(method, Named("w1", absl::StrCat("etag: '0' ", fields)),
                "ETAG_MISMATCH");
  if (!allowed.contains(state)) {
    ExpectRefusal(method, Named("w1", fields), "WORK_ORDER_STATE");
    return;
  }
  s_.When(method, Named("w1", fields));
  EXPECT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.event_count(), 1u);
  ExpectReplayEqualsLive();
}

INSTANTIATE_TEST_SUITE_P(
    States, WorkOrderStateTest,
    ::testing::Combine(
        ::testing::Values("UNASSIGNED", "ASSIGNED", "ACCEPTED", "STARTED",
                          "ON_SITE", "COMPLETED", "CANNOT_COMPLETE",
                          "CANCELLED"),
        ::testing::Values("AcceptWorkOrder", "DeclineWorkOrder", "StartTravel",
                          "ArriveAtSite", "CompleteWorkOrder",
                          "CannotCompleteWorkOrder", "RescheduleWorkOrder",
                          "AssignWorkOrder", "CancelWorkOrder")));

TEST_F(WorkOrderTest, OnlyTheAssignedTechnicianOrADispatcherSpeaks) {
  Reach("ASSIGNED");
  Register("zheng");
  const auto check = [&](absl::string_view method, absl::string_view more) {
    s_.As("zheng");
    ExpectRefusal(method, Named("w1", more), "NOT_ASSIGNED_TO_YOU");
    s_.As("agent");
    ExpectRefusal(method, Named("w1", more), "NOT_ASSIGNED_TO_YOU");
  };
  check("AcceptWorkOrder", "");
  check("DeclineWorkOrder", "reason: 'x'");
  s_.As("zhou").Given("AcceptWorkOrder", Named("w1"));
  check("StartTravel", "");
  s_.As("wu").Given("StartTravel", Named("w1"));
  check("ArriveAtSite", "");
  s_.As("chen").Given("ArriveAtSite", Named("w1"));
  check("CompleteWorkOrder", "report: 'x'");
  check("CannotCompleteWorkOrder", "reason: 'x'");
}

TEST_F(WorkOrderTest, NoStepLiesBeforeTheOneItBuildsOn) {
  Reach("ACCEPTED");
  s_.As("wu");
  ExpectRefusal("StartTravel",
                Named("w1", absl::StrCat("occur_time ", Stamp(Local("08:59")))),
                "OCCUR_TIME_TOO_EARLY");
  s_.Given("StartTravel",
           Named("w1", absl::StrCat("occur_time ", Stamp(Local("09:00")))));
}

// CASE-21 (duly#17): what is reported after the fact keeps its own time.
TEST_F(WorkOrderTest, ALateReportKeepsItsOriginalTime) {
  Reach("ON_SITE");
  s_.RecordedAt(Local("20:00")).As("wu");
  s_.Given("CompleteWorkOrder",
           Named("w1", absl::StrCat("report: 'ok' occur_time ",
                                    Stamp(Local("09:50")))));
  EXPECT_EQ(FormatRfc3339(FromProto(Order("w1").complete_time())),
            Utc(Local("09:50")));
  EXPECT_EQ(FormatRfc3339(FromProto(Clock("w1", "repair").stop_time())),
            Utc(Local("09:50")));
}

// CASE-21: cancelled meanwhile is a visible conflict.
TEST_F(WorkOrderTest, ALateReportAboutACancelledOrderIsAConflict) {
  Reach("ON_SITE");
  s_.At(Local("09:40")).Given("CancelWorkOrder", Named("w1", "reason: 'x'"));
  s_.RecordedAt(Local("20:00")).As("wu");
  ExpectRefusal("CompleteWorkOrder",
                Named("w1", absl::StrCat("report: 'ok' occur_time ",
                                         Stamp(Local("09:30")))),
                "WORK_ORDER_STATE");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(
      std::string(s_.status().GetPayload(kErrorInfoUrl).value())));
  EXPECT_EQ(info.metadata().at("state"), "CANCELLED");
}

TEST_F(WorkOrderTest, AMissedDueTimeIsABreachOnceAndNamesWhoWasBooked) {
  Register("wu");
  Create("w1", "priority: 'urgent'");
  Assign("w1", "wu", Local("09:00"));
  // Equality is on time.
  s_.WhenTimePasses(Local("12:00"));
  EXPECT_EQ(s_.Events(), "");
  s_.WhenTimePasses(Local("12:01"));
  EXPECT_EQ(s_.Events(), "ClockBreached");
  EXPECT_EQ(s_.event<v1::DispatchEvent>().clock_breached().responsible(), "wu");
  EXPECT_EQ(s_.event<v1::DispatchEvent>().clock_breached().clock().kind(),
            "on_site");
  EXPECT_TRUE(Clock("w1", "on_site").breached());
  // Only the repair clock is left.
  s_.WhenTimePasses(Local("08:00", 20));
  EXPECT_EQ(s_.Events(), "ClockBreached");
  EXPECT_EQ(s_.event<v1::DispatchEvent>().clock_breached().clock().kind(),
            "repair");
  s_.WhenTimePasses(Local("08:00", 30));
  EXPECT_EQ(s_.Events(), "");
  ExpectReplayEqualsLive();
}

TEST_F(WorkOrderTest, ABreachWithoutTechnicianIsNobodysFault) {
  Create("w1");
  s_.WhenTimePasses(Local("08:01", 3));
  ASSERT_EQ(s_.Events(), "ClockBreached");
  EXPECT_EQ(s_.event<v1::DispatchEvent>().clock_breached().responsible(), "");
}

TEST_F(WorkOrderTest, AnArrivalInTimeThatIsReportedLateSaysSo) {
  Register("wu");
  Create("w1", "priority: 'urgent'");
  Assign("w1", "wu", Local("09:00"));
  s_.As("wu")
      .Given("AcceptWorkOrder", Named("w1"))
      .Given("StartTravel", Named("w1"));
  s_.WhenTimePasses(Local("13:00"));
  EXPECT_EQ(s_.Events(), "ClockBreached");
  s_.Given("ArriveAtSite",
           Named("w1", absl::StrCat("occur_time ", Stamp(Local("09:05")))));
  EXPECT_TRUE(Clock("w1", "on_site").stop_reported_late());
}

TEST_F(WorkOrderTest, LateArrivalBreachesAndFreezesItsLateness) {
  Register("wu");
  Create("w1", "priority: 'urgent'");
  Assign("w1", "wu", Local("13:00"));
  s_.WhenTimePasses(Local("12:30"));
  VisitUpTo("ArriveAtSite", "w1", "wu");
  EXPECT_TRUE(Clock("w1", "on_site").breached());
  EXPECT_EQ(Clock("w1", "on_site").lateness().seconds(), 1800);
}

}  // namespace
}  // namespace aftercare::dispatch
