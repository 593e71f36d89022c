// Rows in memory: domain tests and as-of questions run on them. The same
// tables and indexes as in a shard; indexes are brought up to date before they
// are scanned.

#ifndef AFTERCARE_LIBS_BASE_MEMORY_ROWS_H_
#define AFTERCARE_LIBS_BASE_MEMORY_ROWS_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "libs/base/rows.h"

namespace aftercare {

// Not thread-safe. `schema` must outlive it.
class MemoryRows final : public RowReader, public RowEditor {
 public:
  explicit MemoryRows(const Schema& schema) : schema_(schema) {}

  using RowReader::Find;

  const google::protobuf::Message* FindRow(
      absl::string_view key,
      const google::protobuf::Message& prototype) const override;
  void ScanKeys(
      absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view key)> visit) const override;
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

  // Every key with its row's serialized bytes (empty for index entries), for
  // comparing two sets of rows.
  std::map<std::string, std::string> Dump() const;

 private:
  struct Row {
    std::unique_ptr<google::protobuf::Message> message;
    std::vector<std::string> index_keys;
  };
  void BringIndexesUpToDate() const;

  const Schema& schema_;
  mutable std::map<std::string, Row, std::less<>> rows_;
  mutable std::set<std::string, std::less<>> index_;
  mutable std::set<std::string, std::less<>> changed_;
};

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_BASE_MEMORY_ROWS_H_
