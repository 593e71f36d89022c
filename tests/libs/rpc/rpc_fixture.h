// A whole server in this process: intake on a real embedded log with two
// partitions, all RPC services, a client.

#ifndef AFTERCARE_TESTS_LIBS_RPC_RPC_FIXTURE_H_
#define AFTERCARE_TESTS_LIBS_RPC_RPC_FIXTURE_H_

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/handbook/yaml.h"
#include "libs/log/embedded_log.h"
#include "libs/rpc/admin_service.h"
#include "libs/rpc/client.h"
#include "libs/rpc/gateway.h"
#include "libs/rpc/handbook_service.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/metrics.h"
#include "libs/rpc/router.h"
#include "libs/rpc/server.h"
#include "libs/testing/temp_dir.h"
#include "services/intake/service.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::testing {

inline constexpr int kPartitions = 2;

class RpcFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    log::EmbeddedLogOptions log_options;
    log_options.directory = dir_ / "log";
    auto log = log::EmbeddedLog::Open(log_options);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    auto host = std::make_unique<rpc::Hosted>(
        std::make_shared<const shard::Service>(intake::MakeIntakeService()),
        kPartitions);
    ASSERT_TRUE(log_->EnsureTopic(host->service->topic(), kPartitions).ok());
    for (int p = 0; p < kPartitions; ++p) {
      shard::ShardOptions options;
      options.directory = dir_ / absl::StrCat("shard", p);
      options.owner = "test";
      options.free_bytes = [this]() -> absl::StatusOr<int64_t> {
        return free_bytes_.load();
      };
      auto shard =
          shard::Shard::Start(*log_, *host->service, p, kPartitions, options);
      ASSERT_TRUE(shard.ok()) << shard.status();
      host->Put(p, *std::move(shard));
    }
    hosted_.push_back(std::move(host));
    auto metrics = rpc::Metrics::Start(metrics_address_, hosted_);
    ASSERT_TRUE(metrics.ok()) << metrics.status();
    metrics_ = *std::move(metrics);
    gateway_ = std::make_unique<rpc::Gateway>(
        hosted_, identity_, executors_, router_,
        rpc::GatewayOptions{.operators = {"operator"}});
    rpc::ServerOptions options;
    options.observer = metrics_->observer();
    server_ = std::make_unique<rpc::Server>(options);
    gateway_->Register(*server_);
    rpc::RegisterHandbookService(*server_, *gateway_, hosted_, router_);
    rpc::RegisterAdminService(*server_, *gateway_, hosted_, *log_,
                              executors_.scans, {},
                              {dir_ / "scratch", dir_.path()});
    ASSERT_TRUE(server_->Start("127.0.0.1:0").ok());
    client_ = std::make_unique<rpc::Client>(
        absl::StrCat("127.0.0.1:", server_->port()));
    for (const auto& shard : hosted_[0]->Shards()) {
      while (shard->Status().state != shard::ShardState::kServing) {
        std::this_thread::yield();
      }
    }
  }

  void TearDown() override {
    server_->Shutdown(absl::Seconds(5));
    hosted_.clear();
  }

  static const google::protobuf::MethodDescriptor& Find(
      const google::protobuf::ServiceDescriptor* service, const char* method) {
    return *service->FindMethodByName(method);
  }

  // Calls intake with a request in text format.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Intake(const char* method, const std::string& text,
                                  const std::string& actor = "agent-li") {
    Request request;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request))
        << text;
    return client_->Invoke<Response>(
        Find(hosted_[0]->service->descriptor(), method), request,
        {.actor = actor});
  }

  template <typename Response>
  absl::StatusOr<Response> Admin(const char* method,
                                 const google::protobuf::Message& request,
                                 const std::string& actor = "operator") {
    return client_->Invoke<Response>(
        Find(admin::v1::GetStatusRequest::descriptor()
                 ->file()
                 ->FindServiceByName("AdminService"),
             method),
        request, {.actor = actor});
  }

  template <typename Response>
  absl::StatusOr<Response> Handbook(const char* method,
                                    const google::protobuf::Message& request,
                                    const std::string& actor = "operator") {
    return client_->Invoke<Response>(
        Find(handbook::v1::ApplyHandbookRequest::descriptor()
                 ->file()
                 ->FindServiceByName("HandbookService"),
             method),
        request, {.actor = actor});
  }

  absl::Status ApplyDemoHandbook() {
    handbook::v1::ApplyHandbookRequest request;
    *request.mutable_handbook() =
        handbook::LoadHandbook(DemoHandbookText()).handbook;
    return Handbook<handbook::v1::Handbook>("ApplyHandbook", request).status();
  }

  absl::StatusOr<intake::v1::Customer> Register(const std::string& id,
                                                const std::string& more = "") {
    return Intake<intake::v1::RegisterCustomerRequest, intake::v1::Customer>(
        "RegisterCustomer",
        absl::StrCat("parent: 'companies/acme' customer_id: '", id,
                     "' display_name: '王小明 🙂' region: 'beijing' ",
                     more));
  }

  // Every record of the log, to show that nothing was written.
  int64_t LogEnd() {
    int64_t sum = 0;
    for (int p = 0; p < kPartitions; ++p) {
      sum += log_->End({hosted_[0]->service->topic(), p}).value();
    }
    return sum;
  }

  // Most tests need no endpoint, and ending one takes its library seconds.
  std::string metrics_address_;
  // What the shards find on their disk.
  std::atomic<int64_t> free_bytes_{int64_t{1} << 40};
  TempDir dir_;
  std::unique_ptr<log::EmbeddedLog> log_;
  rpc::Hosts hosted_;
  rpc::Router router_{nullptr};
  rpc::InsecureDevIdentity identity_;
  rpc::Executors executors_;
  std::unique_ptr<rpc::Metrics> metrics_;
  std::unique_ptr<rpc::Gateway> gateway_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<rpc::Client> client_;
};

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_LIBS_RPC_RPC_FIXTURE_H_
