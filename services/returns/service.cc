#include "services/returns/service.h"

#include "aftercare/returns/v1/events.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "libs/shard/history.h"
#include "services/returns/domain/evolve.h"
#include "services/returns/domain/return.h"
#include "services/returns/domain/sale_line.h"
#include "services/returns/domain/tables.h"
#include "services/returns/views.h"

namespace aftercare::returns {

using v1::ReturnsEvent;

shard::Service MakeReturnsService() {
  shard::Service s(
      "returns",
      v1::RequestReturnRequest::descriptor()->file()->FindServiceByName(
          "ReturnsService"));
  s.schema()
      .AddTable(kSaleLines)
      .AddTable(kReturns)
      .AddIndex<v1::Return>(kReturns, kReturnByRequestTime, RequestTimeKeys)
      .AddIndex<v1::Return>(kReturns, kReturnByState, StateKeys)
      .AddIndex<v1::Return>(kReturns, kReturnByDueTime, DueTimeKeys)
      .AddIndex<v1::Return>(kReturns, kReturnByPayment, PaymentKeys)
      .AddTimer<v1::Return>(kReturns, ReturnTimers);
  s.SetEvolve<ReturnsEvent>(Evolve);
  s.SetTimer<ReturnsEvent>(DecideTimer);

  s.AddCommand<v1::RecordSaleLineRequest, ReturnsEvent>("RecordSaleLine",
                                                        Decide);
  s.AddCommand<v1::RecordDeliveryRequest, ReturnsEvent>("RecordDelivery",
                                                        Decide);
  s.AddCommand<v1::RequestReturnRequest, ReturnsEvent>("RequestReturn", Decide);
  s.AddCommand<v1::ApproveReturnRequest, ReturnsEvent>("ApproveReturn", Decide);
  s.AddCommand<v1::RefuseReturnRequest, ReturnsEvent>("RefuseReturn", Decide);
  s.AddCommand<v1::CancelReturnRequest, ReturnsEvent>("CancelReturn", Decide);
  s.AddCommand<v1::ReceiveGoodsRequest, ReturnsEvent>("ReceiveGoods", Decide);
  s.AddCommand<v1::InspectReturnRequest, ReturnsEvent>("InspectReturn", Decide);
  s.AddCommand<v1::RefundReturnRequest, ReturnsEvent>("RefundReturn", Decide);
  s.AddCommand<v1::ConfirmRefundPaidRequest, ReturnsEvent>("ConfirmRefundPaid",
                                                           Decide);
  s.AddCommand<v1::SendReplacementRequest, ReturnsEvent>("SendReplacement",
                                                         Decide);
  s.AddCommand<v1::RejectReturnRequest, ReturnsEvent>("RejectReturn", Decide);
  s.AddCommand<v1::CloseReturnRequest, ReturnsEvent>("CloseReturn", Decide);

  s.AddQuery<v1::GetSaleLineRequest, v1::SaleLine>("GetSaleLine", GetSaleLine);
  s.AddQuery<v1::ListSaleLinesRequest, v1::ListSaleLinesResponse>(
      "ListSaleLines", ListSaleLines);
  s.AddQuery<v1::GetReturnRequest, v1::Return>("GetReturn", GetReturn);
  s.AddQuery<v1::ListReturnsRequest, v1::ListReturnsResponse>("ListReturns",
                                                              ListReturns);
  s.AddQuery<common::v1::GetHistoryRequest, common::v1::GetHistoryResponse>(
      "GetReturnHistory", shard::GetHistory<ReturnsEvent>);
  s.AddQuery<v1::SummarizeReturnsRequest, v1::ReturnSummary>("SummarizeReturns",
                                                             SummarizeReturns);
  return s;
}

}  // namespace aftercare::returns
