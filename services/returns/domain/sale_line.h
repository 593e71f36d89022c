// Decisions about sale lines: what was sold, delivered and paid.

#ifndef AFTERCARE_SERVICES_RETURNS_DOMAIN_SALE_LINE_H_
#define AFTERCARE_SERVICES_RETURNS_DOMAIN_SALE_LINE_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aftercare/returns/v1/events.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::returns {

Decision<v1::ReturnsEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::RecordSaleLineRequest& request);
Decision<v1::ReturnsEvent> Decide(const RowReader& rows,
                                  const CommandContext& context,
                                  const v1::RecordDeliveryRequest& request);

// Serial numbers of a request: short texts, each once, none at all or one for
// each of `quantity` units. Refuses with FIELD_INVALID on `field`.
absl::Status CheckSerials(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<std::string>& serials,
    int64_t quantity);

}  // namespace aftercare::returns

#endif  // AFTERCARE_SERVICES_RETURNS_DOMAIN_SALE_LINE_H_
