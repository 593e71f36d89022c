#include "services/scoring/reactions.h"

#include "aftercare/dispatch/v1/events.pb.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/returns/v1/events.pb.h"
#include "google/protobuf/text_format.h"
#include "scoring_fixture.h"

namespace aftercare::scoring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReactionsTest : public ScoringTest {
 protected:
  static std::vector<reaction::ReactionCommand> Map(
      absl::string_view source, absl::string_view id, absl::string_view text,
      const handbook::Policy* policy) {
    for (const auto& mapping : ScoringReactions()) {
      if (mapping.source != source) continue;
      std::unique_ptr<google::protobuf::Message> event(
          mapping.event_prototype->New());
      EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
          std::string(text), event.get()))
          << text;
      EventMeta meta;
      meta.id = std::string(id);
      auto commands = mapping.map(meta, *event, policy);
      EXPECT_TRUE(commands.ok()) << commands.status();
      if (commands.ok()) return *std::move(commands);
    }
    return {};
  }
  // Carries out what follows from the event.
  void React(absl::string_view source, absl::string_view text) {
    s_.As("system");
    for (const auto& command :
         Map(source, absl::StrCat(source, "/0/0/", ++events_), text,
             Handbook().get())) {
      s_.Given(command.method, *command.request);
    }
  }
  // "kind met value" of a person's facts that count, by time.
  std::vector<std::string> FactsOf(absl::string_view staff) {
    std::vector<std::string> facts;
    const auto response = Ask<v1::ListFactsResponse>(
        "ListFacts",
        absl::StrCat("parent: 'companies/acme/staff/", staff, "'"));
    for (const auto& fact : response.facts()) {
      if (fact.state() != v1::Fact::ACTIVE) continue;
      facts.push_back(absl::StrCat(fact.kind(), fact.met() ? " met " : " miss ",
                                   fact.value()));
    }
    return facts;
  }
  static std::string Case(absl::string_view more) {
    return absl::StrCat("name: 'companies/acme/customers/7/cases/k1' ", more);
  }
  static std::string Order(absl::string_view more) {
    return absl::StrCat(
        "name: 'companies/acme/territories/north/workOrders/k1' ", more);
  }
  static std::string Return(absl::string_view more) {
    return absl::StrCat("name: 'companies/acme/customers/7/returns/r1' ", more);
  }
  static std::string Clock(absl::string_view kind, bool breached) {
    return absl::StrCat("clocks {kind: '", kind, "' state: STOPPED breached: ",
                        breached ? "true" : "false", "} ");
  }
  static std::string Fact(absl::string_view name, absl::string_view body) {
    return absl::StrCat(name, " {", body, "}");
  }
  int events_ = 0;
};

// KPI-05: in time counts for who answered.
TEST_F(ReactionsTest, AnAnswerInTimeIsAFactForWhoAnswered) {
  React("intake", Fact("case_replied", Case("by: 'wang-fang' owner: 'li-na' " +
                                            Clock("first_response", false))));
  EXPECT_THAT(FactsOf("s-wang"), ElementsAre("first_response met 1"));
  EXPECT_THAT(FactsOf("s-li"), IsEmpty());
  const auto facts = Ask<v1::ListFactsResponse>(
      "ListFacts", "parent: 'companies/acme/staff/s-wang'");
  EXPECT_EQ(facts.facts(0).source_service(), "intake");
  EXPECT_EQ(facts.facts(0).source_event(), "intake/0/0/1");
  EXPECT_EQ(facts.facts(0).source_resource(),
            "companies/acme/customers/7/cases/k1");
}

// KPI-04, KPI-05: too late counts against the owner, once, whether the breach
// or the answer is heard of first.
TEST_F(ReactionsTest, ALateAnswerIsOneMissOfTheOwner) {
  const std::string breach =
      Fact("clock_breached", Case("responsible: 'li-na' clock {kind: "
                                  "'first_response' breached: true}"));
  const std::string reply = Fact(
      "case_replied",
      Case("by: 'wang-fang' owner: 'li-na' " + Clock("first_response", true)));
  React("intake", breach);
  React("intake", reply);
  EXPECT_THAT(FactsOf("s-li"), ElementsAre("first_response miss 0"));
  EXPECT_THAT(FactsOf("s-wang"), IsEmpty());
}

TEST_F(ReactionsTest, ALateAnswerWithoutABreachBeforeIsAMissToo) {
  React("intake", Fact("case_replied", Case("by: 'li-na' owner: 'li-na' " +
                                            Clock("first_response", true))));
  EXPECT_THAT(FactsOf("s-li"), ElementsAre("first_response miss 0"));
}

// INT-24: whoever rejects a case has answered it, and resolved nothing.
TEST_F(ReactionsTest, ARejectionIsAnAnswer) {
  React("intake", Fact("case_rejected", Case("by: 'wang-fang' owner: 'li-na' " +
                                             Clock("first_response", false) +
                                             Clock("resolution", false))));
  EXPECT_THAT(FactsOf("s-wang"), ElementsAre("first_response met 1"));
  EXPECT_THAT(FactsOf("s-li"), IsEmpty());
}

