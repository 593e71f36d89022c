#include "services/returns/domain/return.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "aftercare/returns/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/calendar/sla.h"
#include "libs/handbook/policy.h"
#include "services/returns/domain/progress.h"
#include "services/returns/domain/sale_line.h"
#include "services/returns/domain/tables.h"

namespace aftercare::returns {
namespace {

using common::v1::Money;
using common::v1::SlaClock;
using Serials = google::protobuf::RepeatedPtrField<std::string>;

constexpr absl::string_view kReturnPattern =
    "companies/*/customers/*/returns/*";
constexpr absl::string_view kSaleLinePattern =
    "companies/*/customers/*/saleLines/*";
constexpr absl::string_view kProcessing = "processing";

std::vector<Draft<v1::ReturnsEvent>> One(absl::string_view subject,
                                         v1::ReturnsEvent event) {
  std::vector<Draft<v1::ReturnsEvent>> drafts;
  drafts.push_back({std::string(subject), std::move(event)});
  return drafts;
}

std::string Item(absl::string_view list, int i, absl::string_view field) {
  return absl::StrCat(list, "[", i, "].", field);
}

template <typename Range>
bool Contains(const Range& range, absl::string_view text) {
  return std::find(range.begin(), range.end(), text) != range.end();
}

absl::Status Ended(const v1::Return& r) {
  return Refuse(
      v1::REASON_RETURN_ENDED, "the return has ended",
      {{"name", r.name()}, {"state", v1::Return::State_Name(r.state())}});
}

// The return a command speaks of, checked for name, etag and the order of
// steps. Commands that go on with a return have no use for one that ended.
template <typename Request>
absl::StatusOr<const v1::Return*> FindReturn(const RowReader& rows,
                                             const CommandContext& context,
                                             const Request& request) {
  RETURN_IF_ERROR(CheckName("name", kReturnPattern, request.name()));
  const v1::Return* r = rows.Find(kReturns, request.name());
  if (r == nullptr) return NotFound(request.name());
  RETURN_IF_ERROR(CheckEtag(request.etag(), r->etag()));
  if (IsEnded(*r)) return Ended(*r);
  const absl::Time last = FromProto(r->last_step_time());
  if (context.occur_time < last) {
    return Refuse(v1::REASON_OCCUR_TIME_TOO_EARLY,
                  "occur_time lies before the return's latest step",
                  {{"earliest", FormatRfc3339(last)}});
  }
  return r;
}

// Lines of a request: some, not too many, each sale line named once.
template <typename Lines>
absl::Status CheckLines(const Lines& lines) {
  if (lines.empty()) return InvalidField("lines", "is missing");
  if (lines.size() > kMaxLines) {
    return InvalidField("lines", absl::StrCat("holds more than ", kMaxLines));
  }
  absl::flat_hash_set<absl::string_view> seen;
  for (int i = 0; i < lines.size(); ++i) {
    const std::string field = Item("lines", i, "sale_line");
    RETURN_IF_ERROR(CheckName(field, kSaleLinePattern, lines[i].sale_line()));
    if (!seen.insert(lines[i].sale_line()).second) {
      return InvalidField(field, "is named twice");
    }
  }
  return absl::OkStatus();
}

// As CheckLines, for lines that name units.
absl::Status CheckUnits(
    const google::protobuf::RepeatedPtrField<v1::Units>& lines) {
  RETURN_IF_ERROR(CheckLines(lines));
  for (int i = 0; i < lines.size(); ++i) {
    RETURN_IF_ERROR(CheckRange(Item("lines", i, "quantity"),
                               lines[i].quantity(), 1, kMaxQuantity));
    RETURN_IF_ERROR(CheckSerials(Item("lines", i, "serials"),
                                 lines[i].serials(), lines[i].quantity()));
  }
  return absl::OkStatus();
}

absl::Status NoSuchLine(int i) {
  return InvalidField(Item("lines", i, "sale_line"),
                      "is no line of the return");
}

absl::Status OwnSerialsNeeded(int i) {
  return InvalidField(Item("lines", i, "serials"),
                      "must hold one for each unit: they have serials");
}

absl::Status NotTheApprover(const v1::Return& r, absl::string_view role) {
  return Refuse(v1::REASON_NOT_THE_APPROVER,
                "it is another role's turn to sign",
                {{"name", r.name()}, {"role", std::string(role)}});
}

absl::Status NotRequested(const v1::Return& r) {
  return Refuse(
      v1::REASON_RETURN_NOT_REQUESTED, "the return waits for no signature",
      {{"name", r.name()}, {"state", v1::Return::State_Name(r.state())}});
}

bool HasRole(const handbook::v1::Person* person, absl::string_view role) {
  return person != nullptr && Contains(person->roles(), role);
}

const handbook::v1::ReturnReason* FindReason(const handbook::Policy& policy,
                                             absl::string_view id) {
  for (const auto& reason : policy.handbook().returns().reasons()) {
    if (reason.id() == id) return &reason;
  }
  return nullptr;
}

// RET-26: still inside the window?
absl::Status CheckWindow(const CommandContext& context,
                         const v1::SaleLine& line) {
  const auto& returns = context.policy->handbook().returns();
  if (!returns.has_window()) return absl::OkStatus();
  const absl::Time start = FromProto(
      returns.window_start() == handbook::v1::ORDER ? line.order_time()
                                                    : line.delivery_time());
  ASSIGN_OR_RETURN(
      const absl::Time end,
      calendar::EndOfSpan(returns.window(), start,
                          context.policy->FindCalendar(returns.calendar()),
                          context.policy->zone()));
  if (context.occur_time <= end) return absl::OkStatus();
  return Refuse(
      v1::REASON_RETURN_WINDOW_OVER, "the time for returns is over",
      {{"sale_line", line.name()}, {"window_end", FormatRfc3339(end)}});
}

// CASE-22 to CASE-24: units delivered, not bound by another return, and where
// they have serials, exactly those.
absl::Status CheckReturnable(const v1::SaleLine& line, const v1::Units& units,
                             int i) {
  const int64_t returnable =
      line.quantity_delivered() - line.quantity_in_returns();
  if (units.quantity() > returnable) {
    return Refuse(v1::REASON_QUANTITY_NOT_RETURNABLE,
                  "fewer units are left to return",
                  {{"sale_line", line.name()},
                   {"quantity", absl::StrCat(units.quantity())},
                   {"returnable", absl::StrCat(returnable)}});
  }
  if (!line.serials().empty() && units.serials().empty()) {
    return OwnSerialsNeeded(i);
  }
  for (const std::string& serial : units.serials()) {
    if (!Contains(line.serials(), serial)) {
      return Refuse(v1::REASON_SERIAL_NOT_SOLD,
                    "no unit with this serial number was sold on the line",
                    {{"sale_line", line.name()}, {"serial", serial}});
    }
    if (Contains(line.serials_in_returns(), serial)) {
      return Refuse(v1::REASON_SERIAL_IN_RETURN,
                    "the unit with this serial number is being returned",
                    {{"sale_line", line.name()}, {"serial", serial}});
    }
  }
  return absl::OkStatus();
}

absl::Status UnitsNotAccepted(const v1::ReturnLine& line, int64_t wanted) {
  return Refuse(v1::REASON_UNITS_NOT_ACCEPTED,
                "fewer accepted units wait to be settled",
                {{"sale_line", line.sale_line()},
                 {"quantity", absl::StrCat(wanted)},
                 {"unsettled", absl::StrCat(Unsettled(line))}});
}

absl::Status AboveCeiling(const v1::ReturnLine& line, int64_t amount,
                          int64_t ceiling) {
  return Refuse(v1::REASON_REFUND_ABOVE_CEILING,
                "refunds would exceed the price paid for the accepted units",
                {{"sale_line", line.sale_line()},
                 {"amount", absl::StrCat(amount)},
                 {"granted", absl::StrCat(line.amount_granted().minor_units())},
                 {"ceiling", absl::StrCat(ceiling)}});
}

Money Amount(absl::string_view currency, int64_t minor_units) {
  Money money;
  money.set_currency_code(std::string(currency));
  money.set_minor_units(minor_units);
  return money;
}

// Everything accepted and not settled, at the price paid, less what partial
// refunds of the same units have granted (CASE-26).
google::protobuf::RepeatedPtrField<v1::Refund::Line> AllUnsettled(
    const v1::Return& r) {
  google::protobuf::RepeatedPtrField<v1::Refund::Line> lines;
  for (const v1::ReturnLine& line : r.lines()) {
    const int64_t units = Unsettled(line);
    if (units == 0) continue;
    auto* part = lines.Add();
    part->set_sale_line(line.sale_line());
    part->set_quantity(units);
    const Money& price = line.unit_price_paid();
    *part->mutable_amount() =
        Amount(price.currency_code(),
               std::min(units * price.minor_units(),
                        Ceiling(line) - line.amount_granted().minor_units()));
  }
  return lines;
}

absl::Status CheckRefundLine(const v1::Return& r, const v1::Refund::Line& part,
                             int i) {
  const v1::ReturnLine* line = FindLine(r, part.sale_line());
  if (line == nullptr) return NoSuchLine(i);
  const std::string amount_field = Item("lines", i, "amount");
  RETURN_IF_ERROR(CheckMoney(amount_field, part.amount(),
                             line->unit_price_paid().currency_code()));
  if (part.quantity() > Unsettled(*line)) {
    return UnitsNotAccepted(*line, part.quantity());
  }
  const int64_t ceiling = Ceiling(*line);
  const int64_t left = ceiling - line->amount_granted().minor_units();
  const int64_t amount = part.amount().minor_units();
  // Nothing for a unit is a refund only where nothing is left to give.
  if (amount == 0 && (part.quantity() == 0 || left > 0)) {
    return InvalidField(absl::StrCat(amount_field, ".minor_units"),
                        "must be positive");
  }
  if (amount > left) return AboveCeiling(*line, amount, ceiling);
  return absl::OkStatus();
}

v1::Return::Outcome OutcomeOf(const v1::Return& r) {
  bool refunded = false;
  bool replaced = false;
  bool rejected = false;
  for (const v1::ReturnLine& line : r.lines()) {
    refunded |= line.quantity_refunded() > 0;
    replaced |= line.quantity_replaced() > 0;
    rejected |= line.quantity_rejected() > 0;
  }
  if (refunded + replaced + rejected > 1) return v1::Return::MIXED;
  if (refunded) return v1::Return::REFUNDED;
  return replaced ? v1::Return::REPLACED : v1::Return::REJECTED;
}

// The state a fact leads to.
template <typename Fact>
v1::Return::State StateAfter(const v1::Return& r, const Fact& fact,
                             const CommandContext& context) {
  return StateOf(With(r, fact, context.occur_time));
}

}  // namespace

// RET-02, RET-26, RET-31: reason known, window open, units returnable.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::RequestReturnRequest& request) {
  RETURN_IF_ERROR(
      CheckName("parent", "companies/*/customers/*", request.parent()));
  RETURN_IF_ERROR(CheckId("return_id", request.return_id()));
  RETURN_IF_ERROR(CheckEnum("kind", request.kind()));
  RETURN_IF_ERROR(CheckText("reason", request.reason(), 63));
  RETURN_IF_ERROR(
      CheckOptionalText("description", request.description(), kMaxLongText));
  RETURN_IF_ERROR(CheckUnits(request.lines()));
  for (int i = 0; i < request.lines_size(); ++i) {
    if (BoundaryOf(request.lines(i).sale_line()) != request.parent()) {
      return InvalidField(Item("lines", i, "sale_line"),
                          "belongs to another customer");
    }
  }
  const std::string name =
      absl::StrCat(request.parent(), "/returns/", request.return_id());
  if (rows.Find(kReturns, name) != nullptr) return AlreadyExists(name);
  const auto* reason = FindReason(*context.policy, request.reason());
  if (reason == nullptr) {
    return Refuse(v1::REASON_RETURN_REASON_UNKNOWN,
                  "the handbook accepts no returns for this reason",
                  {{"reason", request.reason()}});
  }

