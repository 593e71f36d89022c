// -----------------------------------------------------------------------------
// File: driver.h
// -----------------------------------------------------------------------------
//
// Lives a history through the public gRPC API. A generated one day by day: what
// happens on a day is sent in order of time per customer, several customers at
// once; then the reactions are waited for; then the technicians' bookings of
// the next day become steps too. Of recorded repairs, once their cases are
// imported: the visits that were booked for them, with the outcome on record,
// then what follows a visit.

#ifndef AFTERCARE_SERVICES_DEMO_DRIVER_H_
#define AFTERCARE_SERVICES_DEMO_DRIVER_H_

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/handbook/v1/handbook.pb.h"
#include "libs/rpc/client.h"
#include "services/demo/generator.h"

namespace aftercare::demo {

// One call to the server, typed.
class Api {
 public:
  explicit Api(rpc::Client& client) : client_(client) {}

  // `service` and `method` as in the proto; counts the outcome. Commands are
  // repeated while the server is unavailable: each has a request_id.
  template <typename Response, typename Request>
  absl::StatusOr<Response> Call(const std::string& actor, const char* service,
                                const char* method, const Request& request) {
    const auto* descriptor = Request::descriptor()
                                 ->file()
                                 ->pool()
                                 ->FindServiceByName(service)
                                 ->FindMethodByName(method);
    rpc::Client::Call call;
    call.actor = actor;
    call.retry = true;
    call.deadline = absl::Seconds(60);
    auto answer = client_.Invoke<Response>(*descriptor, request, call);
    Count(method, answer.status());
    return answer;
  }

  absl::StatusOr<admin::v1::Status> Status();
  // Until every shard serves and no reaction has anything left to do.
  absl::Status AwaitQuiet(absl::Duration limit);

  struct Counts {
    int64_t accepted = 0;
    std::map<std::string, int64_t> refused;  // "method REASON"
    int64_t failed = 0;
    std::string first_failure;
  };
  Counts counts();

 private:
  void Count(const char* method, const absl::Status& status);

  rpc::Client& client_;
  std::mutex mutex_;
  Counts counts_;
};

// What became of a recorded repair.
struct Outcome {
  enum class Kind { kFixed, kRepairable, kEndOfLife };
  Kind kind = Kind::kFixed;
  std::string reason;  // why not, where the record says it
};

class Driver {
 public:
  Driver(Api& api, const handbook::v1::Handbook& handbook)
      : api_(api), handbook_(handbook) {}

  // Publishes the handbook and registers the technicians as of `start`: in
  // `territory`, or spread over all when it is empty.
  absl::Status Prepare(absl::Time start, const std::string& territory);
  // Everything from the first to the last day and the monthly appraisals.
  // `progress` is called after each day.
  absl::Status Live(const std::vector<DayPlan>& days,
                    const std::function<void(int day, int of)>& progress);
  // The visits of imported cases, by case name, and the appraisals of every
  // month. `progress` is called after each month.
  absl::Status LiveRecorded(
      std::map<std::string, Outcome> outcomes,
      const std::function<void(int month, int of)>& progress);

 private:
  struct Step {
    absl::Time time;
    std::string lane;  // steps of one lane run in order
    std::function<void()> run;
  };
  void PlanCase(const CasePlan& plan);
  void PlanReturn(const ReturnPlan& plan);
  using Steps = std::multimap<absl::Time, Step>;
  // Turns bookings that begin before `until` into steps: the technician's go
  // to `visits`, those of the people in the office afterwards to `care`.
  absl::Status PlanVisits(absl::Time until, Steps& visits, Steps& care);
  // All steps before `until`: in order within a lane, lanes side by side.
  static void RunSteps(Steps& steps, absl::Time until);
  static void RunByMonth(
      Steps& steps, const std::function<void(int month, int of)>& progress);
  absl::Status Appraise(const std::string& period, absl::Time at);

  Api& api_;
  const handbook::v1::Handbook& handbook_;
  Steps steps_;
  std::set<std::string> planned_visits_;
  std::map<std::string, Outcome> outcomes_;
  std::mutex refused_mutex_;
  std::set<std::string> refused_returns_;
};

}  // namespace aftercare::demo

#endif  // AFTERCARE_SERVICES_DEMO_DRIVER_H_
