// -----------------------------------------------------------------------------
// File: rows.h
// -----------------------------------------------------------------------------
//
// State as the domain sees it: rows (protobuf messages) in tables, keyed by
// resource name, and indexes derived from them. Decide reads rows, Evolve edits
// them, queries scan indexes. The same code runs over RocksDB (libs/store) and
// over memory (memory_rows.h).
//
//   inline constexpr Table<v1::Case> kCases{"case"};
//   const v1::Case* c = rows.Find(kCases, "companies/a/customers/1/cases/7");
//   rows.Edit(kCases, name).set_state(v1::Case::CLOSED);
//
// An index is a pure function from a row to keys. Nobody maintains an index:
// it is brought up to date from the rows that changed, so an index rebuilt
// always equals the one maintained.

#ifndef AFTERCARE_LIBS_BASE_ROWS_H_
#define AFTERCARE_LIBS_BASE_ROWS_H_

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"

namespace aftercare {

// Rows of message type M. `name` is unique within a service, never changes and
// holds lower-case letters, digits, '_' and '.'.
template <typename M>
struct Table {
  absl::string_view name;
};

// Key of a row in the store: "<table>/<id>".
std::string RowKey(absl::string_view table, absl::string_view id);

// Key of an index entry in the store: "<index>/<key>\0<id>".
std::string IndexKey(absl::string_view index, absl::string_view key,
                     absl::string_view id);

// Rows of one shard, read only. Not thread-safe unless said otherwise.
class RowReader {
 public:
  virtual ~RowReader() = default;

  // The row, or null. Valid until the rows are changed or the reader ends.
  template <typename M>
  const M* Find(const Table<M>& table, absl::string_view id) const {
    return static_cast<const M*>(
        FindRow(RowKey(table.name, id), M::default_instance()));
  }

  // Visits entries of an index with from <= key < to, ascending by key, then
  // id; stops when `visit(key, id)` returns false. `from` may also be a
  // position "key\0id" to continue behind: see NextPosition.
  void ScanIndex(
      absl::string_view index, absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key, absl::string_view id)>
          visit) const;

  // Visits the rows of a table with from <= id < to, ascending.
  template <typename M>
  void ScanTable(const Table<M>& table, absl::string_view from,
                 absl::string_view to,
                 absl::FunctionRef<bool(absl::string_view id,
                                        const std::type_identity_t<M>& row)>
                     visit) const {
    ScanRows(table.name, from, to, M::default_instance(),
             [&](absl::string_view id, const google::protobuf::Message& row) {
               return visit(id, static_cast<const M&>(row));
             });
  }

  // The row under a full key, for callers that know the type at run time only.
  virtual const google::protobuf::Message* FindRow(
      absl::string_view key,
      const google::protobuf::Message& prototype) const = 0;

  // Visits raw keys (index entries and rows alike) in [from, to). Rows that
  // this reader holds decoded only are not visited by value: use ScanRows.
  virtual void ScanKeys(
      absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key)> visit) const = 0;

  void ScanRows(absl::string_view table, absl::string_view from,
                absl::string_view to,
                const google::protobuf::Message& prototype,
                absl::FunctionRef<bool(absl::string_view id,
                                       const google::protobuf::Message& row)>
                    visit) const;

  // OK, or the first read that failed. Then what this reader did not find may
  // be there all the same: neither an answer nor a decision may rest on it.
  virtual absl::Status status() const { return absl::OkStatus(); }
};

// Rows as Evolve changes them: no scanning, so that replay may put off the
// upkeep of indexes.
class RowEditor {
 public:
  virtual ~RowEditor() = default;

  template <typename M>
  const M* Find(const Table<M>& table, absl::string_view id) {
    return static_cast<const M*>(
        FindForEdit(RowKey(table.name, id), M::default_instance()));
  }

  // The row for changing; a default row if there is none yet. The reference
  // is good until the same row is erased or the turn ends.
  template <typename M>
  M& Edit(const Table<M>& table, absl::string_view id) {
    return static_cast<M&>(
        EditRow(RowKey(table.name, id), M::default_instance()));
  }

