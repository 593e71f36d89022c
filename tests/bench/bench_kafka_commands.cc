// Durable commands a second end to end over gRPC on a real Kafka, beside a bare
// echo over the same server and client and beside a bare idempotent producer
// on the same broker with as many records under way; the latency at half that
// load, and reads with and without a look at the log's end. All take turns of a
// second or so, so that a machine that is faster now than a minute later is so
// for all of them. Starts a broker (deploy/dev/kafka) unless AFTERCARE_KAFKA
// names one.

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "libs/log/kafka_log.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/grpc_load.h"
#include "tests/bench/kafka_load.h"
#include "tests/contract/dev_kafka.h"

namespace aftercare::bench {
namespace {

// A record as large as the newest of the partition that has one.
log::Record Newest(log::Log& log, const std::string& topic, int partitions) {
  for (int p = 0; p < partitions; ++p) {
    const int64_t end = Require(log.End({topic, p}));
    if (end == 0) continue;
    const auto reader = Require(log.OpenReader({topic, p}, end - 1));
    const auto records = Require(reader->Read(1, absl::Seconds(10)));
    if (!records.empty()) return records.front().record;
  }
  Require(absl::NotFoundError("the commands left no records"));
  return {};
}

void Print(const char* what, const Result& result) {
  std::printf("%-36s %7.0f /s  p50 %6.2f ms  p99 %6.2f ms  %5.1f us of CPU\n",
              what, result.PerSecond(), result.Milliseconds(0.5),
              result.Milliseconds(0.99), result.CpuMicroseconds());
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Durable commands a second on Kafka, beside an echo and a producer");
  double seconds = 5;
  int turns = 5;
  int callers = 64;
  int partitions = 1;
  int nodes = 1;
  int rounds = 1;
  double linger_ms = 1;
  double log_linger_ms = -1;
  double warm_seconds = 15;
  app.add_option("--seconds", seconds, "Of each measurement")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--turns", turns, "Each measurement is cut into so many parts")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--callers", callers, "Calls, or records, under way at once")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option(
         "--partitions", partitions,
         "Of the service's topic: a shard has a thread, so as many as cores "
         "that broker and clients leave")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--nodes", nodes, "Of the broker it starts: 1 or 3")
      ->check(CLI::IsMember({1, 3}))
      ->capture_default_str();
  app.add_option("--rounds", rounds, "How often all is measured")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--linger", linger_ms, "Milliseconds, of the bare producer")
      ->capture_default_str();
  app.add_option("--log-linger", log_linger_ms,
                 "Milliseconds, of the service; -1 is the log's own")
      ->capture_default_str();
  app.add_option("--warm", warm_seconds,
                 "Of load before anything counts: it is long before the JVM "
                 "has compiled what it runs")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  auto started = contract::DevKafka::Start(nodes);
  if (absl::IsUnavailable(started.status())) {
    std::cerr << "SKIPPED: " << started.status().message() << "\n";
    return 3;
  }
  const auto kafka = Require(std::move(started));
  log::KafkaLogOptions options;
  options.properties["bootstrap.servers"] = kafka->bootstrap_servers();

  if (log_linger_ms >= 0) {
    options.properties["linger.ms"] = absl::StrCat(log_linger_ms);
  }
  options.replication_factor = kafka->replication_factor();
  options.min_insync_replicas = kafka->min_insync_replicas();
  const auto log = Require(log::KafkaLog::Open(options));
  Intake intake(*log, partitions);
  intake.calls().Closed(callers, warm_seconds);
  const std::string answer = intake.calls().Once();
  const std::string topic = "bench.producer";
  Require(log->EnsureTopic(topic, 1));
  const log::Record record =
      Newest(*log, "aftercare.intake.events.v1", partitions);
  std::printf("%lld bytes a record with key and headers, %d partitions\n",
              static_cast<long long>(record.Bytes()), partitions);
  const auto produce = [&](double for_seconds) {
    return MeasureBareProducer(kafka->bootstrap_servers(), {topic, 0}, callers,
                               linger_ms, for_seconds, record);
  };
  Echo bare_echo(answer);
  bare_echo.calls().Closed(callers, seconds / 5);
  produce(seconds / 2);
  Calls read(intake.port(), kGetCase);
  Calls read_any(intake.port(), kGetCase, "any");
  const double turn = seconds / turns;
  for (int round = 0; round < rounds; ++round) {
    Result echo, producer, commands, half, reads, lone_reads, any_reads;
    for (int i = 0; i < turns; ++i) {
      echo.Add(bare_echo.calls().Closed(callers, turn));
      producer.Add(produce(turn));
      const Result now = intake.calls().Closed(callers, turn);
      commands.Add(now);
      half.Add(intake.calls().Paced(now.PerSecond() / 2, turn));
      reads.Add(read.Closed(callers, turn / 2));
      lone_reads.Add(read.Closed(1, turn / 2));
      any_reads.Add(read_any.Closed(callers, turn / 2));
    }
    Print("bare gRPC echo", echo);
    Print("bare idempotent producer", producer);
    Print("durable commands over gRPC", commands);
    std::printf("ratio to the smaller %.2f (aim 0.30)\n",
                commands.PerSecond() /
                    std::min(echo.PerSecond(), producer.PerSecond()));
    Print("at half that load (aim p99 below 30)", half);
    Print("reads", reads);
    Print("reads, one at a time", lone_reads);
    Print("reads that may be old", any_reads);
  }
  return 0;
}

}  // namespace
}  // namespace aftercare::bench

int main(int argc, char** argv) { return aftercare::bench::Main(argc, argv); }
