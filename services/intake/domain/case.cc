#include "services/intake/domain/case.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/calendar/sla.h"
#include "libs/handbook/policy.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {
namespace {

using calendar::SlaClock;
using Drafts = std::vector<Draft<v1::IntakeEvent>>;
using Clocks = google::protobuf::RepeatedPtrField<SlaClock>;

constexpr absl::string_view kCasePattern = "companies/*/customers/*/cases/*";
constexpr absl::string_view kFirstResponse = "first_response";
constexpr absl::string_view kResolution = "resolution";

void Append(Drafts& drafts, absl::string_view name, v1::IntakeEvent event) {
  drafts.push_back({std::string(name), std::move(event)});
}

absl::Duration Grace(const CommandContext& context) {
  return FromProto(context.policy->handbook().intake().late_report_grace());
}

// The case a command speaks of, checked for name and etag.
template <typename Request>
absl::StatusOr<const v1::Case*> FindCase(const RowReader& rows,
                                         const Request& request) {
  RETURN_IF_ERROR(CheckName("name", kCasePattern, request.name()));
  const v1::Case* found = rows.Find(kCases, request.name());
  if (found == nullptr) return NotFound(request.name());
  if constexpr (requires { request.etag(); }) {
    RETURN_IF_ERROR(CheckEtag(request.etag(), found->etag()));
  }
  return found;
}

absl::Status NotOpen(const v1::Case& c) {
  return Refuse(
      v1::REASON_CASE_NOT_OPEN, "the case is not open",
      {{"name", c.name()}, {"state", v1::Case::State_Name(c.state())}});
}

bool IsOpen(const v1::Case& c) {
  return c.state() == v1::Case::OPEN || c.state() == v1::Case::PAUSED;
}

// What happened cannot have happened before the case came in.
absl::Status CheckNotBefore(const CommandContext& context,
                            const google::protobuf::Timestamp& earliest) {
  if (context.occur_time >= FromProto(earliest)) return absl::OkStatus();
  return Refuse(v1::REASON_OCCUR_TIME_TOO_EARLY,
                "occur_time lies before what the command builds on",
                {{"earliest", FormatRfc3339(FromProto(earliest))}});
}

// Puts each clock through `change` and keeps in `changed` those that differ.
void ChangeClocks(
    const Clocks& clocks, const CommandContext& context, Clocks* changed,
    const std::function<SlaClock(const SlaClock&, const calendar::Calendar*)>&
        change) {
  for (const SlaClock& clock : clocks) {
    SlaClock now =
        change(clock, context.policy->FindCalendar(clock.calendar()));
    if (now.SerializeAsString() != clock.SerializeAsString()) {
      *changed->Add() = std::move(now);
    }
  }
}

void StopOf(absl::string_view kind, const Clocks& clocks,
            const CommandContext& context, Clocks* changed) {
  ChangeClocks(clocks, context, changed,
               [&](const SlaClock& clock, const calendar::Calendar* calendar) {
                 return kind.empty() || clock.kind() == kind
                            ? StopClock(clock, calendar, context.occur_time)
                            : clock;
               });
}

// The clocks of `c` with the changed ones put in.
Clocks Merged(const v1::Case& c, const Clocks& changed) {
  Clocks merged = c.clocks();
  for (SlaClock& clock : merged) {
    for (const SlaClock& now : changed) {
      if (now.kind() == clock.kind()) clock = now;
    }
  }
  return merged;
}

v1::IntakeEvent Paused(const v1::Case& c, const Clocks& clocks,
                       const CommandContext& context,
                       const std::string& reason) {
  v1::IntakeEvent event;
  auto& paused = *event.mutable_case_paused();
  paused.set_name(c.name());
  paused.set_reason(reason);
  ChangeClocks(clocks, context, paused.mutable_clocks(),
               [&](const SlaClock& clock, const calendar::Calendar* calendar) {
                 return PauseClock(clock, calendar, context.occur_time);
               });
  return event;
}

absl::StatusOr<v1::IntakeEvent> Resolved(const v1::Case& c,
                                         const CommandContext& context,
                                         const std::string& by,
                                         const std::string& text,
                                         bool by_timeout) {
  v1::IntakeEvent event;
  auto& resolved = *event.mutable_case_resolved();
  resolved.set_name(c.name());
  if (!by_timeout) resolved.set_by(by);
  resolved.set_resolution(text);
  resolved.set_by_timeout(by_timeout);
  resolved.set_kind(c.kind());
  resolved.set_owner(c.owner());
  // Whoever resolves has answered; every clock stops.
  StopOf("", c.clocks(), context, resolved.mutable_clocks());
  const auto& intake = context.policy->handbook().intake();
  if (intake.has_follow_up_after() && !by_timeout) {
    ASSIGN_OR_RETURN(
        const absl::Time due,
        calendar::EndOfSpan(intake.follow_up_after(), context.occur_time,
                            nullptr, context.policy->zone()));
    // A resolution reported after the fact leaves time to report its
    // follow-up too.
    *resolved.mutable_follow_up_due_time() =
        ToProto(std::max(due, context.occur_time == context.record_time
                                  ? due
                                  : context.record_time + Grace(context)));
  }
  return event;
}

}  // namespace

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::OpenCaseRequest& request) {
  RETURN_IF_ERROR(
      CheckName("parent", "companies/*/customers/*", request.parent()));
  RETURN_IF_ERROR(CheckId("case_id", request.case_id()));
  RETURN_IF_ERROR(CheckEnum("kind", request.kind()));
  if (request.priority() != v1::Case::PRIORITY_UNSPECIFIED) {
    RETURN_IF_ERROR(CheckEnum("priority", request.priority()));
  }
  RETURN_IF_ERROR(CheckText("channel", request.channel(), kMaxShortText));
  RETURN_IF_ERROR(CheckText("subject", request.subject(), kMaxShortText));
  RETURN_IF_ERROR(
      CheckOptionalText("description", request.description(), kMaxLongText));
  RETURN_IF_ERROR(
      CheckOptionalText("product_line", request.product_line(), 63));
  if (!request.asset().empty()) {
    RETURN_IF_ERROR(CheckName("asset", "companies/*/customers/*/assets/*",
                              request.asset()));
    if (BoundaryOf(request.asset()) != request.parent()) {
      return InvalidField("asset", "belongs to another customer");
    }
  }
  const v1::Customer* customer = rows.Find(kCustomers, request.parent());
  if (customer == nullptr) return NotFound(request.parent());
  const std::string name =
      absl::StrCat(request.parent(), "/cases/", request.case_id());
  if (rows.Find(kCases, name) != nullptr) return AlreadyExists(name);
  const auto& intake = context.policy->handbook().intake();
  if (std::find(intake.channels().begin(), intake.channels().end(),
                request.channel()) == intake.channels().end()) {
    return Refuse(v1::REASON_CHANNEL_UNKNOWN,
                  "the handbook accepts no requests by this channel",
                  {{"channel", request.channel()}});
  }

  v1::IntakeEvent event;
  auto& c = *event.mutable_case_opened()->mutable_case_();
  c.set_name(name);
  c.set_state(v1::Case::OPEN);
  c.set_kind(request.kind());
  c.set_priority(request.priority() == v1::Case::PRIORITY_UNSPECIFIED
                     ? v1::Case::NORMAL
                     : request.priority());
  c.set_channel(request.channel());
  c.set_subject(request.subject());
  c.set_description(request.description());
  c.set_product_line(request.product_line());
  c.set_region(customer->region());
  // INT-04: the first receiver owns the case.
  c.set_owner(context.actor);
  *c.mutable_create_time() = ToProto(context.occur_time);
  *c.mutable_open_time() = ToProto(context.occur_time);
  if (!request.asset().empty()) {
    const v1::Asset* asset = rows.Find(kAssets, request.asset());
    if (asset == nullptr) return NotFound(request.asset());
    c.set_asset(request.asset());
    if (c.product_line().empty()) c.set_product_line(asset->product_line());
    c.set_in_warranty(asset->has_warranty_end_time() &&
                      context.occur_time <=
                          FromProto(asset->warranty_end_time()));
  }
  if (!c.product_line().empty() &&
      context.policy->FindProductLine(c.product_line()) == nullptr) {
    return Refuse(v1::REASON_PRODUCT_LINE_UNKNOWN,
                  "the handbook names no such product line",
                  {{"product_line", c.product_line()}});
  }
  const std::string kind = absl::AsciiStrToLower(v1::Case::Kind_Name(c.kind()));
  const std::string priority =
      absl::AsciiStrToLower(v1::Case::Priority_Name(c.priority()));
  for (absl::string_view clock : {kFirstResponse, kResolution}) {
    const auto* target =
        context.policy->FindTarget(intake.clocks(), clock, kind, priority);
    if (target == nullptr) continue;
    *c.add_clocks() = calendar::StartClock(
        *target, context.policy->FindCalendar(target->calendar()),
        context.policy->version(), context.occur_time, context.record_time,
        Grace(context));
  }
  Drafts drafts;
  Append(drafts, name, std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::ReplyToCaseRequest& request) {
  RETURN_IF_ERROR(CheckText("text", request.text(), kMaxLongText));
  RETURN_IF_ERROR(
      CheckOptionalText("pause_reason", request.pause_reason(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (!IsOpen(*c)) return NotOpen(*c);
  RETURN_IF_ERROR(CheckNotBefore(context, c->open_time()));
  if (!request.pause_reason().empty() && c->state() == v1::Case::PAUSED) {
    return Refuse(v1::REASON_CASE_ALREADY_PAUSED, "the case is paused",
                  {{"name", c->name()}});
  }
  Drafts drafts;
  v1::IntakeEvent event;
  auto& replied = *event.mutable_case_replied();
  replied.set_name(c->name());
  replied.set_text(request.text());
  replied.set_from_customer(request.from_customer());
  replied.set_owner(c->owner());
  if (!request.from_customer()) {
    replied.set_by(context.actor);
    StopOf(kFirstResponse, c->clocks(), context, replied.mutable_clocks());
  }
  const Clocks clocks = Merged(*c, replied.clocks());
  Append(drafts, c->name(), std::move(event));
  if (!request.pause_reason().empty()) {
    Append(drafts, c->name(),
           Paused(*c, clocks, context, request.pause_reason()));
  }
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::PauseCaseRequest& request) {
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (c->state() == v1::Case::PAUSED) {
    return Refuse(v1::REASON_CASE_ALREADY_PAUSED, "the case is paused",
                  {{"name", c->name()}});
  }
  if (!IsOpen(*c)) return NotOpen(*c);
  RETURN_IF_ERROR(CheckNotBefore(context, c->state_time()));
  Drafts drafts;
  Append(drafts, c->name(), Paused(*c, c->clocks(), context, request.reason()));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::ResumeCaseRequest& request) {
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (c->state() != v1::Case::PAUSED) {
    return Refuse(v1::REASON_CASE_NOT_PAUSED, "the case is not paused",
                  {{"name", c->name()}});
  }
  RETURN_IF_ERROR(CheckNotBefore(context, c->state_time()));
  v1::IntakeEvent event;
  auto& resumed = *event.mutable_case_resumed();
  resumed.set_name(c->name());
  ChangeClocks(c->clocks(), context, resumed.mutable_clocks(),
               [&](const SlaClock& clock, const calendar::Calendar* calendar) {
                 return ResumeClock(clock, calendar, context.occur_time,
                                    context.record_time, Grace(context));
               });
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::ResolveCaseRequest& request) {
  RETURN_IF_ERROR(CheckText("resolution", request.resolution(), kMaxLongText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (!IsOpen(*c)) return NotOpen(*c);
  RETURN_IF_ERROR(CheckNotBefore(context, c->state_time()));
  ASSIGN_OR_RETURN(auto event,
                   Resolved(*c, context, context.actor, request.resolution(),
                            request.by_timeout()));
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::ReopenCaseRequest& request) {
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (c->state() != v1::Case::RESOLVED && c->state() != v1::Case::CLOSED) {
    return Refuse(v1::REASON_CASE_NOT_RESOLVED,
                  "only a resolved or closed case can be reopened",
                  {{"name", c->name()}});
  }
  RETURN_IF_ERROR(CheckNotBefore(context, c->state_time()));
  const auto& intake = context.policy->handbook().intake();
  if (c->state() == v1::Case::CLOSED && intake.has_reopen_window()) {
    ASSIGN_OR_RETURN(
        const absl::Time end,
        calendar::EndOfSpan(intake.reopen_window(), FromProto(c->close_time()),
                            nullptr, context.policy->zone()));
    if (context.occur_time > end) {
      return Refuse(v1::REASON_REOPEN_WINDOW_OVER,
                    "the case was closed too long ago; open a new one",
                    {{"name", c->name()}, {"until", FormatRfc3339(end)}});
    }
  }
  v1::IntakeEvent event;
  auto& reopened = *event.mutable_case_reopened();
  reopened.set_name(c->name());
  reopened.set_by(context.actor);
  reopened.set_reason(request.reason());
  reopened.set_resolved_by(c->resolved_by());
  reopened.set_reopen_count(c->reopen_count() + 1);
  ChangeClocks(c->clocks(), context, reopened.mutable_clocks(),
               [&](const SlaClock& clock, const calendar::Calendar* calendar) {
                 if (clock.kind() != kResolution) return clock;
                 if (intake.reopen_clock() == handbook::v1::RESTART) {
                   handbook::v1::ClockTarget target;
                   target.set_kind(clock.kind());
                   *target.mutable_target() = clock.target();
                   target.set_calendar(clock.calendar());
                   return calendar::StartClock(
                       target, calendar, context.policy->version(),
                       context.occur_time, context.record_time, Grace(context));
                 }
                 return ReopenClock(
                     clock, calendar, context.occur_time,
                     intake.reopen_clock() != handbook::v1::CLOSED_IS_PAUSE,
                     context.record_time, Grace(context));
               });
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::CloseCaseRequest& request) {
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (c->state() != v1::Case::RESOLVED) {
    return Refuse(
        v1::REASON_CASE_NOT_RESOLVED, "only a resolved case can be closed",
        {{"name", c->name()}, {"state", v1::Case::State_Name(c->state())}});
  }
  RETURN_IF_ERROR(CheckNotBefore(context, c->state_time()));
  // INT-34: a complaint ends when its customer is content; a supervisor may
  // decide otherwise.
  if (c->kind() == v1::Case::COMPLAINT &&
      (c->satisfaction() == 0 || c->dissatisfied())) {
    const auto* person = context.policy->FindPerson(context.actor);
    const bool may_decide =
        person != nullptr &&
        std::any_of(person->roles().begin(), person->roles().end(),
                    [](const std::string& role) {
                      return role == "supervisor" || role == "importer";
                    });
    if (!may_decide) {
      return Refuse(v1::REASON_COMPLAINT_NOT_SATISFIED,
                    "a complaint is closed when the customer is content, or "
                    "by a supervisor (INT-34)",
                    {{"name", c->name()}});
    }
  }
  v1::IntakeEvent event;
  event.mutable_case_closed()->set_name(c->name());
  event.mutable_case_closed()->set_by(context.actor);
  event.mutable_case_closed()->set_kind(c->kind());
  event.mutable_case_closed()->set_region(c->region());
  event.mutable_case_closed()->set_work_order(c->work_order());
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::RecordFollowUpRequest& request) {
  RETURN_IF_ERROR(CheckRange("satisfaction", request.satisfaction(), 1, 5));
  RETURN_IF_ERROR(
      CheckOptionalText("comment", request.comment(), kMaxLongText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (c->state() != v1::Case::RESOLVED && c->state() != v1::Case::CLOSED) {
    return Refuse(v1::REASON_CASE_NOT_RESOLVED,
                  "a follow-up needs a resolved case", {{"name", c->name()}});
  }
  if (c->satisfaction() != 0) {
    return Refuse(v1::REASON_FOLLOW_UP_RECORDED,
                  "this resolution has its follow-up already",
                  {{"name", c->name()}});
  }
  RETURN_IF_ERROR(CheckNotBefore(context, c->resolve_time()));
  v1::IntakeEvent event;
  auto& follow_up = *event.mutable_follow_up_recorded();
  follow_up.set_name(c->name());
  follow_up.set_satisfaction(request.satisfaction());
  follow_up.set_dissatisfied(
      request.satisfaction() <=
      context.policy->handbook().intake().dissatisfied_at());
  follow_up.set_comment(request.comment());
  follow_up.set_by(context.actor);
  follow_up.set_credited_person(c->resolved_by());
  follow_up.set_reopen_count(c->reopen_count());
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::RecordRepairProgressRequest& request) {
  RETURN_IF_ERROR(CheckEnum("stage", request.stage()));
  RETURN_IF_ERROR(CheckOptionalText("note", request.note(), kMaxLongText));
  RETURN_IF_ERROR(CheckName("work_order",
                            "companies/*/territories/*/workOrders/*",
                            request.work_order()));
  RETURN_IF_ERROR(
      request.stage() == v1::Case::COMPLETED
          ? CheckText("technician", request.technician(), kMaxShortText)
          : CheckOptionalText("technician", request.technician(),
                              kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (CompanyOf(request.work_order()) != CompanyOf(c->name())) {
    return InvalidField("work_order", "belongs to another company");
  }
  if (c->kind() != v1::Case::REPAIR) {
    return Refuse(v1::REASON_CASE_IS_NO_REPAIR, "the case is no repair",
                  {{"name", c->name()}});
  }
  if (!IsOpen(*c)) return NotOpen(*c);
  // Reactions run behind: work done before the desk's last word still counts.
  RETURN_IF_ERROR(CheckNotBefore(context, c->open_time()));
  Drafts drafts;
  v1::IntakeEvent event;
  auto& progress = *event.mutable_repair_progress_recorded();
  progress.set_name(c->name());
  progress.set_work_order(request.work_order());
  progress.set_stage(request.stage());
  progress.set_note(request.note());
  progress.set_technician(request.technician());
  Append(drafts, c->name(), std::move(event));
  if (request.stage() == v1::Case::COMPLETED) {
    ASSIGN_OR_RETURN(
        auto resolved,
        Resolved(*c, context, request.technician(),
                 request.note().empty() ? "repaired" : request.note(), false));
    Append(drafts, c->name(), std::move(resolved));
  }
  return drafts;
}

CaseDecision DecideTimer(const RowReader& rows, const CommandContext& context,
                         absl::string_view name) {
  const v1::Case* c = rows.Find(kCases, name);
  if (c == nullptr) return NotFound(name);
  Drafts drafts;
  for (const SlaClock& clock : c->clocks()) {
    if (!clock.has_check_time() ||
        FromProto(clock.check_time()) >= context.occur_time) {
      continue;
    }
    v1::IntakeEvent event;
    auto& breached = *event.mutable_clock_breached();
    breached.set_name(c->name());
    *breached.mutable_clock() = calendar::CheckClock(clock, context.occur_time);
    breached.set_responsible(c->owner());
    Append(drafts, c->name(), std::move(event));
  }
  if (c->has_follow_up_due_time() && !c->follow_up_overdue() &&
      FromProto(c->follow_up_due_time()) < context.occur_time) {
    v1::IntakeEvent event;
    event.mutable_follow_up_missed()->set_name(c->name());
    Append(drafts, c->name(), std::move(event));
  }
  return drafts;
}

}  // namespace aftercare::intake
