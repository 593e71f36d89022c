// How returns are found: index keys, timers and queries.

#ifndef AFTERCARE_SERVICES_RETURNS_VIEWS_H_
#define AFTERCARE_SERVICES_RETURNS_VIEWS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "libs/shard/service.h"

namespace aftercare::returns {

std::vector<std::string> RequestTimeKeys(const v1::Return& r);
std::vector<std::string> StateKeys(const v1::Return& r);
// One key per running clock.
std::vector<std::string> DueTimeKeys(const v1::Return& r);
// One key per payout.
std::vector<std::string> PaymentKeys(const v1::Return& r);
std::vector<absl::Time> ReturnTimers(const v1::Return& r);

absl::StatusOr<v1::SaleLine> GetSaleLine(const shard::QueryContext& context,
                                         const v1::GetSaleLineRequest& request);
absl::StatusOr<v1::ListSaleLinesResponse> ListSaleLines(
    const shard::QueryContext& context,
    const v1::ListSaleLinesRequest& request);
absl::StatusOr<v1::Return> GetReturn(const shard::QueryContext& context,
                                     const v1::GetReturnRequest& request);
absl::StatusOr<v1::ListReturnsResponse> ListReturns(
    const shard::QueryContext& context, const v1::ListReturnsRequest& request);
absl::StatusOr<v1::ReturnSummary> SummarizeReturns(
    const shard::QueryContext& context,
    const v1::SummarizeReturnsRequest& request);

}  // namespace aftercare::returns

#endif  // AFTERCARE_SERVICES_RETURNS_VIEWS_H_
