#include "services/intake/domain/case_record.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "services/intake/domain/case_clocks.h"
#include "services/intake/domain/case_form.h"
#include "services/intake/domain/case_links.h"
#include "services/intake/domain/case_owner.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {

namespace {

absl::Status CheckTexts(const std::string& description,
                        const std::string& product_line,
                        const std::string& classification,
                        const std::string& fault_code) {
  RETURN_IF_ERROR(CheckOptionalText("description", description, kMaxLongText));
  RETURN_IF_ERROR(CheckOptionalText("product_line", product_line, 63));
  RETURN_IF_ERROR(CheckOptionalText("classification", classification, 63));
  return CheckOptionalText("fault_code", fault_code, 63);
}

absl::Status CheckPriority(v1::Case::Priority priority) {
  return priority == v1::Case::PRIORITY_UNSPECIFIED
             ? absl::OkStatus()
             : CheckEnum("priority", priority);
}

absl::Status CheckAsset(const std::string& asset, absl::string_view customer) {
  if (asset.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(
      CheckName("asset", "companies/*/customers/*/assets/*", asset));
  if (BoundaryOf(asset) == customer) return absl::OkStatus();
  return InvalidField("asset", "belongs to another customer");
}

// An empty one leaves what is there.
absl::Status PutAsset(const RowReader& rows, const std::string& name,
                      v1::Case& c) {
  if (name.empty()) return absl::OkStatus();
  const v1::Asset* asset = rows.Find(kAssets, name);
  if (asset == nullptr) return NotFound(name);
  c.set_asset(name);
  if (c.product_line().empty()) c.set_product_line(asset->product_line());
  c.set_in_warranty(asset->has_warranty_end_time() &&
                    FromProto(c.open_time()) <=
                        FromProto(asset->warranty_end_time()));
  return absl::OkStatus();
}

absl::Status CheckProductLine(const CommandContext& context,
                              const v1::Case& c) {
  if (c.product_line().empty() ||
      context.policy->FindProductLine(c.product_line()) != nullptr) {
    return absl::OkStatus();
  }
  return Refuse(v1::REASON_PRODUCT_LINE_UNKNOWN,
                "the handbook names no such product line",
                {{"product_line", c.product_line()}});
}

// The value that the handbook writes in lower case; it was checked.
v1::Case::Priority PriorityOf(const std::string& text) {
  v1::Case::Priority priority = v1::Case::PRIORITY_UNSPECIFIED;
  v1::Case::Priority_Parse(absl::AsciiStrToUpper(text), &priority);
  return priority;
}

// GEN-41: the type says the kind; without one the request does.
absl::Status PutType(const CommandContext& context,
                     const v1::OpenCaseRequest& request, v1::Case& c) {
  c.set_kind(request.kind());
  if (request.type().empty()) {
    if (context.policy->handbook().intake().type_required()) {
      return InvalidField("type", "is missing");
    }
    return absl::OkStatus();
  }
  const auto* type = context.policy->FindCaseType(request.type());
  if (type == nullptr) {
    return Refuse(v1::REASON_CASE_TYPE_UNKNOWN,
                  "the handbook names no such case type",
                  {{"type", request.type()}});
  }
  v1::Case::Kind kind = v1::Case::KIND_UNSPECIFIED;
  v1::Case::Kind_Parse(absl::AsciiStrToUpper(type->kind()), &kind);
  if (request.kind() != v1::Case::KIND_UNSPECIFIED && request.kind() != kind) {
    return InvalidField("kind", "is not that of the type");
  }
  c.set_type(request.type());
  c.set_kind(kind);
  return absl::OkStatus();
}

// INT-41: who asks decides; else what it is about, else what is asked for.
void PutPriority(const CommandContext& context,
                 const v1::OpenCaseRequest& request, v1::Case& c) {
  c.set_priority(request.priority());
  if (c.priority() != v1::Case::PRIORITY_UNSPECIFIED) return;
  const auto* about = context.policy->FindClassification(c.classification());
  if (about != nullptr) c.set_priority(PriorityOf(about->priority()));
  if (c.priority() != v1::Case::PRIORITY_UNSPECIFIED) return;
  const auto* type = context.policy->FindCaseType(c.type());
  if (type != nullptr) c.set_priority(PriorityOf(type->priority()));
  if (c.priority() != v1::Case::PRIORITY_UNSPECIFIED) return;
  c.set_priority(v1::Case::NORMAL);
}

// INT-28 the department, INT-04 the owner, INT-57 who helps.
void PutHandlers(const CommandContext& context, v1::Case& c) {
  c.set_department(DepartmentOf(context, c));
  c.set_owner(context.actor);
  const auto* route = RouteOf(context, c);
  if (route != nullptr && !route->owner().empty()) c.set_owner(route->owner());
  const auto* type = context.policy->FindCaseType(c.type());
  if (type == nullptr) return;
  for (const std::string& id : type->co_departments()) {
    const auto* department = context.policy->FindDepartment(id);
    if (department->lead() == c.owner() ||
        Contains(c.co_handlers(), department->lead())) {
      continue;
    }
    c.add_co_handlers(department->lead());
  }
}

absl::Status CheckContinues(const RowReader& rows,
                            const v1::OpenCaseRequest& request) {
  if (request.continues().empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckName("continues", kCasePattern, request.continues()));
  if (BoundaryOf(request.continues()) != request.parent()) {
    return InvalidField("continues", "belongs to another customer");
  }
  if (rows.Find(kCases, request.continues()) == nullptr) {
    return NotFound(request.continues());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Case> NewCase(const RowReader& rows,
                                 const CommandContext& context,
                                 const v1::OpenCaseRequest& request) {
  RETURN_IF_ERROR(
      CheckName("parent", "companies/*/customers/*", request.parent()));
  RETURN_IF_ERROR(CheckId("case_id", request.case_id()));
  if (request.type().empty() || request.kind() != v1::Case::KIND_UNSPECIFIED) {
    RETURN_IF_ERROR(CheckEnum("kind", request.kind()));
  }
  RETURN_IF_ERROR(CheckPriority(request.priority()));
  RETURN_IF_ERROR(CheckText("channel", request.channel(), kMaxShortText));
  RETURN_IF_ERROR(CheckText("subject", request.subject(), kMaxShortText));
  RETURN_IF_ERROR(CheckTexts(request.description(), request.product_line(),
                             request.classification(), request.fault_code()));
  RETURN_IF_ERROR(CheckOptionalText("type", request.type(), 63));
  RETURN_IF_ERROR(CheckAsset(request.asset(), request.parent()));
  const v1::Customer* customer = rows.Find(kCustomers, request.parent());
  if (customer == nullptr) return NotFound(request.parent());
  const std::string name =
      absl::StrCat(request.parent(), "/cases/", request.case_id());
  if (rows.Find(kCases, name) != nullptr) return AlreadyExists(name);
  const auto& intake = context.policy->handbook().intake();
  if (!Contains(intake.channels(), request.channel())) {
    return Refuse(v1::REASON_CHANNEL_UNKNOWN,
                  "the handbook accepts no requests by this channel",
                  {{"channel", request.channel()}});
  }

  v1::Case c;
  c.set_name(name);
  c.set_state(v1::Case::OPEN);
  RETURN_IF_ERROR(PutType(context, request, c));
  c.set_channel(request.channel());
  c.set_subject(request.subject());
  c.set_description(request.description());
  c.set_product_line(request.product_line());
  c.set_region(customer->region());
  *c.mutable_create_time() = ToProto(context.occur_time);
  *c.mutable_open_time() = ToProto(context.occur_time);
  RETURN_IF_ERROR(PutAsset(rows, request.asset(), c));
  RETURN_IF_ERROR(CheckProductLine(context, c));
  RETURN_IF_ERROR(
      Classify(context, request.classification(), request.fault_code(), c));
  PutPriority(context, request, c);
  RETURN_IF_ERROR(PutFields(context, request.fields(), c));
  RETURN_IF_ERROR(AddAttachments(request.attachments(), c));
  RETURN_IF_ERROR(CheckForm(rows, context, c, "open"));
  SetMissingFields(rows, context, c);
  PutHandlers(context, c);
  StartClocks(context, c);
  return c;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::OpenCaseRequest& request) {
  ASSIGN_OR_RETURN(v1::Case c, NewCase(rows, context, request));
  RETURN_IF_ERROR(CheckContinues(rows, request));
  return Opened(context, std::move(c), request.continues(),
                v1::Case::Link::CONTINUES);
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::AmendCaseRequest& request) {
  RETURN_IF_ERROR(CheckTexts(request.description(), request.product_line(),
                             request.classification(), request.fault_code()));
  RETURN_IF_ERROR(CheckPriority(request.priority()));
  RETURN_IF_ERROR(CheckOptionalText("reason", request.reason(), kMaxShortText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  RETURN_IF_ERROR(CheckAsset(request.asset(), BoundaryOf(c->name())));
  if (c->state() == v1::Case::CLOSED) return NotOpen(*c);
  // Technicians complete what they see on the spot.
  if (!HasRole(context, {"technician"})) {
    RETURN_IF_ERROR(CheckHandler(context, *c));
  }
  RETURN_IF_ERROR(CheckNotBefore(context, c->open_time()));
  if (request.fields().empty() && request.attachments().empty() &&
      request.description().empty() && request.product_line().empty() &&
      request.asset().empty() && request.classification().empty() &&
      request.fault_code().empty() &&
      request.priority() == v1::Case::PRIORITY_UNSPECIFIED) {
    return InvalidField("fields", "is empty, and nothing else is amended");
  }
  v1::Case after = *c;
  if (!request.description().empty()) {
    after.set_description(request.description());
  }
  if (!request.product_line().empty()) {
    after.set_product_line(request.product_line());
  }
  RETURN_IF_ERROR(PutAsset(rows, request.asset(), after));
  RETURN_IF_ERROR(CheckProductLine(context, after));
  RETURN_IF_ERROR(
      Classify(context, request.classification(), request.fault_code(), after));
  if (request.priority() != v1::Case::PRIORITY_UNSPECIFIED) {
    if (request.priority() < c->priority() && request.reason().empty()) {
      return Refuse(v1::REASON_PRIORITY_NEEDS_REASON,
                    "a priority is lowered for a reason only",
                    {{"name", c->name()},
                     {"priority", v1::Case::Priority_Name(c->priority())}});
    }
    after.set_priority(request.priority());
  }
  RETURN_IF_ERROR(PutFields(context, request.fields(), after));
  RETURN_IF_ERROR(AddAttachments(request.attachments(), after));
  SetMissingFields(rows, context, after);
  // Where the change leads elsewhere the case goes there; what a hand-over
  // decided stays otherwise.
  std::string department = DepartmentOf(context, after);
  if (department == DepartmentOf(context, *c)) department = c->department();

  v1::IntakeEvent event;
  auto& amended = *event.mutable_case_amended();
  amended.set_name(c->name());
  amended.set_by(context.actor);
  amended.set_reason(request.reason());
  amended.mutable_fields()->Swap(after.mutable_fields());
  amended.mutable_missing_fields()->Swap(after.mutable_missing_fields());
  amended.mutable_attachments()->Swap(after.mutable_attachments());
  amended.set_description(after.description());
  amended.set_product_line(after.product_line());
  amended.set_asset(after.asset());
  amended.set_in_warranty(after.in_warranty());
  amended.set_classification(after.classification());
  amended.set_fault_code(after.fault_code());
  amended.set_priority(after.priority());
  amended.set_department(department);
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::AcceptCaseRequest& request) {
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (!IsOpen(*c)) return NotOpen(*c);
  if (c->has_accept_time()) {
    return Refuse(v1::REASON_CASE_ACCEPTED, "the case has been accepted",
                  {{"name", c->name()}});
  }
  RETURN_IF_ERROR(CheckNotBefore(context, c->open_time()));
  RETURN_IF_ERROR(CheckForm(rows, context, *c, "accept"));
  v1::IntakeEvent event;
  event.mutable_case_accepted()->set_name(c->name());
  event.mutable_case_accepted()->set_by(context.actor);
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

CaseDecision Decide(const RowReader& rows, const CommandContext& context,
                    const v1::RejectCaseRequest& request) {
  RETURN_IF_ERROR(CheckEnum("code", request.code()));
  RETURN_IF_ERROR(CheckText("text", request.text(), kMaxLongText));
  ASSIGN_OR_RETURN(const v1::Case* c, FindCase(rows, request));
  if (!IsOpen(*c)) return NotOpen(*c);
  RETURN_IF_ERROR(CheckNotBefore(context, c->state_time()));
  v1::IntakeEvent event;
  auto& rejected = *event.mutable_case_rejected();
  rejected.set_name(c->name());
  rejected.set_by(context.actor);
  rejected.set_code(request.code());
  rejected.set_text(request.text());
  rejected.set_owner(c->owner());
  rejected.set_kind(c->kind());
  rejected.set_region(c->region());
  rejected.set_work_order(c->work_order());
  StopClocks("", c->clocks(), context, rejected.mutable_clocks());
  Drafts drafts;
  Append(drafts, c->name(), std::move(event));
  return drafts;
}

}  // namespace aftercare::intake
