#include "libs/store/row_store.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"
#include "libs/process/rocksdb_log.h"
#include "libs/store/digest.h"
#include "rocksdb/cache.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/options.h"
#include "rocksdb/slice_transform.h"
#include "rocksdb/table.h"
#include "rocksdb/utilities/checkpoint.h"

namespace aftercare::store {
namespace {

// Sorts before every table; holds no part of the digest.
constexpr absl::string_view kMetaKey = "!meta";

rocksdb::Slice ToSlice(absl::string_view text) {
  return rocksdb::Slice(text.data(), text.size());
}

absl::string_view ToView(const rocksdb::Slice& slice) {
  return absl::string_view(slice.data(), slice.size());
}

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  if (status.IsCorruption()) return absl::DataLossError(status.ToString());
  if (status.IsNoSpace())
    return absl::ResourceExhaustedError(status.ToString());
  if (status.IsIOError()) return absl::UnavailableError(status.ToString());
  return absl::InternalError(status.ToString());
}

// A key's table or index: within one, keys that come together lie together.
class TablePrefix final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "aftercare.table"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return rocksdb::Slice(key.data(), ToView(key).find('/') + 1);
  }
  bool InDomain(const rocksdb::Slice& key) const override {
    return ToView(key).find('/') != absl::string_view::npos;
  }
};

// Rows of a RocksDB snapshot; decoded rows live as long as the reader.
class Snapshot final : public RowReader {
 public:
  // Tells `broken` what cannot be read.
  Snapshot(rocksdb::DB& db, FirstError& broken)
      : db_(db), broken_(broken), snapshot_(db.GetSnapshot()) {
    read_.snapshot = snapshot_;
  }
  ~Snapshot() override { db_.ReleaseSnapshot(snapshot_); }

  const google::protobuf::Message* FindRow(
      absl::string_view key,
      const google::protobuf::Message& prototype) const override {
    const auto it = rows_.find(key);
    if (it != rows_.end()) return it->second.get();
    rocksdb::PinnableSlice value;
    const rocksdb::Status got =
        db_.Get(read_, db_.DefaultColumnFamily(), ToSlice(key), &value);
    if (!got.ok()) {
      if (!got.IsNotFound()) Failed(got);
      return nullptr;
    }
    std::unique_ptr<google::protobuf::Message> row(prototype.New());
    if (!row->ParseFromArray(value.data(), static_cast<int>(value.size()))) {
      // The store is not told: the block fits its checksum, so these bytes were
      // written, and a replay would write them again.
      if (status_.ok()) {
        status_ = absl::DataLossError(absl::StrCat(key, " does not parse"));
      }
      return nullptr;
    }
    return rows_.emplace(std::string(key), std::move(row)).first->second.get();
  }

  void ScanKeys(
      absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view)> visit) const override {
    rocksdb::ReadOptions read = read_;
    const rocksdb::Slice upper = ToSlice(to);
    read.iterate_upper_bound = &upper;
    std::unique_ptr<rocksdb::Iterator> it(db_.NewIterator(read));
    for (it->Seek(ToSlice(from)); it->Valid(); it->Next()) {
      if (!visit(ToView(it->key()))) return;
    }
    Failed(it->status());
  }

  absl::Status status() const override { return status_; }

 private:
  void Failed(const rocksdb::Status& status) const {
    if (status.ok()) return;
    const absl::Status told = broken_.Note(ToStatus(status));
    if (status_.ok()) status_ = told;
  }

  rocksdb::DB& db_;
  FirstError& broken_;
  const rocksdb::Snapshot* snapshot_;
  rocksdb::ReadOptions read_;
  mutable absl::Status status_;
  mutable absl::flat_hash_map<std::string,
                              std::unique_ptr<google::protobuf::Message>>
      rows_;
};

}  // namespace

absl::Status FirstError::status() const {
  if (ok()) return absl::OkStatus();
  std::lock_guard lock(mutex_);
  return status_;
}

absl::Status FirstError::Note(absl::Status status) {
  if (status.ok()) return status;
  std::lock_guard lock(mutex_);
  if (status_.ok()) status_ = status;
  set_.store(true, std::memory_order_release);
  return status;
}

