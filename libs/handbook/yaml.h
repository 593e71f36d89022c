// -----------------------------------------------------------------------------
// File: yaml.h
// -----------------------------------------------------------------------------
//
// A handbook file: YAML with the field names of aftercare/handbook/v1, read by
// the message's descriptor. Every problem has its line and column.
//
//   target: 4h            # durations: 45s, 90m, 2d12h
//   window: 7d            # spans: 3wd, 7d, 6mo, 4h, or {working_days: 3}
//   measure: share_met    # enums in lower case
//   effective_time: 2026-01-01T00:00:00+08:00

#ifndef AFTERCARE_LIBS_HANDBOOK_YAML_H_
#define AFTERCARE_LIBS_HANDBOOK_YAML_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/handbook/v1/handbook.pb.h"
#include "libs/handbook/check.h"

namespace aftercare::handbook {

struct LoadedHandbook {
  v1::Handbook handbook;
  // Of the text and of its meaning, by line. Empty: it can be published.
  std::vector<Problem> problems;
};

// Never fails: what cannot be read is a problem. Text above 1 MiB or outside
// UTF-8, nesting above 20 levels, anchors, aliases, tags and a second document
// are problems.
LoadedHandbook LoadHandbook(absl::string_view yaml);

// One problem a line:
// "file:line:column: path: text (did you mean 'x'?)".
std::string FormatProblems(absl::string_view file,
                           const std::vector<Problem>& problems);

// "90m", "2d12h", "45s"; INVALID_ARGUMENT otherwise.
absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text);

}  // namespace aftercare::handbook

#endif  // AFTERCARE_LIBS_HANDBOOK_YAML_H_
