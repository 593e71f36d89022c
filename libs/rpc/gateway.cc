#include "libs/rpc/gateway.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aftercare/common/v1/annotations.pb.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/log/log.h"
#include "libs/process/random.h"
#include "libs/shard/apply.h"
#include "libs/shard/paging.h"

namespace aftercare::rpc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMaxName = 500;

std::string NameField(const common::v1::MethodRules& rules) {
  return rules.name_field().empty() ? "name" : rules.name_field();
}

// Pairs of collection and id; ids may be `-` (all) in the second pair.
absl::Status CheckShape(absl::string_view field, absl::string_view name) {
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  bool good = name.size() <= kMaxName && parts.size() >= 2 &&
              parts.size() % 2 == 0 && parts[0] == "companies";
  for (size_t i = 0; good && i < parts.size(); ++i) {
    if (i % 2 == 0) {
      good = !parts[i].empty() &&
             std::all_of(parts[i].begin(), parts[i].end(),
                         [](char c) { return absl::ascii_isalpha(c); });
    } else {
      good = IsResourceId(parts[i]) ||
             (parts[i] == "-" && i == 3 && parts.size() == 4);
    }
  }
  if (good) return absl::OkStatus();
  return InvalidName(field, "companies/*/...", name);
}

absl::Status CheckRequestId(const std::string& id) {
  if (id.size() > 128) {
    return InvalidField("request_id", "is longer than 128 bytes");
  }
  for (char c : id) {
    if (!absl::ascii_isalnum(c) && !absl::StrContains("-._:/#", c)) {
      return InvalidField("request_id",
                          "may hold letters, digits and -._:/# only");
    }
  }
  if (absl::StartsWith(id, shard::kEventRequestPrefix)) {
    return InvalidField("request_id",
                        "'event:' is kept for Aftercare's own reactions");
  }
  return absl::OkStatus();
}

}  // namespace

std::string TextAt(const Message& message, absl::string_view path) {
  const Message* at = &message;
  const std::vector<std::string> steps = absl::StrSplit(path, '.');
  for (size_t i = 0; i < steps.size(); ++i) {
    const auto* field = at->GetDescriptor()->FindFieldByName(steps[i]);
    if (field == nullptr || field->is_repeated()) return "";
    if (i + 1 == steps.size()) {
      return field->cpp_type() == FieldDescriptor::CPPTYPE_STRING
                 ? at->GetReflection()->GetString(*at, field)
                 : "";
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return "";
    at = &at->GetReflection()->GetMessage(*at, field);
  }
  return "";
}

shard::Shard& Hosted::ShardOf(absl::string_view boundary) const {
  return *shards[log::PartitionOf(boundary, static_cast<int>(shards.size()))];
}

Executor::Executor(int threads, size_t max_queued) : max_queued_(max_queued) {
  for (int i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { Loop(); });
  }
}

Executor::~Executor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool Executor::Run(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= max_queued_) return false;
    queue_.push_back(std::move(work));
  }
  wake_.notify_one();
  return true;
}

void Executor::Loop() {
  while (true) {
    std::function<void()> work;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
    }
    work();
  }
}

Gateway::Gateway(const std::vector<std::unique_ptr<Hosted>>& hosted,
                 const Authenticator& authenticator, Executor& executor,
                 GatewayOptions options, Clock& clock)
    : hosted_(hosted),
      authenticator_(authenticator),
      executor_(executor),
      operators_(options.operators.begin(), options.operators.end()),
      clock_(clock) {}

void Gateway::Register(Server& server) {
  for (const auto& hosted : hosted_) {
    server.AddService(hosted->service->descriptor(),
                      [this, h = hosted.get()](CallInfo info,
                                               std::shared_ptr<Message> request,
                                               Responder respond) {
                        Handle(*h, std::move(info), std::move(request),
                               std::move(respond));
                      });
  }
}

absl::StatusOr<std::string> Gateway::Authorize(
    const CallInfo& call, absl::string_view company) const {
  ASSIGN_OR_RETURN(std::string actor, authenticator_.Actor(call));
  const auto& rules = call.method->options().GetExtension(common::v1::rules);
  const handbook::v1::Person* person = nullptr;
  std::shared_ptr<const handbook::Policy> policy;
  if (!company.empty()) {
    for (const auto& hosted : hosted_) {
      for (const auto& shard : hosted->shards) {
        policy = shard->PolicyAt(company, clock_.Now());
        if (policy != nullptr) break;
      }
      if (policy != nullptr) break;
    }
    if (policy != nullptr) person = policy->FindPerson(actor);
  }
  for (const std::string& role : rules.roles()) {
    if (role == "system") continue;  // never from outside
    if (role == "operator") {
      if (operators_.contains(actor)) return actor;
    } else if (person != nullptr &&
               (role == "any" ||
                std::find(person->roles().begin(), person->roles().end(),
                          role) != person->roles().end())) {
      return actor;
    }
  }
  return Refuse(common::v1::REASON_ACTION_NOT_PERMITTED,
                absl::StrCat(actor, " may not call ", call.method->name()),
                {{"actor", actor}, {"method", call.method->full_name()}});
}

