#include "services/returns/views.h"

#include <map>
#include <set>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/shard/get.h"
#include "libs/shard/paging.h"
#include "services/returns/domain/tables.h"

namespace aftercare::returns {
namespace {

using common::v1::Money;
using common::v1::SlaClock;

std::string TimeKey(absl::string_view prefix,
                    const google::protobuf::Timestamp& time) {
  return absl::StrCat(prefix, "|", SortableTime(FromProto(time)));
}

std::string StatePrefix(absl::string_view company, v1::Return::State state) {
  return absl::StrCat(company, "|", v1::Return::State_Name(state));
}

// As every boundary, but `-` stands for all customers.
absl::Status CheckParent(absl::string_view parent) {
  const bool all = absl::EndsWith(parent, "/-");
  return CheckName("parent", "companies/*/customers/*",
                   all ? absl::StrCat(parent.substr(0, parent.size() - 1), "x")
                       : std::string(parent));
}

template <typename Counts>
void AddCounts(
    const Counts& counts,
    google::protobuf::RepeatedPtrField<v1::ReturnSummary::Count>& out) {
  for (const auto& [label, count] : counts) {
    auto* entry = out.Add();
    entry->set_label(label);
    entry->set_count(count);
  }
}

}  // namespace

std::vector<std::string> RequestTimeKeys(const v1::Return& r) {
  return {TimeKey(CompanyOf(r.name()), r.request_time())};
}

std::vector<std::string> StateKeys(const v1::Return& r) {
  return {
      TimeKey(StatePrefix(CompanyOf(r.name()), r.state()), r.request_time())};
}

std::vector<std::string> DueTimeKeys(const v1::Return& r) {
  std::vector<std::string> keys;
  for (const SlaClock& clock : r.clocks()) {
    if (clock.state() != SlaClock::RUNNING) continue;
    keys.push_back(TimeKey(CompanyOf(r.name()), clock.due_time()));
  }
  return keys;
}

std::vector<std::string> PaymentKeys(const v1::Return& r) {
  std::vector<std::string> keys;
  for (const v1::Refund& refund : r.refunds()) {
    if (refund.payment_reference().empty()) continue;
    keys.push_back(
        PaymentKey(BoundaryOf(r.name()), refund.payment_reference()));
  }
  return keys;
}

std::vector<absl::Time> ReturnTimers(const v1::Return& r) {
  std::vector<absl::Time> times;
  for (const SlaClock& clock : r.clocks()) {
    if (clock.has_check_time()) times.push_back(FromProto(clock.check_time()));
  }
  return times;
}

absl::StatusOr<v1::SaleLine> GetSaleLine(
    const shard::QueryContext& context, const v1::GetSaleLineRequest& request) {
  return shard::GetRow(context, kSaleLines,
                       "companies/*/customers/*/saleLines/*", request.name());
}

absl::StatusOr<v1::ListSaleLinesResponse> ListSaleLines(
    const shard::QueryContext& context,
    const v1::ListSaleLinesRequest& request) {
  RETURN_IF_ERROR(CheckParent(request.parent()));
  v1::ListSaleLinesResponse response;
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::ListRows(context, shard::PageOf(request), kSaleLines,
                      shard::NamePrefix(request.parent(), "saleLines"),
                      [&](const v1::SaleLine& line) {
                        *response.add_sale_lines() = line;
                        return true;
                      }));
  return response;
}

absl::StatusOr<v1::Return> GetReturn(const shard::QueryContext& context,
                                     const v1::GetReturnRequest& request) {
  return shard::GetRow(context, kReturns, "companies/*/customers/*/returns/*",
                       request.name());
}

