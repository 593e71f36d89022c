// -----------------------------------------------------------------------------
// File: row_store.h
// -----------------------------------------------------------------------------
//
// The rows of one shard in one RocksDB database: one column family, keys
// "<table>/<id>" and index entries, WAL unsynced and only for live turns
// (everything here can be replayed). Rows are edited in turns:
//
//   store.Edit(kCases, name) ...           // Evolve, any number of events
//   Turn turn = store.EndTurn();           // serialized, digest known
//   ... the log acknowledges the turn's events ...
//   store.Commit({&turn, 1}, position);    // rows + position in one batch
//
// Between EndTurn and Commit a turn is pending: reads through this object see
// it, snapshots do not. Pending turns are committed in order, or dropped all
// together. A stretch of replay is one long turn, which is what coalesces it:
// each row that changed is written once.
//
// Why not rocksdb::WriteBatchWithIndex for what is pending: acknowledged turns
// have to leave the overlay in order while later ones stay, which it cannot do,
// and rows kept decoded spare a parse per event. An ordered map of pending keys
// merged with a RocksDB iterator does both.

#ifndef AFTERCARE_LIBS_STORE_ROW_STORE_H_
#define AFTERCARE_LIBS_STORE_ROW_STORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "aftercare/common/v1/rows.pb.h"
#include "libs/base/rows.h"
#include "rocksdb/db.h"
#include "rocksdb/write_batch.h"

namespace aftercare::store {

struct RowStoreOptions {
  std::string directory;
  int64_t write_buffer_bytes = int64_t{32} << 20;
  int64_t block_cache_bytes = int64_t{32} << 20;
  // Decoded rows kept beside what is pending.
  int cached_rows = 20000;
};

// A row as the store holds it in memory.
struct RowEntry {
  std::string key;
  const Schema::TableInfo* table = nullptr;
  std::unique_ptr<google::protobuf::Message> message;  // null: no such row
  bool dirty = false;
  bool used = true;
  bool inserted = false;      // by InsertRow, in a turn not yet committed
  uint64_t pending_turn = 0;  // last uncommitted turn that wrote it
  bool stored = false;        // exists as of the last closed turn
  absl::uint128 stored_hash = 0;
  bool index_known = false;
  std::vector<std::string> index_keys;  // as of the last closed turn

  absl::string_view id() const {
    return absl::string_view(key).substr(table->name.size() + 1);
  }
};

// Changes of one turn, ready to be written.
class Turn {
 public:
  Turn() = default;
  Turn(Turn&&) = default;
  Turn& operator=(Turn&&) = default;

  // The rows' writes, for measuring beside a bare database.
  const rocksdb::WriteBatch& batch() const { return batch_; }

 private:
  friend class RowStore;
  uint64_t number_ = 0;
  rocksdb::WriteBatch batch_;
  absl::uint128 digest_delta_ = 0;
  int64_t rows_delta_ = 0;
  std::vector<RowEntry*> entries_;
  std::vector<RowEntry*> inserted_;
  std::vector<std::string> pending_keys_;
};

// Not thread-safe, except NewSnapshot, ScanDigest and WriteCheckpoint, which
// may be called from any thread.
class RowStore final : public RowReader, public RowEditor {
 public:
  // Creates the directory if need be. DATA_LOSS when RocksDB finds the
  // database damaged: the caller wipes the directory and replays. `schema`
  // must outlive the store.
  static absl::StatusOr<std::unique_ptr<RowStore>> Open(
      const Schema& schema, RowStoreOptions options);
  ~RowStore() override;

  // What the committed rows stand for; default values for an empty store.
  const common::v1::ShardMeta& meta() const { return meta_; }

  using RowReader::Find;

  // RowReader: committed rows and pending turns, without the open turn's
  // unfinished index entries.
  const google::protobuf::Message* FindRow(
      absl::string_view key,
      const google::protobuf::Message& prototype) const override;
  void ScanKeys(
      absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key)> visit) const override;

