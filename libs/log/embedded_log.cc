#include "libs/log/embedded_log.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"
#include "libs/process/clock.h"
#include "libs/process/directory_lock.h"
#include "libs/process/rocksdb_log.h"
#include "rocksdb/db.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"
#include "rocksdb/write_batch.h"

namespace aftercare::log {
namespace {

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsCorruption()) return absl::DataLossError(status.ToString());
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError(status.ToString());
  }
  return absl::UnavailableError(status.ToString());
}

void AppendBigEndian(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out += static_cast<char>(value >> shift);
  }
}

uint64_t BigEndian(absl::string_view bytes) {
  uint64_t value = 0;
  for (char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

void AppendVarint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) {
    out += static_cast<char>(value | 0x80);
  }
  out += static_cast<char>(value);
}

bool TakeVarint(absl::string_view& in, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool TakeText(absl::string_view& in, std::string& text) {
  uint64_t size = 0;
  if (!TakeVarint(in, size) || size > in.size()) return false;
  text.assign(in.data(), size);
  in.remove_prefix(size);
  return true;
}

std::string PartitionPrefix(const TopicPartition& partition) {
  std::string key = absl::StrCat("r", partition.topic);
  key += '\0';
  AppendBigEndian(key, static_cast<uint32_t>(partition.partition), 4);
  return key;
}

std::string RecordKey(const std::string& prefix, int64_t offset) {
  std::string key = prefix;
  AppendBigEndian(key, static_cast<uint64_t>(offset), 8);
  return key;
}

std::string TopicKey(absl::string_view topic) {
  return absl::StrCat("t", topic);
}

uint64_t Checksum(absl::string_view key, absl::string_view body) {
  return XXH3_64bits_withSeed(body.data(), body.size(),
                              XXH3_64bits(key.data(), key.size()));
}

std::string EncodeRecord(absl::string_view key, const Record& record) {
  std::string out(8, '\0');
  size_t size = 16 + record.key.size() + record.value.size();
  for (const auto& [name, value] : record.headers) {
    size += name.size() + value.size() + 4;
  }
  out.reserve(size + 8);
  AppendVarint(out, record.key.size());
  out += record.key;
  AppendVarint(out, record.value.size());
  out += record.value;
  AppendVarint(out, record.headers.size());
  for (const auto& [name, value] : record.headers) {
    AppendVarint(out, name.size());
    out += name;
    AppendVarint(out, value.size());
    out += value;
  }
  std::string sum;
  AppendBigEndian(sum, Checksum(key, absl::string_view(out).substr(8)), 8);
  out.replace(0, 8, sum);
  return out;
}

bool DecodeRecord(absl::string_view key, absl::string_view bytes,
                  Record& record) {
  if (bytes.size() < 8) return false;
  absl::string_view body = bytes.substr(8);
  if (BigEndian(bytes.substr(0, 8)) != Checksum(key, body)) return false;
  uint64_t count = 0;
  if (!TakeText(body, record.key) || !TakeText(body, record.value) ||
      !TakeVarint(body, count) || count > body.size()) {
    return false;
  }
  record.headers.resize(count);
  for (auto& [name, value] : record.headers) {
    if (!TakeText(body, name) || !TakeText(body, value)) return false;
  }
  return body.empty();
}

// What a partition knows in memory. Guarded by the log's mutex.
struct Partition {
  std::string prefix;
  int64_t next_offset = 0;  // of the next append
  int64_t visible_end = 0;  // one past the last synced record
};

class EmbeddedLogImpl;

// Ties callbacks to the appender's life: none runs after it has ended.
struct AppenderLife {
  std::mutex mutex;
  bool alive = true;
};

struct QueuedAppend {
  Partition* partition = nullptr;
  Record record;
  DeliveryCallback done;
  std::shared_ptr<AppenderLife> life;
  int64_t bytes = 0;
};

class EmbeddedLogImpl final : public EmbeddedLog {
 public:
  explicit EmbeddedLogImpl(EmbeddedLogOptions options)
      : options_(std::move(options)) {}
  ~EmbeddedLogImpl() override;

  absl::Status Start();

  absl::Status EnsureTopic(absl::string_view topic, int partitions) override;
  absl::StatusOr<int> PartitionCount(absl::string_view topic) override;
  absl::StatusOr<std::unique_ptr<Appender>> OpenAppender(
      const TopicPartition& partition) override;
  absl::StatusOr<std::unique_ptr<Reader>> OpenReader(
      const TopicPartition& partition, int64_t offset) override;
  absl::StatusOr<int64_t> End(const TopicPartition& partition) override;

  int64_t EndOf(const Partition& partition);
  void Enqueue(QueuedAppend append);
  absl::StatusOr<std::vector<StoredRecord>> Read(Partition& partition,
                                                 int64_t& position, int max,
                                                 absl::Duration wait);

 private:
  absl::StatusOr<Partition*> FindPartition(const TopicPartition& partition);
  void WriteLoop();
  absl::Status WriteBatch(std::deque<QueuedAppend>& batch,
                          std::vector<int64_t>& offsets);
  absl::Status CheckSpace();

  const EmbeddedLogOptions options_;
  std::unique_ptr<DirectoryLock> lock_;
  std::unique_ptr<rocksdb::DB> db_;

  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable grown_;
  bool stopping_ = false;
  std::deque<QueuedAppend> queue_;
  int64_t queued_bytes_ = 0;
  absl::flat_hash_map<std::string, int> topics_;
  std::map<std::pair<std::string, int>, std::unique_ptr<Partition>> partitions_;

  // The writing thread's own.
  absl::Time next_space_check_ = absl::InfinitePast();
  absl::Status space_;
  bool broken_ = false;
  std::vector<std::string> doubtful_;  // keys of failed writes

  std::thread writer_;
};

class EmbeddedAppender final : public Appender {
 public:
  EmbeddedAppender(EmbeddedLogImpl& log, Partition& partition)
      : log_(log), partition_(partition) {}
  ~EmbeddedAppender() override {
    std::lock_guard lock(life_->mutex);
    life_->alive = false;
  }
  void Append(Record record, DeliveryCallback done) override {
    const int64_t bytes = record.Bytes();
    if (bytes > kMaxRecordBytes) {
      done(absl::InvalidArgumentError("append: the record is too big"));
      return;
    }
    QueuedAppend append;
    append.partition = &partition_;
    append.bytes = bytes + 512;
    append.record = std::move(record);
    append.done = std::move(done);
    append.life = life_;
    log_.Enqueue(std::move(append));
  }
  void AskEnd(EndCallback done) override { done(log_.EndOf(partition_)); }

 private:
  EmbeddedLogImpl& log_;
  Partition& partition_;
  std::shared_ptr<AppenderLife> life_ = std::make_shared<AppenderLife>();
};

class EmbeddedReader final : public Reader {
 public:
  EmbeddedReader(EmbeddedLogImpl& log, Partition& partition, int64_t offset)
      : log_(log), partition_(partition), position_(offset) {}
  absl::StatusOr<std::vector<StoredRecord>> Read(int max_records,
                                                 absl::Duration wait) override {
    return log_.Read(partition_, position_, max_records, wait);
  }
  int64_t position() const override { return position_; }

 private:
  EmbeddedLogImpl& log_;
  Partition& partition_;
  int64_t position_;
};

absl::Status EmbeddedLogImpl::Start() {
  // RocksDB's own lock does not say who has it.
  ASSIGN_OR_RETURN(lock_, DirectoryLock::Take(options_.directory));

  rocksdb::Options db_options;
  db_options.create_if_missing = true;
  db_options.write_buffer_size = 64 << 20;
  db_options.max_write_buffer_number = 4;
  db_options.max_background_jobs = 2;
  db_options.compression = rocksdb::kLZ4Compression;
  // RocksDB calls it an error if it has to make it.
  const std::string directory = options_.directory + "/db";
  std::error_code ignored;
  std::filesystem::create_directories(directory, ignored);
  db_options.info_log = RocksDbLog(directory);
  db_options.max_open_files = 512;
  // Keys only grow within a partition: files barely overlap, so few levels of
  // merging are worth their cost.
  db_options.level0_file_num_compaction_trigger = 8;
  db_options.target_file_size_base = 128 << 20;
  db_options.wal_recovery_mode =
      rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  rocksdb::BlockBasedTableOptions table;
  table.block_size = 32 << 10;
  table.block_cache = rocksdb::NewLRUCache(16 << 20);
  db_options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(ToStatus(rocksdb::DB::Open(db_options, directory, &db)));
  db_.reset(db);

  std::unique_ptr<rocksdb::Iterator> it(
      db_->NewIterator(rocksdb::ReadOptions()));
  for (it->Seek("t"); it->Valid() && it->key().starts_with("t"); it->Next()) {
    int count = 0;
    if (!absl::SimpleAtoi(
            absl::string_view(it->value().data(), it->value().size()),
            &count)) {
      return absl::DataLossError("a topic's partition count is unreadable");
    }
    std::string topic(it->key().data() + 1, it->key().size() - 1);
    topics_[topic] = count;
    for (int p = 0; p < count; ++p) {
      auto partition = std::make_unique<Partition>();
      partition->prefix = PartitionPrefix({topic, p});
      std::unique_ptr<rocksdb::Iterator> last(
          db_->NewIterator(rocksdb::ReadOptions()));
      last->SeekForPrev(RecordKey(partition->prefix, INT64_MAX));
      if (last->Valid() && last->key().starts_with(partition->prefix)) {
        partition->next_offset =
            static_cast<int64_t>(BigEndian(absl::string_view(
                last->key().data() + partition->prefix.size(), 8))) +
            1;
      }
      partition->visible_end = partition->next_offset;
      partitions_[{topic, p}] = std::move(partition);
    }
  }
  RETURN_IF_ERROR(ToStatus(it->status()));
  writer_ = std::thread([this] { WriteLoop(); });
  return absl::OkStatus();
}

EmbeddedLogImpl::~EmbeddedLogImpl() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  grown_.notify_all();
  if (writer_.joinable()) writer_.join();
  db_.reset();
}

