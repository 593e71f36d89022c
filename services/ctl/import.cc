#include "services/ctl/import.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fstream>
#include <mutex>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "services/ctl/fields.h"
#include "services/ctl/methods.h"

namespace aftercare::ctl {
namespace {

class MappingReader {
 public:
  absl::StatusOr<ImportMapping> Read(const YAML::Node& root) {
    RETURN_IF_ERROR(
        CheckKeys(root, {"name", "row_key", "lane", "commands"}, {"tables"}));
    ASSIGN_OR_RETURN(mapping_.name, Text(root, "name"));
    if (!IsResourceId(mapping_.name)) {
      return Bad(root["name"],
                 "the name must be lower-case letters, digits and hyphens");
    }
    ASSIGN_OR_RETURN(mapping_.row_key, Text(root, "row_key"));
    ASSIGN_OR_RETURN(mapping_.lane, Text(root, "lane"));
    mapping_.columns = {mapping_.row_key, mapping_.lane};
    if (const YAML::Node tables = root["tables"]) {
      RETURN_IF_ERROR(ReadTables(tables));
    }
    const YAML::Node commands = root["commands"];
    if (!commands.IsSequence() || commands.size() == 0) {
      return Bad(commands, "commands must be a list of at least one");
    }
    for (const auto& command : commands) RETURN_IF_ERROR(ReadCommand(command));
    return std::move(mapping_);
  }

 private:
  static absl::Status Bad(const YAML::Node& node, absl::string_view text) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", node.Mark().line + 1, ": ", text));
  }

  static absl::StatusOr<std::string> Text(const YAML::Node& map,
                                          const std::string& key) {
    const YAML::Node node = map[key];
    if (!node.IsScalar() || node.Scalar().empty()) {
      return Bad(node, absl::StrCat(key, " must be a text"));
    }
    return node.Scalar();
  }

  static absl::StatusOr<std::vector<std::string>> Texts(
      const YAML::Node& map, const std::string& key) {
    const YAML::Node node = map[key];
    if (!node.IsSequence()) {
      return Bad(node, absl::StrCat(key, " must be a list of texts"));
    }
    std::vector<std::string> texts;
    for (const auto& text : node) {
      if (!text.IsScalar()) return Bad(text, "must be a text");
      texts.push_back(text.Scalar());
    }
    return texts;
  }

  // A map with all of `needed` and nothing beside `optional`, each key once.
  static absl::Status CheckKeys(const YAML::Node& node,
                                const std::vector<std::string>& needed,
                                const std::vector<std::string>& optional) {
    std::vector<std::string> known = needed;
    known.insert(known.end(), optional.begin(), optional.end());
    RETURN_IF_ERROR(CheckMap(node));
    for (const auto& entry : node) {
      const std::string& key = entry.first.Scalar();
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        return Bad(entry.first, absl::StrCat("'", key, "' is none of ",
                                             absl::StrJoin(known, ", ")));
      }
    }
    for (const std::string& key : needed) {
      if (!node[key]) return Bad(node, absl::StrCat("there is no ", key));
    }
    return absl::OkStatus();
  }

