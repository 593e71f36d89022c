#include "libs/rpc/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "google/rpc/status.pb.h"
#include "libs/base/logging.h"
#include "libs/base/refusal.h"

namespace aftercare::rpc {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  absl::Status shown = status;
  if (ReasonOf(status).empty()) {
    LogError("an error without a reason reached a caller",
             {{"status", status.ToString()}});
    shown = absl::IsUnavailable(status)
                ? Refuse(common::v1::REASON_LOG_UNAVAILABLE,
                         "a part of the server is not reachable")
                : Refuse(common::v1::REASON_INTERNAL_ERROR,
                         "something went wrong inside the server");
  }
  google::rpc::Status details;
  details.set_code(static_cast<int>(shown.code()));
  details.set_message(std::string(shown.message()));
  shown.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    auto* any = details.add_details();
    any->set_type_url(std::string(url));
    any->set_value(std::string(payload));
  });
  return grpc::Status(static_cast<grpc::StatusCode>(shown.code()),
                      details.message(), details.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
  google::rpc::Status details;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& any : details.details()) {
      result.SetPayload(any.type_url(), absl::Cord(any.value()));
    }
  }
  return result;
}

}  // namespace aftercare::rpc
