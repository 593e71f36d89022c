#include "libs/log/kafka_group.h"

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"
#include "libs/log/kafka_client.h"
#include "libs/process/logging.h"

namespace aftercare::log {
namespace {

constexpr int kPollMilliseconds = 100;

class KafkaGroupImpl final : public KafkaGroup {
 public:
  KafkaGroupImpl(KafkaGroupOptions options, KafkaGroupCallbacks callbacks)
      : options_(std::move(options)), callbacks_(std::move(callbacks)) {}

  absl::Status Start() {
    ASSIGN_OR_RETURN(ConfPtr conf, MakeConf());
    rd_kafka_conf_t* raw = conf.get();
    RETURN_IF_ERROR(Set(raw, "session.timeout.ms",
                        absl::StrCat(Milliseconds(options_.session_timeout))));
    RETURN_IF_ERROR(
        Set(raw, "heartbeat.interval.ms",
            absl::StrCat(Milliseconds(options_.session_timeout / 12))));
    RETURN_IF_ERROR(SetAll(raw, options_.properties));
    RETURN_IF_ERROR(Set(raw, "group.id", options_.group));
    RETURN_IF_ERROR(Set(raw, "group.instance.id", options_.instance));
    RETURN_IF_ERROR(
        Set(raw, "partition.assignment.strategy", "cooperative-sticky"));
    RETURN_IF_ERROR(Set(raw, "enable.auto.commit", "false"));
    RETURN_IF_ERROR(Set(raw, "enable.auto.offset.store", "false"));
    RETURN_IF_ERROR(Set(raw, "allow.auto.create.topics", "false"));
    rd_kafka_conf_set_opaque(raw, this);
    rd_kafka_conf_set_rebalance_cb(raw, &KafkaGroupImpl::OnRebalance);
    ASSIGN_OR_RETURN(client_, MakeClient(RD_KAFKA_CONSUMER, std::move(conf)));
    rd_kafka_poll_set_consumer(client_.get());
    rd_kafka_topic_partition_list_t* topics =
        rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(topics, options_.topic.c_str(),
                                      RD_KAFKA_PARTITION_UA);
    const rd_kafka_resp_err_t error = rd_kafka_subscribe(client_.get(), topics);
    rd_kafka_topic_partition_list_destroy(topics);
    RETURN_IF_ERROR(KafkaError(error, "subscribe"));
    thread_ = std::thread([this] { Run(); });
    return absl::OkStatus();
  }

  ~KafkaGroupImpl() override {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run() {
    while (!stopping_) {
      // Assigned partitions are paused: what comes is never a record.
      if (rd_kafka_message_t* message =
              rd_kafka_consumer_poll(client_.get(), kPollMilliseconds)) {
        if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) OnError(*message);
        rd_kafka_message_destroy(message);
      }
    }
    // Calls OnRebalance. A static member does not leave by it.
    rd_kafka_consumer_close(client_.get());
    // After a fatal error it does not.
    Give({held_.begin(), held_.end()});
    // Before librdkafka 2.3 a consumer that is destroyed while it joins aborts
    // the process (librdkafka#4312: the assignor's state is there only from the
    // first assignment on). It has left the group; what is left of it goes with
    // the process.
    if (!joined_) (void)client_.release();
  }

  void Give(const std::vector<int>& partitions) {
    if (!partitions.empty()) callbacks_.revoked(partitions);
    for (const int p : partitions) held_.erase(p);
  }

  static std::vector<int> Numbers(const rd_kafka_topic_partition_list_t& list) {
    std::vector<int> numbers;
    for (int i = 0; i < list.cnt; ++i) {
      numbers.push_back(list.elems[i].partition);
    }
    return numbers;
  }

  static void OnRebalance(rd_kafka_t* client, rd_kafka_resp_err_t what,
                          rd_kafka_topic_partition_list_t* list, void* opaque) {
    auto* self = static_cast<KafkaGroupImpl*>(opaque);
    const std::vector<int> numbers = Numbers(*list);
    rd_kafka_error_t* error = nullptr;
    self->joined_ = true;
    if (what == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
      // A start it never reads from; without one the client would look for
      // committed offsets.
      for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = 0;
      error = rd_kafka_incremental_assign(client, list);
      rd_kafka_pause_partitions(client, list);
      self->held_.insert(numbers.begin(), numbers.end());
      self->callbacks_.assigned(numbers);
    } else {
      self->Give(numbers);
      error = rd_kafka_incremental_unassign(client, list);
    }
    if (error != nullptr) {
      LogWarning("the group's assignment was not taken",
                 {{"group", self->options_.group},
                  {"problem", rd_kafka_error_string(error)}});
      rd_kafka_error_destroy(error);
    }
  }

  // A group's errors come as messages, the fatal one too: error_cb hears of
  // none of them.
  void OnError(const rd_kafka_message_t& message) {
    if (message.err != RD_KAFKA_RESP_ERR__FATAL) {
      LogWarning("the group has a problem",
                 {{"group", options_.group},
                  {"problem", rd_kafka_message_errstr(&message)}});
      return;
    }
    if (std::exchange(failed_, true)) return;
    char why[512] = {};
    const rd_kafka_resp_err_t cause =
        rd_kafka_fatal_error(client_.get(), why, sizeof(why));
    callbacks_.failed(absl::FailedPreconditionError(
        absl::StrCat("group ", options_.group, " as ", options_.instance, ": ",
                     rd_kafka_err2name(cause), ": ", why)));
  }

  const KafkaGroupOptions options_;
  const KafkaGroupCallbacks callbacks_;
  std::atomic<bool> stopping_{false};
  // Of the group's thread.
  bool failed_ = false;
  bool joined_ = false;  // has ever been assigned something, or nothing
  std::set<int> held_;
  ClientPtr client_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaGroup>> KafkaGroup::Join(
    KafkaGroupOptions options, KafkaGroupCallbacks callbacks) {
  auto group = std::make_unique<KafkaGroupImpl>(std::move(options),
                                                std::move(callbacks));
  RETURN_IF_ERROR(group->Start());
  return group;
}

}  // namespace aftercare::log
