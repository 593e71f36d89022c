// Commands over gRPC as the benchmarks make them, and a bare echo over the same
// server and client to compare with.

#ifndef AFTERCARE_TESTS_BENCH_GRPC_LOAD_H_
#define AFTERCARE_TESTS_BENCH_GRPC_LOAD_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/log/log.h"
#include "libs/rpc/client.h"
#include "libs/rpc/gateway.h"
#include "libs/rpc/server.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/latencies.h"

namespace aftercare::bench {

// What is called: the n-th request.
struct Kind {
  const char* method;
  std::string (*request)(int64_t n);
};

// Never repeats.
inline std::string OpenCase(int64_t n) {
  intake::v1::OpenCaseRequest request;
  request.set_parent(absl::StrCat("companies/acme/customers/c", n % 1000));
  request.set_case_id(absl::StrCat("k", n));
  request.set_kind(intake::v1::Case::REPAIR);
  request.set_channel("hotline");
  request.set_subject("空调不制冷");
  request.set_description("客户来电: 空调不制冷, 已断电重启, 仍有异响。");
  request.set_product_line("appliance");
  request.set_request_id(absl::StrCat("bench-", n));
  return request.SerializeAsString();
}

// One of the first cases.
inline std::string GetCase(int64_t n) {
  intake::v1::GetCaseRequest request;
  n %= 200;
  request.set_name(
      absl::StrCat("companies/acme/customers/c", n % 1000, "/cases/k", n));
  return request.SerializeAsString();
}

inline constexpr Kind kOpenCase = {
    "/aftercare.intake.v1.IntakeService/OpenCase", OpenCase};
inline constexpr Kind kGetCase = {"/aftercare.intake.v1.IntakeService/GetCase",
                                  GetCase};

// Calls of one client. One measurement at a time.
class Calls {
 public:
  Calls(int port, Kind kind, const std::string& freshness = "")
      : client_(absl::StrCat("127.0.0.1:", port)), kind_(kind) {
    call_.actor = "agent-li";
    if (!freshness.empty()) {
      call_.metadata[rpc::kFreshnessMetadata] = freshness;
    }
  }

  rpc::Client& client() { return client_; }
  const rpc::Client::Call& call() const { return call_; }

  // One call's answer.
  std::string Once() {
    return Require(
        client_.InvokeRaw(kind_.method, kind_.request(next_++), call_));
  }

  // `callers` calls always under way.
  Result Closed(int callers, double seconds) {
    Start();
    stop_ = false;
    for (int i = 0; i < callers; ++i) Go();
    absl::SleepFor(absl::Seconds(seconds));
    const Result result = Count();
    stop_ = true;
    AwaitAnswers();
    return result;
  }

  // `rate` calls a second, whatever the answers do. A call's time counts from
  // when it was due, so that a server that stalls cannot hide behind a client
  // that waits for it.
  Result Paced(double rate, double seconds) {
    Start();
    stop_ = true;
    const absl::Duration gap = absl::Seconds(1 / rate);
    const absl::Time until = begin_.time + absl::Seconds(seconds);
    for (absl::Time due = begin_.time; due < until; due += gap) {
      if (const absl::Duration early = due - absl::Now();
          early > absl::ZeroDuration()) {
        absl::SleepFor(early);
      }
      Send(due);
    }
    const Result result = Count();
    AwaitAnswers();
    return result;
  }

 private:
  void Start() {
    std::lock_guard lock(mutex_);
    latencies_.clear();
    failed_ = 0;
    begin_ = Begin();
  }

  void Go() { Send(absl::Now()); }

  void Send(absl::Time due) {
    ++open_;
    client_.InvokeAsync(kind_.method, kind_.request(next_++), call_,
                        [this, due](absl::StatusOr<std::string> answer) {
                          Report(due, answer.status());
                          if (!stop_) Go();
                          --open_;
                        });
  }

