#include "libs/rpc/peer_service.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "aftercare/peer/v1/peer_service.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"

namespace aftercare::rpc {
namespace {

using google::protobuf::Message;

absl::StatusOr<const Hosted*> HostOf(const Hosts& hosts,
                                     const std::string& service) {
  const Hosted* host = FindHost(hosts, service);
  if (host == nullptr) return InvalidField("service", "is not known here");
  RETURN_IF_ERROR(PartitionsKnown(*host));
  return host;
}

shard::CommandCallback Answer(Responder respond) {
  return [respond =
              std::move(respond)](absl::StatusOr<shard::CommandResult> result) {
    if (!result.ok()) {
      respond(result.status());
      return;
    }
    peer::v1::SubmitResponse response;
    response.set_resource(result->resource);
    response.set_row(std::move(result->row));
    response.set_refused_reason(result->refused_reason);
    respond(response.SerializeAsString());
  };
}

// Refused before the shard sees it, or handed to it.
absl::Status Submit(const Hosts& hosts, const CallInfo& info,
                    const peer::v1::SubmitRequest& request,
                    const Responder& respond) {
  ASSIGN_OR_RETURN(const Hosted* host, HostOf(hosts, request.service()));
  const auto* method = host->service->FindMethod(request.method());
  if (method == nullptr || method->decide == nullptr) {
    return Refuse(common::v1::REASON_METHOD_UNKNOWN,
                  "this server does not know the method");
  }
  ASSIGN_OR_RETURN(const int partition, host->PartitionOf(request.boundary()));
  const auto shard = host->Find(partition);
  if (shard == nullptr) return NotHere(*host, partition);
  std::shared_ptr<Message> inner(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(method->descriptor->input_type())
          ->New());
  if (!inner->ParseFromString(request.request())) {
    return Refuse(common::v1::REASON_REQUEST_MALFORMED,
                  "the bytes are no request of the method");
  }
  shard::Command command;
  command.method = method;
  command.request = std::move(inner);
  command.boundary = request.boundary();
  command.actor = "system";
  command.request_id = request.request_id();
  if (request.has_occur_time()) {
    if (!IsValid(request.occur_time())) {
      return InvalidField("occur_time", "is outside 1970 to 2199");
    }
    command.occur_time = FromProto(request.occur_time());
  }
  command.deadline = info.deadline;
  command.cause = request.cause();
  command.correlation = request.correlation();
  command.reaction = true;
  command.traceparent = request.traceparent();
  shard->Submit(std::move(command), Answer(respond));
  return absl::OkStatus();
}

absl::Status SubmitHandbook(const Hosts& hosts, const CallInfo& info,
                            const peer::v1::SubmitHandbookRequest& request,
                            const Responder& respond) {
  ASSIGN_OR_RETURN(const Hosted* host, HostOf(hosts, request.service()));
  if (request.partition() < 0 || request.partition() >= host->partitions()) {
    return InvalidField("partition", "is out of range");
  }
  const auto shard = host->Find(request.partition());
  if (shard == nullptr) return NotHere(*host, request.partition());
  shard->SubmitHandbook(request.handbook(), request.actor(), info.deadline,
                        Answer(respond));
  return absl::OkStatus();
}

absl::Status Query(const Gateway& gateway, const Hosts& hosts, CallInfo info,
                   const peer::v1::QueryRequest& request, Executor& executor,
                   const Responder& respond) {
  ASSIGN_OR_RETURN(const Hosted* host, HostOf(hosts, request.service()));
  info.method = host->service->descriptor()->FindMethodByName(request.method());
  if (info.method == nullptr) {
    return Refuse(common::v1::REASON_METHOD_UNKNOWN,
                  "this server does not know the method");
  }
  const std::shared_ptr<Message> inner(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(info.method->input_type())
          ->New());
  if (!inner->ParseFromString(request.request())) {
    return Refuse(common::v1::REASON_REQUEST_MALFORMED,
                  "the bytes are no request of the method");
  }
  gateway.AnswerPart(
      *host, info, inner,
      {request.partitions().begin(), request.partitions().end()}, executor,
      [respond](absl::StatusOr<shard::PartialAnswer> answer) {
        if (!answer.ok()) {
          respond(answer.status());
          return;
        }
        peer::v1::QueryResponse response;
        response.set_response(answer->response->SerializeAsString());
        response.set_list(answer->places.list);
        for (const auto& entry : answer->places.entries) {
          auto* place = response.add_places();
          place->set_key(entry.key);
          place->set_id(entry.id);
        }
        respond(response.SerializeAsString());
      });
  return absl::OkStatus();
}

}  // namespace

void RegisterPeerService(Server& server, const Gateway& gateway,
                         const Hosts& hosts, Executor& executor) {
  const auto* service =
      peer::v1::SubmitRequest::descriptor()->file()->FindServiceByName(
          "PeerService");
  server.AddService(service, [&](CallInfo info,
                                 std::shared_ptr<Message> request,
                                 Responder respond) {
    const std::string& name = info.method->name();
    absl::Status status;
    if (name == "Query") {
      // In the name of who asked, whose rights are checked there.
      status = Query(gateway, hosts, info,
                     static_cast<const peer::v1::QueryRequest&>(*request),
                     executor, respond);
    } else if (status = gateway.AuthorizePeer(info); status.ok()) {
      status =
          name == "Submit"
              ? Submit(hosts, info,
                       static_cast<const peer::v1::SubmitRequest&>(*request),
                       respond)
              : SubmitHandbook(
                    hosts, info,
                    static_cast<const peer::v1::SubmitHandbookRequest&>(
                        *request),
                    respond);
    }
    if (!status.ok()) respond(status);
  });
}

}  // namespace aftercare::rpc
