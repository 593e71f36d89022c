// Load on Kafka as the benchmarks make it: a number of records always under
// way, and a bare idempotent producer of librdkafka to compare with.

#ifndef AFTERCARE_TESTS_BENCH_KAFKA_LOAD_H_
#define AFTERCARE_TESTS_BENCH_KAFKA_LOAD_H_

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "libs/log/log.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/latencies.h"

namespace aftercare::bench {

// Keeps `in_flight` appends under way: the next is sent by the thread that
// calls Run, as a shard sends its commands, when one was reported.
class InFlight {
 public:
  explicit InFlight(int in_flight) : in_flight_(in_flight) {}

  // `send` gets the time of sending and must have Report called with it.
  Result Run(double seconds, const std::function<void(absl::Time)>& send) {
    Begin begin;
    const absl::Time count_from = begin.time + absl::Seconds(seconds / 4);
    bool counts = false;
    while (!counts || absl::Now() < begin.time + absl::Seconds(seconds)) {
      int room = 0;
      {
        std::unique_lock lock(mutex_);
        freed_.wait(lock, [&] { return open_ < in_flight_; });
        room = in_flight_ - open_;
        open_ += room;
        if (!counts && absl::Now() >= count_from) {
          // What came first is the JVM's.
          counts = true;
          latencies_.clear();
          begin = Begin();
        }
      }
      for (int i = 0; i < room; ++i) send(absl::Now());
    }
    std::unique_lock lock(mutex_);
    const Result result = ResultOf(latencies_, begin);
    freed_.wait(lock, [&] { return open_ == 0; });
    if (failed_ > 0) std::cerr << failed_ << " appends failed\n";
    return result;
  }

  void Report(absl::Time sent, bool good) {
    const absl::Time now = absl::Now();
    std::lock_guard lock(mutex_);
    if (!good) ++failed_;
    latencies_.push_back(now - sent);
    --open_;
    freed_.notify_one();
  }

 private:
  const int in_flight_;
  std::mutex mutex_;
  std::condition_variable freed_;
  int open_ = 0;
  int failed_ = 0;
  std::vector<absl::Duration> latencies_;
};

// What librdkafka does when nobody tells it anything but to be idempotent.
inline Result MeasureBareProducer(const std::string& bootstrap,
                                  const log::TopicPartition& partition,
                                  int in_flight, double linger_ms,
                                  double seconds, const log::Record& record) {
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
  InFlight load(in_flight);
  rd_kafka_conf_set_opaque(conf, &load);
  rd_kafka_conf_set_dr_msg_cb(
      conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
        std::unique_ptr<absl::Time> sent(
            static_cast<absl::Time*>(message->_private));
        static_cast<InFlight*>(opaque)->Report(*sent, message->err == 0);
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

}  // namespace aftercare::bench

#endif  // AFTERCARE_TESTS_BENCH_KAFKA_LOAD_H_
