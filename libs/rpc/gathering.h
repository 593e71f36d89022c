// The answers to several questions asked at once, as one.
//
//   auto gathering = std::make_shared<Gathering<Part>>(3, done);
//   Ask(..., [gathering](absl::StatusOr<Part> part) {
//     gathering->Take(std::move(part));
//   });

#ifndef AFTERCARE_LIBS_RPC_GATHERING_H_
#define AFTERCARE_LIBS_RPC_GATHERING_H_

#include <cstddef>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace aftercare::rpc {

// Thread-safe.
template <typename T>
class Gathering {
 public:
  using Done = std::function<void(absl::StatusOr<std::vector<T>>)>;

  // `done` gets the answers, in the order in which they came, or the first
  // error, once all of `count` (at least one) are there.
  Gathering(size_t count, Done done)
      : missing_(count), done_(std::move(done)) {}

  void Take(absl::StatusOr<T> answer) {
    {
      std::lock_guard lock(mutex_);
      if (answer.ok()) {
        answers_.push_back(*std::move(answer));
      } else if (error_.ok()) {
        error_ = answer.status();
      }
      if (--missing_ > 0) return;
    }
    if (error_.ok()) {
      done_(std::move(answers_));
    } else {
      done_(error_);
    }
  }

 private:
  std::mutex mutex_;
  size_t missing_;          // guarded by mutex_
  absl::Status error_;      // guarded by mutex_ until the last answer is there
  std::vector<T> answers_;  // as error_
  const Done done_;
};

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_GATHERING_H_
