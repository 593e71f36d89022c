#include "libs/rpc/router.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/rpc/gathering.h"
#include "libs/rpc/identity.h"

namespace aftercare::rpc {
namespace {

std::string PeerMethod(const char* name) {
  return absl::StrCat("/",
                      peer::v1::SubmitRequest::descriptor()
                          ->file()
                          ->FindServiceByName("PeerService")
                          ->full_name(),
                      "/", name);
}

// Nothing came from the owner that says what has become of the call.
bool NoAnswer(const absl::Status& status) {
  const std::string reason = ReasonOf(status);
  if (reason == "ANSWER_OVERDUE") return true;
  return reason.empty() &&
         (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status));
}

// What of a client's metadata goes on: what Aftercare itself reads.
std::map<std::string, std::string> Passed(const CallInfo& info) {
  std::map<std::string, std::string> passed;
  for (const auto& [key, value] : info.metadata) {
    if (absl::StartsWith(key, "x-aftercare-") || key == "traceparent" ||
        key == "authorization") {
      passed.emplace(key, value);
    }
  }
  passed[kForwardedMetadata] = "1";
  return passed;
}

absl::StatusOr<shard::CommandResult> ToResult(
    absl::StatusOr<std::string> answer) {
  if (!answer.ok()) return answer.status();
  peer::v1::SubmitResponse response;
  if (!response.ParseFromString(*answer)) {
    return absl::InternalError("a peer's answer does not parse");
  }
  return shard::CommandResult{response.resource(), response.row(),
                              response.refused_reason()};
}

}  // namespace

// One call on its way to the owner of a partition.
struct Router::Passing {
  const Hosted* host = nullptr;
  int partition = 0;
  std::string method;
  std::string request;
  absl::Time deadline;
  Client::Call call;
  std::map<std::string, std::string> trailers;
  // The owner that was tried.
  std::string tried;
  std::function<void(absl::StatusOr<std::string>)> done;
};

std::shared_ptr<void> Router::Hold() {
  std::lock_guard lock(mutex_);
  ++open_;
  return {this, [](Router* router) {
            // Notified under the lock: the router may be waiting to end.
            std::lock_guard held(router->mutex_);
            --router->open_;
            router->drained_.notify_all();
          }};
}

void Router::Drain() {
  std::unique_lock lock(mutex_);
  drained_.wait(lock, [this] { return open_ == 0; });
}

void Router::Announce(std::string address) {
  std::lock_guard lock(mutex_);
  address_ = std::move(address);
}

std::shared_ptr<Client> Router::ClientOf(const std::string& address) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Client>& client = clients_[address];
  if (client == nullptr) client = std::make_shared<Client>(address);
  return client;
}

void Router::Find(const Hosted& host, int partition, Owners::Done done) {
  if (owners_ == nullptr) {
    done(NotHere(host, partition));
    return;
  }
  owners_->Find(
      {host.service->topic(), partition},
      [this, &host, partition, held = Hold(),
       done = std::move(done)](absl::StatusOr<std::string> address) {
        const auto is_own = [this](const std::string& found) {
          std::lock_guard lock(mutex_);
          return found == address_;
        };
        // Just handed over, or about to begin.
        if (address.ok() && is_own(*address)) {
          owners_->Forget({host.service->topic(), partition}, *address);
          address = NotHere(host, partition);
        }
        done(std::move(address));
      });
}

void Router::Pass(std::shared_ptr<Passing> passing) {
  Find(*passing->host, passing->partition,
       [this, passing](absl::StatusOr<std::string> address) {
         if (!address.ok()) {
           passing->done(address.status());
           return;
         }
         if (*address == passing->tried) {
           passing->done(NotHere(*passing->host, passing->partition));
           return;
         }
         Client::Call call = passing->call;
         call.deadline = std::clamp(passing->deadline - absl::Now(),
                                    absl::Milliseconds(1), kPatience);
         call.trailers = &passing->trailers;
         ClientOf(*address)->InvokeAsync(
             passing->method, passing->request, call,
             [this, passing, held = Hold(),
              address = *address](absl::StatusOr<std::string> answer) {
               Take(passing, address, std::move(answer));
             });
       });
}

void Router::Take(const std::shared_ptr<Passing>& passing,
                  const std::string& address,
                  absl::StatusOr<std::string> answer) {
  const log::TopicPartition partition{passing->host->service->topic(),
                                      passing->partition};
  if (NoAnswer(answer.status())) {
    owners_->Forget(partition, address);
    passing->done(WithRetryDelay(
        Refuse(common::v1::REASON_OWNER_UNREACHABLE,
               absl::StrCat("the owner of ", passing->host->service->name(),
                            "/", passing->partition,
                            " did not answer: the outcome is unknown; repeat "
                            "with the same request_id"),
               {{"owner", address}}),
        absl::Milliseconds(500)));
    return;
  }
  if (ReasonOf(answer.status()) == "NOT_OWNER") {
    owners_->Forget(partition, address);
    if (passing->tried.empty()) {
      passing->tried = address;
      passing->trailers.clear();
      Pass(passing);
      return;
    }
  }
  passing->done(std::move(answer));
}

