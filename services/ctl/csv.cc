#include "services/ctl/csv.h"

#include <csv.h>
#include <iconv.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace aftercare::ctl {
namespace {

constexpr size_t kChunk = 1 << 16;
// More in one row means that a quote was left open; memory stays bounded.
constexpr size_t kMaxRowBytes = 16 << 20;
constexpr char kByteOrderMark[] = "\xEF\xBB\xBF";

class Iconv {
 public:
  Iconv(const std::string& to, const std::string& from)
      : handle_(iconv_open(to.c_str(), from.c_str())) {}
  ~Iconv() {
    if (known()) iconv_close(handle_);
  }
  Iconv(const Iconv&) = delete;
  Iconv& operator=(const Iconv&) = delete;

  bool known() const { return handle_ != reinterpret_cast<iconv_t>(-1); }

  // Appends what `text` is in the other encoding, `replacement` for every byte
  // that has no meaning; false when there was one.
  bool Convert(absl::string_view text, absl::string_view replacement,
               std::string* out) {
    iconv(handle_, nullptr, nullptr, nullptr, nullptr);
    char* from = const_cast<char*>(text.data());
    size_t from_left = text.size();
    bool good = true;
    while (from_left > 0) {
      char buffer[512];
      char* to = buffer;
      size_t to_left = sizeof(buffer);
      const size_t result = iconv(handle_, &from, &from_left, &to, &to_left);
      out->append(buffer, sizeof(buffer) - to_left);
      if (result != static_cast<size_t>(-1) || errno == E2BIG) continue;
      good = false;
      out->append(replacement.data(), replacement.size());
      ++from;
      --from_left;
    }
    return good;
  }

 private:
  iconv_t handle_;
};

// Bytes of an encoding into UTF-8. By way of UTF-16, which has no more
// characters than Unicode: read as UTF-8 alone, glibc lets F4 90 80 80 pass.
class Decoder {
 public:
  explicit Decoder(const std::string& encoding)
      : in_("UTF-16LE", encoding), out_("UTF-8", "UTF-16LE") {}

  bool known() const { return in_.known() && out_.known(); }

  // Every byte that has no meaning becomes U+FFFD; false when there was one.
  bool Decode(absl::string_view bytes, std::string* text) {
    std::string wide;
    const bool good = in_.Convert(bytes, "\xFD\xFF", &wide);
    return out_.Convert(wide, "", text) && good;
  }

 private:
  Iconv in_;
  Iconv out_;
};

std::string CodePoint(uint32_t c) {
  std::string text;
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xC0 | (c >> 6));
    text += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    text += static_cast<char>(0xE0 | (c >> 12));
    text += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    text += static_cast<char>(0x80 | (c & 0x3F));
  }
  return text;
}

// Rows are cut before they are decoded, which is right only where the
// characters that CSV reads are as in ASCII and no other character has such a
// byte: not in UTF-16 or ISO-2022-JP. Characters above U+FFFF add nothing new:
// GB18030 spells them with the bytes of its other four-byte characters.
bool CanBeCutUndecoded(const std::string& encoding, char delimiter) {
  Iconv encode(encoding, "UTF-8");
  if (!encode.known()) return false;
  const std::string read = std::string("\"\t\r\n ") + delimiter;
  for (uint32_t c = 1; c < 0xFFFE; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const std::string text = CodePoint(c);
    std::string bytes;
    const bool known = encode.Convert(text, "", &bytes);
    const bool is_read = c < 0x80 && read.find(text) != std::string::npos;
    if (is_read ? bytes != text
                : known && bytes.find_first_of(read) != std::string::npos) {
      return false;
    }
  }
  return true;
}

