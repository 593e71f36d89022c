#include "libs/shard/apply.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "aftercare/common/v1/platform.pb.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/time.h"
#include "libs/shard/history.h"
#include "libs/shard/history_rows.h"

namespace aftercare::shard {
namespace {

// Changes when the core's own rows change their meaning.
constexpr absl::string_view kCoreRowVersion = "2";

int64_t DayOf(absl::Time time) { return absl::ToUnixSeconds(time) / 86400; }

std::string RequestRowId(int64_t day, absl::string_view boundary,
                         absl::string_view request_id) {
  return absl::StrCat(absl::Dec(day, absl::kZeroPad5), "/", boundary, "|",
                      request_id);
}

std::string ReactionRequestRowId(absl::string_view boundary,
                                 absl::string_view request_id) {
  return absl::StrCat(boundary, "|", request_id);
}

// Whether FactName is not empty, without making the name.
bool HoldsFact(const google::protobuf::Message& event) {
  const google::protobuf::Descriptor* type = event.GetDescriptor();
  for (int i = 0; i < type->oneof_decl_count(); ++i) {
    const google::protobuf::OneofDescriptor* oneof = type->oneof_decl(i);
    if (oneof->name() == "fact") {
      return event.GetReflection()->HasOneof(event, oneof);
    }
  }
  return false;
}

const google::protobuf::FieldDescriptor* PlatformField(
    const google::protobuf::Descriptor* event) {
  // The first of every event type's facts; looked for by name it costs more
  // than what is done with it.
  for (int i = 0; i < event->field_count(); ++i) {
    if (event->field(i)->name() == "platform") return event->field(i);
  }
  return nullptr;
}

// A command asks for its request_id on each day that is remembered. Most
// boundaries have been quiet on most of them.
constexpr int64_t kNotedDays = 64;

void NoteRequestDay(common::v1::ParentRow& parent, int64_t day) {
  const int64_t later = day - parent.request_day();
  uint64_t days = parent.request_days();
  if (days == 0 || later >= kNotedDays) {
    days = 1;
    parent.set_request_day(day);
  } else if (later >= 0) {
    days = (days << later) | 1;
    parent.set_request_day(day);
  } else if (-later < kNotedDays) {
    days |= uint64_t{1} << -later;
  }
  parent.set_request_days(days);
}

bool MayHaveRequests(const common::v1::ParentRow& parent, int64_t day) {
  if (parent.request_days() == 0) return false;
  const int64_t before = parent.request_day() - day;
  if (before >= kNotedDays) return true;
  return before >= 0 && ((parent.request_days() >> before) & 1) != 0;
}

}  // namespace

void AddCoreTables(Schema& schema) {
  schema.AddTable(kParents)
      .AddTable(kHandbooks)
      .AddTable(kRequests)
      .AddTable(kReactionRequests)
      .AddTable(kHistory);
}

log::Record ToRecord(const Service& service, const Event& event) {
  const EventMeta& meta = event.meta;
  log::Record record;
  record.key = meta.parent;
  record.value = event.bytes;
  auto& headers = record.headers;
  headers.reserve(18);
  headers.emplace_back("ce_specversion", "1.0");
  headers.emplace_back("ce_id", meta.id);
  headers.emplace_back("ce_source",
                       absl::StrCat("/aftercare/", service.name()));
  headers.emplace_back("ce_type",
                       absl::StrCat("aftercare.", service.name(), ".v1.",
                                    FactName(*event.message)));
  headers.emplace_back("ce_subject", meta.subject);
  // Most events are told when they happen: both times are one text.
  std::string told = FormatRfc3339(meta.record_time);
  headers.emplace_back("ce_time", meta.occur_time == meta.record_time
                                      ? told
                                      : FormatRfc3339(meta.occur_time));
  headers.emplace_back("ce_recordtime", std::move(told));
  headers.emplace_back(
      "ce_sequence", absl::StrCat(absl::Dec(meta.revision, absl::kZeroPad12)));
  headers.emplace_back("ce_actor", meta.actor);
  headers.emplace_back("ce_dataschema",
                       event.message->GetDescriptor()->full_name());
  headers.emplace_back("content-type", "application/protobuf");
  if (!event.correlation.empty()) {
    headers.emplace_back("ce_correlationid", event.correlation);
  }
  if (!event.cause.empty()) {
    headers.emplace_back("ce_causationid", event.cause);
  }
  if (!event.request_id.empty()) {
    headers.emplace_back("ce_requestid", event.request_id);
    headers.emplace_back("ce_fingerprint",
                         absl::StrCat(absl::Hex(event.fingerprint)));
  }
  if (event.handbook_version != 0) {
    headers.emplace_back("ce_handbookversion",
                         absl::StrCat(event.handbook_version));
  }
  if (!event.traceparent.empty()) {
    headers.emplace_back("traceparent", event.traceparent);
  }
  return record;
}

absl::StatusOr<Event> FromRecord(const Service& service,
                                 log::StoredRecord stored) {
  return EventOf(service, stored.record);
}

absl::StatusOr<Event> EventOf(const Service& service, log::Record& record) {
  Event event;
  event.meta.parent = std::move(record.key);
  bool has_time = false;
  bool has_record_time = false;
  const std::string* last_time_text = nullptr;
  absl::Time last_time;
  for (auto& [name, value] : record.headers) {
    if (!absl::StartsWith(name, "ce_")) {
      if (name == "traceparent") event.traceparent = std::move(value);
      continue;
    }
    const absl::string_view key = absl::string_view(name).substr(3);
    if (key == "id") {
      event.meta.id = std::move(value);
    } else if (key == "subject") {
      event.meta.subject = std::move(value);
    } else if (key == "time" || key == "recordtime") {
      // Most events are told when they happen: both times are one text.
      if (last_time_text == nullptr || *last_time_text != value) {
        auto time = ParseRfc3339(value);
        if (!time.ok()) return absl::DataLossError(time.status().message());
        last_time = *time;
        last_time_text = &value;
      }
      if (key == "time") {
        event.meta.occur_time = last_time;
        has_time = true;
      } else {
        event.meta.record_time = last_time;
        has_record_time = true;
      }
    } else if (key == "sequence") {
      if (!absl::SimpleAtoi(value, &event.meta.revision)) {
        return absl::DataLossError("ce_sequence is no number");
      }
    } else if (key == "actor") {
      event.meta.actor = std::move(value);
    } else if (key == "requestid") {
      event.request_id = std::move(value);
    } else if (key == "fingerprint") {
      if (!absl::SimpleHexAtoi(value, &event.fingerprint)) {
        return absl::DataLossError("ce_fingerprint is no hexadecimal number");
      }
    } else if (key == "causationid") {
      event.cause = std::move(value);
    } else if (key == "correlationid") {
      event.correlation = std::move(value);
    } else if (key == "handbookversion") {
      if (!absl::SimpleAtoi(value, &event.handbook_version)) {
        return absl::DataLossError("ce_handbookversion is no number");
      }
    }
  }
  if (event.meta.id.empty() || event.meta.subject.empty() ||
      event.meta.revision <= 0 || !has_time || !has_record_time) {
    return absl::DataLossError(
        "a header of ce_id, ce_subject, ce_sequence, ce_time, ce_recordtime is "
        "missing");
  }
  event.bytes = std::move(record.value);
  event.message.reset(service.event_prototype().New());
  if (!event.message->ParseFromString(event.bytes)) {
    return absl::DataLossError("the value does not parse as " +
                               event.message->GetDescriptor()->full_name());
  }
  if (!HoldsFact(*event.message)) {
    return absl::DataLossError(
        "the value holds a fact this version does not "
        "know");
  }
  return event;
}

const google::protobuf::Message* PlatformFactOf(
    const google::protobuf::Message& event) {
  const auto* field = PlatformField(event.GetDescriptor());
  if (field == nullptr || !event.GetReflection()->HasField(event, field)) {
    return nullptr;
  }
  return &event.GetReflection()->GetMessage(event, field);
}

bool IsPlatformFact(const google::protobuf::Message& event) {
  return PlatformFactOf(event) != nullptr;
}

std::unique_ptr<google::protobuf::Message> WrapPlatformFact(
    const Service& service, const google::protobuf::Message& fact) {
  std::unique_ptr<google::protobuf::Message> event(
      service.event_prototype().New());
  event->GetReflection()
      ->MutableMessage(event.get(), PlatformField(event->GetDescriptor()))
      ->CopyFrom(fact);
  return event;
}

bool Applier::ScansFor(const common::v1::ShardMeta& position,
                       const Event& event) const {
  return DayOf(event.meta.record_time) > position.request_day();
}

void Applier::Apply(store::RowStore& rows, common::v1::ShardMeta& position,
                    const Event& event) const {
  const EventMeta& meta = event.meta;
  const int64_t day = DayOf(meta.record_time);
  if (day > position.request_day()) {
    position.set_request_day(day);
    std::vector<std::string> old;
    rows.ScanKeys(
        RowKey(kRequests.name, ""),
        RowKey(kRequests.name, absl::StrFormat("%05d", day - request_days_)),
        [&](absl::string_view key) {
          old.emplace_back(key);
          return true;
        });
    for (const std::string& key : old) {
      rows.EraseRow(key, common::v1::RequestRow::default_instance());
    }
  }
  common::v1::ParentRow& parent = rows.Edit(kParents, meta.parent);
  parent.set_revision(meta.revision);
  const bool forever = absl::StartsWith(event.request_id, kEventRequestPrefix);
  if (!event.request_id.empty() && !forever) NoteRequestDay(parent, day);
  position.set_events(position.events() + 1);

  std::string refused_reason;
  if (const auto* message = PlatformFactOf(*event.message)) {
    const auto& fact = static_cast<const common::v1::PlatformFact&>(*message);
    switch (fact.fact_case()) {
      case common::v1::PlatformFact::kHandbookApplied: {
        auto& versions = rows.Edit(kHandbooks, meta.subject);
        *versions.add_versions() = fact.handbook_applied().handbook();
        break;
      }
      case common::v1::PlatformFact::kReactionRefused:
        refused_reason = fact.reaction_refused().reason();
        break;
      case common::v1::PlatformFact::FACT_NOT_SET:
        break;
    }
  } else {
    service_.evolve()(rows, meta, *event.message);
  }
  AppendHistory(rows, meta, event.bytes);

  if (!event.request_id.empty()) {
    // FindRequest finds whatever lies under these ids, so no command gets here
    // with one that is taken.
    common::v1::RequestRow& row =
        forever
            ? rows.Insert(kReactionRequests,
                          ReactionRequestRowId(meta.parent, event.request_id))
            : rows.Insert(kRequests,
                          RequestRowId(day, meta.parent, event.request_id));
    row.set_fingerprint(event.fingerprint);
    row.set_resource(meta.subject);
    row.set_refused_reason(refused_reason);
  }
}

const common::v1::RequestRow* Applier::FindRequest(const RowReader& rows,
                                                   absl::string_view boundary,
                                                   absl::string_view request_id,
                                                   absl::Time now,
                                                   int64_t newest_day) const {
  if (absl::StartsWith(request_id, kEventRequestPrefix)) {
    return rows.Find(kReactionRequests,
                     ReactionRequestRowId(boundary, request_id));
  }
  const auto* parent = rows.Find(kParents, boundary);
  if (parent == nullptr) return nullptr;
  const int64_t today = DayOf(now);
  // Where the clock was ahead of where it is now, ids lie there too.
  for (const int64_t newest : {std::max(today, newest_day), today}) {
    for (int64_t day = newest; day >= newest - request_days_; --day) {
      if (!MayHaveRequests(*parent, day)) continue;
      const auto* row =
          rows.Find(kRequests, RequestRowId(day, boundary, request_id));
      if (row != nullptr) return row;
    }
    if (newest == today) break;
  }
  return nullptr;
}

std::string RowFormat(const Service& service) {
  std::string text(kCoreRowVersion);
  for (const auto& table : service.schema().tables()) {
    absl::StrAppend(&text, "|", table->name, ":",
                    table->prototype->GetDescriptor()->DebugString());
    for (const auto& index : table->indexes) {
      absl::StrAppend(&text, ",", index.name);
    }
  }
  return absl::StrCat(service.row_version(), "-",
                      absl::Hex(StableHash(text), absl::kZeroPad16));
}

}  // namespace aftercare::shard
