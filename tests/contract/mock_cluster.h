// A Kafka cluster inside this process (librdkafka's mock brokers), with the
// faults a test can ask of it.
//
// What it does not do, and tests must not lean on: it never checks a producer's
// sequence numbers, so a request sent again after a lost answer is stored
// twice, and a later request is stored although an earlier one was refused. A
// real broker does neither. The fold has to cope with both.
// A partition keeps its last 5 MB.

#ifndef AFTERCARE_TESTS_CONTRACT_MOCK_CLUSTER_H_
#define AFTERCARE_TESTS_CONTRACT_MOCK_CLUSTER_H_

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "libs/log/log.h"

namespace aftercare::contract {

// Kafka's numbers of the requests that faults are asked for.
enum class Request { kProduce = 0, kFetch = 1, kInitProducerId = 22 };

// Thread-safe.
class MockCluster {
 public:
  explicit MockCluster(int brokers);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  std::string bootstrap_servers() const;
  void CreateTopic(const std::string& topic, int partitions);

  // The next requests of that kind, to any broker, are answered with these in
  // turn and have no effect. RD_KAFKA_RESP_ERR__TRANSPORT closes the connection
  // instead of an answer.
  void RefuseNext(Request request, std::vector<rd_kafka_resp_err_t> errors);
  void ForgetRefusals(Request request);

  // The next request of that kind to this broker has its effect; its answer
  // comes after `milliseconds`, unless the connection is closed before.
  void DelayNextAnswer(int broker, Request request, int milliseconds);
  // Delays that were asked for and not yet used.
  size_t DelaysLeft(int broker, Request request) const;
  // Every answer of this broker from now on.
  void SetRoundTrip(int broker, int milliseconds);

  // Closes all connections and takes no new ones; leaders stay.
  void Down(int broker);
  void Up(int broker);
  void DownAll();
  void UpAll();

  void SetLeader(const log::TopicPartition& partition, int broker);
  // Nobody leads: appends wait.
  void SetNoLeader(const log::TopicPartition& partition);

  int brokers() const { return brokers_; }

 private:
  const int brokers_;
  rd_kafka_t* client_ = nullptr;
  rd_kafka_mock_cluster_t* cluster_ = nullptr;
};

}  // namespace aftercare::contract

#endif  // AFTERCARE_TESTS_CONTRACT_MOCK_CLUSTER_H_