  static absl::Status CheckMap(const YAML::Node& node) {
    if (!node.IsMap()) return Bad(node, "must be a map");
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return Bad(entry.first, "must be a text");
      if (!seen.insert(entry.first.Scalar()).second) {
        return Bad(entry.first,
                   absl::StrCat("'", entry.first.Scalar(), "' stands twice"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadTables(const YAML::Node& tables) {
    RETURN_IF_ERROR(CheckMap(tables));
    for (const auto& table : tables) {
      RETURN_IF_ERROR(CheckMap(table.second));
      auto& entries = mapping_.tables[table.first.Scalar()];
      for (const auto& entry : table.second) {
        if (!entry.second.IsScalar())
          return Bad(entry.second, "must be a text");
        entries[entry.first.Scalar()] = entry.second.Scalar();
      }
    }
    return absl::OkStatus();
  }

  absl::Status ReadCommand(const YAML::Node& node) {
    CommandMapping command;
    RETURN_IF_ERROR(
        CheckKeys(node, {"service", "method", "fields"}, {"accept", "when"}));
    ASSIGN_OR_RETURN(const std::string service, Text(node, "service"));
    ASSIGN_OR_RETURN(const std::string name, Text(node, "method"));
    auto method = FindMethod(service, name);
    if (!method.ok()) return Bad(node["method"], method.status().message());
    command.method = *method;
    const auto& request = *command.method->input_type();
    if (request.FindFieldByName("request_id") == nullptr) {
      return Bad(node["method"], absl::StrCat(name, " changes nothing"));
    }
    if (node["accept"]) {
      ASSIGN_OR_RETURN(command.accept, Texts(node, "accept"));
    }
    if (const YAML::Node when = node["when"]) {
      RETURN_IF_ERROR(CheckKeys(when, {"column", "in"}, {}));
      ASSIGN_OR_RETURN(command.when_column, Text(when, "column"));
      ASSIGN_OR_RETURN(command.when_in, Texts(when, "in"));
      mapping_.columns.insert(command.when_column);
    }
    RETURN_IF_ERROR(CheckMap(node["fields"]));
    const auto scratch = NewRequest(*command.method);
    for (const auto& field : node["fields"]) {
      if (!field.second.IsScalar()) return Bad(field.second, "must be a text");
      RETURN_IF_ERROR(ReadField(field.first, field.second, *scratch, command));
    }
    mapping_.commands.push_back(std::move(command));
    return absl::OkStatus();
  }

  absl::Status ReadField(const YAML::Node& key, const YAML::Node& value,
                         google::protobuf::Message& scratch,
                         CommandMapping& command) {
    const std::string& path = key.Scalar();
    if (path == "request_id" || path == "request-id") {
      return Bad(key, "the request_id follows from the row's key");
    }
    absl::Status fits = CheckField(*scratch.GetDescriptor(), path);
    if (!fits.ok()) return Bad(key, fits.message());
    auto text = ParseTemplate(value.Scalar());
    if (!text.ok()) return Bad(value, text.status().message());
    bool fixed = true;
    for (const Piece& piece : *text) {
      if (piece.kind == Piece::Kind::kText) continue;
      fixed = false;
      mapping_.columns.insert(piece.column);
      if (piece.kind == Piece::Kind::kMap &&
          mapping_.tables.count(piece.text) == 0) {
        return Bad(value, absl::StrCat("there is no table '", piece.text, "'"));
      }
    }
    if (fixed && !value.Scalar().empty()) {
      fits = SetField(scratch, path, value.Scalar());
      if (!fits.ok()) return Bad(value, fits.message());
    }
    command.fields.emplace_back(path, *std::move(text));
    return absl::OkStatus();
  }

  ImportMapping mapping_;
};

std::string Clip(const std::string& text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return text.substr(0, end);
}

absl::StatusOr<Piece> ParsePlaceholder(absl::string_view inner) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("{", inner,
                   "} is none of {column}, {slug:column}, {clip:N:column}, "
                   "{map:TABLE:column}, {or:TEXT:column}"));
  Piece piece;
  const size_t first = inner.find(':');
  const size_t last = inner.rfind(':');
  if (first == absl::string_view::npos) {
    piece.kind = Piece::Kind::kColumn;
    piece.column = std::string(inner);
    if (piece.column.empty()) return bad;
    return piece;
  }
  const absl::string_view word = inner.substr(0, first);
  piece.column = std::string(inner.substr(last + 1));
  if (piece.column.empty()) return bad;
  if (word == "slug") {
    piece.kind = Piece::Kind::kSlug;
    if (first != last) return bad;
    return piece;
  }
  if (first == last) return bad;
  piece.text = std::string(inner.substr(first + 1, last - first - 1));
  if (word == "clip") {
    piece.kind = Piece::Kind::kClip;
    uint32_t limit = 0;
    if (!absl::SimpleAtoi(piece.text, &limit) || limit == 0) return bad;
    piece.limit = limit;
  } else if (word == "map") {
    piece.kind = Piece::Kind::kMap;
  } else if (word == "or") {
    piece.kind = Piece::Kind::kOr;
  } else {
    return bad;
  }
  return piece;
}

// True for refusals that are about this row; after any other error nothing
// that follows would fare better.
bool IsAboutTheRow(const absl::Status& status) {
  if (ReasonOf(status).empty()) return false;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

// How far an import came: every row up to `row` is done.
struct State {
  int64_t row = 0;
  // Of that row's content, so that another file is noticed.
  std::string mark;
  // Of the reject file when all rejects up to `row` were in it.
  int64_t reject_bytes = 0;
};

std::string MarkOf(const CsvRow& row) { return IdFrom(CsvLine(row.fields)); }

// A power cut loses at most the seconds since the last one written.
absl::Status WriteState(const std::string& path, const std::string& import,
                        const State& state) {
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return absl::UnavailableError(path + " cannot be written");
  const std::string text =
      absl::StrCat("import ", import, "\nrow ", state.row, "\nmark ",
                   state.mark, "\nreject_bytes ", state.reject_bytes, "\n");
  const bool good = write(fd, text.data(), text.size()) ==
                        static_cast<ssize_t>(text.size()) &&
                    fsync(fd) == 0;
  close(fd);
  if (!good || std::rename(fresh.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(path + " cannot be written");
  }
  return absl::OkStatus();
}

absl::StatusOr<State> ReadState(const std::string& path,
                                const std::string& import) {
  State state;
  std::ifstream file(path);
  if (!file) return state;
  std::string words[4];
  std::string name;
  file >> words[0] >> name >> words[1] >> state.row >> words[2] >> state.mark >>
      words[3] >> state.reject_bytes;
  if (!file || words[0] != "import" || words[1] != "row" ||
      words[2] != "mark" || words[3] != "reject_bytes" || state.row < 1 ||
      state.reject_bytes < 0) {
    return absl::InvalidArgumentError(path + " is no state file of an import");
  }
  if (name != import) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " belongs to the import '", name, "'"));
  }
  return state;
}

// Appends behind `keep` bytes; what an earlier run wrote after them goes.
class RejectFile {
 public:
  ~RejectFile() {
    if (file_ != nullptr) std::fclose(file_);
  }

