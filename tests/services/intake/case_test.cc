#include "services/intake/domain/case.h"

#include "tests/services/intake/intake_fixture.h"

namespace aftercare::intake {
namespace {

class CaseTest : public IntakeTest {
 protected:
  CaseTest() { RegisterCustomers(); }
  explicit CaseTest(absl::string_view reopen_clock)
      : IntakeTest(PolicyWith(reopen_clock)) {
    RegisterCustomers();
  }

  void ResolveAt(absl::string_view time, absl::string_view id = "k1") {
    s_.At(time).Given("ResolveCase", Named(id, "resolution: 'done'"));
  }
};

class ReopenRestartTest : public CaseTest {
 protected:
  ReopenRestartTest() : CaseTest("restart") {}
};

class ReopenPauseTest : public CaseTest {
 protected:
  ReopenPauseTest() : CaseTest("closed_is_pause") {}
};

// ---- OpenCase ---------------------------------------------------------------

// INT-01 channel kept, INT-04 the first receiver owns, INT-07 what was told.
TEST_F(CaseTest, OpeningRecordsWhoWhatAndHow) {
  RegisterAsset(kWang, "a1", "S-1");
  s_.At(Local("09:00"));
  ExpectAccepted("OpenCase",
                 absl::StrCat("parent: '", kWang,
                              "' case_id: 'k1' kind: REPAIR priority: HIGH "
                              "channel: 'wechat_oa' subject: '开不了机 😡' "
                              "description: '昨天开始\\n不通电' asset: '",
                              kWang, "/assets/a1'"),
                 "CaseOpened");
  const auto& c = Case("k1");
  EXPECT_EQ(c.name(), CaseName("k1"));
  EXPECT_EQ(c.state(), v1::Case::OPEN);
  EXPECT_EQ(c.kind(), v1::Case::REPAIR);
  EXPECT_EQ(c.priority(), v1::Case::HIGH);
  EXPECT_EQ(c.channel(), "wechat_oa");
  EXPECT_EQ(c.subject(), "开不了机 😡");
  EXPECT_EQ(c.description(), "昨天开始\n不通电");
  EXPECT_EQ(c.owner(), "li");
  EXPECT_EQ(c.region(), "beijing");
  EXPECT_EQ(c.product_line(), "laptop");  // the asset's
  EXPECT_TRUE(c.in_warranty());
  EXPECT_EQ(FromProto(c.open_time()), Instant(Local("09:00")));
  EXPECT_EQ(FromProto(c.state_time()), Instant(Local("09:00")));
  EXPECT_FALSE(c.etag().empty());
}

TEST_F(CaseTest, AnUnnamedPriorityIsNormal) {
  Open("k1");
  EXPECT_EQ(Case("k1").priority(), v1::Case::NORMAL);
}

// WAR-01: the last moment of the warranty still counts.
TEST_F(CaseTest, TheWarrantyIsJudgedAtOpening) {
  RegisterAsset(kWang, "a1");  // sold 2025-01-15, 24 months
  const std::string asset = absl::StrCat("asset: '", kWang, "/assets/a1'");
  s_.At("2027-01-15T23:59:59+08:00");
  Open("k1", "REPAIR", asset);
  EXPECT_TRUE(Case("k1").in_warranty());
  s_.At("2027-01-16T00:00:00+08:00");
  Open("k2", "REPAIR", asset);
  EXPECT_FALSE(Case("k2").in_warranty());
  RegisterAsset(kWang, "a2", "", "part");
  Open("k3", "REPAIR", absl::StrCat("asset: '", kWang, "/assets/a2'"));
  EXPECT_FALSE(Case("k3").in_warranty());
  EXPECT_EQ(Case("k3").product_line(), "part");
}

// INT-14 to INT-19: targets by kind and priority, the first that fits.
TEST_F(CaseTest, ClocksFollowTheHandbooksFirstFittingTarget) {
  s_.At(Local("09:00"));
  Open("k1", "INQUIRY");
  EXPECT_EQ(DueOf("k1", "first_response"), Instant(Local("13:00")));
  EXPECT_EQ(DueOf("k1", "resolution"), Instant(Local("17:00")));
  Open("k2", "COMPLAINT", "priority: URGENT");
  EXPECT_EQ(DueOf("k2", "first_response"), Instant(Local("11:00")));
  EXPECT_EQ(DueOf("k2", "resolution"), Instant(Local("09:05")));
  Open("k3", "REPAIR");
  EXPECT_EQ(DueOf("k3", "first_response"), Instant(Local("13:00")));
  EXPECT_EQ(DueOf("k3", "resolution"), Instant(Local("09:00", 7)));
  ASSERT_EQ(Case("k3").clocks_size(), 2);
  EXPECT_EQ(Case("k3").clocks(0).handbook_version(), 3);
}

// CASE-07, the due times (08-18, 4 h).
TEST_F(CaseTest, ADueTimeIsCountedInBusinessTimeOverNight) {
  s_.At(Local("17:00"));
  Open("k1", "COMPLAINT");
  EXPECT_EQ(DueOf("k1", "first_response"), Instant(Local("11:00", 3)));
  s_.At(Local("14:30"));
  Open("k2", "COMPLAINT");
  EXPECT_EQ(DueOf("k2", "first_response"), Instant(Local("08:30", 3)));
}

TEST_F(CaseTest, OpeningRefusesBadFieldsByName) {
  const auto refused = [&](absl::string_view fields, absl::string_view reason,
                           absl::string_view field) {
    ExpectRefusal("OpenCase", fields, reason, field);
  };
  const std::string parent = absl::StrCat("parent: '", kWang, "' ");
  const std::string rest = "channel: 'hotline' subject: 's' ";
  refused(rest + "case_id: 'k1' kind: INQUIRY", "NAME_INVALID", "parent");
  refused(rest + "parent: 'companies/acme' case_id: 'k1' kind: INQUIRY",
          "NAME_INVALID", "parent");
  refused(rest +
              "parent: 'companies/acme/territories/t' case_id: 'k1' "
              "kind: INQUIRY",
          "NAME_INVALID", "parent");
  refused(parent + rest + "case_id: 'K_1' kind: INQUIRY", "FIELD_INVALID",
          "case_id");
  refused(parent + rest + "case_id: 'k1'", "FIELD_INVALID", "kind");
  refused(parent + "case_id: 'k1' kind: INQUIRY subject: 's'", "FIELD_INVALID",
          "channel");
  refused(parent + "case_id: 'k1' kind: INQUIRY channel: 'hotline'",
          "FIELD_INVALID", "subject");
  refused(Opening("k1", "INQUIRY",
                  absl::StrCat("description: '", std::string(20001, 'x'), "'")),
          "FIELD_INVALID", "description");
  refused(Opening("k1", "INQUIRY",
                  absl::StrCat("product_line: '", std::string(64, 'x'), "'")),
          "FIELD_INVALID", "product_line");
  refused(parent + "case_id: 'k1' kind: INQUIRY channel: 'hotline' subject: '" +
              std::string(301, 's') + "'",
          "FIELD_INVALID", "subject");
  refused(Opening("k1", "INQUIRY", "asset: 'a1'"), "NAME_INVALID", "asset");
  refused(Opening("k1", "INQUIRY", "occur_time {seconds: 253402300799}"),
          "FIELD_INVALID", "occur_time");
}

TEST_F(CaseTest, OpeningRefusesUnknownEnumNumbers) {
  v1::OpenCaseRequest request;
  request.set_parent(std::string(kWang));
  request.set_case_id("k1");
  request.set_channel("hotline");
  request.set_subject("s");
  request.set_kind(static_cast<v1::Case::Kind>(77));
  s_.When("OpenCase", request);
  EXPECT_EQ(s_.Reason(), "FIELD_INVALID");
  EXPECT_EQ(s_.Field(), "kind");
  request.set_kind(v1::Case::INQUIRY);
  request.set_priority(static_cast<v1::Case::Priority>(-1));
  s_.When("OpenCase", request);
  EXPECT_EQ(s_.Reason(), "FIELD_INVALID");
  EXPECT_EQ(s_.Field(), "priority");
}

TEST_F(CaseTest, OpeningRefusesWhatIsNotThere) {
  ExpectRefusal("OpenCase",
                Opening("k1", "INQUIRY", "", "companies/acme/customers/nobody"),
                "RESOURCE_NOT_FOUND");
  ExpectRefusal("OpenCase",
                Opening("k1", "INQUIRY",
                        absl::StrCat("asset: '", kWang, "/assets/none'")),
                "RESOURCE_NOT_FOUND");
  ExpectRefusal("OpenCase",
                Opening("k1", "INQUIRY", "product_line: 'spaceship'"),
                "PRODUCT_LINE_UNKNOWN");
  Open("k1");
  ExpectRefusal("OpenCase", Opening("k1", "INQUIRY"),
                "RESOURCE_ALREADY_EXISTS");
}

TEST_F(CaseTest, AnotherCustomersUnitIsRefused) {
  RegisterAsset(kZhao, "a1");
  ExpectRefusal(
      "OpenCase",
      Opening("k1", "REPAIR", absl::StrCat("asset: '", kZhao, "/assets/a1'")),
      "FIELD_INVALID", "asset");
}

// INT-01: an unknown channel is refused.
TEST_F(CaseTest, AChannelTheHandbookDoesNotNameIsRefused) {
  ExpectRefusal("OpenCase",
                absl::StrCat("parent: '", kWang,
                             "' case_id: 'k1' kind: INQUIRY "
                             "channel: 'telegraph' subject: 's'"),
                "CHANNEL_UNKNOWN");
}

// ---- Every command on a case -----------------------------------------------

TEST_F(CaseTest, EveryCommandChecksNameExistenceAndEtag) {
  Open("k1", "REPAIR");
  const std::pair<const char*, std::string> commands[] = {
      {"ReplyToCase", "text: 't' "},
      {"PauseCase", "reason: 'r' "},
      {"ResumeCase", ""},
      {"ResolveCase", "resolution: 'r' "},
      {"ReopenCase", "reason: 'r' "},
      {"CloseCase", ""},
      {"RecordFollowUp", "satisfaction: 5 "},
      {"RecordRepairProgress",
       absl::StrCat("stage: PLANNED work_order: '", kWorkOrder, "' ")},
  };
  for (const auto& [method, fields] : commands) {
    ExpectRefusal(method, fields, "NAME_INVALID", "name");
    ExpectRefusal(method, fields + "name: 'companies/acme/customers/wang'",
                  "NAME_INVALID", "name");
    ExpectRefusal(method, fields + "name: '" + CaseName("K1") + "'",
                  "NAME_INVALID", "name");
    ExpectRefusal(method, fields + Named("none"), "RESOURCE_NOT_FOUND");
    if (absl::string_view(method) != "RecordRepairProgress") {
      ExpectRefusal(method, fields + Named("k1", "etag: 'old'"),
                    "ETAG_MISMATCH");
    }
    ExpectRefusal(method, fields + Named("k1", "occur_time {nanos: -1}"),
                  "FIELD_INVALID", "occur_time");
  }
}

// ---- ReplyToCase ------------------------------------------------------------

TEST_F(CaseTest, TheFirstAnswerOfStaffMeetsTheFirstResponse) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.At(Local("09:30")).As("wang");
  ExpectAccepted("ReplyToCase", Named("k1", "text: '您好 👋'"), "CaseReplied");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_replied().by(), "wang");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_replied().text(), "您好 👋");
  EXPECT_TRUE(Case("k1").replied());
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
  EXPECT_EQ(FromProto(Clock("k1", "first_response").used()), absl::Minutes(30));
  EXPECT_EQ(ClockState("k1", "resolution"), "RUNNING");
  // INT-04: the owner stays.
  EXPECT_EQ(Case("k1").owner(), "li");
  // A second answer stops nothing twice.
  s_.At(Local("10:30"));
  ExpectAccepted("ReplyToCase", Named("k1", "text: 'more'"), "CaseReplied");
  EXPECT_EQ(FromProto(Clock("k1", "first_response").used()), absl::Minutes(30));
}

