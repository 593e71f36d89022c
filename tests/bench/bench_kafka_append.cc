// Appends of the Kafka log: throughput and latency against the number of
// records in flight and the producer's linger, in one run; beside each, a bare
// idempotent producer of librdkafka with its own defaults and the same linger.
// Starts a broker (deploy/dev/kafka) unless AFTERCARE_KAFKA names one.

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "libs/log/kafka_log.h"
#include "tests/bench/bench_util.h"
#include "tests/contract/dev_kafka.h"

namespace aftercare::bench {
namespace {

struct Result {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

// Keeps `in_flight` appends under way: the next is sent by the thread that
// calls Run, as a shard sends its commands, when one was reported.
class Load {
 public:
  explicit Load(int in_flight) : in_flight_(in_flight) {}

  // `send` gets the time of sending and must have Report called with it.
  Result Run(double seconds, const std::function<void(absl::Time)>& send) {
    // What comes first is the JVM's.
    const absl::Time begin = absl::Now();
    const absl::Time count_from = begin + absl::Seconds(seconds / 4);
    const absl::Time until = begin + absl::Seconds(seconds * 5 / 4);
    count_from_ = count_from;
    while (absl::Now() < until) {
      int room = 0;
      {
        std::unique_lock lock(mutex_);
        freed_.wait(lock, [&] { return open_ < in_flight_; });
        room = in_flight_ - open_;
        open_ += room;
      }
      for (int i = 0; i < room; ++i) send(absl::Now());
    }
    std::unique_lock lock(mutex_);
    const double took = absl::ToDoubleSeconds(absl::Now() - count_from);
    const size_t count = latencies_.size();
    freed_.wait(lock, [&] { return open_ == 0; });
    if (failed_ > 0) std::cerr << failed_ << " appends failed\n";
    if (latencies_.empty()) return {};
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double part) {
      return absl::ToDoubleMilliseconds(latencies_[std::min(
          latencies_.size() - 1,
          static_cast<size_t>(part * static_cast<double>(latencies_.size())))]);
    };
    return {static_cast<double>(count) / took, at(0.5), at(0.99)};
  }

  void Report(absl::Time sent, bool good) {
    const absl::Time now = absl::Now();
    std::lock_guard lock(mutex_);
    if (!good) ++failed_;
    if (now >= count_from_) latencies_.push_back(now - sent);
    --open_;
    freed_.notify_one();
  }

 private:
  const int in_flight_;
  absl::Time count_from_;
  std::mutex mutex_;
  std::condition_variable freed_;
  int open_ = 0;
  int failed_ = 0;
  std::vector<absl::Duration> latencies_;
};

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
  Load load(in_flight);
  return load.Run(seconds, [&](absl::Time sent) {
    appender->Append(record, [&load, sent](absl::StatusOr<int64_t> offset) {
      load.Report(sent, offset.ok());
    });
  });
}

// What librdkafka does when nobody tells it anything but to be idempotent.
Result MeasureBare(const std::string& bootstrap,
                   const log::TopicPartition& partition, int in_flight,
                   double linger_ms, double seconds,
                   const log::Record& record) {
  char error[256] = {};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const auto set = [&](const char* name, const std::string& value) {
    if (rd_kafka_conf_set(conf, name, value.c_str(), error, sizeof(error)) !=
        RD_KAFKA_CONF_OK) {
      Require(absl::InvalidArgumentError(error));
    }
  };
  set("bootstrap.servers", bootstrap);
  set("enable.idempotence", "true");
  set("linger.ms", absl::StrCat(linger_ms));
  Load load(in_flight);
  rd_kafka_conf_set_opaque(conf, &load);
  rd_kafka_conf_set_dr_msg_cb(
      conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
        std::unique_ptr<absl::Time> sent(
            static_cast<absl::Time*>(message->_private));
        static_cast<Load*>(opaque)->Report(*sent, message->err == 0);
      });
  rd_kafka_t* client =
      rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
  if (client == nullptr) Require(absl::InvalidArgumentError(error));
  std::atomic<bool> stop{false};
  std::thread poller([&] {
    while (!stop) rd_kafka_poll(client, 100);
  });
  const Result result = load.Run(seconds, [&](absl::Time sent) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
    for (const auto& [name, value] : record.headers) {
      rd_kafka_header_add(headers, name.data(),
                          static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
    }
    auto* opaque = new absl::Time(sent);
    if (rd_kafka_producev(
            client, RD_KAFKA_V_TOPIC(partition.topic.c_str()),
            RD_KAFKA_V_PARTITION(partition.partition),
            RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
            RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()),
                             record.value.size()),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
            RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR) {
      Require(absl::InternalError("produce"));
    }
  });
  stop = true;
  poller.join();
  rd_kafka_destroy(client);
  return result;
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
      MeasureBare(kafka->bootstrap_servers(), {topic, 0}, in_flight,
                  std::max(linger, 0.0), seconds / 4, record);
      const Result ours =
          MeasureLog(*log, {topic, 0}, in_flight, seconds, record);
      const Result bare =
          MeasureBare(kafka->bootstrap_servers(), {topic, 0}, in_flight,
                      std::max(linger, 0.0), seconds, record);
      std::printf("%9s %9d | %10.0f %9.2f %9.2f | %10.0f %9.2f %9.2f\n",
                  linger < 0 ? "own" : absl::StrCat(linger).c_str(), in_flight,
                  ours.per_second, ours.p50_ms, ours.p99_ms, bare.per_second,
                  bare.p50_ms, bare.p99_ms);
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace aftercare::bench

int main(int argc, char** argv) { return aftercare::bench::Main(argc, argv); }