  v1::ReturnsEvent event;
  auto& r = *event.mutable_return_requested()->mutable_return_();
  for (int i = 0; i < request.lines_size(); ++i) {
    const v1::Units& units = request.lines(i);
    const v1::SaleLine* sold = rows.Find(kSaleLines, units.sale_line());
    if (sold == nullptr) return NotFound(units.sale_line());
    RETURN_IF_ERROR(CheckReturnable(*sold, units, i));
    const absl::Time delivered = FromProto(sold->delivery_time());
    if (context.occur_time < delivered) {
      return Refuse(v1::REASON_OCCUR_TIME_TOO_EARLY,
                    "the request lies before the delivery",
                    {{"earliest", FormatRfc3339(delivered)}});
    }
    if (!reason->outside_window()) {
      RETURN_IF_ERROR(CheckWindow(context, *sold));
    }
    auto& line = *r.add_lines();
    line.set_sale_line(units.sale_line());
    line.set_product(sold->product());
    line.set_quantity(units.quantity());
    *line.mutable_serials() = units.serials();
    *line.mutable_unit_price_paid() = sold->unit_price_paid();
    *line.mutable_amount_granted() =
        Amount(sold->unit_price_paid().currency_code(), 0);
  }
  const std::string& currency = context.policy->handbook().currency_code();
  r.set_name(name);
  *r.mutable_create_time() = ToProto(context.occur_time);
  *r.mutable_request_time() = ToProto(context.occur_time);
  *r.mutable_last_step_time() = ToProto(context.occur_time);
  r.set_kind(request.kind());
  r.set_reason(request.reason());
  r.set_description(request.description());
  *r.mutable_required_approvals() = reason->approvals();
  r.set_handler(context.actor);
  *r.mutable_amount_granted() = Amount(currency, 0);
  *r.mutable_amount_paid() = Amount(currency, 0);
  r.set_state(StateOf(r));
  return One(name, std::move(event));
}

