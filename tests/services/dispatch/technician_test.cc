#include "services/dispatch/domain/technician.h"

#include "dispatch_fixture.h"

namespace aftercare::dispatch {
namespace {

class TechnicianTest : public DispatchTest {
 protected:
  static std::string Registration(absl::string_view more) {
    return absl::StrCat("parent: '", kNorth, "' ", more);
  }
  static std::string Leave(absl::string_view start, absl::string_view end) {
    return absl::StrCat("leave {start ", Stamp(start), " end ", Stamp(end),
                        "} ");
  }
  std::string LeaveOf(absl::string_view person, absl::string_view leave) {
    return absl::StrCat("name: '", Tech(person), "' ", leave);
  }
};

TEST_F(TechnicianTest, RegisteredWithTheHandbooksNameAndOwnSkills) {
  s_.When("RegisterTechnician",
          Registration("technician_id: 't1' person: 'wu' "
                       "skills: 'electronics' calendar: 'evening'"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "TechnicianRegistered");
  const auto* technician = s_.Find(kTechnicians, Tech("t1"));
  ASSERT_NE(technician, nullptr);
  EXPECT_EQ(technician->display_name(), "吴刚");
  EXPECT_EQ(technician->person(), "wu");
  EXPECT_THAT(technician->skills(), ::testing::ElementsAre("electronics"));
  EXPECT_EQ(technician->calendar(), "evening");
  EXPECT_EQ(technician->etag(), "1");
  EXPECT_EQ(FormatRfc3339(FromProto(technician->create_time())),
            Utc(Local("08:00")));
  ExpectReplayEqualsLive();
}

TEST_F(TechnicianTest, AnEmptyIdIsFilledIn) {
  s_.When("RegisterTechnician", Registration("person: 'wu'"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  const auto& technician =
      s_.event<v1::DispatchEvent>().technician_registered().technician();
  EXPECT_TRUE(IsResourceId(IdOf(technician.name()))) << technician.name();
}

TEST_F(TechnicianTest, ChineseTextAndEmojiSurvive) {
  Register("wu", "display_name: '吴师傅 🔧'");
  EXPECT_EQ(s_.Find(kTechnicians, Tech("wu"))->display_name(), "吴师傅 🔧");
  ExpectReplayEqualsLive();
}

TEST_F(TechnicianTest, RegistrationRefusesWhatIsMalformed) {
  ExpectRefusal("RegisterTechnician",
                "parent: 'companies/acme' technician_id: 't' person: 'wu'",
                "NAME_INVALID", "parent");
  ExpectRefusal("RegisterTechnician",
                "parent: '' technician_id: 't' person: 'wu'", "NAME_INVALID",
                "parent");
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 'T 1' person: 'wu'"),
                "FIELD_INVALID", "technician_id");
  ExpectRefusal("RegisterTechnician", Registration("technician_id: 't'"),
                "FIELD_INVALID", "person");
  ExpectRefusal("RegisterTechnician",
                Registration(absl::StrCat(
                    "technician_id: 't' person: 'wu' display_name: '",
                    std::string(301, 'x'), "'")),
                "FIELD_INVALID", "display_name");
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 't' person: 'wu' "
                             "display_name: 'a\\001b'"),
                "FIELD_INVALID", "display_name");
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 't' person: 'wu' "
                             "skills: ['electronics', 'electronics']"),
                "FIELD_INVALID", "skills[1]");
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 't' person: 'wu' skills: ''"),
                "FIELD_INVALID", "skills[0]");
  // Year 9999.
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 't' person: 'wu' "
                             "occur_time {seconds: 253370764800}"),
                "FIELD_INVALID", "occur_time");
}

TEST_F(TechnicianTest, RegistrationRefusesWhatTheHandbookDoesNotKnow) {
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 't' person: 'nobody'"),
                "PERSON_UNKNOWN");
  // A person, but no technician.
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 't' person: 'zhou'"),
                "PERSON_UNKNOWN");
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 't' person: 'wu' skills: 'magic'"),
                "SKILL_UNKNOWN");
  ExpectRefusal(
      "RegisterTechnician",
      Registration("technician_id: 't' person: 'wu' calendar: 'lunar'"),
      "CALENDAR_UNKNOWN");
  ExpectRefusal("RegisterTechnician",
                "parent: 'companies/acme/territories/mars' "
                "technician_id: 't' person: 'wu'",
                "TERRITORY_UNKNOWN");
}

TEST_F(TechnicianTest, OnePersonIsOneTechnicianOfATerritory) {
  Register("wu");
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 'wu' person: 'zheng'"),
                "RESOURCE_ALREADY_EXISTS");
  // Two resources for one person would allow two visits at once.
  ExpectRefusal("RegisterTechnician",
                Registration("technician_id: 'again' person: 'wu'"),
                "PERSON_REGISTERED");
  // In another territory the same person may help out.
  s_.Given("RegisterTechnician",
           "parent: 'companies/acme/territories/rest' technician_id: 'wu' "
           "person: 'wu'");
}

