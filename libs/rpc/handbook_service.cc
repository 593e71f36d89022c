#include "libs/rpc/handbook_service.h"

#include <memory>
#include <utility>
#include <vector>

#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "libs/rpc/gathering.h"
#include "libs/shard/apply.h"

namespace aftercare::rpc {
namespace {

using google::protobuf::Message;

void Apply(const Hosts& hosts, Router& router, const CallInfo& info,
           const std::string& actor,
           const handbook::v1::ApplyHandbookRequest& request,
           Responder respond) {
  // Checked once here, so that a bad one touches no partition.
  auto policy = handbook::Policy::Compile(request.handbook());
  if (!policy.ok()) {
    respond(policy.status());
    return;
  }
  for (const auto& host : hosts) {
    if (absl::Status known = PartitionsKnown(*host); !known.ok()) {
      respond(known);
      return;
    }
  }
  size_t count = 0;
  for (const auto& host : hosts) {
    count += static_cast<size_t>(host->partitions());
  }
  const auto gathering = std::make_shared<Gathering<shard::CommandResult>>(
      count, [respond = std::move(respond),
              answer = request.handbook().SerializeAsString()](
                 absl::StatusOr<std::vector<shard::CommandResult>> results) {
        if (results.ok()) {
          respond(answer);
        } else {
          respond(results.status());
        }
      });
  for (const auto& host : hosts) {
    for (int p = 0; p < host->partitions(); ++p) {
      router.SubmitHandbook(
          *host, p, request.handbook(), actor, info.deadline,
          [gathering](absl::StatusOr<shard::CommandResult> result) {
            gathering->Take(std::move(result));
          });
    }
  }
}

// Every partition has every handbook: any that runs here will do.
std::shared_ptr<shard::Shard> AnyShard(const Hosts& hosts) {
  std::shared_ptr<shard::Shard> any;
  for (const auto& host : hosts) {
    for (auto& shard : host->Shards()) {
      const shard::ShardState state = shard->Status().state;
      if (state == shard::ShardState::kServing ||
          state == shard::ShardState::kReadOnly) {
        return shard;
      }
      any = std::move(shard);
    }
  }
  return any;
}

absl::StatusOr<std::string> Get(
    const RowReader& rows, const handbook::v1::GetHandbookRequest& request) {
  absl::Time at = absl::Now();
  if (request.has_at_time()) {
    if (!IsValid(request.at_time())) {
      return InvalidField("at_time", "is outside 1970 to 2199");
    }
    at = FromProto(request.at_time());
  }
  const handbook::v1::Handbook* in_force = nullptr;
  const auto* known = rows.Find(shard::kHandbooks, request.name());
  RETURN_IF_ERROR(CheckRead(rows));
  if (known != nullptr) {
    for (const auto& version : known->versions()) {
      if (FromProto(version.effective_time()) <= at) in_force = &version;
    }
  }
  if (in_force == nullptr) return NotFound(request.name());
  return in_force->SerializeAsString();
}

absl::StatusOr<std::string> List(
    const RowReader& rows,
    const handbook::v1::ListHandbookVersionsRequest& request) {
  handbook::v1::ListHandbookVersionsResponse response;
  if (const auto* known = rows.Find(shard::kHandbooks, request.name())) {
    for (const auto& version : known->versions()) {
      auto* shown = response.add_versions();
      shown->set_company(version.company());
      shown->set_version(version.version());
      shown->set_title(version.title());
      *shown->mutable_effective_time() = version.effective_time();
    }
  }
  RETURN_IF_ERROR(CheckRead(rows));
  return response.SerializeAsString();
}

}  // namespace

void RegisterHandbookService(Server& server, const Gateway& gateway,
                             const Hosts& hosts, Router& router) {
  const auto* service = handbook::v1::ApplyHandbookRequest::descriptor()
                            ->file()
                            ->FindServiceByName("HandbookService");
  server.AddService(service, [&gateway, &hosts, &router](
                                 CallInfo info,
                                 std::shared_ptr<Message> request,
                                 Responder respond) {
    const bool apply = info.method->name() == "ApplyHandbook";
    const std::string field = apply ? "handbook.company" : "name";
    const std::string company = TextAt(*request, field);
    const auto shard = AnyShard(hosts);
    if (!apply && shard == nullptr) {
      if (absl::Status known = PartitionsKnown(*hosts.front()); !known.ok()) {
        respond(known);
        return;
      }
      // Nothing is known here; any other process knows.
      router.Forward(*hosts.front(), 0, info, request->SerializeAsString(),
                     std::move(respond));
      return;
    }
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
      Apply(hosts, router, info, *actor,
            static_cast<const handbook::v1::ApplyHandbookRequest&>(*request),
            std::move(respond));
      return;
    }
    // A row of one company: quick enough for the shard's thread.
    shard->Read(
        shard::Freshness::kConfirmed,
        [get = info.method->name() == "GetHandbook", request,
         respond = std::move(respond)](
            absl::StatusOr<std::unique_ptr<RowReader>> rows) {
          if (!rows.ok()) {
            respond(rows.status());
          } else if (get) {
            respond(Get(**rows,
                        static_cast<const handbook::v1::GetHandbookRequest&>(
                            *request)));
          } else {
            respond(List(
                **rows,
                static_cast<const handbook::v1::ListHandbookVersionsRequest&>(
                    *request)));
          }
        });
  });
}

}  // namespace aftercare::rpc