absl::StatusOr<v1::ListReturnsResponse> ListReturns(
    const shard::QueryContext& context, const v1::ListReturnsRequest& request) {
  RETURN_IF_ERROR(CheckParent(request.parent()));
  if (!v1::Return::State_IsValid(request.state())) {
    return InvalidField("state", "is no known value");
  }
  if (request.has_due_before() && !IsValid(request.due_before())) {
    return InvalidField("due_before", "is out of range");
  }
  v1::ListReturnsResponse response;
  const bool one_customer = IdOf(request.parent()) != "-";
  const auto take = [&](const v1::Return& r) {
    if ((request.state() != v1::Return::STATE_UNSPECIFIED &&
         r.state() != request.state()) ||
        (!request.reason().empty() && r.reason() != request.reason()) ||
        (one_customer && BoundaryOf(r.name()) != request.parent())) {
      return false;
    }
    *response.add_returns() = r;
    return true;
  };
  if (one_customer && !request.has_due_before()) {
    ASSIGN_OR_RETURN(
        *response.mutable_next_page_token(),
        shard::ListRows(context, shard::PageOf(request), kReturns,
                        shard::NamePrefix(request.parent(), "returns"), take));
    return response;
  }
  const absl::string_view company = CompanyOf(request.parent());
  shard::IndexRange range;
  if (request.has_due_before()) {
    range.index = std::string(kReturnByDueTime);
    range.from = absl::StrCat(company, "|");
    range.to = TimeKey(company, request.due_before());
  } else if (request.state() != v1::Return::STATE_UNSPECIFIED) {
    range.index = std::string(kReturnByState);
    range.from = absl::StrCat(StatePrefix(company, request.state()), "|");
    range.to = PrefixEnd(range.from);
  } else {
    range.index = std::string(kReturnByRequestTime);
    range.from = absl::StrCat(company, "|");
    range.to = PrefixEnd(range.from);
  }
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::WalkPage(context, shard::PageOf(request), range,
                      [&](const RowReader& rows, absl::string_view id) {
                        const v1::Return* r = rows.Find(kReturns, id);
                        return r != nullptr && take(*r);
                      }));
  return response;
}

absl::StatusOr<v1::ReturnSummary> SummarizeReturns(
    const shard::QueryContext& context,
    const v1::SummarizeReturnsRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", "companies/*", request.parent()));
  for (const auto& [field, set, time] :
       {std::tuple("request_from", request.has_request_from(),
                   &request.request_from()),
        std::tuple("request_before", request.has_request_before(),
                   &request.request_before())}) {
    if (set && !IsValid(*time)) return InvalidField(field, "is out of range");
  }
  v1::ReturnSummary s;
  int64_t granted = 0;
  int64_t paid = 0;
  std::set<std::string> customers;
  std::map<std::string, int64_t> states, reasons, outcomes;
  std::map<std::string, v1::ReturnSummary::ClockCount> clocks;
  const std::string all = absl::StrCat(request.parent(), "|");
  const std::string from =
      request.has_request_from()
          ? TimeKey(request.parent(), request.request_from())
          : all;
  const std::string to =
      request.has_request_before()
          ? TimeKey(request.parent(), request.request_before())
          : PrefixEnd(all);
  const auto add = [&](const v1::Return& r) {
    s.set_returns(s.returns() + 1);
    customers.insert(std::string(BoundaryOf(r.name())));
    ++states[absl::AsciiStrToLower(v1::Return::State_Name(r.state()))];
    ++reasons[r.reason()];
    if (r.outcome() != v1::Return::OUTCOME_UNSPECIFIED) {
      ++outcomes[absl::AsciiStrToLower(v1::Return::Outcome_Name(r.outcome()))];
    }
    for (const v1::ReturnLine& line : r.lines()) {
      s.set_requested_units(s.requested_units() + line.quantity());
      s.set_received_units(s.received_units() + line.quantity_received());
      s.set_accepted_units(s.accepted_units() + line.quantity_accepted());
      s.set_damaged_units(s.damaged_units() + line.quantity_damaged());
      s.set_refunded_units(s.refunded_units() + line.quantity_refunded());
      s.set_replaced_units(s.replaced_units() + line.quantity_replaced());
      s.set_rejected_units(s.rejected_units() + line.quantity_rejected());
    }
    granted += r.amount_granted().minor_units();
    paid += r.amount_paid().minor_units();
    s.mutable_amount_granted()->set_currency_code(
        r.amount_granted().currency_code());
    for (const SlaClock& clock : r.clocks()) {
      auto& count = clocks[clock.kind()];
      count.set_kind(clock.kind());
      if (clock.breached()) {
        count.set_breached(count.breached() + 1);
      } else if (clock.state() == SlaClock::STOPPED) {
        count.set_met(count.met() + 1);
      } else {
        count.set_running(count.running() + 1);
      }
    }
  };
  for (const RowReader* rows : context.shards) {
    rows->ScanIndex(kReturnByRequestTime, from, to,
                    [&](absl::string_view, absl::string_view id) {
                      const v1::Return* r = rows->Find(kReturns, id);
                      if (r != nullptr) add(*r);
                      return true;
                    });
  }
  s.set_customers(static_cast<int64_t>(customers.size()));
  s.mutable_amount_granted()->set_minor_units(granted);
  *s.mutable_amount_paid() = s.amount_granted();
  s.mutable_amount_paid()->set_minor_units(paid);
  AddCounts(states, *s.mutable_by_state());
  AddCounts(reasons, *s.mutable_by_reason());
  AddCounts(outcomes, *s.mutable_by_outcome());
  for (const auto& [kind, count] : clocks) *s.add_clocks() = count;
  return s;
}

}  // namespace aftercare::returns
