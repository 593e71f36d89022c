// The two commonest queries: one row by name, rows under a name prefix.

#ifndef AFTERCARE_LIBS_SHARD_GET_H_
#define AFTERCARE_LIBS_SHARD_GET_H_

#include <functional>
#include <string>
#include <type_traits>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/rows.h"
#include "libs/base/status_macros.h"
#include "libs/shard/paging.h"
#include "libs/shard/service.h"

namespace aftercare::shard {

// NAME_INVALID, NOT_FOUND, or a copy of the row.
template <typename M>
absl::StatusOr<M> GetRow(const QueryContext& context, const Table<M>& table,
                         absl::string_view pattern, absl::string_view name) {
  RETURN_IF_ERROR(CheckName("name", pattern, name));
  const M* row = context.rows().Find(table, name);
  if (row == nullptr) return NotFound(name);
  return *row;
}

// The prefix of the names in a collection: "<parent>/<collection>/", or for a
// wildcard parent ("companies/a/customers/-") that of all its boundaries.
inline std::string NamePrefix(absl::string_view parent,
                              absl::string_view collection) {
  if (IdOf(parent) == "-") {
    return std::string(parent.substr(0, parent.size() - 1));
  }
  return absl::StrCat(parent, "/", collection, "/");
}

// Rows whose names begin with `prefix`, by name, over all shards of the
// context; `take` as in WalkPage. Returns the next page token.
template <typename M>
absl::StatusOr<std::string> ListRows(
    const QueryContext& context, const PageRequest& page, const Table<M>& table,
    absl::string_view prefix,
    const std::function<bool(const std::type_identity_t<M>&)>& take) {
  return WalkTable(context, page, table.name, prefix,
                   [&](const RowReader& rows, absl::string_view id) {
                     const M* row = rows.Find(table, id);
                     return row != nullptr && take(*row);
                   });
}

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_GET_H_
