#include "libs/base/rows.h"

#include <algorithm>
#include <stdexcept>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/time.h"

namespace aftercare {
namespace {

// A mistake in a service's schema shows at its first start.
void Require(bool condition, absl::string_view what, absl::string_view name) {
  if (condition) return;
  throw std::logic_error(absl::StrCat("schema: ", what, ": ", name));
}

}  // namespace

std::string RowKey(absl::string_view table, absl::string_view id) {
  return absl::StrCat(table, "/", id);
}

std::string IndexKey(absl::string_view index, absl::string_view key,
                     absl::string_view id) {
  return absl::StrCat(index, "/", key, absl::string_view("\0", 1), id);
}

std::string PrefixEnd(absl::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) {
    end.pop_back();
  }
  if (!end.empty()) end.back() = static_cast<char>(end.back() + 1);
  return end;
}

void RowReader::ScanIndex(
    absl::string_view index, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) const {
  const size_t skip = index.size() + 1;
  ScanKeys(RowKey(index, from), RowKey(index, to),
           [&](absl::string_view entry) {
             entry.remove_prefix(skip);
             const size_t split = entry.rfind('\0');
             return visit(entry.substr(0, split), entry.substr(split + 1));
           });
}

void RowReader::ScanRows(
    absl::string_view table, absl::string_view from, absl::string_view to,
    const google::protobuf::Message& prototype,
    absl::FunctionRef<bool(absl::string_view, const google::protobuf::Message&)>
        visit) const {
  const size_t skip = table.size() + 1;
  ScanKeys(RowKey(table, from), RowKey(table, to), [&](absl::string_view key) {
    const google::protobuf::Message* row = FindRow(key, prototype);
    return row == nullptr || visit(key.substr(skip), *row);
  });
}

const Schema::TableInfo* Schema::TableOfKey(absl::string_view key) const {
  // A handful of tables: comparing beats hashing.
  for (const auto& table : tables_) {
    const std::string& name = table->name;
    if (key.size() > name.size() && key[name.size()] == '/' &&
        absl::StartsWith(key, name)) {
      return table.get();
    }
  }
  return nullptr;
}

const Schema::TableInfo* Schema::TableOf(
    const google::protobuf::Descriptor* type) const {
  for (const auto& table : tables_) {
    if (table->prototype->GetDescriptor() == type) return table.get();
  }
  return nullptr;
}

std::vector<std::string> Schema::IndexKeysOf(
    const TableInfo& table, absl::string_view id,
    const google::protobuf::Message& row) {
  std::vector<std::string> keys;
  for (const IndexInfo& index : table.indexes) {
    for (const std::string& key : index.keys(row)) {
      keys.push_back(IndexKey(index.name, key, id));
    }
  }
  return keys;
}

void Schema::AddTableInfo(absl::string_view name,
                          const google::protobuf::Message& prototype) {
  Require(!by_name_.contains(name), "table added twice", name);
  auto info = std::make_unique<TableInfo>();
  info->name = std::string(name);
  info->prototype = &prototype;
  by_name_.emplace(info->name, info.get());
  tables_.push_back(std::move(info));
}

void Schema::AddIndexInfo(absl::string_view table, absl::string_view index,
                          IndexFn fn) {
  const auto it = by_name_.find(table);
  Require(it != by_name_.end(), "index on an unknown table", index);
  Require(!by_name_.contains(index), "index named as a table", index);
  it->second->indexes.push_back({std::string(index), std::move(fn)});
}

void Schema::AddTimerInfo(
    absl::string_view table,
    std::function<std::vector<absl::Time>(const google::protobuf::Message&)>
        times) {
  AddIndexInfo(table, kTimerIndex,
               [times = std::move(times)](const google::protobuf::Message& m) {
                 const std::vector<absl::Time> all = times(m);
                 if (all.empty()) return std::vector<std::string>();
                 return std::vector<std::string>{
                     SortableTime(*std::min_element(all.begin(), all.end()))};
               });
}

}  // namespace aftercare
