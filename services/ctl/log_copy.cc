#include "services/ctl/log_copy.h"

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "libs/base/status_macros.h"
#include "libs/log/embedded_log.h"

namespace aftercare::ctl {
namespace {

constexpr absl::string_view kServices[] = {"intake", "dispatch", "returns",
                                           "scoring"};

// At most so many records at a time: a quarter of a gigabyte if every one is as
// big as can be.
constexpr int kBatch = 256;

// Between attempts at a side that cannot be reached.
constexpr absl::Duration kRetryPause = absl::Milliseconds(50);

std::string Text(const log::TopicPartition& partition) {
  return absl::StrCat(partition.topic, "/", partition.partition);
}

// The same error, with what it was about.
absl::Status About(const absl::Status& status, absl::string_view what) {
  return absl::Status(status.code(),
                      absl::StrCat(what, ": ", status.message()));
}

// Over records in their order. Every part comes with its size, so that no two
// sequences of records have the same bytes.
class Digest {
 public:
  void Add(const log::StoredRecord& stored) {
    bytes_.clear();
    Number(static_cast<uint64_t>(stored.offset));
    Part(stored.record.key);
    Part(stored.record.value);
    Number(stored.record.headers.size());
    for (const auto& [name, value] : stored.record.headers) {
      Part(name);
      Part(value);
    }
    value_ = XXH3_64bits_withSeed(bytes_.data(), bytes_.size(), value_);
  }
  uint64_t value() const { return value_; }

 private:
  void Number(uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      bytes_ += static_cast<char>(number >> shift);
    }
  }
  void Part(absl::string_view part) {
    Number(part.size());
    bytes_.append(part.data(), part.size());
  }

  uint64_t value_ = 0;
  std::string bytes_;
};

// One side of a copy under the name it has in messages.
struct Side {
  log::Log& log;
  absl::string_view name;
};

// The records of a partition from an offset to the end that was known when the
// scan began.
class Scan {
 public:
  static absl::StatusOr<Scan> Open(const Side& side,
                                   const log::TopicPartition& partition,
                                   int64_t begin, int64_t end,
                                   absl::Duration patience) {
    const std::string what = absl::StrCat(side.name, " ", Text(partition));
    absl::StatusOr<std::unique_ptr<log::Reader>> reader =
        side.log.OpenReader(partition, begin);
    if (!reader.ok()) return About(reader.status(), what);
    return Scan(what, *std::move(reader), end, patience);
  }

  // The next records; empty at the end.
  absl::StatusOr<std::vector<log::StoredRecord>> Next() {
    const absl::Time until = absl::Now() + patience_;
    absl::Status unreachable;
    while (reader_->position() < end_) {
      auto records = reader_->Read(kBatch, absl::Seconds(1));
      if (records.ok() && !records->empty()) {
        // What came after the end was known is not looked at.
        while (!records->empty() && records->back().offset >= end_) {
          records->pop_back();
        }
        return records;
      }
      if (absl::IsOutOfRange(records.status())) {
        return absl::FailedPreconditionError(absl::StrCat(
            what_, ": there is no offset ", reader_->position(),
            " any more: retention has taken the beginning of the partition"));
      }
      if (!records.ok() && !absl::IsUnavailable(records.status())) {
        return About(records.status(), what_);
      }
      unreachable = records.status();
      if (absl::Now() >= until) {
        if (!unreachable.ok()) return About(unreachable, what_);
        return absl::FailedPreconditionError(absl::StrCat(
            what_, ": it ends at ", end_, " but gives no record from offset ",
            reader_->position(),
            " on. Control records of transactions take offsets that a copy "
            "cannot keep; or the broker is too slow"));
      }
      if (!unreachable.ok()) absl::SleepFor(kRetryPause);
    }
    return std::vector<log::StoredRecord>();
  }

  const std::string& what() const { return what_; }

 private:
  Scan(std::string what, std::unique_ptr<log::Reader> reader, int64_t end,
       absl::Duration patience)
      : what_(std::move(what)),
        reader_(std::move(reader)),
        end_(end),
        patience_(patience) {}

  std::string what_;
  std::unique_ptr<log::Reader> reader_;
  int64_t end_;
  absl::Duration patience_;
};

// A scan that gives its records one at a time.
class Stream {
 public:
  explicit Stream(Scan scan) : scan_(std::move(scan)) {}

