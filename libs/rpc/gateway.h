// -----------------------------------------------------------------------------
// File: gateway.h
// -----------------------------------------------------------------------------
//
// From calls to shards: who acts, may they, which shard decides. The rules of
// a method are its proto option (MethodRules); the handbook says who has which
// role. Everything is denied that is not allowed, and permission is checked
// before existence.

#ifndef AFTERCARE_LIBS_RPC_GATEWAY_H_
#define AFTERCARE_LIBS_RPC_GATEWAY_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "libs/base/time.h"
#include "libs/process/clock.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/server.h"
#include "libs/shard/service.h"
#include "libs/shard/shard.h"

namespace aftercare::rpc {

// A service and its shards in this process, by partition.
struct Hosted {
  std::shared_ptr<const shard::Service> service;
  std::vector<std::unique_ptr<shard::Shard>> shards;

  shard::Shard& ShardOf(absl::string_view boundary) const;
};

// A few threads for answers that take longer (scans), so that callbacks never
// block. Thread-safe.
class Executor {
 public:
  Executor(int threads, size_t max_queued);
  ~Executor();
  // False when the queue is full; the work is then not taken.
  bool Run(std::function<void()> work);

 private:
  void Loop();
  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

struct GatewayOptions {
  // People who may call methods with the role `operator`.
  std::vector<std::string> operators;
};

// Thread-safe. Everything given must outlive it.
class Gateway {
 public:
  Gateway(const std::vector<std::unique_ptr<Hosted>>& hosted,
          const Authenticator& authenticator, Executor& executor,
          GatewayOptions options, Clock& clock = SystemClock());

  // Binds all services.
  void Register(Server& server);

  // The checks before any handler: who acts and whether the rules allow it in
  // `company` (may be empty for methods of the process). Returns the actor.
  absl::StatusOr<std::string> Authorize(const CallInfo& call,
                                        absl::string_view company) const;

 private:
  void Handle(const Hosted& hosted, CallInfo info,
              std::shared_ptr<google::protobuf::Message> request,
              Responder respond) const;
  void Command(const Hosted& hosted, const shard::Service::Method& method,
               const CallInfo& info, const std::string& actor,
               const std::string& boundary, uint64_t fingerprint,
               std::shared_ptr<google::protobuf::Message> request,
               Responder respond) const;
  void Query(const Hosted& hosted, const shard::Service::Method& method,
             const CallInfo& info, const std::string& actor,
             const std::string& name,
             std::shared_ptr<google::protobuf::Message> request,
             Responder respond) const;

  const std::vector<std::unique_ptr<Hosted>>& hosted_;
  const Authenticator& authenticator_;
  Executor& executor_;
  absl::flat_hash_set<std::string> operators_;
  Clock& clock_;
};

// The text field at a path such as "handbook.company"; empty if it is unset.
std::string TextAt(const google::protobuf::Message& message,
                   absl::string_view path);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_GATEWAY_H_
