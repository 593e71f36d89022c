// A thin client for tools and tests: any method of any service by descriptor.

#ifndef AFTERCARE_LIBS_RPC_CLIENT_H_
#define AFTERCARE_LIBS_RPC_CLIENT_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace aftercare::rpc {

// Thread-safe.
class Client {
 public:
  // `target` is host:port; nothing is connected until the first call.
  explicit Client(const std::string& target);
  ~Client();

  struct Call {
    std::string actor;
    absl::Duration deadline = absl::Seconds(30);
    // Repeats UNAVAILABLE answers until the deadline, with the server's
    // RetryInfo or a growing pause. Only for calls that are safe to repeat.
    bool retry = false;
    // Sent beside the actor.
    std::map<std::string, std::string> metadata = {};
    // Where the server's trailing metadata goes, before `done` runs; may be
    // null.
    std::map<std::string, std::string>* trailers = nullptr;
  };

  // Blocks. The message has the method's output type.
  absl::StatusOr<std::unique_ptr<google::protobuf::Message>> Invoke(
      const google::protobuf::MethodDescriptor& method,
      const google::protobuf::Message& request, const Call& call);

  template <typename Response>
  absl::StatusOr<Response> Invoke(
      const google::protobuf::MethodDescriptor& method,
      const google::protobuf::Message& request, const Call& call) {
    auto answer = Invoke(method, request, call);
    if (!answer.ok()) return answer.status();
    return std::move(static_cast<Response&>(**answer));
  }

  // Raw bytes under a full method name, for tests of bad input.
  absl::StatusOr<std::string> InvokeRaw(const std::string& method,
                                        const std::string& request,
                                        const Call& call);

  // Does not block; `done` runs on the client's thread and must not block.
  void InvokeAsync(const std::string& method, const std::string& request,
                   const Call& call,
                   std::function<void(absl::StatusOr<std::string>)> done);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// "/aftercare.intake.v1.IntakeService/OpenCase"
std::string MethodPath(const google::protobuf::MethodDescriptor& method);

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_CLIENT_H_