absl::Status EmbeddedLogImpl::EnsureTopic(absl::string_view topic,
                                          int partitions) {
  if (topic.empty() || topic.find('\0') != absl::string_view::npos ||
      partitions < 1 || partitions > 10000) {
    return absl::InvalidArgumentError("topic or partition count is unusable");
  }
  std::lock_guard lock(mutex_);
  const auto it = topics_.find(topic);
  if (it != topics_.end()) {
    if (it->second == partitions) return absl::OkStatus();
    return absl::FailedPreconditionError(absl::StrCat(
        "topic ", topic, " has ", it->second, " partitions, not ", partitions,
        "; the count is fixed at creation because keys would move"));
  }
  rocksdb::WriteOptions write;
  write.sync = true;
  RETURN_IF_ERROR(
      ToStatus(db_->Put(write, TopicKey(topic), absl::StrCat(partitions))));
  topics_[std::string(topic)] = partitions;
  for (int p = 0; p < partitions; ++p) {
    auto partition = std::make_unique<Partition>();
    partition->prefix = PartitionPrefix({std::string(topic), p});
    partitions_[{std::string(topic), p}] = std::move(partition);
  }
  return absl::OkStatus();
}

absl::StatusOr<int> EmbeddedLogImpl::PartitionCount(absl::string_view topic) {
  std::lock_guard lock(mutex_);
  const auto it = topics_.find(topic);
  if (it == topics_.end()) {
    return absl::NotFoundError(absl::StrCat("topic ", topic, " is not there"));
  }
  return it->second;
}

