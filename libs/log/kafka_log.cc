#include "libs/log/kafka_log.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/status_macros.h"
#include "libs/log/kafka_client.h"
#include "libs/process/clock.h"

namespace aftercare::log {
namespace {

struct MetadataDeleter {
  void operator()(const rd_kafka_metadata_t* metadata) const {
    rd_kafka_metadata_destroy(metadata);
  }
};

// Between attempts at what the cluster cannot answer just now.
constexpr absl::Duration kRetryPause = absl::Milliseconds(50);

// Of a partition that is known to exist: without a leader it seems not to be
// there, and that passes.
absl::Status KnownPartitionError(rd_kafka_resp_err_t code,
                                 absl::string_view what) {
  absl::Status status = KafkaError(code, what);
  return absl::IsNotFound(status) ? absl::UnavailableError(status.message())
                                  : status;
}

// How long the first question may wait for its answer; each next one twice as
// long. A leader that has died answers none, and the client, which knows of no
// other yet, would wait for it until the caller's patience is over.
constexpr absl::Duration kFirstPatience = absl::Seconds(1);

// One past the last record. Not rd_kafka_query_watermark_offsets: that one
// forgets its timeout once it knows the leader, and waits for as long as the
// leader is away.
absl::StatusOr<int64_t> QueryEnd(rd_kafka_t* client,
                                 const TopicPartition& partition,
                                 absl::Duration timeout,
                                 absl::string_view what) {
  rd_kafka_topic_partition_list_t* list = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_t* asked = rd_kafka_topic_partition_list_add(
      list, partition.topic.c_str(), partition.partition);
  const absl::Time until = SteadyNow() + timeout;
  absl::Duration patience = kFirstPatience;
  absl::Status status;
  int64_t end = -1;
  while (true) {
    asked->offset = RD_KAFKA_OFFSET_END;
    asked->err = RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t error = rd_kafka_offsets_for_times(
        client, list, Milliseconds(std::min(patience, until - SteadyNow())));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) error = asked->err;
    status = KnownPartitionError(error, what);
    end = asked->offset;
    // Anything but this is an answer.
    if (!absl::IsUnavailable(status)) break;
    if (SteadyNow() + kRetryPause >= until) break;
    // The client would go on asking the broker that led before.
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(client, 1, nullptr, &metadata,
                          Milliseconds(until - SteadyNow())) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
    }
    if (SteadyNow() + kRetryPause >= until) break;
    absl::SleepFor(kRetryPause);
    patience *= 2;
  }
  rd_kafka_topic_partition_list_destroy(list);
  RETURN_IF_ERROR(status);
  if (end < 0) {
    return absl::UnavailableError(absl::StrCat(what, ": no offset named"));
  }
  return end;
}

// Ends clients in the background: the end of one may take as long as the
// network lets it, and a writer in doubt must not wait for that.
class Undertaker {
 public:
  ~Undertaker() {
    std::lock_guard lock(mutex_);
    for (Job& job : jobs_) job.thread.join();
  }
  void Bury(std::function<void()> work) {
    std::lock_guard lock(mutex_);
    for (auto it = jobs_.begin(); it != jobs_.end();) {
      if (it->over->load()) {
        it->thread.join();
        it = jobs_.erase(it);
      } else {
        ++it;
      }
    }
    auto over = std::make_shared<std::atomic<bool>>(false);
    jobs_.push_back({std::thread([work = std::move(work), over]() mutable {
                       work();
                       work = nullptr;
                       over->store(true);
                     }),
                     over});
  }

 private:
  struct Job {
    std::thread thread;
    std::shared_ptr<std::atomic<bool>> over;
  };
  std::mutex mutex_;
  std::list<Job> jobs_;
};

// How long records may wait for those before them to be acknowledged. Longer
// ones belong to a broker in trouble; the client then keeps what waits, with
// the timeouts and the limits it has.
constexpr absl::Duration kMaxWaiting = absl::Milliseconds(200);

// How long the end of a partition may be asked for. A new leader takes longer;
// who waits for the answer can ask again.
constexpr absl::Duration kAskPatience = absl::Seconds(2);

// A partition's writer: gathers while records are on the wire, and hands all of
// it to the client when they are acknowledged. Left to itself the client keeps
// a core busy as soon as it has more requests to send than may be under way
// (docs/adr/0003).
class Producer {
 public:
  explicit Producer(TopicPartition partition)
      : partition_(std::move(partition)) {}