  // Null at the end. Valid until the next call.
  absl::StatusOr<const log::StoredRecord*> Next() {
    if (next_ == records_.size()) {
      ASSIGN_OR_RETURN(records_, scan_.Next());
      next_ = 0;
      if (records_.empty()) return nullptr;
    }
    return &records_[next_++];
  }

 private:
  Scan scan_;
  std::vector<log::StoredRecord> records_;
  size_t next_ = 0;
};

// What differs between two records of one offset; empty: nothing.
absl::string_view Difference(const log::Record& a, const log::Record& b) {
  if (a.key != b.key) return "key";
  if (a.value != b.value) return "value";
  if (a.headers != b.headers) return "headers";
  return "";
}

// A partition on both sides, and what is known of it.
struct Part {
  log::TopicPartition partition;
  int64_t source_end = 0;
  int64_t target_end = 0;
  uint64_t digest = 0;  // of the source when it was looked at
};

// Appends on their way. Shared with the callbacks.
class Window {
 public:
  Window(int64_t max_records, int64_t max_bytes)
      : max_records_(max_records), max_bytes_(max_bytes) {}

  // Waits for room. An error: of an append before.
  absl::Status Enter(int64_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return !status_.ok() || records_ == 0 ||
             (records_ < max_records_ && bytes_ + bytes <= max_bytes_);
    });
    RETURN_IF_ERROR(status_);
    ++records_;
    bytes_ += bytes;
    return absl::OkStatus();
  }

  void Leave(int64_t bytes, const absl::Status& status) {
    std::lock_guard lock(mutex_);
    --records_;
    bytes_ -= bytes;
    // The first says most.
    if (status_.ok()) status_ = status;
    changed_.notify_all();
  }

  // Waits until all have left, or one with an error.
  absl::Status Drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !status_.ok() || records_ == 0; });
    return status_;
  }

 private:
  const int64_t max_records_;
  const int64_t max_bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int64_t records_ = 0;
  int64_t bytes_ = 0;
  absl::Status status_;
};

// One run over both logs.
class Copy {
 public:
  Copy(log::Log& source, log::Log& target, const CopyOptions& options)
      : source_{source, "source"},
        target_{target, "target"},
        options_(options) {}

  // Topics and partition counts; and where each partition ends.
  absl::Status Find(bool must_match) {
    std::vector<std::string> topics = options_.topics;
    if (topics.empty()) {
      for (const absl::string_view service : kServices) {
        topics.push_back(absl::StrCat("aftercare.", service, ".events.v1"));
      }
    }
    for (const std::string& topic : topics) {
      const auto count = source_.log.PartitionCount(topic);
      if (absl::IsNotFound(count.status()) && options_.topics.empty()) continue;
      if (!count.ok()) return About(count.status(), "source");
      if (counts_.contains(topic)) continue;
      counts_[topic] = *count;
      RETURN_IF_ERROR(FindTopic(topic, *count, must_match));
    }
    if (counts_.empty()) {
      return absl::NotFoundError("the source has no topic of the services");
    }
    return absl::OkStatus();
  }

  // Reads the source, and what is already at the target beside it.
  absl::Status Check() {
    Begin(CopyProgress::Step::kCheck, SourceRecords());
    for (Part& part : parts_) RETURN_IF_ERROR(CheckPart(part));
    return absl::OkStatus();
  }

  absl::Status Write() {
    for (const auto& [topic, count] : counts_) {
      const absl::Status made = target_.log.EnsureTopic(topic, count);
      if (!made.ok()) return About(made, absl::StrCat("target: topic ", topic));
    }
    int64_t missing = 0;
    for (const Part& part : parts_)
      missing += part.source_end - part.target_end;
    Begin(CopyProgress::Step::kCopy, missing);
    for (const Part& part : parts_) RETURN_IF_ERROR(WritePart(part));
    return absl::OkStatus();
  }