TEST_F(CaseTest, ACustomersMessageStopsNoClock) {
  Open("k1");
  s_.At(Local("08:30"));
  ExpectAccepted("ReplyToCase", Named("k1", "text: '?' from_customer: true"),
                 "CaseReplied");
  EXPECT_FALSE(Case("k1").replied());
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_replied().by(), "");
  EXPECT_EQ(ClockState("k1", "first_response"), "RUNNING");
}

// CASE-10: reply at +3 min and "pending" in one command: met at 3 min.
TEST_F(CaseTest, AReplyThatPausesMeetsTheFirstResponse) {
  s_.At(Local("10:00"));
  Open("k1");
  s_.At(Local("10:03"));
  ExpectAccepted(
      "ReplyToCase",
      Named("k1", "text: 'which model?' pause_reason: 'waits for customer'"),
      "CaseReplied,CasePaused");
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
  EXPECT_EQ(FromProto(Clock("k1", "first_response").used()), absl::Minutes(3));
  EXPECT_EQ(ClockState("k1", "resolution"), "PAUSED");
  EXPECT_EQ(FromProto(Clock("k1", "resolution").used()), absl::Minutes(3));
  EXPECT_EQ(StateOf("k1"), "PAUSED");
  EXPECT_EQ(Case("k1").pause_reason(), "waits for customer");
  ExpectRefusal("ReplyToCase", Named("k1", "text: 't' pause_reason: 'again'"),
                "CASE_ALREADY_PAUSED");
}

