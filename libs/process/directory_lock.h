// One holder per directory, by an advisory lock that the kernel drops with the
// process, and beside it who took it:
//
//   ASSIGN_OR_RETURN(auto lock, DirectoryLock::Take("/var/lib/aftercare"));
//
// The lock lies on the file HOLDER, which stays behind.

#ifndef AFTERCARE_LIBS_PROCESS_DIRECTORY_LOCK_H_
#define AFTERCARE_LIBS_PROCESS_DIRECTORY_LOCK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace aftercare {

class DirectoryLock {
 public:
  // Makes the directory if it is missing. FAILED_PRECONDITION when somebody
  // else has it: the message says which process, where and since when.
  static absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(
      const std::string& directory);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int file) : file_(file) {}

  const int file_;
};

}  // namespace aftercare

#endif  // AFTERCARE_LIBS_PROCESS_DIRECTORY_LOCK_H_
