// -----------------------------------------------------------------------------
// File: router.h
// -----------------------------------------------------------------------------
//
// Reaches the process that owns a partition: this one, or another by its
// address in the partition's last claim.
//
// A call is passed on once. The process it reaches either owns the partition or
// answers NOT_OWNER, and then nothing has happened; the log is asked again, and
// if it names another owner by now, that one is tried. A call that gets no
// answer has an unknown outcome: OWNER_UNREACHABLE.

#ifndef AFTERCARE_LIBS_RPC_ROUTER_H_
#define AFTERCARE_LIBS_RPC_ROUTER_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aftercare/peer/v1/peer_service.pb.h"
#include "libs/rpc/client.h"
#include "libs/rpc/hosted.h"
#include "libs/rpc/owners.h"
#include "libs/rpc/server.h"
#include "libs/shard/shard.h"

namespace aftercare::rpc {

// Marks a call that was passed on: whoever gets it must not pass it on again.
inline constexpr char kForwardedMetadata[] = "x-aftercare-forwarded";

// Thread-safe.
class Router {
 public:
  // `owners` null: only what runs here can be reached. `owners` and every host
  // given later must outlive the router.
  explicit Router(Owners* owners) : owners_(owners) {}
  // As Drain.
  ~Router() { Drain(); }

  // Waits until nothing that was asked of it is under way; all of it ends by
  // itself, within the patience below and that of the log. Nothing more may be
  // asked meanwhile.
  void Drain();

  // What this process writes into its claims. To be said before any host is
  // open (Hosted::Open).
  void Announce(std::string address);

  // How long a call that was passed on may go unanswered. A process that has
  // stopped without ending would hold its callers up for as long as they let
  // it.
  static constexpr absl::Duration kPatience = absl::Seconds(5);

  // Passes a client's call on, with its metadata and what is left of its
  // deadline. The answer's labels come with it.
  void Forward(const Hosted& host, int partition, const CallInfo& info,
               const std::string& request, Responder respond);

  // A reaction's command, to whoever owns its boundary.
  void Submit(const Hosted& host, shard::Command command,
              shard::CommandCallback done);

  // A handbook version for one partition.
  void SubmitHandbook(const Hosted& host, int partition,
                      const handbook::v1::Handbook& handbook,
                      const std::string& actor, absl::Time deadline,
                      shard::CommandCallback done);

  // The addresses of the owners of partitions, with those each owns. Fails when
  // one has none or is this process's own although it does not run here.
  using Located = std::function<void(
      absl::StatusOr<std::map<std::string, std::vector<int>>>)>;
  void Locate(const Hosted& host, std::vector<int> partitions, Located done);

  // Asks one owner for its part of a query; `info` is that of the query.
  void Query(const Hosted& host, const std::string& address,
             const CallInfo& info, const peer::v1::QueryRequest& request,
             std::function<void(absl::StatusOr<peer::v1::QueryResponse>)> done);

 private:
  struct Passing;

  // Keeps Drain waiting while it lives.
  std::shared_ptr<void> Hold();

  std::shared_ptr<Client> ClientOf(const std::string& address);
  void Find(const Hosted& host, int partition, Owners::Done done);
  void Pass(std::shared_ptr<Passing> passing);
  void Take(const std::shared_ptr<Passing>& passing, const std::string& address,
            absl::StatusOr<std::string> answer);

  Owners* const owners_;
  std::mutex mutex_;
  std::condition_variable drained_;
  int open_ = 0;                                            // guarded by mutex_
  std::string address_;                                     // guarded by mutex_
  std::map<std::string, std::shared_ptr<Client>> clients_;  // guarded by mutex_
};

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_ROUTER_H_