// RET-05, RET-08: the roles sign in the handbook's order, each by a person of
// its own.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::ApproveReturnRequest& request) {
  RETURN_IF_ERROR(CheckOptionalText("note", request.note(), kMaxLongText));
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  if (r->state() != v1::Return::REQUESTED) return NotRequested(*r);
  const std::string& role = r->required_approvals(r->approvals_size());
  if (!HasRole(context.policy->FindPerson(context.actor), role)) {
    return NotTheApprover(*r, role);
  }
  for (const v1::Approval& earlier : r->approvals()) {
    if (earlier.by() == context.actor) {
      return Refuse(v1::REASON_APPROVED_BY_SAME_PERSON,
                    "the person has signed already",
                    {{"name", r->name()}, {"by", context.actor}});
    }
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_return_approved();
  fact.set_name(r->name());
  fact.set_by(context.actor);
  fact.set_role(role);
  fact.set_step(r->approvals_size() + 1);
  fact.set_complete(fact.step() == r->required_approvals_size());
  fact.set_note(request.note());
  fact.set_state(StateAfter(*r, fact, context));
  return One(r->name(), std::move(event));
}

// RET-06: refused with an explanation.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::RefuseReturnRequest& request) {
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxLongText));
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  if (r->state() != v1::Return::REQUESTED) return NotRequested(*r);
  const std::string& role = r->required_approvals(r->approvals_size());
  const auto* person = context.policy->FindPerson(context.actor);
  if (!HasRole(person, role) && !HasRole(person, "supervisor")) {
    return NotTheApprover(*r, role);
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_return_refused();
  fact.set_name(r->name());
  fact.set_by(context.actor);
  fact.set_reason(request.reason());
  fact.set_role(role);
  return One(r->name(), std::move(event));
}

ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::CancelReturnRequest& request) {
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxLongText));
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  if (r->state() != v1::Return::REQUESTED &&
      r->state() != v1::Return::APPROVED) {
    return Refuse(v1::REASON_GOODS_ARRIVED, "goods of the return have arrived",
                  {{"name", r->name()}});
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_return_cancelled();
  fact.set_name(r->name());
  fact.set_by(context.actor);
  fact.set_reason(request.reason());
  return One(r->name(), std::move(event));
}

