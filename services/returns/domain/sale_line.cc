#include "services/returns/domain/sale_line.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "aftercare/returns/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/handbook/policy.h"
#include "services/returns/domain/tables.h"

namespace aftercare::returns {
namespace {

std::vector<Draft<v1::ReturnsEvent>> One(std::string subject,
                                         v1::ReturnsEvent event) {
  std::vector<Draft<v1::ReturnsEvent>> drafts;
  drafts.push_back({std::move(subject), std::move(event)});
  return drafts;
}

absl::Status AboveOrder(int64_t ordered, int64_t delivered) {
  return Refuse(v1::REASON_DELIVERY_ABOVE_ORDER,
                "more is delivered than was ordered",
                {{"quantity_ordered", absl::StrCat(ordered)},
                 {"quantity_delivered", absl::StrCat(delivered)}});
}

absl::Status CheckPast(absl::string_view field,
                       const google::protobuf::Timestamp& time,
                       const CommandContext& context) {
  RETURN_IF_ERROR(CheckTime(field, time));
  if (FromProto(time) <= std::max(context.record_time, context.occur_time)) {
    return absl::OkStatus();
  }
  return InvalidField(field, "lies in the future");
}

}  // namespace

absl::Status CheckSerials(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<std::string>& serials,
    int64_t quantity) {
  if (serials.empty()) return absl::OkStatus();
  if (serials.size() > kMaxSerials) {
    return InvalidField(field, absl::StrCat("holds more than ", kMaxSerials));
  }
  if (serials.size() != quantity) {
    return InvalidField(field, "must hold one for each unit");
  }
  absl::flat_hash_set<absl::string_view> seen;
  for (int i = 0; i < serials.size(); ++i) {
    const std::string path = absl::StrCat(field, "[", i, "]");
    RETURN_IF_ERROR(CheckText(path, serials[i], kMaxSerialText));
    if (!seen.insert(serials[i]).second) {
      return InvalidField(path, "is repeated");
    }
  }
  return absl::OkStatus();
}

Decision<v1::ReturnsEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::RecordSaleLineRequest& request) {
  RETURN_IF_ERROR(
      CheckName("parent", "companies/*/customers/*", request.parent()));
  RETURN_IF_ERROR(CheckId("sale_line_id", request.sale_line_id()));
  RETURN_IF_ERROR(
      CheckOptionalText("order_number", request.order_number(), kMaxShortText));
  RETURN_IF_ERROR(
      CheckOptionalText("product_line", request.product_line(), 63));
  RETURN_IF_ERROR(CheckText("product", request.product(), kMaxShortText));
  RETURN_IF_ERROR(CheckRange("quantity_ordered", request.quantity_ordered(), 1,
                             kMaxQuantity));
  RETURN_IF_ERROR(CheckRange("quantity_delivered", request.quantity_delivered(),
                             0, kMaxQuantity));
  RETURN_IF_ERROR(CheckMoney("unit_price_paid", request.unit_price_paid(),
                             context.policy->handbook().currency_code()));
  if (request.unit_price_paid().minor_units() >
      kMaxAmount / request.quantity_ordered()) {
    return InvalidField("unit_price_paid.minor_units",
                        "makes the line worth more than ten trillion");
  }
  RETURN_IF_ERROR(CheckPast("order_time", request.order_time(), context));
  if (request.quantity_delivered() > 0) {
    RETURN_IF_ERROR(
        CheckPast("delivery_time", request.delivery_time(), context));
    if (FromProto(request.delivery_time()) < FromProto(request.order_time())) {
      return InvalidField("delivery_time", "lies before the order");
    }
  } else if (request.has_delivery_time()) {
    return InvalidField("delivery_time", "is set but nothing was delivered");
  }
  RETURN_IF_ERROR(
      CheckSerials("serials", request.serials(), request.quantity_delivered()));

  const std::string name =
      absl::StrCat(request.parent(), "/saleLines/", request.sale_line_id());
  if (rows.Find(kSaleLines, name) != nullptr) return AlreadyExists(name);
  if (request.quantity_delivered() > request.quantity_ordered()) {
    return AboveOrder(request.quantity_ordered(), request.quantity_delivered());
  }
  if (!request.product_line().empty() &&
      context.policy->FindProductLine(request.product_line()) == nullptr) {
    return Refuse(v1::REASON_PRODUCT_LINE_UNKNOWN,
                  "the handbook names no such product line",
                  {{"product_line", request.product_line()}});
  }

  v1::ReturnsEvent event;
  auto& line = *event.mutable_sale_line_recorded()->mutable_sale_line();
  line.set_name(name);
  *line.mutable_create_time() = ToProto(context.occur_time);
  line.set_order_number(request.order_number());
  line.set_product_line(request.product_line());
  line.set_product(request.product());
  line.set_quantity_ordered(request.quantity_ordered());
  line.set_quantity_delivered(request.quantity_delivered());
  *line.mutable_unit_price_paid() = request.unit_price_paid();
  *line.mutable_order_time() = request.order_time();
  if (request.has_delivery_time()) {
    *line.mutable_delivery_time() = request.delivery_time();
  }
  *line.mutable_serials() = request.serials();
  line.mutable_amount_refunded()->set_currency_code(
      request.unit_price_paid().currency_code());
  return One(name, std::move(event));
}

Decision<v1::ReturnsEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::RecordDeliveryRequest& request) {
  RETURN_IF_ERROR(
      CheckName("name", "companies/*/customers/*/saleLines/*", request.name()));
  RETURN_IF_ERROR(CheckRange("quantity", request.quantity(), 1, kMaxQuantity));
  RETURN_IF_ERROR(
      CheckSerials("serials", request.serials(), request.quantity()));
  const v1::SaleLine* line = rows.Find(kSaleLines, request.name());
  if (line == nullptr) return NotFound(request.name());
  RETURN_IF_ERROR(CheckEtag(request.etag(), line->etag()));
  const absl::Time order = FromProto(line->order_time());
  if (context.occur_time < order) {
    return Refuse(v1::REASON_OCCUR_TIME_TOO_EARLY,
                  "the delivery lies before the order",
                  {{"earliest", FormatRfc3339(order)}});
  }
  const int64_t delivered = line->quantity_delivered() + request.quantity();
  if (delivered > line->quantity_ordered()) {
    return AboveOrder(line->quantity_ordered(), delivered);
  }
  if (line->quantity_delivered() > 0 &&
      line->serials().empty() != request.serials().empty()) {
    return InvalidField("serials",
                        "either all units of a line have serials or none");
  }
  if (line->serials_size() + request.serials_size() > kMaxSerials) {
    return InvalidField("serials", "makes too many for one line");
  }
  for (const std::string& serial : request.serials()) {
    if (std::find(line->serials().begin(), line->serials().end(), serial) !=
        line->serials().end()) {
      return Refuse(v1::REASON_SERIAL_DELIVERED,
                    "the line has a unit with this serial number already",
                    {{"serial", serial}});
    }
  }
  v1::ReturnsEvent event;
  auto& fact = *event.mutable_delivery_recorded();
  fact.set_name(request.name());
  fact.set_quantity(request.quantity());
  *fact.mutable_serials() = request.serials();
  // Deliveries may be reported out of order; the window counts from the
  // latest.
  *fact.mutable_delivery_time() = ToProto(
      line->has_delivery_time()
          ? std::max(context.occur_time, FromProto(line->delivery_time()))
          : context.occur_time);
  return One(request.name(), std::move(event));
}

}  // namespace aftercare::returns