  // Reads both sides from the beginning to their ends as they are now.
  absl::StatusOr<std::vector<CopiedPartition>> ReadBack() {
    Begin(CopyProgress::Step::kVerify, 2 * SourceRecords());
    std::vector<CopiedPartition> all;
    for (const Part& part : parts_) {
      CopiedPartition copied;
      copied.partition = part.partition;
      ASSIGN_OR_RETURN(const Sum source, ReadSide(source_, part));
      copied.records = source.records;
      copied.digest = source.digest;
      const absl::StatusOr<Sum> target = ReadSide(target_, part);
      const absl::Status& status = target.status();
      if (target.ok()) {
        copied.target_records = target->records;
        copied.target_digest = target->digest;
      } else if (absl::IsNotFound(status) || absl::IsDataLoss(status) ||
                 absl::IsFailedPrecondition(status)) {
        // A target that cannot give the records back is no copy.
        copied.difference = std::string(status.message());
      } else {
        return status;
      }
      if (copied.difference.empty() &&
          copied.target_records != copied.records) {
        copied.difference =
            absl::StrCat("the target has ", copied.target_records, " records");
      } else if (copied.difference.empty() &&
                 copied.target_digest != copied.digest) {
        copied.difference =
            absl::StrCat("the target has other records: ",
                         absl::Hex(copied.target_digest, absl::kZeroPad16));
      }
      if (const auto it = counts_elsewhere_.find(part.partition.topic);
          it != counts_elsewhere_.end()) {
        copied.difference =
            absl::StrCat("the target has ", it->second, " partitions, not ",
                         counts_[part.partition.topic]);
      }
      all.push_back(std::move(copied));
    }
    return all;
  }

  const std::vector<Part>& parts() const { return parts_; }

 private:
  struct Sum {
    int64_t records = 0;
    uint64_t digest = 0;
  };

  absl::Status FindTopic(const std::string& topic, int count, bool must_match) {
    const auto there = target_.log.PartitionCount(topic);
    if (!there.ok() && !absl::IsNotFound(there.status())) {
      return About(there.status(), "target");
    }
    if (there.ok() && *there != count) {
      if (must_match) {
        return absl::FailedPreconditionError(absl::StrCat(
            "topic ", topic, " has ", *there, " partitions at the target and ",
            count, " at the source; keys would move"));
      }
      counts_elsewhere_[topic] = *there;
    }
    for (int p = 0; p < count; ++p) {
      Part part;
      part.partition = {topic, p};
      const std::string name = Text(part.partition);
      const auto end = source_.log.End(part.partition);
      if (!end.ok()) return About(end.status(), absl::StrCat("source ", name));
      part.source_end = *end;
      if (there.ok() && p < *there) {
        const auto target_end = target_.log.End(part.partition);
        if (!target_end.ok()) {
          return About(target_end.status(), absl::StrCat("target ", name));
        }
        part.target_end = *target_end;
      }
      if (must_match && part.target_end > part.source_end) {
        return absl::FailedPreconditionError(
            absl::StrCat(name, ": the target has ", part.target_end,
                         " records, the source only ", part.source_end,
                         "; it is no copy, or it was written to since"));
      }
      parts_.push_back(std::move(part));
    }
    return absl::OkStatus();
  }

  absl::Status CheckPart(Part& part) {
    const std::string name = Text(part.partition);
    ASSIGN_OR_RETURN(Scan scan, Scan::Open(source_, part.partition, 0,
                                           part.source_end, options_.patience));
    std::optional<Stream> target;
    if (part.target_end > 0) {
      ASSIGN_OR_RETURN(Scan there,
                       Scan::Open(target_, part.partition, 0, part.target_end,
                                  options_.patience));
      target.emplace(std::move(there));
    }
    Digest digest;
    int64_t next = 0;
    while (true) {
      ASSIGN_OR_RETURN(const auto records, scan.Next());
      if (records.empty()) break;
      for (const log::StoredRecord& stored : records) {
        if (stored.offset != next) return Gap(name, next, stored.offset);
        ++next;
        digest.Add(stored);
        if (stored.offset < part.target_end) {
          RETURN_IF_ERROR(CheckThere(name, stored, *target));
        } else if (stored.record.Bytes() > log::kMaxRecordBytes) {
          return absl::FailedPreconditionError(
              absl::StrCat("source ", name, ": the record at offset ",
                           stored.offset, " counts ", stored.record.Bytes(),
                           " bytes, and no log takes "
                           "more than ",
                           log::kMaxRecordBytes));
        }
      }
      Advance(part.partition, static_cast<int64_t>(records.size()));
    }
    if (next != part.source_end) return Gap(name, next, part.source_end);
    part.digest = digest.value();
    return absl::OkStatus();
  }

