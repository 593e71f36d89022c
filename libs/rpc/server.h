// -----------------------------------------------------------------------------
// File: server.h
// -----------------------------------------------------------------------------
//
// A gRPC server whose methods are bound from protobuf service descriptors at
// run time: no generated stubs, one unary adapter. The adapter parses the
// request (so that bad bytes get a precise status), calls the handler and
// finishes the call exactly once, from whatever thread the answer comes. A call
// that has no answer shortly before its deadline is answered ANSWER_OVERDUE.
//
//   Server server;
//   server.AddService(descriptor, [](const Call& call) -> ... );
//   RETURN_IF_ERROR(server.Start("127.0.0.1:0"));
//
// Reflection and health come with it. Health says NOT_SERVING until
// SetServing(true).

#ifndef AFTERCARE_LIBS_RPC_SERVER_H_
#define AFTERCARE_LIBS_RPC_SERVER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace aftercare::rpc {

// Largest request a server takes.
inline constexpr size_t kMaxRequestBytes = 1 << 20;

// What surrounds a call.
struct CallInfo {
  const google::protobuf::MethodDescriptor* method = nullptr;
  // Absolute; the server's default when the client set none.
  absl::Time deadline;
  // Client metadata, first value per key.
  std::map<std::string, std::string, std::less<>> metadata;
  // Adds trailing metadata to the answer; without effect once it was given.
  // Null in calls that came another way.
  std::function<void(const std::string& key, const std::string& value)> label;
};

// Gives the answer: a refusal, or the serialized response message. Once, from
// any thread; later calls are ignored. A responder that is dropped without an
// answer ends the call with INTERNAL_ERROR: no call stays open for ever.
using Responder = std::function<void(absl::StatusOr<std::string>)>;

// Must not block: long work goes to another thread. `request` has the method's
// input type.
using Handler = std::function<void(
    CallInfo info, std::shared_ptr<google::protobuf::Message> request,
    Responder respond)>;

// Called once per finished call, for metrics: method, status code, duration.
using Observer =
    std::function<void(const google::protobuf::MethodDescriptor& method,
                       absl::StatusCode code, absl::Duration duration)>;

struct ServerOptions {
  // For calls without a deadline of their own.
  absl::Duration default_deadline = absl::Seconds(30);
  Observer observer;
};

class Server {
 public:
  explicit Server(ServerOptions options = {});
  ~Server();

  // Before Start. All methods of the service go to `handler`.
  void AddService(const google::protobuf::ServiceDescriptor* service,
                  Handler handler);

  // "host:port"; port 0 takes a free one. UNAVAILABLE if it cannot listen.
  absl::Status Start(const std::string& address);
  int port() const { return port_; }

  // What grpc.health.v1.Health answers.
  void SetServing(bool serving);

  // No new calls; those under way have until `grace` to finish, then they are
  // answered with SHUTTING_DOWN and whatever their handlers say later is
  // ignored. Returns when all are gone.
  void Shutdown(absl::Duration grace);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  int port_ = 0;
};

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_SERVER_H_