absl::StatusOr<Partition*> EmbeddedLogImpl::FindPartition(
    const TopicPartition& partition) {
  std::lock_guard lock(mutex_);
  const auto it =
      partitions_.find(std::make_pair(partition.topic, partition.partition));
  if (it == partitions_.end()) {
    return absl::NotFoundError(absl::StrCat("partition ", partition.topic, "/",
                                            partition.partition,
                                            " is not there"));
  }
  return it->second.get();
}

absl::StatusOr<std::unique_ptr<Appender>> EmbeddedLogImpl::OpenAppender(
    const TopicPartition& partition) {
  ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  return std::make_unique<EmbeddedAppender>(*this, *found);
}

absl::StatusOr<std::unique_ptr<Reader>> EmbeddedLogImpl::OpenReader(
    const TopicPartition& partition, int64_t offset) {
  ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  return std::make_unique<EmbeddedReader>(*this, *found, offset);
}

absl::StatusOr<int64_t> EmbeddedLogImpl::End(const TopicPartition& partition) {
  ASSIGN_OR_RETURN(Partition * found, FindPartition(partition));
  return EndOf(*found);
}

int64_t EmbeddedLogImpl::EndOf(const Partition& partition) {
  std::lock_guard lock(mutex_);
  return partition.visible_end;
}