  absl::Status Open(const std::string& path, int64_t keep) {
    path_ = path;
    file_ = std::fopen(path.c_str(), "ab");
    if (file_ == nullptr) return Failed();
    struct stat info;
    if (fstat(fileno(file_), &info) != 0) return Failed();
    bytes_ = info.st_size < keep ? 0 : keep;
    if (ftruncate(fileno(file_), bytes_) != 0) return Failed();
    return absl::OkStatus();
  }

  absl::Status Write(const std::string& line) {
    if (file_ == nullptr) return absl::OkStatus();
    if (std::fwrite(line.data(), 1, line.size(), file_) != line.size()) {
      return Failed();
    }
    bytes_ += static_cast<int64_t>(line.size());
    return absl::OkStatus();
  }

  absl::Status Sync() {
    if (file_ == nullptr) return absl::OkStatus();
    if (std::fflush(file_) != 0 || fsync(fileno(file_)) != 0) return Failed();
    return absl::OkStatus();
  }

  int64_t bytes() const { return bytes_; }

 private:
  absl::Status Failed() const {
    return absl::UnavailableError(path_ + " cannot be written");
  }

  std::string path_;
  std::FILE* file_ = nullptr;
  int64_t bytes_ = 0;
};

class Importer {
 public:
  Importer(const ImportMapping& mapping, const ImportOptions& options,
           const Sender& send)
      : mapping_(mapping), options_(options), send_(send) {}

