#include "libs/rpc/owners.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/log/fold.h"
#include "libs/process/clock.h"

namespace aftercare::rpc {
namespace {

// More than a shard keeps in flight, so that a deposed owner's late records
// rarely fill it.
constexpr int64_t kWindow = 1100;
constexpr int64_t kWidest = int64_t{1} << 20;
constexpr absl::Duration kReadWait = absl::Seconds(2);

}  // namespace

absl::StatusOr<std::string> ReadOwner(log::Log& log,
                                      const log::TopicPartition& partition,
                                      int64_t window) {
  ASSIGN_OR_RETURN(const int64_t end, log.End(partition));
  if (end == 0) return std::string();
  const int64_t from = std::max<int64_t>(0, end - window);
  ASSIGN_OR_RETURN(auto reader, log.OpenReader(partition, from));
  int64_t claim = -1;
  std::string address;
  bool seen = false;  // `address` is that of `claim`
  while (reader->position() < end) {
    ASSIGN_OR_RETURN(auto records, reader->Read(1000, kReadWait));
    if (records.empty()) {
      return absl::UnavailableError("the end of the partition does not come");
    }
    for (const log::StoredRecord& record : records) {
      if (!record.record.Header(log::kOwnerHeader).empty()) {
        claim = record.offset;
        address = std::string(record.record.Header(log::kAddressHeader));
        seen = true;
        continue;
      }
      int64_t number = -1;
      if (absl::SimpleAtoi(record.record.Header(log::kClaimHeader), &number) &&
          number > claim && number < record.offset) {
        claim = number;
        seen = false;
      }
    }
  }
  if (claim < 0) return std::string();
  if (seen) return address;
  ASSIGN_OR_RETURN(reader, log.OpenReader(partition, claim));
  ASSIGN_OR_RETURN(auto records, reader->Read(1, kReadWait));
  if (records.empty() || records.front().offset != claim) {
    return absl::UnavailableError("the claim cannot be read");
  }
  return std::string(records.front().record.Header(log::kAddressHeader));
}

Owners::Owners(log::Log& log) : log_(log), thread_([this] { Run(); }) {}

Owners::~Owners() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Owners::Find(const log::TopicPartition& partition, Done done) {
  std::string address;
  {
    std::lock_guard lock(mutex_);
    Entry& entry = entries_[{partition.topic, partition.partition}];
    const bool fresh = SteadyNow() - entry.read_time < kPause;
    if (!entry.address.empty() && (!entry.stale || fresh)) {
      address = entry.address;
    } else {
      entry.waiting.push_back(std::move(done));
      if (!entry.asked) {
        entry.asked = true;
        queue_.emplace_back(partition.topic, partition.partition);
      }
    }
  }
  if (!address.empty()) {
    done(std::move(address));
    return;
  }
  wake_.notify_one();
}

void Owners::Forget(const log::TopicPartition& partition,
                    const std::string& address) {
  std::lock_guard lock(mutex_);
  Entry& entry = entries_[{partition.topic, partition.partition}];
  if (entry.address == address) entry.stale = true;
}

void Owners::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) break;
    const Key key = queue_.front();
    queue_.pop_front();
    const int wrong = entries_[key].wrong;
    lock.unlock();
    auto found = ReadOwner(log_, {key.first, key.second},
                           std::min(kWindow << std::min(wrong, 10), kWidest));
    lock.lock();
    Entry& entry = entries_[key];
    entry.asked = false;
    std::vector<Done> waiting = std::move(entry.waiting);
    entry.waiting.clear();
    absl::StatusOr<std::string> answer;
    if (!found.ok()) {
      answer = WithRetryDelay(
          Refuse(common::v1::REASON_LOG_UNAVAILABLE,
                 absl::StrCat("the owner of ", key.first, "/", key.second,
                              " cannot be found: ", found.status().message())),
          absl::Seconds(1));
    } else if (found->empty()) {
      answer =
          WithRetryDelay(Refuse(common::v1::REASON_NOT_OWNER,
                                absl::StrCat("nobody has claimed ", key.first,
                                             "/", key.second, " yet")),
                         absl::Seconds(1));
    } else {
      entry.wrong =
          entry.stale && entry.address == *found ? entry.wrong + 1 : 0;
      entry.address = *found;
      entry.stale = false;
      entry.read_time = SteadyNow();
      answer = *std::move(found);
    }
    lock.unlock();
    for (const Done& done : waiting) done(answer);
    lock.lock();
  }
  const absl::Status stopping = WithRetryDelay(
      Refuse(common::v1::REASON_SHUTTING_DOWN, "the server is stopping"),
      absl::Seconds(1));
  std::vector<Done> left;
  for (auto& [key, entry] : entries_) {
    for (Done& done : entry.waiting) left.push_back(std::move(done));
    entry.waiting.clear();
  }
  lock.unlock();
  for (const Done& done : left) done(stopping);
}

}  // namespace aftercare::rpc
