#include "libs/testing/given.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/shard/apply.h"
#include "libs/shard/history_rows.h"

namespace aftercare::testing {
namespace {

std::unique_ptr<google::protobuf::Message> Parse(
    const google::protobuf::Descriptor* type, absl::string_view text) {
  const auto* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(type);
  std::unique_ptr<google::protobuf::Message> message(prototype->New());
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(std::string(text),
                                                            message.get()))
      << "not a " << type->full_name() << ": " << text;
  return message;
}

absl::Time TimeOf(absl::string_view text) {
  auto time = ParseRfc3339(text);
  EXPECT_TRUE(time.ok()) << time.status();
  return time.ok() ? *time : absl::UnixEpoch();
}

// As the RPC layer does: an empty id field of a create method gets an id.
void FillChildId(const common::v1::MethodRules& rules, const std::string& id,
                 google::protobuf::Message& request) {
  if (rules.child_id_field().empty()) return;
  const auto* field =
      request.GetDescriptor()->FindFieldByName(rules.child_id_field());
  const auto* reflection = request.GetReflection();
  if (field == nullptr || !reflection->GetString(request, field).empty()) {
    return;
  }
  reflection->SetString(&request, field, id);
}

std::vector<std::string> Bytes(const std::vector<shard::AnyDraft>& drafts) {
  std::vector<std::string> bytes;
  for (const auto& draft : drafts) {
    bytes.push_back(draft.subject + "\n" + draft.event->SerializeAsString());
  }
  return bytes;
}

}  // namespace

Scenario::Scenario(const shard::Service& service,
                   std::shared_ptr<const handbook::Policy> policy)
    : service_(service),
      policy_(std::move(policy)),
      rows_(std::make_unique<MemoryRows>(service.schema())),
      occur_time_(absl::FromUnixSeconds(1767225600)),
      record_time_(occur_time_) {}

Scenario& Scenario::At(absl::string_view time) { return At(TimeOf(time)); }

Scenario& Scenario::At(absl::Time time) {
  occur_time_ = time;
  record_time_ = time;
  return *this;
}

Scenario& Scenario::RecordedAt(absl::string_view time) {
  record_time_ = TimeOf(time);
  return *this;
}

Scenario& Scenario::As(absl::string_view actor) {
  actor_ = std::string(actor);
  return *this;
}

Scenario& Scenario::Given(absl::string_view method, absl::string_view request) {
  When(method, request);
  EXPECT_TRUE(status_.ok()) << method << " " << request << ": " << status_;
  return *this;
}

Scenario& Scenario::Given(absl::string_view method,
                          const google::protobuf::Message& request) {
  When(method, request);
  EXPECT_TRUE(status_.ok()) << method << ": " << status_;
  return *this;
}

Scenario& Scenario::When(absl::string_view method, absl::string_view request) {
  const auto* entry = service_.FindMethod(method);
  if (entry == nullptr) {
    ADD_FAILURE() << "no method " << method;
    return *this;
  }
  return When(method, *Parse(entry->descriptor->input_type(), request));
}

Scenario& Scenario::When(absl::string_view method,
                         const google::protobuf::Message& request) {
  status_ = Run(method, request);
  return *this;
}

absl::Status Scenario::Run(absl::string_view method,
                           const google::protobuf::Message& request) {
  events_.clear();
  const auto* entry = service_.FindMethod(method);
  if (entry == nullptr || entry->decide == nullptr) {
    ADD_FAILURE() << "no command " << method;
    return absl::NotFoundError(method);
  }
  CommandContext context;
  context.actor = actor_;
  context.record_time = record_time_;
  context.occur_time = occur_time_;
  context.policy = policy_.get();
  context.fresh_id = IdFrom(absl::StrCat("scenario", ++ids_));
  std::unique_ptr<google::protobuf::Message> filled(request.New());
  filled->CopyFrom(request);
  FillChildId(entry->rules, context.fresh_id, *filled);
  // An occur_time in the request counts, as it does in the shard.
  if (const auto* field =
          filled->GetDescriptor()->FindFieldByName("occur_time");
      field != nullptr && filled->GetReflection()->HasField(*filled, field)) {
    const auto& time = static_cast<const google::protobuf::Timestamp&>(
        filled->GetReflection()->GetMessage(*filled, field));
    if (!IsValid(time)) return InvalidField("occur_time", "is out of range");
    context.occur_time = FromProto(time);
  }
  auto drafts = entry->decide(*rows_, context, *filled);
  auto again = entry->decide(*rows_, context, *filled);
  EXPECT_EQ(drafts.status(), again.status()) << "Decide is not repeatable";
  if (!drafts.ok()) return drafts.status();
  EXPECT_EQ(Bytes(*drafts), Bytes(*again)) << "Decide is not repeatable";
  occur_time_ = context.occur_time;
  Apply(*std::move(drafts));
  return absl::OkStatus();
}