TEST_F(CaseTest, APausedCaseCanBeAnswered) {
  Open("k1");
  s_.At(Local("08:10")).Given("PauseCase", Named("k1", "reason: 'r'"));
  s_.At(Local("20:00"));
  ExpectAccepted("ReplyToCase", Named("k1", "text: 't'"), "CaseReplied");
  EXPECT_EQ(StateOf("k1"), "PAUSED");
  // The clock stood: not late.
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
}

TEST_F(CaseTest, ReplyingRefusesBadFieldsAndStates) {
  Open("k1");
  ExpectRefusal("ReplyToCase", Named("k1"), "FIELD_INVALID", "text");
  ExpectRefusal(
      "ReplyToCase",
      Named("k1", absl::StrCat("text: '", std::string(20001, 'x'), "'")),
      "FIELD_INVALID", "text");
  ExpectRefusal("ReplyToCase",
                Named("k1", absl::StrCat("text: 't' pause_reason: '",
                                         std::string(301, 'x'), "'")),
                "FIELD_INVALID", "pause_reason");
  ExpectRefusal(
      "ReplyToCase",
      Named("k1", absl::StrCat("text: 't' occur_time ", Stamp(Local("07:59")))),
      "OCCUR_TIME_TOO_EARLY");
  ResolveAt(Local("09:00"));
  ExpectRefusal("ReplyToCase", Named("k1", "text: 't'"), "CASE_NOT_OPEN");
  s_.As("chen").Given("CloseCase", Named("k1"));
  ExpectRefusal("ReplyToCase", Named("k1", "text: 't'"), "CASE_NOT_OPEN");
}

// ---- PauseCase, ResumeCase --------------------------------------------------

