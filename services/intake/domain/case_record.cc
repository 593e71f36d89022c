#include "services/intake/domain/case_record.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "services/intake/domain/case_clocks.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {

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
  StartClocks(context, c);
  Drafts drafts;
  Append(drafts, name, std::move(event));
  return drafts;
}

}  // namespace aftercare::intake
