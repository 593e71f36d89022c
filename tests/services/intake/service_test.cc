#include "services/intake/service.h"

#include "tests/libs/shard/shard_fixture.h"
#include "tests/services/intake/intake_fixture.h"

namespace aftercare::intake {
namespace {

TEST(IntakeServiceTest, EveryMethodHasAHandlerAndRoles) {
  const shard::Service service = MakeIntakeService();
  EXPECT_TRUE(service.CheckComplete().ok()) << service.CheckComplete();
  EXPECT_EQ(service.topic(), "aftercare.intake.events.v1");
}

// Only dispatch's reaction may report a repair's progress.
TEST(IntakeServiceTest, RepairProgressIsForTheSystemAlone) {
  const shard::Service service = MakeIntakeService();
  const auto& roles = service.FindMethod("RecordRepairProgress")->rules.roles();
  ASSERT_EQ(roles.size(), 1);
  EXPECT_EQ(roles.Get(0), "system");
}

// Every fact the proto names is one that some command or timer gives.
TEST(IntakeServiceTest, EveryFactIsGivenByACommandOrATimer) {
  const auto* oneof = v1::IntakeEvent::descriptor()->FindOneofByName("fact");
  std::set<std::string> facts;
  for (int i = 0; i < oneof->field_count(); ++i) {
    if (oneof->field(i)->name() == "platform") continue;
    facts.insert(oneof->field(i)->message_type()->name());
  }
  const shard::Service service = MakeIntakeService();
  testing::Scenario s(service, PolicyWith("continue"));
  const auto given = [&] {
    for (size_t i = 0; i < s.event_count(); ++i) {
      const auto& event = s.event<v1::IntakeEvent>(i);
      facts.erase(event.GetReflection()
                      ->GetOneofFieldDescriptor(event, oneof)
                      ->message_type()
                      ->name());
    }
  };
  const std::string name = absl::StrCat("name: '", kWang, "/cases/k1' ");
  const std::pair<const char*, std::string> steps[] = {
      {"RegisterCustomer",
       "parent: 'companies/acme' customer_id: 'wang' display_name: 'W'"},
      {"UpdateCustomer", absl::StrCat("name: '", kWang, "' phone: '1'")},
      {"RegisterAsset",
       absl::StrCat("parent: '", kWang,
                    "' asset_id: 'a1' product: 'X1' product_line: 'laptop' "
                    "sale_time ",
                    Stamp(Local("07:00")))},
      {"OpenCase", absl::StrCat("parent: '", kWang,
                                "' case_id: 'k1' kind: REPAIR "
                                "channel: 'email' subject: 's'")},
      {"AmendCase", name + "description: 'd'"},
      {"AcceptCase", name},
      {"TransferCase", name + "owner: 'wang' reason: 'r'"},
      {"AddCoHandler", name + "person: 'shen'"},
      {"SplitCase", name + "case_id: 'k3' subject: 's'"},
      {"MergeCase", absl::StrCat("name: '", kWang, "/cases/k3' into: '", kWang,
                                 "/cases/k1'")},
      {"SplitCase", name + "case_id: 'k4' subject: 's'"},
      {"RejectCase", absl::StrCat("name: '", kWang,
                                  "/cases/k4' code: UNREASONABLE text: 't'")},
      {"ReplyToCase", name + "text: 't' pause_reason: 'r'"},
      {"ResumeCase", name},
      {"RecordRepairProgress",
       absl::StrCat(name, "technician: 'wu' stage: COMPLETED work_order: '",
                    kWorkOrder, "'")},
      {"RecordFollowUp", name + "satisfaction: 1"},
      {"ReopenCase", name + "reason: 'r'"},
      {"ResolveCase", name + "resolution: 'r'"},
      {"CloseCase", name},
      {"OpenCase", absl::StrCat("parent: '", kWang,
                                "' case_id: 'k2' kind: INQUIRY "
                                "channel: 'email' subject: 's'")},
  };
  s.At(Local("08:00")).As("li");
  for (const auto& [method, request] : steps) {
    s.Given(method, request);
    given();
  }
  s.WhenTimePasses(Local("08:00", 20));
  given();
  EXPECT_EQ(facts, std::set<std::string>());
  EXPECT_EQ(s.Replayed(), s.Dump());
}

// On a real shard, where the core keeps the history.
class CaseHistoryTest : public testing::ShardFixture {
 protected:
  absl::StatusOr<common::v1::GetHistoryResponse> History(
      const std::string& name, int page_size = 0,
      const std::string& token = "") {
    auto rows = shard_->Snapshot();
    EXPECT_TRUE(rows.ok()) << rows.status();
    shard::QueryContext context;
    context.shards = {rows->get()};
    common::v1::GetHistoryRequest request;
    request.set_name(name);
    request.set_page_size(page_size);
    request.set_page_token(token);
    auto answer =
        service_.FindMethod("GetCaseHistory")->query(context, request);
    if (!answer.ok()) return answer.status();
    return static_cast<const common::v1::GetHistoryResponse&>(**answer);
  }
};

TEST_F(CaseHistoryTest, TellsWhatHappenedToACaseInOrderAndInPages) {
  Start();
  ApplyHandbook();
  Register("wang");
  ASSERT_TRUE(Run("OpenCase", OpenCase("wang", "k1")).ok());
  ASSERT_TRUE(Run("OpenCase", OpenCase("wang", "other")).ok());
  const std::string name = "companies/acme/customers/wang/cases/k1";
  ASSERT_TRUE(Run("ReplyToCase",
                  "name: '" + name + "' text: '您好 👋' pause_reason: 'r'")
                  .ok());
  ASSERT_TRUE(
      Run("ResolveCase", "name: '" + name + "' resolution: 'done'").ok());
  std::vector<std::string> types;
  std::string token;
  int64_t revision = 0;
  do {
    const auto page = History(name, 3, token);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& entry : page->entries()) {
      types.push_back(entry.type());
      EXPECT_EQ(entry.actor(), "agent-li");
      EXPECT_GT(entry.revision(), revision);
      revision = entry.revision();
      if (entry.type() == "CaseReplied") {
        EXPECT_THAT(entry.fact_json(), ::testing::HasSubstr("您好 👋"));
      }
    }
    token = page->next_page_token();
    ASSERT_LE(types.size(), 4u);
  } while (!token.empty());
  EXPECT_THAT(types, ::testing::ElementsAre("CaseOpened", "CaseReplied",
                                            "CasePaused", "CaseResolved"));
  EXPECT_EQ(ReasonOf(History(name + "x").status()), "RESOURCE_NOT_FOUND");
}

}  // namespace
}  // namespace aftercare::intake
