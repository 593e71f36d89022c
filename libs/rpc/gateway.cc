#include "libs/rpc/gateway.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "aftercare/common/v1/annotations.pb.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/rpc/gathering.h"
#include "libs/shard/request.h"

namespace aftercare::rpc {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

shard::Freshness FreshnessOf(const CallInfo& info) {
  const auto it = info.metadata.find(kFreshnessMetadata);
  return it != info.metadata.end() && it->second == "any"
             ? shard::Freshness::kAny
             : shard::Freshness::kConfirmed;
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

absl::Status CheckRead(const RowReader& rows) {
  if (rows.status().ok()) return absl::OkStatus();
  return WithRetryDelay(
      Refuse(common::v1::REASON_NOT_READY,
             "rows could not be read; the shard is about to get them anew"),
      absl::Seconds(1));
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

absl::Status Executor::Full() {
  return WithRetryDelay(
      Refuse(common::v1::REASON_OVERLOADED, "too many queries wait"),
      absl::Milliseconds(200));
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
                 Executors& executors, Router& router, GatewayOptions options,
                 Clock& clock)
    : hosts_(hosts),
      authenticator_(authenticator),
      executors_(executors),
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
    const shard::Service::Method& method, absl::string_view actor,
    Message& request) const {
  Target target;
  ASSIGN_OR_RETURN(target.name, method.fields.NameOf(request));
  if (method.query != nullptr) {
    target.boundary = std::string(BoundaryOf(target.name));
    target.everywhere = target.boundary == CompanyOf(target.boundary) ||
                        absl::EndsWith(target.boundary, "/-");
    return target;
  }
  RETURN_IF_ERROR(shard::CheckRequestId(method.fields.RequestIdOf(request)));
  target.fingerprint = shard::Fingerprint(request, actor);
  target.id_derived = method.fields.DerivesId(request);
  ASSIGN_OR_RETURN(target.name, method.fields.ResolveTarget(request));
  target.boundary = std::string(BoundaryOf(target.name));
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
  const auto actor = authenticator_.Actor(info);
  if (!actor.ok()) {
    respond(actor.status());
    return;
  }
  auto target = Resolve(*method, *actor, *request);
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
  const int partition = host.PartitionOf(target->boundary).value();
  const auto shard = host.Find(partition);
  if (shard == nullptr) {
    if (target->id_derived) {
      // The owner must see the request as it came, to know it again.
      method->fields.ClearId(*request);
    }
    router_.Forward(host, partition, info, request->SerializeAsString(),
                    std::move(respond));
    return;
  }
  if (method->query != nullptr) {
    AnswerPart(host, info, request, {partition}, executors_.quick,
               [respond = std::move(respond)](
                   absl::StatusOr<shard::PartialAnswer> answer) {
                 if (!answer.ok()) {
                   respond(answer.status());
                 } else {
                   respond(answer->response->SerializeAsString());
                 }
               });
    return;
  }
  // Until a shard is up nobody's roles are known: that is not a refusal.
  if (absl::Status known = shard->Readable(); !known.ok()) {
    respond(known);
    return;
  }
  const auto allowed = Authorize(info, CompanyOf(target->name));
  if (!allowed.ok()) {
    respond(allowed.status());
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
  command.request_id = method.fields.RequestIdOf(*request);
  auto occur_time = method.fields.OccurTimeOf(*request);
  if (!occur_time.ok()) {
    respond(occur_time.status());
    return;
  }
  command.occur_time = *occur_time;
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

absl::StatusOr<Gateway::Part> Gateway::PartOf(
    const Hosted& host, const CallInfo& info, const Message& request,
    const std::vector<int>& partitions) const {
  Part part;
  part.method = host.service->FindMethod(info.method->name());
  if (part.method == nullptr || part.method->query == nullptr ||
      partitions.empty()) {
    return Refuse(common::v1::REASON_METHOD_UNKNOWN,
                  "this server does not know the query");
  }
  for (const int partition : partitions) {
    if (partition < 0 || partition >= host.partitions()) {
      return InvalidField("partitions", "is out of range");
    }
    auto shard = host.Find(partition);
    if (shard == nullptr) return NotHere(host, partition);
    RETURN_IF_ERROR(shard->Readable());
    part.shards.push_back(std::move(shard));
  }
  ASSIGN_OR_RETURN(const std::string name, part.method->fields.NameOf(request));
  part.company = std::string(CompanyOf(name));
  ASSIGN_OR_RETURN(part.actor, Authorize(info, part.company));
  return part;
}

absl::StatusOr<shard::PartialAnswer> Gateway::Run(
    const Part& part, const CallInfo& info, const Message& request,
    const std::vector<Read>& reads) const {
  if (clock_.Now() >= info.deadline) {
    return Refuse(common::v1::REASON_DEADLINE_PASSED,
                  "the deadline passed before the query was answered");
  }
  shard::PartialAnswer answer;
  shard::QueryContext context;
  context.now = clock_.Now();
  context.actor = part.actor;
  context.places = &answer.places;
  for (const Read& read : reads) context.shards.push_back(read.rows.get());
  const auto policy = part.shards.front()->PolicyAt(part.company, context.now);
  context.policy = policy.get();
  auto response = part.method->query(context, request);
  for (const Read& read : reads) RETURN_IF_ERROR(CheckRead(*read.rows));
  ASSIGN_OR_RETURN(answer.response, std::move(response));
  return answer;
}

void Gateway::AnswerPart(const Hosted& host, const CallInfo& info,
                         std::shared_ptr<const Message> request,
                         const std::vector<int>& partitions, Executor& executor,
                         PartDone done) const {
  auto prepared = PartOf(host, info, *request, partitions);
  if (!prepared.ok()) {
    done(prepared.status());
    return;
  }
  const auto part = std::make_shared<Part>(*std::move(prepared));
  const shard::Freshness freshness = FreshnessOf(info);
  std::string position;
  for (const auto& shard : part->shards) {
    const shard::ShardStatus status = shard->Status();
    absl::StrAppend(&position, position.empty() ? "" : ", ", status.service,
                    "/", status.partition, " claim=", status.claim,
                    " offset=", status.offset);
  }
  if (freshness == shard::Freshness::kAny) {
    absl::StrAppend(&position, " unconfirmed");
  }
  const auto gathering = std::make_shared<Gathering<Read>>(
      partitions.size(),
      [this, &executor, part, info, request = std::move(request), position,
       done = std::move(done)](absl::StatusOr<std::vector<Read>> reads) {
        if (!reads.ok()) {
          done(reads.status());
          return;
        }
        if (info.label != nullptr) info.label(kPositionMetadata, position);
        std::sort(reads->begin(), reads->end(),
                  [](const Read& a, const Read& b) {
                    return a.partition < b.partition;
                  });
        executor.RunOr(
            done,
            [this, part, info, request, done,
             all = std::make_shared<std::vector<Read>>(*std::move(reads))] {
              done(Run(*part, info, *request, *all));
            });
      });
  for (size_t i = 0; i < partitions.size(); ++i) {
    part->shards[i]->Read(
        freshness, [gathering, partition = partitions[i]](
                       absl::StatusOr<std::unique_ptr<RowReader>> rows) {
          if (rows.ok()) {
            gathering->Take(Read{partition, *std::move(rows)});
          } else {
            gathering->Take(rows.status());
          }
        });
  }
}

namespace {

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
  const auto gather = [request, respond](size_t count) {
    return std::make_shared<Gathering<shard::PartialAnswer>>(
        count, [request, respond](
                   absl::StatusOr<std::vector<shard::PartialAnswer>> answers) {
          if (!answers.ok()) {
            respond(answers.status());
            return;
          }
          auto merged = shard::MergeAnswers(*request, *std::move(answers));
          if (merged.ok()) {
            respond((*merged)->SerializeAsString());
          } else {
            respond(merged.status());
          }
        });
  };
  const auto run_here =
      [this, &host, here, info,
       request](std::shared_ptr<Gathering<shard::PartialAnswer>> gathering) {
        AnswerPart(host, info, request, here, executors_.scans,
                   [gathering](absl::StatusOr<shard::PartialAnswer> part) {
                     gathering->Take(std::move(part));
                   });
      };
  if (elsewhere.empty()) {
    run_here(gather(1));
    return;
  }
  router_.Locate(
      host, std::move(elsewhere),
      [this, &host, info = std::move(info), here, request, respond, gather,
       run_here](
          absl::StatusOr<std::map<std::string, std::vector<int>>> owners) {
        if (!owners.ok()) {
          respond(owners.status());
          return;
        }
        const auto gathering = gather(owners->size() + (here.empty() ? 0 : 1));
        const Message* prototype =
            google::protobuf::MessageFactory::generated_factory()->GetPrototype(
                info.method->output_type());
        for (const auto& [address, partitions] : *owners) {
          peer::v1::QueryRequest part;
          part.set_service(host.service->name());
          part.set_method(info.method->name());
          part.set_request(request->SerializeAsString());
          for (const int p : partitions) part.add_partitions(p);
          router_.Query(
              host, address, info, part,
              [gathering,
               prototype](absl::StatusOr<peer::v1::QueryResponse> answer) {
                gathering->Take(FromPeer(*prototype, std::move(answer)));
              });
        }
        if (!here.empty()) run_here(gathering);
      });
}

}  // namespace aftercare::rpc