// RET-10, RET-34: only what was approved comes in; the first arrival starts
// the clock of RET-29.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::ReceiveGoodsRequest& request) {
  RETURN_IF_ERROR(CheckOptionalText("note", request.note(), kMaxLongText));
  RETURN_IF_ERROR(CheckUnits(request.lines()));
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  if (r->state() == v1::Return::REQUESTED) {
    return Refuse(v1::REASON_RETURN_NOT_APPROVED, "the return is not approved",
                  {{"name", r->name()}});
  }
  for (int i = 0; i < request.lines_size(); ++i) {
    const v1::Units& units = request.lines(i);
    const v1::ReturnLine* line = FindLine(*r, units.sale_line());
    if (line == nullptr) return NoSuchLine(i);
    const int64_t missing = line->quantity() - line->quantity_received();
    if (units.quantity() > missing) {
      return Refuse(v1::REASON_GOODS_NOT_EXPECTED,
                    "more units than the return names",
                    {{"sale_line", line->sale_line()},
                     {"quantity", absl::StrCat(units.quantity())},
                     {"missing", absl::StrCat(missing)}});
    }
    if (!line->serials().empty() && units.serials().empty()) {
      return OwnSerialsNeeded(i);
    }
    for (const std::string& serial : units.serials()) {
      if (!Contains(line->serials(), serial) ||
          Contains(line->received_serials(), serial)) {
        return Refuse(v1::REASON_GOODS_NOT_EXPECTED,
                      "the return does not wait for this serial number",
                      {{"sale_line", line->sale_line()}, {"serial", serial}});
      }
    }
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_goods_received();
  fact.set_name(r->name());
  *fact.mutable_lines() = request.lines();
  fact.set_by(context.actor);
  fact.set_note(request.note());
  const auto& returns = context.policy->handbook().returns();
  const auto* target =
      context.policy->FindTarget(returns.clocks(), kProcessing, "", "");
  if (r->clocks().empty() && target != nullptr) {
    *fact.add_clocks() = calendar::StartClock(
        *target, context.policy->FindCalendar(target->calendar()),
        context.policy->version(), context.occur_time, context.record_time,
        FromProto(returns.late_report_grace()));
  }
  fact.set_state(StateAfter(*r, fact, context));
  return One(r->name(), std::move(event));
}

