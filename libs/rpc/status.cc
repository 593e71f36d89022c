#include "libs/rpc/status.h"

#include <string>

#include "absl/strings/cord.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "libs/base/refusal.h"
#include "libs/process/logging.h"

namespace aftercare::rpc {
namespace {

// Trailers are small by default (8 KiB together), and a text crosses twice,
// once percent-encoded. What is too much is cut: the first violations and the
// beginning of a text always arrive.
constexpr size_t kMaxMessage = 800;
constexpr size_t kMaxDetails = 3500;

// Cut between characters.
std::string Cut(absl::string_view text) {
  if (text.size() <= kMaxMessage) return std::string(text);
  size_t end = kMaxMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return std::string(text.substr(0, end)) + "...";
}

void Shrink(google::rpc::Status& wire) {
  for (auto& detail : *wire.mutable_details()) {
    if (wire.ByteSizeLong() <= kMaxDetails) return;
    google::rpc::BadRequest bad;
    if (!detail.Is<google::rpc::BadRequest>() || !detail.UnpackTo(&bad)) {
      continue;
    }
    while (bad.field_violations_size() > 1 &&
           wire.ByteSizeLong() > kMaxDetails) {
      const int keep = bad.field_violations_size() / 2;
      bad.mutable_field_violations()->DeleteSubrange(
          keep, bad.field_violations_size() - keep);
      detail.PackFrom(bad);
    }
  }
  for (auto& detail : *wire.mutable_details()) {
    if (wire.ByteSizeLong() <= kMaxDetails) return;
    google::rpc::ErrorInfo info;
    if (!detail.Is<google::rpc::ErrorInfo>() || !detail.UnpackTo(&info)) {
      continue;
    }
    info.clear_metadata();
    detail.PackFrom(info);
  }
}

}  // namespace

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
  details.set_message(Cut(shown.message()));
  shown.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    auto* any = details.add_details();
    any->set_type_url(std::string(url));
    any->set_value(std::string(payload));
  });
  Shrink(details);
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
