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

// Until a shard is up nobody's roles are known: that is not a refusal.
absl::Status RightsKnown(shard::Shard& shard) {
  if (shard::IsReadable(shard.Status().state)) return absl::OkStatus();
  // As the shard itself says it.
  return shard.Snapshot().status();
}

}  // namespace

absl::Status PartitionsKnown(const Hosted& host) {
  if (host.partitions() > 0) return absl::OkStatus();
  return WithRetryDelay(Refuse(common::v1::REASON_NOT_READY,
                               "the log has not answered the server yet"),
                        absl::Seconds(1));
}

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

Gateway::Gateway(const Hosts& hosts, const Authenticator& authenticator,
                 Executor& executor, Router& router, GatewayOptions options,
                 Clock& clock)
    : hosts_(hosts),
      authenticator_(authenticator),
      executor_(executor),
      router_(router),
      operators_(options.operators.begin(), options.operators.end()),
      clock_(clock) {}

void Gateway::Register(Server& server) {
  for (const auto& host : hosts_) {
    server.AddService(
        host->service->descriptor(),
        [this, h = host.get()](CallInfo info, std::shared_ptr<Message> request,
                               Responder respond) {
          Handle(*h, std::move(info), std::move(request), std::move(respond));
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
    for (const auto& host : hosts_) {
      policy = host->PolicyAt(company, clock_.Now());
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

absl::Status Gateway::AuthorizePeer(const CallInfo& call) const {
  if (authenticator_.IsPeer(call)) return absl::OkStatus();
  return Refuse(common::v1::REASON_ACTION_NOT_PERMITTED,
                absl::StrCat("only processes of Aftercare may call ",
                             call.method->name()),
                {{"method", call.method->full_name()}});
}

absl::StatusOr<Gateway::Target> Gateway::Resolve(
    const shard::Service::Method& method, Message& request) const {
  const auto& rules = method.rules;
  const std::string field = NameField(rules);
  Target target;
  target.name = TextAt(request, field);
  RETURN_IF_ERROR(CheckShape(field, target.name));
  target.boundary = std::string(BoundaryOf(target.name));
  if (method.query != nullptr) {
    target.everywhere = target.boundary == CompanyOf(target.boundary) ||
                        absl::EndsWith(target.boundary, "/-");
    return target;
  }
  target.fingerprint = shard::ArgumentsDigest(request);
  const std::string request_id = TextAt(request, "request_id");
  RETURN_IF_ERROR(CheckRequestId(request_id));
  if (!rules.child_id_field().empty()) {
    const auto* reflection = request.GetReflection();
    const auto* id_field =
        request.GetDescriptor()->FindFieldByName(rules.child_id_field());
    std::string id = reflection->GetString(request, id_field);
    if (id.empty()) {
      // A repeated call must name the same resource, and find the same shard.
      id = request_id.empty()
               ? RandomId()
               : IdFrom(absl::StrCat(target.name, "|", request_id));
      reflection->SetString(&request, id_field, id);
      target.id_derived = !request_id.empty();
    }
    RETURN_IF_ERROR(CheckId(rules.child_id_field(), id));
    target.boundary = std::string(BoundaryOf(
        absl::StrCat(target.name, "/", rules.child_collection(), "/", id)));
  }
  if (absl::StrContains(target.boundary, "/-") ||
      BoundaryOf(target.boundary) == CompanyOf(target.boundary)) {
    return InvalidName(field, "companies/*/*/*", target.name);
  }
  return target;
}

void Gateway::Handle(const Hosted& host, CallInfo info,
                     std::shared_ptr<Message> request,
                     Responder respond) const {
  const auto* method = host.service->FindMethod(info.method->name());
  if (method == nullptr) {
    respond(Refuse(common::v1::REASON_METHOD_UNKNOWN,
                   "this server does not know the method"));
    return;
  }
  // Who has no identity learns nothing else; who has, hears about a bad name
  // before about rights that hang on it.
  if (const auto actor = authenticator_.Actor(info); !actor.ok()) {
    respond(actor.status());
    return;
  }
  auto target = Resolve(*method, *request);
  if (!target.ok()) {
    respond(target.status());
    return;
  }
  if (absl::Status known = PartitionsKnown(host); !known.ok()) {
    respond(known);
    return;
  }
  if (target->everywhere) {
    QueryEverywhere(host, std::move(info), std::move(request),
                    std::move(respond));
    return;
  }
  const int partition = host.PartitionOf(target->boundary);
  const auto shard = host.Find(partition);
  if (shard == nullptr) {
    if (target->id_derived) {
      // The owner must see the request as it came, to know it again.
      request->GetReflection()->ClearField(
          request.get(), request->GetDescriptor()->FindFieldByName(
                             method->rules.child_id_field()));
    }
    router_.Forward(host, partition, info, request->SerializeAsString(),
                    std::move(respond));
    return;
  }
  if (method->query != nullptr) {
    // One boundary's rows: quick enough for this thread.
    auto answer = AnswerPart(host, info, *request, {partition});
    if (!answer.ok()) {
      respond(answer.status());
    } else {
      respond(answer->response->SerializeAsString());
    }
    return;
  }
  if (absl::Status known = RightsKnown(*shard); !known.ok()) {
    respond(known);
    return;
  }
  const auto actor = Authorize(info, CompanyOf(target->name));
  if (!actor.ok()) {
    respond(actor.status());
    return;
  }
  Command(*shard, *method, info, *actor, *target, std::move(request),
          std::move(respond));
}

void Gateway::Command(shard::Shard& shard, const shard::Service::Method& method,
                      const CallInfo& info, const std::string& actor,
                      const Target& target, std::shared_ptr<Message> request,
                      Responder respond) const {
  shard::Command command;
  command.method = &method;
  command.actor = actor;
  command.boundary = target.boundary;
  command.fingerprint = target.fingerprint;
  command.request_id = TextAt(*request, "request_id");
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
  shard.Submit(std::move(command),
               [respond = std::move(respond)](
                   absl::StatusOr<shard::CommandResult> result) {
                 if (!result.ok()) {
                   respond(result.status());
                 } else {
                   respond(std::move(result->row));
                 }
               });
}

absl::StatusOr<shard::PartialAnswer> Gateway::AnswerPart(
    const Hosted& host, const CallInfo& info, const Message& request,
    const std::vector<int>& partitions) const {
  const auto* method = host.service->FindMethod(info.method->name());
  if (method == nullptr || method->query == nullptr || partitions.empty()) {
    return Refuse(common::v1::REASON_METHOD_UNKNOWN,
                  "this server does not know the query");
  }
  std::vector<std::shared_ptr<shard::Shard>> shards;
  for (const int partition : partitions) {
    if (partition < 0 || partition >= host.partitions()) {
      return InvalidField("partitions", "is out of range");
    }
    auto shard = host.Find(partition);
    if (shard == nullptr) {
      return Refuse(common::v1::REASON_NOT_OWNER,
                    absl::StrCat(host.service->name(), "/", partition,
                                 " does not run here"));
    }
    RETURN_IF_ERROR(RightsKnown(*shard));
    shards.push_back(std::move(shard));
  }
  const std::string name = TextAt(request, NameField(method->rules));
  ASSIGN_OR_RETURN(std::string actor, Authorize(info, CompanyOf(name)));
  if (clock_.Now() >= info.deadline) {
    return Refuse(common::v1::REASON_DEADLINE_PASSED,
                  "the deadline passed before the query was answered");
  }
  shard::PartialAnswer answer;
  std::vector<std::unique_ptr<RowReader>> readers;
  std::string position;
  shard::QueryContext context;
  context.now = clock_.Now();
  context.actor = std::move(actor);
  context.places = &answer.places;
  for (const auto& shard : shards) {
    const shard::ShardStatus status = shard->Status();
    absl::StrAppend(&position, position.empty() ? "" : ", ", status.service,
                    "/", status.partition, " claim=", status.claim,
                    " offset=", status.offset);
    ASSIGN_OR_RETURN(auto reader, shard->Snapshot());
    context.shards.push_back(reader.get());
    readers.push_back(std::move(reader));
  }
  if (info.label != nullptr) info.label(kPositionMetadata, position);
  const auto policy = shards.front()->PolicyAt(CompanyOf(name), context.now);
  context.policy = policy.get();
  ASSIGN_OR_RETURN(answer.response, method->query(context, request));
  return answer;
}

namespace {

// Parts of an answer on their way from several processes.
struct Gathering {
  std::mutex mutex;
  size_t missing = 0;
  absl::Status status;
  std::vector<shard::PartialAnswer> answers;
  std::shared_ptr<Message> request;
  Responder respond;

  void Take(absl::StatusOr<shard::PartialAnswer> answer) {
    {
      std::lock_guard lock(mutex);
      if (answer.ok()) {
        answers.push_back(*std::move(answer));
      } else if (status.ok()) {
        status = answer.status();
      }
      if (--missing > 0) return;
    }
    if (!status.ok()) {
      respond(status);
      return;
    }
    auto merged = shard::MergeAnswers(*request, std::move(answers));
    if (merged.ok()) {
      respond((*merged)->SerializeAsString());
    } else {
      respond(merged.status());
    }
  }
};

absl::StatusOr<shard::PartialAnswer> FromPeer(
    const Message& prototype, absl::StatusOr<peer::v1::QueryResponse> answer) {
  if (!answer.ok()) return answer.status();
  shard::PartialAnswer part;
  part.response.reset(prototype.New());
  if (!part.response->ParseFromString(answer->response())) {
    return absl::InternalError("a peer's answer does not parse");
  }
  part.places.list = answer->list();
  for (const auto& place : answer->places()) {
    part.places.entries.push_back({place.key(), place.id()});
  }
  return part;
}

}  // namespace

void Gateway::QueryEverywhere(const Hosted& host, CallInfo info,
                              std::shared_ptr<Message> request,
                              Responder respond) const {
  std::vector<int> here;
  std::vector<int> elsewhere;
  for (int p = 0; p < host.partitions(); ++p) {
    (host.Find(p) != nullptr ? here : elsewhere).push_back(p);
  }
  if (!elsewhere.empty() && info.metadata.contains(kForwardedMetadata)) {
    router_.Forward(host, elsewhere.front(), info, "", std::move(respond));
    return;
  }
  auto gathering = std::make_shared<Gathering>();
  gathering->request = std::move(request);
  gathering->respond = std::move(respond);
  const auto run_here = [this, &host, here, info, gathering] {
    auto work = [this, &host, here, info, gathering] {
      gathering->Take(AnswerPart(host, info, *gathering->request, here));
    };
    if (!executor_.Run(std::move(work))) {
      gathering->Take(WithRetryDelay(
          Refuse(common::v1::REASON_OVERLOADED, "too many queries wait"),
          absl::Milliseconds(200)));
    }
  };
  if (elsewhere.empty()) {
    gathering->missing = 1;
    run_here();
    return;
  }
  router_.Locate(
      host, std::move(elsewhere),
      [this, &host, info = std::move(info), here, gathering, run_here,
       bytes = gathering->request->SerializeAsString()](
          absl::StatusOr<std::map<std::string, std::vector<int>>> owners) {
        if (!owners.ok()) {
          gathering->respond(owners.status());
          return;
        }
        gathering->missing = owners->size() + (here.empty() ? 0 : 1);
        const Message* prototype =
            google::protobuf::MessageFactory::generated_factory()->GetPrototype(
                info.method->output_type());
        for (const auto& [address, partitions] : *owners) {
          peer::v1::QueryRequest part;
          part.set_service(host.service->name());
          part.set_method(info.method->name());
          part.set_request(bytes);
          for (const int p : partitions) part.add_partitions(p);
          router_.Query(
              host, address, info, part,
              [gathering,
               prototype](absl::StatusOr<peer::v1::QueryResponse> answer) {
                gathering->Take(FromPeer(*prototype, std::move(answer)));
              });
        }
        if (!here.empty()) run_here();
      });
}

}  // namespace aftercare::rpc