  // `conf` gets the callbacks of this producer.
  absl::Status Start(ConfPtr conf) {
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(
        conf.get(),
        [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
          static_cast<Producer*>(opaque)->OnDelivery(*message);
        });
    ASSIGN_OR_RETURN(client_, MakeClient(RD_KAFKA_PRODUCER, std::move(conf)));
    return absl::OkStatus();
  }

  rd_kafka_t* client() const { return client_.get(); }

  void Append(Record record, DeliveryCallback done) {
    std::unique_lock lock(mutex_);
    if (!sent_.empty() || !waiting_.empty()) {
      if (waiting_.empty()) waiting_since_ = SteadyNow();
      waiting_.push_back({std::move(record), std::move(done)});
      return;
    }
    const absl::Status refused = Hand(record, done);
    lock.unlock();
    if (!refused.ok()) done(refused);
  }

  // The thread that callbacks run on.
  void Serve() {
    while (!stopping_.load()) {
      rd_kafka_poll(client_.get(), 100);
      std::unique_lock lock(mutex_);
      if (!waiting_.empty() && SteadyNow() - waiting_since_ > kMaxWaiting) {
        HandWaiting(std::move(lock));
      }
    }
  }

  void AskEnd(EndCallback done) {
    {
      std::lock_guard lock(mutex_);
      asking_.push_back(std::move(done));
    }
    asked_.notify_one();
  }

  // The thread that asks for the end: the client can only do it blocking.
  void ServeEnds() {
    std::unique_lock lock(mutex_);
    while (true) {
      asked_.wait(lock,
                  [this] { return stopping_.load() || !asking_.empty(); });
      if (stopping_.load()) return;
      const std::vector<EndCallback> asking = std::exchange(asking_, {});
      lock.unlock();
      const absl::StatusOr<int64_t> end =
          QueryEnd(client_.get(), partition_, kAskPatience, "end");
      for (const EndCallback& done : asking) Report(done, end);
      lock.lock();
    }
  }

  // No callback runs after it. What is on the wire may still arrive.
  void Abandon() {
    {
      std::scoped_lock lock(life_mutex_, mutex_);
      alive_ = false;
      stopping_.store(true);
    }
    asked_.notify_one();
  }

  // Takes as long as the network lets it. After Serve and ServeEnds have
  // returned.
  void End() {
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE |
                                      RD_KAFKA_PURGE_F_INFLIGHT |
                                      RD_KAFKA_PURGE_F_NON_BLOCKING);
    rd_kafka_flush(client_.get(), 1000);
    client_.reset();
  }

 private:
  struct Sent {
    DeliveryCallback done;
    std::list<Sent>::iterator self;
  };
  struct Waiting {
    Record record;
    DeliveryCallback done;
  };

  // Under mutex_. Leaves `done` alone when it fails.
  absl::Status Hand(const Record& record, DeliveryCallback& done) {
    rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
    for (const auto& [name, value] : record.headers) {
      rd_kafka_header_add(headers, name.data(),
                          static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
    }
    sent_.push_front({std::move(done), {}});
    sent_.front().self = sent_.begin();
    const rd_kafka_resp_err_t error = rd_kafka_producev(
        client_.get(), RD_KAFKA_V_TOPIC(partition_.topic.c_str()),
        RD_KAFKA_V_PARTITION(partition_.partition),
        RD_KAFKA_V_KEY(record.key.data(), record.key.size()),
        RD_KAFKA_V_VALUE(const_cast<char*>(record.value.data()),
                         record.value.size()),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(&sent_.front()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
      // Only an accepted message owns its headers.
      rd_kafka_headers_destroy(headers);
      done = std::move(sent_.front().done);
      sent_.pop_front();
      return KafkaError(error, "append");
    }
    return absl::OkStatus();
  }

  // `lock` is on mutex_.
  void HandWaiting(std::unique_lock<std::mutex> lock) {
    std::vector<std::pair<DeliveryCallback, absl::Status>> refused;
    for (Waiting& waiting : waiting_) {
      const absl::Status status = Hand(waiting.record, waiting.done);
      if (!status.ok()) refused.emplace_back(std::move(waiting.done), status);
    }
    waiting_.clear();
    lock.unlock();
    for (auto& [done, status] : refused) Report(done, status);
  }

  void OnDelivery(const rd_kafka_message_t& message) {
    const auto* sent = static_cast<Sent*>(message._private);
    DeliveryCallback done;
    {
      std::unique_lock lock(mutex_);
      done = std::move(sent->self->done);
      sent_.erase(sent->self);
      if (sent_.empty() && !stopping_.load()) HandWaiting(std::move(lock));
    }
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const absl::Status status = KnownPartitionError(message.err, "append");
      // A refusal by this very client is the only certain "not in the log"; a
      // failed delivery is an unknown outcome, whatever its code.
      Report(done, absl::IsResourceExhausted(status) ||
                           absl::IsInvalidArgument(status)
                       ? absl::UnavailableError(status.message())
                       : status);
    } else if (message.offset < 0) {
      Report(done,
             absl::UnavailableError("append: the broker named no offset"));
    } else {
      Report(done, message.offset);
    }
  }

  void Report(const DeliveryCallback& done, absl::StatusOr<int64_t> outcome) {
    // Held while a callback runs, so that Abandon waits for it.
    std::lock_guard lock(life_mutex_);
    if (alive_) done(std::move(outcome));
  }

  const TopicPartition partition_;
  ClientPtr client_;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::list<Sent> sent_;             // guarded by mutex_; on the wire
  std::vector<Waiting> waiting_;     // guarded by mutex_, in order
  absl::Time waiting_since_;         // guarded by mutex_
  std::vector<EndCallback> asking_;  // guarded by mutex_
  std::condition_variable asked_;
  std::mutex life_mutex_;
  bool alive_ = true;  // guarded by life_mutex_
};