  void Report(absl::Time due, const absl::Status& status) {
    std::lock_guard lock(mutex_);
    if (status.ok()) {
      latencies_.push_back(absl::Now() - due);
    } else if (failed_++ == 0) {
      std::cerr << status << "\n";
    }
  }

  Result Count() {
    std::lock_guard lock(mutex_);
    return ResultOf(latencies_, begin_);
  }

  void AwaitAnswers() {
    while (open_ > 0) absl::SleepFor(absl::Milliseconds(1));
    std::lock_guard lock(mutex_);
    if (failed_ > 0) std::cerr << failed_ << " calls failed\n";
  }

  rpc::Client client_;
  const Kind kind_;
  rpc::Client::Call call_;
  std::atomic<int64_t> next_{0};
  std::atomic<int64_t> open_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  Begin begin_;                            // guarded by mutex_
  std::vector<absl::Duration> latencies_;  // guarded by mutex_
  int64_t failed_ = 0;                     // guarded by mutex_
};

// An intake service over `log`, with a handbook and a thousand customers, and
// calls to it. The log must outlive it.
class Intake {
 public:
  Intake(log::Log& log, int partitions)
      : service_(std::make_shared<const shard::Service>(
            intake::MakeIntakeService())) {
    Require(log.EnsureTopic(service_->topic(), partitions));
    hosted_.push_back(std::make_unique<rpc::Hosted>(service_, partitions));
    for (int p = 0; p < partitions; ++p) {
      shard::ShardOptions options;
      options.directory = dir_ / absl::StrCat("shard", p);
      hosted_[0]->Put(p, Require(shard::Shard::Start(log, *service_, p,
                                                     partitions, options)));
    }
    for (const auto& shard : hosted_[0]->Shards()) {
      AwaitServing(*shard);
      PublishHandbook(*shard);
    }
    gateway_.Register(server_);
    Require(server_.Start("127.0.0.1:0"));
    calls_ = std::make_unique<Calls>(server_.port(), kOpenCase);
    for (int i = 0; i < 1000; ++i) {
      intake::v1::RegisterCustomerRequest request;
      request.set_parent("companies/acme");
      request.set_customer_id(absl::StrCat("c", i));
      request.set_display_name("王小明");
      Require(calls_->client().InvokeRaw(
          "/aftercare.intake.v1.IntakeService/RegisterCustomer",
          request.SerializeAsString(), calls_->call()));
    }
  }
  ~Intake() { server_.Shutdown(absl::Seconds(5)); }

  Calls& calls() { return *calls_; }
  int port() const { return server_.port(); }

 private:
  const testing::TempDir dir_;
  const std::shared_ptr<const shard::Service> service_;
  rpc::Hosts hosted_;
  const rpc::InsecureDevIdentity identity_;
  rpc::Executors executors_;
  rpc::Router router_{nullptr};
  rpc::Gateway gateway_{hosted_, identity_, executors_, router_, {}};
  rpc::Server server_;
  std::unique_ptr<Calls> calls_;
};

// The same calls over the same server, each answered at once with `answer`.
class Echo {
 public:
  explicit Echo(std::string answer) : answer_(std::move(answer)) {
    server_.AddService(
        intake::v1::OpenCaseRequest::descriptor()->file()->FindServiceByName(
            "IntakeService"),
        [this](rpc::CallInfo, std::shared_ptr<google::protobuf::Message>,
               rpc::Responder respond) { respond(answer_); });
    Require(server_.Start("127.0.0.1:0"));
    calls_ = std::make_unique<Calls>(server_.port(), kOpenCase);
  }
  ~Echo() { server_.Shutdown(absl::Seconds(5)); }

  Calls& calls() { return *calls_; }

 private:
  const std::string answer_;
  rpc::Server server_;
  std::unique_ptr<Calls> calls_;
};

}  // namespace aftercare::bench

#endif  // AFTERCARE_TESTS_BENCH_GRPC_LOAD_H_
