#include "services/intake/domain/evolve.h"

#include "absl/strings/str_cat.h"
#include "libs/base/time.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {
namespace {

template <typename Resource>
void Stamp(Resource& resource, const EventMeta& meta) {
  *resource.mutable_update_time() = ToProto(meta.occur_time);
  resource.set_etag(absl::StrCat(meta.revision));
}

v1::Case& EditCase(RowEditor& rows, const EventMeta& meta) {
  v1::Case& c = rows.Edit(kCases, meta.subject);
  Stamp(c, meta);
  return c;
}

void SetState(v1::Case& c, v1::Case::State state, const EventMeta& meta) {
  c.set_state(state);
  *c.mutable_state_time() = ToProto(meta.occur_time);
}

template <typename Clocks>
void PutClocks(v1::Case& c, const Clocks& changed) {
  for (const auto& clock : changed) {
    bool found = false;
    for (auto& mine : *c.mutable_clocks()) {
      if (mine.kind() != clock.kind()) continue;
      mine = clock;
      found = true;
    }
    if (!found) *c.add_clocks() = clock;
  }
}

}  // namespace

void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::IntakeEvent& event) {
  switch (event.fact_case()) {
    case v1::IntakeEvent::kPlatform:
    case v1::IntakeEvent::FACT_NOT_SET:
      return;
    case v1::IntakeEvent::kCustomerRegistered: {
      v1::Customer& customer = rows.Edit(kCustomers, meta.subject);
      customer = event.customer_registered().customer();
      Stamp(customer, meta);
      return;
    }
    case v1::IntakeEvent::kCustomerUpdated: {
      v1::Customer& customer = rows.Edit(kCustomers, meta.subject);
      customer = event.customer_updated().customer();
      Stamp(customer, meta);
      return;
    }
    case v1::IntakeEvent::kAssetRegistered: {
      v1::Asset& asset = rows.Edit(kAssets, meta.subject);
      asset = event.asset_registered().asset();
      Stamp(asset, meta);
      return;
    }
    case v1::IntakeEvent::kCaseOpened: {
      v1::Case& c = rows.Edit(kCases, meta.subject);
      c = event.case_opened().case_();
      *c.mutable_state_time() = ToProto(meta.occur_time);
      Stamp(c, meta);
      return;
    }
    case v1::IntakeEvent::kCaseReplied: {
      const auto& fact = event.case_replied();
      v1::Case& c = EditCase(rows, meta);
      if (!fact.from_customer()) c.set_replied(true);
      PutClocks(c, fact.clocks());
      return;
    }
    case v1::IntakeEvent::kCasePaused: {
      v1::Case& c = EditCase(rows, meta);
      SetState(c, v1::Case::PAUSED, meta);
      c.set_pause_reason(event.case_paused().reason());
      PutClocks(c, event.case_paused().clocks());
      return;
    }
    case v1::IntakeEvent::kCaseResumed: {
      v1::Case& c = EditCase(rows, meta);
      SetState(c, v1::Case::OPEN, meta);
      c.clear_pause_reason();
      PutClocks(c, event.case_resumed().clocks());
      return;
    }
    case v1::IntakeEvent::kCaseResolved: {
      const auto& fact = event.case_resolved();
      v1::Case& c = EditCase(rows, meta);
      SetState(c, v1::Case::RESOLVED, meta);
      c.clear_pause_reason();
      *c.mutable_resolve_time() = ToProto(meta.occur_time);
      c.set_resolution(fact.resolution());
      c.set_resolved_by(fact.by());
      c.clear_satisfaction();
      c.clear_dissatisfied();
      c.clear_follow_up_overdue();
      c.clear_follow_up_due_time();
      if (fact.has_follow_up_due_time()) {
        *c.mutable_follow_up_due_time() = fact.follow_up_due_time();
      }
      PutClocks(c, fact.clocks());
      return;
    }
    case v1::IntakeEvent::kCaseReopened: {
      const auto& fact = event.case_reopened();
      v1::Case& c = EditCase(rows, meta);
      SetState(c, v1::Case::OPEN, meta);
      c.set_reopen_count(fact.reopen_count());
      c.clear_resolve_time();
      c.clear_resolution();
      c.clear_resolved_by();
      c.clear_close_time();
      c.clear_satisfaction();
      c.clear_dissatisfied();
      c.clear_follow_up_due_time();
      c.clear_follow_up_overdue();
      PutClocks(c, fact.clocks());
      return;
    }
    case v1::IntakeEvent::kCaseClosed: {
      v1::Case& c = EditCase(rows, meta);
      SetState(c, v1::Case::CLOSED, meta);
      *c.mutable_close_time() = ToProto(meta.occur_time);
      return;
    }
    case v1::IntakeEvent::kFollowUpRecorded: {
      const auto& fact = event.follow_up_recorded();
      v1::Case& c = EditCase(rows, meta);
      c.set_satisfaction(fact.satisfaction());
      c.set_dissatisfied(fact.dissatisfied());
      c.clear_follow_up_due_time();
      c.clear_follow_up_overdue();
      return;
    }
    case v1::IntakeEvent::kFollowUpMissed:
      EditCase(rows, meta).set_follow_up_overdue(true);
      return;
    case v1::IntakeEvent::kRepairProgressRecorded: {
      const auto& fact = event.repair_progress_recorded();
      v1::Case& c = EditCase(rows, meta);
      c.set_repair_stage(fact.stage());
      c.set_work_order(fact.work_order());
      return;
    }
    case v1::IntakeEvent::kClockBreached: {
      v1::Case& c = EditCase(rows, meta);
      PutClocks(
          c, std::vector<common::v1::SlaClock>{event.clock_breached().clock()});
      return;
    }
  }
}

}  // namespace aftercare::intake
