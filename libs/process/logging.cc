#include "libs/process/logging.h"

#include <atomic>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "libs/base/time.h"

namespace aftercare {
namespace {

std::atomic<LogLevel> min_level{LogLevel::kInfo};

// Length of the UTF-8 sequence at `text[i]`, or 0 if it is not one.
size_t SequenceLength(absl::string_view text, size_t i) {
  const auto byte = [&](size_t k) {
    return k < text.size() ? static_cast<unsigned char>(text[k]) : 0u;
  };
  const unsigned lead = byte(i);
  if (lead < 0x80) return 1;
  size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  for (size_t k = 1; k < length; ++k) {
    if (byte(i + k) < low || byte(i + k) > high) return 0;
    low = 0x80;
    high = 0xBF;
  }
  return length;
}

void Write(LogLevel level, const char* name, absl::string_view message,
           const LogFields& fields) {
  if (level < min_level.load(std::memory_order_relaxed)) return;
  std::string line = absl::StrCat(
      "{\"time\":", JsonQuote(FormatRfc3339(absl::Now())), ",\"level\":\"",
      name, "\",\"message\":", JsonQuote(message));
  for (const auto& [key, value] : fields) {
    absl::StrAppend(&line, ",", JsonQuote(key), ":", JsonQuote(value));
  }
  line += "}\n";
  // One call, so that lines of several threads do not mix.
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void SetLogLevel(LogLevel level) { min_level = level; }

void LogDebug(absl::string_view message, const LogFields& fields) {
  Write(LogLevel::kDebug, "debug", message, fields);
}
void LogInfo(absl::string_view message, const LogFields& fields) {
  Write(LogLevel::kInfo, "info", message, fields);
}
void LogWarning(absl::string_view message, const LogFields& fields) {
  Write(LogLevel::kWarning, "warning", message, fields);
}
void LogError(absl::string_view message, const LogFields& fields) {
  Write(LogLevel::kError, "error", message, fields);
}

std::string JsonQuote(absl::string_view text) {
  std::string out = "\"";
  for (size_t i = 0; i < text.size();) {
    const size_t length = SequenceLength(text, i);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      ++i;
      continue;
    }
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[i];
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", c);
    } else {
      absl::StrAppend(&out, text.substr(i, length));
    }
    i += length;
  }
  out += '"';
  return out;
}

}  // namespace aftercare