  static absl::Status Gap(const std::string& name, int64_t begin, int64_t end) {
    return absl::FailedPreconditionError(absl::StrCat(
        "source ", name, ": offsets ", begin, " to ", end - 1,
        " have no record (control records of transactions, or writes that "
        "failed); the target cannot leave them out, and offsets must stay what "
        "they are"));
  }

  // The next record of the target must be `stored`.
  static absl::Status CheckThere(const std::string& name,
                                 const log::StoredRecord& stored,
                                 Stream& target) {
    ASSIGN_OR_RETURN(const log::StoredRecord* const there, target.Next());
    std::string problem;
    if (there == nullptr || there->offset != stored.offset) {
      problem = "no record";
    } else if (const absl::string_view what =
                   Difference(stored.record, there->record);
               !what.empty()) {
      problem = absl::StrCat("another record: its ", what,
                             what == "headers" ? " differ" : " differs");
    }
    if (problem.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat(name, " offset ", stored.offset, ": the target has ",
                     problem, "; it is no copy of this source"));
  }

  absl::Status WritePart(const Part& part) {
    if (part.target_end == part.source_end) return absl::OkStatus();
    const std::string name = absl::StrCat("target ", Text(part.partition));
    ASSIGN_OR_RETURN(Scan scan,
                     Scan::Open(source_, part.partition, part.target_end,
                                part.source_end, options_.patience));
    const auto window = std::make_shared<Window>(options_.max_inflight_records,
                                                 options_.max_inflight_bytes);
    auto appender = target_.log.OpenAppender(part.partition);
    if (!appender.ok()) return About(appender.status(), name);
    while (true) {
      ASSIGN_OR_RETURN(auto records, scan.Next());
      if (records.empty()) break;
      const auto count = static_cast<int64_t>(records.size());
      for (log::StoredRecord& stored : records) {
        const int64_t bytes = stored.record.Bytes();
        RETURN_IF_ERROR(window->Enter(bytes));
        (*appender)->Append(
            std::move(stored.record),
            [window, bytes, name,
             wanted = stored.offset](const absl::StatusOr<int64_t>& offset) {
              window->Leave(bytes, Delivered(name, wanted, offset));
            });
      }
      Advance(part.partition, count);
    }
    return window->Drain();
  }

  static absl::Status Delivered(const std::string& name, int64_t wanted,
                                const absl::StatusOr<int64_t>& offset) {
    if (!offset.ok()) {
      return About(offset.status(), absl::StrCat(name, " offset ", wanted));
    }
    if (*offset == wanted) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        name, ": the record of offset ", wanted, " came to offset ", *offset,
        ": something else writes there. The topic must be deleted before the "
        "copy is started again"));
  }

  absl::StatusOr<Sum> ReadSide(const Side& side, const Part& part) {
    const auto end = side.log.End(part.partition);
    if (!end.ok()) {
      return About(end.status(),
                   absl::StrCat(side.name, " ", Text(part.partition)));
    }
    ASSIGN_OR_RETURN(Scan scan, Scan::Open(side, part.partition, 0, *end,
                                           options_.patience));
    Digest digest;
    Sum sum;
    while (true) {
      ASSIGN_OR_RETURN(const auto records, scan.Next());
      if (records.empty()) break;
      for (const log::StoredRecord& stored : records) digest.Add(stored);
      sum.records += static_cast<int64_t>(records.size());
      Advance(part.partition, static_cast<int64_t>(records.size()));
    }
    sum.digest = digest.value();
    return sum;
  }

  int64_t SourceRecords() const {
    int64_t records = 0;
    for (const Part& part : parts_) records += part.source_end;
    return records;
  }

  void Begin(CopyProgress::Step step, int64_t total) {
    progress_.step = step;
    progress_.done = 0;
    progress_.total = total;
  }
  void Advance(const log::TopicPartition& partition, int64_t records) {
    progress_.partition = partition;
    progress_.done += records;
    if (options_.progress != nullptr) options_.progress(progress_);
  }

  const Side source_;
  const Side target_;
  const CopyOptions& options_;
  std::map<std::string, int> counts_;
  // Of topics whose count is another at the target.
  std::map<std::string, int> counts_elsewhere_;
  std::vector<Part> parts_;
  CopyProgress progress_;
};

