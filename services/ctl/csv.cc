#include "services/ctl/csv.h"

#include <csv.h>
#include <iconv.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "libs/base/logging.h"

namespace aftercare::ctl {
namespace {

constexpr size_t kChunk = 1 << 16;

// Text of one field in UTF-8; false when its bytes are not in the encoding.
// Fields are converted one by one: delimiters and quotes are ASCII in every
// encoding offered, and a second byte of GB18030 is never a comma, a quote or
// a line end.
class Converter {
 public:
  explicit Converter(const std::string& encoding) {
    const std::string name = absl::AsciiStrToLower(encoding);
    utf8_ = name == "utf-8" || name == "utf8";
    if (!utf8_) handle_ = iconv_open("UTF-8", encoding.c_str());
  }
  ~Converter() {
    if (known() && !utf8_) iconv_close(handle_);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;

  bool known() const {
    return utf8_ || handle_ != reinterpret_cast<iconv_t>(-1);
  }

  bool Convert(std::string& text) {
    if (utf8_) return IsUtf8(text);
    iconv(handle_, nullptr, nullptr, nullptr, nullptr);
    std::string out(text.size() * 4 + 16, '\0');
    char* from = text.data();
    size_t from_left = text.size();
    char* to = out.data();
    size_t to_left = out.size();
    if (iconv(handle_, &from, &from_left, &to, &to_left) ==
        static_cast<size_t>(-1)) {
      return false;
    }
    out.resize(out.size() - to_left);
    text = std::move(out);
    return true;
  }

 private:
  bool utf8_ = false;
  iconv_t handle_ = reinterpret_cast<iconv_t>(-1);
};

struct Reading {
  Converter* converter = nullptr;
  const std::function<absl::Status(const std::vector<std::string>&)>* heading;
  const std::function<bool(const CsvRow&)>* visit;
  bool headed = false;
  bool stopped = false;
  absl::Status status;
  CsvRow row;
  int64_t rows = 0;
  int64_t lines = 0;
};

void OnField(void* bytes, size_t size, void* data) {
  auto& reading = *static_cast<Reading*>(data);
  std::string text(static_cast<const char*>(bytes), size);
  reading.lines += std::count(text.begin(), text.end(), '\n');
  if (!reading.converter->Convert(text)) {
    reading.row.problem = absl::StrCat("field ", reading.row.fields.size() + 1,
                                       " is not in the encoding");
    text.clear();
  }
  reading.row.fields.push_back(std::move(text));
}

void OnRow(int, void* data) {
  auto& reading = *static_cast<Reading*>(data);
  ++reading.lines;
  if (reading.stopped) return;
  CsvRow row = std::move(reading.row);
  reading.row = CsvRow();
  row.line = reading.lines;
  if (!reading.headed) {
    reading.headed = true;
    // A byte-order mark is not part of the first name.
    if (!row.fields.empty() && row.fields[0].rfind("\xEF\xBB\xBF", 0) == 0) {
      row.fields[0].erase(0, 3);
    }
    reading.status = (*reading.heading)(row.fields);
    reading.stopped = !reading.status.ok();
    return;
  }
  row.number = ++reading.rows;
  reading.stopped = !(*reading.visit)(row);
}

}  // namespace

bool IsUtf8(const std::string& text) {
  // A replacement character that was not there says it was not UTF-8.
  static constexpr char kReplacement[] = "\xEF\xBF\xBD";
  const auto count = [](const std::string& in) {
    size_t found = 0;
    for (size_t at = in.find(kReplacement); at != std::string::npos;
         at = in.find(kReplacement, at + 3)) {
      ++found;
    }
    return found;
  };
  return count(JsonQuote(text)) == count(text);
}

absl::Status ReadCsv(
    const std::string& path, const std::string& encoding,
    const std::function<absl::Status(const std::vector<std::string>&)>& heading,
    const std::function<bool(const CsvRow&)>& visit) {
  Converter converter(encoding);
  if (!converter.known()) {
    return absl::InvalidArgumentError(
        absl::StrCat("encoding '", encoding, "' is not known"));
  }
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, " cannot be opened"));
  }
  const absl::Cleanup close = [file] { gzclose(file); };
  csv_parser parser;
  if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL) != 0) {
    return absl::InternalError("csv_init");
  }
  const absl::Cleanup free_parser = [&parser] { csv_free(&parser); };
  Reading reading;
  reading.converter = &converter;
  reading.heading = &heading;
  reading.visit = &visit;
  std::string chunk(kChunk, '\0');
  while (!reading.stopped) {
    const int size = gzread(file, chunk.data(), kChunk);
    if (size < 0) {
      return absl::InvalidArgumentError(absl::StrCat(path, " is damaged"));
    }
    if (size == 0) break;
    if (csv_parse(&parser, chunk.data(), static_cast<size_t>(size), OnField,
                  OnRow, &reading) != static_cast<size_t>(size)) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": near line ", reading.lines + 1, ": ",
                       csv_strerror(csv_error(&parser))));
    }
  }
  if (!reading.stopped && csv_fini(&parser, OnField, OnRow, &reading) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": the last row's quotes do not close"));
  }
  return reading.status;
}

std::string CsvLine(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    if (fields[i].find_first_of(",\"\r\n") == std::string::npos) {
      line += fields[i];
      continue;
    }
    line += '"';
    for (char c : fields[i]) {
      if (c == '"') line += '"';
      line += c;
    }
    line += '"';
  }
  return line + "\n";
}

}  // namespace aftercare::ctl
