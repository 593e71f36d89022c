// History of one resource, from the rows the core keeps for every subject.

#ifndef AFTERCARE_LIBS_SHARD_HISTORY_H_
#define AFTERCARE_LIBS_SHARD_HISTORY_H_

#include "absl/status/statusor.h"
#include "aftercare/common/v1/rows.pb.h"
#include "aftercare/common/v1/types.pb.h"
#include "libs/base/rows.h"
#include "libs/shard/service.h"

namespace aftercare::shard {

inline constexpr Table<common::v1::HistoryRow> kHistory{"history"};

// Oldest first, paged. NOT_FOUND for a resource nothing ever happened to.
absl::StatusOr<common::v1::GetHistoryResponse> ReadHistory(
    const QueryContext& context, const common::v1::GetHistoryRequest& request,
    const google::protobuf::Message& event_prototype);

// As a query function: s.AddQuery<GetHistoryRequest, GetHistoryResponse>(
//     "GetCaseHistory", shard::GetHistory<v1::IntakeEvent>).
template <typename Event>
absl::StatusOr<common::v1::GetHistoryResponse> GetHistory(
    const QueryContext& context, const common::v1::GetHistoryRequest& request) {
  return ReadHistory(context, request, Event::default_instance());
}

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_HISTORY_H_
