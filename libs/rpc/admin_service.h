// AdminService (proto/aftercare/admin/v1): what an operator looks at and does.

#ifndef AFTERCARE_LIBS_RPC_ADMIN_SERVICE_H_
#define AFTERCARE_LIBS_RPC_ADMIN_SERVICE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aftercare/admin/v1/admin_service.pb.h"
#include "libs/log/log.h"
#include "libs/rpc/gateway.h"

namespace aftercare::rpc {

// What the reactions of the process tell and do; set by whoever runs them.
// Each function may be empty.
struct ReactionControl {
  std::function<std::vector<admin::v1::Reaction>()> status;
  std::function<std::vector<admin::v1::Parked>()> parked;
  // NOT_FOUND for an event that is not parked.
  std::function<absl::StatusOr<admin::v1::Parked>(
      const std::string& reaction, const std::string& event_id, bool retry)>
      resolve;
};

struct AdminOptions {
  // Where verification may put its scratch directories.
  std::string scratch_directory;
  // Whose free space is reported.
  std::string data_directory;
};

// Everything given must outlive the server.
void RegisterAdminService(Server& server, const Gateway& gateway,
                          const Hosts& hosted, log::Log& log,
                          Executor& executor, ReactionControl reactions,
                          AdminOptions options);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_ADMIN_SERVICE_H_
