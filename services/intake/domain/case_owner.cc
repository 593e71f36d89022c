#include "services/intake/domain/case_owner.h"

#include <algorithm>
#include <string>
#include <utility>

#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/handbook/policy.h"

namespace aftercare::intake {
namespace {

absl::Status CheckPerson(const CommandContext& context,
                         const std::string& person) {
  if (context.policy->FindPerson(person) != nullptr) return absl::OkStatus();
  return Refuse(v1::REASON_PERSON_UNKNOWN, "the handbook knows no such person",
                {{"person", person}});
}

v1::IntakeEvent CoHandlers(const CommandContext& context, const v1::Case& c) {
  v1::IntakeEvent event;
  auto& changed = *event.mutable_co_handlers_changed();
  changed.set_name(c.name());
  changed.set_by(context.actor);
  *changed.mutable_co_handlers() = c.co_handlers();
  return event;
}

absl::Status Unchanged(const v1::Case& c, const std::string& person,
                       const char* text) {
  return Refuse(v1::REASON_CO_HANDLERS_UNCHANGED, text,
                {{"name", c.name()}, {"person", person}});
}

// What both commands about co-handlers begin with.
template <typename Request>
absl::StatusOr<const v1::Case*> FindForHelp(const RowReader& rows,
                                            const CommandContext& context,
                                            const Request& request) {
  RETURN_IF_ERROR(CheckText("person", request.person(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (c->state() == v1::Case::CLOSED) return NotOpen(*c);
  RETURN_IF_ERROR(CheckHandler(context, *c));
  RETURN_IF_ERROR(CheckNotBefore(context, c->open_time()));
  return c;
}

}  // namespace

absl::Status CheckHandler(const CommandContext& context, const v1::Case& c) {
  // Aftercare itself is no person.
  if (context.policy->FindPerson(context.actor) == nullptr ||
      HasRole(context, {"agent", "supervisor", "importer", "manager"}) ||
      c.owner() == context.actor || Contains(c.co_handlers(), context.actor)) {
    return absl::OkStatus();
  }
  const auto* department = context.policy->FindDepartment(c.department());
  if (department != nullptr &&
      (department->lead() == context.actor ||
       Contains(department->members(), context.actor))) {
    return absl::OkStatus();
  }
  return Refuse(v1::REASON_NOT_THE_HANDLER, "the case is another department's",
                {{"name", c.name()},
                 {"owner", c.owner()},
                 {"department", c.department()}});
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::TransferCaseRequest& request) {
  RETURN_IF_ERROR(CheckOptionalText("owner", request.owner(), kMaxShortText));
  RETURN_IF_ERROR(CheckOptionalText("department", request.department(), 63));
  RETURN_IF_ERROR(CheckText("reason", request.reason(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (request.owner().empty() && request.department().empty()) {
    return InvalidField("owner", "is missing, and so is department");
  }
  if (c->state() == v1::Case::CLOSED) return NotOpen(*c);
  RETURN_IF_ERROR(CheckHandler(context, *c));
  RETURN_IF_ERROR(CheckNotBefore(context, c->open_time()));
  const std::string& owner =
      request.owner().empty() ? c->owner() : request.owner();
  const std::string& department =
      request.department().empty() ? c->department() : request.department();
  if (!request.owner().empty()) {
    RETURN_IF_ERROR(CheckPerson(context, owner));
  }
  if (!request.department().empty() &&
      context.policy->FindDepartment(department) == nullptr) {
    return Refuse(v1::REASON_DEPARTMENT_UNKNOWN,
                  "the handbook names no such department",
                  {{"department", department}});
  }
  if (owner == c->owner() && department == c->department()) {
    return Refuse(
        v1::REASON_ALREADY_THE_OWNER, "owner and department are these already",
        {{"name", c->name()}, {"owner", owner}, {"department", department}});
  }
  v1::IntakeEvent event;
  auto& transferred = *event.mutable_case_transferred();
  transferred.set_name(c->name());
  transferred.set_by(context.actor);
  transferred.set_reason(request.reason());
  transferred.set_from_owner(c->owner());
  transferred.set_owner(owner);
  transferred.set_from_department(c->department());
  transferred.set_department(department);
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::AddCoHandlerRequest& request) {
  ASSIGN_OR_RETURN(const v1::Case* c, FindForHelp(rows, context, request));
  RETURN_IF_ERROR(CheckPerson(context, request.person()));
  if (request.person() == c->owner() ||
      Contains(c->co_handlers(), request.person())) {
    return Unchanged(*c, request.person(), "the person works on the case");
  }
  v1::IntakeEvent event = CoHandlers(context, *c);
  event.mutable_co_handlers_changed()->add_co_handlers(request.person());
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::RemoveCoHandlerRequest& request) {
  ASSIGN_OR_RETURN(const v1::Case* c, FindForHelp(rows, context, request));
  if (!Contains(c->co_handlers(), request.person())) {
    return Unchanged(*c, request.person(),
                     "the person does not help with the case");
  }
  v1::IntakeEvent event = CoHandlers(context, *c);
  auto& left = *event.mutable_co_handlers_changed()->mutable_co_handlers();
  left.erase(std::remove(left.begin(), left.end(), request.person()),
             left.end());
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

}  // namespace aftercare::intake
