// How far each reaction has come, and what it could not carry out. Positions
// may be lost: reactions then start from the beginning of their sources, and
// the targets' memory of request_ids keeps every effect single. What is parked
// is kept before the position passes it.
//
//   OpenLocalProgress   one small RocksDB for all reactions of a process
//   TopicProgress       a compacted topic, for reactions that move between
//                       processes (topic_progress.h)

#ifndef AFTERCARE_LIBS_REACTION_PROGRESS_H_
#define AFTERCARE_LIBS_REACTION_PROGRESS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "libs/log/fold.h"

namespace aftercare::reaction {

// Thread-safe; every function may block. `stream` is a reaction's name and
// partition, "scoring<intake/0". Errors are UNAVAILABLE: the outcome is
// unknown, and the same may be written again.
class Progress {
 public:
  virtual ~Progress() = default;

  struct State {
    // Where to go on; the beginning for an unknown stream.
    log::FoldState position;
    // By offset.
    std::vector<admin::v1::Parked> parked;
  };
  virtual absl::StatusOr<State> Load(absl::string_view stream) = 0;

  // Adds parked events, then moves the position.
  virtual absl::Status Advance(
      absl::string_view stream, const log::FoldState& position,
      const std::vector<admin::v1::Parked>& parked) = 0;

  // Adds or replaces one parked event.
  virtual absl::Status Park(absl::string_view stream,
                            const admin::v1::Parked& parked) = 0;
  virtual absl::Status Unpark(absl::string_view stream,
                              const admin::v1::Parked& parked) = 0;
};

// Creates the directory; a damaged one is wiped.
absl::StatusOr<std::unique_ptr<Progress>> OpenLocalProgress(
    const std::string& directory);

// How both kinds name and write their entries.
std::string PositionKey(absl::string_view stream);
std::string ParkedPrefix(absl::string_view stream);
std::string ParkedKey(absl::string_view stream, int64_t offset);
std::string PositionText(const log::FoldState& position);
// The beginning for anything else.
log::FoldState ParsePosition(absl::string_view text);

}  // namespace aftercare::reaction

#endif  // AFTERCARE_LIBS_REACTION_PROGRESS_H_