absl::StatusOr<std::unique_ptr<log::Log>> OpenKafka(
    const std::string& servers, log::KafkaLogOptions options) {
  options.properties["bootstrap.servers"] = servers;
  ASSIGN_OR_RETURN(std::unique_ptr<log::Log> log,
                   log::KafkaLog::Open(std::move(options)));
  return log;
}

absl::StatusOr<std::unique_ptr<log::Log>> OpenEmbedded(
    const std::string& directory) {
  log::EmbeddedLogOptions options;
  options.directory = directory;
  absl::StatusOr<std::unique_ptr<log::Log>> log =
      log::EmbeddedLog::Open(std::move(options));
  if (absl::IsFailedPrecondition(log.status())) {
    return absl::FailedPreconditionError(absl::StrCat(
        log.status().message(), "; a service must be stopped for a copy"));
  }
  return log;
}

bool HasLog(const std::string& directory) {
  std::error_code error;
  return std::filesystem::exists(directory + "/db/CURRENT", error);
}

// A service's --data has the log one directory below.
absl::Status CheckNoData(const std::string& directory) {
  if (HasLog(directory) || !HasLog(directory + "/log")) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      directory, " is a service's data; its log is embedded:", directory,
      "/log"));
}

}  // namespace

absl::StatusOr<LogAddress> ParseLogAddress(absl::string_view text) {
  LogAddress address;
  absl::string_view where = text;
  if (absl::ConsumePrefix(&where, "embedded:")) {
    address.kind = LogAddress::Kind::kEmbedded;
  } else if (absl::ConsumePrefix(&where, "kafka:")) {
    address.kind = LogAddress::Kind::kKafka;
  } else {
    where = "";
  }
  if (where.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a log is embedded:DIRECTORY or kafka:HOST:PORT[,...], not '", text,
        "'"));
  }
  address.where = std::string(where);
  return address;
}

bool SameLog(const LogAddress& a, const LogAddress& b) {
  if (a.kind != b.kind) return false;
  if (a.where == b.where) return true;
  std::error_code error;
  return a.kind == LogAddress::Kind::kEmbedded &&
         std::filesystem::equivalent(a.where, b.where, error);
}

absl::StatusOr<std::unique_ptr<log::Log>> OpenSource(
    const LogAddress& address, log::KafkaLogOptions kafka) {
  if (address.kind == LogAddress::Kind::kKafka) {
    return OpenKafka(address.where, std::move(kafka));
  }
  RETURN_IF_ERROR(CheckNoData(address.where));
  if (!HasLog(address.where)) {
    return absl::NotFoundError(
        absl::StrCat(address.where, " has no embedded log"));
  }
  return OpenEmbedded(address.where);
}

absl::StatusOr<std::unique_ptr<log::Log>> OpenTarget(
    const LogAddress& address, log::KafkaLogOptions kafka) {
  if (address.kind == LogAddress::Kind::kKafka) {
    return OpenKafka(address.where, std::move(kafka));
  }
  RETURN_IF_ERROR(CheckNoData(address.where));
  return OpenEmbedded(address.where);
}

absl::StatusOr<std::vector<CopiedPartition>> CopyLog(
    log::Log& source, log::Log& target, const CopyOptions& options) {
  Copy copy(source, target, options);
  RETURN_IF_ERROR(copy.Find(/*must_match=*/true));
  RETURN_IF_ERROR(copy.Check());
  RETURN_IF_ERROR(copy.Write());
  ASSIGN_OR_RETURN(std::vector<CopiedPartition> all, copy.ReadBack());
  for (size_t i = 0; i < all.size(); ++i) {
    const Part& part = copy.parts()[i];
    all[i].already_there = part.target_end;
    all[i].copied = part.source_end - part.target_end;
    if (all[i].records != part.source_end || all[i].digest != part.digest) {
      all[i].difference =
          "the source has changed since the copy began; its services must be "
          "stopped";
    }
  }
  return all;
}

absl::StatusOr<std::vector<CopiedPartition>> VerifyCopy(
    log::Log& source, log::Log& target, const CopyOptions& options) {
  Copy copy(source, target, options);
  RETURN_IF_ERROR(copy.Find(/*must_match=*/false));
  return copy.ReadBack();
}

}  // namespace aftercare::ctl