// CASE-06: 09-17, 8 h, from Monday 13:00, paused 17:00 to Tuesday 09:00.
TEST_F(CaseTest, APauseGivesBackBusinessTimeNotWallTime) {
  s_.At(Local("13:00"));
  Open("k1");
  EXPECT_EQ(DueOf("k1", "resolution"), Instant(Local("13:00", 3)));
  s_.At(Local("17:00"));
  ExpectAccepted("PauseCase", Named("k1", "reason: '等客户'"), "CasePaused");
  EXPECT_EQ(StateOf("k1"), "PAUSED");
  EXPECT_FALSE(Clock("k1", "resolution").has_due_time());
  s_.At(Local("09:00", 3));
  ExpectAccepted("ResumeCase", Named("k1"), "CaseResumed");
  EXPECT_EQ(StateOf("k1"), "OPEN");
  EXPECT_EQ(Case("k1").pause_reason(), "");
  EXPECT_EQ(DueOf("k1", "resolution"), Instant(Local("13:00", 3)));
}

TEST_F(CaseTest, NoClockBreachesWhileItIsPaused) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.At(Local("10:00")).Given("PauseCase", Named("k1", "reason: 'r'"));
  s_.WhenTimePasses(Local("09:00", 30));
  EXPECT_EQ(s_.Events(), "");
}

TEST_F(CaseTest, PausingAndResumingRefuseBadFieldsAndStates) {
  Open("k1");
  ExpectRefusal("PauseCase", Named("k1"), "FIELD_INVALID", "reason");
  ExpectRefusal(
      "PauseCase",
      Named("k1", absl::StrCat("reason: '", std::string(301, 'x'), "'")),
      "FIELD_INVALID", "reason");
  ExpectRefusal("PauseCase",
                Named("k1", absl::StrCat("reason: 'r' occur_time ",
                                         Stamp(Local("07:59")))),
                "OCCUR_TIME_TOO_EARLY");
  ExpectRefusal("ResumeCase", Named("k1"), "CASE_NOT_PAUSED");
  s_.At(Local("10:00")).Given("PauseCase", Named("k1", "reason: 'r'"));
  ExpectRefusal("PauseCase", Named("k1", "reason: 'r'"), "CASE_ALREADY_PAUSED");
  ExpectRefusal("ResumeCase",
                Named("k1", absl::StrCat("occur_time ", Stamp(Local("09:59")))),
                "OCCUR_TIME_TOO_EARLY");
  ResolveAt(Local("11:00"));
  ExpectRefusal("PauseCase", Named("k1", "reason: 'r'"), "CASE_NOT_OPEN");
  ExpectRefusal("ResumeCase", Named("k1"), "CASE_NOT_PAUSED");
}

// ---- Clocks and time --------------------------------------------------------

// CASE-12: first response 4 h from 09:00, no reply: 13:00 and no other clock.
TEST_F(CaseTest, EachClockBreachesAtItsOwnDueTime) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.WhenTimePasses(Local("12:59"));
  EXPECT_EQ(s_.Events(), "");
  s_.WhenTimePasses(Local("13:01"));
  ASSERT_EQ(s_.Events(), "ClockBreached");
  const auto& breach = s_.event<v1::IntakeEvent>().clock_breached();
  EXPECT_EQ(breach.clock().kind(), "first_response");
  EXPECT_EQ(breach.responsible(), "li");
  EXPECT_EQ(ClockState("k1", "first_response"), "RUNNING breached");
  EXPECT_EQ(ClockState("k1", "resolution"), "RUNNING");
  s_.WhenTimePasses(Local("17:01"));
  ASSERT_EQ(s_.Events(), "ClockBreached");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().clock_breached().clock().kind(),
            "resolution");
  s_.WhenTimePasses(Local("17:01", 20));
  EXPECT_EQ(s_.Events(), "");
  EXPECT_EQ(s_.Replayed(), s_.Dump());
}

// Equality with the due time is on time.
TEST_F(CaseTest, AnAnswerAtTheDueTimeIsOnTime) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.WhenTimePasses(Local("13:00"));
  EXPECT_EQ(s_.Events(), "");
  ExpectAccepted("ReplyToCase", Named("k1", "text: 't'"), "CaseReplied");
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
}

// CASE-15: 30 min late stays 30 min, closing next day changes nothing.
TEST_F(CaseTest, LatenessIsFrozenWhenTheClockStops) {
  s_.At(Local("09:00"));
  Open("k1", "COMPLAINT");  // resolution 24 h wall time
  s_.WhenTimePasses(Local("09:01", 3));
  ResolveAt(Local("09:30", 3));
  EXPECT_EQ(ClockState("k1", "resolution"), "STOPPED breached");
  EXPECT_EQ(FromProto(Clock("k1", "resolution").lateness()), absl::Minutes(30));
  const auto resolve_time = FromProto(Case("k1").resolve_time());
  s_.At(Local("09:30", 4)).As("chen").Given("CloseCase", Named("k1"));
  s_.WhenTimePasses("2026-04-10T09:00:00+08:00");
  EXPECT_EQ(FromProto(Clock("k1", "resolution").lateness()), absl::Minutes(30));
  EXPECT_EQ(FromProto(Case("k1").resolve_time()), resolve_time);
}

// An answer given in time but reported after the breach was settled.
TEST_F(CaseTest, ALateReportOfATimelyAnswerIsMarked) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.WhenTimePasses(Local("14:00"));
  ExpectAccepted(
      "ReplyToCase",
      Named("k1", absl::StrCat("text: 't' occur_time ", Stamp(Local("12:00")))),
      "CaseReplied");
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED breached");
  EXPECT_TRUE(Clock("k1", "first_response").stop_reported_late());
}

