#include "services/intake/domain/customer.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/calendar/calendar.h"
#include "libs/handbook/policy.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {
namespace {

std::vector<Draft<v1::IntakeEvent>> One(std::string subject,
                                        v1::IntakeEvent event) {
  std::vector<Draft<v1::IntakeEvent>> drafts;
  drafts.push_back({std::move(subject), std::move(event)});
  return drafts;
}

template <typename Request>
absl::Status CheckContact(const Request& request) {
  RETURN_IF_ERROR(CheckOptionalText("region", request.region(), kMaxShortText));
  RETURN_IF_ERROR(CheckOptionalText("phone", request.phone(), kMaxShortText));
  RETURN_IF_ERROR(CheckOptionalText("email", request.email(), kMaxShortText));
  return CheckOptionalText("address", request.address(), kMaxLongText);
}

}  // namespace

// CUS-01: the customer file.
Decision<v1::IntakeEvent> Decide(const RowReader& rows,
                                 const CommandContext& context,
                                 const v1::RegisterCustomerRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", "companies/*", request.parent()));
  RETURN_IF_ERROR(CheckId("customer_id", request.customer_id()));
  RETURN_IF_ERROR(
      CheckText("display_name", request.display_name(), kMaxShortText));
  RETURN_IF_ERROR(CheckContact(request));
  const std::string name =
      absl::StrCat(request.parent(), "/customers/", request.customer_id());
  if (rows.Find(kCustomers, name) != nullptr) return AlreadyExists(name);
  v1::IntakeEvent event;
  auto& customer = *event.mutable_customer_registered()->mutable_customer();
  customer.set_name(name);
  customer.set_display_name(request.display_name());
  customer.set_region(request.region());
  customer.set_phone(request.phone());
  customer.set_email(request.email());
  customer.set_address(request.address());
  *customer.mutable_create_time() = ToProto(context.occur_time);
  return One(name, std::move(event));
}

Decision<v1::IntakeEvent> Decide(const RowReader& rows, const CommandContext&,
                                 const v1::UpdateCustomerRequest& request) {
  RETURN_IF_ERROR(CheckName("name", "companies/*/customers/*", request.name()));
  RETURN_IF_ERROR(
      CheckOptionalText("display_name", request.display_name(), kMaxShortText));
  RETURN_IF_ERROR(CheckContact(request));
  const v1::Customer* known = rows.Find(kCustomers, request.name());
  if (known == nullptr) return NotFound(request.name());
  RETURN_IF_ERROR(CheckEtag(request.etag(), known->etag()));
  v1::IntakeEvent event;
  auto& customer = *event.mutable_customer_updated()->mutable_customer();
  customer = *known;
  if (!request.display_name().empty()) {
    customer.set_display_name(request.display_name());
  }
  if (!request.region().empty()) customer.set_region(request.region());
  if (!request.phone().empty()) customer.set_phone(request.phone());
  if (!request.email().empty()) customer.set_email(request.email());
  if (!request.address().empty()) customer.set_address(request.address());
  return One(request.name(), std::move(event));
}

// CUS-08, WAR-01: the product registry and the free warranty per product line.
Decision<v1::IntakeEvent> Decide(const RowReader& rows,
                                 const CommandContext& context,
                                 const v1::RegisterAssetRequest& request) {
  RETURN_IF_ERROR(
      CheckName("parent", "companies/*/customers/*", request.parent()));
  RETURN_IF_ERROR(CheckId("asset_id", request.asset_id()));
  RETURN_IF_ERROR(CheckText("product", request.product(), kMaxShortText));
  RETURN_IF_ERROR(CheckOptionalText("serial", request.serial(), kMaxShortText));
  RETURN_IF_ERROR(CheckText("product_line", request.product_line(), 63));
  RETURN_IF_ERROR(CheckTime("sale_time", request.sale_time()));
  const absl::Time sale = FromProto(request.sale_time());
  if (sale > context.occur_time) {
    return InvalidField("sale_time", "lies after the registration");
  }
  if (rows.Find(kCustomers, request.parent()) == nullptr) {
    return NotFound(request.parent());
  }
  const std::string name =
      absl::StrCat(request.parent(), "/assets/", request.asset_id());
  if (rows.Find(kAssets, name) != nullptr) return AlreadyExists(name);
  const auto* line = context.policy->FindProductLine(request.product_line());
  if (line == nullptr) {
    return Refuse(v1::REASON_PRODUCT_LINE_UNKNOWN,
                  "the handbook names no such product line",
                  {{"product_line", request.product_line()}});
  }
  if (!request.serial().empty()) {
    std::string other;
    const std::string key =
        absl::StrCat(request.parent(), "|", request.serial());
    rows.ScanIndex(kAssetBySerial, key, absl::StrCat(key, "\x01"),
                   [&](absl::string_view found, absl::string_view id) {
                     if (found == key) other = std::string(id);
                     return other.empty();
                   });
    if (!other.empty()) {
      return Refuse(v1::REASON_SERIAL_REGISTERED,
                    "the serial number is registered for this customer",
                    {{"serial", request.serial()}, {"asset", other}});
    }
  }
  v1::IntakeEvent event;
  auto& asset = *event.mutable_asset_registered()->mutable_asset();
  asset.set_name(name);
  asset.set_product_line(request.product_line());
  asset.set_product(request.product());
  asset.set_serial(request.serial());
  *asset.mutable_sale_time() = request.sale_time();
  *asset.mutable_create_time() = ToProto(context.occur_time);
  if (line->warranty_months() > 0) {
    handbook::v1::Span span;
    span.set_months(line->warranty_months());
    ASSIGN_OR_RETURN(
        const absl::Time end,
        calendar::EndOfSpan(span, sale, nullptr, context.policy->zone()));
    *asset.mutable_warranty_end_time() = ToProto(end);
  }
  return One(name, std::move(event));
}

}  // namespace aftercare::intake
