#include "services/intake/case_views.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/handbook/form.h"
#include "libs/shard/get.h"
#include "libs/shard/paging.h"
#include "services/intake/catalogue_views.h"
#include "services/intake/customer_views.h"
#include "services/intake/domain/case_common.h"
#include "services/intake/domain/case_form.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {
namespace {

using common::v1::SlaClock;

template <typename Map>
void AddCounts(
    const Map& counts,
    google::protobuf::RepeatedPtrField<v1::CaseSummary::Count>& out) {
  for (const auto& [label, count] : counts) {
    auto* entry = out.Add();
    entry->set_label(label);
    entry->set_count(count);
  }
}

}  // namespace

std::vector<std::string> OpenTimeKeys(const v1::Case& c) {
  return {absl::StrCat(CompanyOf(c.name()), "|",
                       SortableTime(FromProto(c.open_time())))};
}

std::vector<std::string> DueTimeKeys(const v1::Case& c) {
  absl::Time first = absl::InfiniteFuture();
  for (const SlaClock& clock : c.clocks()) {
    if (clock.state() != SlaClock::RUNNING) continue;
    first = std::min(first, FromProto(clock.due_time()));
  }
  if (first == absl::InfiniteFuture()) return {};
  return {absl::StrCat(CompanyOf(c.name()), "|", SortableTime(first))};
}

std::vector<absl::Time> CaseTimers(const v1::Case& c) {
  std::vector<absl::Time> times;
  for (const SlaClock& clock : c.clocks()) {
    if (clock.has_check_time()) times.push_back(FromProto(clock.check_time()));
  }
  if (c.has_follow_up_due_time() && !c.follow_up_overdue()) {
    times.push_back(FromProto(c.follow_up_due_time()));
  }
  return times;
}

absl::StatusOr<v1::Case> GetCase(const shard::QueryContext& context,
                                 const v1::GetCaseRequest& request) {
  return shard::GetRow(context, kCases, kCasePattern, request.name());
}

absl::StatusOr<v1::FilledForm> GetForm(const shard::QueryContext& context,
                                       const v1::GetFormRequest& request) {
  ASSIGN_OR_RETURN(
      const v1::Case c,
      shard::GetRow(context, kCases, kCasePattern, request.name()));
  RETURN_IF_ERROR(CheckPolicy(context));
  v1::FilledForm filled;
  filled.set_name(c.name());
  const auto* form = FormOf(*context.policy, c);
  if (form == nullptr) return filled;
  filled.set_form(form->id());
  filled.set_title(form->title());
  filled.set_rule(form->rule());
  const handbook::Situation situation = SituationOf(c);
  for (const auto& field : form->fields()) {
    auto& entry = *filled.add_entries();
    entry.set_field(field.id());
    entry.set_title(field.title());
    entry.set_required_at(field.required_at());
    for (auto& value : ValuesOf(context.rows(), c, field)) {
      *entry.add_values() = std::move(value);
    }
    entry.set_missing(
        entry.values().empty() &&
        handbook::IsDue(field, handbook::FormStages().back(), situation));
  }
  return filled;
}

