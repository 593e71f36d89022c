#include "services/intake/domain/case_links.h"

#include <algorithm>
#include <utility>

#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/calendar/sla.h"
#include "services/intake/domain/case_clocks.h"
#include "services/intake/domain/case_record.h"

namespace aftercare::intake {
namespace {

using Link = v1::Case::Link;

// What the other case is to this one, where this one is `relation` to it.
Link::Relation Inverse(Link::Relation relation) {
  switch (relation) {
    case Link::CONTINUES:
      return Link::CONTINUED_BY;
    case Link::CONTINUED_BY:
      return Link::CONTINUES;
    case Link::SPLIT_FROM:
      return Link::SPLIT_INTO;
    case Link::SPLIT_INTO:
      return Link::SPLIT_FROM;
    default:
      return relation;
  }
}

void AppendLink(Drafts& drafts, const CommandContext& context,
                const std::string& name, const std::string& other,
                Link::Relation relation) {
  v1::IntakeEvent event;
  auto& linked = *event.mutable_cases_linked();
  linked.set_name(name);
  linked.set_by(context.actor);
  linked.mutable_link()->set_case_(other);
  linked.mutable_link()->set_relation(relation);
  Append(drafts, name, std::move(event));
}

// A second case of the same customer, by the field that names it.
absl::StatusOr<const v1::Case*> FindOther(const RowReader& rows,
                                          absl::string_view field,
                                          const v1::Case& c,
                                          const std::string& other) {
  RETURN_IF_ERROR(CheckName(field, kCasePattern, other));
  if (BoundaryOf(other) != BoundaryOf(c.name())) {
    return InvalidField(field, "belongs to another customer");
  }
  const v1::Case* found = rows.Find(kCases, other);
  if (found == nullptr) return NotFound(other);
  return found;
}

}  // namespace

const v1::Case& Survivor(const RowReader& rows, const v1::Case& c) {
  const v1::Case* at = &c;
  while (!at->merged_into().empty()) {
    const v1::Case* next = rows.Find(kCases, at->merged_into());
    if (next == nullptr) break;
    at = next;
  }
  return *at;
}

Drafts Opened(const CommandContext& context, v1::Case c,
              const std::string& other, Link::Relation relation) {
  const std::string name = c.name();
  v1::IntakeEvent event;
  if (!other.empty()) {
    Link& link = *c.add_links();
    link.set_case_(other);
    link.set_relation(relation);
  }
  *event.mutable_case_opened()->mutable_case_() = std::move(c);
  Drafts drafts;
  Append(drafts, name, std::move(event));
  if (!other.empty()) {
    AppendLink(drafts, context, other, name, Inverse(relation));
  }
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::LinkCasesRequest& request) {
  RETURN_IF_ERROR(CheckEnum("relation", request.relation()));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  ASSIGN_OR_RETURN(const v1::Case* other,
                   FindOther(rows, "other", *c, request.other()));
  if (other->name() == c->name()) {
    return WithField(
        Refuse(v1::REASON_LINK_TO_ITSELF, "a case is not linked to itself",
               {{"name", c->name()}}),
        "other", "is the case itself");
  }
  RETURN_IF_ERROR(CheckNotBefore(context, c->open_time()));
  RETURN_IF_ERROR(CheckNotBefore(context, other->open_time()));
  if (std::any_of(c->links().begin(), c->links().end(), [&](const Link& link) {
        return link.case_() == other->name() &&
               link.relation() == request.relation();
      })) {
    return Refuse(v1::REASON_CASES_LINKED, "the cases are linked like this",
                  {{"name", c->name()}, {"other", other->name()}});
  }
  Drafts drafts;
  AppendLink(drafts, context, c->name(), other->name(), request.relation());
  AppendLink(drafts, context, other->name(), c->name(),
             Inverse(request.relation()));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::MergeCaseRequest& request) {
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  ASSIGN_OR_RETURN(const v1::Case* other,
                   FindOther(rows, "into", *c, request.into()));
  const v1::Case& into = Survivor(rows, *other);
  if (into.name() == c->name()) {
    return Refuse(v1::REASON_MERGE_CYCLE,
                  "the other case went into this one, or is this one",
                  {{"name", c->name()}, {"into", request.into()}});
  }
  if (!IsOpen(*c)) return NotOpen(*c);
  if (!IsOpen(into)) return NotOpen(into);
  RETURN_IF_ERROR(CheckNotBefore(context, c->state_time()));
  RETURN_IF_ERROR(CheckNotBefore(context, into.open_time()));
  // Its visit is cancelled, so that another one must be under way.
  if (c->kind() == v1::Case::REPAIR && into.kind() != v1::Case::REPAIR) {
    return Refuse(v1::REASON_CASE_IS_NO_REPAIR,
                  "a repair goes on in a repair only", {{"name", into.name()}});
  }
  v1::IntakeEvent event;
  auto& merged = *event.mutable_case_merged();
  merged.set_name(c->name());
  merged.set_by(context.actor);
  merged.set_into(into.name());
  merged.set_kind(c->kind());
  merged.set_region(c->region());
  merged.set_work_order(c->work_order());
  ChangeClocks(
      c->clocks(), context, merged.mutable_clocks(),
      [&](const calendar::SlaClock& clock, const calendar::Calendar* calendar) {
        return CancelClock(clock, calendar, context.occur_time);
      });
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  AppendLink(drafts, context, into.name(), c->name(), Link::DUPLICATE);
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::SplitCaseRequest& request) {
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (!IsOpen(*c)) return NotOpen(*c);
  RETURN_IF_ERROR(CheckNotBefore(context, c->open_time()));
  v1::OpenCaseRequest part;
  part.set_parent(std::string(BoundaryOf(c->name())));
  part.set_case_id(request.case_id().empty() ? context.fresh_id
                                             : request.case_id());
  part.set_type(request.type());
  part.set_kind(request.kind());
  if (request.type().empty() && request.kind() == v1::Case::KIND_UNSPECIFIED) {
    part.set_type(c->type());
    part.set_kind(c->kind());
  }
  part.set_priority(c->priority());
  part.set_channel(c->channel());
  part.set_subject(request.subject());
  part.set_description(request.description());
  part.set_product_line(c->product_line());
  part.set_asset(c->asset());
  part.set_classification(request.classification());
  *part.mutable_fields() = request.fields();
  ASSIGN_OR_RETURN(v1::Case opened, NewCase(rows, context, part));
  return Opened(context, std::move(opened), c->name(), Link::SPLIT_FROM);
}

}  // namespace aftercare::intake
