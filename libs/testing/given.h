// -----------------------------------------------------------------------------
// File: given.h
// -----------------------------------------------------------------------------
//
// Given(events).When(command).Then(events or refusal) over the real domain
// functions and in-memory rows; nothing is mocked.
//
//   Scenario s(MakeIntakeService(), policy);
//   s.At("2026-03-02T09:00:00+08:00").As("agent-1")
//    .Given("OpenCase", R"pb(...)pb")     // must succeed
//    .When("CloseCase", R"pb(name: "...")pb");
//   EXPECT_THAT(s, Refused("CASE_NOT_RESOLVED"));
//   EXPECT_EQ(s.Events(), "CaseClosed");
//
// Every step also checks that the domain is sound: Decide is repeatable, Evolve
// after a serialization round trip gives the same rows, an event is never
// ignored, and a refusal changes nothing.

#ifndef AFTERCARE_LIBS_TESTING_GIVEN_H_
#define AFTERCARE_LIBS_TESTING_GIVEN_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/message.h"
#include "libs/base/memory_rows.h"
#include "libs/handbook/policy.h"
#include "libs/shard/service.h"

namespace aftercare::testing {

class Scenario {
 public:
  // `service` must outlive the scenario.
  Scenario(const shard::Service& service,
           std::shared_ptr<const handbook::Policy> policy);

  // Business and record time of the next steps (RFC 3339 or an instant).
  Scenario& At(absl::string_view time);
  Scenario& At(absl::Time time);
  // Record time alone: what follows is reported late.
  Scenario& RecordedAt(absl::string_view time);
  Scenario& As(absl::string_view actor);

  // Runs a command that must be accepted. `request` is text-format protobuf of
  // the method's request message.
  Scenario& Given(absl::string_view method, absl::string_view request);
  Scenario& Given(absl::string_view method,
                  const google::protobuf::Message& request);

  // Runs a command and keeps its outcome.
  Scenario& When(absl::string_view method, absl::string_view request);
  Scenario& When(absl::string_view method,
                 const google::protobuf::Message& request);

  // Lets the present become `time`: every timer due by then fires, in order.
  // The outcome is all events the timers gave.
  Scenario& WhenTimePasses(absl::string_view time);

  // Outcome of the last When/WhenTimePasses.
  const absl::Status& status() const { return status_; }
  std::string Reason() const;  // ErrorInfo.reason, empty when accepted
  std::string Field() const;   // first BadRequest field
  // Fact names in order, comma separated: "CaseReplied,ClockBreached".
  std::string Events() const;
  // The n-th event of the last outcome as its own type.
  template <typename Event>
  const Event& event(size_t n = 0) const {
    return static_cast<const Event&>(*events_.at(n).event);
  }
  size_t event_count() const { return events_.size(); }

  const MemoryRows& rows() const { return *rows_; }
  template <typename M>
  const M* Find(const Table<M>& table, absl::string_view id) const {
    return rows_->Find(table, id);
  }
  // All rows and index entries, to show that nothing changed.
  std::map<std::string, std::string> Dump() const { return rows_->Dump(); }

  // Answers a query over these rows.
  absl::StatusOr<std::unique_ptr<google::protobuf::Message>> Ask(
      absl::string_view method, absl::string_view request) const;

  // All events since the beginning replayed into fresh rows.
  std::map<std::string, std::string> Replayed() const;

  absl::Time now() const { return record_time_; }

 private:
  absl::Status Run(absl::string_view method,
                   const google::protobuf::Message& request);
  void Apply(std::vector<shard::AnyDraft> drafts);

  struct Logged {
    EventMeta meta;
    std::string bytes;
  };

  const shard::Service& service_;
  std::shared_ptr<const handbook::Policy> policy_;
  std::unique_ptr<MemoryRows> rows_;
  std::vector<Logged> log_;
  std::map<std::string, int64_t> revisions_;
  absl::Time occur_time_;
  absl::Time record_time_;
  std::string actor_ = "system";
  int ids_ = 0;
  absl::Status status_;
  std::vector<shard::AnyDraft> events_;
};

}  // namespace aftercare::testing

#endif  // AFTERCARE_LIBS_TESTING_GIVEN_H_
