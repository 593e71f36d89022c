// HandbookService (proto/aftercare/handbook/v1): publishing handbooks to every
// partition of every service, wherever it runs, and showing them.
//
// A version counts as published when every partition has it. An answer of
// UNAVAILABLE leaves some with it and some without; publishing it again
// completes it.

#ifndef AFTERCARE_LIBS_RPC_HANDBOOK_SERVICE_H_
#define AFTERCARE_LIBS_RPC_HANDBOOK_SERVICE_H_

#include "libs/rpc/gateway.h"

namespace aftercare::rpc {

// Everything given must outlive the server.
void RegisterHandbookService(Server& server, const Gateway& gateway,
                             const Hosts& hosts, Router& router);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_HANDBOOK_SERVICE_H_
