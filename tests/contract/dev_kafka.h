// Apache Kafka for the tests of one process: started by deploy/dev/kafka in a
// directory of its own, gone with the process however that ends. With
// AFTERCARE_KAFKA=host:port[,...] those brokers are used and left alone.
//
//   auto kafka = DevKafka::Start(1);
//   if (absl::IsUnavailable(kafka.status())) GTEST_SKIP() << kafka.status();

#ifndef AFTERCARE_TESTS_CONTRACT_DEV_KAFKA_H_
#define AFTERCARE_TESTS_CONTRACT_DEV_KAFKA_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/log/log.h"
#include "libs/testing/temp_dir.h"

namespace aftercare::contract {

class DevKafka {
 public:
  // Where a node listens, and the file of its network namespace; empty: this
  // one.
  struct Place {
    std::string address = "127.0.0.1";
    std::string network;
  };

  // Gets Kafka where it is not there yet. UNAVAILABLE as Start.
  static absl::Status Fetch();

  // Starts `nodes` (1 or 3) and waits until they serve. UNAVAILABLE, and only
  // then, when Kafka cannot be had on this machine; the message says why.
  // `places`: empty, or one for each node.
  static absl::StatusOr<std::unique_ptr<DevKafka>> Start(
      int nodes, const std::vector<Place>& places = {});

  // One of one node, shared by everything in the process.
  static absl::StatusOr<DevKafka*> Shared();

  ~DevKafka();
  DevKafka(const DevKafka&) = delete;
  DevKafka& operator=(const DevKafka&) = delete;

  const std::string& bootstrap_servers() const { return bootstrap_servers_; }
  // Copies of each partition that this cluster can hold, up to three.
  int replication_factor() const;
  int min_insync_replicas() const;

  // False for brokers that were given: what follows is only for own ones.
  bool own() const { return pid_ > 0; }
  // "stop", "start" (waits until it serves), "kill", "pause", "resume".
  absl::Status Node(const std::string& action, int node) const;
  // Any command of deploy/dev/kafka on this cluster. An error names the exit
  // code and what it said.
  absl::Status Run(std::vector<std::string> words) const;
  // Bytes of the records of the partition on a node's disk.
  int64_t BytesOnDisk(const log::TopicPartition& partition, int node) const;

 private:
  DevKafka() = default;

  const testing::TempDir directory_;
  std::string bootstrap_servers_;
  // The holder, deploy/dev/kafka up --hold: it ends when its input does.
  pid_t pid_ = -1;
  int input_ = -1;
};

}  // namespace aftercare::contract

#endif  // AFTERCARE_TESTS_CONTRACT_DEV_KAFKA_H_
