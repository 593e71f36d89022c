#include "services/scoring/domain/fact.h"

#include "scoring_fixture.h"

namespace aftercare::scoring {
namespace {

class FactTest : public ScoringTest {
 protected:
  static std::string WithdrawText(absl::string_view case_id,
                                  absl::string_view kind = "resolution") {
    return absl::StrCat("parent: '", kLi, "' kind: '", kind,
                        "' source_resource: 'companies/acme/customers/7/cases/",
                        case_id,
                        "' source_event: 'intake/0/0/9' reason: '重新打开'");
  }
};

// SCO-01.
TEST_F(FactTest, APersonIsRegisteredOnce) {
  s_.As("zhou-qiang");
  s_.When("RegisterStaff",
          "parent: 'companies/acme' staff_id: 's-li' display_name: '李娜 🌟'");
  EXPECT_EQ(s_.Events(), "StaffRegistered");
  const auto* staff = s_.Find(kStaff, kLi);
  ASSERT_NE(staff, nullptr);
  EXPECT_EQ(staff->display_name(), "李娜 🌟");
  EXPECT_EQ(staff->person(), "li-na");
  EXPECT_FALSE(staff->etag().empty());
  ExpectRefused("RegisterStaff",
                "parent: 'companies/acme' staff_id: 's-li' display_name: 'x'",
                "RESOURCE_ALREADY_EXISTS");
}

TEST_F(FactTest, ARegisteredPersonNeedNotBeInTheHandbook) {
  s_.Given("RegisterStaff",
           "parent: 'companies/acme' staff_id: 'new' display_name: '新人'");
  EXPECT_EQ(s_.Find(kStaff, "companies/acme/staff/new")->person(), "");
  s_.When("RecordFact",
          FactText("c1", "repair", true, 1, "companies/acme/staff/new"));
  EXPECT_EQ(s_.Events(), "FactRecorded");
}

TEST_F(FactTest, BadRegistrationsAreRefused) {
  ExpectRefused("RegisterStaff", "staff_id: 'x' display_name: 'x'",
                "NAME_INVALID", "parent");
  ExpectRefused("RegisterStaff",
                "parent: 'companies/acme/staff/x' staff_id: 'x' "
                "display_name: 'x'",
                "NAME_INVALID", "parent");
  ExpectRefused("RegisterStaff",
                "parent: 'companies/acme' staff_id: 'X Y' display_name: 'x'",
                "FIELD_INVALID", "staff_id");
  ExpectRefused("RegisterStaff", "parent: 'companies/acme' staff_id: 'x'",
                "FIELD_INVALID", "display_name");
  ExpectRefused("RegisterStaff",
                absl::StrCat("parent: 'companies/acme' staff_id: 'x' "
                             "display_name: '",
                             std::string(301, 'x'), "'"),
                "FIELD_INVALID", "display_name");
  ExpectRefused("RegisterStaff",
                "parent: 'companies/acme' staff_id: 'x' display_name: 'x' "
                "occur_time {seconds: 253402300799}",
                "FIELD_INVALID", "occur_time");
}

// The first fact brings the person along; the name is the handbook's.
TEST_F(FactTest, TheFirstFactRegistersThePerson) {
  s_.When("RecordFact",
          FactText("c1", "satisfaction", true, 5, kLi, "title: '五星好评 🎉'"));
  EXPECT_EQ(s_.Events(), "FactRecorded,StaffRegistered");
  EXPECT_EQ(s_.Find(kStaff, kLi)->display_name(), "李娜");
  EXPECT_EQ(s_.Find(kStaff, kLi)->person(), "li-na");
  const auto& fact = FactRow("c1");
  EXPECT_EQ(fact.state(), v1::Fact::ACTIVE);
  EXPECT_EQ(fact.kind(), "satisfaction");
  EXPECT_TRUE(fact.met());
  EXPECT_EQ(fact.value(), 5);
  EXPECT_EQ(fact.period(), "2026-03");
  EXPECT_FALSE(fact.late());
  EXPECT_EQ(fact.title(), "五星好评 🎉");
  EXPECT_EQ(fact.source_service(), "intake");
  EXPECT_EQ(fact.source_event(), "intake/0/0/7");
  EXPECT_EQ(fact.source_resource(), "companies/acme/customers/7/cases/c1");
  s_.When("RecordFact", FactText("c2", "satisfaction", true, 4));
  EXPECT_EQ(s_.Events(), "FactRecorded");
}

// SCO-24: the month is the one the thing happened in, in the company's zone,
// whenever it is reported.
TEST_F(FactTest, TheMonthIsThatOfTheBusinessTime) {
  s_.At("2026-03-05T00:00:00+08:00");
  s_.Given("RecordFact", FactText("c1", "repair", true, 1, kLi,
                                  absl::StrCat("occur_time ",
                                               Stamp("2026-02-28T15:59:59Z"))));
  s_.Given("RecordFact", FactText("c2", "repair", true, 1, kLi,
                                  absl::StrCat("occur_time ",
                                               Stamp("2026-02-28T16:00:00Z"))));
  EXPECT_EQ(FactRow("c1").period(), "2026-02");
  EXPECT_EQ(FactRow("c2").period(), "2026-03");
}

TEST_F(FactTest, TheSameFactAgainChangesNothing) {
  Record("c1", "repair", true, 1);
  const auto before = s_.Dump();
  s_.As("system");
  // Heard of by another event, with another verdict: the first one stands.
  s_.When("RecordFact", FactText("c1", "repair", false, 0));
  EXPECT_TRUE(s_.status().ok()) << s_.status();
  EXPECT_EQ(s_.Events(), "");
  EXPECT_EQ(s_.Dump(), before);
}

TEST_F(FactTest, AnIdBelongsToOneFact) {
  Record("c1", "repair", true, 1);
  ExpectRefused("RecordFact", FactText("c1", "on_site", true, 1),
                "FACT_ID_TAKEN");
}

TEST_F(FactTest, SomebodyUnknownIsNotScored) {
  ExpectRefused(
      "RecordFact",
      FactText("c1", "repair", true, 1, "companies/acme/staff/nobody"),
      "STAFF_UNKNOWN");
}

TEST_F(FactTest, BadFactsAreRefused) {
  ExpectRefused("RecordFact", FactText("c1", "repair", true, 1, ""),
                "NAME_INVALID", "parent");
  ExpectRefused("RecordFact",
                FactText("c1", "repair", true, 1, "companies/acme"),
                "NAME_INVALID", "parent");
  ExpectRefused("RecordFact",
                FactText("c1", "repair", true, 1, "companies/acme/customers/7"),
                "NAME_INVALID", "parent");
  ExpectRefused("RecordFact", FactText("C/1", "repair", true, 1),
                "FIELD_INVALID", "fact_id");
  ExpectRefused("RecordFact", FactText("c1", "", true, 1), "FIELD_INVALID",
                "kind");
  ExpectRefused("RecordFact", FactText("c1", "charm", true, 1), "FIELD_INVALID",
                "kind");
  ExpectRefused("RecordFact", FactText("c1", "repair", true, 1000000000001),
                "FIELD_INVALID", "value");
  ExpectRefused("RecordFact", FactText("c1", "repair", true, INT64_MIN),
                "FIELD_INVALID", "value");
  ExpectRefused("RecordFact",
                FactText("c1", "repair", true, 1, kLi,
                         absl::StrCat("title: '", std::string(301, 'x'), "'")),
                "FIELD_INVALID", "title");
  ExpectRefused("RecordFact",
                FactText("c1", "repair", true, 1, kLi,
                         "occur_time {seconds: 253402300799}"),
                "FIELD_INVALID", "occur_time");
  for (absl::string_view field :
       {"source_service", "source_event", "source_resource"}) {
    ExpectRefused(
        "RecordFact",
        FactText("c1", "repair", true, 1, kLi, absl::StrCat(field, ": ''")),
        "FIELD_INVALID", field);
    ExpectRefused(
        "RecordFact",
        FactText("c1", "repair", true, 1, kLi,
                 absl::StrCat(field, ": '", std::string(301, 'x'), "'")),
        "FIELD_INVALID", field);
  }
}

// SCO-02: what comes after the month is settled does not unsettle it.
TEST_F(FactTest, AFactOfASettledMonthIsLate) {
  Record("c1", "repair", true, 1);
  FinalizeMarch();
  const std::string sheet = March().sheet().SerializeAsString();
  s_.As("system");
  s_.When("RecordFact",
          FactText(
              "c2", "repair", false, 0, kLi,
              absl::StrCat("occur_time ", Stamp("2026-03-20T10:00:00+08:00"))));
  EXPECT_EQ(s_.Events(), "FactRecorded");
  EXPECT_EQ(s_.event<v1::ScoringEvent>().fact_recorded().late_for(), kMarch);
  EXPECT_TRUE(FactRow("c2").late());
  EXPECT_THAT(March().late_facts(), ::testing::ElementsAre("c2"));
  EXPECT_EQ(March().sheet().SerializeAsString(), sheet);
  // April is open.
  s_.At("2026-04-02T10:00:00+08:00");
  Record("c3", "repair", true, 1);
  EXPECT_FALSE(FactRow("c3").late());
}

// CASE-33: reopened and open again counts for nothing.
TEST_F(FactTest, AWithdrawnFactCountsNoMore) {
  Record("c1", "resolution", true, 1);
  s_.At("2026-03-03T09:00:00+08:00").As("system");
  s_.When("WithdrawFact", WithdrawText("c1"));
  EXPECT_EQ(s_.Events(), "FactWithdrawn");
  EXPECT_EQ(FactRow("c1").state(), v1::Fact::WITHDRAWN);
  EXPECT_EQ(FactRow("c1").withdraw_reason(), "重新打开");
  EXPECT_EQ(FormatRfc3339(FromProto(FactRow("c1").withdraw_time())),
            "2026-03-03T01:00:00Z");
  const auto score = Ask<v1::Score>(
      "GetScore", absl::StrCat("name: '", kLi, "' period: '2026-03'"));
  EXPECT_EQ(score.sheet().facts_counted(), 0);
  // Nothing is left to withdraw.
  s_.When("WithdrawFact", WithdrawText("c1"));
  EXPECT_TRUE(s_.status().ok());
  EXPECT_EQ(s_.Events(), "");
}

// CASE-33: solved, reopened, solved again is one resolution.
TEST_F(FactTest, TheLatestFactOfTheSourceIsWithdrawn) {
  const std::string source =
      "source_resource: 'companies/acme/customers/7/cases/x' ";
  s_.At("2026-03-03T09:00:00+08:00");
  s_.Given("RecordFact", FactText("r2", "resolution", true, 1, kLi, source));
  s_.Given("RecordFact",
           FactText("r1", "resolution", true, 1, kLi,
                    absl::StrCat(source, "occur_time ",
                                 Stamp("2026-03-02T09:00:00+08:00"))));
  s_.Given("WithdrawFact", WithdrawText("x"));
  EXPECT_EQ(FactRow("r2").state(), v1::Fact::WITHDRAWN);
  EXPECT_EQ(FactRow("r1").state(), v1::Fact::ACTIVE);
}

TEST_F(FactTest, OtherKindsAndSourcesAreLeftAlone) {
  Record("c1", "resolution", true, 1);
  Record("c10", "resolution", true, 1);
  s_.As("system");
  s_.Given("WithdrawFact", WithdrawText("c1", "first_response"));
  s_.Given("WithdrawFact", WithdrawText("c"));
  EXPECT_EQ(s_.Events(), "");
  s_.Given("WithdrawFact", WithdrawText("c1"));
  EXPECT_EQ(FactRow("c1").state(), v1::Fact::WITHDRAWN);
  EXPECT_EQ(FactRow("c10").state(), v1::Fact::ACTIVE);
}

TEST_F(FactTest, AWithdrawalAfterTheMonthIsSettledIsListedAsLate) {
  Record("c1", "resolution", true, 1);
  FinalizeMarch();
  const int points = March().sheet().points();
  s_.At("2026-04-02T09:00:00+08:00").As("system");
  s_.When("WithdrawFact", WithdrawText("c1"));
  EXPECT_EQ(s_.event<v1::ScoringEvent>().fact_withdrawn().late_for(), kMarch);
  EXPECT_THAT(March().late_facts(), ::testing::ElementsAre("c1"));
  EXPECT_EQ(March().sheet().points(), points);
}

TEST_F(FactTest, AWithdrawnLateFactIsListedOnce) {
  Record("c1", "repair", true, 1);
  FinalizeMarch();
  s_.As("system");
  s_.Given("RecordFact",
           FactText("c2", "resolution", true, 1, kLi,
                    absl::StrCat("occur_time ",
                                 Stamp("2026-03-20T10:00:00+08:00"))));
  s_.At("2026-04-03T09:00:00+08:00");
  s_.Given("WithdrawFact", WithdrawText("c2"));
  EXPECT_EQ(s_.event<v1::ScoringEvent>().fact_withdrawn().late_for(), "");
  EXPECT_THAT(March().late_facts(), ::testing::ElementsAre("c2"));
}

TEST_F(FactTest, BadWithdrawalsAreRefused) {
  const auto with = [](absl::string_view more) {
    return LastWins<v1::WithdrawFactRequest>(
        absl::StrCat(WithdrawText("c1"), " ", more));
  };
  ExpectRefused("WithdrawFact", with("parent: 'companies/acme'"),
                "NAME_INVALID", "parent");
  ExpectRefused("WithdrawFact", with("kind: 'x'"), "FIELD_INVALID", "kind");
  ExpectRefused("WithdrawFact", with("reason: ''"), "FIELD_INVALID", "reason");
  ExpectRefused("WithdrawFact", with("source_event: ''"), "FIELD_INVALID",
                "source_event");
  ExpectRefused("WithdrawFact", with("source_resource: ''"), "FIELD_INVALID",
                "source_resource");
  ExpectRefused("WithdrawFact",
                with(absl::StrCat("reason: '", std::string(301, 'x'), "'")),
                "FIELD_INVALID", "reason");
}

}  // namespace
}  // namespace aftercare::scoring
