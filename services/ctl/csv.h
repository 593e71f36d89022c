// -----------------------------------------------------------------------------
// File: csv.h
// -----------------------------------------------------------------------------
//
// Rows of a CSV file as UTF-8 text: any encoding whose commas, quotes and line
// ends are ASCII, gzip by its first bytes, line breaks inside quotes,
// streaming. The first row names the columns; blank lines count only as lines.
// Spaces around a field without quotes are not part of it.

#ifndef AFTERCARE_SERVICES_CTL_CSV_H_
#define AFTERCARE_SERVICES_CTL_CSV_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace aftercare::ctl {

struct CsvDialect {
  std::string encoding = "utf-8";
  char delimiter = ',';
};

struct CsvRow {
  // From 1, the heading not counted.
  int64_t number = 0;
  // Line in the file where the row begins, from 1.
  int64_t line = 0;
  // Share of the file that was read when the row came, 0 to 1.
  double share = 0;
  // Bytes that are not in the encoding are U+FFFD here.
  std::vector<std::string> fields;
  // Why the row cannot be used (bytes that are not in the encoding, a quote
  // that does not belong there); empty when it can.
  std::string problem;
};

// Reads the file and gives each row to `visit` until it returns false.
// `heading` gets the column names first; an error from it ends the reading.
// NOT_FOUND, INVALID_ARGUMENT (an encoding that is unknown or not of that
// kind, no heading, a quote that never closes, a damaged gzip file). A row that
// is wrong in itself is no error: it has a problem, and the next line is read.
absl::Status ReadCsv(
    const std::string& path, const CsvDialect& dialect,
    const std::function<absl::Status(const std::vector<std::string>&)>& heading,
    const std::function<bool(const CsvRow&)>& visit);

// One line of CSV with its line end; quotes where they are needed.
std::string CsvLine(const std::vector<std::string>& fields);

// True for valid UTF-8.
bool IsUtf8(absl::string_view text);

}  // namespace aftercare::ctl

#endif  // AFTERCARE_SERVICES_CTL_CSV_H_
