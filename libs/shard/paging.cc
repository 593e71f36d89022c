#include "libs/shard/paging.h"

#include <algorithm>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "google/protobuf/descriptor.h"
#include "libs/base/ids.h"
#include "libs/base/refusal.h"

namespace aftercare::shard {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void AppendValue(const Message& message, const FieldDescriptor* field,
                 int index, std::string& out);

void AppendMessage(const Message& message, bool top, std::string& out) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);  // ascending by number
  for (const FieldDescriptor* field : fields) {
    if (top && (field->name() == "page_size" || field->name() == "page_token" ||
                field->name() == "request_id")) {
      continue;
    }
    const int count =
        field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    absl::StrAppend(&out, "{", field->number(), "*", count, ":");
    for (int i = 0; i < count; ++i) {
      AppendValue(message, field, field->is_repeated() ? i : -1, out);
    }
    out += '}';
  }
}

void AppendValue(const Message& message, const FieldDescriptor* field,
                 int index, std::string& out) {
  const auto* r = message.GetReflection();
  const bool repeated = index >= 0;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      absl::StrAppend(&out,
                      repeated ? r->GetRepeatedInt32(message, field, index)
                               : r->GetInt32(message, field),
                      ",");
      break;
    case FieldDescriptor::CPPTYPE_INT64:
      absl::StrAppend(&out,
                      repeated ? r->GetRepeatedInt64(message, field, index)
                               : r->GetInt64(message, field),
                      ",");
      break;
    case FieldDescriptor::CPPTYPE_UINT32:
      absl::StrAppend(&out,
                      repeated ? r->GetRepeatedUInt32(message, field, index)
                               : r->GetUInt32(message, field),
                      ",");
      break;
    case FieldDescriptor::CPPTYPE_UINT64:
      absl::StrAppend(&out,
                      repeated ? r->GetRepeatedUInt64(message, field, index)
                               : r->GetUInt64(message, field),
                      ",");
      break;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      absl::StrAppend(&out,
                      repeated ? r->GetRepeatedDouble(message, field, index)
                               : r->GetDouble(message, field),
                      ",");
      break;
    case FieldDescriptor::CPPTYPE_FLOAT:
      absl::StrAppend(&out,
                      repeated ? r->GetRepeatedFloat(message, field, index)
                               : r->GetFloat(message, field),
                      ",");
      break;
    case FieldDescriptor::CPPTYPE_BOOL:
      out += (repeated ? r->GetRepeatedBool(message, field, index)
                       : r->GetBool(message, field))
                 ? "t,"
                 : "f,";
      break;
    case FieldDescriptor::CPPTYPE_ENUM:
      absl::StrAppend(&out,
                      repeated ? r->GetRepeatedEnumValue(message, field, index)
                               : r->GetEnumValue(message, field),
                      ",");
      break;
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      const std::string& text =
          repeated
              ? r->GetRepeatedStringReference(message, field, index, &scratch)
              : r->GetStringReference(message, field, &scratch);
      absl::StrAppend(&out, text.size(), "\"", text);
      break;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      AppendMessage(repeated ? r->GetRepeatedMessage(message, field, index)
                             : r->GetMessage(message, field),
                    false, out);
      break;
  }
}

absl::Status BadToken() {
  return Refuse(common::v1::REASON_PAGE_TOKEN_INVALID,
                "page_token is not one that this list gave for these arguments",
                {{"field", "page_token"}});
}

// One entry of the merged walk.
struct Entry {
  std::string key;
  std::string id;
  size_t shard;

  friend bool operator<(const Entry& a, const Entry& b) {
    if (a.key != b.key) return a.key < b.key;
    if (a.id != b.id) return a.id < b.id;
    return a.shard < b.shard;
  }
};

}  // namespace

int PageLimit(int page_size) {
  return page_size == 0 ? kDefaultPageSize : std::min(page_size, kMaxPageSize);
}

std::string PageToken(absl::string_view list, const Places::Place& last) {
  return absl::WebSafeBase64Escape(
      absl::StrCat(list, last.key, absl::string_view("\0", 1), last.id));
}

uint64_t ArgumentsDigest(const Message& request) {
  std::string text = request.GetDescriptor()->full_name();
  AppendMessage(request, true, text);
  return StableHash(text);
}

namespace {

// Visits (key, id) pairs of one shard with key >= from, ascending.
using ScanFn = absl::FunctionRef<void(
    const RowReader& rows, const std::string& from,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view id)>)>;

