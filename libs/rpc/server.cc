#include "libs/rpc/server.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/impl/codegen/rpc_service_method.h"
#include "grpcpp/impl/codegen/server_callback_handlers.h"
#include "grpcpp/impl/codegen/service_type.h"
#include "grpcpp/support/byte_buffer.h"
#include "libs/base/refusal.h"
#include "libs/rpc/status.h"

namespace aftercare::rpc {
namespace {

std::string Flatten(const grpc::ByteBuffer& buffer) {
  std::string bytes;
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) return bytes;
  bytes.reserve(buffer.Length());
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

// An answer is given so long before the deadline, or a tenth of what the call
// has.
constexpr absl::Duration kLongestWayBack = absl::Milliseconds(200);

class OpenCalls;

// What gRPC knows of a call: lives until OnDone, which cannot come before the
// call has been finished.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  void OnDone() override { delete this; }
};

// The one place that finishes calls. Only responders keep it alive: when the
// last one is gone without an answer, the destructor gives it.
class PendingAnswer {
 public:
  PendingAnswer(OpenCalls& open, const Observer& observer,
                const google::protobuf::MethodDescriptor& method,
                grpc::CallbackServerContext* context,
                grpc::ByteBuffer* response)
      : open_(open),
        observer_(observer),
        method_(method),
        begin_(absl::Now()),
        due_(DueOf(begin_, *context)),
        context_(context),
        response_(response),
        reactor_(new UnaryReactor) {}
  ~PendingAnswer() {
    if (answered_) return;
    Answer(absl::InternalError(
        absl::StrCat(method_.full_name(), " was never answered")));
  }

  UnaryReactor* reactor() const { return reactor_; }
  absl::Time begin() const { return begin_; }
  // When it has to be answered so that the client still hears it.
  absl::Time due() const { return due_; }
  void Answer(absl::StatusOr<std::string> answer);
  void Label(const std::string& key, const std::string& value) {
    std::lock_guard lock(mutex_);
    if (!answered_) context_->AddTrailingMetadata(key, value);
  }

 private:
  static absl::Time DueOf(absl::Time begin,
                          const grpc::CallbackServerContext& context) {
    const auto deadline = context.deadline();
    if (deadline == std::chrono::system_clock::time_point::max()) {
      return absl::InfiniteFuture();
    }
    const absl::Time end = absl::FromChrono(deadline);
    return end - std::min((end - begin) / 10, kLongestWayBack);
  }

  OpenCalls& open_;
  const Observer& observer_;
  const google::protobuf::MethodDescriptor& method_;
  const absl::Time begin_;
  const absl::Time due_;
  grpc::CallbackServerContext* const context_;
  grpc::ByteBuffer* const response_;
  UnaryReactor* const reactor_;
  std::mutex mutex_;
  bool answered_ = false;  // guarded by mutex_; context_ is gone soon after
};

// gRPC's Shutdown waits for every call that has begun, for ever if need be;
// so whoever shuts down must be able to answer them all. And whatever a call
// waits for, the client hears from us before its deadline what that means.
class OpenCalls {
 public:
  OpenCalls() : watch_([this] { Watch(); }) {}
  ~OpenCalls() {
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
    }
    sooner_.notify_all();
    watch_.join();
  }

  // False once closed.
  bool Add(const std::shared_ptr<PendingAnswer>& call) {
    std::lock_guard lock(mutex_);
    if (closed_) return false;
    calls_.emplace(call.get(), call);
    if (call->due() == absl::InfiniteFuture()) return true;
    const auto place = due_.emplace(call->due(), call.get()).first;
    if (place == due_.begin()) sooner_.notify_all();
    return true;
  }

  void Remove(const PendingAnswer* call) {
    std::lock_guard lock(mutex_);
    calls_.erase(call);
    due_.erase({call->due(), call});
    if (closed_ && calls_.empty()) empty_.notify_all();
  }

  // Takes no new calls, waits up to `grace` for those under way and answers
  // what is left then.
  void Drain(absl::Duration grace) {
    std::vector<std::shared_ptr<PendingAnswer>> left;
    {
      std::unique_lock lock(mutex_);
      closed_ = true;
      empty_.wait_for(lock, absl::ToChronoMilliseconds(grace),
                      [this] { return calls_.empty(); });
      for (const auto& [key, weak] : calls_) {
        if (auto call = weak.lock()) left.push_back(std::move(call));
      }
    }
    for (const auto& call : left) call->Answer(ShuttingDown());
  }

