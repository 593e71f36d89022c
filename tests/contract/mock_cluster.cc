#include "tests/contract/mock_cluster.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace aftercare::contract {
namespace {

void Check(rd_kafka_resp_err_t error) {
  EXPECT_EQ(error, RD_KAFKA_RESP_ERR_NO_ERROR) << rd_kafka_err2str(error);
}

int16_t KeyOf(Request request) { return static_cast<int16_t>(request); }

}  // namespace

MockCluster::MockCluster(int brokers) : brokers_(brokers) {
  char error[256] = {};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set_log_cb(conf, nullptr);
  // Ends at once; a cluster made by rd_kafka_mock_cluster_new takes a second.
  rd_kafka_conf_set(conf, "test.mock.num.brokers",
                    absl::StrCat(brokers).c_str(), error, sizeof(error));
  client_ = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
  if (client_ == nullptr) {
    ADD_FAILURE() << error;
    std::abort();
  }
  cluster_ = rd_kafka_handle_mock_cluster(client_);
}

MockCluster::~MockCluster() { rd_kafka_destroy(client_); }

std::string MockCluster::bootstrap_servers() const {
  return rd_kafka_mock_cluster_bootstraps(cluster_);
}

void MockCluster::CreateTopic(const std::string& topic, int partitions) {
  Check(rd_kafka_mock_topic_create(cluster_, topic.c_str(), partitions,
                                   brokers_));
}

void MockCluster::RefuseNext(Request request,
                             std::vector<rd_kafka_resp_err_t> errors) {
  rd_kafka_mock_push_request_errors_array(cluster_, KeyOf(request),
                                          errors.size(), errors.data());
}

void MockCluster::ForgetRefusals(Request request) {
  rd_kafka_mock_clear_request_errors(cluster_, KeyOf(request));
}

void MockCluster::DelayNextAnswer(int broker, Request request,
                                  int milliseconds) {
  Check(rd_kafka_mock_broker_push_request_error_rtts(
      cluster_, broker, KeyOf(request), 1, RD_KAFKA_RESP_ERR_NO_ERROR,
      milliseconds));
}

size_t MockCluster::DelaysLeft(int broker, Request request) const {
  size_t count = 0;
  Check(rd_kafka_mock_broker_error_stack_cnt(cluster_, broker, KeyOf(request),
                                             &count));
  return count;
}

void MockCluster::SetRoundTrip(int broker, int milliseconds) {
  Check(rd_kafka_mock_broker_set_rtt(cluster_, broker, milliseconds));
}

void MockCluster::Down(int broker) {
  Check(rd_kafka_mock_broker_set_down(cluster_, broker));
}

void MockCluster::Up(int broker) {
  Check(rd_kafka_mock_broker_set_up(cluster_, broker));
}

void MockCluster::DownAll() {
  for (int broker = 1; broker <= brokers_; ++broker) Down(broker);
}

void MockCluster::UpAll() {
  for (int broker = 1; broker <= brokers_; ++broker) Up(broker);
}

void MockCluster::SetLeader(const log::TopicPartition& partition, int broker) {
  Check(rd_kafka_mock_partition_set_leader(cluster_, partition.topic.c_str(),
                                           partition.partition, broker));
}

void MockCluster::SetNoLeader(const log::TopicPartition& partition) {
  SetLeader(partition, -1);
}

}  // namespace aftercare::contract
