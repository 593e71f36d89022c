// -----------------------------------------------------------------------------
// File: kafka_group.h
// -----------------------------------------------------------------------------
//
// Which partitions of a topic this process should own, as Kafka's consumer
// group sees it. A hint only: who owns is decided by claims (fold.h). Nothing
// is read through the group.
//
// Members are static (group.instance.id): one that restarts within the session
// timeout gets its partitions back and nothing moves. The price is that the
// partitions of one that ends for good wait for that timeout too. Partitions
// move cooperatively: those that stay are not disturbed.

#ifndef AFTERCARE_LIBS_LOG_KAFKA_GROUP_H_
#define AFTERCARE_LIBS_LOG_KAFKA_GROUP_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace aftercare::log {

struct KafkaGroupOptions {
  // As KafkaLogOptions::properties.
  std::map<std::string, std::string> properties;
  std::string group;
  // Tells the members apart and must outlive a restart. When two processes use
  // one, the first is told so by `failed`.
  std::string instance;
  std::string topic;
  // Silent for so long, a member has lost its partitions. Three missed
  // heartbeats are forgiven at least.
  absl::Duration session_timeout = absl::Seconds(6);
};

struct KafkaGroupCallbacks {
  // Called one at a time from a thread of the group. `assigned` names what came
  // on top, perhaps nothing; the first time it means that the group was joined.
  // They may block; the other members wait for `revoked` to return, but not for
  // `assigned`.
  std::function<void(const std::vector<int>& partitions)> assigned;
  std::function<void(const std::vector<int>& partitions)> revoked;
  // The group cannot go on and never will (librdkafka calls it fatal). Called
  // at most once.
  std::function<void(const absl::Status&)> failed;
};

class KafkaGroup {
 public:
  // Joins in the background, for as long as that takes. INVALID_ARGUMENT for an
  // unusable property.
  static absl::StatusOr<std::unique_ptr<KafkaGroup>> Join(
      KafkaGroupOptions options, KafkaGroupCallbacks callbacks);

  // Gives up everything assigned (`revoked` is called), but not the membership.
  virtual ~KafkaGroup() = default;
};

}  // namespace aftercare::log

#endif  // AFTERCARE_LIBS_LOG_KAFKA_GROUP_H_