class KafkaAppender final : public Appender {
 public:
  KafkaAppender(std::shared_ptr<Producer> producer,
                std::shared_ptr<Undertaker> undertaker)
      : producer_(std::move(producer)),
        undertaker_(std::move(undertaker)),
        poller_([producer = producer_] { producer->Serve(); }),
        asker_([producer = producer_] { producer->ServeEnds(); }) {}

  ~KafkaAppender() override {
    producer_->Abandon();
    auto poller = std::make_shared<std::thread>(std::move(poller_));
    auto asker = std::make_shared<std::thread>(std::move(asker_));
    undertaker_->Bury([producer = std::move(producer_), poller, asker] {
      poller->join();
      asker->join();
      producer->End();
    });
  }

  void Append(Record record, DeliveryCallback done) override {
    if (record.Bytes() > kMaxRecordBytes) {
      done(absl::InvalidArgumentError("append: the record is too big"));
      return;
    }
    producer_->Append(std::move(record), std::move(done));
  }
  void AskEnd(EndCallback done) override { producer_->AskEnd(std::move(done)); }

 private:
  std::shared_ptr<Producer> producer_;
  std::shared_ptr<Undertaker> undertaker_;
  std::thread poller_;
  std::thread asker_;
};

// A consumer with one assigned partition.
struct ConsumerState {
  std::atomic<bool> unreachable{false};
  ClientPtr client;
};

void OnConsumerError(rd_kafka_t* /*client*/, int code, const char* /*text*/,
                     void* opaque) {
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    static_cast<ConsumerState*>(opaque)->unreachable.store(true);
  }
}

class KafkaReader final : public Reader {
 public:
  KafkaReader(TopicPartition partition, int64_t offset,
              absl::Duration request_timeout,
              std::shared_ptr<ConsumerState> state,
              std::shared_ptr<Undertaker> undertaker)
      : partition_(std::move(partition)),
        position_(offset),
        request_timeout_(request_timeout),
        state_(std::move(state)),
        undertaker_(std::move(undertaker)) {
    if (offset < 0) {
      ended_ = absl::OutOfRangeError(
          absl::StrCat("offset ", offset, " is not in the log"));
    }
  }

  ~KafkaReader() override {
    undertaker_->Bury([state = std::move(state_)]() mutable { state.reset(); });
  }

  absl::StatusOr<std::vector<StoredRecord>> Read(int max_records,
                                                 absl::Duration wait) override {
    // The client fetches no more after these.
    RETURN_IF_ERROR(ended_);
    std::vector<StoredRecord> records;
    const absl::Time until = SteadyNow() + wait;
    while (static_cast<int>(records.size()) < max_records) {
      const int patience =
          records.empty() ? Milliseconds(until - SteadyNow()) : 0;
      rd_kafka_message_t* message =
          rd_kafka_consumer_poll(state_->client.get(), patience);
      if (message == nullptr) {
        if (!records.empty() || SteadyNow() >= until) break;
        continue;
      }
      const absl::Status status = Take(*message, records);
      rd_kafka_message_destroy(message);
      if (status.ok()) continue;
      if (absl::IsOutOfRange(status) || absl::IsDataLoss(status)) {
        ended_ = status;
        // First what is good.
        if (!records.empty()) break;
        return status;
      }
      // Anything else the client mends by itself or it stays silent.
      if (records.empty() && SteadyNow() >= until) return status;
    }
    if (records.empty() && state_->unreachable.load()) {
      RETURN_IF_ERROR(QueryEnd(state_->client.get(), partition_,
                               std::min(request_timeout_, absl::Seconds(1)),
                               "read")
                          .status());
      state_->unreachable.store(false);
    }
    return records;
  }