// RET-12 to RET-14: every unit is inspected; what is not accepted has its
// written finding, a fault of the company its responsible.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::InspectReturnRequest& request) {
  RETURN_IF_ERROR(CheckLines(request.lines()));
  for (int i = 0; i < request.lines_size(); ++i) {
    const v1::InspectedLine& part = request.lines(i);
    RETURN_IF_ERROR(CheckRange(Item("lines", i, "accepted"), part.accepted(), 0,
                               kMaxQuantity));
    RETURN_IF_ERROR(CheckRange(Item("lines", i, "damaged"), part.damaged(), 0,
                               kMaxQuantity));
    RETURN_IF_ERROR(CheckSerials(Item("lines", i, "damaged_serials"),
                                 part.damaged_serials(), part.damaged()));
    RETURN_IF_ERROR(CheckEnum(Item("lines", i, "fault"), part.fault()));
    const std::string finding = Item("lines", i, "finding");
    RETURN_IF_ERROR(
        part.damaged() > 0 || part.fault() != v1::NO_FAULT
            ? CheckText(finding, part.finding(), kMaxLongText)
            : CheckOptionalText(finding, part.finding(), kMaxLongText));
    const std::string responsible = Item("lines", i, "responsible");
    RETURN_IF_ERROR(
        part.fault() == v1::COMPANY
            ? CheckText(responsible, part.responsible(), kMaxShortText)
            : CheckOptionalText(responsible, part.responsible(),
                                kMaxShortText));
  }
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  for (int i = 0; i < request.lines_size(); ++i) {
    const v1::InspectedLine& part = request.lines(i);
    const v1::ReturnLine* line = FindLine(*r, part.sale_line());
    if (line == nullptr) return NoSuchLine(i);
    const int64_t waiting = Uninspected(*line);
    if (waiting == 0) {
      return Refuse(v1::REASON_NOTHING_TO_INSPECT,
                    "no unit of the line waits for inspection",
                    {{"sale_line", line->sale_line()}});
    }
    if (part.accepted() + part.damaged() != waiting) {
      return Refuse(v1::REASON_INSPECTION_INCOMPLETE,
                    "accepted and damaged are not all units that wait",
                    {{"sale_line", line->sale_line()},
                     {"accepted", absl::StrCat(part.accepted())},
                     {"damaged", absl::StrCat(part.damaged())},
                     {"waiting", absl::StrCat(waiting)}});
    }
    if (line->serials().empty()) {
      if (!part.damaged_serials().empty()) {
        return InvalidField(Item("lines", i, "damaged_serials"),
                            "is set but the units have no serials");
      }
      continue;
    }
    if (part.damaged_serials_size() != part.damaged()) {
      return InvalidField(Item("lines", i, "damaged_serials"),
                          "must hold one for each damaged unit");
    }
    // Units are inspected in the order of arrival: the last `waiting` serials.
    const auto first = line->received_serials().end() - waiting;
    for (const std::string& serial : part.damaged_serials()) {
      if (std::find(first, line->received_serials().end(), serial) ==
          line->received_serials().end()) {
        return InvalidField(
            Item("lines", i, "damaged_serials"),
            absl::StrCat("no unit ", serial, " waits for inspection"));
      }
    }
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_return_inspected();
  fact.set_name(r->name());
  fact.set_by(context.actor);
  *fact.mutable_lines() = request.lines();
  fact.set_state(StateAfter(*r, fact, context));
  return One(r->name(), std::move(event));
}

