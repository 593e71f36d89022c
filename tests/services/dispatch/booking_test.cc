#include "services/dispatch/domain/booking.h"

#include "dispatch_fixture.h"

namespace aftercare::dispatch {
namespace {

class BookingTest : public DispatchTest {
 protected:
  void Automatic(absl::string_view id, absl::string_view more = "") {
    s_.When("AssignWorkOrder",
            Named(id, absl::StrCat("automatic: true ", more)));
  }
  void SetLeave(absl::string_view person, absl::string_view start,
                absl::string_view end) {
    s_.Given("SetLeave",
             absl::StrCat("name: '", Tech(person), "' leave {start ",
                          Stamp(start), " end ", Stamp(end), "}"));
  }
};

// CASE-17 (OCA/field-service#1382): leave 09:00-10:00, job 08:45-12:45.
TEST_F(BookingTest, LeaveInsideTheVisitRefusesIt) {
  Register("wu", "calendar: 'always'");
  SetLeave("wu", Local("09:00"), Local("10:00"));
  Create("w1");
  ExpectRefusal(
      "AssignWorkOrder",
      AssignText("w1", "wu", Local("08:45")) + "duration {seconds: 14400}",
      "TECHNICIAN_ON_LEAVE");
  Assign("w1", "wu", Local("10:00"));
}

// CASE-17 (#1221): someone else's leave never blocks.
TEST_F(BookingTest, LeaveOfAnotherNeverBlocks) {
  Register("wu");
  Register("zheng");
  SetLeave("zheng", Local("08:00"), Local("18:00"));
  Create("w1");
  Assign("w1", "wu", Local("09:00"));
  EXPECT_EQ(Order("w1").technician(), Tech("wu"));
}

// CASE-18 (calcom#180): busy 18:00-19:00, new 17:45 + 45 min; 17:30-18:00 over
// busy 17:40-17:50; touching ends are allowed.
TEST_F(BookingTest, OverlapIsRefusedAndTouchingEndsAreNot) {
  Register("wu", "calendar: 'always'");
  for (absl::string_view id : {"a", "b", "c", "d", "e", "f"}) Create(id);
  const auto assign = [&](absl::string_view id, absl::string_view at,
                          int minutes) {
    return AssignText(id, "wu", Local(at)) +
           absl::StrCat("duration {seconds: ", minutes * 60, "}");
  };
  s_.Given("AssignWorkOrder", assign("a", "18:00", 60));
  ExpectRefusal("AssignWorkOrder", assign("b", "17:45", 45), "TECHNICIAN_BUSY");
  s_.Given("AssignWorkOrder", assign("c", "17:40", 10));
  ExpectRefusal("AssignWorkOrder", assign("d", "17:30", 30), "TECHNICIAN_BUSY");
  // Inside, around and equal.
  ExpectRefusal("AssignWorkOrder", assign("d", "18:10", 20), "TECHNICIAN_BUSY");
  ExpectRefusal("AssignWorkOrder", assign("d", "17:55", 120),
                "TECHNICIAN_BUSY");
  ExpectRefusal("AssignWorkOrder", assign("d", "18:00", 60), "TECHNICIAN_BUSY");
  // Touching on both sides.
  s_.Given("AssignWorkOrder", assign("d", "17:50", 10));
  s_.Given("AssignWorkOrder", assign("e", "19:00", 60));
  s_.Given("AssignWorkOrder", assign("f", "17:30", 10));
  ExpectReplayEqualsLive();
}

// CASE-19 (Grins#92, librebooking#147): of two for the same hour one wins and
// the loser learns who is in the way.
TEST_F(BookingTest, TheSecondForTheSameHourGetsTheConflict) {
  Register("wu");
  Create("first");
  Create("second");
  Assign("first", "wu", Local("09:00"));
  ExpectRefusal("AssignWorkOrder", AssignText("second", "wu", Local("09:30")),
                "TECHNICIAN_BUSY");
  const std::string text(s_.status().ToString());
  EXPECT_THAT(text, ::testing::HasSubstr("another visit"));
  google::rpc::ErrorInfo info;
  const auto payload = s_.status().GetPayload(kErrorInfoUrl);
  ASSERT_TRUE(payload.has_value());
  ASSERT_TRUE(info.ParseFromString(std::string(*payload)));
  EXPECT_EQ(info.metadata().at("work_order"), Name("first"));
  EXPECT_EQ(info.metadata().at("end"), Utc(Local("10:30")));
}

TEST_F(BookingTest, AVisitMayMoveOverItsOwnOldTime) {
  Register("wu");
  Create("w1");
  Assign("w1", "wu", Local("09:00"));
  Assign("w1", "wu", Local("09:30"));
  EXPECT_EQ(StartOf("w1"), Utc(Local("09:30")));
  EXPECT_EQ(s_.event_count(), 1u);
  EXPECT_EQ(
      s_.event<v1::DispatchEvent>().work_order_assigned().previous_technician(),
      Tech("wu"));
}

TEST_F(BookingTest, OnlyWithinTheTechniciansOwnHours) {
  Register("wu");
  Register("zheng", "calendar: 'evening'");
  Create("w1");
  // Across the noon break, before opening, past closing.
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "wu", Local("11:00")),
                "OUTSIDE_SHIFT");
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "wu", Local("17:00")),
                "OUTSIDE_SHIFT");
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "wu", Local("07:59", 3)),
                "OUTSIDE_SHIFT");
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "zheng", Local("09:00")),
                "OUTSIDE_SHIFT");
  Assign("w1", "zheng", Local("20:30"));
  // Up to the very end.
  Assign("w1", "wu", Local("10:30"));
}

