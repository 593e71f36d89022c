#include "libs/process/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "libs/base/time.h"

namespace aftercare {

absl::StatusOr<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(
    const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat(directory, ": ", error.message()));
  }
  const std::string holder = absl::StrCat(directory, "/HOLDER");
  const int file = open(holder.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) {
    return absl::UnavailableError(absl::StrCat(holder, ": cannot be opened"));
  }
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock(file));
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    char text[256] = {};
    const ssize_t size = pread(file, text, sizeof(text) - 1, 0);
    return absl::FailedPreconditionError(absl::StrCat(
        directory, " is held by ",
        absl::string_view(text, size > 0 ? static_cast<size_t>(size) : 0)));
  }
  char host[128] = {};
  gethostname(host, sizeof(host) - 1);
  const std::string who = absl::StrCat(
      "process ", getpid(), " on ", host, " since ",
      FormatRfc3339(absl::FromUnixSeconds(absl::ToUnixSeconds(absl::Now()))));
  if (ftruncate(file, 0) != 0 || pwrite(file, who.data(), who.size(), 0) !=
                                     static_cast<ssize_t>(who.size())) {
    return absl::UnavailableError(absl::StrCat(holder, ": cannot be written"));
  }
  return lock;
}

DirectoryLock::~DirectoryLock() { close(file_); }

}  // namespace aftercare
