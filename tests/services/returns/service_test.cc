#include "services/returns/service.h"

#include <gtest/gtest.h>

#include "services/returns/reactions.h"
#include "tests/services/returns/returns_scenario.h"

namespace aftercare::returns {
namespace {

// Every method of the proto has its handler and its roles.
TEST(ServiceTest, IsComplete) {
  const absl::Status complete = TheService().CheckComplete();
  EXPECT_TRUE(complete.ok()) << complete;
  EXPECT_EQ(TheService().topic(), "aftercare.returns.events.v1");
}

TEST(ServiceTest, CommandsAnswerWithTheirOwnResource) {
  for (int i = 0; i < TheService().descriptor()->method_count(); ++i) {
    const auto* method = TheService().descriptor()->method(i);
    const auto* entry = TheService().FindMethod(method->name());
    ASSERT_NE(entry, nullptr) << method->name();
    if (entry->decide == nullptr) continue;
    // Every change can be repeated safely and can be dated.
    EXPECT_NE(method->input_type()->FindFieldByName("request_id"), nullptr)
        << method->name();
    EXPECT_NE(method->input_type()->FindFieldByName("occur_time"), nullptr)
        << method->name();
  }
}

// Inspectors judge, finance pays: neither does the other's work.
TEST(ServiceTest, DutiesAreSeparate) {
  const auto roles = [](absl::string_view method) {
    const auto& list = TheService().FindMethod(method)->rules.roles();
    return std::vector<std::string>(list.begin(), list.end());
  };
  EXPECT_EQ(roles("InspectReturn"),
            (std::vector<std::string>{"inspector", "importer"}));
  EXPECT_EQ(roles("ConfirmRefundPaid"),
            (std::vector<std::string>{"finance", "importer"}));
}

// RET-34: no other service's fact makes a return.
TEST(ServiceTest, ReactsToNothing) { EXPECT_TRUE(ReturnsReactions().empty()); }

}  // namespace
}  // namespace aftercare::returns