// CASE-D01 (VROOM#586): order needs {A}; T1 has {A}, T2 nothing.
TEST_F(BookingTest, SkillsDecideWhoMayCome) {
  Register("wu", "skills: 'electronics'");
  Register("zheng");
  Create("skilled", "product_line: 'laptop'");
  Create("plain");
  ExpectRefusal("AssignWorkOrder",
                AssignText("skilled", "zheng", Local("09:00")),
                "SKILL_MISSING");
  Automatic("skilled");
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(Order("skilled").technician(), Tech("wu"));
  Automatic("plain");
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(Order("plain").technician(), Tech("zheng"));
}

// CASE-D03 (OR-Tools#569): 45 minutes, to begin from 12:15 to 13:15, beside a
// break 13:00-16:00: at 12:15 and at no other time.
TEST_F(BookingTest, AVisitEndsBeforeABreakAndNoneBeginsInIt) {
  Register("wu", "calendar: 'always'");
  SetLeave("wu", Local("13:00"), Local("16:00"));
  Create("w1");
  for (absl::string_view start : {"12:16", "12:30", "13:00", "13:15"}) {
    ExpectRefusal(
        "AssignWorkOrder",
        AssignText("w1", "wu", Local(start)) + "duration {seconds: 2700}",
        "TECHNICIAN_ON_LEAVE");
  }
  s_.Given("AssignWorkOrder",
           AssignText("w1", "wu", Local("12:15")) + "duration {seconds: 2700}");
  EXPECT_EQ(EndOf("w1"), Utc(Local("13:00")));
}

// CASE-D15: it must be wu and wu is away: nobody else is sent, and the answer
// says why.
TEST_F(BookingTest, AnAbsentTechnicianIsNotReplacedByAnother) {
  Register("wu");
  Register("zheng");
  SetLeave("wu", Local("08:00"), Local("18:00"));
  Create("w1");
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "wu", Local("09:00")),
                "TECHNICIAN_ON_LEAVE");
  EXPECT_EQ(StateOf("w1"), "UNASSIGNED");
  EXPECT_EQ(Order("w1").technician(), "");
}

TEST_F(BookingTest, InactiveTechniciansGetNothing) {
  Register("wu");
  s_.Given("UpdateTechnician",
           absl::StrCat("name: '", Tech("wu"), "' inactive: true"));
  Create("w1");
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "wu", Local("09:00")),
                "TECHNICIAN_INACTIVE");
}

TEST_F(BookingTest, NoVisitBeginsBeforeItsAssignment) {
  Register("wu");
  Create("w1");
  s_.At(Local("10:00"));
  ExpectRefusal("AssignWorkOrder", AssignText("w1", "wu", Local("09:59")),
                "START_IN_PAST");
  Assign("w1", "wu", Local("10:00"));
}

