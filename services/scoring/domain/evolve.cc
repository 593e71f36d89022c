#include "services/scoring/domain/evolve.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/names.h"
#include "libs/base/time.h"
#include "services/scoring/domain/tables.h"

namespace aftercare::scoring {
namespace {

template <typename Resource>
void Stamp(Resource& resource, const EventMeta& meta) {
  *resource.mutable_update_time() = ToProto(meta.occur_time);
  resource.set_etag(absl::StrCat(meta.revision));
}

void NoteLate(RowEditor& rows, const EventMeta& meta,
              const std::string& appraisal_name, absl::string_view fact) {
  if (appraisal_name.empty() ||
      rows.Find(kAppraisals, appraisal_name) == nullptr) {
    return;
  }
  v1::Appraisal& appraisal = rows.Edit(kAppraisals, appraisal_name);
  const std::string id(IdOf(fact));
  const auto& known = appraisal.late_facts();
  if (std::find(known.begin(), known.end(), id) == known.end()) {
    appraisal.add_late_facts(id);
  }
  Stamp(appraisal, meta);
}

}  // namespace

void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::ScoringEvent& event) {
  switch (event.fact_case()) {
    case v1::ScoringEvent::kPlatform:
    case v1::ScoringEvent::FACT_NOT_SET:
      return;
    case v1::ScoringEvent::kStaffRegistered: {
      v1::StaffMember& staff = rows.Edit(kStaff, meta.subject);
      staff = event.staff_registered().staff_member();
      Stamp(staff, meta);
      return;
    }
    case v1::ScoringEvent::kFactRecorded: {
      const auto& recorded = event.fact_recorded();
      v1::Fact& fact = rows.Edit(kFacts, meta.subject);
      fact = recorded.scored();
      Stamp(fact, meta);
      NoteLate(rows, meta, recorded.late_for(), meta.subject);
      return;
    }
    case v1::ScoringEvent::kFactWithdrawn: {
      const auto& withdrawn = event.fact_withdrawn();
      if (rows.Find(kFacts, meta.subject) == nullptr) return;
      v1::Fact& fact = rows.Edit(kFacts, meta.subject);
      fact.set_state(v1::Fact::WITHDRAWN);
      fact.set_withdraw_reason(withdrawn.reason());
      *fact.mutable_withdraw_time() = ToProto(meta.occur_time);
      Stamp(fact, meta);
      NoteLate(rows, meta, withdrawn.late_for(), meta.subject);
      return;
    }
    case v1::ScoringEvent::kAppraisalOpened: {
      v1::Appraisal& appraisal = rows.Edit(kAppraisals, meta.subject);
      appraisal = event.appraisal_opened().appraisal();
      Stamp(appraisal, meta);
      return;
    }
    case v1::ScoringEvent::kAppraisalRefreshed: {
      if (rows.Find(kAppraisals, meta.subject) == nullptr) return;
      v1::Appraisal& appraisal = rows.Edit(kAppraisals, meta.subject);
      *appraisal.mutable_sheet() = event.appraisal_refreshed().sheet();
      Stamp(appraisal, meta);
      return;
    }
    case v1::ScoringEvent::kAppraisalAdjusted: {
      if (rows.Find(kAppraisals, meta.subject) == nullptr) return;
      const auto& adjusted = event.appraisal_adjusted();
      v1::Appraisal& appraisal = rows.Edit(kAppraisals, meta.subject);
      *appraisal.add_adjustments() = adjusted.adjustment();
      v1::ScoreSheet& sheet = *appraisal.mutable_sheet();
      sheet.set_adjustment_points(adjusted.adjustment_points());
      sheet.set_points(adjusted.points());
      sheet.set_level(adjusted.level());
      Stamp(appraisal, meta);
      return;
    }
    case v1::ScoringEvent::kAppraisalFinalized: {
      if (rows.Find(kAppraisals, meta.subject) == nullptr) return;
      v1::Appraisal& appraisal = rows.Edit(kAppraisals, meta.subject);
      appraisal.set_state(v1::Appraisal::FINALIZED);
      appraisal.set_finalized_by(event.appraisal_finalized().by());
      *appraisal.mutable_finalize_time() = ToProto(meta.occur_time);
      Stamp(appraisal, meta);
      return;
    }
  }
}

}  // namespace aftercare::scoring