void Scenario::Apply(std::vector<shard::AnyDraft> drafts) {
  for (shard::AnyDraft& draft : drafts) {
    Logged logged;
    logged.meta.subject = draft.subject;
    logged.meta.parent = std::string(BoundaryOf(draft.subject));
    logged.meta.revision = ++revisions_[logged.meta.parent];
    logged.meta.id = absl::StrCat(service_.name(), "/0/0/", log_.size());
    logged.meta.record_time = record_time_;
    logged.meta.occur_time = occur_time_;
    logged.meta.actor = actor_;
    logged.bytes = draft.event->SerializeAsString();
    EXPECT_NE(shard::FactName(*draft.event), "");
    // Evolve sees what a reader of the log sees.
    std::unique_ptr<google::protobuf::Message> read(draft.event->New());
    EXPECT_TRUE(read->ParseFromString(logged.bytes));
    const auto before = rows_->Dump();
    service_.evolve()(*rows_, logged.meta, *read);
    EXPECT_NE(before, rows_->Dump())
        << "Evolve ignores " << shard::FactName(*draft.event);
    log_.push_back(std::move(logged));
    events_.push_back(std::move(draft));
  }
}

Scenario& Scenario::WhenTimePasses(absl::string_view time) {
  const absl::Time until = TimeOf(time);
  std::vector<shard::AnyDraft> all;
  const std::string end = SortableTime(until);
  const std::string actor = std::exchange(actor_, "system");
  status_ = absl::OkStatus();
  for (int fired = 0; fired < 10000; ++fired) {
    std::string due;
    std::string name;
    rows_->ScanIndex(kTimerIndex, "", end,
                     [&](absl::string_view key, absl::string_view id) {
                       due = std::string(key);
                       name = std::string(id);
                       return false;
                     });
    if (name.empty()) break;
    // A shard looks a moment after the time has passed.
    At(FromSortableTime(due) + absl::Microseconds(1));
    CommandContext context;
    context.actor = actor_;
    context.record_time = record_time_;
    context.occur_time = occur_time_;
    context.policy = policy_.get();
    context.fresh_id = IdFrom(absl::StrCat("scenario", ++ids_));
    auto drafts = service_.timer()(*rows_, context, name);
    if (!drafts.ok()) {
      status_ = drafts.status();
      break;
    }
    if (drafts->empty()) {
      ADD_FAILURE() << "timer of " << name << " at " << due
                    << " gave no event: it would fire for ever";
      break;
    }
    events_.clear();
    Apply(*std::move(drafts));
    for (auto& event : events_) all.push_back(std::move(event));
    bool still_due = false;
    rows_->ScanIndex(kTimerIndex, due, due + '\x01',
                     [&](absl::string_view, absl::string_view id) {
                       still_due |= id == name;
                       return true;
                     });
    if (still_due) {
      ADD_FAILURE() << "timer of " << name << " is still due after it fired";
      break;
    }
  }
  events_ = std::move(all);
  actor_ = actor;
  At(until);
  return *this;
}

std::string Scenario::Reason() const { return ReasonOf(status_); }

std::string Scenario::Field() const { return FieldOf(status_); }

std::string Scenario::Events() const {
  std::string names;
  for (const auto& draft : events_) {
    absl::StrAppend(&names, names.empty() ? "" : ",",
                    shard::FactName(*draft.event));
  }
  return names;
}

absl::StatusOr<std::unique_ptr<google::protobuf::Message>> Scenario::Ask(
    absl::string_view method, absl::string_view request) const {
  const auto* entry = service_.FindMethod(method);
  if (entry == nullptr || entry->query == nullptr) {
    return absl::NotFoundError(absl::StrCat("no query ", method));
  }
  shard::QueryContext context;
  context.shards = {rows_.get()};
  context.now = record_time_;
  context.actor = actor_;
  context.policy = policy_.get();
  return entry->query(context,
                      *Parse(entry->descriptor->input_type(), request));
}

std::map<std::string, std::string> Scenario::Replayed() const {
  MemoryRows fresh(service_.schema());
  for (const Logged& logged : log_) {
    std::unique_ptr<google::protobuf::Message> event(
        service_.event_prototype().New());
    EXPECT_TRUE(event->ParseFromString(logged.bytes));
    service_.evolve()(fresh, logged.meta, *event);
  }
  return fresh.Dump();
}

}  // namespace aftercare::testing
