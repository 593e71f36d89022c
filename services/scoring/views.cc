#include "services/scoring/views.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "libs/shard/get.h"
#include "libs/shard/paging.h"
#include "services/scoring/domain/period.h"
#include "services/scoring/domain/sheet.h"
#include "services/scoring/domain/tables.h"

namespace aftercare::scoring {
namespace {

constexpr absl::string_view kStaffPattern = "companies/*/staff/*";
constexpr absl::string_view kAppraisalPattern =
    "companies/*/staff/*/appraisals/*";

absl::Status CheckPeriod(absl::string_view field, absl::string_view period) {
  return ParsePeriod(field, period, absl::UTCTimeZone()).status();
}

shard::IndexRange Prefixed(absl::string_view index, std::string prefix) {
  std::string end = PrefixEnd(prefix);
  return {std::string(index), std::move(prefix), std::move(end)};
}

}  // namespace

std::vector<std::string> PeriodKeys(const v1::Fact& fact) {
  return {absl::StrCat(BoundaryOf(fact.name()), "|", fact.period(), "|",
                       SortableTime(FromProto(fact.occur_time())))};
}

std::vector<std::string> SourceKeys(const v1::Fact& fact) {
  if (fact.state() != v1::Fact::ACTIVE) return {};
  return {absl::StrCat(BoundaryOf(fact.name()), "|", fact.kind(), "|",
                       fact.source_resource())};
}

std::vector<std::string> ScoreKeys(const v1::Appraisal& appraisal) {
  return {absl::StrCat(
      CompanyOf(appraisal.name()), "|", appraisal.period(), "|",
      absl::StrFormat("%05d", kFullPoints - appraisal.sheet().points()))};
}

absl::StatusOr<v1::StaffMember> GetStaff(const shard::QueryContext& context,
                                         const v1::GetStaffRequest& request) {
  return shard::GetRow(context, kStaff, kStaffPattern, request.name());
}

absl::StatusOr<v1::ListStaffResponse> ListStaff(
    const shard::QueryContext& context, const v1::ListStaffRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", "companies/*", request.parent()));
  v1::ListStaffResponse response;
  ASSIGN_OR_RETURN(*response.mutable_next_page_token(),
                   shard::ListRows(context, shard::PageOf(request), kStaff,
                                   absl::StrCat(request.parent(), "/staff/"),
                                   [&](const v1::StaffMember& staff) {
                                     *response.add_staff() = staff;
                                     return true;
                                   }));
  return response;
}

absl::StatusOr<v1::Fact> GetFact(const shard::QueryContext& context,
                                 const v1::GetFactRequest& request) {
  return shard::GetRow(context, kFacts, "companies/*/staff/*/facts/*",
                       request.name());
}

absl::StatusOr<v1::ListFactsResponse> ListFacts(
    const shard::QueryContext& context, const v1::ListFactsRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", kStaffPattern, request.parent()));
  std::string prefix = absl::StrCat(request.parent(), "|");
  if (!request.period().empty()) {
    RETURN_IF_ERROR(CheckPeriod("period", request.period()));
    absl::StrAppend(&prefix, request.period(), "|");
  }
  v1::ListFactsResponse response;
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::WalkPage(
          context, shard::PageOf(request), Prefixed(kFactByPeriod, prefix),
          [&](const RowReader& rows, absl::string_view id) {
            const v1::Fact* fact = rows.Find(kFacts, id);
            if (fact == nullptr ||
                (!request.kind().empty() && fact->kind() != request.kind())) {
              return false;
            }
            *response.add_facts() = *fact;
            return true;
          }));
  return response;
}

absl::StatusOr<v1::Score> GetScore(const shard::QueryContext& context,
                                   const v1::GetScoreRequest& request) {
  RETURN_IF_ERROR(CheckName("name", kStaffPattern, request.name()));
  RETURN_IF_ERROR(CheckPeriod("period", request.period()));
  if (context.policy == nullptr) {
    return Refuse(common::v1::REASON_HANDBOOK_MISSING,
                  "the company has no handbook in force",
                  {{"company", std::string(CompanyOf(request.name()))}});
  }
  if (context.rows().Find(kStaff, request.name()) == nullptr) {
    return NotFound(request.name());
  }
  v1::Score score;
  score.set_staff_member(request.name());
  score.set_period(request.period());
  *score.mutable_sheet() = ComputeSheet(
      CountedFacts(context.rows(), request.name(), request.period()),
      *context.policy, 0);
  return score;
}

absl::StatusOr<v1::Appraisal> GetAppraisal(
    const shard::QueryContext& context,
    const v1::GetAppraisalRequest& request) {
  return shard::GetRow(context, kAppraisals, kAppraisalPattern, request.name());
}

absl::StatusOr<v1::ListAppraisalsResponse> ListAppraisals(
    const shard::QueryContext& context,
    const v1::ListAppraisalsRequest& request) {
  absl::string_view company = request.parent();
  const bool everybody = absl::ConsumeSuffix(&company, "/staff/-");
  if (everybody) {
    RETURN_IF_ERROR(CheckName("parent", "companies/*", company));
  } else {
    RETURN_IF_ERROR(CheckName("parent", kStaffPattern, request.parent()));
  }
  if (!v1::Appraisal::State_IsValid(request.state())) {
    return InvalidField("state", "is no known value");
  }
  v1::ListAppraisalsResponse response;
  const auto take = [&](const v1::Appraisal& appraisal) {
    if (request.state() != v1::Appraisal::STATE_UNSPECIFIED &&
        appraisal.state() != request.state()) {
      return false;
    }
    *response.add_appraisals() = appraisal;
    return true;
  };
  if (request.period().empty()) {
    ASSIGN_OR_RETURN(
        *response.mutable_next_page_token(),
        shard::ListRows(context, shard::PageOf(request), kAppraisals,
                        shard::NamePrefix(request.parent(), "appraisals"),
                        take));
    return response;
  }
  RETURN_IF_ERROR(CheckPeriod("period", request.period()));
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::WalkPage(
          context, shard::PageOf(request),
          Prefixed(kAppraisalByScore, absl::StrCat(CompanyOf(request.parent()),
                                                   "|", request.period(), "|")),
          [&](const RowReader& rows, absl::string_view id) {
            if (!everybody && BoundaryOf(id) != request.parent()) return false;
            const v1::Appraisal* appraisal = rows.Find(kAppraisals, id);
            return appraisal != nullptr && take(*appraisal);
          }));
  return response;
}

absl::StatusOr<v1::ExplainAppraisalResponse> ExplainAppraisal(
    const shard::QueryContext& context,
    const v1::ExplainAppraisalRequest& request) {
  ASSIGN_OR_RETURN(
      const v1::Appraisal appraisal,
      shard::GetRow(context, kAppraisals, kAppraisalPattern, request.name()));
  const absl::string_view staff = BoundaryOf(request.name());
  absl::flat_hash_set<std::string> behind;
  bool item_found = request.item().empty();
  for (const v1::ScoreLine& line : appraisal.sheet().lines()) {
    if (!request.item().empty() && line.item() != request.item()) continue;
    item_found = true;
    for (const v1::FactLine& fact : line.facts()) {
      behind.insert(absl::StrCat(staff, "/facts/", fact.fact_id()));
    }
  }
  if (!item_found) {
    return InvalidField("item", "is no item of this appraisal");
  }
  v1::ExplainAppraisalResponse response;
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::WalkPage(
          context, shard::PageOf(request),
          Prefixed(kFactByPeriod,
                   absl::StrCat(staff, "|", appraisal.period(), "|")),
          [&](const RowReader& rows, absl::string_view id) {
            if (!behind.contains(id)) return false;
            const v1::Fact* fact = rows.Find(kFacts, id);
            if (fact == nullptr) return false;
            *response.add_facts() = *fact;
            return true;
          }));
  return response;
}

}  // namespace aftercare::scoring