  static absl::Status ShuttingDown() {
    return WithRetryDelay(
        Refuse(common::v1::REASON_SHUTTING_DOWN, "the server is stopping"),
        absl::Seconds(1));
  }

 private:
  void Watch();

  std::mutex mutex_;
  std::condition_variable empty_;
  std::condition_variable sooner_;
  bool closed_ = false;
  bool ended_ = false;
  absl::flat_hash_map<const PendingAnswer*, std::weak_ptr<PendingAnswer>>
      calls_;
  std::set<std::pair<absl::Time, const PendingAnswer*>> due_;
  std::thread watch_;
};

void OpenCalls::Watch() {
  const absl::Status overdue = WithRetryDelay(
      Refuse(common::v1::REASON_ANSWER_OVERDUE,
             "there is no answer within the call's deadline: the outcome is "
             "unknown; repeat with the same request_id"),
      absl::Seconds(1));
  std::unique_lock lock(mutex_);
  while (!ended_) {
    const absl::Time now = absl::Now();
    std::vector<std::shared_ptr<PendingAnswer>> late;
    while (!due_.empty() && due_.begin()->first <= now) {
      const auto found = calls_.find(due_.begin()->second);
      if (found != calls_.end()) late.push_back(found->second.lock());
      due_.erase(due_.begin());
    }
    if (!late.empty()) {
      lock.unlock();
      for (const auto& call : late) {
        if (call != nullptr) call->Answer(overdue);
      }
      // The last holder of a call removes it, which takes the lock.
      late.clear();
      lock.lock();
    } else if (due_.empty()) {
      sooner_.wait(lock);
    } else {
      sooner_.wait_for(lock,
                       absl::ToChronoNanoseconds(due_.begin()->first - now));
    }
  }
}

void PendingAnswer::Answer(absl::StatusOr<std::string> answer) {
  {
    std::lock_guard lock(mutex_);
    if (answered_) return;
    answered_ = true;
  }
  open_.Remove(this);
  const grpc::Status status = ToGrpc(answer.status());
  if (observer_ != nullptr) {
    observer_(method_, static_cast<absl::StatusCode>(status.error_code()),
              absl::Now() - begin_);
  }
  if (answer.ok()) {
    const grpc::Slice slice(*answer);
    *response_ = grpc::ByteBuffer(&slice, 1);
  }
  reactor_->Finish(status);
}

class DynamicService final : public grpc::Service {
 public:
  DynamicService(const google::protobuf::ServiceDescriptor* service,
                 Handler handler, const ServerOptions& options, OpenCalls& open)
      : handler_(std::move(handler)), options_(options), open_(open) {
    for (int i = 0; i < service->method_count(); ++i) {
      const auto* method = service->method(i);
      names_.push_back(
          absl::StrCat("/", service->full_name(), "/", method->name()));
    }
    for (int i = 0; i < service->method_count(); ++i) {
      const auto* method = service->method(i);
      AddMethod(new grpc::internal::RpcServiceMethod(
          names_[i].c_str(), grpc::internal::RpcMethod::NORMAL_RPC, nullptr));
      MarkMethodRawCallback(
          i, new grpc::internal::CallbackUnaryHandler<grpc::ByteBuffer,
                                                      grpc::ByteBuffer>(
                 [this, method](grpc::CallbackServerContext* context,
                                const grpc::ByteBuffer* request,
                                grpc::ByteBuffer* response) {
                   return Handle(method, context, request, response);
                 }));
    }
  }

