#include "libs/rpc/server.h"

#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

// The one place that finishes calls. The reactor lives until OnDone; the
// responder may outlive it (a late answer is ignored).
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  struct Shared {
    std::atomic<bool> answered{false};
    UnaryReactor* reactor = nullptr;
    grpc::ByteBuffer* response = nullptr;
    const google::protobuf::MethodDescriptor* method = nullptr;
    const Observer* observer = nullptr;
    absl::Time begin;

    void Answer(absl::StatusOr<std::string> answer) {
      if (answered.exchange(true)) return;
      if (*observer != nullptr) {
        (*observer)(*method, answer.status().code(), absl::Now() - begin);
      }
      if (!answer.ok()) {
        reactor->Finish(ToGrpc(answer.status()));
        return;
      }
      const grpc::Slice slice(*answer);
      *response = grpc::ByteBuffer(&slice, 1);
      reactor->Finish(grpc::Status::OK);
    }
  };

  explicit UnaryReactor(std::shared_ptr<Shared> shared)
      : shared_(std::move(shared)) {}

  void OnDone() override { delete this; }

 private:
  // Keeps what the answer writes into until the call is done.
  std::shared_ptr<Shared> shared_;
};

class DynamicService final : public grpc::Service {
 public:
  DynamicService(const google::protobuf::ServiceDescriptor* service,
                 Handler handler, const ServerOptions& options)
      : handler_(std::move(handler)), options_(options) {
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
    auto shared = std::make_shared<UnaryReactor::Shared>();
    auto* reactor = new UnaryReactor(shared);
    shared->reactor = reactor;
    shared->response = response;
    shared->method = method;
    shared->observer = &options_.observer;
    shared->begin = absl::Now();
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
                        ? shared->begin + options_.default_deadline
                        : absl::FromChrono(deadline);
    for (const auto& [key, value] : context->client_metadata()) {
      info.metadata.emplace(std::string(key.data(), key.size()),
                            std::string(value.data(), value.size()));
    }
    handler_(std::move(info), std::move(request),
             [shared](absl::StatusOr<std::string> answer) {
               shared->Answer(std::move(answer));
             });
    return reactor;
  }

  std::vector<std::string> names_;
  const Handler handler_;
  const ServerOptions& options_;
};

}  // namespace

class Server::Impl {
 public:
  explicit Impl(ServerOptions o) : options(std::move(o)) {}

  ServerOptions options;
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
      service, std::move(handler), impl_->options));
}

absl::Status Server::Start(const std::string& address) {
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
  impl_->server->Shutdown(absl::ToChronoTime(absl::Now() + grace));
  impl_->server->Wait();
  impl_->server.reset();
}

}  // namespace aftercare::rpc
