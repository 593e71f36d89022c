// PeerService (proto/aftercare/peer/v1): what the processes of Aftercare ask of
// one another.

#ifndef AFTERCARE_LIBS_RPC_PEER_SERVICE_H_
#define AFTERCARE_LIBS_RPC_PEER_SERVICE_H_

#include "libs/rpc/gateway.h"

namespace aftercare::rpc {

// Everything given must outlive the server.
void RegisterPeerService(Server& server, const Gateway& gateway,
                         const Hosts& hosts, Executor& executor);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_PEER_SERVICE_H_