absl::StatusOr<std::string> Walk(
    const QueryContext& context, const PageRequest& page,
    const IndexRange& range, ScanFn scan,
    absl::FunctionRef<bool(const RowReader&, absl::string_view)> take) {
  if (page.page_size < 0) {
    return InvalidField("page_size", "must not be negative");
  }
  const int limit = PageLimit(page.page_size);
  // Token: 16 hex digits of the arguments' digest, then key NUL id.
  const std::string digest = absl::StrCat(
      absl::Hex(page.arguments ^ StableHash(range.index), absl::kZeroPad16));
  std::string after_key;
  std::string after_id;
  bool continued = false;
  if (!page.page_token.empty()) {
    std::string token;
    if (!absl::WebSafeBase64Unescape(page.page_token, &token) ||
        token.size() < 17 || token.substr(0, 16) != digest) {
      return BadToken();
    }
    const size_t split = token.rfind('\0');
    if (split == std::string::npos || split < 16) return BadToken();
    after_key = token.substr(16, split - 16);
    after_id = token.substr(split + 1);
    if (after_key < range.from || after_key >= range.to) return BadToken();
    continued = true;
  }

  // Each shard hands over entries in stretches; the smallest comes next. A
  // shard's stretch is refilled when it runs dry.
  struct Cursor {
    std::vector<Entry> stretch;
    size_t next = 0;
    std::string from_key;
    std::string from_id;
    bool behind = false;  // entries up to (from_key, from_id) are done
    bool more = true;
  };
  std::vector<Cursor> cursors(context.shards.size());
  const size_t stretch_size = static_cast<size_t>(limit) + 1;
  const auto refill = [&](size_t shard) {
    Cursor& cursor = cursors[shard];
    cursor.stretch.clear();
    cursor.next = 0;
    cursor.more = false;
    scan(*context.shards[shard], cursor.behind ? cursor.from_key : range.from,
         [&](absl::string_view key, absl::string_view id) {
           if (cursor.behind &&
               (key < cursor.from_key ||
                (key == cursor.from_key && id <= cursor.from_id))) {
             return true;
           }
           if (cursor.stretch.size() == stretch_size) {
             cursor.more = true;
             return false;
           }
           cursor.stretch.push_back({std::string(key), std::string(id), shard});
           return true;
         });
    if (!cursor.stretch.empty()) {
      cursor.behind = true;
      cursor.from_key = cursor.stretch.back().key;
      cursor.from_id = cursor.stretch.back().id;
    }
  };
  for (size_t i = 0; i < cursors.size(); ++i) {
    cursors[i].behind = continued;
    cursors[i].from_key = after_key;
    cursors[i].from_id = after_id;
    refill(i);
  }

  if (context.places != nullptr) *context.places = {digest, {}};
  int taken = 0;
  std::string last_key;
  std::string last_id;
  while (true) {
    Cursor* best = nullptr;
    for (size_t i = 0; i < cursors.size(); ++i) {
      Cursor& cursor = cursors[i];
      if (cursor.next == cursor.stretch.size() && cursor.more) refill(i);
      if (cursor.next == cursor.stretch.size()) continue;
      if (best == nullptr ||
          cursor.stretch[cursor.next] < best->stretch[best->next]) {
        best = &cursor;
      }
    }
    if (best == nullptr) return std::string();
    if (taken == limit) {
      return PageToken(digest, {last_key, last_id});
    }
    const Entry& entry = best->stretch[best->next++];
    last_key = entry.key;
    last_id = entry.id;
    if (!take(*context.shards[entry.shard], entry.id)) continue;
    ++taken;
    if (context.places != nullptr) {
      context.places->entries.push_back({entry.key, entry.id});
    }
  }
}

}  // namespace

absl::StatusOr<std::string> WalkPage(
    const QueryContext& context, const PageRequest& page,
    const IndexRange& range,
    absl::FunctionRef<bool(const RowReader&, absl::string_view)> take) {
  return Walk(
      context, page, range,
      [&](const RowReader& rows, const std::string& from,
          absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) {
        rows.ScanIndex(range.index, from, range.to, visit);
      },
      take);
}

absl::StatusOr<std::string> WalkTable(
    const QueryContext& context, const PageRequest& page,
    absl::string_view table, absl::string_view prefix,
    absl::FunctionRef<bool(const RowReader&, absl::string_view)> take) {
  const IndexRange range{std::string(table), std::string(prefix),
                         PrefixEnd(prefix)};
  const size_t skip = table.size() + 1;
  return Walk(
      context, page, range,
      [&](const RowReader& rows, const std::string& from,
          absl::FunctionRef<bool(absl::string_view, absl::string_view)> visit) {
        rows.ScanKeys(RowKey(table, from), RowKey(table, range.to),
                      [&](absl::string_view key) {
                        return visit(key.substr(skip), key.substr(skip));
                      });
      },
      take);
}

}  // namespace aftercare::shard
