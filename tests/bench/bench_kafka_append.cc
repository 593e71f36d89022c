// Appends of the Kafka log: throughput and latency against the number of
// records in flight and the producer's linger, in one run; beside each, a bare
// idempotent producer of librdkafka with its own defaults and the same linger.
// Starts a broker (deploy/dev/kafka) unless AFTERCARE_KAFKA names one.

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "libs/log/kafka_log.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/kafka_load.h"
#include "tests/contract/dev_kafka.h"

namespace aftercare::bench {
namespace {

log::Record MakeRecord(int bytes) {
  log::Record record;
  record.key = "companies/acme/customers/wang/cases/c1";
  record.headers = {{"claim", "1234567"},
                    {"seq", "7654321"},
                    {"ce_id", "4b3c8f2e-0c1d-4d6e-9f1a-7b2c3d4e5f60"},
                    {"ce_type", "aftercare.intake.v1.CaseOpened"}};
  for (int i = 0; i < bytes; ++i) {
    record.value += static_cast<char>('a' + (i * i + i / 7) % 26);
  }
  return record;
}

Result MeasureLog(log::Log& log, const log::TopicPartition& partition,
                  int in_flight, double seconds, const log::Record& record) {
  auto appender = Require(log.OpenAppender(partition));
  InFlight load(in_flight);
  return load.Run(seconds, [&](absl::Time sent) {
    appender->Append(record, [&load, sent](absl::StatusOr<int64_t> offset) {
      load.Report(sent, offset.ok());
    });
  });
}

int Main(int argc, char** argv) {
  CLI::App app{"Appends to Kafka: records in flight, linger, latency"};
  double seconds = 2;
  int bytes = 300;
  int nodes = 1;
  std::vector<int> in_flights = {1, 8, 64, 256, 1024};
  std::vector<double> lingers = {0, 1, 5};
  std::vector<std::string> properties;
  app.add_option("--seconds", seconds, "Of each measurement")
      ->check(CLI::PositiveNumber);
  app.add_option("--bytes", bytes, "Of each record's value")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--nodes", nodes, "Of the broker it starts: 1 or 3")
      ->check(CLI::IsMember({1, 3}));
  app.add_option("--in-flight", in_flights, "Records under way at once")
      ->delimiter(',');
  app.add_option("--linger", lingers, "Milliseconds; -1 is the log's own")
      ->delimiter(',');
  app.add_option("--set", properties, "librdkafka's name=value, for the log");
  CLI11_PARSE(app, argc, argv);

  auto started = contract::DevKafka::Start(nodes);
  if (absl::IsUnavailable(started.status())) {
    std::cerr << "SKIPPED: " << started.status().message() << "\n";
    return 3;
  }
  auto kafka = Require(std::move(started));
  const log::Record record = MakeRecord(bytes);
  std::printf("%d bytes of value; %lld with key and headers\n", bytes,
              static_cast<long long>(record.Bytes()));
  std::printf("%9s %9s | %30s | %30s\n", "", "", "the log", "bare producer");
  std::printf("%9s %9s | %10s %9s %9s | %10s %9s %9s\n", "linger ms",
              "in flight", "records/s", "p50 ms", "p99 ms", "records/s",
              "p50 ms", "p99 ms");
  int topics = 0;
  for (const double linger : lingers) {
    log::KafkaLogOptions options;
    options.properties["bootstrap.servers"] = kafka->bootstrap_servers();
    options.replication_factor = kafka->replication_factor();
    options.min_insync_replicas = kafka->min_insync_replicas();
    if (linger >= 0) {
      options.properties["linger.ms"] = absl::StrCat(linger);
    }
    for (const std::string& property : properties) {
      const size_t equals = property.find('=');
      if (equals == std::string::npos) {
        Require(absl::InvalidArgumentError("--set takes name=value"));
      }
      options.properties[property.substr(0, equals)] =
          property.substr(equals + 1);
    }
    auto log = Require(log::KafkaLog::Open(options));
    for (const int in_flight : in_flights) {
      const std::string topic =
          absl::StrCat("bench.", absl::ToUnixNanos(absl::Now()), ".", topics++);
      Require(log->EnsureTopic(topic, 1));
      // A topic is slow at first, and one of the two has to be first.
      MeasureBareProducer(kafka->bootstrap_servers(), {topic, 0}, in_flight,
                          std::max(linger, 0.0), seconds / 4, record);
      const Result ours =
          MeasureLog(*log, {topic, 0}, in_flight, seconds, record);
      const Result bare =
          MeasureBareProducer(kafka->bootstrap_servers(), {topic, 0}, in_flight,
                              std::max(linger, 0.0), seconds, record);
      std::printf("%9s %9d | %10.0f %9.2f %9.2f | %10.0f %9.2f %9.2f\n",
                  linger < 0 ? "own" : absl::StrCat(linger).c_str(), in_flight,
                  ours.PerSecond(), ours.Milliseconds(0.5),
                  ours.Milliseconds(0.99), bare.PerSecond(),
                  bare.Milliseconds(0.5), bare.Milliseconds(0.99));
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace aftercare::bench

int main(int argc, char** argv) { return aftercare::bench::Main(argc, argv); }
