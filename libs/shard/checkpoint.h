// Checkpoints of one partition: copies of its rows with their place in the log,
// one directory for each, named by that offset. A directory is whole or not
// there.

#ifndef AFTERCARE_LIBS_SHARD_CHECKPOINT_H_
#define AFTERCARE_LIBS_SHARD_CHECKPOINT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "libs/shard/shard.h"

namespace aftercare::shard {

// "<root>/<service>/<partition>", where the checkpoints of a partition are.
std::string CheckpointsOf(const std::string& root, const std::string& service,
                          int partition);

// Writes one of the shard as it is now, unless there is one of that offset, and
// removes all but the newest `keep`. Its path. Blocks, not the shard.
absl::StatusOr<std::string> WriteCheckpoint(Shard& shard,
                                            const std::string& directory,
                                            int keep);

// The offsets there are checkpoints of, the newest first.
std::vector<int64_t> ListCheckpoints(const std::string& directory);

// The directory of one of them.
std::string CheckpointAt(const std::string& directory, int64_t offset);

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_CHECKPOINT_H_
