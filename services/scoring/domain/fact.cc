#include "services/scoring/domain/fact.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aftercare/scoring/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/handbook/policy.h"
#include "services/scoring/domain/period.h"
#include "services/scoring/domain/tables.h"

namespace aftercare::scoring {
namespace {

using v1::ScoringEvent;
using Drafts = std::vector<Draft<ScoringEvent>>;

constexpr absl::string_view kStaffPattern = "companies/*/staff/*";
// Enough for money in minor units and times in microseconds, and small enough
// that a month's sum cannot overflow.
constexpr int64_t kMaxValue = 1'000'000'000'000;

absl::Status CheckKind(absl::string_view kind) {
  static constexpr absl::string_view kKinds[] = {
      "first_response", "resolution",      "satisfaction",      "on_site",
      "repair",         "first_visit_fix", "return_processing", "inspection"};
  if (std::find(std::begin(kKinds), std::end(kKinds), kind) !=
      std::end(kKinds)) {
    return absl::OkStatus();
  }
  return InvalidField("kind", "is no known kind of fact");
}

// The person of the handbook who is scored under this id, or null.
const handbook::v1::Person* PersonOf(const handbook::Policy& policy,
                                     absl::string_view staff_id) {
  for (const auto& person : policy.handbook().people()) {
    if (person.staff_id() == staff_id) return &person;
  }
  return nullptr;
}

ScoringEvent Registered(const CommandContext& context, const std::string& name,
                        const std::string& display_name,
                        const handbook::v1::Person* person) {
  ScoringEvent event;
  auto& staff = *event.mutable_staff_registered()->mutable_staff_member();
  staff.set_name(name);
  *staff.mutable_create_time() = ToProto(context.occur_time);
  staff.set_display_name(display_name);
  if (person != nullptr) staff.set_person(person->id());
  return event;
}

// The month's appraisal when nothing more can change it, else empty.
std::string FinalizedAppraisal(const RowReader& rows, absl::string_view staff,
                               absl::string_view period) {
  const std::string name = absl::StrCat(staff, "/appraisals/", period);
  const v1::Appraisal* appraisal = rows.Find(kAppraisals, name);
  return appraisal != nullptr && appraisal->state() == v1::Appraisal::FINALIZED
             ? name
             : "";
}

}  // namespace

Decision<ScoringEvent> Decide(const RowReader& rows,
                              const CommandContext& context,
                              const v1::RegisterStaffRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", "companies/*", request.parent()));
  RETURN_IF_ERROR(CheckId("staff_id", request.staff_id()));
  RETURN_IF_ERROR(
      CheckText("display_name", request.display_name(), kMaxShortText));
  const std::string name =
      absl::StrCat(request.parent(), "/staff/", request.staff_id());
  if (rows.Find(kStaff, name) != nullptr) return AlreadyExists(name);
  Drafts drafts;
  drafts.push_back(
      {name, Registered(context, name, request.display_name(),
                        PersonOf(*context.policy, request.staff_id()))});
  return drafts;
}

Decision<ScoringEvent> Decide(const RowReader& rows,
                              const CommandContext& context,
                              const v1::RecordFactRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", kStaffPattern, request.parent()));
  RETURN_IF_ERROR(CheckId("fact_id", request.fact_id()));
  RETURN_IF_ERROR(CheckKind(request.kind()));
  RETURN_IF_ERROR(CheckRange("value", request.value(), -kMaxValue, kMaxValue));
  RETURN_IF_ERROR(
      CheckText("source_service", request.source_service(), kMaxShortText));
  RETURN_IF_ERROR(
      CheckText("source_event", request.source_event(), kMaxShortText));
  RETURN_IF_ERROR(
      CheckText("source_resource", request.source_resource(), kMaxShortText));
  RETURN_IF_ERROR(CheckOptionalText("title", request.title(), kMaxShortText));

  const std::string name =
      absl::StrCat(request.parent(), "/facts/", request.fact_id());
  if (const v1::Fact* known = rows.Find(kFacts, name)) {
    if (known->kind() == request.kind() &&
        known->source_resource() == request.source_resource()) {
      return Drafts();
    }
    return Refuse(v1::REASON_FACT_ID_TAKEN, "the id belongs to another fact",
                  {{"name", name}});
  }
  const bool first = rows.Find(kStaff, request.parent()) == nullptr;
  const handbook::v1::Person* person =
      first ? PersonOf(*context.policy, IdOf(request.parent())) : nullptr;
  if (first && person == nullptr) {
    return Refuse(v1::REASON_STAFF_UNKNOWN,
                  "nobody in the handbook is scored under this id",
                  {{"name", request.parent()}});
  }

  Drafts drafts;
  ScoringEvent event;
  auto& fact = *event.mutable_fact_recorded()->mutable_scored();
  fact.set_name(name);
  *fact.mutable_create_time() = ToProto(context.occur_time);
  fact.set_state(v1::Fact::ACTIVE);
  fact.set_kind(request.kind());
  fact.set_met(request.met());
  fact.set_value(request.value());
  *fact.mutable_occur_time() = ToProto(context.occur_time);
  fact.set_period(PeriodOf(context.occur_time, context.policy->zone()));
  fact.set_source_service(request.source_service());
  fact.set_source_event(request.source_event());
  fact.set_source_resource(request.source_resource());
  fact.set_title(request.title());
  const std::string finalized =
      FinalizedAppraisal(rows, request.parent(), fact.period());
  fact.set_late(!finalized.empty());
  event.mutable_fact_recorded()->set_late_for(finalized);
  drafts.push_back({name, std::move(event)});
  if (first) {
    drafts.push_back(
        {request.parent(), Registered(context, request.parent(),
                                      person->display_name(), person)});
  }
  return drafts;
}

Decision<ScoringEvent> Decide(const RowReader& rows, const CommandContext&,
                              const v1::WithdrawFactRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", kStaffPattern, request.parent()));
  RETURN_IF_ERROR(CheckKind(request.kind()));
  RETURN_IF_ERROR(
      CheckText("source_resource", request.source_resource(), kMaxShortText));
  RETURN_IF_ERROR(
      CheckText("source_event", request.source_event(), kMaxShortText));
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxShortText));

  const std::string key = absl::StrCat(request.parent(), "|", request.kind(),
                                       "|", request.source_resource());
  std::vector<std::string> names;
  rows.ScanIndex(kFactBySource, key, key + '\x01',
                 [&](absl::string_view, absl::string_view id) {
                   names.emplace_back(id);
                   return true;
                 });
  v1::Fact latest;
  for (const std::string& name : names) {
    const v1::Fact* fact = rows.Find(kFacts, name);
    if (fact != nullptr &&
        (latest.name().empty() ||
         FromProto(fact->occur_time()) >= FromProto(latest.occur_time()))) {
      latest = *fact;
    }
  }
  Drafts drafts;
  if (latest.name().empty()) return drafts;
  ScoringEvent event;
  auto& withdrawn = *event.mutable_fact_withdrawn();
  withdrawn.set_name(latest.name());
  withdrawn.set_reason(request.reason());
  withdrawn.set_source_event(request.source_event());
  if (!latest.late()) {
    withdrawn.set_late_for(
        FinalizedAppraisal(rows, request.parent(), latest.period()));
  }
  drafts.push_back({latest.name(), std::move(event)});
  return drafts;
}

}  // namespace aftercare::scoring
