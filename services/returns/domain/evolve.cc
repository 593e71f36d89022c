#include "services/returns/domain/evolve.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/time.h"
#include "services/returns/domain/progress.h"
#include "services/returns/domain/tables.h"

namespace aftercare::returns {
namespace {

using Serials = google::protobuf::RepeatedPtrField<std::string>;

template <typename Resource>
void Stamp(Resource& resource, const EventMeta& meta) {
  *resource.mutable_update_time() = ToProto(meta.occur_time);
  resource.set_etag(absl::StrCat(meta.revision));
}

// Changes a sale line that is there.
template <typename Change>
void ChangeSaleLine(RowEditor& rows, const EventMeta& meta,
                    const std::string& name, Change change) {
  if (rows.Find(kSaleLines, name) == nullptr) return;
  v1::SaleLine& line = rows.Edit(kSaleLines, name);
  change(line);
  Stamp(line, meta);
}

void Bind(RowEditor& rows, const EventMeta& meta, const std::string& name,
          int64_t quantity, const Serials& serials) {
  ChangeSaleLine(rows, meta, name, [&](v1::SaleLine& line) {
    line.set_quantity_in_returns(line.quantity_in_returns() + quantity);
    line.mutable_serials_in_returns()->MergeFrom(serials);
  });
}

void Release(RowEditor& rows, const EventMeta& meta, const std::string& name,
             int64_t quantity, const Serials& serials) {
  ChangeSaleLine(rows, meta, name, [&](v1::SaleLine& line) {
    line.set_quantity_in_returns(line.quantity_in_returns() - quantity);
    Serials& bound = *line.mutable_serials_in_returns();
    for (const std::string& serial : serials) {
      const auto it = std::find(bound.begin(), bound.end(), serial);
      if (it != bound.end()) bound.erase(it);
    }
  });
}

void ReleaseAll(RowEditor& rows, const EventMeta& meta, const v1::Return& r) {
  for (const v1::ReturnLine& line : r.lines()) {
    Release(rows, meta, line.sale_line(), line.quantity(), line.serials());
  }
}

template <typename Lines>
void ReleaseUnits(RowEditor& rows, const EventMeta& meta, const Lines& lines) {
  for (const v1::Units& units : lines) {
    Release(rows, meta, units.sale_line(), units.quantity(), units.serials());
  }
}

// Puts a fact into its return and gives the return back as it is then.
template <typename Fact>
const v1::Return& Put(RowEditor& rows, const EventMeta& meta,
                      const Fact& fact) {
  v1::Return& r = rows.Edit(kReturns, meta.subject);
  r = With(std::move(r), fact, meta.occur_time);
  Stamp(r, meta);
  return r;
}

}  // namespace

void Evolve(RowEditor& rows, const EventMeta& meta,
            const v1::ReturnsEvent& event) {
  switch (event.fact_case()) {
    case v1::ReturnsEvent::kPlatform:
    case v1::ReturnsEvent::FACT_NOT_SET:
      return;
    case v1::ReturnsEvent::kSaleLineRecorded: {
      v1::SaleLine& line = rows.Edit(kSaleLines, meta.subject);
      line = event.sale_line_recorded().sale_line();
      Stamp(line, meta);
      return;
    }
    case v1::ReturnsEvent::kDeliveryRecorded: {
      const auto& fact = event.delivery_recorded();
      ChangeSaleLine(rows, meta, meta.subject, [&](v1::SaleLine& line) {
        line.set_quantity_delivered(line.quantity_delivered() +
                                    fact.quantity());
        *line.mutable_delivery_time() = fact.delivery_time();
        line.mutable_serials()->MergeFrom(fact.serials());
      });
      return;
    }
    case v1::ReturnsEvent::kReturnRequested: {
      const v1::Return& requested = event.return_requested().return_();
      v1::Return& r = rows.Edit(kReturns, meta.subject);
      r = requested;
      Stamp(r, meta);
      for (const v1::ReturnLine& line : requested.lines()) {
        Bind(rows, meta, line.sale_line(), line.quantity(), line.serials());
      }
      return;
    }
    case v1::ReturnsEvent::kReturnApproved:
      Put(rows, meta, event.return_approved());
      return;
    case v1::ReturnsEvent::kReturnRefused:
      ReleaseAll(rows, meta, Put(rows, meta, event.return_refused()));
      return;
    case v1::ReturnsEvent::kReturnCancelled:
      ReleaseAll(rows, meta, Put(rows, meta, event.return_cancelled()));
      return;
    case v1::ReturnsEvent::kGoodsReceived:
      Put(rows, meta, event.goods_received());
      return;
    case v1::ReturnsEvent::kReturnInspected:
      Put(rows, meta, event.return_inspected());
      return;
    case v1::ReturnsEvent::kRefundGranted:
      Put(rows, meta, event.refund_granted());
      for (const auto& part : event.refund_granted().refund().lines()) {
        ChangeSaleLine(rows, meta, part.sale_line(), [&](v1::SaleLine& line) {
          line.set_quantity_refunded(line.quantity_refunded() +
                                     part.quantity());
          auto& sum = *line.mutable_amount_refunded();
          sum.set_currency_code(part.amount().currency_code());
          sum.set_minor_units(sum.minor_units() + part.amount().minor_units());
        });
      }
      return;
    case v1::ReturnsEvent::kRefundPaid:
      Put(rows, meta, event.refund_paid());
      return;
    case v1::ReturnsEvent::kReplacementSent:
      Put(rows, meta, event.replacement_sent());
      for (const v1::Units& part : event.replacement_sent().lines()) {
        ChangeSaleLine(rows, meta, part.sale_line(), [&](v1::SaleLine& line) {
          line.set_quantity_replaced(line.quantity_replaced() +
                                     part.quantity());
        });
      }
      return;
    case v1::ReturnsEvent::kReturnRejected:
      Put(rows, meta, event.return_rejected());
      ReleaseUnits(rows, meta, event.return_rejected().lines());
      return;
    case v1::ReturnsEvent::kReturnClosed:
      Put(rows, meta, event.return_closed());
      ReleaseUnits(rows, meta, event.return_closed().not_received());
      return;
    case v1::ReturnsEvent::kClockBreached: {
      v1::Return& r = rows.Edit(kReturns, meta.subject);
      r = With(std::move(r), event.clock_breached());
      Stamp(r, meta);
      return;
    }
  }
}

}  // namespace aftercare::returns
