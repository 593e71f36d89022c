#ifndef AFTERCARE_LIBS_PROCESS_ROCKSDB_LOG_H_
#define AFTERCARE_LIBS_PROCESS_ROCKSDB_LOG_H_

#include <memory>
#include <string>

#include "rocksdb/env.h"

namespace aftercare {

// For rocksdb::Options::info_log: errors become our log lines with `directory`,
// warnings debug lines, the rest is dropped. Left to itself RocksDB writes a
// file LOG beside its data, and a disk without a byte free ends the process
// there: 7.8 asserts on a write after one that failed. Thread-safe.
std::shared_ptr<rocksdb::Logger> RocksDbLog(std::string directory);

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_PROCESS_ROCKSDB_LOG_H_
