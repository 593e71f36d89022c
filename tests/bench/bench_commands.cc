// Durable commands a second end to end over gRPC on the embedded log, beside a
// bare echo over the same server and client, and beside bare synced group
// commits of RocksDB. All three in one run, with the same number of callers
// and the same payload; the ratios are what counts.

#include <atomic>
#include <cstdio>
#include <functional>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/rpc/client.h"
#include "libs/rpc/gateway.h"
#include "libs/rpc/server.h"
#include "rocksdb/db.h"
#include "tests/bench/bench_util.h"

namespace aftercare::bench {
namespace {

constexpr char kOpenCase[] = "/aftercare.intake.v1.IntakeService/OpenCase";

std::string Payload(int64_t n) {
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

// `callers` calls always under way for `seconds`; calls a second.
double Measure(rpc::Client& client, int callers, double seconds,
               std::atomic<int64_t>& next) {
  rpc::Client::Call call;
  call.actor = "agent-li";
  std::atomic<int64_t> done{0};
  std::atomic<int64_t> failed{0};
  std::atomic<int> running{callers};
  std::atomic<bool> stop{false};
  std::promise<void> all;
  std::function<void()> go = [&] {
    client.InvokeAsync(kOpenCase, Payload(next++), call,
                       [&](absl::StatusOr<std::string> answer) {
                         if (answer.ok()) {
                           ++done;
                         } else if (failed++ == 0) {
                           std::cerr << answer.status() << "\n";
                         }
                         if (!stop) {
                           go();
                         } else if (--running == 0) {
                           all.set_value();
                         }
                       });
  };
  const absl::Time begin = absl::Now();
  for (int i = 0; i < callers; ++i) go();
  absl::SleepFor(absl::Seconds(seconds));
  const int64_t count = done;
  const double took = absl::ToDoubleSeconds(absl::Now() - begin);
  stop = true;
  all.get_future().wait();
  if (failed > 0) std::cerr << failed << " calls failed\n";
  return static_cast<double>(count) / took;
}

double MeasureCommands(int callers, double seconds) {
  testing::TempDir dir;
  log::EmbeddedLogOptions options;
  options.directory = dir / "log";
  auto log = Require(log::EmbeddedLog::Open(options));
  auto service =
      std::make_shared<const shard::Service>(intake::MakeIntakeService());
  Require(log->EnsureTopic(service->topic(), 2));
  rpc::Hosts hosted;
  hosted.push_back(std::make_unique<rpc::Hosted>(service, 2));
  for (int p = 0; p < 2; ++p) {
    shard::ShardOptions shard_options;
    shard_options.directory = dir / absl::StrCat("shard", p);
    hosted[0]->Put(
        p, Require(shard::Shard::Start(*log, *service, p, 2, shard_options)));
  }
  for (const auto& shard : hosted[0]->Shards()) {
    AwaitServing(*shard);
    PublishHandbook(*shard);
  }
  rpc::InsecureDevIdentity identity;
  rpc::Executor executor(1, 100);
  rpc::Router router(nullptr);
  rpc::Gateway gateway(hosted, identity, executor, router, {});
  rpc::Server server;
  gateway.Register(server);
  Require(server.Start("127.0.0.1:0"));
  rpc::Client client(absl::StrCat("127.0.0.1:", server.port()));
  rpc::Client::Call call;
  call.actor = "agent-li";
  for (int i = 0; i < 1000; ++i) {
    intake::v1::RegisterCustomerRequest request;
    request.set_parent("companies/acme");
    request.set_customer_id(absl::StrCat("c", i));
    request.set_display_name("王小明");
    Require(
        client.InvokeRaw("/aftercare.intake.v1.IntakeService/RegisterCustomer",
                         request.SerializeAsString(), call));
  }
  std::atomic<int64_t> next{0};
  Measure(client, callers, seconds / 5, next);  // warm
  const double rate = Measure(client, callers, seconds, next);
  server.Shutdown(absl::Seconds(5));
  return rate;
}

double MeasureEcho(int callers, double seconds) {
  rpc::Server server;
  server.AddService(
      intake::v1::OpenCaseRequest::descriptor()->file()->FindServiceByName(
          "IntakeService"),
      [](rpc::CallInfo, std::shared_ptr<google::protobuf::Message> request,
         rpc::Responder respond) { respond(request->SerializeAsString()); });
  Require(server.Start("127.0.0.1:0"));
  rpc::Client client(absl::StrCat("127.0.0.1:", server.port()));
  std::atomic<int64_t> next{0};
  Measure(client, callers, seconds / 5, next);
  const double rate = Measure(client, callers, seconds, next);
  server.Shutdown(absl::Seconds(5));
  return rate;
}

double MeasureRocksDb(int callers, double seconds) {
  testing::TempDir dir;
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  if (!rocksdb::DB::Open(options, dir / "db", &raw).ok()) std::exit(1);
  std::unique_ptr<rocksdb::DB> db(raw);
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const absl::Time begin = absl::Now();
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([&] {
      rocksdb::WriteOptions write;
      write.sync = true;
      while (!stop) {
        const int64_t n = next++;
        if (!db->Put(write, absl::StrCat("k", n), Payload(n)).ok()) {
          std::exit(1);
        }
      }
    });
  }
  absl::SleepFor(absl::Seconds(seconds));
  const double rate =
      static_cast<double>(next) / absl::ToDoubleSeconds(absl::Now() - begin);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return rate;
}

}  // namespace
}  // namespace aftercare::bench

int main(int argc, char** argv) {
  double seconds = 5;
  int callers = 64;
  CLI::App app(
      "Durable commands a second over gRPC, beside an echo and RocksDB");
  app.add_option("--seconds", seconds, "Of each measurement")
      ->capture_default_str();
  app.add_option("--callers", callers, "Calls under way at once")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  using namespace aftercare::bench;
  const double echo = MeasureEcho(callers, seconds);
  std::printf("bare gRPC echo              %9.0f /s\n", echo);
  const double rocks = MeasureRocksDb(callers, seconds);
  std::printf("bare RocksDB synced puts    %9.0f /s\n", rocks);
  const double commands = MeasureCommands(callers, seconds);
  std::printf("durable commands over gRPC  %9.0f /s\n", commands);
  std::printf("ratio to echo %.2f (aim 0.25), to RocksDB %.2f\n",
              commands / echo, commands / rocks);
  return 0;
}
