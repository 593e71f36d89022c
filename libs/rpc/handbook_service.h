// HandbookService (proto/aftercare/handbook/v1): publishing and showing
// handbooks for the shards of this process.

#ifndef AFTERCARE_LIBS_RPC_HANDBOOK_SERVICE_H_
#define AFTERCARE_LIBS_RPC_HANDBOOK_SERVICE_H_

#include <memory>
#include <vector>

#include "libs/rpc/gateway.h"

namespace aftercare::rpc {

// Everything given must outlive the server.
void RegisterHandbookService(
    Server& server, const Gateway& gateway,
    const std::vector<std::unique_ptr<Hosted>>& hosted);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_HANDBOOK_SERVICE_H_
