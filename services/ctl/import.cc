#include "services/ctl/import.h"

#include <fcntl.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <fstream>
#include <mutex>
#include <set>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "libs/base/ids.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "services/ctl/fields.h"
#include "services/ctl/methods.h"

namespace aftercare::ctl {
namespace {

absl::Status BadMapping(const YAML::Node& node, absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("line ", node.Mark().line + 1, ": ", text));
}

absl::StatusOr<CommandMapping> ParseCommand(const YAML::Node& node) {
  CommandMapping command;
  if (!node.IsMap() || !node["service"] || !node["method"]) {
    return BadMapping(node, "a command needs service, method and fields");
  }
  auto method = FindMethod(node["service"].as<std::string>(),
                           node["method"].as<std::string>());
  if (!method.ok()) return BadMapping(node, method.status().message());
  command.method = *method;
  const auto request = NewRequest(**method);
  for (const auto& field : node["fields"]) {
    command.fields.emplace_back(field.first.as<std::string>(),
                                field.second.as<std::string>());
  }
  for (const auto& reason : node["accept"]) {
    command.accept.push_back(reason.as<std::string>());
  }
  if (const YAML::Node when = node["when"]) {
    command.when_column = when["column"].as<std::string>();
    for (const auto& value : when["in"]) {
      command.when_in.push_back(value.as<std::string>());
    }
  }
  return command;
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

std::string Clip(const std::string& text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) {
    --end;
  }
  return text.substr(0, end);
}

absl::StatusOr<std::string> Placeholder(const ImportMapping& mapping,
                                        const std::string& inner,
                                        const Columns& columns) {
  const std::vector<std::string> parts = absl::StrSplit(inner, ':');
  const auto column = columns.find(parts.back());
  if (column == columns.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no column '", parts.back(), "'"));
  }
  const std::string& value = column->second;
  if (parts.size() == 1) return value;
  if (parts[0] == "slug" && parts.size() == 2) return Slug(value);
  int64_t limit = 0;
  if (parts[0] == "clip" && parts.size() == 3 &&
      absl::SimpleAtoi(parts[1], &limit) && limit > 0) {
    return Clip(value, static_cast<size_t>(limit));
  }
  if (parts[0] == "or" && parts.size() == 3) {
    return value.empty() ? parts[1] : value;
  }
  if (parts[0] == "map" && parts.size() == 3) {
    const auto table = mapping.tables.find(parts[1]);
    if (table == mapping.tables.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no table '", parts[1], "'"));
    }
    auto entry = table->second.find(value);
    if (entry == table->second.end()) entry = table->second.find("*");
    if (entry == table->second.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", value, "' is not in the table '", parts[1], "'"));
    }
    return entry->second;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("{", inner, "} is no placeholder"));
}

// The last row up to which everything is done, kept so that a power cut loses
// at most a few seconds of it.
absl::Status WriteState(const std::string& path, int64_t row) {
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return absl::UnavailableError(path + " cannot be written");
  const std::string text = absl::StrCat(row, "\n");
  const bool good = write(fd, text.data(), text.size()) ==
                        static_cast<ssize_t>(text.size()) &&
                    fsync(fd) == 0;
  close(fd);
  if (!good || std::rename(fresh.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(path + " cannot be written");
  }
  return absl::OkStatus();
}

int64_t ReadState(const std::string& path) {
  std::ifstream file(path);
  int64_t row = 0;
  file >> row;
  return row;
}

class Importer {
 public:
  Importer(const ImportMapping& mapping, const ImportOptions& options,
           const Sender& send)
      : mapping_(mapping), options_(options), send_(send) {}

  absl::StatusOr<ImportResult> Run() {
    const int64_t done_before =
        options_.state_file.empty() ? 0 : ReadState(options_.state_file);
    contiguous_ = done_before;
    if (!options_.reject_file.empty()) {
      rejects_.open(options_.reject_file,
                    done_before > 0 ? std::ios::app : std::ios::trunc);
      if (!rejects_) {
        return absl::UnavailableError(options_.reject_file +
                                      " cannot be written");
      }
    }
    lanes_.resize(static_cast<size_t>(std::max(1, options_.concurrency)));
    std::vector<std::thread> workers;
    for (size_t i = 0; i < lanes_.size(); ++i) {
      workers.emplace_back([this, i] { Work(i); });
    }
    std::vector<std::string> names;
    absl::Status status = ReadCsv(
        options_.file, options_.encoding,
        [&](const std::vector<std::string>& heading) {
          names = heading;
          for (const std::string& needed : {mapping_.row_key, mapping_.lane}) {
            if (std::find(names.begin(), names.end(), needed) == names.end()) {
              return absl::InvalidArgumentError(
                  absl::StrCat("the file has no column '", needed, "'"));
            }
          }
          if (rejects_.is_open() && done_before == 0) {
            std::vector<std::string> line = {"line", "reason"};
            line.insert(line.end(), names.begin(), names.end());
            rejects_ << CsvLine(line);
          }
          return absl::OkStatus();
        },
        [&](const CsvRow& row) {
          {
            std::lock_guard lock(mutex_);
            ++result_.rows;
          }
          if (row.number <= done_before) {
            std::lock_guard lock(mutex_);
            ++result_.skipped;
            return true;
          }
          return Take(names, row);
        });
    {
      std::lock_guard lock(mutex_);
      reading_ = false;
    }
    changed_.notify_all();
    for (std::thread& worker : workers) worker.join();
    if (!options_.state_file.empty() && !options_.dry_run) {
      RETURN_IF_ERROR(WriteState(options_.state_file, contiguous_));
    }
    Report(/*last=*/true);
    RETURN_IF_ERROR(status);
    RETURN_IF_ERROR(failure_);
    return result_;
  }

 private:
  struct Job {
    CsvRow row;
    std::vector<PlannedCommand> commands;
  };

  // False ends the reading.
  bool Take(const std::vector<std::string>& names, const CsvRow& row) {
    if (!row.problem.empty()) {
      Reject(row, row.problem);
      return true;
    }
    if (row.fields.size() != names.size()) {
      Reject(row, absl::StrCat("has ", row.fields.size(), " fields, not ",
                               names.size()));
      return true;
    }
    Columns columns;
    for (size_t i = 0; i < names.size(); ++i) columns[names[i]] = row.fields[i];
    auto planned = PlanRow(mapping_, columns);
    if (!planned.ok()) {
      Reject(row, std::string(planned.status().message()));
      return true;
    }
    if (options_.dry_run) {
      std::lock_guard lock(mutex_);
      ++result_.imported;
      result_.commands += static_cast<int64_t>(planned->size());
      return true;
    }
    std::deque<Job>& lane =
        lanes_[StableHash(columns[mapping_.lane]) % lanes_.size()];
    std::unique_lock lock(mutex_);
    // Reading waits for sending: memory stays bounded.
    changed_.wait(lock, [&] { return waiting_ < 4096 || !failure_.ok(); });
    if (!failure_.ok()) return false;
    ++waiting_;
    lane.push_back({row, *std::move(planned)});
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
      if (absl::IsUnavailable(outcome) || absl::IsDeadlineExceeded(outcome) ||
          absl::IsUnauthenticated(outcome) ||
          absl::IsPermissionDenied(outcome)) {
        // Not the row's fault: nothing after it would fare better.
        std::lock_guard lock(mutex_);
        if (failure_.ok()) failure_ = outcome;
        changed_.notify_all();
        continue;
      }
      if (!outcome.ok()) {
        Reject(job.row, absl::StrCat(ReasonOf(outcome), ": ", outcome.message(),
                                     " (", sent, " of ", job.commands.size(),
                                     " commands of the row were carried out)"));
      }
      std::lock_guard lock(mutex_);
      --waiting_;
      result_.commands += sent;
      if (outcome.ok()) {
        ++result_.imported;
        Done(job.row.number);
      }
      changed_.notify_all();
    }
  }

  void Reject(const CsvRow& row, const std::string& reason) {
    std::lock_guard lock(mutex_);
    ++result_.rejected;
    if (rejects_.is_open()) {
      std::vector<std::string> line = {absl::StrCat(row.line), reason};
      line.insert(line.end(), row.fields.begin(), row.fields.end());
      rejects_ << CsvLine(line);
      rejects_.flush();
    }
    Done(row.number);
  }

  // Under mutex_.
  void Done(int64_t row) {
    done_.insert(row);
    while (!done_.empty() && *done_.begin() == contiguous_ + 1) {
      done_.erase(done_.begin());
      ++contiguous_;
    }
    if (options_.state_file.empty() || options_.dry_run) return;
    const absl::Time now = absl::Now();
    if (now - last_state_ < absl::Seconds(1)) return;
    last_state_ = now;
    if (absl::Status bad = WriteState(options_.state_file, contiguous_);
        !bad.ok() && failure_.ok()) {
      failure_ = bad;
    }
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
    std::fprintf(stderr, "%s%.0f rows, %.0f rows/s, %lld rejected, %.1f s%s",
                 tty ? "\r" : "", rows, rows / std::max(seconds, 0.001),
                 static_cast<long long>(result_.rejected), seconds,
                 tty && !last ? "   " : "\n");
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
  std::ofstream rejects_;
  std::set<int64_t> done_;
  int64_t contiguous_ = 0;
  const absl::Time begin_ = absl::Now();
  absl::Time last_state_ = absl::InfinitePast();
  absl::Time last_report_ = begin_;
};

}  // namespace

absl::StatusOr<ImportMapping> ParseMapping(const std::string& yaml) {
  ImportMapping mapping;
  try {
    const YAML::Node root = YAML::Load(yaml);
    if (!root.IsMap()) return absl::InvalidArgumentError("is no mapping file");
    for (const char* needed : {"name", "row_key", "lane", "commands"}) {
      if (!root[needed]) {
        return absl::InvalidArgumentError(absl::StrCat("has no ", needed));
      }
    }
    mapping.name = root["name"].as<std::string>();
    mapping.row_key = root["row_key"].as<std::string>();
    mapping.lane = root["lane"].as<std::string>();
    for (const auto& table : root["tables"]) {
      auto& entries = mapping.tables[table.first.as<std::string>()];
      for (const auto& entry : table.second) {
        entries[entry.first.as<std::string>()] = entry.second.as<std::string>();
      }
    }
    for (const auto& node : root["commands"]) {
      ASSIGN_OR_RETURN(auto command, ParseCommand(node));
      mapping.commands.push_back(std::move(command));
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("line ", error.mark.line + 1, ": ", error.msg));
  }
  if (mapping.commands.empty()) {
    return absl::InvalidArgumentError("has no commands");
  }
  return mapping;
}

absl::StatusOr<std::string> Expand(const ImportMapping& mapping,
                                   absl::string_view text,
                                   const Columns& columns) {
  std::string out;
  while (!text.empty()) {
    const size_t open = text.find('{');
    if (open == absl::string_view::npos) {
      absl::StrAppend(&out, text);
      break;
    }
    const size_t close = text.find('}', open);
    if (close == absl::string_view::npos) {
      return absl::InvalidArgumentError("a '{' does not close");
    }
    absl::StrAppend(&out, text.substr(0, open));
    ASSIGN_OR_RETURN(
        const std::string value,
        Placeholder(mapping,
                    std::string(text.substr(open + 1, close - open - 1)),
                    columns));
    out += value;
    text.remove_prefix(close + 1);
  }
  return out;
}

absl::StatusOr<std::vector<PlannedCommand>> PlanRow(
    const ImportMapping& mapping, const Columns& columns) {
  const auto key = columns.find(mapping.row_key);
  if (key == columns.end() || key->second.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the row key ", mapping.row_key, " is empty"));
  }
  std::vector<PlannedCommand> commands;
  for (size_t i = 0; i < mapping.commands.size(); ++i) {
    const CommandMapping& command = mapping.commands[i];
    if (!command.when_column.empty()) {
      const auto when = columns.find(command.when_column);
      if (when == columns.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("there is no column '", command.when_column, "'"));
      }
      if (std::find(command.when_in.begin(), command.when_in.end(),
                    when->second) == command.when_in.end()) {
        continue;
      }
    }
    PlannedCommand planned;
    planned.mapping = &command;
    planned.request = NewRequest(*command.method);
    for (const auto& [path, text] : command.fields) {
      ASSIGN_OR_RETURN(const std::string value, Expand(mapping, text, columns));
      if (value.empty()) continue;
      RETURN_IF_ERROR(SetField(*planned.request, path, value));
    }
    RETURN_IF_ERROR(SetField(*planned.request, "request_id",
                             absl::StrCat("import:", mapping.name, ":",
                                          IdFrom(key->second), ":", i)));
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
