#include "services/intake/domain/case.h"

#include <algorithm>
#include <utility>

#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/calendar/sla.h"
#include "libs/handbook/policy.h"
#include "services/intake/domain/case_clocks.h"
#include "services/intake/domain/case_form.h"
#include "services/intake/domain/case_links.h"
#include "services/intake/domain/case_owner.h"
#include "services/intake/domain/case_state.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {
namespace {

using calendar::SlaClock;

v1::IntakeEvent Paused(const v1::Case& c, const CommandContext& context,
                       const std::string& reason) {
  v1::IntakeEvent event;
  auto& paused = *event.mutable_case_paused();
  paused.set_name(c.name());
  paused.set_reason(reason);
  ChangeClocks(c.clocks(), context, paused.mutable_clocks(),
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
  StopClocks("", c.clocks(), context, resolved.mutable_clocks());
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
                    const v1::ReplyToCaseRequest& request) {
  RETURN_IF_ERROR(CheckText("text", request.text(), kMaxLongText));
  RETURN_IF_ERROR(
      CheckOptionalText("pause_reason", request.pause_reason(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Case* sent_to, FindCase(rows, request));
  // CASE-16: what is written to a merged case reaches the one that goes on.
  const v1::Case* c = &Survivor(rows, *sent_to);
  if (!IsOpen(*c)) return NotOpen(*c);
  RETURN_IF_ERROR(CheckHandler(context, *c));
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
  if (sent_to != c) replied.set_sent_to(sent_to->name());
  if (!request.from_customer()) {
    replied.set_by(context.actor);
    StopClocks(kFirstResponse, c->clocks(), context, replied.mutable_clocks());
  }
  if (request.pause_reason().empty()) {
    Append(drafts, c->name(), std::move(event));
    return drafts;
  }
  // A clock that the reply stops is not paused as well.
  v1::Case after = *c;
  Apply(after, context.occur_time, replied);
  Append(drafts, c->name(), std::move(event));
  Append(drafts, c->name(), Paused(after, context, request.pause_reason()));
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
  Append(drafts, c->name(), Paused(*c, context, request.reason()));
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
  // What automation gives up on is what nobody told.
  if (!request.by_timeout()) {
    RETURN_IF_ERROR(CheckForm(rows, context, *c, "resolve"));
  }
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
  if (!c->merged_into().empty()) return NotOpen(*c);
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
                    {{"name", c->name()},
                     {"until", FormatRfc3339(end)},
                     {"continue_with", "OpenCase.continues"}});
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
      (c->satisfaction() == 0 || c->dissatisfied()) &&
      !HasRole(context, {"supervisor", "importer"})) {
    return Refuse(v1::REASON_COMPLAINT_NOT_SATISFIED,
                  "a complaint is closed when the customer is content, or "
                  "by a supervisor (INT-34)",
                  {{"name", c->name()}});
  }
  if (!c->resolved_by().empty()) {
    RETURN_IF_ERROR(CheckForm(rows, context, *c, "close"));
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
  if (!c->has_resolve_time()) {
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
