// Decisions about returns: from the customer's request to the result.

#ifndef AFTERCARE_SERVICES_RETURNS_DOMAIN_RETURN_H_
#define AFTERCARE_SERVICES_RETURNS_DOMAIN_RETURN_H_

#include "absl/strings/string_view.h"
#include "aftercare/returns/v1/events.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::returns {

using ReturnDecision = Decision<v1::ReturnsEvent>;

ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::RequestReturnRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::ApproveReturnRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::RefuseReturnRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::CancelReturnRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::ReceiveGoodsRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::InspectReturnRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::RefundReturnRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::ConfirmRefundPaidRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::SendReplacementRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::RejectReturnRequest& request);
ReturnDecision Decide(const RowReader& rows, const CommandContext& context,
                      const v1::CloseReturnRequest& request);

// Settles the breach of a return's clock.
ReturnDecision DecideTimer(const RowReader& rows, const CommandContext& context,
                           absl::string_view name);

}  // namespace aftercare::returns

#endif  // AFTERCARE_SERVICES_RETURNS_DOMAIN_RETURN_H_
