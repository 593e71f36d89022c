// Refusals on the wire: absl::Status with its payloads to and from grpc::Status
// with google.rpc.Status in the standard trailer, so that any client's tooling
// decodes ErrorInfo, BadRequest and RetryInfo.

#ifndef AFTERCARE_LIBS_RPC_STATUS_H_
#define AFTERCARE_LIBS_RPC_STATUS_H_

#include "absl/status/status.h"
#include "grpcpp/support/status.h"

namespace aftercare::rpc {

// A status without a reason (not made by Refuse) is our own mistake or the
// machine's: it keeps UNAVAILABLE, else becomes INTERNAL without inner text.
grpc::Status ToGrpc(const absl::Status& status);

absl::Status FromGrpc(const grpc::Status& status);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_STATUS_H_