void EmbeddedLogImpl::Enqueue(QueuedAppend append) {
  absl::Status refusal;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) {
      refusal = absl::ResourceExhaustedError("the log is closing");
    } else if (queued_bytes_ + append.bytes > options_.max_queued_bytes) {
      refusal = absl::ResourceExhaustedError("too much waits to be written");
    } else {
      queued_bytes_ += append.bytes;
      queue_.push_back(std::move(append));
    }
  }
  if (!refusal.ok()) {
    append.done(refusal);
    return;
  }
  work_.notify_one();
}

absl::Status EmbeddedLogImpl::CheckSpace() {
  const absl::Time now = SteadyNow();
  if (now < next_space_check_) return space_;
  next_space_check_ = now + absl::Milliseconds(200);
  absl::StatusOr<int64_t> free = absl::UnknownError("");
  if (options_.free_bytes != nullptr) {
    free = options_.free_bytes();
  } else {
    struct statvfs info {};
    if (statvfs(options_.directory.c_str(), &info) == 0) {
      free = static_cast<int64_t>(info.f_bavail) *
             static_cast<int64_t>(info.f_frsize);
    }
  }
  space_ = free.ok() && *free < options_.min_free_bytes
               ? absl::ResourceExhaustedError(absl::StrCat(
                     "only ", *free, " bytes are free on the log's disk"))
               : absl::OkStatus();
  return space_;
}

absl::Status EmbeddedLogImpl::WriteBatch(std::deque<QueuedAppend>& batch,
                                         std::vector<int64_t>& offsets) {
  RETURN_IF_ERROR(CheckSpace());
  if (broken_) {
    // RocksDB refuses writes after a background error until it is resumed.
    RETURN_IF_ERROR(ToStatus(db_->Resume()));
    broken_ = false;
  }
  rocksdb::WriteBatch writes;
  for (const std::string& key : doubtful_) writes.Delete(key);
  // Offsets are given here, by the only writer; next_offset is its own.
  std::map<Partition*, int64_t> next;
  for (QueuedAppend& append : batch) {
    auto [it, fresh] = next.try_emplace(append.partition, 0);
    if (fresh) it->second = append.partition->next_offset;
    const int64_t offset = it->second++;
    offsets.push_back(offset);
    const std::string key = RecordKey(append.partition->prefix, offset);
    writes.Put(key, EncodeRecord(key, append.record));
  }
  rocksdb::WriteOptions options;
  options.sync = true;
  const rocksdb::Status written = db_->Write(options, &writes);
  if (!written.ok()) {
    broken_ = true;
    // The batch may or may not be on the disk. Its offsets are not used again,
    // and whatever is written next erases it in the same batch: a record that
    // nobody saw must not come to light below records that were seen.
    std::lock_guard lock(mutex_);
    for (const auto& [partition, end] : next) {
      for (int64_t o = partition->next_offset; o < end; ++o) {
        doubtful_.push_back(RecordKey(partition->prefix, o));
      }
      partition->next_offset = end;
    }
    return ToStatus(written);
  }
  doubtful_.clear();
  std::lock_guard lock(mutex_);
  for (const auto& [partition, end] : next) {
    partition->next_offset = end;
    partition->visible_end = end;
  }
  return absl::OkStatus();
}

