// -----------------------------------------------------------------------------
// File: service.h
// -----------------------------------------------------------------------------
//
// A service, said once: its tables, its facts, one Decide per command, one
// function per query. Shards run it, the RPC server binds it by the proto's
// service descriptor, tests drive it. Commands are the request messages of the
// methods; a command's answer is the resource row named by its first event.
//
//   Service MakeIntakeService() {
//     Service s(v1::Service descriptor file..., "intake", "IntakeService");
//     s.schema().AddTable(kCases);
//     s.SetEvolve<v1::IntakeEvent>(domain::Evolve);
//     s.AddCommand<v1::OpenCaseRequest, v1::IntakeEvent>("OpenCase",
//     domain::Decide); s.AddQuery<v1::GetCaseRequest, v1::Case>("GetCase",
//     GetCase); return s;
//   }
//
// CheckComplete() names every method of the proto that has no handler and
// every method without roles; servers refuse to start on a non-empty answer.

#ifndef AFTERCARE_LIBS_SHARD_SERVICE_H_
#define AFTERCARE_LIBS_SHARD_SERVICE_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/common/v1/annotations.pb.h"
#include "google/protobuf/message.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"
#include "libs/shard/request.h"

namespace aftercare::shard {

// A draft whose event type is known at run time only.
struct AnyDraft {
  std::string subject;
  std::unique_ptr<google::protobuf::Message> event;
};

// Where the entries of a list's page stand in the list's order.
struct Places {
  struct Place {
    std::string key;
    std::string id;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  std::string list;  // which list with which arguments
  std::vector<Place> entries;
};

// What a query sees: the rows of the shards that may hold the answer, each a
// consistent snapshot. One shard when the request names a boundary, else all
// of the service's shards in this process, ascending by partition.
struct QueryContext {
  std::vector<const RowReader*> shards;
  absl::Time now;
  // The actor and the company's handbook now; policy may be null for requests
  // that name no company.
  std::string actor;
  const handbook::Policy* policy = nullptr;

  // Where lists tell the places of the entries they took; may be null.
  Places* places = nullptr;

  // For requests that name one boundary.
  const RowReader& rows() const { return *shards.front(); }
};

class Service {
 public:
  using DecideFn = std::function<absl::StatusOr<std::vector<AnyDraft>>(
      const RowReader&, const CommandContext&,
      const google::protobuf::Message& request)>;
  using QueryFn =
      std::function<absl::StatusOr<std::unique_ptr<google::protobuf::Message>>(
          const QueryContext&, const google::protobuf::Message& request)>;
  using TimerFn = std::function<absl::StatusOr<std::vector<AnyDraft>>(
      const RowReader&, const CommandContext&, absl::string_view name)>;
  using EvolveFn = std::function<void(RowEditor&, const EventMeta&,
                                      const google::protobuf::Message& event)>;

  struct Method {
    const google::protobuf::MethodDescriptor* descriptor = nullptr;
    common::v1::MethodRules rules;
    RequestFields fields;
    DecideFn decide;  // commands
    QueryFn query;    // queries
  };

  // `name` is the short name ("intake"): topic aftercare.<name>.events.v1.
  // `grpc_service` is the descriptor of its gRPC service.
  Service(std::string name,
          const google::protobuf::ServiceDescriptor* grpc_service);

  const std::string& name() const { return name_; }
  const google::protobuf::ServiceDescriptor* descriptor() const {
    return grpc_service_;
  }
  std::string topic() const;

  // To be raised when Evolve or an index function gives other rows for the
  // same events than before; directories of another version are replayed.
  void set_row_version(int version) { row_version_ = version; }
  int row_version() const { return row_version_; }

  Schema& schema() { return schema_; }
  const Schema& schema() const { return schema_; }

  // `evolve` gets every fact but the platform's own.
  template <typename Event>
  void SetEvolve(void (*fn)(RowEditor&, const EventMeta&, const Event&)) {
    event_prototype_ = &Event::default_instance();
    evolve_ = [fn](RowEditor& rows, const EventMeta& meta,
                   const google::protobuf::Message& event) {
      fn(rows, meta, static_cast<const Event&>(event));
    };
  }

  // `name` is the method's name in the proto.
  template <typename Request, typename Event>
  void AddCommand(absl::string_view method,
                  Decision<Event> (*decide)(const RowReader&,
                                            const CommandContext&,
                                            const Request&)) {
    AddMethod(
        method, Request::descriptor(),
        [decide](const RowReader& rows, const CommandContext& context,
                 const google::protobuf::Message& request) {
          return Erase(
              decide(rows, context, static_cast<const Request&>(request)));
        },
        nullptr);
  }

  template <typename Request, typename Response>
  void AddQuery(absl::string_view method,
                absl::StatusOr<Response> (*query)(const QueryContext&,
                                                  const Request&)) {
    AddMethod(
        method, Request::descriptor(), nullptr,
        [query](const QueryContext& context,
                const google::protobuf::Message& request)
            -> absl::StatusOr<std::unique_ptr<google::protobuf::Message>> {
          auto answer = query(context, static_cast<const Request&>(request));
          if (!answer.ok()) return answer.status();
          return std::make_unique<Response>(*std::move(answer));
        });
  }

  template <typename Event>
  void SetTimer(Decision<Event> (*decide)(const RowReader&,
                                          const CommandContext&,
                                          absl::string_view name)) {
    timer_ = [decide](const RowReader& rows, const CommandContext& context,
                      absl::string_view name) {
      return Erase(decide(rows, context, name));
    };
  }

  // Null for a name the proto does not have or nobody added.
  const Method* FindMethod(absl::string_view name) const;
  const EvolveFn& evolve() const { return evolve_; }
  const TimerFn& timer() const { return timer_; }
  const google::protobuf::Message& event_prototype() const {
    return *event_prototype_;
  }

  absl::Status CheckComplete() const;

 private:
  template <typename Event>
  static absl::StatusOr<std::vector<AnyDraft>> Erase(Decision<Event> decision) {
    if (!decision.ok()) return decision.status();
    std::vector<AnyDraft> drafts;
    drafts.reserve(decision->size());
    for (Draft<Event>& draft : *decision) {
      drafts.push_back({std::move(draft.subject),
                        std::make_unique<Event>(std::move(draft.event))});
    }
    return drafts;
  }

  void AddMethod(absl::string_view method,
                 const google::protobuf::Descriptor* request, DecideFn decide,
                 QueryFn query);

  std::string name_;
  int row_version_ = 1;
  const google::protobuf::ServiceDescriptor* grpc_service_;
  Schema schema_;
  absl::flat_hash_map<std::string, Method> methods_;
  EvolveFn evolve_;
  TimerFn timer_;
  const google::protobuf::Message* event_prototype_ = nullptr;
};

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_SERVICE_H_
