// -----------------------------------------------------------------------------
// File: owners.h
// -----------------------------------------------------------------------------
//
// Who owns a partition: the process whose claim is the last one in it. Read
// from the log itself, kept, and read again once a kept answer has proved
// wrong.

#ifndef AFTERCARE_LIBS_RPC_OWNERS_H_
#define AFTERCARE_LIBS_RPC_OWNERS_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "libs/log/log.h"

namespace aftercare::rpc {

// The address in the last claim of a partition; empty when nobody has ever
// claimed it. Looks at the last `window` records: every record names the claim
// it was written under, and an owner's are the highest. A window full of late
// records of earlier owners gives one of those; a wider one does not. Blocks.
absl::StatusOr<std::string> ReadOwner(log::Log& log,
                                      const log::TopicPartition& partition,
                                      int64_t window);

// Thread-safe.
class Owners {
 public:
  // `log` must outlive it.
  explicit Owners(log::Log& log);
  ~Owners();

  // Gets the address, at once when it is known, else from a thread of this
  // object; must not block. UNAVAILABLE NOT_OWNER when nobody has claimed the
  // partition, LOG_UNAVAILABLE when the log does not answer.
  using Done = std::function<void(absl::StatusOr<std::string>)>;
  void Find(const log::TopicPartition& partition, Done done);

  // `address` turned out not to be the owner, or does not answer. The next
  // Find reads the log again, though not within kPause of the last time.
  void Forget(const log::TopicPartition& partition, const std::string& address);

  static constexpr absl::Duration kPause = absl::Milliseconds(200);

 private:
  using Key = std::pair<std::string, int>;
  struct Entry {
    std::string address;
    bool stale = false;
    int wrong = 0;  // times in a row that the answer was of no use
    absl::Time read_time = absl::InfinitePast();
    bool asked = false;  // in queue_
    std::vector<Done> waiting;
  };

  void Run();

  log::Log& log_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  absl::flat_hash_map<Key, Entry> entries_;
  std::deque<Key> queue_;
  std::thread thread_;
};

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_OWNERS_H_
