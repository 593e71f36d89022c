// -----------------------------------------------------------------------------
// File: logging.h
// -----------------------------------------------------------------------------
//
// JSON log lines on standard error, one object a line:
//
//   LogInfo("shard ready", {{"topic", topic}, {"events", absl::StrCat(n)}});
//   {"time":"2026-03-01T08:30:00.120Z","level":"info","message":"shard
//   ready",...}
//
// Thread-safe. Values are text; nothing personal belongs into a log line.

#ifndef AFTERCARE_LIBS_PROCESS_LOGGING_H_
#define AFTERCARE_LIBS_PROCESS_LOGGING_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace aftercare {

using LogFields = std::vector<std::pair<std::string, std::string>>;

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// Lines below `level` are dropped. Default: kInfo.
void SetLogLevel(LogLevel level);

void LogDebug(absl::string_view message, const LogFields& fields = {});
void LogInfo(absl::string_view message, const LogFields& fields = {});
void LogWarning(absl::string_view message, const LogFields& fields = {});
void LogError(absl::string_view message, const LogFields& fields = {});

// `text` as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD.
std::string JsonQuote(absl::string_view text);

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_PROCESS_LOGGING_H_