  int64_t position() const override { return position_; }

 private:
  absl::Status Take(const rd_kafka_message_t& message,
                    std::vector<StoredRecord>& records) {
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return KnownPartitionError(
          message.err,
          absl::StrCat("read ", partition_.topic, "/", partition_.partition,
                       " at offset ", position_));
    }
    StoredRecord stored;
    stored.offset = message.offset;
    if (message.key_len > 0) {
      stored.record.key.assign(static_cast<const char*>(message.key),
                               message.key_len);
    }
    if (message.len > 0) {
      stored.record.value.assign(static_cast<const char*>(message.payload),
                                 message.len);
    }
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      const char* name = nullptr;
      const void* value = nullptr;
      size_t size = 0;
      stored.record.headers.reserve(rd_kafka_header_cnt(headers));
      for (size_t i = 0;
           rd_kafka_header_get_all(headers, i, &name, &value, &size) ==
           RD_KAFKA_RESP_ERR_NO_ERROR;
           ++i) {
        stored.record.headers.emplace_back(
            name, std::string(static_cast<const char*>(value),
                              value == nullptr ? 0 : size));
      }
    }
    position_ = message.offset + 1;
    records.push_back(std::move(stored));
    return absl::OkStatus();
  }

  const TopicPartition partition_;
  int64_t position_;
  const absl::Duration request_timeout_;
  absl::Status ended_;
  std::shared_ptr<ConsumerState> state_;
  std::shared_ptr<Undertaker> undertaker_;
};

// Of a topic to be created.
using Settings = std::vector<std::pair<const char*, const char*>>;

class KafkaLogImpl final : public KafkaLog {
 public:
  explicit KafkaLogImpl(KafkaLogOptions options)
      : options_(std::move(options)) {}

  absl::Status Start() {
    ASSIGN_OR_RETURN(ConfPtr conf, MakeConf());
    RETURN_IF_ERROR(SetAll(conf.get(), options_.properties));
    ASSIGN_OR_RETURN(client_, MakeClient(RD_KAFKA_PRODUCER, std::move(conf)));
    return absl::OkStatus();
  }

  absl::Status EnsureTopic(absl::string_view topic, int partitions) override {
    // The truth: kept for ever, whole, and never led by a replica behind.
    return Ensure(topic, partitions,
                  {{"cleanup.policy", "delete"},
                   {"retention.ms", "-1"},
                   {"retention.bytes", "-1"}});
  }

  absl::Status EnsureCompactedTopic(absl::string_view topic) override {
    // Small segments: only closed ones are compacted.
    return Ensure(
        topic, 1,
        {{"cleanup.policy", "compact"}, {"segment.bytes", "16777216"}});
  }