TEST_F(BookingTest, TheEarliestFreeTechnicianIsChosen) {
  Register("wu");
  Register("zheng");
  Create("w1");
  Create("w2");
  Assign("w1", "wu", Local("08:00"));
  s_.At(Local("08:01"));
  Automatic("w2");
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "WorkOrderAssigned");
  const auto& fact = s_.event<v1::DispatchEvent>().work_order_assigned();
  EXPECT_TRUE(fact.automatic());
  EXPECT_EQ(fact.technician(), Tech("zheng"));
  EXPECT_EQ(fact.person(), "zheng");
  // The next quarter of an hour.
  EXPECT_EQ(StartOf("w2"), Utc(Local("08:15")));
  EXPECT_EQ(EndOf("w2"), Utc(Local("09:45")));
  EXPECT_EQ(fact.funnel().technicians(), 2);
  EXPECT_EQ(fact.funnel().free(), 2);
  EXPECT_THAT(fact.explanation(),
              ::testing::HasSubstr("earliest start 2026-03-02 08:15"));
  EXPECT_THAT(fact.explanation(), ::testing::HasSubstr("of 2 technicians"));
}

TEST_F(BookingTest, OfEquallyEarlyTheOneWithFewerVisitsThatDay) {
  Register("wu");
  Register("zheng");
  Create("w1");
  Create("w2");
  Create("w3");
  Assign("w1", "wu", Local("14:00"));
  Automatic("w2");
  EXPECT_EQ(Order("w2").technician(), Tech("zheng"));
  EXPECT_EQ(StartOf("w2"), Utc(Local("08:00")));
  // One visit each: wu begins at 08:00, zheng is busy then.
  Automatic("w3");
  EXPECT_EQ(Order("w3").technician(), Tech("wu"));
}

// CASE-D12 (VROOM#671): the list reversed gives the same plan.
TEST_F(BookingTest, TheOrderOfRegistrationPlaysNoPart) {
  const auto plan = [](std::vector<std::string> people) {
    testing::Scenario s(Service(), Handbook());
    s.At(Local("08:00")).As("zhou");
    for (const std::string& person : people) {
      s.Given("RegisterTechnician",
              absl::StrCat("parent: '", kNorth, "' technician_id: '", person,
                           "' person: '", person, "'"));
    }
    std::string text;
    for (int i = 0; i < 12; ++i) {
      const std::string id = absl::StrCat("w", i);
      s.Given("CreateWorkOrder",
              absl::StrCat("parent: '", kNorth, "' work_order_id: '", id,
                           "' assign_automatically: true"));
      const auto* order = s.Find(kWorkOrders, Name(id));
      absl::StrAppend(&text, id, "=", order->technician(), "@",
                      FormatRfc3339(FromProto(order->booking().start())), " ");
    }
    return text;
  };
  const std::string forward = plan({"chu", "feng", "wu", "zheng"});
  EXPECT_EQ(forward, plan({"zheng", "wu", "feng", "chu"}));
  EXPECT_EQ(forward, plan({"wu", "chu", "zheng", "feng"}));
}

// CASE-D11 (VROOM#1284): the idle technician who alone can do it gets it.
TEST_F(BookingTest, TheOnlySkilledTechnicianGetsHisOrder) {
  Register("chu");
  Register("feng");
  Register("wu", "skills: ['electronics', 'carpentry']");
  Create("w1", "product_line: 'laptop' required_skills: 'carpentry'");
  EXPECT_THAT(Order("w1").required_skills(),
              ::testing::ElementsAre("electronics", "carpentry"));
  Automatic("w1");
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(Order("w1").technician(), Tech("wu"));
}