  // RowEditor: belongs to the open turn.
  const google::protobuf::Message* FindForEdit(
      absl::string_view key,
      const google::protobuf::Message& prototype) override;
  google::protobuf::Message& EditRow(
      absl::string_view key,
      const google::protobuf::Message& prototype) override;
  google::protobuf::Message& InsertRow(
      absl::string_view key,
      const google::protobuf::Message& prototype) override;
  void EraseRow(absl::string_view key,
                const google::protobuf::Message& prototype) override;

  // Rows changed in the open turn.
  size_t open_rows() const { return dirty_.size(); }

  // Closes the open turn; it is pending from here on.
  Turn EndTurn();

  // A row's bytes as they are or will be stored; empty if there is no row.
  std::string SerializedRow(absl::string_view key,
                            const google::protobuf::Message& prototype) const;

  // Writes turns (the oldest pending ones, in order) and the position in one
  // batch; fills in the position's digest and row count. After an error
  // nothing of it is to be relied on: reopen.
  absl::Status Commit(absl::Span<Turn> turns, common::v1::ShardMeta position);

  // Closes the open turn and commits it at once: replay. Without the WAL, which
  // replay needs least: a crash goes back to what was flushed, a whole number
  // of turns. The first Commit afterwards flushes.
  absl::Status CommitOpenTurn(common::v1::ShardMeta position);

  // Forgets the open turn and all pending ones.
  void DropPending();

  // Committed rows at this moment. For one thread. Must end before the store.
  std::unique_ptr<RowReader> NewSnapshot() const;

  // Digest and position of one snapshot, added up anew over all rows.
  struct Scan {
    common::v1::ShardMeta meta;
    absl::uint128 digest = 0;
    int64_t rows = 0;
  };
  absl::StatusOr<Scan> ScanDigest() const;

  // A RocksDB checkpoint (hard links where possible) in a directory that does
  // not exist yet.
  absl::StatusOr<int64_t> WriteCheckpoint(const std::string& directory) const;

  // True when RocksDB has met a background error: reopen.
  bool HasBackgroundError() const;

 private:
  struct KeyHash {
    using is_transparent = void;
    size_t operator()(absl::string_view key) const {
      return absl::Hash<absl::string_view>()(key);
    }
    size_t operator()(const std::unique_ptr<RowEntry>& entry) const {
      return (*this)(entry->key);
    }
  };
  struct KeyEqual {
    using is_transparent = void;
    static absl::string_view Of(absl::string_view key) { return key; }
    static absl::string_view Of(const std::unique_ptr<RowEntry>& entry) {
      return entry->key;
    }
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return Of(a) == Of(b);
    }
  };
  struct PendingKey {
    uint64_t turn = 0;
    bool exists = false;
  };

  explicit RowStore(const Schema& schema, RowStoreOptions options)
      : schema_(schema), options_(std::move(options)) {}

  // The entry of a key as RocksDB has it.
  std::unique_ptr<RowEntry> Read(
      absl::string_view key, const google::protobuf::Message& prototype) const;
  // Makes the entry part of the open turn.
  void Touch(RowEntry& entry);
  RowEntry& Load(absl::string_view key,
                 const google::protobuf::Message& prototype);
  Turn Serialize(bool track_pending);
  absl::Status Write(absl::Span<Turn> turns, common::v1::ShardMeta position,
                     bool logged);
  void EvictInserted(const Turn& turn);
  void Evict();

  const Schema& schema_;
  RowStoreOptions options_;
  std::unique_ptr<rocksdb::DB> db_;
  common::v1::ShardMeta meta_;
  mutable absl::flat_hash_set<std::unique_ptr<RowEntry>, KeyHash, KeyEqual>
      entries_;
  std::vector<RowEntry*> dirty_;
  absl::btree_map<std::string, PendingKey> pending_keys_;
  uint64_t last_turn_ = 0;
  bool unlogged_ = false;  // rows that only the memtable has
};

// Removes a shard's directory with all it holds.
absl::Status WipeDirectory(const std::string& directory);

}  // namespace aftercare::store

#endif  // AFTERCARE_LIBS_STORE_ROW_STORE_H_