TEST_F(TechnicianTest, UpdateReplacesSkillsAndKeepsThemWhenEmpty) {
  Register("wu", "skills: 'electronics'");
  s_.When("UpdateTechnician",
          absl::StrCat("name: '", Tech("wu"), "' skills: 'carpentry'"));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "TechnicianUpdated");
  EXPECT_THAT(s_.Find(kTechnicians, Tech("wu"))->skills(),
              ::testing::ElementsAre("carpentry"));
  s_.Given("UpdateTechnician",
           absl::StrCat("name: '", Tech("wu"), "' inactive: true"));
  EXPECT_THAT(s_.Find(kTechnicians, Tech("wu"))->skills(),
              ::testing::ElementsAre("carpentry"));
  EXPECT_TRUE(s_.Find(kTechnicians, Tech("wu"))->inactive());
  ExpectReplayEqualsLive();
}

TEST_F(TechnicianTest, UpdateRefusals) {
  ExpectRefusal("UpdateTechnician", "name: 'technicians/wu'", "NAME_INVALID",
                "name");
  ExpectRefusal("UpdateTechnician", absl::StrCat("name: '", Tech("wu"), "'"),
                "RESOURCE_NOT_FOUND");
  Register("wu");
  ExpectRefusal("UpdateTechnician",
                absl::StrCat("name: '", Tech("wu"), "' etag: '77'"),
                "ETAG_MISMATCH");
  ExpectRefusal("UpdateTechnician",
                absl::StrCat("name: '", Tech("wu"), "' skills: 'magic'"),
                "SKILL_UNKNOWN");
}

TEST_F(TechnicianTest, WhoHasUnfinishedOrdersStaysActive) {
  Register("wu");
  Create("w1");
  Assign("w1", "wu", Local("09:00"));
  const std::string retire =
      absl::StrCat("name: '", Tech("wu"), "' inactive: true");
  ExpectRefusal("UpdateTechnician", retire, "TECHNICIAN_HAS_ORDERS");
  s_.Given("CancelWorkOrder", Named("w1", "reason: 'customer called off'"));
  s_.Given("UpdateTechnician", retire);
}

TEST_F(TechnicianTest, LeaveIsSortedAndReplacesEarlierLeave) {
  Register("wu");
  s_.When("SetLeave",
          LeaveOf("wu", absl::StrCat(Leave(Local("14:00"), Local("15:00")),
                                     Leave(Local("09:00"), Local("10:00")))));
  ASSERT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "LeaveSet");
  const auto& leave = s_.Find(kTechnicians, Tech("wu"))->leave();
  ASSERT_EQ(leave.size(), 2);
  EXPECT_LT(leave[0].start().seconds(), leave[1].start().seconds());
  s_.Given("SetLeave", LeaveOf("wu", ""));
  EXPECT_EQ(s_.Find(kTechnicians, Tech("wu"))->leave_size(), 0);
  ExpectReplayEqualsLive();
}

TEST_F(TechnicianTest, LeaveRefusals) {
  ExpectRefusal("SetLeave", LeaveOf("wu", ""), "RESOURCE_NOT_FOUND");
  Register("wu");
  ExpectRefusal("SetLeave", "name: 'x'", "NAME_INVALID", "name");
  ExpectRefusal("SetLeave", LeaveOf("wu", "etag: 'old'"), "ETAG_MISMATCH");
  ExpectRefusal("SetLeave", LeaveOf("wu", "leave {}"), "FIELD_INVALID",
                "leave[0].start");
  ExpectRefusal(
      "SetLeave",
      LeaveOf("wu", absl::StrCat("leave {start ", Stamp(Local("09:00")), "}")),
      "FIELD_INVALID", "leave[0].end");
  ExpectRefusal("SetLeave",
                LeaveOf("wu", Leave(Local("10:00"), Local("10:00"))),
                "FIELD_INVALID", "leave[0].end");
  ExpectRefusal(
      "SetLeave",
      LeaveOf("wu", absl::StrCat("leave {start ", Stamp(Local("09:00")),
                                 " end {seconds: 253370764800}}")),
      "FIELD_INVALID", "leave[0].end");
  ExpectRefusal(
      "SetLeave",
      LeaveOf("wu", absl::StrCat(Leave(Local("09:00"), Local("11:00")),
                                 Leave(Local("10:00"), Local("12:00")))),
      "FIELD_INVALID", "leave");
  std::string many;
  for (int i = 0; i < 401; ++i) many += Leave(Local("09:00"), Local("10:00"));
  ExpectRefusal("SetLeave", LeaveOf("wu", many), "FIELD_INVALID", "leave");
}

TEST_F(TechnicianTest, LeaveMayTouchAVisitButNotCoverIt) {
  Register("wu");
  Create("w1");
  Assign("w1", "wu", Local("09:00"));
  ExpectRefusal("SetLeave",
                LeaveOf("wu", Leave(Local("10:00"), Local("11:00"))),
                "LEAVE_COVERS_VISIT");
  s_.Given("SetLeave",
           LeaveOf("wu", absl::StrCat(Leave(Local("08:00"), Local("09:00")),
                                      Leave(Local("10:30"), Local("11:30")))));
  EXPECT_EQ(s_.Find(kTechnicians, Tech("wu"))->leave_size(), 2);
}

}  // namespace
}  // namespace aftercare::dispatch