void EmbeddedLogImpl::WriteLoop() {
  while (true) {
    std::deque<QueuedAppend> batch;
    int64_t bytes = 0;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;  // stopping, and all is written
      // A batch of a few megabytes; beyond that one sync costs nothing beside.
      while (!queue_.empty() && bytes < (4 << 20)) {
        bytes += queue_.front().bytes;
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
      }
    }
    std::vector<int64_t> offsets;
    const absl::Status status = WriteBatch(batch, offsets);
    if (status.ok()) grown_.notify_all();
    {
      std::lock_guard lock(mutex_);
      queued_bytes_ -= bytes;
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      std::lock_guard lock(batch[i].life->mutex);
      if (!batch[i].life->alive) continue;
      if (status.ok()) {
        batch[i].done(offsets[i]);
      } else {
        batch[i].done(status);
      }
    }
  }
}

absl::StatusOr<std::vector<StoredRecord>> EmbeddedLogImpl::Read(
    Partition& partition, int64_t& position, int max, absl::Duration wait) {
  int64_t end = 0;
  {
    std::unique_lock lock(mutex_);
    if (position < 0 || position > partition.next_offset) {
      return absl::OutOfRangeError(absl::StrCat(
          "offset ", position, " is not in the log, which ends at ",
          partition.visible_end));
    }
    // Bounded because the clock arithmetic of wait_for overflows.
    const absl::Duration bounded = std::min(wait, absl::Hours(1));
    grown_.wait_for(lock, absl::ToChronoMilliseconds(bounded), [&] {
      return stopping_ || position < partition.visible_end;
    });
    end = partition.visible_end;
  }
  std::vector<StoredRecord> records;
  if (position >= end || max <= 0) return records;
  const std::string upper_key = RecordKey(partition.prefix, end);
  const rocksdb::Slice upper(upper_key);
  rocksdb::ReadOptions read;
  read.iterate_upper_bound = &upper;
  read.readahead_size = 1 << 20;
  read.fill_cache = false;
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(read));
  const auto size = static_cast<size_t>(std::min<int64_t>(max, end - position));
  records.reserve(size);
  for (it->Seek(RecordKey(partition.prefix, position));
       it->Valid() && records.size() < size; it->Next()) {
    const absl::string_view key(it->key().data(), it->key().size());
    StoredRecord stored;
    stored.offset =
        static_cast<int64_t>(BigEndian(key.substr(partition.prefix.size())));
    if (!DecodeRecord(key,
                      absl::string_view(it->value().data(), it->value().size()),
                      stored.record)) {
      if (!records.empty()) break;  // first what is good
      position = stored.offset;
      return absl::DataLossError(
          absl::StrCat("the record at offset ", stored.offset, " is damaged"));
    }
    position = stored.offset + 1;
    records.push_back(std::move(stored));
  }
  RETURN_IF_ERROR(ToStatus(it->status()));
  return records;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EmbeddedLog>> EmbeddedLog::Open(
    EmbeddedLogOptions options) {
  auto log = std::make_unique<EmbeddedLogImpl>(std::move(options));
  RETURN_IF_ERROR(log->Start());
  return log;
}

}  // namespace aftercare::log
