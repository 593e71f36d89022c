#include "services/returns/domain/progress.h"

#include <algorithm>
#include <string>

#include "libs/base/time.h"

namespace aftercare::returns {
namespace {

using common::v1::Money;
using common::v1::SlaClock;

void Add(Money& sum, const Money& amount) {
  sum.set_currency_code(amount.currency_code());
  sum.set_minor_units(sum.minor_units() + amount.minor_units());
}

void PutClock(v1::Return& r, const SlaClock& changed) {
  for (SlaClock& mine : *r.mutable_clocks()) {
    if (mine.kind() != changed.kind()) continue;
    mine = changed;
    return;
  }
  *r.add_clocks() = changed;
}

// Runs `change` on every line of the return that the fact names.
template <typename Lines, typename Change>
void ChangeLines(v1::Return& r, const Lines& named, Change change) {
  for (const auto& part : named) {
    for (v1::ReturnLine& line : *r.mutable_lines()) {
      if (line.sale_line() == part.sale_line()) change(line, part);
    }
  }
}

void Step(v1::Return& r, v1::Return::State state, absl::Time at) {
  r.set_state(state);
  *r.mutable_last_step_time() = ToProto(at);
}

}  // namespace

const v1::ReturnLine* FindLine(const v1::Return& r,
                               absl::string_view sale_line) {
  for (const v1::ReturnLine& line : r.lines()) {
    if (line.sale_line() == sale_line) return &line;
  }
  return nullptr;
}

int64_t Uninspected(const v1::ReturnLine& line) {
  return line.quantity_received() - line.quantity_accepted() -
         line.quantity_damaged();
}

int64_t Unsettled(const v1::ReturnLine& line) {
  return line.quantity_accepted() - line.quantity_refunded() -
         line.quantity_replaced();
}

int64_t Unrejected(const v1::ReturnLine& line) {
  return line.quantity_damaged() - line.quantity_rejected();
}

int64_t Ceiling(const v1::ReturnLine& line) {
  return (line.quantity_accepted() - line.quantity_replaced()) *
         line.unit_price_paid().minor_units();
}

bool IsEnded(const v1::Return& r) {
  return r.state() == v1::Return::REFUSED ||
         r.state() == v1::Return::CANCELLED || r.state() == v1::Return::CLOSED;
}

v1::Return::State StateOf(const v1::Return& r) {
  if (r.approvals_size() < r.required_approvals_size()) {
    return v1::Return::REQUESTED;
  }
  int64_t expected = 0;
  int64_t received = 0;
  int64_t uninspected = 0;
  int64_t unsettled = 0;
  for (const v1::ReturnLine& line : r.lines()) {
    expected += line.quantity();
    received += line.quantity_received();
    uninspected += Uninspected(line);
    unsettled += Unsettled(line) + Unrejected(line);
  }
  if (received == 0) return v1::Return::APPROVED;
  if (received < expected) return v1::Return::RECEIVING;
  if (uninspected > 0) return v1::Return::RECEIVED;
  const bool paid =
      r.amount_granted().minor_units() == r.amount_paid().minor_units();
  return unsettled == 0 && paid ? v1::Return::SETTLED : v1::Return::INSPECTED;
}

v1::Return With(v1::Return r, const v1::ReturnApproved& fact, absl::Time at) {
  v1::Approval& approval = *r.add_approvals();
  approval.set_step(fact.step());
  approval.set_role(fact.role());
  approval.set_by(fact.by());
  approval.set_note(fact.note());
  *approval.mutable_approve_time() = ToProto(at);
  Step(r, fact.state(), at);
  return r;
}

v1::Return With(v1::Return r, const v1::ReturnRefused& fact, absl::Time at) {
  r.set_end_reason(fact.reason());
  Step(r, v1::Return::REFUSED, at);
  return r;
}

v1::Return With(v1::Return r, const v1::ReturnCancelled& fact, absl::Time at) {
  r.set_end_reason(fact.reason());
  Step(r, v1::Return::CANCELLED, at);
  return r;
}

v1::Return With(v1::Return r, const v1::GoodsReceived& fact, absl::Time at) {
  ChangeLines(r, fact.lines(), [](v1::ReturnLine& line, const v1::Units& part) {
    line.set_quantity_received(line.quantity_received() + part.quantity());
    line.mutable_received_serials()->MergeFrom(part.serials());
  });
  for (const SlaClock& clock : fact.clocks()) PutClock(r, clock);
  Step(r, fact.state(), at);
  return r;
}

v1::Return With(v1::Return r, const v1::ReturnInspected& fact, absl::Time at) {
  ChangeLines(
      r, fact.lines(), [](v1::ReturnLine& line, const v1::InspectedLine& part) {
        line.set_quantity_accepted(line.quantity_accepted() + part.accepted());
        line.set_quantity_damaged(line.quantity_damaged() + part.damaged());
        line.mutable_damaged_serials()->MergeFrom(part.damaged_serials());
      });
  Step(r, fact.state(), at);
  return r;
}

v1::Return With(v1::Return r, const v1::RefundGranted& fact, absl::Time at) {
  ChangeLines(
      r, fact.refund().lines(),
      [](v1::ReturnLine& line, const v1::Refund::Line& part) {
        line.set_quantity_refunded(line.quantity_refunded() + part.quantity());
        Add(*line.mutable_amount_granted(), part.amount());
      });
  *r.add_refunds() = fact.refund();
  Add(*r.mutable_amount_granted(), fact.amount());
  Step(r, fact.state(), at);
  return r;
}

v1::Return With(v1::Return r, const v1::RefundPaid& fact, absl::Time at) {
  for (v1::Refund& refund : *r.mutable_refunds()) {
    if (refund.number() != fact.refund_number()) continue;
    refund.set_payment_reference(fact.payment_reference());
    refund.set_paid_by(fact.by());
    *refund.mutable_pay_time() = ToProto(at);
  }
  Add(*r.mutable_amount_paid(), fact.amount());
  Step(r, fact.state(), at);
  return r;
}

v1::Return With(v1::Return r, const v1::ReplacementSent& fact, absl::Time at) {
  ChangeLines(r, fact.lines(), [](v1::ReturnLine& line, const v1::Units& part) {
    line.set_quantity_replaced(line.quantity_replaced() + part.quantity());
  });
  Step(r, fact.state(), at);
  return r;
}

v1::Return With(v1::Return r, const v1::ReturnRejected& fact, absl::Time at) {
  ChangeLines(r, fact.lines(), [](v1::ReturnLine& line, const v1::Units& part) {
    line.set_quantity_rejected(line.quantity_rejected() + part.quantity());
  });
  Step(r, fact.state(), at);
  return r;
}

v1::Return With(v1::Return r, const v1::ReturnClosed& fact, absl::Time at) {
  r.set_outcome(fact.outcome());
  r.set_result(fact.result());
  *r.mutable_close_time() = ToProto(at);
  for (const SlaClock& clock : fact.clocks()) PutClock(r, clock);
  Step(r, v1::Return::CLOSED, at);
  return r;
}

v1::Return With(v1::Return r, const v1::ClockBreached& fact) {
  PutClock(r, fact.clock());
  return r;
}

}  // namespace aftercare::returns
