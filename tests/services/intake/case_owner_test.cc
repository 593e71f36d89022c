// Who works on a case.

#include "services/intake/domain/case_owner.h"

#include "tests/services/intake/cases_fixture.h"

namespace aftercare::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CaseOwnerTest : public CasesTest {
 protected:
  CaseOwnerTest() {
    OpenTyped("k1", "complaint",
              "description: 'd' classification: 'staff-attitude' "
              "priority: NORMAL");
  }
};

// INT-04: the first receiver owns the case until it is formally handed over,
// and answers for what was late until then.
TEST_F(CaseOwnerTest, AHandOverChangesTheOwnerFromThenOn) {
  s_.WhenTimePasses(Local("13:01"));
  ASSERT_EQ(s_.Events(), "ClockBreached");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().clock_breached().responsible(), "li");
  s_.As("li");
  ExpectAccepted("TransferCase", Named("k1", "owner: 'wang' reason: '换班'"),
                 "CaseTransferred");
  const auto& fact = s_.event<v1::IntakeEvent>().case_transferred();
  EXPECT_EQ(fact.by(), "li");
  EXPECT_EQ(fact.reason(), "换班");
  EXPECT_EQ(fact.from_owner(), "li");
  EXPECT_EQ(fact.owner(), "wang");
  EXPECT_EQ(fact.from_department(), "after-sales");
  EXPECT_EQ(fact.department(), "after-sales");
  EXPECT_EQ(Case("k1").owner(), "wang");
  s_.WhenTimePasses(Local("09:01", 3));
  ASSERT_EQ(s_.Events(), "ClockBreached");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().clock_breached().responsible(), "wang");
}

// INT-28: another department works on it; whom the customer called stays the
// owner.
TEST_F(CaseOwnerTest, ADepartmentTakesTheWorkNotTheCase) {
  s_.Given("TransferCase", Named("k1", "department: 'quality' reason: 'r'"));
  EXPECT_EQ(Case("k1").department(), "quality");
  EXPECT_EQ(Case("k1").owner(), "li");
  s_.Given("TransferCase",
           Named("k1", "department: 'sales' owner: 'shen' reason: 'r'"));
  EXPECT_EQ(Case("k1").department(), "sales");
  EXPECT_EQ(Case("k1").owner(), "shen");
}

TEST_F(CaseOwnerTest, AResolvedCaseCanBeHandedOverAClosedOneNot) {
  s_.Given("ResolveCase", Named("k1", "resolution: 'r' by_timeout: true"));
  s_.Given("TransferCase", Named("k1", "owner: 'wang' reason: 'r'"));
  s_.As("chen").Given("CloseCase", Named("k1"));
  ExpectRefusal("TransferCase", Named("k1", "owner: 'li' reason: 'r'"),
                "CASE_NOT_OPEN");
}

TEST_F(CaseOwnerTest, AHandOverRefusesBadFieldsAndTimes) {
  const auto refused = [&](absl::string_view fields, absl::string_view reason,
                           absl::string_view field = "") {
    ExpectRefusal("TransferCase", Named("k1", fields), reason, field);
  };
  refused("reason: 'r'", "FIELD_INVALID", "owner");
  refused("owner: 'wang'", "FIELD_INVALID", "reason");
  refused("owner: 'nobody' reason: 'r'", "PERSON_UNKNOWN");
  EXPECT_EQ(Metadata("person"), "nobody");
  refused("department: 'nowhere' reason: 'r'", "DEPARTMENT_UNKNOWN");
  EXPECT_EQ(Metadata("department"), "nowhere");
  refused("owner: 'li' reason: 'r'", "ALREADY_THE_OWNER");
  refused("owner: 'li' department: 'after-sales' reason: 'r'",
          "ALREADY_THE_OWNER");
  refused(absl::StrCat("owner: '", std::string(301, 'x'), "' reason: 'r'"),
          "FIELD_INVALID", "owner");
  refused(absl::StrCat("department: '", std::string(64, 'x'), "' reason: 'r'"),
          "FIELD_INVALID", "department");
  refused(absl::StrCat("owner: 'wang' reason: 'r' occur_time ",
                       Stamp(Local("08:59"))),
          "OCCUR_TIME_TOO_EARLY");
}

