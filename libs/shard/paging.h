// -----------------------------------------------------------------------------
// File: paging.h
// -----------------------------------------------------------------------------
//
// Lists with stable page tokens over one or many shards: entries come from an
// index, merged across shards by (key, id); the token is the last entry's
// place plus a digest of the request's other arguments.

#ifndef AFTERCARE_LIBS_SHARD_PAGING_H_
#define AFTERCARE_LIBS_SHARD_PAGING_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "libs/shard/service.h"

namespace aftercare::shard {

struct PageRequest {
  // 0 takes 50; above 1000 is capped; negative is refused.
  int page_size = 0;
  std::string page_token;
  // Digest of the request without page_size and page_token: ArgumentsDigest.
  uint64_t arguments = 0;
};

// Hash of a request's set fields except page_size, page_token and request_id;
// canonical, not over serialized bytes.
uint64_t ArgumentsDigest(const google::protobuf::Message& request);

// The page fields of a List request (`page_size`, `page_token`).
template <typename Request>
PageRequest PageOf(const Request& request) {
  return {request.page_size(), request.page_token(), ArgumentsDigest(request)};
}

// How many entries a page of this request has at most.
int PageLimit(int page_size);

// The token that continues behind `last`; `list` as in Places.
std::string PageToken(absl::string_view list, const Places::Place& last);

// One index to walk: entries with from <= key < to.
struct IndexRange {
  std::string index;
  std::string from;
  std::string to;
};

// Walks `range` over all shards of `context` in (key, id) order. `take(rows,
// id)` looks the row up in the shard's rows and returns true when it belongs to
// the page (and has been copied into the caller's response). Returns the next
// page token, empty at the end. Refuses PAGE_TOKEN_INVALID, FIELD_INVALID.
absl::StatusOr<std::string> WalkPage(
    const QueryContext& context, const PageRequest& page,
    const IndexRange& range,
    absl::FunctionRef<bool(const RowReader& rows, absl::string_view id)> take);

// The same over the rows of a table whose ids begin with `prefix`, by id.
absl::StatusOr<std::string> WalkTable(
    const QueryContext& context, const PageRequest& page,
    absl::string_view table, absl::string_view prefix,
    absl::FunctionRef<bool(const RowReader& rows, absl::string_view id)> take);

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_PAGING_H_