// A case imported with its whole past: the deadline waits for the reports.
TEST_F(CaseTest, AnImportedPastIsNotBreachedBeforeItIsReported) {
  s_.At(Local("09:00", 2)).RecordedAt(Local("09:00", 20)).As("history");
  Open("k1");
  EXPECT_EQ(FromProto(Clock("k1", "first_response").check_time()),
            Instant(Local("09:15", 20)));
  s_.At(Local("09:30", 2)).RecordedAt(Local("09:00", 20));
  s_.Given("ReplyToCase", Named("k1", "text: 't'"));
  s_.At(Local("10:00", 2)).RecordedAt(Local("09:00", 20));
  s_.Given("ResolveCase", Named("k1", "resolution: 'r'"));
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
  EXPECT_EQ(ClockState("k1", "resolution"), "STOPPED");
  // Its follow-up, too, may still be reported.
  EXPECT_EQ(FromProto(Case("k1").follow_up_due_time()),
            Instant(Local("09:15", 20)));
}

// ---- ResolveCase ------------------------------------------------------------

// CASE-14's kind: whoever resolves leaves no clock to breach later.
TEST_F(CaseTest, ResolvingStopsEveryClockAndCreditsTheResolver) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.At(Local("10:00")).As("wang");
  ExpectAccepted("ResolveCase", Named("k1", "resolution: '重启即可 ✅'"),
                 "CaseResolved");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_resolved().by(), "wang");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_resolved().kind(),
            v1::Case::INQUIRY);
  EXPECT_EQ(StateOf("k1"), "RESOLVED");
  EXPECT_EQ(Case("k1").resolved_by(), "wang");
  EXPECT_EQ(Case("k1").resolution(), "重启即可 ✅");
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
  EXPECT_EQ(ClockState("k1", "resolution"), "STOPPED");
  EXPECT_EQ(FromProto(Case("k1").follow_up_due_time()),
            Instant(Local("10:00", 4)));
  s_.WhenTimePasses(Local("09:59", 4));
  EXPECT_EQ(s_.Events(), "");
}

// CASE-14: the customer writes last, the agent resolves without a word: nobody
// is waited for, so nothing breaches however long one looks.
TEST_F(CaseTest, ResolvingAfterTheCustomersLastWordLeavesNothingToBreach) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.At(Local("09:10")).Given("ReplyToCase", Named("k1", "text: 'try this'"));
  s_.At(Local("09:20"));
  s_.Given("ReplyToCase", Named("k1", "text: 'works' from_customer: true"));
  ResolveAt(Local("09:30"));
  s_.Given("RecordFollowUp", Named("k1", "satisfaction: 5"));
  s_.WhenTimePasses("2027-03-02T09:00:00+08:00");
  EXPECT_EQ(s_.Events(), "");
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
  EXPECT_EQ(ClockState("k1", "resolution"), "STOPPED");
}

// CASE-35: automation's closing is no one's resolution.
TEST_F(CaseTest, AResolutionByTimeoutIsCreditedToNobody) {
  Open("k1");
  s_.As("system").At(Local("09:00", 9));
  ExpectAccepted("ResolveCase",
                 Named("k1", "resolution: 'no answer' by_timeout: true"),
                 "CaseResolved");
  EXPECT_TRUE(s_.event<v1::IntakeEvent>().case_resolved().by_timeout());
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_resolved().by(), "");
  EXPECT_EQ(Case("k1").resolved_by(), "");
  EXPECT_FALSE(Case("k1").has_follow_up_due_time());
}

TEST_F(CaseTest, APausedCaseCanBeResolvedOnTime) {
  s_.At(Local("09:00"));
  Open("k1");
  s_.At(Local("10:00")).Given("PauseCase", Named("k1", "reason: 'r'"));
  ResolveAt(Local("10:00", 20));
  EXPECT_EQ(StateOf("k1"), "RESOLVED");
  EXPECT_EQ(Case("k1").pause_reason(), "");
  EXPECT_EQ(ClockState("k1", "resolution"), "STOPPED");
}

TEST_F(CaseTest, ResolvingRefusesBadFieldsStatesAndTimes) {
  Open("k1");
  ExpectRefusal("ResolveCase", Named("k1"), "FIELD_INVALID", "resolution");
  ExpectRefusal(
      "ResolveCase",
      Named("k1", absl::StrCat("resolution: '", std::string(20001, 'x'), "'")),
      "FIELD_INVALID", "resolution");
  ExpectRefusal("ResolveCase",
                Named("k1", absl::StrCat("resolution: 'r' occur_time ",
                                         Stamp(Local("07:59")))),
                "OCCUR_TIME_TOO_EARLY");
  // Not before the pause it ends, either.
  s_.At(Local("10:00")).Given("PauseCase", Named("k1", "reason: 'r'"));
  ExpectRefusal("ResolveCase",
                Named("k1", absl::StrCat("resolution: 'r' occur_time ",
                                         Stamp(Local("09:59")))),
                "OCCUR_TIME_TOO_EARLY");
  ResolveAt(Local("11:00"));
  ExpectRefusal("ResolveCase", Named("k1", "resolution: 'r'"), "CASE_NOT_OPEN");
}

// ---- ReopenCase -------------------------------------------------------------

