#include "libs/base/memory_rows.h"

#include "absl/strings/string_view.h"

namespace aftercare {

const google::protobuf::Message* MemoryRows::FindRow(
    absl::string_view key, const google::protobuf::Message&) const {
  const auto it = rows_.find(key);
  return it == rows_.end() ? nullptr : it->second.message.get();
}

void MemoryRows::ScanKeys(
    absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view)> visit) const {
  BringIndexesUpToDate();
  auto row = rows_.lower_bound(from);
  auto entry = index_.lower_bound(from);
  while (true) {
    const bool has_row = row != rows_.end() && row->first < to;
    const bool has_entry = entry != index_.end() && *entry < to;
    if (!has_row && !has_entry) return;
    const bool take_row = has_row && (!has_entry || row->first < *entry);
    if (!visit(take_row ? absl::string_view(row->first)
                        : absl::string_view(*entry))) {
      return;
    }
    if (take_row) {
      ++row;
    } else {
      ++entry;
    }
  }
}

const google::protobuf::Message* MemoryRows::FindForEdit(
    absl::string_view key, const google::protobuf::Message& prototype) {
  return FindRow(key, prototype);
}

google::protobuf::Message& MemoryRows::EditRow(
    absl::string_view key, const google::protobuf::Message& prototype) {
  Row& row = rows_[std::string(key)];
  if (row.message == nullptr) row.message.reset(prototype.New());
  changed_.insert(std::string(key));
  return *row.message;
}

google::protobuf::Message& MemoryRows::InsertRow(
    absl::string_view key, const google::protobuf::Message& prototype) {
  return EditRow(key, prototype);
}

void MemoryRows::EraseRow(absl::string_view key,
                          const google::protobuf::Message&) {
  const auto it = rows_.find(key);
  if (it == rows_.end()) return;
  for (const std::string& old : it->second.index_keys) index_.erase(old);
  rows_.erase(it);
  changed_.erase(std::string(key));
}

std::map<std::string, std::string> MemoryRows::Dump() const {
  BringIndexesUpToDate();
  std::map<std::string, std::string> dump;
  for (const auto& [key, row] : rows_) {
    dump.emplace(key, row.message->SerializeAsString());
  }
  for (const std::string& key : index_) dump.emplace(key, "");
  return dump;
}

void MemoryRows::BringIndexesUpToDate() const {
  for (const std::string& key : changed_) {
    const Schema::TableInfo* table = schema_.TableOfKey(key);
    if (table == nullptr) continue;
    Row& row = rows_.at(key);
    for (const std::string& old : row.index_keys) index_.erase(old);
    row.index_keys = Schema::IndexKeysOf(
        *table, absl::string_view(key).substr(table->name.size() + 1),
        *row.message);
    index_.insert(row.index_keys.begin(), row.index_keys.end());
  }
  changed_.clear();
}

}  // namespace aftercare