void Gateway::Handle(const Hosted& hosted, CallInfo info,
                     std::shared_ptr<Message> request,
                     Responder respond) const {
  const auto* method = hosted.service->FindMethod(info.method->name());
  if (method == nullptr) {
    respond(Refuse(common::v1::REASON_METHOD_UNKNOWN,
                   "this server does not know the method"));
    return;
  }
  const std::string field = NameField(method->rules);
  const std::string name = TextAt(*request, field);
  // Until a shard is up nobody's roles are known: that is not a refusal.
  for (const auto& shard : hosted.shards) {
    const shard::ShardState state = shard->Status().state;
    if (state == shard::ShardState::kReplaying) {
      respond(WithRetryDelay(Refuse(common::v1::REASON_NOT_READY,
                                    "the server is still reading its log"),
                             absl::Milliseconds(500)));
      return;
    }
  }
  absl::Status shape = CheckShape(field, name);
  const auto actor =
      Authorize(info, shape.ok() ? CompanyOf(name) : absl::string_view());
  // Who has no identity learns nothing else; who has, hears about a bad name
  // before about rights that hang on it.
  if (absl::IsUnauthenticated(actor.status())) {
    respond(actor.status());
    return;
  }
  if (!shape.ok()) {
    respond(shape);
    return;
  }
  if (!actor.ok()) {
    respond(actor.status());
    return;
  }
  if (method->query != nullptr) {
    Query(hosted, *method, info, *actor, name, std::move(request),
          std::move(respond));
    return;
  }
  const uint64_t fingerprint = shard::ArgumentsDigest(*request);
  std::string boundary(BoundaryOf(name));
  const auto& rules = method->rules;
  if (!rules.child_id_field().empty()) {
    const auto* reflection = request->GetReflection();
    const auto* id_field =
        request->GetDescriptor()->FindFieldByName(rules.child_id_field());
    std::string id = reflection->GetString(*request, id_field);
    if (id.empty()) {
      const std::string request_id = TextAt(*request, "request_id");
      // A repeated call must name the same resource, and find the same shard.
      id = request_id.empty() ? RandomId()
                              : IdFrom(absl::StrCat(name, "|", request_id));
      reflection->SetString(request.get(), id_field, id);
    }
    if (absl::Status bad = CheckId(rules.child_id_field(), id); !bad.ok()) {
      respond(bad);
      return;
    }
    boundary = std::string(
        BoundaryOf(absl::StrCat(name, "/", rules.child_collection(), "/", id)));
  }
  if (absl::StrContains(boundary, "/-") ||
      BoundaryOf(boundary) == CompanyOf(boundary)) {
    respond(InvalidName(field, "companies/*/*/*", name));
    return;
  }
  Command(hosted, *method, info, *actor, boundary, fingerprint,
          std::move(request), std::move(respond));
}

void Gateway::Command(const Hosted& hosted,
                      const shard::Service::Method& method,
                      const CallInfo& info, const std::string& actor,
                      const std::string& boundary, uint64_t fingerprint,
                      std::shared_ptr<Message> request,
                      Responder respond) const {
  shard::Command command;
  command.method = &method;
  command.actor = actor;
  command.boundary = boundary;
  command.fingerprint = fingerprint;
  command.request_id = TextAt(*request, "request_id");
  if (absl::Status bad = CheckRequestId(command.request_id); !bad.ok()) {
    respond(bad);
    return;
  }
  const auto* occur = request->GetDescriptor()->FindFieldByName("occur_time");
  if (occur != nullptr && request->GetReflection()->HasField(*request, occur)) {
    const auto& time = static_cast<const google::protobuf::Timestamp&>(
        request->GetReflection()->GetMessage(*request, occur));
    if (!IsValid(time)) {
      respond(InvalidField("occur_time", "is outside 1970 to 2199"));
      return;
    }
    command.occur_time = FromProto(time);
  }
  command.deadline = info.deadline;
  if (const auto it = info.metadata.find("traceparent");
      it != info.metadata.end() && it->second.size() <= 128) {
    command.traceparent = it->second;
  }
  command.request = std::move(request);
  hosted.ShardOf(boundary).Submit(
      std::move(command), [respond = std::move(respond)](
                              absl::StatusOr<shard::CommandResult> result) {
        if (!result.ok()) {
          respond(result.status());
        } else {
          respond(std::move(result->row));
        }
      });
}

void Gateway::Query(const Hosted& hosted, const shard::Service::Method& method,
                    const CallInfo& info, const std::string& actor,
                    const std::string& name, std::shared_ptr<Message> request,
                    Responder respond) const {
  const std::string boundary(BoundaryOf(name));
  const bool everywhere =
      boundary == CompanyOf(boundary) || absl::EndsWith(boundary, "/-");
  auto work = [this, &hosted, &method, actor, name, boundary, everywhere,
               deadline = info.deadline, request = std::move(request),
               respond]() {
    if (clock_.Now() >= deadline) {
      respond(Refuse(common::v1::REASON_DEADLINE_PASSED,
                     "the deadline passed before the query was answered"));
      return;
    }
    std::vector<std::unique_ptr<RowReader>> readers;
    shard::QueryContext context;
    context.now = clock_.Now();
    context.actor = actor;
    std::vector<shard::Shard*> shards;
    if (everywhere) {
      for (const auto& shard : hosted.shards) shards.push_back(shard.get());
    } else {
      shards.push_back(&hosted.ShardOf(boundary));
    }
    for (shard::Shard* shard : shards) {
      auto reader = shard->Snapshot();
      if (!reader.ok()) {
        respond(reader.status());
        return;
      }
      context.shards.push_back(reader->get());
      readers.push_back(*std::move(reader));
    }
    const auto policy = shards.front()->PolicyAt(CompanyOf(name), context.now);
    context.policy = policy.get();
    auto answer = method.query(context, *request);
    if (!answer.ok()) {
      respond(answer.status());
    } else {
      respond((*answer)->SerializeAsString());
    }
  };
  if (!everywhere) {
    work();  // one boundary's rows: quick enough for the calling thread
    return;
  }
  if (!executor_.Run(std::move(work))) {
    respond(WithRetryDelay(
        Refuse(common::v1::REASON_OVERLOADED, "too many queries wait"),
        absl::Milliseconds(200)));
  }
}

}  // namespace aftercare::rpc