absl::StatusOr<std::unique_ptr<RowStore>> RowStore::Open(
    const Schema& schema, RowStoreOptions options) {
  std::error_code error;
  std::filesystem::create_directories(options.directory, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(options.directory, ": ", error.message()));
  }
  rocksdb::Options db_options;
  db_options.create_if_missing = true;
  db_options.write_buffer_size =
      static_cast<size_t>(options.write_buffer_bytes);
  db_options.max_write_buffer_number = 3;
  db_options.max_background_jobs = 2;
  // The first two levels are short-lived: they are merged again soon.
  db_options.compression_per_level = {rocksdb::kNoCompression,
                                      rocksdb::kNoCompression,
                                      rocksdb::kLZ4Compression};
  db_options.memtable_whole_key_filtering = true;
  db_options.memtable_prefix_bloom_size_ratio = 0.05;
  // A memtable looks for a key's place from where the last of its table went:
  // most index entries are in the order of time.
  db_options.allow_concurrent_memtable_write = false;
  db_options.memtable_insert_with_hint_prefix_extractor =
      std::make_shared<TablePrefix>();
  db_options.info_log = RocksDbLog(options.directory);
  db_options.max_open_files = 512;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  // Few shards of the cache, and index and filter in small parts: a whole
  // index of a large file would not fit into a shard and be read anew for
  // every lookup.
  table.block_cache = rocksdb::NewLRUCache(
      static_cast<size_t>(options.block_cache_bytes), /*num_shard_bits=*/2);
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 16384;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.pin_top_level_index_and_filter = true;
  table.format_version = 5;
  db_options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  auto store = absl::WrapUnique(new RowStore(schema, std::move(options)));
  rocksdb::DB* db = nullptr;
  RETURN_IF_ERROR(
      ToStatus(rocksdb::DB::Open(db_options, store->options_.directory, &db)));
  store->db_.reset(db);
  std::string bytes;
  const rocksdb::Status got =
      db->Get(rocksdb::ReadOptions(), ToSlice(kMetaKey), &bytes);
  if (got.ok()) {
    if (!store->meta_.ParseFromString(bytes)) {
      return absl::DataLossError(
          absl::StrCat(store->options_.directory, ": position is unreadable"));
    }
  } else if (!got.IsNotFound()) {
    return ToStatus(got);
  }
  return store;
}

RowStore::~RowStore() = default;

const std::string* Turn::ValueOf(absl::string_view key) const {
  for (const Change& change : changes()) {
    if (change.key == key && !change.erased) return &change.value;
  }
  return nullptr;
}

RowEntry& RowStore::Load(absl::string_view key,
                         const google::protobuf::Message& prototype) {
  const auto it = entries_.find(key);
  if (it != entries_.end()) {
    (*it)->used = true;
    return **it;
  }
  return Keep(Read(key, prototype));
}

std::unique_ptr<RowEntry> RowStore::Read(
    absl::string_view key, const google::protobuf::Message& prototype) const {
  auto entry = std::make_unique<RowEntry>();
  entry->key = std::string(key);
  entry->table = schema_.TableOfKey(key);
  if (key == absent_) return entry;
  rocksdb::PinnableSlice value;
  const rocksdb::Status got = db_->Get(
      rocksdb::ReadOptions(), db_->DefaultColumnFamily(), ToSlice(key), &value);
  if (got.IsNotFound()) {
    absent_.assign(key.data(), key.size());
  } else if (!got.ok()) {
    broken_.Note(ToStatus(got)).IgnoreError();
  } else {
    entry->message.reset(prototype.New());
    // Bytes that do not parse cannot come from Write; the digest would tell.
    entry->message->ParsePartialFromArray(value.data(),
                                          static_cast<int>(value.size()));
    entry->stored = true;
    entry->stored_hash = PairHash(key, ToView(value));
  }
  return entry;
}

const google::protobuf::Message* RowStore::FindRow(
    absl::string_view key, const google::protobuf::Message& prototype) const {
  const auto it = entries_.find(key);
  if (it != entries_.end()) {
    (*it)->used = true;
    return (*it)->message.get();
  }
  auto entry = Read(key, prototype);
  // What is not there is not remembered: most such questions (is this
  // request_id known?) are asked once.
  if (entry->message == nullptr) return nullptr;
  return Keep(std::move(entry)).message.get();
}

const google::protobuf::Message* RowStore::FindForEdit(
    absl::string_view key, const google::protobuf::Message& prototype) {
  return FindRow(key, prototype);
}