  absl::Status Ensure(absl::string_view topic, int partitions,
                      const Settings& settings) {
    if (topic.empty() || topic.find('\0') != absl::string_view::npos ||
        partitions < 1 || partitions > 10000) {
      return absl::InvalidArgumentError("topic or partition count is unusable");
    }
    absl::StatusOr<int> count = PartitionCount(topic);
    if (absl::IsNotFound(count.status())) {
      RETURN_IF_ERROR(CreateTopic(topic, partitions, settings));
      const absl::Time until = SteadyNow() + options_.request_timeout;
      // The broker answers before all of them know the topic.
      do {
        count = PartitionCount(topic);
        if (!absl::IsNotFound(count.status())) break;
        absl::SleepFor(kRetryPause);
      } while (SteadyNow() < until);
    }
    RETURN_IF_ERROR(count.status());
    if (*count != partitions) {
      return absl::FailedPreconditionError(absl::StrCat(
          "topic ", topic, " has ", *count, " partitions, not ", partitions,
          "; the count is fixed at creation because keys would move"));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int> PartitionCount(absl::string_view topic) override {
    {
      std::lock_guard lock(mutex_);
      const auto it = topics_.find(topic);
      if (it != topics_.end()) return it->second;
    }
    // All topics: asking for one by name may create it.
    const rd_kafka_metadata_t* raw = nullptr;
    const rd_kafka_resp_err_t error =
        rd_kafka_metadata(client_.get(), 1, nullptr, &raw,
                          Milliseconds(options_.request_timeout));
    RETURN_IF_ERROR(KafkaError(error, "metadata"));
    const std::unique_ptr<const rd_kafka_metadata_t, MetadataDeleter> metadata(
        raw);
    for (int i = 0; i < metadata->topic_cnt; ++i) {
      const rd_kafka_metadata_topic_t& found = metadata->topics[i];
      if (topic != found.topic) continue;
      RETURN_IF_ERROR(KafkaError(found.err, "metadata"));
      std::lock_guard lock(mutex_);
      topics_[std::string(topic)] = found.partition_cnt;
      return found.partition_cnt;
    }
    return absl::NotFoundError(absl::StrCat("topic ", topic, " is not there"));
  }

  absl::StatusOr<std::unique_ptr<Appender>> OpenAppender(
      const TopicPartition& partition) override {
    RETURN_IF_ERROR(CheckPartition(partition));
    ASSIGN_OR_RETURN(ConfPtr conf, MakeConf());
    rd_kafka_conf_t* raw = conf.get();
    RETURN_IF_ERROR(Set(raw, "linger.ms", "1"));
    RETURN_IF_ERROR(Set(raw, "queue.buffering.max.messages", "500000"));
    RETURN_IF_ERROR(Set(
        raw, "queue.buffering.max.kbytes",
        absl::StrCat(std::max<int64_t>(1, options_.max_queued_bytes / 1024))));
    RETURN_IF_ERROR(SetAll(raw, options_.properties));
    RETURN_IF_ERROR(Set(raw, "enable.idempotence", "true"));
    RETURN_IF_ERROR(Set(raw, "acks", "all"));
    RETURN_IF_ERROR(Set(
        raw, "message.timeout.ms",
        absl::StrCat(std::max(1, Milliseconds(options_.delivery_timeout)))));
    auto producer = std::make_shared<Producer>(partition);
    RETURN_IF_ERROR(producer->Start(std::move(conf)));
    WarmUp(producer->client(), partition.topic);
    return std::make_unique<KafkaAppender>(std::move(producer), undertaker_);
  }

  absl::StatusOr<std::unique_ptr<Reader>> OpenReader(
      const TopicPartition& partition, int64_t offset) override {
    RETURN_IF_ERROR(CheckPartition(partition));
    ASSIGN_OR_RETURN(ConfPtr conf, MakeConf());
    rd_kafka_conf_t* raw = conf.get();
    RETURN_IF_ERROR(Set(raw, "fetch.wait.max.ms", "100"));
    RETURN_IF_ERROR(Set(raw, "fetch.error.backoff.ms", "50"));
    RETURN_IF_ERROR(Set(raw, "group.id", "aftercare-reader"));
    RETURN_IF_ERROR(SetAll(raw, options_.properties));
    RETURN_IF_ERROR(Set(raw, "enable.auto.commit", "false"));
    RETURN_IF_ERROR(Set(raw, "enable.auto.offset.store", "false"));
    RETURN_IF_ERROR(Set(raw, "auto.offset.reset", "error"));
    RETURN_IF_ERROR(Set(raw, "check.crcs", "true"));
    RETURN_IF_ERROR(Set(raw, "max.poll.interval.ms", "86400000"));
    auto state = std::make_shared<ConsumerState>();
    rd_kafka_conf_set_opaque(raw, state.get());
    rd_kafka_conf_set_error_cb(raw, OnConsumerError);
    ASSIGN_OR_RETURN(state->client,
                     MakeClient(RD_KAFKA_CONSUMER, std::move(conf)));
    rd_kafka_poll_set_consumer(state->client.get());
    rd_kafka_topic_partition_list_t* list =
        rd_kafka_topic_partition_list_new(1);
    // A negative offset would mean one of the client's symbolic positions.
    rd_kafka_topic_partition_list_add(list, partition.topic.c_str(),
                                      partition.partition)
        ->offset = std::max<int64_t>(offset, 0);
    const rd_kafka_resp_err_t error =
        rd_kafka_assign(state->client.get(), list);
    rd_kafka_topic_partition_list_destroy(list);
    RETURN_IF_ERROR(KafkaError(error, "assign"));
    return std::make_unique<KafkaReader>(partition, offset,
                                         options_.request_timeout,
                                         std::move(state), undertaker_);
  }

  absl::StatusOr<int64_t> End(const TopicPartition& partition) override {
    RETURN_IF_ERROR(CheckPartition(partition));
    return QueryEnd(client_.get(), partition, options_.request_timeout, "end");
  }

 private:
  // Tells a fresh producer who leads. Else an append that comes while it still
  // connects may find no leader, and it looks again only a second later, or
  // two: too long for a claim. Without brokers appends wait anyway.
  void WarmUp(rd_kafka_t* client, const std::string& topic) const {
    rd_kafka_topic_t* handle =
        rd_kafka_topic_new(client, topic.c_str(), nullptr);
    if (handle == nullptr) return;
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(client, 0, handle, &metadata,
                          Milliseconds(std::min(options_.request_timeout,
                                                absl::Seconds(1)))) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
    }
    rd_kafka_topic_destroy(handle);
  }

  absl::Status CheckPartition(const TopicPartition& partition) {
    ASSIGN_OR_RETURN(const int count, PartitionCount(partition.topic));
    if (partition.partition >= 0 && partition.partition < count) {
      return absl::OkStatus();
    }
    return absl::NotFoundError(absl::StrCat("partition ", partition.topic, "/",
                                            partition.partition,
                                            " is not there"));
  }

  absl::Status CreateTopic(absl::string_view topic, int partitions,
                           const Settings& settings) {
    char text[256] = {};
    rd_kafka_NewTopic_t* fresh =
        rd_kafka_NewTopic_new(std::string(topic).c_str(), partitions,
                              options_.replication_factor, text, sizeof(text));
    if (fresh == nullptr) return absl::InvalidArgumentError(text);
    for (const auto& [name, value] : settings) {
      rd_kafka_NewTopic_set_config(fresh, name, value);
    }
    rd_kafka_NewTopic_set_config(fresh, "unclean.leader.election.enable",
                                 "false");
    rd_kafka_NewTopic_set_config(
        fresh, "min.insync.replicas",
        absl::StrCat(options_.min_insync_replicas).c_str());
    rd_kafka_AdminOptions_t* admin = rd_kafka_AdminOptions_new(
        client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_AdminOptions_set_request_timeout(
        admin, Milliseconds(options_.request_timeout), text, sizeof(text));
    rd_kafka_queue_t* queue = rd_kafka_queue_new(client_.get());
    rd_kafka_CreateTopics(client_.get(), &fresh, 1, admin, queue);
    rd_kafka_event_t* event = rd_kafka_queue_poll(
        queue, Milliseconds(options_.request_timeout + absl::Seconds(1)));
    absl::Status status = absl::UnavailableError("create topic: no answer");
    if (event != nullptr) {
      status = KafkaError(rd_kafka_event_error(event), "create topic");
      if (status.ok()) status = CreatedStatus(event);
      rd_kafka_event_destroy(event);
    }
    rd_kafka_queue_destroy(queue);
    rd_kafka_AdminOptions_destroy(admin);
    rd_kafka_NewTopic_destroy(fresh);
    return status;
  }

  absl::Status CreatedStatus(rd_kafka_event_t* event) const {
    size_t count = 0;
    const rd_kafka_topic_result_t** results =
        rd_kafka_CreateTopics_result_topics(
            rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; ++i) {
      const rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[i]);
      // Another process was faster: its partition count is checked next.
      if (error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) continue;
      absl::Status status = KafkaError(error, "create topic");
      if (error == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR) {
        return absl::FailedPreconditionError(absl::StrCat(
            status.message(), " ", options_.replication_factor,
            ". On fewer brokers than three: --kafka.replication-factor 1 "
            "--kafka.min-insync-replicas 1"));
      }
      RETURN_IF_ERROR(status);
    }
    return absl::OkStatus();
  }

  const KafkaLogOptions options_;
  std::mutex mutex_;
  absl::flat_hash_map<std::string, int> topics_;
  std::shared_ptr<Undertaker> undertaker_ = std::make_shared<Undertaker>();
  ClientPtr client_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<KafkaLog>> KafkaLog::Open(
    KafkaLogOptions options) {
  auto log = std::make_unique<KafkaLogImpl>(std::move(options));
  RETURN_IF_ERROR(log->Start());
  return log;
}

}  // namespace aftercare::log