TEST_F(ReactionsTest, FurtherRepliesAreNoFacts) {
  React("intake", Fact("case_replied", Case("by: 'li-na' owner: 'li-na'")));
  React("intake", Fact("case_replied", Case("from_customer: true")));
  EXPECT_THAT(FactsOf("s-li").size() + FactsOf("s-wang").size(), 0);
}

TEST_F(ReactionsTest, AResolutionIsAFactForWhoResolved) {
  React("intake", Fact("case_resolved", Case("by: 'wu-gang' owner: 'li-na' " +
                                             Clock("first_response", false) +
                                             Clock("resolution", true))));
  EXPECT_THAT(FactsOf("s-wu"),
              ::testing::UnorderedElementsAre("first_response met 1",
                                              "resolution miss 0"));
}

TEST_F(ReactionsTest, AResolutionWithoutAClockIsInTime) {
  React("intake", Fact("case_resolved", Case("by: 'li-na'")));
  EXPECT_THAT(FactsOf("s-li"), ElementsAre("resolution met 1"));
}

// CASE-35: a timeout's closing is nobody's resolution.
TEST_F(ReactionsTest, AutomationResolvesForNobody) {
  React("intake",
        Fact("case_resolved",
             Case("by_timeout: true owner: 'li-na' " +
                  Clock("first_response", true) + Clock("resolution", false))));
  EXPECT_EQ(s_.Dump().size(), 0u);
}

// CASE-33: reopened and open now counts zero; resolved again counts one.
TEST_F(ReactionsTest, AReopenedCaseIsNotResolved) {
  const std::string resolved =
      Fact("case_resolved", Case("by: 'li-na' " + Clock("resolution", false)));
  const std::string reopened =
      Fact("case_reopened", Case("by: 'wang-fang' resolved_by: 'li-na'"));
  React("intake", resolved);
  React("intake", reopened);
  EXPECT_THAT(FactsOf("s-li"), IsEmpty());
  React("intake", resolved);
  EXPECT_THAT(FactsOf("s-li"), ElementsAre("resolution met 1"));
  React("intake", reopened);
  EXPECT_THAT(FactsOf("s-li"), IsEmpty());
  // By automation last: there is nobody to take it from.
  React("intake", Fact("case_reopened", Case("by: 'wang-fang'")));
  EXPECT_THAT(FactsOf("s-wang"), IsEmpty());
}

// CASE-32: the stars go to who had resolved, whoever records them.
TEST_F(ReactionsTest, StarsGoToWhoResolved) {
  React("intake",
        Fact("follow_up_recorded",
             Case("satisfaction: 2 dissatisfied: true by: 'wang-fang' "
                  "credited_person: 'li-na' reopen_count: 0")));
  React("intake",
        Fact("follow_up_recorded",
             Case("satisfaction: 5 by: 'wang-fang' credited_person: 'li-na' "
                  "reopen_count: 1")));
  EXPECT_THAT(FactsOf("s-li"),
              ::testing::UnorderedElementsAre("satisfaction miss 2",
                                              "satisfaction met 5"));
  EXPECT_THAT(FactsOf("s-wang"), IsEmpty());
}

TEST_F(ReactionsTest, StarsForNobodyAreNoFact) {
  React("intake",
        Fact("follow_up_recorded", Case("satisfaction: 5 by: 'wang-fang'")));
  EXPECT_EQ(s_.Dump().size(), 0u);
}

TEST_F(ReactionsTest, ABreachOfTheResolutionWaitsForTheResolution) {
  React("intake",
        Fact("clock_breached",
             Case("responsible: 'li-na' clock {kind: 'resolution'}")));
  EXPECT_EQ(s_.Dump().size(), 0u);
}

TEST_F(ReactionsTest, AVisitIsOnTimeOrNot) {
  React("dispatch", Fact("visit_arrived", Order("person: 'wu-gang' " +
                                                Clock("on_site", false))));
  React("dispatch", Fact("work_order_completed",
                         Order("person: 'wu-gang' first_visit_fix: true " +
                               Clock("repair", true))));
  EXPECT_THAT(FactsOf("s-wu"),
              ::testing::UnorderedElementsAre("on_site met 1", "repair miss 0",
                                              "first_visit_fix met 1"));
}