void RowStore::Touch(RowEntry& entry) {
  if (entry.dirty) return;
  entry.dirty = true;
  if (!entry.index_known && entry.table != nullptr &&
      !entry.table->indexes.empty()) {
    // The entries the stored row has now, before it changes.
    if (entry.message != nullptr) {
      entry.index_keys =
          Schema::IndexKeysOf(*entry.table, entry.id(), *entry.message);
    }
    entry.index_known = true;
  }
  dirty_.push_back(&entry);
}

google::protobuf::Message& RowStore::EditRow(
    absl::string_view key, const google::protobuf::Message& prototype) {
  RowEntry& entry = Load(key, prototype);
  Touch(entry);
  if (entry.message == nullptr) entry.message.reset(prototype.New());
  return *entry.message;
}

google::protobuf::Message& RowStore::InsertRow(
    absl::string_view key, const google::protobuf::Message& prototype) {
  auto it = entries_.find(key);
  if (it == entries_.end()) {
    auto entry = std::make_unique<RowEntry>();
    entry->key = std::string(key);
    entry->table = schema_.TableOfKey(key);
    entry->used = false;
    entry->inserted = true;
    it = entries_.insert(std::move(entry)).first;
  }
  RowEntry& entry = **it;
  Touch(entry);
  if (entry.message == nullptr) entry.message.reset(prototype.New());
  return *entry.message;
}

void RowStore::EraseRow(absl::string_view key,
                        const google::protobuf::Message& prototype) {
  RowEntry& entry = Load(key, prototype);
  if (entry.message == nullptr) return;
  Touch(entry);
  entry.message.reset();
}

void RowStore::ScanKeys(
    absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view)> visit) const {
  rocksdb::ReadOptions read;
  const rocksdb::Slice upper = ToSlice(to);
  read.iterate_upper_bound = &upper;
  std::unique_ptr<rocksdb::Iterator> stored(db_->NewIterator(read));
  stored->Seek(ToSlice(from));
  for (; ordered_ < pending_.size(); ++ordered_) {
    for (const Turn::Change& change : *pending_[ordered_].changes) {
      pending_keys_.insert_or_assign(change.key, !change.erased);
    }
  }
  auto pending = pending_keys_.lower_bound(from);
  while (true) {
    const bool has_stored = stored->Valid();
    const bool has_pending =
        pending != pending_keys_.end() && pending->first < to;
    // An iterator also ends where it cannot read on.
    if (!has_stored && !broken_.Note(ToStatus(stored->status())).ok()) return;
    if (!has_stored && !has_pending) return;
    const absl::string_view stored_key =
        has_stored ? ToView(stored->key()) : absl::string_view();
    if (has_pending && (!has_stored || pending->first <= stored_key)) {
      const bool same = has_stored && pending->first == stored_key;
      if (pending->second && !visit(pending->first)) return;
      if (same) stored->Next();
      ++pending;
    } else {
      if (!visit(stored_key)) return;
      stored->Next();
    }
  }
}