  absl::StatusOr<ImportResult> Run() {
    if (!options_.state_file.empty()) {
      ASSIGN_OR_RETURN(before_, ReadState(options_.state_file, mapping_.name));
    }
    done_up_to_ = before_;
    if (!options_.reject_file.empty()) {
      RETURN_IF_ERROR(
          rejects_.Open(options_.reject_file, before_.reject_bytes));
    }
    lanes_.resize(static_cast<size_t>(std::max(1, options_.concurrency)));
    std::vector<std::thread> workers;
    for (size_t i = 0; i < lanes_.size(); ++i) {
      workers.emplace_back([this, i] { Work(i); });
    }
    absl::Status status = ReadCsv(
        options_.file, options_.dialect,
        [this](const std::vector<std::string>& names) { return Begin(names); },
        [this](const CsvRow& row) { return Take(row); });
    {
      std::lock_guard lock(mutex_);
      reading_ = false;
    }
    changed_.notify_all();
    for (std::thread& worker : workers) worker.join();
    status.Update(failure_);
    if (status.ok() && result_.rows < before_.row) {
      status = OtherFile(result_.rows);
    }
    status.Update(Save());
    // Rejects behind a row that was not done: the next run replaces them.
    for (const auto& [row, done] : done_) {
      status.Update(rejects_.Write(done.reject));
    }
    status.Update(rejects_.Sync());
    Report(/*last=*/true);
    RETURN_IF_ERROR(status);
    return result_;
  }

 private:
  struct Job {
    CsvRow row;
    std::vector<PlannedCommand> commands;
  };
  struct DoneRow {
    std::string mark;
    std::string reject;  // line of the reject file; empty: none
  };

  absl::Status Begin(const std::vector<std::string>& names) {
    names_ = names;
    for (const std::string& needed : mapping_.columns) {
      const auto count = std::count(names.begin(), names.end(), needed);
      if (count != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat(options_.file,
                         count == 0 ? " has no column '" : " has two columns '",
                         needed, "'"));
      }
    }
    if (rejects_.bytes() > 0) return absl::OkStatus();
    std::vector<std::string> heading = {"line", "reason"};
    heading.insert(heading.end(), names.begin(), names.end());
    return rejects_.Write(CsvLine(heading));
  }

  absl::Status OtherFile(int64_t row) const {
    return absl::InvalidArgumentError(absl::StrCat(
        options_.state_file, " belongs to another file than ", options_.file,
        ": row ", row, " is not the one that was done"));
  }

  // False ends the reading.
  bool Take(const CsvRow& row) {
    std::unique_lock lock(mutex_);
    ++result_.rows;
    if (row.number <= before_.row) {
      ++result_.skipped;
      if (row.number < before_.row || MarkOf(row) == before_.mark) return true;
      failure_ = OtherFile(row.number);
      return false;
    }
    // Reading waits for sending: memory stays bounded.
    changed_.wait(lock, [&] {
      return (waiting_ < 4096 && done_.size() < 65536) || !failure_.ok();
    });
    if (!failure_.ok()) return false;
    if (first_share_ < 0) first_share_ = row.share;
    share_ = row.share;
    lock.unlock();
    if (!row.problem.empty()) {
      Reject(row, row.problem);
      return true;
    }
    if (row.fields.size() != names_.size()) {
      Reject(row, absl::StrCat("has ", row.fields.size(), " fields, not ",
                               names_.size()));
      return true;
    }
    Columns columns;
    for (size_t i = 0; i < names_.size(); ++i) {
      columns[names_[i]] = row.fields[i];
    }
    auto planned = PlanRow(mapping_, columns);
    if (!planned.ok()) {
      Reject(row, std::string(planned.status().message()));
      return true;
    }
    lock.lock();
    if (options_.dry_run) {
      ++result_.imported;
      result_.commands += static_cast<int64_t>(planned->size());
      Done(row, "");
      return true;
    }
    ++waiting_;
    lanes_[StableHash(columns[mapping_.lane]) % lanes_.size()].push_back(
        {row, *std::move(planned)});
    lock.unlock();
    changed_.notify_all();
    Report(/*last=*/false);
    return true;
  }