// CASE-22, CASE-26, CASE-27: never more in all than the price paid for the
// accepted units. Accepted units never become returnable again, so the sale
// line's sum over all its returns keeps below the price of what was delivered.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::RefundReturnRequest& request) {
  RETURN_IF_ERROR(CheckOptionalText("note", request.note(), kMaxLongText));
  if (!request.lines().empty()) {
    RETURN_IF_ERROR(CheckLines(request.lines()));
    for (int i = 0; i < request.lines_size(); ++i) {
      RETURN_IF_ERROR(CheckRange(Item("lines", i, "quantity"),
                                 request.lines(i).quantity(), 0, kMaxQuantity));
    }
  }
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  if (r->refunds_size() >= kMaxRefunds) {
    return Refuse(v1::REASON_TOO_MANY_REFUNDS,
                  "the return holds no more refunds",
                  {{"refunds", absl::StrCat(r->refunds_size())}});
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_refund_granted();
  v1::Refund& refund = *fact.mutable_refund();
  if (request.lines().empty()) {
    *refund.mutable_lines() = AllUnsettled(*r);
    if (refund.lines().empty()) {
      return Refuse(v1::REASON_UNITS_NOT_ACCEPTED,
                    "no accepted unit waits to be settled",
                    {{"name", r->name()}});
    }
  } else {
    for (int i = 0; i < request.lines_size(); ++i) {
      RETURN_IF_ERROR(CheckRefundLine(*r, request.lines(i), i));
    }
    *refund.mutable_lines() = request.lines();
  }
  int64_t sum = 0;
  for (const v1::Refund::Line& part : refund.lines()) {
    sum += part.amount().minor_units();
  }
  const Money amount = Amount(r->amount_granted().currency_code(), sum);
  refund.set_number(r->refunds_size() + 1);
  *refund.mutable_amount() = amount;
  refund.set_granted_by(context.actor);
  *refund.mutable_grant_time() = ToProto(context.occur_time);
  refund.set_note(request.note());
  fact.set_name(r->name());
  *fact.mutable_amount() = amount;
  fact.set_by(context.actor);
  fact.set_state(StateAfter(*r, fact, context));
  return One(r->name(), std::move(event));
}