class Reader {
 public:
  Reader(const std::string& path, const CsvDialect& dialect, Decoder* decode,
         const std::function<absl::Status(const std::vector<std::string>&)>&
             heading,
         const std::function<bool(const CsvRow&)>& visit)
      : path_(path),
        dialect_(dialect),
        decode_(decode),
        heading_(heading),
        visit_(visit),
        blank_(BlanksBeside(dialect.delimiter)) {
    StartParser();
  }
  ~Reader() { csv_free(&parser_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  absl::Status Read(gzFile file) {
    std::error_code unknown;
    const auto bytes = std::filesystem::file_size(path_, unknown);
    if (!unknown) file_bytes_ = static_cast<int64_t>(bytes);
    std::string chunk(kChunk, '\0');
    for (bool first = true; status_.ok() && !stopped_; first = false) {
      const int size = gzread(file, chunk.data(), kChunk);
      int error = Z_OK;
      gzerror(file, &error);
      // At the end of a file that was cut off, gzread itself says nothing.
      if (size < 0 || (size == 0 && error != Z_OK)) {
        return absl::InvalidArgumentError(absl::StrCat(path_, " is damaged"));
      }
      if (size == 0) return End();
      if (file_bytes_ > 0) {
        share_ = std::min(1.0, static_cast<double>(gzoffset(file)) /
                                   static_cast<double>(file_bytes_));
      }
      absl::string_view data(chunk.data(), static_cast<size_t>(size));
      if (first) ConsumeByteOrderMark(&data);
      while (!data.empty() && status_.ok() && !stopped_) {
        const size_t end = data.find_first_of("\r\n");
        const size_t length =
            end == absl::string_view::npos ? data.size() : end + 1;
        Take(data.substr(0, length));
        data.remove_prefix(length);
      }
    }
    return status_;
  }

 private:
  // Of a line that is no row. A tab can be the delimiter.
  static std::string BlanksBeside(char delimiter) {
    std::string blanks = " \t\r\n";
    blanks.erase(std::remove(blanks.begin(), blanks.end(), delimiter),
                 blanks.end());
    return blanks;
  }

  void StartParser() {
    csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI);
    csv_set_delim(&parser_, static_cast<unsigned char>(dialect_.delimiter));
  }

  void ConsumeByteOrderMark(absl::string_view* data) const {
    Iconv encode(dialect_.encoding, "UTF-8");
    std::string mark;
    if (encode.Convert(kByteOrderMark, "", &mark)) {
      absl::ConsumePrefix(data, mark);
    }
  }

  // A line, its end included, or a part of one.
  void Take(absl::string_view part) {
    const char last = part.back();
    const bool line_ends = last == '\n' || last == '\r';
    // CR LF is one line end.
    if (last == '\n' && part.size() == 1 && after_return_) --line_;
    after_return_ = last == '\r';
    if (!in_row_ && part.find_first_not_of(blank_) != part.npos) {
      in_row_ = true;
      row_.line = line_;
      row_bytes_ = 0;
    }
    row_bytes_ += part.size();
    if (row_bytes_ > kMaxRowBytes) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat(path_, ": line ", row_.line,
                       ": a row of more than 16 MiB; is a quote left open?"));
      return;
    }
    if (!passing_over_ && csv_parse(&parser_, part.data(), part.size(), OnField,
                                    OnRow, this) != part.size()) {
      row_.problem = absl::StrCat("a quote does not belong there (line ", line_,
                                  ", field ", row_.fields.size() + 1, ")");
      csv_free(&parser_);
      StartParser();
      passing_over_ = true;
    }
    if (line_ends) {
      if (passing_over_) {
        passing_over_ = false;
        EndRow();
      }
      ++line_;
    }
  }

  absl::Status End() {
    if (passing_over_) {
      EndRow();
    } else if (csv_fini(&parser_, OnField, OnRow, this) != 0) {
      return absl::InvalidArgumentError(absl::StrCat(
          path_, ": line ", row_.line, ": a quote in this row never closes"));
    }
    if (status_.ok() && !headed_) {
      return absl::InvalidArgumentError(absl::StrCat(path_, " has no heading"));
    }
    return status_;
  }

  static void OnField(void* bytes, size_t size, void* data) {
    auto& self = *static_cast<Reader*>(data);
    const absl::string_view raw(static_cast<const char*>(bytes), size);
    std::string text;
    if (!self.decode_->Decode(raw, &text)) {
      self.row_.problem = absl::StrCat("field ", self.row_.fields.size() + 1,
                                       " is not in ", self.dialect_.encoding);
    }
    self.row_.fields.push_back(std::move(text));
  }

  static void OnRow(int, void* data) { static_cast<Reader*>(data)->EndRow(); }

  void EndRow() {
    CsvRow row = std::exchange(row_, CsvRow());
    in_row_ = false;
    if (stopped_ || !status_.ok()) return;
    if (!headed_) {
      headed_ = true;
      status_ = row.problem.empty()
                    ? heading_(row.fields)
                    : absl::InvalidArgumentError(absl::StrCat(
                          path_, ": line ", row.line, ": ", row.problem));
      return;
    }
    row.number = ++rows_;
    row.share = share_;
    stopped_ = !visit_(row);
  }

  const std::string& path_;
  const CsvDialect& dialect_;
  Decoder* const decode_;
  const std::function<absl::Status(const std::vector<std::string>&)>& heading_;
  const std::function<bool(const CsvRow&)>& visit_;
  const std::string blank_;
  csv_parser parser_;
  absl::Status status_;
  CsvRow row_;
  size_t row_bytes_ = 0;
  double share_ = 0;
  // 0 where there is no telling: a pipe.
  int64_t file_bytes_ = 0;
  int64_t rows_ = 0;
  int64_t line_ = 1;
  bool headed_ = false;
  bool stopped_ = false;
  bool in_row_ = false;
  bool after_return_ = false;
  // Until the end of a line in which a quote was wrong.
  bool passing_over_ = false;
};

}  // namespace

bool IsUtf8(absl::string_view text) {
  std::string ignored;
  return Decoder("UTF-8").Decode(text, &ignored);
}

absl::Status ReadCsv(
    const std::string& path, const CsvDialect& dialect,
    const std::function<absl::Status(const std::vector<std::string>&)>& heading,
    const std::function<bool(const CsvRow&)>& visit) {
  Decoder decode(dialect.encoding);
  // A suffix such as //IGNORE would hide wrong bytes.
  if (dialect.encoding.empty() || absl::StrContains(dialect.encoding, "/") ||
      !decode.known()) {
    return absl::InvalidArgumentError(
        absl::StrCat("encoding '", dialect.encoding, "' is not known"));
  }
  if (!CanBeCutUndecoded(dialect.encoding, dialect.delimiter)) {
    return absl::InvalidArgumentError(
        absl::StrCat("encoding '", dialect.encoding,
                     "' does not spell commas and quotes as ASCII does; "
                     "convert the file first"));
  }
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) {
    return absl::NotFoundError(absl::StrCat(path, " cannot be opened"));
  }
  const absl::Cleanup close = [file] { gzclose(file); };
  return Reader(path, dialect, &decode, heading, visit).Read(file);
}

std::string CsvLine(const std::vector<std::string>& fields) {
  std::string line;
  for (size_t i = 0; i < fields.size(); ++i) {
    if (i > 0) line += ',';
    const bool padded =
        !fields[i].empty() && (absl::ascii_isspace(fields[i].front()) ||
                               absl::ascii_isspace(fields[i].back()));
    if (!padded && fields[i].find_first_of(",\"\r\n") == std::string::npos) {
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