Turn RowStore::Serialize(rocksdb::WriteBatch* long_turn) {
  Turn turn;
  turn.number_ = ++last_turn_;
  std::string bytes;
  const auto put = [&](absl::string_view key, absl::string_view value) {
    if (long_turn != nullptr) {
      long_turn->Put(ToSlice(key), ToSlice(value));
      return;
    }
    turn.changes_->push_back({std::string(key), std::string(value), false});
  };
  const auto remove = [&](absl::string_view key) {
    if (long_turn != nullptr) {
      long_turn->Delete(ToSlice(key));
      return;
    }
    turn.changes_->push_back({std::string(key), {}, true});
  };
  if (long_turn != nullptr) {
    // RocksDB's skip list takes neighbours faster than keys from all over.
    std::stable_sort(dirty_.begin(), dirty_.end(),
                     [](const RowEntry* a, const RowEntry* b) {
                       return std::less<>()(a->table, b->table);
                     });
  }
  for (RowEntry* entry : dirty_) {
    const std::string& key = entry->key;
    entry->dirty = false;
    if (std::exchange(entry->inserted, false)) turn.inserted_.push_back(entry);
    if (entry->message != nullptr) {
      // The same bytes for the same message: rows have no maps and no unknown
      // fields, and the generated code writes fields by number.
      entry->message->SerializeToString(&bytes);
      const absl::uint128 hash = PairHash(key, bytes);
      if (entry->stored && hash == entry->stored_hash) continue;
      put(key, bytes);
      turn.digest_delta_ += hash - entry->stored_hash;
      if (!entry->stored) ++turn.rows_delta_;
      entry->stored = true;
      entry->stored_hash = hash;
    } else if (entry->stored) {
      remove(key);
      turn.digest_delta_ -= entry->stored_hash;
      --turn.rows_delta_;
      entry->stored = false;
      entry->stored_hash = 0;
    } else {
      continue;
    }
    if (long_turn == nullptr) {
      entry->pending_turn = turn.number_;
      turn.entries_.push_back(entry);
    }
    if (entry->table == nullptr || entry->table->indexes.empty()) continue;
    std::vector<std::string> keys;
    if (entry->message != nullptr) {
      keys = Schema::IndexKeysOf(*entry->table, entry->id(), *entry->message);
      std::sort(keys.begin(), keys.end());
      keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    }
    std::vector<std::string>& old = entry->index_keys;
    std::sort(old.begin(), old.end());
    old.erase(std::unique(old.begin(), old.end()), old.end());
    for (const std::string& index_key : old) {
      if (std::binary_search(keys.begin(), keys.end(), index_key)) continue;
      remove(index_key);
      turn.digest_delta_ -= PairHash(index_key, "");
      --turn.rows_delta_;
    }
    for (const std::string& index_key : keys) {
      if (std::binary_search(old.begin(), old.end(), index_key)) continue;
      put(index_key, "");
      turn.digest_delta_ += PairHash(index_key, "");
      ++turn.rows_delta_;
    }
    old = std::move(keys);
  }
  dirty_.clear();
  return turn;
}

Turn RowStore::EndTurn() {
  Turn turn = Serialize(nullptr);
  pending_.push_back({turn.number_, turn.changes_});
  return turn;
}

std::string RowStore::SerializedRow(
    absl::string_view key, const google::protobuf::Message& prototype) const {
  const google::protobuf::Message* row = FindRow(key, prototype);
  return row == nullptr ? "" : row->SerializeAsString();
}

void RowStore::Accept(Turn turn, common::v1::ShardMeta position) {
  const absl::uint128 digest =
      absl::MakeUint128(meta_.digest_high(), meta_.digest_low()) +
      turn.digest_delta_;
  position.set_digest_high(absl::Uint128High64(digest));
  position.set_digest_low(absl::Uint128Low64(digest));
  position.set_rows(meta_.rows() + turn.rows_delta_);
  meta_ = std::move(position);
  for (const Turn::Change& change : turn.changes()) {
    unwritten_ += change.key.size() + change.value.size();
  }
  accepted_.push_back(std::move(turn));
}

absl::Status RowStore::Write() {
  RETURN_IF_ERROR(status());
  if (accepted_.empty()) return absl::OkStatus();
  // Of each key the newest, in the order of the changes.
  absl::flat_hash_set<absl::string_view> seen;
  std::vector<const Turn::Change*> newest;
  for (auto turn = accepted_.rbegin(); turn != accepted_.rend(); ++turn) {
    const auto& changes = turn->changes();
    for (auto change = changes.rbegin(); change != changes.rend(); ++change) {
      if (seen.insert(change->key).second) newest.push_back(&*change);
    }
  }
  rocksdb::WriteBatch batch;
  for (auto it = newest.rbegin(); it != newest.rend(); ++it) {
    const Turn::Change& change = **it;
    if (change.erased) {
      batch.Delete(ToSlice(change.key));
    } else {
      batch.Put(ToSlice(change.key), ToSlice(change.value));
    }
  }
  return WriteBatch(batch);
}

absl::Status RowStore::WriteBatch(rocksdb::WriteBatch& batch) {
  batch.Put(ToSlice(kMetaKey), meta_.SerializeAsString());
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  absent_.clear();
  RETURN_IF_ERROR(broken_.Note(ToStatus(db_->Write(write, &batch))));
  for (const Turn& turn : accepted_) {
    for (RowEntry* entry : turn.entries_) {
      if (entry->pending_turn == turn.number_) entry->pending_turn = 0;
    }
    EvictInserted(turn);
  }
  pending_keys_.clear();
  ordered_ = 0;
  while (!pending_.empty() &&
         pending_.front().number <= accepted_.back().number_) {
    pending_.pop_front();
  }
  accepted_.clear();
  unwritten_ = 0;
  return absl::OkStatus();
}

