#include "services/demo/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "libs/base/names.h"
#include "libs/base/status_macros.h"

namespace aftercare::demo {
namespace {

template <typename Counts>
std::string Line(const Counts& counts) {
  std::string text;
  for (const auto& count : counts) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", count.label(), " ",
                    count.count());
  }
  return text;
}

template <typename Clocks>
std::string ClockLines(const Clocks& clocks) {
  std::string text;
  for (const auto& clock : clocks) {
    const int64_t settled = clock.met() + clock.breached();
    absl::StrAppendFormat(
        &text, "    %-16s met %d of %d (%.1f %%), still running %d\n",
        clock.kind(), clock.met(), settled,
        settled == 0 ? 0.0
                     : 100.0 * static_cast<double>(clock.met()) /
                           static_cast<double>(settled),
        clock.running());
  }
  return text;
}

std::string Yuan(const common::v1::Money& money) {
  return absl::StrFormat("%d.%02d %s", money.minor_units() / 100,
                         money.minor_units() % 100, money.currency_code());
}

}  // namespace

absl::StatusOr<std::string> Account(Api& api, const std::string& company) {
  std::string text;
  intake::v1::SummarizeCasesRequest ask_cases;
  ask_cases.set_parent(company);
  ASSIGN_OR_RETURN(auto cases,
                   api.Call<intake::v1::CaseSummary>(
                       "auditor", "aftercare.intake.v1.IntakeService",
                       "SummarizeCases", ask_cases));
  absl::StrAppendFormat(&text, "Cases: %d of %d customers\n", cases.cases(),
                        cases.customers());
  absl::StrAppend(&text, "    by kind: ", Line(cases.by_kind()),
                  "\n    by state: ", Line(cases.by_state()),
                  "\n    by product: ", Line(cases.by_product_line()),
                  "\n    resolved ", cases.resolved(), ", reopened ",
                  cases.reopened(),
                  "\n    satisfaction (stars): ", Line(cases.by_satisfaction()),
                  "\n  Clocks\n", ClockLines(cases.clocks()));

  dispatch::v1::SummarizeWorkOrdersRequest ask_orders;
  ask_orders.set_parent(company);
  ASSIGN_OR_RETURN(auto orders,
                   api.Call<dispatch::v1::WorkOrderSummary>(
                       "auditor", "aftercare.dispatch.v1.DispatchService",
                       "SummarizeWorkOrders", ask_orders));
  absl::StrAppendFormat(
      &text,
      "Visits: %d for %d work orders; %d completed, %d of them at the first "
      "visit\n",
      orders.visits(), orders.work_orders(), orders.completed(),
      orders.first_visit_fixes());
  absl::StrAppend(&text, "    by state: ", Line(orders.by_state()),
                  "\n    fees: ", Yuan(orders.fees()), "\n  Clocks\n",
                  ClockLines(orders.clocks()));

  returns::v1::SummarizeReturnsRequest ask_returns;
  ask_returns.set_parent(company);
  ASSIGN_OR_RETURN(auto returned,
                   api.Call<returns::v1::ReturnSummary>(
                       "auditor", "aftercare.returns.v1.ReturnsService",
                       "SummarizeReturns", ask_returns));
  absl::StrAppendFormat(&text, "Returns: %d of %d customers\n",
                        returned.returns(), returned.customers());
  if (returned.returns() > 0)
    absl::StrAppend(&text, "    by state: ", Line(returned.by_state()),
                    "\n    by reason: ", Line(returned.by_reason()),
                    "\n    by outcome: ", Line(returned.by_outcome()),
                    "\n    units: asked ", returned.requested_units(),
                    ", received ", returned.received_units(), ", accepted ",
                    returned.accepted_units(), ", refunded ",
                    returned.refunded_units(), ", replaced ",
                    returned.replaced_units(), "\n    granted ",
                    Yuan(returned.amount_granted()), ", paid ",
                    Yuan(returned.amount_paid()), "\n");

  scoring::v1::ListAppraisalsRequest list;
  list.set_parent(absl::StrCat(company, "/staff/-"));
  list.set_page_size(1000);
  std::vector<scoring::v1::Appraisal> appraisals;
  do {
    ASSIGN_OR_RETURN(auto page,
                     api.Call<scoring::v1::ListAppraisalsResponse>(
                         "auditor", "aftercare.scoring.v1.ScoringService",
                         "ListAppraisals", list));
    for (auto& appraisal : *page.mutable_appraisals()) {
      if (appraisal.sheet().facts_counted() > 0) {
        appraisals.push_back(std::move(appraisal));
      }
    }
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  std::sort(appraisals.begin(), appraisals.end(),
            [](const auto& a, const auto& b) {
              if (a.sheet().points() != b.sheet().points()) {
                return a.sheet().points() > b.sheet().points();
              }
              return a.name() < b.name();
            });
  absl::StrAppendFormat(&text, "Appraisals: %d with facts\n",
                        appraisals.size());
  const auto show = [&](const char* label, const scoring::v1::Appraisal& a) {
    absl::StrAppendFormat(
        &text, "  %s: %s (%s), %s: %d.%02d points, level %s, %d facts\n", label,
        a.display_name(), IdOf(ParentOf(a.name())), a.period(),
        a.sheet().points() / 100, a.sheet().points() % 100, a.sheet().level(),
        a.sheet().facts_counted());
    for (const auto& line : a.sheet().lines()) {
      absl::StrAppendFormat(&text, "    %-14s %d.%02d of %d: %s\n", line.item(),
                            line.points() / 100, line.points() % 100,
                            line.weight(), line.explanation());
    }
  };
  if (!appraisals.empty()) {
    show("best", appraisals.front());
    show("worst", appraisals.back());
  }
  return text;
}

std::string Digests(const admin::v1::Status& status) {
  std::string text;
  for (const auto& shard : status.shards()) {
    absl::StrAppendFormat(&text, "    %-9s/%d  %s  %d events, %d rows\n",
                          shard.service(), shard.partition(), shard.digest(),
                          shard.events(), shard.rows());
  }
  return text;
}

}  // namespace aftercare::demo