absl::StatusOr<v1::ListCasesResponse> ListCases(
    const shard::QueryContext& context, const v1::ListCasesRequest& request) {
  RETURN_IF_ERROR(CheckCustomers(request.parent()));
  if (!v1::Case::State_IsValid(request.state())) {
    return InvalidField("state", "is no known value");
  }
  if (!v1::Case::Kind_IsValid(request.kind())) {
    return InvalidField("kind", "is no known value");
  }
  if (request.has_due_before() && !IsValid(request.due_before())) {
    return InvalidField("due_before", "is out of range");
  }
  const auto fits = [&](const v1::Case& c) {
    return (request.state() == v1::Case::STATE_UNSPECIFIED ||
            c.state() == request.state()) &&
           (request.kind() == v1::Case::KIND_UNSPECIFIED ||
            c.kind() == request.kind()) &&
           (request.owner().empty() || c.owner() == request.owner()) &&
           (request.type().empty() || c.type() == request.type()) &&
           (request.department().empty() ||
            c.department() == request.department()) &&
           (request.channel().empty() || c.channel() == request.channel()) &&
           (request.co_handler().empty() ||
            Contains(c.co_handlers(), request.co_handler())) &&
           (!request.missing_information() ||
            (IsOpen(c) && !c.missing_fields().empty()));
  };
  v1::ListCasesResponse response;
  const std::string prefix = shard::NamePrefix(request.parent(), "cases");
  if (IdOf(request.parent()) != "-" && !request.has_due_before()) {
    // One customer's cases lie together.
    ASSIGN_OR_RETURN(*response.mutable_next_page_token(),
                     shard::ListRows(context, shard::PageOf(request), kCases,
                                     prefix, [&](const v1::Case& c) {
                                       if (!fits(c)) return false;
                                       *response.add_cases() = c;
                                       return true;
                                     }));
    return response;
  }
  const std::string company = absl::StrCat(CompanyOf(request.parent()), "|");
  shard::IndexRange range;
  range.index =
      std::string(request.has_due_before() ? kCaseByDueTime : kCaseByOpenTime);
  range.from = company;
  range.to =
      request.has_due_before()
          ? absl::StrCat(company, SortableTime(FromProto(request.due_before())))
          : PrefixEnd(company);
  const bool one_customer = IdOf(request.parent()) != "-";
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::WalkPage(context, shard::PageOf(request), range,
                      [&](const RowReader& rows, absl::string_view id) {
                        if (one_customer &&
                            BoundaryOf(id) != request.parent()) {
                          return false;
                        }
                        const v1::Case* c = rows.Find(kCases, id);
                        if (c == nullptr || !fits(*c)) return false;
                        *response.add_cases() = *c;
                        return true;
                      }));
  return response;
}

absl::StatusOr<v1::CaseSummary> SummarizeCases(
    const shard::QueryContext& context,
    const v1::SummarizeCasesRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", "companies/*", request.parent()));
  for (const auto& [field, set, time] :
       {std::tuple("open_from", request.has_open_from(), &request.open_from()),
        std::tuple("open_before", request.has_open_before(),
                   &request.open_before())}) {
    if (set && !IsValid(*time)) return InvalidField(field, "is out of range");
  }
  v1::CaseSummary summary;
  std::set<std::string> customers;
  std::map<std::string, int64_t> kinds, states, lines, stars;
  std::map<std::string, v1::CaseSummary::ClockCount> clocks;
  const std::string company = absl::StrCat(request.parent(), "|");
  const std::string from =
      request.has_open_from()
          ? absl::StrCat(company, SortableTime(FromProto(request.open_from())))
          : company;
  const std::string to =
      request.has_open_before()
          ? absl::StrCat(company,
                         SortableTime(FromProto(request.open_before())))
          : PrefixEnd(company);
  for (const RowReader* rows : context.shards) {
    rows->ScanIndex(
        kCaseByOpenTime, from, to,
        [&](absl::string_view, absl::string_view id) {
          const v1::Case* c = rows->Find(kCases, id);
          if (c == nullptr) return true;
          summary.set_cases(summary.cases() + 1);
          customers.insert(std::string(BoundaryOf(id)));
          ++kinds[absl::AsciiStrToLower(v1::Case::Kind_Name(c->kind()))];
          ++states[absl::AsciiStrToLower(v1::Case::State_Name(c->state()))];
          ++lines[c->product_line().empty() ? "none" : c->product_line()];
          if (c->satisfaction() > 0) ++stars[absl::StrCat(c->satisfaction())];
          // CASE-33, CASE-35: what was reopened and is open now, or was given
          // up by automation, is no resolution.
          if (!c->resolved_by().empty()) {
            summary.set_resolved(summary.resolved() + 1);
          }
          summary.set_reopened(summary.reopened() + c->reopen_count());
          for (const SlaClock& clock : c->clocks()) {
            auto& count = clocks[clock.kind()];
            count.set_kind(clock.kind());
            if (clock.breached()) {
              count.set_breached(count.breached() + 1);
            } else if (clock.state() == SlaClock::STOPPED) {
              count.set_met(count.met() + 1);
            } else if (clock.state() != SlaClock::CANCELLED) {
              count.set_running(count.running() + 1);
            }
          }
          return true;
        });
  }
  summary.set_customers(static_cast<int64_t>(customers.size()));
  AddCounts(kinds, *summary.mutable_by_kind());
  AddCounts(states, *summary.mutable_by_state());
  AddCounts(lines, *summary.mutable_by_product_line());
  AddCounts(stars, *summary.mutable_by_satisfaction());
  for (const auto& [kind, count] : clocks) *summary.add_clocks() = count;
  return summary;
}

}  // namespace aftercare::intake
