// A fleet for one test: brokers, three aftercare-intake, two
// aftercare-dispatch, one of the others; each at the end of a cable of its own
// where the system permits that (network.h).

#ifndef AFTERCARE_TESTS_SYSTEM_FLEET_H_
#define AFTERCARE_TESTS_SYSTEM_FLEET_H_

#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "libs/log/kafka_log.h"
#include "libs/testing/temp_dir.h"
#include "tests/contract/dev_kafka.h"
#include "tests/system/daemon.h"
#include "tests/system/history.h"

namespace aftercare::testing {

inline constexpr int kPartitions = 4;
inline constexpr char kIntakeTopic[] = "aftercare.intake.events.v1";
inline constexpr char kDispatchTopic[] = "aftercare.dispatch.events.v1";

class Fleet {
 public:
  struct Member {
    std::string service;
    // Its name in the consumer group, and of its directory.
    std::string instance;
    // Of its cable.
    int cable = 0;
    std::unique_ptr<Daemon> daemon;
  };

  Fleet();
  ~Fleet();

  // UNAVAILABLE: Kafka cannot be had. Handbook and technicians are in when it
  // returns.
  absl::Status Start(int brokers);

  // intake-0 to -2, dispatch-0 and -1.
  Member& member(int i) { return *members_[static_cast<size_t>(i)]; }
  int members() const { return kIntake + kDispatch; }
  static constexpr int kIntake = 3;
  static constexpr int kDispatch = 2;

  absl::Status StartMember(Member& member);
  // One more aftercare-intake, by a name that was never there. Nobody calls it.
  std::unique_ptr<Member> MakeGuest();

  contract::DevKafka& kafka() { return *kafka_; }
  int brokers() const { return brokers_; }
  int CableOfBroker(int node) const;
  log::KafkaLog& log() { return *log_; }
  std::string checkpoints() const { return dir_ / "checkpoints"; }

  // The member whose disk is small and its own, and the one whose clock can be
  // set (odd_clock.cc); null where that is not to be had.
  Member* small_disk() { return small_disk_; }
  Member* odd_clock() { return odd_clock_; }
  // Uses up the disk to its last byte; frees it.
  absl::Status FillDisk();
  void FreeDisk();
  // So far off the true time, from now on.
  void SetClock(absl::Duration offset);

  // One call to any process, most often to one of that service.
  absl::StatusOr<std::string> CallAny(std::mt19937_64& random,
                                      absl::string_view service,
                                      absl::string_view method,
                                      const std::string& request,
                                      const std::string& actor,
                                      std::string& from);

  // Waits until each partition of intake and dispatch is served by one of the
  // members that run, and all of them say so.
  absl::Status AwaitCalm();
  // One command for each partition of intake is accepted by one member.
  absl::Status AwaitServed();
  // Waits until no reaction of any process has anything left to do. Ids of the
  // events that are parked.
  absl::StatusOr<std::set<std::string>> AwaitReactions();
  // What VerifyShards of a process finds; empty: its rows equal a replay.
  std::vector<std::string> Verify();
  // What an orchestrator does: a member that has ended because its group
  // fenced it is started again. (A static member that joins while its
  // coordinator dies is fenced by its own earlier join, and librdkafka calls
  // that fatal.) The names of members that ended for any other reason; none
  // twice.
  std::vector<std::string> Supervise();
  // Stops a member in order. OK too when it was fenced before.
  absl::Status Stop(Member& member);
  // How often members were fenced.
  int fenced() const { return fenced_; }

 private:
  std::unique_ptr<Member> Make(const std::string& service,
                               const std::string& instance, int cable);
  std::vector<Member*> Everybody();

  const TempDir dir_;
  int brokers_ = 1;
  std::unique_ptr<contract::DevKafka> kafka_;
  std::unique_ptr<log::KafkaLog> log_;
  std::vector<std::unique_ptr<Member>> members_;
  std::vector<std::unique_ptr<Member>> others_;  // returns, scoring
  Member* small_disk_ = nullptr;
  Member* odd_clock_ = nullptr;
  int guests_ = 0;
  int fenced_ = 0;
  int probes_ = 0;
};

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_SYSTEM_FLEET_H_
