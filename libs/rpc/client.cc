#include "libs/rpc/client.h"

#include <algorithm>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/rpc/error_details.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/process/clock.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/status.h"

namespace aftercare::rpc {
namespace {

absl::Duration RetryDelay(const absl::Status& status, absl::Duration fallback) {
  google::rpc::RetryInfo info;
  const auto payload = status.GetPayload(kRetryInfoUrl);
  if (payload && info.ParseFromString(std::string(*payload))) {
    return std::min(FromProto(info.retry_delay()), absl::Seconds(1));
  }
  return fallback;
}

}  // namespace

// Calls end on a completion queue and a thread of our own: the threads of the
// library's callback queue can outlive the last channel (gRPC 1.51) and then
// crash at exit.
class Client::Impl {
 public:
  explicit Impl(const std::string& target) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(64 << 20);
    // Also the time that an attempt to connect gets: a busy machine may take
    // a while to answer.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    channel = grpc::CreateCustomChannel(
        target, grpc::InsecureChannelCredentials(), arguments);
    stub = std::make_unique<grpc::GenericStub>(channel);
    poller = std::thread([this] {
      void* tag = nullptr;
      bool ok = false;
      while (queue.Next(&tag, &ok)) {
        std::unique_ptr<Pending> call(static_cast<Pending*>(tag));
        call->End();
      }
    });
  }

  ~Impl() {
    // Calls still under way end by their deadlines before the queue drains.
    queue.Shutdown();
    poller.join();
  }

  // One call from its start to its end.
  struct Pending {
    grpc::ClientContext context;
    grpc::ByteBuffer response;
    grpc::Status status;
    std::unique_ptr<grpc::GenericClientAsyncResponseReader> reader;
    std::function<void(absl::StatusOr<std::string>)> done;
    std::map<std::string, std::string>* trailers = nullptr;

    void End() {
      if (trailers != nullptr) {
        for (const auto& [key, value] : context.GetServerTrailingMetadata()) {
          trailers->emplace(std::string(key.data(), key.size()),
                            std::string(value.data(), value.size()));
        }
      }
      if (status.error_code() == grpc::StatusCode::CANCELLED) {
        // Nobody here cancels: the server went away with the call.
        done(absl::UnavailableError("the server ended the call"));
        return;
      }
      if (!status.ok()) {
        done(FromGrpc(status));
        return;
      }
      std::vector<grpc::Slice> slices;
      std::string bytes;
      if (response.Dump(&slices).ok()) {
        for (const grpc::Slice& part : slices) {
          bytes.append(reinterpret_cast<const char*>(part.begin()),
                       part.size());
        }
      }
      done(std::move(bytes));
    }
  };

  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<grpc::GenericStub> stub;
  grpc::CompletionQueue queue;
  std::thread poller;
};

Client::Client(const std::string& target)
    : impl_(std::make_unique<Impl>(target)) {}
Client::~Client() = default;

std::string MethodPath(const google::protobuf::MethodDescriptor& method) {
  return absl::StrCat("/", method.service()->full_name(), "/", method.name());
}

void Client::InvokeAsync(
    const std::string& method, const std::string& request, const Call& call,
    std::function<void(absl::StatusOr<std::string>)> done) {
  auto* pending = new Impl::Pending;
  pending->done = std::move(done);
  pending->context.set_deadline(
      absl::ToChronoTime(absl::Now() + call.deadline));
  if (!call.actor.empty()) {
    pending->context.AddMetadata(kActorMetadata, call.actor);
  }
  for (const auto& [key, value] : call.metadata) {
    pending->context.AddMetadata(key, value);
  }
  pending->trailers = call.trailers;
  const grpc::Slice slice(request);
  pending->reader = impl_->stub->PrepareUnaryCall(
      &pending->context, method, grpc::ByteBuffer(&slice, 1), &impl_->queue);
  pending->reader->StartCall();
  pending->reader->Finish(&pending->response, &pending->status, pending);
}

absl::StatusOr<std::string> Client::InvokeRaw(const std::string& method,
                                              const std::string& request,
                                              const Call& call) {
  const absl::Time end = SteadyNow() + call.deadline;
  absl::Duration pause = absl::Milliseconds(20);
  while (true) {
    auto promise =
        std::make_shared<std::promise<absl::StatusOr<std::string>>>();
    Call once = call;
    once.deadline = std::max(end - SteadyNow(), absl::Milliseconds(1));
    InvokeAsync(method, request, once,
                [promise](absl::StatusOr<std::string> answer) {
                  promise->set_value(std::move(answer));
                });
    absl::StatusOr<std::string> answer = promise->get_future().get();
    if (!call.retry || !absl::IsUnavailable(answer.status())) return answer;
    const absl::Duration delay = RetryDelay(answer.status(), pause);
    if (SteadyNow() + delay >= end) return answer;
    absl::SleepFor(delay);
    pause = std::min(pause * 2, absl::Seconds(1));
  }
}

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> Client::Invoke(
    const google::protobuf::MethodDescriptor& method,
    const google::protobuf::Message& request, const Call& call) {
  ASSIGN_OR_RETURN(
      const std::string bytes,
      InvokeRaw(MethodPath(method), request.SerializeAsString(), call));
  std::unique_ptr<google::protobuf::Message> response(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(method.output_type())
          ->New());
  if (!response->ParseFromString(bytes)) {
    return absl::DataLossError("the server's answer does not parse");
  }
  return response;
}

}  // namespace aftercare::rpc