// CASE-33's kind: a reopened case has no resolution any more.
TEST_F(CaseTest, ReopeningTakesTheResolutionBack) {
  s_.At(Local("09:00"));
  Open("k1");
  ResolveAt(Local("10:00"));
  s_.Given("RecordFollowUp", Named("k1", "satisfaction: 1"));
  s_.At(Local("11:00")).As("wang");
  ExpectAccepted("ReopenCase", Named("k1", "reason: '又坏了'"), "CaseReopened");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_reopened().resolved_by(), "li");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_reopened().by(), "wang");
  const auto& c = Case("k1");
  EXPECT_EQ(c.state(), v1::Case::OPEN);
  EXPECT_EQ(c.reopen_count(), 1);
  EXPECT_EQ(c.resolved_by(), "");
  EXPECT_EQ(c.resolution(), "");
  EXPECT_FALSE(c.has_resolve_time());
  EXPECT_EQ(c.satisfaction(), 0);
  EXPECT_FALSE(c.dissatisfied());
  EXPECT_FALSE(c.has_follow_up_due_time());
  // Continue, the default: the hour resolved has counted. 09-17, 8 h.
  EXPECT_EQ(DueOf("k1", "resolution"), Instant(Local("17:00")));
  // The first response was given and stays given.
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
}

TEST_F(ReopenRestartTest, ReopeningMayGiveAFreshTarget) {
  s_.At(Local("09:00"));
  Open("k1");
  ResolveAt(Local("10:00"));
  s_.At(Local("11:00")).Given("ReopenCase", Named("k1", "reason: 'r'"));
  EXPECT_EQ(DueOf("k1", "resolution"), Instant(Local("11:00", 3)));
  EXPECT_EQ(s_.Replayed(), s_.Dump());
}

// CASE-09: 5 min; opened 10:00, closed 10:01, reopened 10:10: due 10:14.
TEST_F(ReopenPauseTest, TheTimeClosedMayBeAPause) {
  s_.At(Local("10:00"));
  Open("k1", "INQUIRY", "priority: URGENT");
  ResolveAt(Local("10:01"));
  s_.Given("CloseCase", Named("k1"));
  s_.At(Local("10:10")).Given("ReopenCase", Named("k1", "reason: 'r'"));
  EXPECT_EQ(DueOf("k1", "resolution"), Instant(Local("10:14")));
  EXPECT_FALSE(Case("k1").has_close_time());
  s_.WhenTimePasses(Local("10:13"));
  EXPECT_EQ(s_.Events(), "");
  s_.WhenTimePasses(Local("10:15"));
  EXPECT_EQ(s_.Events(), "ClockBreached");
}

// The window counts from closing: seven days, in Shanghai.
TEST_F(CaseTest, AClosedCaseReopensOnlyWithinTheWindow) {
  Open("k1");
  Open("k2");
  for (absl::string_view id : {"k1", "k2"}) {
    ResolveAt(Local("09:00"), id);
    s_.Given("CloseCase", Named(id));
  }
  s_.At(Local("23:59", 9));
  ExpectAccepted("ReopenCase", Named("k1", "reason: 'r'"), "CaseReopened");
  s_.At(Local("00:00", 10));
  ExpectRefusal("ReopenCase", Named("k2", "reason: 'r'"), "REOPEN_WINDOW_OVER");
}

TEST_F(CaseTest, AResolvedCaseReopensWithoutAWindow) {
  Open("k1");
  ResolveAt(Local("09:00"));
  s_.At("2027-03-02T09:00:00+08:00");
  ExpectAccepted("ReopenCase", Named("k1", "reason: 'r'"), "CaseReopened");
}

TEST_F(CaseTest, ReopeningRefusesBadFieldsStatesAndTimes) {
  Open("k1");
  ExpectRefusal("ReopenCase", Named("k1", "reason: 'r'"), "CASE_NOT_RESOLVED");
  s_.At(Local("08:10")).Given("PauseCase", Named("k1", "reason: 'r'"));
  ExpectRefusal("ReopenCase", Named("k1", "reason: 'r'"), "CASE_NOT_RESOLVED");
  ResolveAt(Local("09:00"));
  ExpectRefusal("ReopenCase", Named("k1"), "FIELD_INVALID", "reason");
  ExpectRefusal(
      "ReopenCase",
      Named("k1", absl::StrCat("reason: '", std::string(301, 'x'), "'")),
      "FIELD_INVALID", "reason");
  s_.At(Local("12:00")).Given("CloseCase", Named("k1"));
  ExpectRefusal("ReopenCase",
                Named("k1", absl::StrCat("reason: 'r' occur_time ",
                                         Stamp(Local("11:59")))),
                "OCCUR_TIME_TOO_EARLY");
}

// ---- CloseCase --------------------------------------------------------------

TEST_F(CaseTest, AResolvedCaseIsClosed) {
  Open("k1", "REPAIR");
  s_.As("system").Given("RecordRepairProgress", Repair("COMPLETED"));
  s_.As("li").At(Local("12:00"));
  ExpectAccepted("CloseCase", Named("k1"), "CaseClosed");
  const auto& fact = s_.event<v1::IntakeEvent>().case_closed();
  EXPECT_EQ(fact.by(), "li");
  EXPECT_EQ(fact.kind(), v1::Case::REPAIR);
  EXPECT_EQ(fact.region(), "beijing");
  EXPECT_EQ(fact.work_order(), kWorkOrder);
  EXPECT_EQ(StateOf("k1"), "CLOSED");
  EXPECT_EQ(FromProto(Case("k1").close_time()), Instant(Local("12:00")));
  ExpectRefusal("CloseCase", Named("k1"), "CASE_NOT_RESOLVED");
}

