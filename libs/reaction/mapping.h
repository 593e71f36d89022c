// What a service declares about the events of others it reacts to
// (services/<s>/reactions.cc). The engine is in reaction.h.

#ifndef AFTERCARE_LIBS_REACTION_MAPPING_H_
#define AFTERCARE_LIBS_REACTION_MAPPING_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "libs/base/decider.h"
#include "libs/handbook/policy.h"

namespace aftercare::reaction {

// A command for one of the service's own methods.
struct ReactionCommand {
  std::string method;  // name in the service's proto
  std::unique_ptr<google::protobuf::Message> request;
};

// Commands that follow from one event of `source` (a service's short name).
// `policy` is the company's handbook in force at the event's occur time, null
// if there is none. Pure. No commands: the event does not concern us. An error
// parks the event. The engine sets request_id (event id, and "#n" for the nth
// further command) and occur_time is the event's unless the request sets it.
struct Mapping {
  std::string source;
  const google::protobuf::Message* event_prototype = nullptr;
  std::function<absl::StatusOr<std::vector<ReactionCommand>>(
      const EventMeta& meta, const google::protobuf::Message& event,
      const handbook::Policy* policy)>
      map;
};

}  // namespace aftercare::reaction

#endif  // AFTERCARE_LIBS_REACTION_MAPPING_H_
