// A shard that comes up with an empty directory on a Kafka topic: from
// Shard::Start until it serves, which is fold, decode, evolve and rows in
// RocksDB. Beside it, in one run: a bare consumer of librdkafka that only
// parses the same records, and Kafka Streams making the same rows of the same
// topic (tests/bench/streams). The ratios are what counts.
// Starts a broker (deploy/dev/kafka) unless AFTERCARE_KAFKA names one.

#include <librdkafka/rdkafka.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aftercare/intake/v1/events.pb.h"
#include "libs/log/kafka_log.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/load.h"
#include "tests/contract/dev_kafka.h"

namespace aftercare::bench {
namespace {

double Since(absl::Time begin) {
  return absl::ToDoubleSeconds(absl::Now() - begin);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Seconds that a consumer needs for the records before `end` if it but looks
// at the headers and parses the events: librdkafka's own settings, its fastest
// call, one message object for all.
double ReadBare(const std::string& bootstrap, const std::string& topic,
                int64_t end) {
  constexpr size_t kBatch = 2000;
  const absl::Time begin = absl::Now();
  char error[256] = {};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const std::map<std::string, std::string> properties = {
      {"bootstrap.servers", bootstrap},
      {"group.id", "bench-bare"},
      {"enable.auto.commit", "false"}};
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error,
                          sizeof(error)) != RD_KAFKA_CONF_OK) {
      Require(absl::InvalidArgumentError(error));
    }
  }
  rd_kafka_t* client =
      rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof(error));
  if (client == nullptr) Require(absl::InvalidArgumentError(error));
  rd_kafka_poll_set_consumer(client);
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(list, topic.c_str(), 0)->offset = 0;
  rd_kafka_assign(client, list);
  rd_kafka_topic_partition_list_destroy(list);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(client);

  std::vector<rd_kafka_message_t*> batch(kBatch);
  intake::v1::IntakeEvent event;
  int64_t next = 0;
  size_t header_bytes = 0;
  while (next < end) {
    const ssize_t count =
        rd_kafka_consume_batch_queue(queue, 1000, batch.data(), kBatch);
    for (ssize_t i = 0; i < count; ++i) {
      rd_kafka_message_t* message = batch[static_cast<size_t>(i)];
      if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
        Require(absl::UnavailableError(rd_kafka_message_errstr(message)));
      }
      rd_kafka_headers_t* headers = nullptr;
      if (rd_kafka_message_headers(message, &headers) ==
          RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        size_t size = 0;
        for (size_t h = 0;
             rd_kafka_header_get_all(headers, h, &name, &value, &size) ==
             RD_KAFKA_RESP_ERR_NO_ERROR;
             ++h) {
          header_bytes += size;
        }
      }
      if (!event.ParseFromArray(message->payload,
                                static_cast<int>(message->len))) {
        Require(absl::DataLossError("a record does not parse"));
      }
      next = message->offset + 1;
      rd_kafka_message_destroy(message);
    }
  }
  const double seconds = Since(begin);
  if (header_bytes == 0) Require(absl::DataLossError("records lack headers"));
  rd_kafka_queue_destroy(queue);
  rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  return seconds;
}

struct Replayed {
  double seconds = 0;
  shard::ShardStatus status;
};

Replayed Replay(log::Log& log, const shard::Service& service) {
  testing::TempDir dir;
  shard::ShardOptions options;
  options.directory = dir / "shard";
  const absl::Time begin = absl::Now();
  auto shard = Require(shard::Shard::Start(log, service, 0, 1, options));
  AwaitServing(*shard);
  return {Since(begin), shard->Status()};
}

// What tests/bench/streams/run prints of each run: mode=... seconds=...
struct StreamsRun {
  std::string mode;
  int64_t rows = 0;
  double seconds = 0;
};

// Empty when Kafka Streams cannot be had here; it has said why.
std::vector<StreamsRun> RunStreams(const std::string& bootstrap,
                                   const std::string& topic, int64_t end,
                                   int rounds, const std::string& modes) {
  const char* source = std::getenv("AFTERCARE_SOURCE");
  testing::TempDir scratch;
  const std::string command =
      absl::StrCat("'", source == nullptr ? "." : source,
                   "/tests/bench/streams/run' '", bootstrap, "' '", topic, "' ",
                   end, " ", rounds, " '", modes, "' '", scratch.path(), "'");
  FILE* output = popen(command.c_str(), "r");
  if (output == nullptr) Require(absl::InternalError("popen"));
  std::vector<StreamsRun> runs;
  char line[1024];
  while (fgets(line, sizeof(line), output) != nullptr) {
    StreamsRun run;
    for (absl::string_view word :
         absl::StrSplit(line, absl::ByAnyChar(" \n"), absl::SkipEmpty())) {
      const std::pair<std::string, std::string> pair =
          absl::StrSplit(word, absl::MaxSplits('=', 1));
      if (pair.first == "mode") run.mode = pair.second;
      if (pair.first == "rows") run.rows = std::atoll(pair.second.c_str());
      if (pair.first == "seconds") run.seconds = std::atof(pair.second.c_str());
    }
    if (run.seconds > 0) runs.push_back(run);
  }
  const int status = pclose(output);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code == 3) return {};
  if (code != 0)
    Require(absl::InternalError(absl::StrCat(command, ": ", code)));
  return runs;
}