// INT-57: sales and quality help with complaints.
TEST_F(CaseOwnerTest, ThoseWhoHelpComeAndGo) {
  ASSERT_THAT(Case("k1").co_handlers(), ElementsAre("shen", "qiao"));
  ExpectAccepted("AddCoHandler", Named("k1", "person: 'mao'"),
                 "CoHandlersChanged");
  EXPECT_THAT(Case("k1").co_handlers(), ElementsAre("shen", "qiao", "mao"));
  EXPECT_EQ(s_.event<v1::IntakeEvent>().co_handlers_changed().by(), "li");
  ExpectAccepted("RemoveCoHandler", Named("k1", "person: 'qiao'"),
                 "CoHandlersChanged");
  EXPECT_THAT(Case("k1").co_handlers(), ElementsAre("shen", "mao"));
  s_.Given("RemoveCoHandler", Named("k1", "person: 'mao'"));
  s_.Given("RemoveCoHandler", Named("k1", "person: 'shen'"));
  EXPECT_THAT(Case("k1").co_handlers(), IsEmpty());
}

TEST_F(CaseOwnerTest, HelpIsNotChangedForNothing) {
  for (absl::string_view person : {"li", "shen"}) {
    ExpectRefusal("AddCoHandler",
                  Named("k1", absl::StrCat("person: '", person, "'")),
                  "CO_HANDLERS_UNCHANGED");
  }
  ExpectRefusal("RemoveCoHandler", Named("k1", "person: 'li'"),
                "CO_HANDLERS_UNCHANGED");
  ExpectRefusal("AddCoHandler", Named("k1", "person: 'nobody'"),
                "PERSON_UNKNOWN");
  for (absl::string_view method : {"AddCoHandler", "RemoveCoHandler"}) {
    ExpectRefusal(method, Named("k1"), "FIELD_INVALID", "person");
    ExpectRefusal(method,
                  Named("k1", absl::StrCat("person: 'mao' occur_time ",
                                           Stamp(Local("08:59")))),
                  "OCCUR_TIME_TOO_EARLY");
  }
  s_.Given("RejectCase", Named("k1", "code: UNREASONABLE text: 't'"));
  for (absl::string_view method : {"AddCoHandler", "RemoveCoHandler"}) {
    ExpectRefusal(method, Named("k1", "person: 'shen'"), "CASE_NOT_OPEN");
  }
}

// INT-57: who helps may answer and hand over; who does not, may not.
TEST_F(CaseOwnerTest, OtherDepartmentsActOnWhatIsTheirs) {
  const std::string reply = Named("k1", "text: '我们来处理'");
  s_.As("mao");
  ExpectRefusal("ReplyToCase", reply, "NOT_THE_HANDLER");
  EXPECT_EQ(Metadata("owner"), "li");
  ExpectRefusal("TransferCase", Named("k1", "owner: 'mao' reason: 'r'"),
                "NOT_THE_HANDLER");
  ExpectRefusal("AddCoHandler", Named("k1", "person: 'mao'"),
                "NOT_THE_HANDLER");
  ExpectRefusal("RemoveCoHandler", Named("k1", "person: 'shen'"),
                "NOT_THE_HANDLER");
  s_.As("shen");  // helps
  ExpectAccepted("ReplyToCase", reply, "CaseReplied");
  ExpectAccepted("TransferCase", Named("k1", "owner: 'mao' reason: 'r'"),
                 "CaseTransferred");
  s_.As("mao");  // owns
  ExpectAccepted("ReplyToCase", reply, "CaseReplied");
  s_.As("wang");  // the desk
  ExpectAccepted("TransferCase", Named("k1", "owner: 'wang' reason: 'r'"),
                 "CaseTransferred");
  s_.As("mao");
  ExpectRefusal("ReplyToCase", reply, "NOT_THE_HANDLER");
}

TEST_F(CaseOwnerTest, EveryCommandChecksNameExistenceAndEtag) {
  const std::pair<const char*, std::string> commands[] = {
      {"TransferCase", "owner: 'wang' reason: 'r' "},
      {"AddCoHandler", "person: 'mao' "},
      {"RemoveCoHandler", "person: 'shen' "},
  };
  for (const auto& [method, fields] : commands) {
    ExpectRefusal(method, fields, "NAME_INVALID", "name");
    ExpectRefusal(method, fields + Named("none"), "RESOURCE_NOT_FOUND");
    ExpectRefusal(method, fields + Named("k1", "etag: 'old'"), "ETAG_MISMATCH");
  }
}

}  // namespace
}  // namespace aftercare::intake
