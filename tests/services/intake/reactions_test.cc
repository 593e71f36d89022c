#include "services/intake/reactions.h"

#include "aftercare/dispatch/v1/events.pb.h"
#include "tests/services/intake/intake_fixture.h"

namespace aftercare::intake {
namespace {

using dispatch::v1::DispatchEvent;

class IntakeReactionsTest : public IntakeTest {
 protected:
  std::vector<reaction::ReactionCommand> React(const DispatchEvent& event) {
    const auto mappings = IntakeReactions();
    EXPECT_EQ(mappings.size(), 1u);
    EXPECT_EQ(mappings[0].source, "dispatch");
    auto commands = mappings[0].map(EventMeta(), event, Handbook().get());
    EXPECT_TRUE(commands.ok()) << commands.status();
    return commands.ok() ? *std::move(commands)
                         : std::vector<reaction::ReactionCommand>();
  }

  template <typename Fact>
  static void Fill(Fact& fact) {
    fact.set_name(std::string(kWorkOrder));
    fact.set_case_(CaseName("k1"));
    fact.set_person("wu");
  }

  // The reaction's command, as the service decides it.
  void Follow(const DispatchEvent& event, absl::string_view events) {
    const auto commands = React(event);
    ASSERT_EQ(commands.size(), 1u);
    EXPECT_EQ(commands[0].method, "RecordRepairProgress");
    s_.As("system").When(commands[0].method, *commands[0].request);
    EXPECT_TRUE(s_.status().ok()) << s_.status();
    EXPECT_EQ(s_.Events(), events);
  }
};

TEST_F(IntakeReactionsTest, ARepairCaseFollowsItsWorkOrderToTheEnd) {
  RegisterCustomers();
  Open("k1", "REPAIR");

  DispatchEvent event;
  Fill(*event.mutable_work_order_assigned());
  event.mutable_work_order_assigned()->set_explanation("nearest free");
  Follow(event, "RepairProgressRecorded");
  EXPECT_EQ(Case("k1").repair_stage(), v1::Case::PLANNED);
  EXPECT_EQ(Case("k1").work_order(), kWorkOrder);

  Fill(*event.mutable_visit_arrived());
  Follow(event, "RepairProgressRecorded");
  EXPECT_EQ(Case("k1").repair_stage(), v1::Case::VISITED);

  Fill(*event.mutable_work_order_cannot_complete());
  event.mutable_work_order_cannot_complete()->set_reason("缺配件");
  Follow(event, "RepairProgressRecorded");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().repair_progress_recorded().note(),
            "缺配件");
  EXPECT_EQ(Case("k1").repair_stage(), v1::Case::CANNOT_COMPLETE);
  EXPECT_EQ(StateOf("k1"), "OPEN");

  Fill(*event.mutable_work_order_completed());
  event.mutable_work_order_completed()->set_report("更换主板");
  Follow(event, "RepairProgressRecorded,CaseResolved");
  EXPECT_EQ(StateOf("k1"), "RESOLVED");
  EXPECT_EQ(Case("k1").resolved_by(), "wu");
  EXPECT_EQ(Case("k1").resolution(), "更换主板");
}

TEST_F(IntakeReactionsTest, WorkWithoutACaseIsNotIntakesBusiness) {
  DispatchEvent event;
  Fill(*event.mutable_work_order_completed());
  event.mutable_work_order_completed()->clear_case_();
  EXPECT_TRUE(React(event).empty());
}

TEST_F(IntakeReactionsTest, OtherAndUnknownFactsArePassedOver) {
  EXPECT_TRUE(React(DispatchEvent()).empty());
  DispatchEvent event;
  event.mutable_work_order_declined()->set_name(std::string(kWorkOrder));
  EXPECT_TRUE(React(event).empty());
  event.mutable_work_order_cancelled()->set_case_(CaseName("k1"));
  EXPECT_TRUE(React(event).empty());
  event.mutable_clock_breached()->set_name(std::string(kWorkOrder));
  EXPECT_TRUE(React(event).empty());
}

}  // namespace
}  // namespace aftercare::intake
