// -----------------------------------------------------------------------------
// File: csv.h
// -----------------------------------------------------------------------------
//
// Rows of a CSV file as UTF-8 text: any iconv encoding, gzip by its first
// bytes, line breaks inside quotes, streaming. The first row names the columns.

#ifndef AFTERCARE_SERVICES_CTL_CSV_H_
#define AFTERCARE_SERVICES_CTL_CSV_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace aftercare::ctl {

struct CsvRow {
  // From 1, the heading not counted.
  int64_t number = 0;
  // Line in the file where the row ends, from 1.
  int64_t line = 0;
  std::vector<std::string> fields;
  // Why the row cannot be used (bytes that are not in the encoding); empty
  // when it can.
  std::string problem;
};

// Reads the file and gives each row to `visit` until it returns false.
// `heading` gets the column names first; an error from it ends the reading.
// NOT_FOUND, INVALID_ARGUMENT (unknown encoding, malformed quotes).
absl::Status ReadCsv(
    const std::string& path, const std::string& encoding,
    const std::function<absl::Status(const std::vector<std::string>&)>& heading,
    const std::function<bool(const CsvRow&)>& visit);

// One line of CSV with its line end; quotes where they are needed.
std::string CsvLine(const std::vector<std::string>& fields);

// True for valid UTF-8.
bool IsUtf8(const std::string& text);

}  // namespace aftercare::ctl

#endif  // AFTERCARE_SERVICES_CTL_CSV_H_
