// -----------------------------------------------------------------------------
// File: embedded_log.h
// -----------------------------------------------------------------------------
//
// The log of one machine: an append-only RocksDB, no broker. One process holds
// it. Same records, offsets and errors as a Kafka log.
//
// Durability: an append is reported only after its write has been synced. One
// thread writes everything that waits, of all partitions, in one batch with one
// sync (group commit), so many writers share the price of the disk's flush.
//
// Stored form: key "r" topic NUL partition(4) offset(8), big endian; value a
// 64-bit XXH3 checksum over key and body, then the body: key, value and headers
// with varint lengths. A value that fails its checksum is DATA_LOSS naming the
// offset.

#ifndef AFTERCARE_LIBS_LOG_EMBEDDED_LOG_H_
#define AFTERCARE_LIBS_LOG_EMBEDDED_LOG_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "libs/log/log.h"

namespace aftercare::log {

struct EmbeddedLogOptions {
  // Created if missing.
  std::string directory;
  // Appends that wait beyond this are refused with RESOURCE_EXHAUSTED.
  int64_t max_queued_bytes = int64_t{256} << 20;
  // Free bytes below which appends are refused before RocksDB is touched (the
  // packaged RocksDB aborts the process on a full disk). `free_bytes` null asks
  // the file system.
  int64_t min_free_bytes = int64_t{128} << 20;
  std::function<absl::StatusOr<int64_t>()> free_bytes;
};

// Thread-safe. Readers and appenders must end before it.
class EmbeddedLog : public Log {
 public:
  // FAILED_PRECONDITION when another holder has it open: the message says who
  // (process id, host, since when). DATA_LOSS when the files are damaged.
  static absl::StatusOr<std::unique_ptr<EmbeddedLog>> Open(
      EmbeddedLogOptions options);
};

}  // namespace aftercare::log

#endif  // AFTERCARE_LIBS_LOG_EMBEDDED_LOG_H_
