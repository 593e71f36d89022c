// Progress in a topic: the newest record of a key counts, an empty value means
// that the entry is gone. Meant for a compacted topic, which keeps that record
// as well: to Kafka an empty value is a value. Were it a tombstone, which Kafka
// drops, a process that read the entry long ago would never learn of its end.
// Every process of a service writes there, about the reactions it runs just
// then. A process that does not know yet that a reaction has moved on may set
// its position back: that costs repetitions only.

#ifndef AFTERCARE_LIBS_REACTION_TOPIC_PROGRESS_H_
#define AFTERCARE_LIBS_REACTION_TOPIC_PROGRESS_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "libs/log/log.h"
#include "libs/reaction/progress.h"

namespace aftercare::reaction {

// "aftercare.<target>.reactions.v1", of one partition.
std::string ProgressTopic(absl::string_view target);

class TopicProgress final : public Progress {
 public:
  // The topic must exist with at least one partition; `log` must outlive this.
  TopicProgress(log::Log& log, std::string topic,
                absl::Duration patience = absl::Seconds(5));

  // Everything written before the call is in the answer.
  absl::StatusOr<State> Load(absl::string_view stream) override;
  absl::Status Advance(absl::string_view stream, const log::FoldState& position,
                       const std::vector<admin::v1::Parked>& parked) override;
  absl::Status Park(absl::string_view stream,
                    const admin::v1::Parked& parked) override;
  absl::Status Unpark(absl::string_view stream,
                      const admin::v1::Parked& parked) override;

 private:
  using Entries = std::vector<std::pair<std::string, std::string>>;
  // Appends in order and waits; the last one's offset.
  absl::StatusOr<int64_t> Put(Entries entries);
  absl::Status ReadUpTo(int64_t offset);

  log::Log& log_;
  const log::TopicPartition partition_;
  const absl::Duration patience_;
  std::mutex append_mutex_;
  std::shared_ptr<log::Appender> appender_;  // guarded by append_mutex_
  std::mutex read_mutex_;
  std::map<std::string, std::string> entries_;  // guarded by read_mutex_
  int64_t position_ = 0;                        // guarded by read_mutex_
};

}  // namespace aftercare::reaction

#endif  // AFTERCARE_LIBS_REACTION_TOPIC_PROGRESS_H_
