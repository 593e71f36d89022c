// -----------------------------------------------------------------------------
// File: gateway.h
// -----------------------------------------------------------------------------
//
// From calls to shards: who acts, may they, which shard decides. The rules of
// a method are its proto option (MethodRules); the handbook says who has which
// role. Everything is denied that is not allowed, and permission is checked
// before existence.
//
// A call whose partition runs elsewhere is passed on as it came, once; there it
// is checked and decided as if it had come first. Queries over all boundaries
// are asked of every process that runs some partitions, and merged.
//
// Answers are labelled with trailing metadata `x-aftercare-position`:
// "<service>/<partition> claim=<c> offset=<o>", several joined by ", ": they
// hold everything before that offset. With `x-aftercare-freshness: any` a query
// may be answered from the past by an owner that does not know yet that it has
// been deposed, or is in doubt; the label then ends in " unconfirmed".

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
#include "libs/rpc/hosted.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/router.h"
#include "libs/rpc/server.h"
#include "libs/shard/scatter.h"
#include "libs/shard/service.h"
#include "libs/shard/shard.h"

namespace aftercare::rpc {

inline constexpr char kPositionMetadata[] = "x-aftercare-position";
// Set to `any` by the caller of a query: rows that may be behind what others
// were told will do. Such an answer comes also while the log is away.
inline constexpr char kFreshnessMetadata[] = "x-aftercare-freshness";

// A few threads for queries, so that callbacks and shards never wait for them.
// Thread-safe.
class Executor {
 public:
  Executor(int threads, size_t max_queued);
  ~Executor();
  // False when the queue is full; the work is then not taken.
  bool Run(std::function<void()> work);

  // Run, or OVERLOADED as the answer.
  template <typename Done, typename Work>
  void RunOr(const Done& done, Work work) {
    if (!Run(std::move(work))) done(Full());
  }

 private:
  static absl::Status Full();
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

// For queries: those on one boundary must not wait for long scans.
struct Executors {
  Executor quick{2, 4096};
  Executor scans{2, 256};
};

// Thread-safe. Everything given must outlive it.
class Gateway {
 public:
  Gateway(const Hosts& hosts, const Authenticator& authenticator,
          Executors& executors, Router& router, GatewayOptions options,
          Clock& clock = SystemClock());

  // Binds all services.
  void Register(Server& server);

  // The checks before any handler: who acts and whether the rules allow it in
  // `company` (may be empty for methods of the process). Returns the actor.
  absl::StatusOr<std::string> Authorize(const CallInfo& call,
                                        absl::string_view company) const;

  // Whether another process of Aftercare calls in its own name; if not:
  // ACTION_NOT_PERMITTED.
  absl::Status AuthorizePeer(const CallInfo& call) const;

  // What `partitions` of the service, which must run here, answer to a query;
  // `info` is that of the query itself. Checks rights. `done` runs on a thread
  // of `executor`, on one of a shard, or before it returns.
  using PartDone = std::function<void(absl::StatusOr<shard::PartialAnswer>)>;
  void AnswerPart(const Hosted& host, const CallInfo& info,
                  std::shared_ptr<const google::protobuf::Message> request,
                  const std::vector<int>& partitions, Executor& executor,
                  PartDone done) const;

 private:
  // What a call is about.
  struct Target {
    std::string name;
    std::string boundary;
    bool everywhere = false;
    // Of a command, before an id was chosen for it.
    uint64_t fingerprint = 0;
    // An id was chosen by the request_id, as the owner will choose it again.
    bool id_derived = false;
  };
  // One process's part of a query.
  struct Part {
    const shard::Service::Method* method = nullptr;
    std::vector<std::shared_ptr<shard::Shard>> shards;
    std::string company;
    std::string actor;
  };
  struct Read {
    int partition = 0;
    std::unique_ptr<RowReader> rows;
  };
  absl::StatusOr<Part> PartOf(const Hosted& host, const CallInfo& info,
                              const google::protobuf::Message& request,
                              const std::vector<int>& partitions) const;
  absl::StatusOr<shard::PartialAnswer> Run(
      const Part& part, const CallInfo& info,
      const google::protobuf::Message& request,
      const std::vector<Read>& reads) const;
  void Handle(const Hosted& hosted, CallInfo info,
              std::shared_ptr<google::protobuf::Message> request,
              Responder respond) const;
  absl::StatusOr<Target> Resolve(const shard::Service::Method& method,
                                 absl::string_view actor,
                                 google::protobuf::Message& request) const;
  void Command(shard::Shard& shard, const shard::Service::Method& method,
               const CallInfo& info, const std::string& actor,
               const Target& target,
               std::shared_ptr<google::protobuf::Message> request,
               Responder respond) const;
  void QueryEverywhere(const Hosted& host, CallInfo info,
                       std::shared_ptr<google::protobuf::Message> request,
                       Responder respond) const;

  const Hosts& hosts_;
  const Authenticator& authenticator_;
  Executors& executors_;
  Router& router_;
  absl::flat_hash_set<std::string> operators_;
  Clock& clock_;
};

// The text field at a path such as "handbook.company"; empty if it is unset.
std::string TextAt(const google::protobuf::Message& message,
                   absl::string_view path);

// NOT_READY when not everything could be read that was asked of `rows`: what
// was made of it, a refusal too, must not be answered.
absl::Status CheckRead(const RowReader& rows);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_GATEWAY_H_
