#include "services/dispatch/reactions.h"

#include "aftercare/intake/v1/events.pb.h"
#include "dispatch_fixture.h"
#include "google/protobuf/text_format.h"

namespace aftercare::dispatch {
namespace {

using intake::v1::IntakeEvent;

class ReactionsTest : public DispatchTest {
 protected:
  static absl::StatusOr<std::vector<reaction::ReactionCommand>> Map(
      absl::string_view text, const handbook::Policy* policy) {
    IntakeEvent event;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(std::string(text),
                                                              &event))
        << text;
    const auto mappings = DispatchReactions();
    EXPECT_EQ(mappings.size(), 1u);
    EXPECT_EQ(mappings[0].source, "intake");
    EXPECT_EQ(mappings[0].event_prototype->GetDescriptor(),
              IntakeEvent::descriptor());
    return mappings[0].map(EventMeta(), event, policy);
  }
  // The commands of the event, carried out.
  void React(absl::string_view text) {
    auto commands = Map(text, Handbook().get());
    ASSERT_TRUE(commands.ok()) << commands.status();
    s_.As("system");
    for (const auto& command : *commands) {
      s_.Given(command.method, *command.request);
    }
    s_.As("zhou");
  }
};

constexpr absl::string_view kRepair = R"pb(
  case_opened {
    case {
      name: "companies/acme/customers/7/cases/c9"
      kind: REPAIR
      priority: URGENT
      subject: "蓝屏"
      description: "电脑蓝屏 😱"
      product_line: "laptop"
      asset: "companies/acme/customers/7/assets/1"
      region: "beijing"
      in_warranty: true
    }
  })pb";

TEST_F(ReactionsTest, ARepairCaseBecomesABookedOrderWithTheCasesId) {
  Register("wu", "skills: 'electronics'");
  React(kRepair);
  const auto& order = Order("c9");
  EXPECT_EQ(order.case_(), "companies/acme/customers/7/cases/c9");
  EXPECT_EQ(order.customer(), "companies/acme/customers/7");
  EXPECT_EQ(order.asset(), "companies/acme/customers/7/assets/1");
  EXPECT_EQ(order.priority(), "urgent");
  EXPECT_EQ(order.description(), "电脑蓝屏 😱");
  EXPECT_TRUE(order.in_warranty());
  EXPECT_EQ(order.state(), v1::WorkOrder::ASSIGNED);
  EXPECT_EQ(order.technician(), Tech("wu"));
  ExpectReplayEqualsLive();
}

TEST_F(ReactionsTest, TheRegionFindsTheTerritory) {
  auto commands =
      Map("case_opened {case {name: 'companies/acme/customers/7/cases/c9' "
          "kind: REPAIR subject: 'x' region: 'hainan'}}",
          Handbook().get());
  ASSERT_TRUE(commands.ok()) << commands.status();
  ASSERT_EQ(commands->size(), 1u);
  EXPECT_EQ(
      static_cast<const v1::CreateWorkOrderRequest&>(*commands->front().request)
          .parent(),
      "companies/acme/territories/rest");
}

TEST_F(ReactionsTest, OtherCasesAndFactsConcernNobodyHere) {
  for (const char* text :
       {"case_opened {case {name: 'companies/acme/customers/7/cases/c9' "
        "kind: COMPLAINT region: 'beijing'}}",
        "case_replied {name: 'companies/acme/customers/7/cases/c9'}",
        "case_closed {name: 'companies/acme/customers/7/cases/c9' "
        "kind: INQUIRY}",
        ""}) {
    auto commands = Map(text, Handbook().get());
    ASSERT_TRUE(commands.ok()) << commands.status();
    EXPECT_TRUE(commands->empty()) << text;
  }
}

TEST_F(ReactionsTest, ARepairThatNoTerritoryServesIsParked) {
  EXPECT_FALSE(Map(kRepair, nullptr).ok());
  std::string text(kHandbook);
  text.replace(text.find("\"*\""), 3, "tibet");
  EXPECT_FALSE(Map("case_opened {case {name: "
                   "'companies/acme/customers/7/cases/c9' kind: REPAIR "
                   "region: 'hainan'}}",
                   PolicyOf(text).get())
                   .ok());
}

TEST_F(ReactionsTest, AClosedCaseCancelsItsUnfinishedOrder) {
  React(kRepair);
  ASSERT_EQ(StateOf("c9"), "UNASSIGNED");
  React(
      "case_closed {name: 'companies/acme/customers/7/cases/c9' kind: REPAIR "
      "region: 'beijing'}");
  EXPECT_EQ(StateOf("c9"), "CANCELLED");
}

// INT-24, CASE-16: neither a rejected case nor one that goes on in another has
// a visit of its own.
TEST_F(ReactionsTest, ARejectedOrMergedCaseCancelsItsUnfinishedOrder) {
  for (const char* fact : {"case_rejected", "case_merged"}) {
    SCOPED_TRACE(fact);
    const std::string id = absl::StrCat("c-", fact + 5);
    const std::string name =
        absl::StrCat("name: 'companies/acme/customers/7/cases/", id, "' ");
    React(absl::StrCat("case_opened {case {", name,
                       "kind: REPAIR subject: 'x' region: 'beijing'}}"));
    ASSERT_EQ(StateOf(id), "UNASSIGNED");
    React(absl::StrCat(fact, " {", name, "kind: REPAIR region: 'beijing'}"));
    EXPECT_EQ(StateOf(id), "CANCELLED");
    auto other = Map(absl::StrCat(fact, " {", name, "kind: COMPLAINT}"),
                     Handbook().get());
    ASSERT_TRUE(other.ok()) << other.status();
    EXPECT_TRUE(other->empty());
  }
}

TEST_F(ReactionsTest, AClosedCaseKnowsItsOrder) {
  React(kRepair);
  React(absl::StrCat(
      "case_closed {name: 'companies/acme/customers/7/cases/c9' kind: REPAIR "
      "region: 'moved-away' work_order: '",
      Name("c9"), "'}"));
  EXPECT_EQ(StateOf("c9"), "CANCELLED");
}

TEST_F(ReactionsTest, AClosedCaseLeavesFinishedWorkAlone) {
  Register("wu", "skills: 'electronics'");
  React(kRepair);
  VisitUpTo("ArriveAtSite", "c9", "wu");
  s_.Given("CompleteWorkOrder", Named("c9", "report: 'ok'"));
  React(
      "case_closed {name: 'companies/acme/customers/7/cases/c9' kind: REPAIR "
      "region: 'beijing'}");
  EXPECT_EQ(s_.event_count(), 0u);
  EXPECT_EQ(StateOf("c9"), "COMPLETED");
}

}  // namespace
}  // namespace aftercare::dispatch
