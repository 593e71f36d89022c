#include "libs/rpc/handbook_service.h"

#include <atomic>
#include <mutex>
#include <utility>

#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "libs/shard/apply.h"

namespace aftercare::rpc {
namespace {

using google::protobuf::Message;
using Hosts = std::vector<std::unique_ptr<Hosted>>;

// Collects the answers of all shards; the first refusal counts.
struct Gathering {
  std::mutex mutex;
  size_t missing = 0;
  absl::Status status;
  std::string answer;
  Responder respond;

  void Take(const absl::Status& status_of_one) {
    bool last = false;
    {
      std::lock_guard lock(mutex);
      if (!status_of_one.ok() && status.ok()) status = status_of_one;
      last = --missing == 0;
    }
    if (!last) return;
    if (status.ok()) {
      respond(std::move(answer));
    } else {
      respond(status);
    }
  }
};

void Apply(const Hosts& hosted, const CallInfo& info, std::string actor,
           const handbook::v1::ApplyHandbookRequest& request,
           Responder respond) {
  // Checked once here, so that a bad one touches no partition.
  auto policy = handbook::Policy::Compile(request.handbook());
  if (!policy.ok()) {
    respond(policy.status());
    return;
  }
  auto gathering = std::make_shared<Gathering>();
  gathering->respond = std::move(respond);
  gathering->answer = request.handbook().SerializeAsString();
  for (const auto& host : hosted) gathering->missing += host->shards.size();
  for (const auto& host : hosted) {
    for (const auto& shard : host->shards) {
      shard->SubmitHandbook(
          request.handbook(), actor, info.deadline,
          [gathering](absl::StatusOr<shard::CommandResult> result) {
            gathering->Take(result.status());
          });
    }
  }
}

absl::StatusOr<std::string> Get(
    const Hosts& hosted, const handbook::v1::GetHandbookRequest& request) {
  absl::Time at = absl::Now();
  if (request.has_at_time()) {
    if (!IsValid(request.at_time())) {
      return InvalidField("at_time", "is outside 1970 to 2199");
    }
    at = FromProto(request.at_time());
  }
  const auto policy =
      hosted.front()->shards.front()->PolicyAt(request.name(), at);
  if (policy == nullptr) return NotFound(request.name());
  return policy->handbook().SerializeAsString();
}

absl::StatusOr<std::string> List(
    const Hosts& hosted,
    const handbook::v1::ListHandbookVersionsRequest& request) {
  auto rows = hosted.front()->shards.front()->Snapshot();
  if (!rows.ok()) return rows.status();
  handbook::v1::ListHandbookVersionsResponse response;
  if (const auto* known = (*rows)->Find(shard::kHandbooks, request.name())) {
    for (const auto& version : known->versions()) {
      auto* shown = response.add_versions();
      shown->set_company(version.company());
      shown->set_version(version.version());
      shown->set_title(version.title());
      *shown->mutable_effective_time() = version.effective_time();
    }
  }
  return response.SerializeAsString();
}

}  // namespace

void RegisterHandbookService(Server& server, const Gateway& gateway,
                             const Hosts& hosted) {
  const auto* service = handbook::v1::ApplyHandbookRequest::descriptor()
                            ->file()
                            ->FindServiceByName("HandbookService");
  server.AddService(service, [&gateway, &hosted](
                                 CallInfo info,
                                 std::shared_ptr<Message> request,
                                 Responder respond) {
    const bool apply = info.method->name() == "ApplyHandbook";
    const std::string field = apply ? "handbook.company" : "name";
    const std::string company = TextAt(*request, field);
    auto actor = gateway.Authorize(info, company);
    if (!actor.ok()) {
      respond(actor.status());
      return;
    }
    if (absl::Status bad = CheckName(field, "companies/*", company);
        !bad.ok()) {
      respond(bad);
      return;
    }
    if (apply) {
      Apply(hosted, info, *actor,
            static_cast<const handbook::v1::ApplyHandbookRequest&>(*request),
            std::move(respond));
    } else if (info.method->name() == "GetHandbook") {
      respond(Get(hosted, static_cast<const handbook::v1::GetHandbookRequest&>(
                              *request)));
    } else {
      respond(List(
          hosted, static_cast<const handbook::v1::ListHandbookVersionsRequest&>(
                      *request)));
    }
  });
}

}  // namespace aftercare::rpc