  void Work(size_t lane) {
    while (true) {
      Job job;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return !lanes_[lane].empty() || !reading_; });
        if (lanes_[lane].empty()) return;
        job = std::move(lanes_[lane].front());
        lanes_[lane].pop_front();
        if (!failure_.ok()) continue;
      }
      absl::Status outcome;
      int64_t sent = 0;
      for (const PlannedCommand& command : job.commands) {
        outcome = send_(*command.mapping->method, *command.request);
        const auto& accept = command.mapping->accept;
        if (!outcome.ok() && std::find(accept.begin(), accept.end(),
                                       ReasonOf(outcome)) != accept.end()) {
          outcome = absl::OkStatus();
        }
        if (!outcome.ok()) break;
        ++sent;
      }
      {
        std::lock_guard lock(mutex_);
        --waiting_;
        result_.commands += sent;
        if (outcome.ok()) {
          ++result_.imported;
          Done(job.row, "");
        } else if (!IsAboutTheRow(outcome)) {
          failure_.Update(outcome);
        }
      }
      if (!outcome.ok() && IsAboutTheRow(outcome)) {
        Reject(job.row, absl::StrCat(ReasonOf(outcome), ": ", outcome.message(),
                                     " (", sent, " of ", job.commands.size(),
                                     " commands of the row were carried out)"));
      }
      changed_.notify_all();
    }
  }

  void Reject(const CsvRow& row, const std::string& reason) {
    std::vector<std::string> line = {absl::StrCat(row.line), reason};
    line.insert(line.end(), row.fields.begin(), row.fields.end());
    std::lock_guard lock(mutex_);
    ++result_.rejected;
    Done(row, CsvLine(line));
  }

  // Under mutex_.
  void Done(const CsvRow& row, std::string reject) {
    done_[row.number] = {MarkOf(row), std::move(reject)};
    while (!done_.empty() && done_.begin()->first == done_up_to_.row + 1) {
      DoneRow& next = done_.begin()->second;
      failure_.Update(rejects_.Write(next.reject));
      ++done_up_to_.row;
      done_up_to_.mark = std::move(next.mark);
      done_.erase(done_.begin());
    }
    const absl::Time now = absl::Now();
    if (now - last_state_ < absl::Seconds(1)) return;
    last_state_ = now;
    failure_.Update(Save());
  }

  // Under mutex_ or after the workers.
  absl::Status Save() {
    RETURN_IF_ERROR(rejects_.Sync());
    if (options_.state_file.empty() || options_.dry_run ||
        done_up_to_.row == before_.row) {
      return absl::OkStatus();
    }
    done_up_to_.reject_bytes = rejects_.bytes();
    return WriteState(options_.state_file, mapping_.name, done_up_to_);
  }

  void Report(bool last) {
    std::lock_guard lock(mutex_);
    const absl::Time now = absl::Now();
    const bool tty = isatty(2) == 1;
    if (!last && now - last_report_ <
                     (tty ? absl::Milliseconds(200) : absl::Seconds(5))) {
      return;
    }
    last_report_ = now;
    const double seconds = absl::ToDoubleSeconds(now - begin_);
    const auto rows = static_cast<double>(result_.imported + result_.rejected);
    std::string left;
    if (!last && share_ > first_share_) {
      left = absl::StrFormat(
          ", about %.0f s left",
          seconds * (1 - share_) / (share_ - std::max(first_share_, 0.0)));
    }
    std::fprintf(stderr, "%s%.0f rows, %.0f rows/s, %lld rejected, %.1f s%s%s",
                 tty ? "\r" : "", rows, rows / std::max(seconds, 0.001),
                 static_cast<long long>(result_.rejected), seconds,
                 left.c_str(), tty && !last ? "   " : "\n");
  }

  const ImportMapping& mapping_;
  const ImportOptions& options_;
  const Sender& send_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::deque<Job>> lanes_;
  int64_t waiting_ = 0;
  bool reading_ = true;
  absl::Status failure_;
  ImportResult result_;
  std::vector<std::string> names_;
  RejectFile rejects_;
  // Rows done behind one that is not.
  std::map<int64_t, DoneRow> done_;
  State before_;
  State done_up_to_;
  const absl::Time begin_ = absl::Now();
  absl::Time last_state_ = absl::InfinitePast();
  absl::Time last_report_ = begin_;
  // Of the file: where this run began, and how far the reading is.
  double first_share_ = -1;
  double share_ = 0;
};

}  // namespace

absl::StatusOr<ImportMapping> ParseMapping(const std::string& yaml) {
  try {
    return MappingReader().Read(YAML::Load(yaml));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", error.mark.line + 1, ": ", error.msg));
  }
}