// CASE-28: a grant is not a payout; one payout has one reference.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::ConfirmRefundPaidRequest& request) {
  RETURN_IF_ERROR(
      CheckRange("refund_number", request.refund_number(), 1, kMaxRefunds));
  RETURN_IF_ERROR(CheckText("payment_reference", request.payment_reference(),
                            kMaxShortText));
  if (request.payment_reference().find_first_of("\r\n") != std::string::npos) {
    return InvalidField("payment_reference", "holds a line break");
  }
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  if (request.refund_number() > r->refunds_size()) {
    return Refuse(v1::REASON_REFUND_NOT_FOUND,
                  "the return has no refund of this number",
                  {{"name", r->name()},
                   {"refund_number", absl::StrCat(request.refund_number())}});
  }
  std::string used_by;
  const std::string key =
      PaymentKey(BoundaryOf(r->name()), request.payment_reference());
  rows.ScanIndex(kReturnByPayment, key, PrefixEnd(key),
                 [&](absl::string_view, absl::string_view id) {
                   used_by = std::string(id);
                   return false;
                 });
  if (!used_by.empty()) {
    return Refuse(v1::REASON_PAYMENT_REFERENCE_USED,
                  "another payout has this reference",
                  {{"payment_reference", request.payment_reference()},
                   {"return", used_by}});
  }
  const v1::Refund& refund = r->refunds(request.refund_number() - 1);
  if (!refund.payment_reference().empty()) {
    return Refuse(v1::REASON_REFUND_ALREADY_PAID, "the refund is paid",
                  {{"payment_reference", refund.payment_reference()}});
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_refund_paid();
  fact.set_name(r->name());
  fact.set_refund_number(request.refund_number());
  *fact.mutable_amount() = refund.amount();
  fact.set_payment_reference(request.payment_reference());
  fact.set_by(context.actor);
  fact.set_state(StateAfter(*r, fact, context));
  return One(r->name(), std::move(event));
}

