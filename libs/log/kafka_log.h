// -----------------------------------------------------------------------------
// File: kafka_log.h
// -----------------------------------------------------------------------------
//
// The log over Kafka (librdkafka). Every appender is an idempotent producer of
// its own, so that a writer in doubt can drop it and start with one that shares
// nothing with it: not its queue, not its producer id, not its fatal error.
// Consumer groups are not used for reading: positions are kept with the rows
// that were made from the records.
//
//   KafkaLogOptions options;
//   options.properties["bootstrap.servers"] = "kafka:9092";
//   ASSIGN_OR_RETURN(auto log, KafkaLog::Open(std::move(options)));

#ifndef AFTERCARE_LIBS_LOG_KAFKA_LOG_H_
#define AFTERCARE_LIBS_LOG_KAFKA_LOG_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/log/log.h"

namespace aftercare::log {

struct KafkaLogOptions {
  // librdkafka's names, for every client of the log (bootstrap.servers,
  // security.protocol, ...). What the contract rests on cannot be overridden:
  // acks=all, idempotence, no committed positions, auto.offset.reset=error.
  std::map<std::string, std::string> properties;
  // Of topics that EnsureTopic creates.
  int replication_factor = 3;
  int min_insync_replicas = 2;
  // Bound on metadata, watermark and admin requests.
  absl::Duration request_timeout = absl::Seconds(10);
  // A record not acknowledged within this is reported as failed (outcome
  // unknown).
  absl::Duration delivery_timeout = absl::Seconds(30);
  // Bound on what one appender holds; beyond it: RESOURCE_EXHAUSTED.
  int64_t max_queued_bytes = int64_t{256} << 20;
};

// Thread-safe. Readers and appenders must end before it. Its destructor waits
// until the clients of ended appenders and readers are gone.
class KafkaLog : public Log {
 public:
  // Connects lazily: an unreachable broker shows at the first request as
  // UNAVAILABLE. INVALID_ARGUMENT for an unknown or unusable property.
  static absl::StatusOr<std::unique_ptr<KafkaLog>> Open(
      KafkaLogOptions options);

  // Makes sure of a topic of one partition of which Kafka keeps the newest
  // record of each key. One that exists is taken as it is.
  virtual absl::Status EnsureCompactedTopic(absl::string_view topic) = 0;
};

}  // namespace aftercare::log

#endif  // AFTERCARE_LIBS_LOG_KAFKA_LOG_H_