TEST_F(ReactionsTest, ALateVisitIsOneMissOfWhoHeldTheOrder) {
  for (absl::string_view kind : {"on_site", "repair"}) {
    React("dispatch",
          Fact("clock_breached",
               Order(absl::StrCat("responsible: 'wu-gang' clock {kind: '", kind,
                                  "' breached: true}"))));
  }
  React("dispatch", Fact("visit_arrived",
                         Order("person: 'wu-gang' " + Clock("on_site", true))));
  React("dispatch", Fact("work_order_completed",
                         Order("person: 'wu-gang' " + Clock("repair", true))));
  EXPECT_THAT(FactsOf("s-wu"),
              ::testing::UnorderedElementsAre("on_site miss 0", "repair miss 0",
                                              "first_visit_fix miss 0"));
}

TEST_F(ReactionsTest, AnOrderNobodyHeldIsNobodysMiss) {
  React("dispatch", Fact("clock_breached", Order("clock {kind: 'on_site'}")));
  React("dispatch", Fact("clock_breached",
                         Order("responsible: 'wu-gang' clock {kind: 'x'}")));
  EXPECT_EQ(s_.Dump().size(), 0u);
}

TEST_F(ReactionsTest, AReturnIsProcessedInTimeOrNot) {
  React("returns",
        Fact("return_closed", Return("by: 'sun-li' handler: 'li-na' " +
                                     Clock("processing", false))));
  EXPECT_THAT(FactsOf("s-li"), ElementsAre("return_processing met 1"));
  EXPECT_THAT(FactsOf("s-sun"), IsEmpty());
}

TEST_F(ReactionsTest, ALateReturnIsOneMiss) {
  React("returns",
        Fact("clock_breached", Return("responsible: 'li-na' clock {kind: "
                                      "'processing' breached: true}")));
  React("returns",
        Fact("return_closed", Return("by: 'sun-li' handler: 'li-na' " +
                                     Clock("processing", true))));
  EXPECT_THAT(FactsOf("s-li"), ElementsAre("return_processing miss 0"));
}

// RET-13: a fault of ours has somebody who answers for it.
TEST_F(ReactionsTest, AnInspectionCountsForTheInspectorAndAgainstTheFault) {
  React("returns",
        Fact("return_inspected",
             Return("by: 'yang-guang' "
                    "lines {sale_line: 'a' fault: COMPANY responsible: "
                    "'wu-gang' finding: '焊点松动 🔧'} "
                    "lines {sale_line: 'b' fault: COMPANY responsible: "
                    "'wu-gang'} "
                    "lines {sale_line: 'c' fault: CUSTOMER responsible: "
                    "'li-na'} "
                    "lines {sale_line: 'd' fault: COMPANY responsible: "
                    "'warehouse'}")));
  EXPECT_THAT(FactsOf("s-yang"), ElementsAre("inspection met 1"));
  EXPECT_THAT(FactsOf("s-wu"),
              ElementsAre("inspection miss 0", "inspection miss 0"));
  EXPECT_THAT(FactsOf("s-li"), IsEmpty());
}

TEST_F(ReactionsTest, ALongFindingStillMakesAFact) {
  React("returns",
        Fact("return_inspected",
             Return(absl::StrCat("lines {sale_line: 'a' fault: COMPANY "
                                 "responsible: 'wu-gang' finding: '",
                                 std::string(5000, 'x'), "'}"))));
  EXPECT_THAT(FactsOf("s-wu"), ElementsAre("inspection miss 0"));
}

// Only whom the handbook gives a staff id is scored.
TEST_F(ReactionsTest, PeopleWithoutAStaffIdAreNotScored) {
  React("intake", Fact("case_resolved", Case("by: 'zhou-qiang'")));
  React("intake", Fact("case_resolved", Case("by: 'stranger'")));
  EXPECT_EQ(s_.Dump().size(), 0u);
  EXPECT_TRUE(
      Map("intake", "e", Fact("case_resolved", Case("by: 'li-na'")), nullptr)
          .empty());
}

TEST_F(ReactionsTest, OtherFactsAreNoneOfOurBusiness) {
  React("intake",
        "case_opened {case {name: 'companies/acme/customers/7/cases/"
        "k1' owner: 'li-na'}}");
  React("intake", "platform {}");
  React("intake", "");
  React("dispatch",
        Fact("work_order_cannot_complete", Order("person: 'wu-gang'")));
  React("returns", Fact("return_refused", Return("by: 'li-na'")));
  EXPECT_EQ(s_.Dump().size(), 0u);
}

// Delivery is at least once: the same event again is the same command.
TEST_F(ReactionsTest, TheSameEventGivesTheSameCommands) {
  const std::string text = Fact(
      "case_resolved", Case("by: 'li-na' " + Clock("first_response", false) +
                            Clock("resolution", false)));
  const auto once = Map("intake", "e1", text, Handbook().get());
  const auto twice = Map("intake", "e1", text, Handbook().get());
  ASSERT_EQ(once.size(), 2u);
  ASSERT_EQ(twice.size(), 2u);
  for (size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].method, twice[i].method);
    EXPECT_EQ(once[i].request->SerializeAsString(),
              twice[i].request->SerializeAsString());
  }
}

}  // namespace
}  // namespace aftercare::scoring