absl::Status RowStore::CommitOpenTurn(common::v1::ShardMeta position) {
  RETURN_IF_ERROR(status());
  rocksdb::WriteBatch batch;
  Turn turn = Serialize(&batch);
  Accept(std::move(turn), std::move(position));
  RETURN_IF_ERROR(WriteBatch(batch));
  Evict();
  return absl::OkStatus();
}

void RowStore::DropPending() {
  dirty_.clear();
  pending_keys_.clear();
  ordered_ = 0;
  pending_.clear();
  leaving_.clear();
  joined_ = 0;
  entries_.clear();
  accepted_.clear();
  unwritten_ = 0;
}

RowEntry& RowStore::Keep(std::unique_ptr<RowEntry> entry) const {
  RowEntry& kept = **entries_.insert(std::move(entry)).first;
  leaving_.push_back(&kept);
  ++joined_;
  return kept;
}

// Inserted rows are mostly written once and seldom read: those nobody asked for
// do not take the room of others.
void RowStore::EvictInserted(const Turn& turn) {
  for (RowEntry* entry : turn.inserted_) {
    if (entry->used || entry->dirty || entry->pending_turn != 0) {
      leaving_.push_back(entry);
      ++joined_;
    } else {
      entries_.erase(entries_.find(entry->key));
    }
  }
}

// Who was used since it was last asked gets a second chance.
void RowStore::Evict() {
  for (size_t left = 64 + 2 * std::exchange(joined_, 0);
       left > 0 && !leaving_.empty() &&
       entries_.size() > static_cast<size_t>(options_.cached_rows);
       --left) {
    RowEntry* entry = leaving_.front();
    leaving_.pop_front();
    if (entry->dirty || entry->pending_turn != 0 ||
        std::exchange(entry->used, false)) {
      leaving_.push_back(entry);
    } else {
      entries_.erase(entries_.find(entry->key));
    }
  }
}

std::unique_ptr<RowReader> RowStore::NewSnapshot() const {
  return std::make_unique<Snapshot>(*db_, broken_);
}

absl::StatusOr<RowStore::Scan> RowStore::ScanDigest() const {
  Scan scan;
  rocksdb::ReadOptions read;
  read.fill_cache = false;
  read.readahead_size = 2 << 20;
  std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(read));
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const absl::string_view key = ToView(it->key());
    if (key == kMetaKey) {
      if (!scan.meta.ParseFromArray(it->value().data(),
                                    static_cast<int>(it->value().size()))) {
        return absl::DataLossError("position is unreadable");
      }
      continue;
    }
    scan.digest += PairHash(key, ToView(it->value()));
    ++scan.rows;
  }
  RETURN_IF_ERROR(broken_.Note(ToStatus(it->status())));
  return scan;
}

absl::StatusOr<int64_t> RowStore::WriteCheckpoint(
    const std::string& directory) const {
  rocksdb::Checkpoint* raw = nullptr;
  RETURN_IF_ERROR(ToStatus(rocksdb::Checkpoint::Create(db_.get(), &raw)));
  std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  RETURN_IF_ERROR(ToStatus(checkpoint->CreateCheckpoint(directory)));
  // Rows go on meanwhile: only the copy itself knows where it stands.
  rocksdb::Options options;
  options.info_log = RocksDbLog(directory);
  rocksdb::DB* copy = nullptr;
  RETURN_IF_ERROR(
      ToStatus(rocksdb::DB::OpenForReadOnly(options, directory, &copy)));
  const std::unique_ptr<rocksdb::DB> owner(copy);
  std::string bytes;
  common::v1::ShardMeta meta;
  RETURN_IF_ERROR(
      ToStatus(owner->Get(rocksdb::ReadOptions(), ToSlice(kMetaKey), &bytes)));
  if (!meta.ParseFromString(bytes)) {
    return absl::DataLossError("position is unreadable");
  }
  return meta.offset();
}

absl::Status WipeDirectory(const std::string& directory) {
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(directory, ": ", error.message()));
  }
  return absl::OkStatus();
}

}  // namespace aftercare::store
