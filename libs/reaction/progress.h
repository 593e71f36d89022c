// How far each reaction has come, and what it could not carry out: one small
// RocksDB for all reactions of a process. Everything here may be lost:
// reactions then start from the beginning of their sources, and the targets'
// memory of request_ids keeps every effect single.

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
#include "rocksdb/db.h"

namespace aftercare::reaction {

// Thread-safe. `stream` is a reaction's name and partition, "scoring<intake/0".
class Progress {
 public:
  // Creates the directory; a damaged one is wiped.
  static absl::StatusOr<std::unique_ptr<Progress>> Open(
      const std::string& directory);

  // Where to go on; the beginning for an unknown stream.
  log::FoldState Position(absl::string_view stream) const;

  // Parked events of a stream by offset.
  std::vector<admin::v1::Parked> ParkedOf(absl::string_view stream) const;

  // Moves the position and adds parked events, in one batch.
  absl::Status Advance(absl::string_view stream, const log::FoldState& position,
                       const std::vector<admin::v1::Parked>& parked);

  // Adds or replaces one parked event.
  absl::Status Park(absl::string_view stream, const admin::v1::Parked& parked);
  absl::Status Unpark(absl::string_view stream,
                      const admin::v1::Parked& parked);

 private:
  explicit Progress(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace aftercare::reaction

#endif  // AFTERCARE_LIBS_REACTION_PROGRESS_H_