std::string Slug(const std::string& text) {
  std::string slug;
  bool foreign = false;
  for (char c : text) {
    if (absl::ascii_isalnum(c)) {
      slug += absl::ascii_tolower(c);
    } else {
      foreign |= static_cast<unsigned char>(c) >= 0x80;
      if (!slug.empty() && slug.back() != '-') slug += '-';
    }
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  if (text.empty()) return "unknown";
  // What letters and digits do not tell apart gets a mark of the whole text.
  if (foreign || slug.empty() || slug.size() > 63) {
    slug =
        absl::StrCat(slug.substr(0, 40), slug.empty() ? "" : "-", IdFrom(text));
  }
  return slug;
}

absl::StatusOr<Template> ParseTemplate(absl::string_view text) {
  Template pieces;
  while (!text.empty()) {
    const size_t open = text.find('{');
    if (open != 0) {
      pieces.emplace_back().text = std::string(text.substr(0, open));
      if (open == absl::string_view::npos) break;
      text.remove_prefix(open);
    }
    const size_t close = text.find('}');
    if (close == absl::string_view::npos) {
      return absl::InvalidArgumentError("a '{' does not close");
    }
    ASSIGN_OR_RETURN(Piece piece, ParsePlaceholder(text.substr(1, close - 1)));
    pieces.push_back(std::move(piece));
    text.remove_prefix(close + 1);
  }
  return pieces;
}

absl::StatusOr<std::string> Expand(const Tables& tables, const Template& text,
                                   const Columns& columns) {
  std::string out;
  for (const Piece& piece : text) {
    if (piece.kind == Piece::Kind::kText) {
      out += piece.text;
      continue;
    }
    const std::string& value = columns.at(piece.column);
    switch (piece.kind) {
      case Piece::Kind::kText:
      case Piece::Kind::kColumn:
        out += value;
        break;
      case Piece::Kind::kSlug:
        out += Slug(value);
        break;
      case Piece::Kind::kClip:
        out += Clip(value, piece.limit);
        break;
      case Piece::Kind::kOr:
        out += value.empty() ? piece.text : value;
        break;
      case Piece::Kind::kMap: {
        const auto& table = tables.at(piece.text);
        auto entry = table.find(value);
        if (entry == table.end()) entry = table.find("*");
        if (entry == table.end()) {
          return absl::InvalidArgumentError(
              absl::StrCat(piece.column, " '", value, "' is not in the table '",
                           piece.text, "'"));
        }
        out += entry->second;
        break;
      }
    }
  }
  return out;
}

absl::StatusOr<std::vector<PlannedCommand>> PlanRow(
    const ImportMapping& mapping, const Columns& columns) {
  const std::string& key = columns.at(mapping.row_key);
  if (key.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the row key ", mapping.row_key, " is empty"));
  }
  std::vector<PlannedCommand> commands;
  for (size_t i = 0; i < mapping.commands.size(); ++i) {
    const CommandMapping& command = mapping.commands[i];
    if (!command.when_column.empty()) {
      const auto& values = command.when_in;
      if (std::find(values.begin(), values.end(),
                    columns.at(command.when_column)) == values.end()) {
        continue;
      }
    }
    PlannedCommand planned;
    planned.mapping = &command;
    planned.request = NewRequest(*command.method);
    for (const auto& [path, text] : command.fields) {
      ASSIGN_OR_RETURN(const std::string value,
                       Expand(mapping.tables, text, columns));
      if (value.empty()) continue;
      RETURN_IF_ERROR(SetField(*planned.request, path, value));
    }
    RETURN_IF_ERROR(SetField(
        *planned.request, "request_id",
        absl::StrCat("import:", mapping.name, ":", IdFrom(key), ":", i)));
    commands.push_back(std::move(planned));
  }
  return commands;
}

absl::StatusOr<ImportResult> RunImport(const ImportMapping& mapping,
                                       const ImportOptions& options,
                                       const Sender& send) {
  return Importer(mapping, options, send).Run();
}

}  // namespace aftercare::ctl