 private:
  grpc::ServerUnaryReactor* Handle(
      const google::protobuf::MethodDescriptor* method,
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* buffer,
      grpc::ByteBuffer* response) {
    auto shared = std::make_shared<PendingAnswer>(open_, options_.observer,
                                                  *method, context, response);
    UnaryReactor* const reactor = shared->reactor();
    if (!open_.Add(shared)) {
      shared->Answer(OpenCalls::ShuttingDown());
      return reactor;
    }
    if (buffer->Length() > kMaxRequestBytes) {
      shared->Answer(Refuse(
          common::v1::REASON_REQUEST_TOO_LARGE,
          absl::StrCat("the request has ", buffer->Length(), " bytes; at most ",
                       kMaxRequestBytes, " are taken")));
      return reactor;
    }
    const auto* prototype =
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(
            method->input_type());
    std::shared_ptr<google::protobuf::Message> request(prototype->New());
    // proto3 text fields must be UTF-8: parsing refuses anything else.
    if (!request->ParseFromString(Flatten(*buffer))) {
      shared->Answer(Refuse(
          common::v1::REASON_REQUEST_MALFORMED,
          absl::StrCat("the bytes are no ", method->input_type()->full_name(),
                       ", or a text in them is not UTF-8")));
      return reactor;
    }
    CallInfo info;
    info.method = method;
    const auto deadline = context->deadline();
    info.deadline = deadline == std::chrono::system_clock::time_point::max()
                        ? shared->begin() + options_.default_deadline
                        : absl::FromChrono(deadline);
    for (const auto& [key, value] : context->client_metadata()) {
      info.metadata.emplace(std::string(key.data(), key.size()),
                            std::string(value.data(), value.size()));
    }
    info.label = [weak = std::weak_ptr<PendingAnswer>(shared)](
                     const std::string& key, const std::string& value) {
      if (auto call = weak.lock()) call->Label(key, value);
    };
    handler_(std::move(info), std::move(request),
             [shared = std::move(shared)](absl::StatusOr<std::string> answer) {
               shared->Answer(std::move(answer));
             });
    return reactor;
  }

  std::vector<std::string> names_;
  const Handler handler_;
  const ServerOptions& options_;
  OpenCalls& open_;
};

}  // namespace

class Server::Impl {
 public:
  explicit Impl(ServerOptions o) : options(std::move(o)) {}

  ServerOptions options;
  OpenCalls open;
  std::vector<std::unique_ptr<DynamicService>> services;
  std::atomic<bool> serving{false};
  std::unique_ptr<grpc::Server> server;
};

Server::Server(ServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {
  static const bool reflection = [] {
    grpc::EnableDefaultHealthCheckService(false);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    return true;
  }();
  (void)reflection;
  const auto* health = grpc::health::v1::HealthCheckRequest::descriptor()
                           ->file()
                           ->FindServiceByName("Health");
  AddService(health, [this](CallInfo info,
                            std::shared_ptr<google::protobuf::Message>,
                            Responder respond) {
    if (info.method->name() != "Check") {
      respond(Refuse(common::v1::REASON_METHOD_UNKNOWN,
                     "health is asked by Check only"));
      return;
    }
    grpc::health::v1::HealthCheckResponse response;
    response.set_status(
        impl_->serving ? grpc::health::v1::HealthCheckResponse::SERVING
                       : grpc::health::v1::HealthCheckResponse::NOT_SERVING);
    respond(response.SerializeAsString());
  });
}

Server::~Server() { Shutdown(absl::ZeroDuration()); }

void Server::AddService(const google::protobuf::ServiceDescriptor* service,
                        Handler handler) {
  impl_->services.push_back(std::make_unique<DynamicService>(
      service, std::move(handler), impl_->options, impl_->open));
}

absl::Status Server::Start(const std::string& address) {
  // gRPC's locks are Abseil's, and Debian's Abseil looks for a cycle at each.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port_);
  // Above our own limit, so that ours gives the precise answer.
  builder.SetMaxReceiveMessageSize(16 << 20);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  for (auto& service : impl_->services) builder.RegisterService(service.get());
  impl_->server = builder.BuildAndStart();
  if (impl_->server == nullptr || port_ == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", address));
  }
  return absl::OkStatus();
}

void Server::SetServing(bool serving) { impl_->serving = serving; }

void Server::Shutdown(absl::Duration grace) {
  if (impl_->server == nullptr) return;
  impl_->serving = false;
  impl_->open.Drain(grace);
  // Nothing is left to wait for but answers on their way to the network.
  impl_->server->Shutdown(absl::ToChronoTime(absl::Now() + absl::Seconds(1)));
  impl_->server->Wait();
  impl_->server.reset();
}

}  // namespace aftercare::rpc