TEST_F(CaseTest, ClosingRefusesOpenCasesAndEarlyTimes) {
  Open("k1");
  ExpectRefusal("CloseCase", Named("k1"), "CASE_NOT_RESOLVED");
  s_.At(Local("08:30")).Given("PauseCase", Named("k1", "reason: 'r'"));
  ExpectRefusal("CloseCase", Named("k1"), "CASE_NOT_RESOLVED");
  ResolveAt(Local("09:00"));
  ExpectRefusal("CloseCase",
                Named("k1", absl::StrCat("occur_time ", Stamp(Local("08:59")))),
                "OCCUR_TIME_TOO_EARLY");
}

// INT-34: a complaint closes on satisfaction or by a supervisor's decision.
TEST_F(CaseTest, AComplaintClosesOnlyWhenItsCustomerIsContent) {
  Open("k1", "COMPLAINT");
  ResolveAt(Local("09:00"));
  ExpectRefusal("CloseCase", Named("k1"), "COMPLAINT_NOT_SATISFIED");
  s_.Given("RecordFollowUp", Named("k1", "satisfaction: 3"));
  ExpectAccepted("CloseCase", Named("k1"), "CaseClosed");
}

TEST_F(CaseTest, AnUnhappyComplaintIsClosedByASupervisorOnly) {
  Open("k1", "COMPLAINT");
  ResolveAt(Local("09:00"));
  s_.Given("RecordFollowUp", Named("k1", "satisfaction: 2"));
  ExpectRefusal("CloseCase", Named("k1"), "COMPLAINT_NOT_SATISFIED");
  s_.As("stranger");
  ExpectRefusal("CloseCase", Named("k1"), "COMPLAINT_NOT_SATISFIED");
  s_.As("chen");
  ExpectAccepted("CloseCase", Named("k1"), "CaseClosed");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_closed().by(), "chen");
}

// ---- RecordFollowUp ---------------------------------------------------------

// SUR-01, SUR-02; CASE-32: credited to who resolved, whoever records.
TEST_F(CaseTest, AFollowUpCreditsWhoResolvedTheCase) {
  Open("k1");
  s_.As("wang");
  ResolveAt(Local("09:00"));
  s_.As("li").At(Local("09:00", 3));
  ExpectAccepted("RecordFollowUp",
                 Named("k1", "satisfaction: 5 comment: '很满意 ❤️'"),
                 "FollowUpRecorded");
  const auto& fact = s_.event<v1::IntakeEvent>().follow_up_recorded();
  EXPECT_EQ(fact.credited_person(), "wang");
  EXPECT_EQ(fact.by(), "li");
  EXPECT_EQ(fact.satisfaction(), 5);
  EXPECT_FALSE(fact.dissatisfied());
  EXPECT_EQ(fact.comment(), "很满意 ❤️");
  EXPECT_EQ(Case("k1").satisfaction(), 5);
  EXPECT_FALSE(Case("k1").has_follow_up_due_time());
  s_.WhenTimePasses(Local("09:00", 30));
  EXPECT_EQ(s_.Events(), "");
}

// SUR-03: the handbook says where dissatisfaction begins.
TEST_F(CaseTest, DissatisfactionBeginsWhereTheHandbookSays) {
  for (int stars = 1; stars <= 5; ++stars) {
    const std::string id = absl::StrCat("k", stars);
    s_.At(Local("08:00"));
    Open(id);
    ResolveAt(Local("09:00"), id);
    s_.Given("RecordFollowUp",
             Named(id, absl::StrCat("satisfaction: ", stars)));
    EXPECT_EQ(Case(id).dissatisfied(), stars <= 2) << stars;
  }
}

TEST_F(CaseTest, EachResolutionHasOneFollowUp) {
  Open("k1");
  ResolveAt(Local("09:00"));
  s_.Given("RecordFollowUp", Named("k1", "satisfaction: 1"));
  ExpectRefusal("RecordFollowUp", Named("k1", "satisfaction: 5"),
                "FOLLOW_UP_RECORDED");
  s_.At(Local("10:00")).Given("ReopenCase", Named("k1", "reason: 'r'"));
  ExpectRefusal("RecordFollowUp", Named("k1", "satisfaction: 5"),
                "CASE_NOT_RESOLVED");
  s_.As("wang");
  ResolveAt(Local("11:00"));
  s_.Given("CloseCase", Named("k1"));
  ExpectAccepted("RecordFollowUp", Named("k1", "satisfaction: 5"),
                 "FollowUpRecorded");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().follow_up_recorded().reopen_count(), 1);
  EXPECT_EQ(s_.event<v1::IntakeEvent>().follow_up_recorded().credited_person(),
            "wang");
}

