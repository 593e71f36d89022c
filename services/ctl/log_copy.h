// -----------------------------------------------------------------------------
// File: log_copy.h
// -----------------------------------------------------------------------------
//
// A log into another log, record by record with the same offsets: claims and
// the headers of events speak of offsets, so a copy that moved one would be
// another history. Nobody may write to either side meanwhile; an embedded
// source is held like a service holds it, on Kafka the services must be
// stopped.
//
//   ASSIGN_OR_RETURN(auto from, ParseLogAddress("embedded:/data/log"));
//   ASSIGN_OR_RETURN(auto to, ParseLogAddress("kafka:kafka:9092"));
//   ASSIGN_OR_RETURN(auto source, OpenSource(from, {}));
//   ASSIGN_OR_RETURN(auto target, OpenTarget(to, {}));
//   ASSIGN_OR_RETURN(auto partitions, CopyLog(*source, *target, {}));
//
// What can be known before the first write is looked at before it: all of the
// source (no offset left out, no record too big) and all that is at the target
// (the beginning of the source, or nothing). So a refusal leaves the target as
// it was, and a copy that was cut off is simply started again.

#ifndef AFTERCARE_SERVICES_CTL_LOG_COPY_H_
#define AFTERCARE_SERVICES_CTL_LOG_COPY_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/log/kafka_log.h"
#include "libs/log/log.h"

namespace aftercare::ctl {

struct LogAddress {
  enum class Kind { kEmbedded, kKafka };
  Kind kind = Kind::kEmbedded;
  // The log's directory, or bootstrap servers.
  std::string where;
};

// "embedded:DIR" or "kafka:HOST:PORT[,...]"; else INVALID_ARGUMENT.
absl::StatusOr<LogAddress> ParseLogAddress(absl::string_view text);

// True when both are the same directory or the same servers, as far as the
// addresses tell.
bool SameLog(const LogAddress& a, const LogAddress& b);

// `kafka` is for addresses of that kind; its bootstrap.servers are replaced.
// Errors are those of the logs' own Open. NOT_FOUND for a directory that has no
// log: reading never makes one. FAILED_PRECONDITION while a service holds it.
absl::StatusOr<std::unique_ptr<log::Log>> OpenSource(
    const LogAddress& address, log::KafkaLogOptions kafka);

// The same; a directory is created if missing.
absl::StatusOr<std::unique_ptr<log::Log>> OpenTarget(
    const LogAddress& address, log::KafkaLogOptions kafka);

struct CopyProgress {
  enum class Step { kCheck, kCopy, kVerify };
  Step step = Step::kCheck;
  log::TopicPartition partition;
  // Records of this step, of all partitions.
  int64_t done = 0;
  int64_t total = 0;
};

struct CopyOptions {
  // Empty: the event topics of the four services, as far as the source has
  // them.
  std::vector<std::string> topics;
  // Bounds on what is on its way to the target.
  int64_t max_inflight_records = 4096;
  int64_t max_inflight_bytes = 8 << 20;
  // How long a side may give no record although there should be one.
  absl::Duration patience = absl::Seconds(30);
  // Called often, from the calling thread; may be null.
  std::function<void(const CopyProgress&)> progress;
};

struct CopiedPartition {
  log::TopicPartition partition;
  int64_t already_there = 0;
  int64_t copied = 0;
  // As read back when all was written. The digests depend on every record,
  // offsets included, and on their order; they guard against mistakes and
  // damage, not against an attacker.
  int64_t records = 0;
  int64_t target_records = 0;
  uint64_t digest = 0;
  uint64_t target_digest = 0;
  // What differs; empty when nothing does.
  std::string difference;
};

// Copies what the target lacks, then reads both sides back. A difference found
// there is a result, not an error. Errors before anything was written:
// NOT_FOUND without a topic to copy, FAILED_PRECONDITION when the target has
// other records, more records or another partition count, or the source leaves
// out offsets or has a record no log takes. Errors after that:
// FAILED_PRECONDITION when the target gave a record another offset, else the
// logs' own; what was written until then is a beginning of the source.
absl::StatusOr<std::vector<CopiedPartition>> CopyLog(
    log::Log& source, log::Log& target, const CopyOptions& options);

// Only reads both sides back, writes nothing. What the target lacks or has
// beyond the source is a difference.
absl::StatusOr<std::vector<CopiedPartition>> VerifyCopy(
    log::Log& source, log::Log& target, const CopyOptions& options);

}  // namespace aftercare::ctl

#endif  // AFTERCARE_SERVICES_CTL_LOG_COPY_H_
