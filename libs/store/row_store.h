// -----------------------------------------------------------------------------
// File: row_store.h
// -----------------------------------------------------------------------------
//
// The rows of one shard in one RocksDB database: one column family, keys
// "<table>/<id>" and index entries. There is no WAL: the log is one. After a
// crash the rows stand where a memtable was last flushed, at the end of a
// stretch, and are replayed from there. Rows are edited in turns:
//
//   store.Edit(kCases, name) ...           // Evolve, any number of events
//   Turn turn = store.EndTurn();           // serialized, digest known
//   ... the log acknowledges the turn's events ...
//   store.Accept(std::move(turn), position);
//   store.Write();                         // rows + position in one batch
//
// Until it is accepted a turn is pending: it can be dropped, with all later
// ones. Turns are accepted in order. Reads through this object see the rows of
// pending and accepted turns, snapshots only what is written. Many accepted
// turns written at once are a stretch: of a row that changed in several of them
// only the last is written. A stretch of replay is one long turn.
//
// Why not rocksdb::WriteBatchWithIndex for what is pending: acknowledged turns
// have to leave the overlay in order while later ones stay, which it cannot do,
// and rows kept decoded spare a parse per event. An ordered map of pending keys
// merged with a RocksDB iterator does both.

#ifndef AFTERCARE_LIBS_STORE_ROW_STORE_H_
#define AFTERCARE_LIBS_STORE_ROW_STORE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
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
  bool inserted = false;      // by InsertRow, in the open turn
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
  struct Change {
    std::string key;
    std::string value;
    bool erased = false;
  };

  Turn() = default;
  Turn(Turn&&) = default;
  Turn& operator=(Turn&&) = default;

  const std::vector<Change>& changes() const { return *changes_; }

  // Null if the turn did not write that row.
  const std::string* ValueOf(absl::string_view key) const;

 private:
  friend class RowStore;
  uint64_t number_ = 0;
  // Shared with the store for as long as the turn is pending.
  std::shared_ptr<std::vector<Change>> changes_ =
      std::make_shared<std::vector<Change>>();
  absl::uint128 digest_delta_ = 0;
  int64_t rows_delta_ = 0;
  std::vector<RowEntry*> entries_;
  std::vector<RowEntry*> inserted_;
};

// The first error of several threads. Thread-safe.
class FirstError {
 public:
  bool ok() const { return !set_.load(std::memory_order_acquire); }
  absl::Status status() const;
  // Gives back what it was told.
  absl::Status Note(absl::Status status);

 private:
  std::atomic<bool> set_{false};
  mutable std::mutex mutex_;
  absl::Status status_;  // guarded by mutex_
};

// Not thread-safe, except NewSnapshot, ScanDigest, WriteCheckpoint, broken and
// status, which may be called from any thread.
class RowStore final : public RowReader, public RowEditor {
 public:
  // Creates the directory if need be. DATA_LOSS when RocksDB finds the
  // database damaged: the caller wipes the directory and replays. `schema`
  // must outlive the store.
  static absl::StatusOr<std::unique_ptr<RowStore>> Open(
      const Schema& schema, RowStoreOptions options);
  ~RowStore() override;

  // What the accepted rows stand for; default values for an empty store.
  const common::v1::ShardMeta& meta() const { return meta_; }

  using RowReader::Find;

  // RowReader: accepted rows and pending turns, without the open turn's
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

  // The oldest pending turn happened: meta() becomes `position`, with digest
  // and row count filled in. Write is due some time.
  void Accept(Turn turn, common::v1::ShardMeta position);

  // Bytes of changes that are accepted but not written.
  size_t unwritten() const { return unwritten_; }

  // Writes what was accepted, with the position, in one batch. After an error
  // the store is broken.
  absl::Status Write();

  // Closes the open turn and writes it at once: replay. Nothing is pending or
  // unwritten.
  absl::Status CommitOpenTurn(common::v1::ShardMeta position);

  // Lets go of decoded rows beyond `cached_rows`, a few at a time: all at once
  // would hold up commands for a tenth of a second. Rows found before are
  // gone. Write does not do it, CommitOpenTurn does.
  void Evict();

  // Forgets the open turn and all pending ones. Nothing is unwritten.
  void DropPending();

  // Written rows at this moment. For one thread. Must end before the store,
  // which a read that fails breaks.
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

  // A read has failed, of this object or of a snapshot, or a write: rows may
  // seem to be missing, meta() may be ahead of what RocksDB has. It stays so,
  // and nothing more is written. To be opened again; after DATA_LOSS the
  // directory is of no use.
  bool broken() const { return !broken_.ok(); }
  absl::Status status() const override { return broken_.status(); }

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
  struct PendingTurn {
    uint64_t number = 0;
    std::shared_ptr<const std::vector<Turn::Change>> changes;
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
  // Closes the open turn. With `long_turn` the changes go there and nowhere
  // else.
  Turn Serialize(rocksdb::WriteBatch* long_turn);
  absl::Status WriteBatch(rocksdb::WriteBatch& batch);
  RowEntry& Keep(std::unique_ptr<RowEntry> entry) const;
  void EvictInserted(const Turn& turn);

  const Schema& schema_;
  RowStoreOptions options_;
  std::unique_ptr<rocksdb::DB> db_;
  common::v1::ShardMeta meta_;
  mutable absl::flat_hash_set<std::unique_ptr<RowEntry>, KeyHash, KeyEqual>
      entries_;
  // Entries in the order in which they are asked to leave; not those that were
  // inserted and not written yet.
  mutable std::deque<RowEntry*> leaving_;
  mutable size_t joined_ = 0;  // leaving_, since Evict
  // The key that was last looked for in RocksDB in vain: most commands that
  // make something ask first whether it is there. Empty after a write.
  mutable std::string absent_;
  std::vector<RowEntry*> dirty_;
  std::deque<PendingTurn> pending_;  // not yet written, in order
  // Of the first `ordered_` pending turns: whether a key is there after them.
  // Brought up to date by who scans; most commands do not.
  mutable absl::btree_map<absl::string_view, bool> pending_keys_;
  mutable size_t ordered_ = 0;
  uint64_t last_turn_ = 0;
  std::vector<Turn> accepted_;  // in order, not yet written
  size_t unwritten_ = 0;        // bytes of accepted_
  mutable FirstError broken_;
};

// Removes a shard's directory with all it holds.
absl::Status WipeDirectory(const std::string& directory);

}  // namespace aftercare::store

#endif  // AFTERCARE_LIBS_STORE_ROW_STORE_H_
