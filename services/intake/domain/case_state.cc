#include "services/intake/domain/case_state.h"

#include "libs/base/time.h"

namespace aftercare::intake {
namespace {

void SetState(v1::Case& c, v1::Case::State state, absl::Time time) {
  c.set_state(state);
  *c.mutable_state_time() = ToProto(time);
}

void SetClosed(v1::Case& c, absl::Time time) {
  SetState(c, v1::Case::CLOSED, time);
  *c.mutable_close_time() = ToProto(time);
}

void PutClock(v1::Case& c, const common::v1::SlaClock& changed) {
  for (auto& mine : *c.mutable_clocks()) {
    if (mine.kind() != changed.kind()) continue;
    mine = changed;
    return;
  }
  *c.add_clocks() = changed;
}

template <typename Clocks>
void PutClocks(v1::Case& c, const Clocks& changed) {
  for (const auto& clock : changed) PutClock(c, clock);
}

void ClearFollowUp(v1::Case& c) {
  c.clear_follow_up_due_time();
  c.clear_follow_up_overdue();
}

}  // namespace

void Apply(v1::Case& c, absl::Time time, const v1::CaseOpened& fact) {
  c = fact.case_();
  *c.mutable_state_time() = ToProto(time);
}

void Apply(v1::Case& c, absl::Time, const v1::CaseReplied& fact) {
  if (!fact.from_customer()) c.set_replied(true);
  PutClocks(c, fact.clocks());
}

void Apply(v1::Case& c, absl::Time time, const v1::CasePaused& fact) {
  SetState(c, v1::Case::PAUSED, time);
  c.set_pause_reason(fact.reason());
  PutClocks(c, fact.clocks());
}

void Apply(v1::Case& c, absl::Time time, const v1::CaseResumed& fact) {
  SetState(c, v1::Case::OPEN, time);
  c.clear_pause_reason();
  PutClocks(c, fact.clocks());
}

void Apply(v1::Case& c, absl::Time time, const v1::CaseResolved& fact) {
  SetState(c, v1::Case::RESOLVED, time);
  c.clear_pause_reason();
  *c.mutable_resolve_time() = ToProto(time);
  c.set_resolution(fact.resolution());
  c.set_resolved_by(fact.by());
  c.clear_satisfaction();
  c.clear_dissatisfied();
  ClearFollowUp(c);
  if (fact.has_follow_up_due_time()) {
    *c.mutable_follow_up_due_time() = fact.follow_up_due_time();
  }
  PutClocks(c, fact.clocks());
}

void Apply(v1::Case& c, absl::Time time, const v1::CaseReopened& fact) {
  SetState(c, v1::Case::OPEN, time);
  c.set_reopen_count(fact.reopen_count());
  c.clear_resolve_time();
  c.clear_resolution();
  c.clear_resolved_by();
  c.clear_close_time();
  c.clear_outcome();
  c.clear_satisfaction();
  c.clear_dissatisfied();
  ClearFollowUp(c);
  PutClocks(c, fact.clocks());
}

void Apply(v1::Case& c, absl::Time time, const v1::CaseClosed&) {
  SetClosed(c, time);
}

void Apply(v1::Case& c, absl::Time, const v1::FollowUpRecorded& fact) {
  c.set_satisfaction(fact.satisfaction());
  c.set_dissatisfied(fact.dissatisfied());
  ClearFollowUp(c);
}

void Apply(v1::Case& c, absl::Time, const v1::FollowUpMissed&) {
  c.set_follow_up_overdue(true);
}

void Apply(v1::Case& c, absl::Time, const v1::RepairProgressRecorded& fact) {
  c.set_repair_stage(fact.stage());
  c.set_work_order(fact.work_order());
}

void Apply(v1::Case& c, absl::Time, const v1::ClockBreached& fact) {
  PutClock(c, fact.clock());
}

void Apply(v1::Case& c, absl::Time, const v1::CaseAmended& fact) {
  *c.mutable_fields() = fact.fields();
  *c.mutable_missing_fields() = fact.missing_fields();
  *c.mutable_attachments() = fact.attachments();
  c.set_description(fact.description());
  c.set_product_line(fact.product_line());
  c.set_asset(fact.asset());
  c.set_in_warranty(fact.in_warranty());
  c.set_classification(fact.classification());
  c.set_fault_code(fact.fault_code());
  c.set_priority(fact.priority());
  c.set_department(fact.department());
}

void Apply(v1::Case& c, absl::Time time, const v1::CaseAccepted& fact) {
  *c.mutable_accept_time() = ToProto(time);
  c.set_accepted_by(fact.by());
  // The customer's file may have filled what the case did not say.
  c.clear_missing_fields();
}

void Apply(v1::Case& c, absl::Time time, const v1::CaseRejected& fact) {
  SetClosed(c, time);
  c.clear_pause_reason();
  c.set_outcome(v1::Case::REJECTED);
  c.set_resolution(fact.text());
  PutClocks(c, fact.clocks());
}

void Apply(v1::Case& c, absl::Time, const v1::CaseTransferred& fact) {
  c.set_owner(fact.owner());
  c.set_department(fact.department());
}

void Apply(v1::Case& c, absl::Time, const v1::CoHandlersChanged& fact) {
  *c.mutable_co_handlers() = fact.co_handlers();
}

void Apply(v1::Case& c, absl::Time, const v1::CasesLinked& fact) {
  *c.add_links() = fact.link();
}

void Apply(v1::Case& c, absl::Time time, const v1::CaseMerged& fact) {
  SetClosed(c, time);
  c.clear_pause_reason();
  c.set_outcome(v1::Case::MERGED);
  c.set_merged_into(fact.into());
  PutClocks(c, fact.clocks());
}

}  // namespace aftercare::intake