void Router::Forward(const Hosted& host, int partition, const CallInfo& info,
                     const std::string& request, Responder respond) {
  if (info.metadata.contains(kForwardedMetadata)) {
    respond(NotHere(host, partition));
    return;
  }
  auto passing = std::make_shared<Passing>();
  passing->host = &host;
  passing->partition = partition;
  passing->method = MethodPath(*info.method);
  passing->request = request;
  passing->deadline = info.deadline;
  passing->call.metadata = Passed(info);
  // Weak: the answer's end would hold itself.
  passing->done = [weak = std::weak_ptr<Passing>(passing), label = info.label,
                   respond =
                       std::move(respond)](absl::StatusOr<std::string> answer) {
    if (const auto self = weak.lock(); self != nullptr && label != nullptr) {
      for (const auto& [key, value] : self->trailers) {
        if (absl::StartsWith(key, "x-aftercare-")) label(key, value);
      }
    }
    respond(std::move(answer));
  };
  Pass(std::move(passing));
}

void Router::Submit(const Hosted& host, shard::Command command,
                    shard::CommandCallback done) {
  const absl::StatusOr<int> known = host.PartitionOf(command.boundary);
  if (!known.ok()) {
    done(known.status());
    return;
  }
  const int partition = *known;
  if (const auto shard = host.Find(partition)) {
    shard->Submit(std::move(command), std::move(done));
    return;
  }
  peer::v1::SubmitRequest request;
  request.set_service(host.service->name());
  request.set_method(command.method->descriptor->name());
  request.set_request(command.request->SerializeAsString());
  request.set_boundary(command.boundary);
  request.set_request_id(command.request_id);
  if (command.occur_time.has_value()) {
    *request.mutable_occur_time() = ToProto(*command.occur_time);
  }
  request.set_cause(command.cause);
  request.set_correlation(command.correlation);
  request.set_traceparent(command.traceparent);
  auto passing = std::make_shared<Passing>();
  passing->host = &host;
  passing->partition = partition;
  passing->method = PeerMethod("Submit");
  passing->request = request.SerializeAsString();
  passing->deadline = command.deadline;
  passing->call.metadata = {{kPeerMetadata, "1"}};
  passing->done = [done = std::move(done)](absl::StatusOr<std::string> answer) {
    done(ToResult(std::move(answer)));
  };
  Pass(std::move(passing));
}

void Router::SubmitHandbook(const Hosted& host, int partition,
                            const handbook::v1::Handbook& handbook,
                            const std::string& actor, absl::Time deadline,
                            shard::CommandCallback done) {
  if (const auto shard = host.Find(partition)) {
    shard->SubmitHandbook(handbook, actor, deadline, std::move(done));
    return;
  }
  peer::v1::SubmitHandbookRequest request;
  request.set_service(host.service->name());
  request.set_partition(partition);
  *request.mutable_handbook() = handbook;
  request.set_actor(actor);
  auto passing = std::make_shared<Passing>();
  passing->host = &host;
  passing->partition = partition;
  passing->method = PeerMethod("SubmitHandbook");
  passing->request = request.SerializeAsString();
  passing->deadline = deadline;
  passing->call.metadata = {{kPeerMetadata, "1"}};
  passing->done = [done = std::move(done)](absl::StatusOr<std::string> answer) {
    done(ToResult(std::move(answer)));
  };
  Pass(std::move(passing));
}

void Router::Locate(const Hosted& host, std::vector<int> partitions,
                    Located done) {
  using Owner = std::pair<int, std::string>;
  auto gathering = std::make_shared<Gathering<Owner>>(
      partitions.size(),
      [done = std::move(done)](absl::StatusOr<std::vector<Owner>> owners) {
        if (!owners.ok()) {
          done(owners.status());
          return;
        }
        std::map<std::string, std::vector<int>> found;
        for (const auto& [partition, address] : *owners) {
          found[address].push_back(partition);
        }
        done(std::move(found));
      });
  for (const int partition : partitions) {
    Find(host, partition,
         [gathering, partition](absl::StatusOr<std::string> address) {
           if (address.ok()) {
             gathering->Take(Owner(partition, *std::move(address)));
           } else {
             gathering->Take(address.status());
           }
         });
  }
}

void Router::Query(
    const Hosted& host, const std::string& address, const CallInfo& info,
    const peer::v1::QueryRequest& request,
    std::function<void(absl::StatusOr<peer::v1::QueryResponse>)> done) {
  Client::Call call;
  call.metadata = Passed(info);
  call.deadline = std::clamp(info.deadline - absl::Now(), absl::Milliseconds(1),
                             kPatience * 2);
  std::vector<int> partitions(request.partitions().begin(),
                              request.partitions().end());
  ClientOf(address)->InvokeAsync(
      PeerMethod("Query"), request.SerializeAsString(), call,
      [this, &host, address, held = Hold(), partitions = std::move(partitions),
       done = std::move(done)](absl::StatusOr<std::string> answer) {
        peer::v1::QueryResponse response;
        if (answer.ok() && response.ParseFromString(*answer)) {
          done(std::move(response));
          return;
        }
        absl::Status status =
            answer.ok() ? absl::InternalError("no parse") : answer.status();
        if (NoAnswer(status) || ReasonOf(status) == "NOT_OWNER") {
          for (const int partition : partitions) {
            owners_->Forget({host.service->topic(), partition}, address);
          }
        }
        if (NoAnswer(status)) {
          status = WithRetryDelay(
              Refuse(
                  common::v1::REASON_OWNER_UNREACHABLE,
                  "a process that owns some of the partitions did not answer",
                  {{"owner", address}}),
              absl::Milliseconds(500));
        }
        done(status);
      });
}

}  // namespace aftercare::rpc