// RET-16: new units in place of accepted ones.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::SendReplacementRequest& request) {
  RETURN_IF_ERROR(CheckUnits(request.lines()));
  RETURN_IF_ERROR(
      CheckOptionalText("tracking", request.tracking(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  for (int i = 0; i < request.lines_size(); ++i) {
    const v1::Units& units = request.lines(i);
    const v1::ReturnLine* line = FindLine(*r, units.sale_line());
    if (line == nullptr) return NoSuchLine(i);
    if (units.quantity() > Unsettled(*line)) {
      return UnitsNotAccepted(*line, units.quantity());
    }
    // A unit is either replaced or refunded: money granted for it blocks.
    const int64_t ceiling =
        Ceiling(*line) -
        units.quantity() * line->unit_price_paid().minor_units();
    if (line->amount_granted().minor_units() > ceiling) {
      return AboveCeiling(*line, 0, ceiling);
    }
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_replacement_sent();
  fact.set_name(r->name());
  *fact.mutable_lines() = request.lines();
  fact.set_tracking(request.tracking());
  fact.set_by(context.actor);
  fact.set_state(StateAfter(*r, fact, context));
  return One(r->name(), std::move(event));
}

// RET-14, RET-28: what was not accepted goes back with an explanation.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::RejectReturnRequest& request) {
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxLongText));
  RETURN_IF_ERROR(
      CheckOptionalText("tracking", request.tracking(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_return_rejected();
  for (const v1::ReturnLine& line : r->lines()) {
    const int64_t units = Unrejected(line);
    if (units == 0) continue;
    auto* part = fact.add_lines();
    part->set_sale_line(line.sale_line());
    part->set_quantity(units);
    if (line.damaged_serials().empty()) continue;
    part->mutable_serials()->Assign(line.damaged_serials().end() - units,
                                    line.damaged_serials().end());
  }
  if (fact.lines().empty()) {
    return Refuse(v1::REASON_NOTHING_TO_REJECT,
                  "no damaged unit waits to be sent back",
                  {{"name", r->name()}});
  }
  fact.set_name(r->name());
  fact.set_reason(request.reason());
  fact.set_tracking(request.tracking());
  fact.set_by(context.actor);
  fact.set_state(StateAfter(*r, fact, context));
  return One(r->name(), std::move(event));
}

// RET-29, RET-38: processed and the result told. Units that never came are the
// customer's again.
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::CloseReturnRequest& request) {
  RETURN_IF_ERROR(CheckText("result", request.result(), kMaxLongText));
  ASSIGN_OR_RETURN(const v1::Return* r, FindReturn(rows, context, request));
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_return_closed();
  int64_t received = 0;
  int64_t uninspected = 0;
  int64_t unsettled = 0;
  for (const v1::ReturnLine& line : r->lines()) {
    received += line.quantity_received();
    uninspected += Uninspected(line);
    unsettled += Unsettled(line) + Unrejected(line);
    if (line.quantity_received() == line.quantity()) continue;
    auto* missing = fact.add_not_received();
    missing->set_sale_line(line.sale_line());
    missing->set_quantity(line.quantity() - line.quantity_received());
    for (const std::string& serial : line.serials()) {
      if (!Contains(line.received_serials(), serial)) {
        missing->add_serials(serial);
      }
    }
  }
  const Metadata name = {{"name", r->name()}};
  if (received == 0) {
    return Refuse(v1::REASON_NOTHING_RECEIVED, "no goods have arrived", name);
  }
  if (uninspected > 0) {
    return Refuse(v1::REASON_GOODS_NOT_INSPECTED, "units wait for inspection",
                  name);
  }
  if (unsettled > 0) {
    return Refuse(v1::REASON_UNITS_NOT_SETTLED,
                  "units are neither refunded, replaced nor sent back", name);
  }
  if (r->amount_granted().minor_units() != r->amount_paid().minor_units()) {
    return Refuse(v1::REASON_REFUND_NOT_PAID, "a granted refund is not paid",
                  name);
  }
  fact.set_name(r->name());
  fact.set_by(context.actor);
  fact.set_outcome(OutcomeOf(*r));
  fact.set_result(request.result());
  fact.set_handler(r->handler());
  for (const SlaClock& clock : r->clocks()) {
    *fact.add_clocks() = calendar::StopClock(
        clock, context.policy->FindCalendar(clock.calendar()),
        context.occur_time);
  }
  return One(r->name(), std::move(event));
}

ReturnDecision DecideTimer(const RowReader& rows, const CommandContext& context,
                           absl::string_view name) {
  std::vector<Draft<v1::ReturnsEvent>> drafts;
  const v1::Return* r = rows.Find(kReturns, name);
  if (r == nullptr) return drafts;
  for (const SlaClock& clock : r->clocks()) {
    if (!clock.has_check_time()) continue;
    SlaClock checked = calendar::CheckClock(clock, context.record_time);
    if (!checked.breached()) continue;
    v1::ReturnsEvent event;
    auto& fact = *event.mutable_clock_breached();
    fact.set_name(r->name());
    *fact.mutable_clock() = std::move(checked);
    fact.set_responsible(r->handler());
    drafts.push_back({r->name(), std::move(event)});
  }
  return drafts;
}

}  // namespace aftercare::returns
