#include "services/intake/domain/evolve.h"

#include "absl/strings/str_cat.h"
#include "libs/base/time.h"
#include "services/intake/domain/case_state.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {
namespace {

template <typename Resource>
void Stamp(Resource& resource, const EventMeta& meta) {
  *resource.mutable_update_time() = ToProto(meta.occur_time);
  resource.set_etag(absl::StrCat(meta.revision));
}

template <typename Resource>
void Put(RowEditor& rows, const Table<Resource>& table, const EventMeta& meta,
         const Resource& resource) {
  Resource& row = rows.Edit(table, meta.subject);
  row = resource;
  Stamp(row, meta);
}

template <typename Fact>
void EvolveCase(RowEditor& rows, const EventMeta& meta, const Fact& fact) {
  v1::Case& c = rows.Edit(kCases, meta.subject);
  Apply(c, meta.occur_time, fact);
  Stamp(c, meta);
}

}  // namespace

void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::IntakeEvent& event) {
  switch (event.fact_case()) {
    case v1::IntakeEvent::kPlatform:
    case v1::IntakeEvent::FACT_NOT_SET:
      return;
    case v1::IntakeEvent::kCustomerRegistered:
      return Put(rows, kCustomers, meta,
                 event.customer_registered().customer());
    case v1::IntakeEvent::kCustomerUpdated:
      return Put(rows, kCustomers, meta, event.customer_updated().customer());
    case v1::IntakeEvent::kAssetRegistered:
      return Put(rows, kAssets, meta, event.asset_registered().asset());
    case v1::IntakeEvent::kCaseOpened:
      return EvolveCase(rows, meta, event.case_opened());
    case v1::IntakeEvent::kCaseReplied:
      return EvolveCase(rows, meta, event.case_replied());
    case v1::IntakeEvent::kCasePaused:
      return EvolveCase(rows, meta, event.case_paused());
    case v1::IntakeEvent::kCaseResumed:
      return EvolveCase(rows, meta, event.case_resumed());
    case v1::IntakeEvent::kCaseResolved:
      return EvolveCase(rows, meta, event.case_resolved());
    case v1::IntakeEvent::kCaseReopened:
      return EvolveCase(rows, meta, event.case_reopened());
    case v1::IntakeEvent::kCaseClosed:
      return EvolveCase(rows, meta, event.case_closed());
    case v1::IntakeEvent::kFollowUpRecorded:
      return EvolveCase(rows, meta, event.follow_up_recorded());
    case v1::IntakeEvent::kFollowUpMissed:
      return EvolveCase(rows, meta, event.follow_up_missed());
    case v1::IntakeEvent::kRepairProgressRecorded:
      return EvolveCase(rows, meta, event.repair_progress_recorded());
    case v1::IntakeEvent::kClockBreached:
      return EvolveCase(rows, meta, event.clock_breached());
    case v1::IntakeEvent::kCaseAmended:
      return EvolveCase(rows, meta, event.case_amended());
    case v1::IntakeEvent::kCaseAccepted:
      return EvolveCase(rows, meta, event.case_accepted());
    case v1::IntakeEvent::kCaseRejected:
      return EvolveCase(rows, meta, event.case_rejected());
    case v1::IntakeEvent::kCaseTransferred:
      return EvolveCase(rows, meta, event.case_transferred());
    case v1::IntakeEvent::kCoHandlersChanged:
      return EvolveCase(rows, meta, event.co_handlers_changed());
    case v1::IntakeEvent::kCasesLinked:
      return EvolveCase(rows, meta, event.cases_linked());
    case v1::IntakeEvent::kCaseMerged:
      return EvolveCase(rows, meta, event.case_merged());
  }
}

}  // namespace aftercare::intake
