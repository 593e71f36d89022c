// What callers of a fleet were told, and whether the topics say the same.

#ifndef AFTERCARE_TESTS_SYSTEM_HISTORY_H_
#define AFTERCARE_TESTS_SYSTEM_HISTORY_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "libs/log/log.h"

namespace aftercare::testing {

// What one caller did and was told.
struct History {
  int64_t calls = 0;
  int64_t unknown = 0;             // answers that left the outcome open
  std::set<std::string> accepted;  // request_ids
  std::set<std::string> refused;
  int64_t busy = 0;  // of the refused: the technician had another visit then
  int64_t reads = 0;
  std::vector<std::string> stale;  // reads that did not see an OK before them
};

// One call to one process, whichever; it need not be well. `from` says which
// it was and how far its rows were.
using CallAny = std::function<absl::StatusOr<std::string>(
    std::mt19937_64& random, absl::string_view service,
    absl::string_view method, const std::string& request,
    const std::string& actor, std::string& from)>;

// Technicians for the callers' visits, two in each territory of the demo
// handbook. Repeats until it is done, or for a minute.
absl::Status RegisterTechnicians(const CallAny& call);

// Opens cases, replies, books, moves and cancels visits and reads what it did,
// each call repeated with its request_id until its outcome is known. Callers
// want the same technicians at the same times; nothing else is shared.
class Caller {
 public:
  Caller(int number, uint64_t seed, CallAny call)
      : number_(number), random_(seed), call_(std::move(call)) {}

  void Run(const std::atomic<bool>& stop);
  const History& history() const { return history_; }

 private:
  absl::StatusOr<std::string> Insist(absl::string_view service,
                                     absl::string_view method,
                                     const google::protobuf::Message& request,
                                     const std::string& actor);
  // A command; the resource's name, or empty when it was refused. What is read
  // later may not be older than the answer.
  template <typename Resource, typename Request>
  std::string Command(absl::string_view service, absl::string_view method,
                      Request request, const std::string& actor,
                      std::map<std::string, int64_t>& etags);
  template <typename Resource, typename Request>
  void Read(absl::string_view service, absl::string_view method,
            const std::map<std::string, int64_t>& etags);
  void Intake();
  void Dispatch();

  const int number_;
  std::mt19937_64 random_;
  const CallAny call_;
  History history_;
  int commands_ = 0;
  std::vector<std::string> customers_;
  std::string from_;                         // of the last answer
  std::map<std::string, std::string> told_;  // by whom of an etag
  // The least etag that a read may show.
  std::map<std::string, int64_t> cases_;
  std::map<std::string, int64_t> orders_;
};

// Reads topics from their beginning and holds them against the histories.
class Checker {
 public:
  // Folds the topic; what it shows by itself is checked on the way: gapless
  // revisions, nothing twice, every key in its partition, and of dispatch that
  // no two visits of one technician overlap.
  void ReadTopic(log::Log& log, const std::string& topic, int partitions);
  // Every OK is there once, no refusal is, and every repair became one order,
  // but for those `parked` (ids of events), which wait for a person.
  void Compare(const std::vector<const History*>& histories,
               const std::set<std::string>& parked);
  void Violation(std::string what) { violations_.push_back(std::move(what)); }

  int64_t events() const { return events_; }
  int64_t claims() const { return claims_; }
  int64_t void_records() const { return void_records_; }
  int64_t bookings() const { return bookings_; }
  int64_t repairs() const { return static_cast<int64_t>(repairs_.size()); }
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Visit {
    std::string technician;
    absl::Time start;
    absl::Time end;
  };
  struct Partition {
    std::map<std::string, int64_t> revisions;             // by key
    std::map<std::string, absl::Time> opened;             // by case
    std::map<std::string, Visit> visits;                  // by order
    std::map<std::string, std::set<std::string>> orders;  // by technician
  };
  void Take(const log::Record& record, int partition, int partitions,
            Partition& seen);
  void TakeIntake(const log::Record& record, Partition& seen);
  void TakeDispatch(const log::Record& record, Partition& seen);

  std::map<std::string, std::set<std::string>> events_of_;  // by request_id
  std::set<std::string> ids_;                               // ce_id of all
  std::set<std::string> repairs_;         // ce_id of the cases' openings
  std::map<std::string, int> orders_of_;  // by ce_causationid
  int64_t events_ = 0;
  int64_t claims_ = 0;
  int64_t void_records_ = 0;
  int64_t bookings_ = 0;
  std::vector<std::string> violations_;
};

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_SYSTEM_HISTORY_H_
