#include "libs/shard/checkpoint.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <system_error>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libs/base/status_macros.h"
#include "libs/store/row_store.h"

namespace aftercare::shard {
namespace {

absl::Status Problem(const std::string& path, const std::error_code& error) {
  return absl::UnavailableError(absl::StrCat(path, ": ", error.message()));
}

}  // namespace

std::string CheckpointsOf(const std::string& root, const std::string& service,
                          int partition) {
  return absl::StrCat(root, "/", service, "/", partition);
}

std::string CheckpointAt(const std::string& directory, int64_t offset) {
  return absl::StrCat(directory, "/", absl::StrFormat("%020d", offset));
}

std::vector<int64_t> ListCheckpoints(const std::string& directory) {
  std::vector<int64_t> offsets;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    int64_t offset = 0;
    // What is being written has another kind of name.
    if (name.size() == 20 && absl::SimpleAtoi(name, &offset)) {
      offsets.push_back(offset);
    }
  }
  std::sort(offsets.begin(), offsets.end(), std::greater<>());
  return offsets;
}

absl::StatusOr<std::string> WriteCheckpoint(Shard& shard,
                                            const std::string& directory,
                                            int keep) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Problem(directory, error);
  const std::string unfinished = directory + "/unfinished";
  RETURN_IF_ERROR(store::WipeDirectory(unfinished));
  ASSIGN_OR_RETURN(const int64_t offset, shard.Checkpoint(unfinished));
  const std::string path = CheckpointAt(directory, offset);
  if (std::filesystem::exists(path, error)) {
    RETURN_IF_ERROR(store::WipeDirectory(unfinished));
  } else {
    std::filesystem::rename(unfinished, path, error);
    if (error) return Problem(path, error);
  }
  const std::vector<int64_t> offsets = ListCheckpoints(directory);
  for (size_t i = static_cast<size_t>(keep); i < offsets.size(); ++i) {
    RETURN_IF_ERROR(store::WipeDirectory(CheckpointAt(directory, offsets[i])));
  }
  return path;
}

}  // namespace aftercare::shard