TEST_F(CaseTest, AFollowUpRefusesBadFieldsAndTimes) {
  Open("k1");
  ResolveAt(Local("09:00"));
  for (int stars : {0, 6, -1, 2147483647}) {
    ExpectRefusal("RecordFollowUp",
                  Named("k1", absl::StrCat("satisfaction: ", stars)),
                  "FIELD_INVALID", "satisfaction");
  }
  ExpectRefusal("RecordFollowUp",
                Named("k1", absl::StrCat("satisfaction: 5 comment: '",
                                         std::string(20001, 'x'), "'")),
                "FIELD_INVALID", "comment");
  ExpectRefusal("RecordFollowUp",
                Named("k1", absl::StrCat("satisfaction: 5 occur_time ",
                                         Stamp(Local("08:59")))),
                "OCCUR_TIME_TOO_EARLY");
}

// SUR-01: a follow-up that nobody made in time is on record, once.
TEST_F(CaseTest, AFollowUpThatIsDueAndNotMadeIsMissed) {
  Open("k1");
  ResolveAt(Local("09:00"));
  s_.WhenTimePasses(Local("09:00", 4));
  EXPECT_EQ(s_.Events(), "");
  s_.WhenTimePasses(Local("09:01", 4));
  EXPECT_EQ(s_.Events(), "FollowUpMissed");
  EXPECT_TRUE(Case("k1").follow_up_overdue());
  s_.WhenTimePasses(Local("09:00", 30));
  EXPECT_EQ(s_.Events(), "");
  // It may still be made.
  ExpectAccepted("RecordFollowUp", Named("k1", "satisfaction: 4"),
                 "FollowUpRecorded");
  EXPECT_FALSE(Case("k1").follow_up_overdue());
}

// ---- RecordRepairProgress ---------------------------------------------------

TEST_F(CaseTest, ACompletedRepairResolvesItsCaseForTheTechnician) {
  Open("k1", "REPAIR");
  s_.As("system").At(Local("10:00"));
  ExpectAccepted("RecordRepairProgress", Repair("PLANNED"),
                 "RepairProgressRecorded");
  EXPECT_EQ(StateOf("k1"), "OPEN");
  EXPECT_EQ(Case("k1").work_order(), kWorkOrder);
  ExpectAccepted("RecordRepairProgress", Repair("VISITED"),
                 "RepairProgressRecorded");
  ExpectAccepted("RecordRepairProgress",
                 Repair("COMPLETED", "technician: 'wu' note: '换了电源'"),
                 "RepairProgressRecorded,CaseResolved");
  EXPECT_EQ(StateOf("k1"), "RESOLVED");
  EXPECT_EQ(Case("k1").repair_stage(), v1::Case::COMPLETED);
  EXPECT_EQ(Case("k1").resolved_by(), "wu");
  EXPECT_EQ(Case("k1").resolution(), "换了电源");
  ExpectRefusal("RecordRepairProgress", Repair("COMPLETED"), "CASE_NOT_OPEN");
}

TEST_F(CaseTest, ARepairWithoutAReportIsResolvedAllTheSame) {
  Open("k1", "REPAIR");
  s_.As("system").Given("RecordRepairProgress", Repair("COMPLETED"));
  EXPECT_EQ(StateOf("k1"), "RESOLVED");
  EXPECT_NE(Case("k1").resolution(), "");
}

// The desk paused at 10:00; that the repair was done at 09:30 comes in later.
TEST_F(CaseTest, ARepairReportedBehindTheDesksPauseStillCounts) {
  Open("k1", "REPAIR");
  s_.At(Local("10:00")).Given("PauseCase", Named("k1", "reason: 'r'"));
  s_.As("system");
  ExpectAccepted(
      "RecordRepairProgress",
      Repair("COMPLETED", absl::StrCat("technician: 'wu' occur_time ",
                                       Stamp(Local("09:30")))),
      "RepairProgressRecorded,CaseResolved");
}

TEST_F(CaseTest, RepairProgressRefusesBadFieldsAndOtherCases) {
  Open("k1", "REPAIR");
  s_.As("system");
  ExpectRefusal("RecordRepairProgress", Repair("REPAIR_STAGE_UNSPECIFIED"),
                "FIELD_INVALID", "stage");
  ExpectRefusal("RecordRepairProgress", Repair("COMPLETED", ""),
                "FIELD_INVALID", "technician");
  ExpectRefusal(
      "RecordRepairProgress",
      Repair("PLANNED", absl::StrCat("note: '", std::string(20001, 'x'), "'")),
      "FIELD_INVALID", "note");
  ExpectRefusal("RecordRepairProgress",
                Named("k1", "stage: PLANNED work_order: 'w1'"), "NAME_INVALID",
                "work_order");
  ExpectRefusal("RecordRepairProgress",
                Named("k1",
                      "stage: PLANNED work_order: "
                      "'companies/other/territories/t/workOrders/k1'"),
                "FIELD_INVALID", "work_order");
  ExpectRefusal(
      "RecordRepairProgress",
      Repair("PLANNED", absl::StrCat("occur_time ", Stamp(Local("07:59")))),
      "OCCUR_TIME_TOO_EARLY");
  s_.As("li");
  Open("k2", "INQUIRY");
  s_.As("system");
  ExpectRefusal("RecordRepairProgress",
                Named("k2", absl::StrCat("stage: PLANNED work_order: '",
                                         kWorkOrder, "'")),
                "CASE_IS_NO_REPAIR");
}

}  // namespace
}  // namespace aftercare::intake