void Fill(log::Log& log, const shard::Service& service, int64_t events) {
  if (log.PartitionCount(service.topic()).ok()) {
    std::cerr << "the broker has a topic " << service.topic()
              << " already; --reuse replays it, and claims it\n";
    std::exit(2);
  }
  Require(log.EnsureTopic(service.topic(), 1));
  testing::TempDir dir;
  shard::ShardOptions options;
  options.directory = dir / "live";
  auto shard = Require(shard::Shard::Start(log, service, 0, 1, options));
  AwaitServing(*shard);
  PublishHandbook(*shard);
  const absl::Time begin = absl::Now();
  Load(service, *shard).Run(events);
  std::printf("live, one shard, no network %9.0f events/s\n",
              static_cast<double>(events) / Since(begin));
}

int Main(int argc, char** argv) {
  CLI::App app{"Replay of a shard from Kafka, beside librdkafka and Streams"};
  int64_t events = 500000;
  int rounds = 3;
  bool reuse = false;
  std::string modes = "rows,changelog,last";
  app.add_option("--events", events, "Events in the topic")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--rounds", rounds, "Of each measurement; the median counts")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--reuse", reuse, "Replay the topic that the broker has");
  app.add_option(
         "--streams", modes,
         "What Kafka Streams restores: rows (what the shard makes), "
         "changelog (the same from its changelog), last (the last event "
         "of each key); 'none' for nothing")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  auto started = contract::DevKafka::Start(1);
  if (absl::IsUnavailable(started.status())) {
    std::cerr << "SKIPPED: " << started.status().message() << "\n";
    return 3;
  }
  auto kafka = Require(std::move(started));
  log::KafkaLogOptions options;
  options.properties["bootstrap.servers"] = kafka->bootstrap_servers();
  options.replication_factor = kafka->replication_factor();
  options.min_insync_replicas = kafka->min_insync_replicas();
  auto log = Require(log::KafkaLog::Open(options));
  const shard::Service service = intake::MakeIntakeService();
  const log::TopicPartition partition{service.topic(), 0};
  if (reuse) {
    // Less its claims, which are few.
    events = Require(log->End(partition));
  } else {
    Fill(*log, service, events);
  }
  const auto rate = [&](double seconds) {
    return static_cast<double>(events) / seconds;
  };
  std::vector<double> bare;
  std::vector<double> replay;
  Replayed replayed;
  for (int round = 1; round <= rounds; ++round) {
    const int64_t end = Require(log->End(partition));
    bare.push_back(
        rate(ReadBare(kafka->bootstrap_servers(), partition.topic, end)));
    replayed = Replay(*log, service);
    replay.push_back(rate(replayed.seconds));
    std::printf("round %d: bare consumer %9.0f, replay %9.0f events/s\n", round,
                bare.back(), replay.back());
    std::fflush(stdout);
  }
  std::printf("bare consumer that parses   %9.0f events/s\n", Median(bare));
  std::printf("replay of a shard           %9.0f events/s, %lld rows\n",
              Median(replay), static_cast<long long>(replayed.status.rows));
  std::printf("ratio to the bare consumer %.2f (aim 0.40)\n",
              Median(replay) / Median(bare));
  std::fflush(stdout);
  if (modes == "none") return 0;

  const int64_t end = Require(log->End(partition));
  const std::vector<StreamsRun> runs = RunStreams(
      kafka->bootstrap_servers(), partition.topic, end, rounds, modes);
  if (runs.empty()) {
    std::cerr << "SKIPPED: Kafka Streams; nothing to compare with\n";
    return 0;
  }
  for (const std::string& mode :
       std::vector<std::string>(absl::StrSplit(modes, ','))) {
    std::vector<double> rates;
    int64_t rows = 0;
    for (const StreamsRun& run : runs) {
      if (run.mode != mode) continue;
      rates.push_back(rate(run.seconds));
      rows = run.rows;
    }
    if (rates.empty()) continue;
    std::printf(
        "Kafka Streams, %-12s %9.0f events/s, %lld rows; "
        "replay is %.2f times as fast%s\n",
        mode.c_str(), Median(rates), static_cast<long long>(rows),
        Median(replay) / Median(rates), mode == "rows" ? " (aim 3)" : "");
  }
  return 0;
}

}  // namespace
}  // namespace aftercare::bench

int main(int argc, char** argv) { return aftercare::bench::Main(argc, argv); }
