#include "libs/shard/history.h"

#include <algorithm>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "google/protobuf/util/json_util.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/shard/history_rows.h"

namespace aftercare::shard {
namespace {

constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;

}  // namespace

void AppendHistory(RowEditor& rows, const EventMeta& meta,
                   absl::string_view event_bytes) {
  common::v1::HistoryRow& row = rows.Edit(kHistory, meta.subject);
  if (row.entries_size() == kHistoryStretch) {
    // The open stretch is full: it moves to a row of its own.
    const int64_t base = row.base();
    rows.Edit(kHistory, HistoryStretchId(meta.subject, base)).Swap(&row);
    row.Clear();
    row.set_base(base + kHistoryStretch);
  }
  auto* entry = row.add_entries();
  entry->set_event_id(meta.id);
  *entry->mutable_occur_time() = ToProto(meta.occur_time);
  *entry->mutable_record_time() = ToProto(meta.record_time);
  entry->set_actor(meta.actor);
  entry->set_revision(meta.revision);
  entry->set_event(std::string(event_bytes));
}

std::string HistoryStretchId(absl::string_view subject, int64_t base) {
  return absl::StrCat(subject, "#", base);
}

std::string FactName(const google::protobuf::Message& event) {
  const auto* oneof = event.GetDescriptor()->FindOneofByName("fact");
  if (oneof == nullptr) return "";
  const auto* field =
      event.GetReflection()->GetOneofFieldDescriptor(event, oneof);
  if (field == nullptr) return "";
  const auto& fact = event.GetReflection()->GetMessage(event, field);
  // The platform's own facts lie one level deeper.
  const std::string inner = FactName(fact);
  return inner.empty() ? field->message_type()->name() : inner;
}

absl::StatusOr<common::v1::GetHistoryResponse> ReadHistory(
    const QueryContext& context, const common::v1::GetHistoryRequest& request,
    const google::protobuf::Message& event_prototype) {
  if (request.page_size() < 0) {
    return InvalidField("page_size", "must not be negative");
  }
  const int64_t limit = request.page_size() == 0
                            ? kDefaultPageSize
                            : std::min(request.page_size(), kMaxPageSize);
  const RowReader& rows = context.rows();
  const auto* open = rows.Find(kHistory, request.name());
  if (open == nullptr) return NotFound(request.name());
  const int64_t total = open->base() + open->entries_size();
  int64_t start = 0;
  if (!request.page_token().empty()) {
    std::string token;
    if (!absl::WebSafeBase64Unescape(request.page_token(), &token) ||
        !absl::SimpleAtoi(token, &start) || start <= 0 || start > total) {
      return Refuse(common::v1::REASON_PAGE_TOKEN_INVALID,
                    "page_token is not one that this list gave",
                    {{"field", "page_token"}});
    }
  }
  common::v1::GetHistoryResponse response;
  const int64_t end = std::min(total, start + limit);
  for (int64_t i = start; i < end; ++i) {
    const int64_t base = i - i % kHistoryStretch;
    const auto* stretch =
        base == open->base()
            ? open
            : rows.Find(kHistory, HistoryStretchId(request.name(), base));
    if (stretch == nullptr || i - base >= stretch->entries_size()) {
      return Refuse(common::v1::REASON_INTERNAL_ERROR,
                    "a stretch of the history is missing",
                    {{"name", request.name()}});
    }
    const auto& from = stretch->entries(static_cast<int>(i - base));
    auto* to = response.add_entries();
    to->set_event_id(from.event_id());
    *to->mutable_occur_time() = from.occur_time();
    *to->mutable_record_time() = from.record_time();
    to->set_actor(from.actor());
    to->set_revision(from.revision());
    std::unique_ptr<google::protobuf::Message> event(event_prototype.New());
    event->ParsePartialFromString(from.event());
    to->set_type(FactName(*event));
    std::string json;
    if (google::protobuf::util::MessageToJsonString(*event, &json).ok()) {
      to->set_fact_json(json);
    }
  }
  if (end < total) {
    response.set_next_page_token(absl::WebSafeBase64Escape(absl::StrCat(end)));
  }
  return response;
}

}  // namespace aftercare::shard
