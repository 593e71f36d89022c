#include "libs/process/rocksdb_log.h"

#include <cstdarg>
#include <cstdio>
#include <utility>

#include "absl/strings/string_view.h"
#include "libs/process/logging.h"

namespace aftercare {
namespace {

// Longer ones are cut.
constexpr int kMaxLine = 1000;

class Lines final : public rocksdb::Logger {
 public:
  explicit Lines(std::string directory)
      : rocksdb::Logger(rocksdb::WARN_LEVEL),
        directory_(std::move(directory)) {}

  using rocksdb::Logger::Logv;

  // RocksDB calls it for what is no error, whatever the level is.
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}

  void Logv(const rocksdb::InfoLogLevel level, const char* format,
            va_list arguments) override {
    if (level < GetInfoLogLevel() || level == rocksdb::HEADER_LEVEL) return;
    char text[kMaxLine] = {};
    if (std::vsnprintf(text, sizeof(text), format, arguments) < 0) return;
    const LogFields fields = {{"directory", directory_}, {"text", text}};
    if (level == rocksdb::WARN_LEVEL) {
      // Two come with every checkpoint.
      LogDebug("RocksDB", fields);
    } else {
      LogError("RocksDB", fields);
    }
  }

 private:
  const std::string directory_;
};

}  // namespace

std::shared_ptr<rocksdb::Logger> RocksDbLog(std::string directory) {
  return std::make_shared<Lines>(std::move(directory));
}

}  // namespace aftercare