TEST_F(BookingTest, TheSearchGoesAroundBreaksLeaveAndVisits) {
  Register("wu");
  SetLeave("wu", Local("13:30"), Local("15:00"));
  Create("w1");
  Create("w2");
  Create("w3");
  Create("w4");
  Assign("w1", "wu", Local("09:00"));
  // 08:00-09:00 and 10:30-12:00 are what is left of the morning.
  Automatic("w2");
  EXPECT_EQ(StartOf("w2"), Utc(Local("10:30")));
  // 13:00-13:30 is too short before the leave.
  Automatic("w3");
  EXPECT_EQ(StartOf("w3"), Utc(Local("15:00")));
  Automatic("w4");
  EXPECT_EQ(StartOf("w4"), Utc(Local("16:30")));
  Create("w5");
  Automatic("w5");
  EXPECT_EQ(StartOf("w5"), Utc(Local("08:00", 3)));
  ExpectReplayEqualsLive();
}

TEST_F(BookingTest, ALaterWishIsHonoured) {
  Register("wu");
  Create("w1");
  Automatic("w1", absl::StrCat("start_time ", Stamp(Local("13:10", 3))));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(StartOf("w1"), Utc(Local("13:15", 3)));
}

TEST_F(BookingTest, WhenNobodyCanComeTheCountsSayWhy) {
  Register("chu", "skills: 'electronics'");
  Register("feng");
  Register("wu", "skills: 'electronics'");
  Register("zheng", "skills: 'electronics'");
  s_.Given("UpdateTechnician",
           absl::StrCat("name: '", Tech("chu"), "' inactive: true"));
  SetLeave("zheng", Local("00:00"), Local("00:00", 20));
  Create("w1", "product_line: 'laptop'");
  Assign("w1", "wu", Local("09:00"));
  s_.As("wu").Given("DeclineWorkOrder", Named("w1", "reason: '不在本市'"));
  s_.As("zhou");
  ExpectRefusal("AssignWorkOrder", Named("w1", "automatic: true"),
                "NO_TECHNICIAN_AVAILABLE");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(
      std::string(s_.status().GetPayload(kErrorInfoUrl).value())));
  EXPECT_EQ(info.metadata().at("technicians"), "4");
  EXPECT_EQ(info.metadata().at("inactive"), "1");
  EXPECT_EQ(info.metadata().at("unskilled"), "1");
  EXPECT_EQ(info.metadata().at("declined"), "1");
  EXPECT_EQ(info.metadata().at("no_time"), "1");
  EXPECT_THAT(std::string(s_.status().message()),
              ::testing::HasSubstr("1 without the skills"));
}

TEST_F(BookingTest, TheHorizonBoundsTheSearch) {
  Register("wu");
  // Three days from the 2nd: the search ends with the 5th.
  SetLeave("wu", Local("00:00"), Local("08:00", 5));
  Create("w1");
  Automatic("w1");
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(StartOf("w1"), Utc(Local("08:00", 5)));
  s_.Given("CancelWorkOrder", Named("w1", "reason: 'x'"));
  SetLeave("wu", Local("00:00"), Local("08:00", 6));
  Create("w2");
  ExpectRefusal("AssignWorkOrder", Named("w2", "automatic: true"),
                "NO_TECHNICIAN_AVAILABLE");
}

TEST_F(BookingTest, TheExplanationSaysWhenTheVisitComesTooLate) {
  Register("wu");
  SetLeave("wu", Local("08:00"), Local("13:00"));
  Create("w1", "priority: 'urgent'");
  Automatic("w1");
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_THAT(
      s_.event<v1::DispatchEvent>().work_order_assigned().explanation(),
      ::testing::HasSubstr("after the on-site due time 2026-03-02 12:00"));
}

// What a visit leaves of its time is free again at once.
TEST_F(BookingTest, AVisitThatEndsEarlyGivesBackTheRest) {
  Register("wu");
  Create("w1");
  Create("w2");
  Assign("w1", "wu", Local("09:00"));
  s_.At(Local("09:00"));
  VisitUpTo("ArriveAtSite", "w1", "wu");
  s_.At(Local("09:20")).As("wu");
  s_.Given("CompleteWorkOrder", Named("w1", "report: 'fixed'"));
  s_.As("zhou");
  EXPECT_EQ(EndOf("w1"), Utc(Local("09:20")));
  Assign("w2", "wu", Local("09:20"));
  EXPECT_EQ(StartOf("w2"), Utc(Local("09:20")));
  ExpectReplayEqualsLive();
}

}  // namespace
}  // namespace aftercare::dispatch
