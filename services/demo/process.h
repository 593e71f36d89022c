// A child process of the demonstration: started, found by its ports file,
// killed without mercy.

#ifndef AFTERCARE_SERVICES_DEMO_PROCESS_H_
#define AFTERCARE_SERVICES_DEMO_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace aftercare::demo {

class Process {
 public:
  // Standard error goes to `log_path`. The child dies with this process.
  static absl::StatusOr<Process> Start(const std::vector<std::string>& command,
                                       const std::string& log_path);
  Process(Process&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  Process& operator=(Process&& other) noexcept;
  ~Process() { Kill(); }

  // SIGKILL and wait.
  void Kill();
  // Waits for the end; the exit code, or 128 plus the signal.
  int Wait();
  pid_t pid() const { return pid_; }

 private:
  explicit Process(pid_t pid) : pid_(pid) {}
  pid_t pid_ = -1;
};

}  // namespace aftercare::demo

#endif  // AFTERCARE_SERVICES_DEMO_PROCESS_H_
