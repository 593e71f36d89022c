// -----------------------------------------------------------------------------
// File: log.h
// -----------------------------------------------------------------------------
//
// The log: ordered, immutable records in the partitions of a topic. It is the
// truth of the suite; everything else is derived from it by replay.
//
// Two implementations keep one contract (tests/contract): `EmbeddedLog` (one
// process, one directory) and `KafkaLog` (a broker). Nothing above this header
// knows which one it talks to.
//
//   ASSIGN_OR_RETURN(auto appender,
//   log.OpenAppender({"aftercare.intake.events.v1", 0}));
//   appender->Append(record, [](absl::StatusOr<int64_t> offset) { ... });
//
// Fencing is not the log's work: any process may append to any partition. Who
// counts as the writer is decided by readers through the fold (fold.h).

#ifndef AFTERCARE_LIBS_LOG_LOG_H_
#define AFTERCARE_LIBS_LOG_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aftercare::log {

struct TopicPartition {
  std::string topic;
  int partition = 0;

  friend bool operator==(const TopicPartition&,
                         const TopicPartition&) = default;
};

// What a writer hands over. `headers` keep their order; names may repeat only
// if the writer repeats them. Keys and values are bytes.
struct Record {
  std::string key;
  std::string value;
  std::vector<std::pair<std::string, std::string>> headers;

  // First header of that name, or an empty view (also when it is empty).
  absl::string_view Header(absl::string_view name) const;

  // What counts against kMaxRecordBytes: key, value, and of each header its
  // name, its value and 16 bytes.
  int64_t Bytes() const;
};

// The greatest record any log takes. With its framing it stays below what a
// Kafka broker and its clients take unless told otherwise (1 MB), so that every
// log can be copied into every other.
inline constexpr int64_t kMaxRecordBytes = 960 << 10;

// A record as it lies in the log. Offsets ascend within a partition and need
// not be contiguous for a reader (Kafka's control records take offsets).
struct StoredRecord {
  int64_t offset = 0;
  Record record;
};

// Called exactly once per Append, from a thread of the log. OK carries the
// record's offset. An error means the outcome is unknown: the record may be in
// the log, may still arrive later, or may never (two errors of Append's own say
// more).
using DeliveryCallback = std::function<void(absl::StatusOr<int64_t>)>;

// Called exactly once per AskEnd.
using EndCallback = std::function<void(absl::StatusOr<int64_t>)>;

// Appends to one partition in call order. Thread-compatible: one caller at a
// time. Destroying it abandons what is in flight: after the destructor has
// returned no callback runs any more, and abandoned records have an unknown
// outcome. A callback must not destroy its own appender. What holds for
// deliveries holds for the answers to AskEnd too.
class Appender {
 public:
  virtual ~Appender() = default;

  // Never blocks for the network or the disk. Two refusals are certain, the
  // record is not in the log and never will be: RESOURCE_EXHAUSTED when the log
  // can take no more at present, INVALID_ARGUMENT when the record is greater
  // than kMaxRecordBytes. `done` may run before Append returns.
  virtual void Append(Record record, DeliveryCallback done) = 0;

  // Where the partition ends at some moment after the call: every record that
  // any writer was told of before lies below. Who finds nothing foreign up to
  // there knew all there was to know when it asked. Never blocks; `done` runs
  // on a thread of the log, or before AskEnd returns. UNAVAILABLE when the log
  // does not answer.
  virtual void AskEnd(EndCallback done) = 0;
};

// Reads one partition in offset order. Thread-compatible.
class Reader {
 public:
  virtual ~Reader() = default;

  // At most `max_records` records from the current position, in order, moving
  // the position behind the last one. Waits up to `wait` for a first record;
  // an empty result means none came. Errors: OUT_OF_RANGE when the position
  // does not exist in the log, DATA_LOSS when a stored record cannot be decoded
  // (the message names the offset; the position stays on it), UNAVAILABLE when
  // the log cannot be reached.
  virtual absl::StatusOr<std::vector<StoredRecord>> Read(
      int max_records, absl::Duration wait) = 0;

  // Offset the next Read starts from.
  virtual int64_t position() const = 0;
};

// Thread-safe.
class Log {
 public:
  virtual ~Log() = default;

  // Makes sure that `topic` exists with `partitions` partitions. A topic that
  // exists with another count is FAILED_PRECONDITION: keys would move.
  virtual absl::Status EnsureTopic(absl::string_view topic, int partitions) = 0;

  // NOT_FOUND when the topic does not exist.
  virtual absl::StatusOr<int> PartitionCount(absl::string_view topic) = 0;

  // A fresh producer; never shares state with an earlier one.
  virtual absl::StatusOr<std::unique_ptr<Appender>> OpenAppender(
      const TopicPartition& partition) = 0;

  // `offset` 0 is the beginning of the partition. One that does not exist shows
  // at the first Read.
  virtual absl::StatusOr<std::unique_ptr<Reader>> OpenReader(
      const TopicPartition& partition, int64_t offset) = 0;

  // One past the last record's offset at some moment during the call. Only an
  // estimate for progress reports and tests: the exact end is a claim.
  virtual absl::StatusOr<int64_t> End(const TopicPartition& partition) = 0;
};

// Kafka's default partitioner (murmur2 over the key), so that any Kafka client
// finds a key in the same partition. Source of the function: the Kafka
// protocol's Java producer; MurmurHash2 by Austin Appleby (public domain).
int PartitionOf(absl::string_view key, int partitions);

// The hash behind PartitionOf, for checking against Kafka's own vectors.
int32_t KafkaHash(absl::string_view key);

}  // namespace aftercare::log

#endif  // AFTERCARE_LIBS_LOG_LOG_H_
