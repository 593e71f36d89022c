// A few threads behind a bounded queue, for work that must not hold up gRPC's
// callback threads (which are two on a small machine).

#ifndef AFTERCARE_LIBS_RPC_EXECUTOR_H_
#define AFTERCARE_LIBS_RPC_EXECUTOR_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace aftercare::rpc {

// Thread-safe.
class Executor {
 public:
  Executor(int threads, size_t max_queued);
  // Runs what is queued, then ends.
  ~Executor();

  // False when the queue is full or the executor is ending: `work` was not
  // taken and will not run.
  [[nodiscard]] bool TryRun(std::function<void()> work);

 private:
  void Loop();

  const size_t max_queued_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_EXECUTOR_H_