  // A new row under an id of which the caller knows that it has none: spares
  // the look. The reference is good as that of Edit.
  template <typename M>
  M& Insert(const Table<M>& table, absl::string_view id) {
    return static_cast<M&>(
        InsertRow(RowKey(table.name, id), M::default_instance()));
  }

  // Removes the row; nothing happens if there is none.
  template <typename M>
  void Erase(const Table<M>& table, absl::string_view id) {
    EraseRow(RowKey(table.name, id), M::default_instance());
  }

  virtual const google::protobuf::Message* FindForEdit(
      absl::string_view key, const google::protobuf::Message& prototype) = 0;
  virtual google::protobuf::Message& EditRow(
      absl::string_view key, const google::protobuf::Message& prototype) = 0;
  virtual google::protobuf::Message& InsertRow(
      absl::string_view key, const google::protobuf::Message& prototype) = 0;
  virtual void EraseRow(absl::string_view key,
                        const google::protobuf::Message& prototype) = 0;
};

// The tables and indexes of a service. Built once at start; then read only and
// thread-safe.
class Schema {
 public:
  using IndexFn =
      std::function<std::vector<std::string>(const google::protobuf::Message&)>;

  struct IndexInfo {
    std::string name;
    IndexFn keys;
  };
  struct TableInfo {
    std::string name;
    const google::protobuf::Message* prototype = nullptr;
    std::vector<IndexInfo> indexes;
  };

  // A table must be added before its indexes and only once.
  template <typename M>
  Schema& AddTable(const Table<M>& table) {
    AddTableInfo(table.name, M::default_instance());
    return *this;
  }

  // `keys` gives the row's keys in the index: none, one or several. It must
  // depend on the row alone.
  template <typename M>
  Schema& AddIndex(const Table<M>& table, absl::string_view index,
                   std::function<std::vector<std::string>(const M&)> keys) {
    AddIndexInfo(table.name, index,
                 [keys = std::move(keys)](const google::protobuf::Message& m) {
                   return keys(static_cast<const M&>(m));
                 });
    return *this;
  }

  // When the shard has to look at the row: past the earliest of the times it
  // asks the service to decide (DecideTimer). The decision must change the row
  // so that it no longer gives a time that has passed.
  template <typename M>
  Schema& AddTimer(const Table<M>& table,
                   std::function<std::vector<absl::Time>(const M&)> times) {
    AddTimerInfo(table.name, [times = std::move(times)](
                                 const google::protobuf::Message& m) {
      return times(static_cast<const M&>(m));
    });
    return *this;
  }

  // The table a store key "<table>/<id>" belongs to, or null.
  const TableInfo* TableOfKey(absl::string_view key) const;

  // The table whose rows have this message type, or null.
  const TableInfo* TableOf(const google::protobuf::Descriptor* type) const;

  const std::vector<std::unique_ptr<TableInfo>>& tables() const {
    return tables_;
  }

  // Store keys of all index entries of a row.
  static std::vector<std::string> IndexKeysOf(
      const TableInfo& table, absl::string_view id,
      const google::protobuf::Message& row);

 private:
  void AddTableInfo(absl::string_view name,
                    const google::protobuf::Message& prototype);
  void AddIndexInfo(absl::string_view table, absl::string_view index,
                    IndexFn fn);
  void AddTimerInfo(
      absl::string_view table,
      std::function<std::vector<absl::Time>(const google::protobuf::Message&)>
          times);

  std::vector<std::unique_ptr<TableInfo>> tables_;
  absl::flat_hash_map<std::string, TableInfo*> by_name_;
};

// Name of the index that AddTimer fills; its keys are SortableTime.
inline constexpr absl::string_view kTimerIndex = "timer";

// The smallest text greater than every text that begins with `prefix`.
std::string PrefixEnd(absl::string_view prefix);

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_ROWS_H_
