#include "services/returns/domain/progress.h"

#include <gtest/gtest.h>

namespace aftercare::returns {
namespace {

v1::ReturnLine Line(int64_t quantity, int64_t received, int64_t accepted,
                    int64_t damaged) {
  v1::ReturnLine line;
  line.set_sale_line("s");
  line.set_quantity(quantity);
  line.set_quantity_received(received);
  line.set_quantity_accepted(accepted);
  line.set_quantity_damaged(damaged);
  line.mutable_unit_price_paid()->set_minor_units(40);
  return line;
}

v1::Return Of(const v1::ReturnLine& line) {
  v1::Return r;
  *r.add_lines() = line;
  return r;
}

TEST(ProgressTest, QuantitiesFollowFromEachOther) {
  v1::ReturnLine line = Line(5, 4, 2, 1);
  line.set_quantity_refunded(1);
  EXPECT_EQ(Uninspected(line), 1);
  EXPECT_EQ(Unsettled(line), 1);
  EXPECT_EQ(Unrejected(line), 1);
  line.set_quantity_replaced(1);
  line.set_quantity_rejected(1);
  EXPECT_EQ(Unsettled(line), 0);
  EXPECT_EQ(Unrejected(line), 0);
}

// CASE-22
TEST(ProgressTest, CeilingIsThePriceOfAcceptedUnitsNotReplaced) {
  v1::ReturnLine line = Line(5, 4, 3, 1);
  EXPECT_EQ(Ceiling(line), 120);
  line.set_quantity_replaced(1);
  EXPECT_EQ(Ceiling(line), 80);
}

// CASE-30: a part never stands for the whole.
TEST(ProgressTest, StateIsThatOfTheLeastAdvancedUnit) {
  v1::Return r = Of(Line(2, 0, 0, 0));
  r.add_required_approvals("finance");
  EXPECT_EQ(StateOf(r), v1::Return::REQUESTED);
  r.add_approvals();
  EXPECT_EQ(StateOf(r), v1::Return::APPROVED);
  EXPECT_EQ(StateOf(Of(Line(2, 1, 0, 0))), v1::Return::RECEIVING);
  EXPECT_EQ(StateOf(Of(Line(2, 1, 1, 0))), v1::Return::RECEIVING);
  EXPECT_EQ(StateOf(Of(Line(2, 2, 1, 0))), v1::Return::RECEIVED);
  EXPECT_EQ(StateOf(Of(Line(2, 2, 1, 1))), v1::Return::INSPECTED);
  v1::ReturnLine settled = Line(2, 2, 1, 1);
  settled.set_quantity_refunded(1);
  EXPECT_EQ(StateOf(Of(settled)), v1::Return::INSPECTED);
  settled.set_quantity_rejected(1);
  EXPECT_EQ(StateOf(Of(settled)), v1::Return::SETTLED);

  v1::Return two = Of(settled);
  *two.add_lines() = Line(1, 0, 0, 0);
  EXPECT_EQ(StateOf(two), v1::Return::RECEIVING);
}

// CASE-28: what is granted and not paid is not settled.
TEST(ProgressTest, GrantedMoneyKeepsAReturnOpen) {
  v1::ReturnLine line = Line(1, 1, 1, 0);
  line.set_quantity_refunded(1);
  v1::Return r = Of(line);
  r.mutable_amount_granted()->set_minor_units(40);
  EXPECT_EQ(StateOf(r), v1::Return::INSPECTED);
  r.mutable_amount_paid()->set_minor_units(40);
  EXPECT_EQ(StateOf(r), v1::Return::SETTLED);
}

TEST(ProgressTest, FactsTouchTheLinesTheyName) {
  v1::Return r = Of(Line(2, 0, 0, 0));
  *r.add_lines() = Line(2, 0, 0, 0);
  r.mutable_lines(1)->set_sale_line("t");
  v1::GoodsReceived fact;
  fact.add_lines()->set_sale_line("t");
  fact.mutable_lines(0)->set_quantity(2);
  fact.set_state(v1::Return::RECEIVING);
  const v1::Return after = With(r, fact, absl::FromUnixSeconds(7));
  EXPECT_EQ(after.lines(0).quantity_received(), 0);
  EXPECT_EQ(after.lines(1).quantity_received(), 2);
  EXPECT_EQ(after.state(), v1::Return::RECEIVING);
  EXPECT_EQ(after.last_step_time().seconds(), 7);
  EXPECT_EQ(FindLine(after, "t"), &after.lines(1));
  EXPECT_EQ(FindLine(after, "u"), nullptr);
}

TEST(ProgressTest, BreachIsNoStep) {
  v1::Return r = Of(Line(1, 1, 0, 0));
  r.set_state(v1::Return::RECEIVED);
  r.mutable_last_step_time()->set_seconds(5);
  r.add_clocks()->set_kind("processing");
  v1::ClockBreached fact;
  fact.mutable_clock()->set_kind("processing");
  fact.mutable_clock()->set_breached(true);
  const v1::Return after = With(r, fact);
  EXPECT_EQ(after.clocks_size(), 1);
  EXPECT_TRUE(after.clocks(0).breached());
  EXPECT_EQ(after.last_step_time().seconds(), 5);
  EXPECT_EQ(after.state(), v1::Return::RECEIVED);
}

}  // namespace
}  // namespace aftercare::returns
