// -----------------------------------------------------------------------------
// File: policy.h
// -----------------------------------------------------------------------------
//
// One handbook version made ready for decisions: calendars compiled, people
// and targets looked up fast. Immutable and thread-safe.

#ifndef AFTERCARE_LIBS_HANDBOOK_POLICY_H_
#define AFTERCARE_LIBS_HANDBOOK_POLICY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/handbook/v1/handbook.pb.h"
#include "libs/calendar/calendar.h"
#include "libs/handbook/when.h"

namespace aftercare::handbook {

class Policy {
 public:
  // Refuses a handbook that Check (check.h) finds unusable.
  static absl::StatusOr<std::shared_ptr<const Policy>> Compile(
      v1::Handbook handbook);

  const v1::Handbook& handbook() const { return handbook_; }
  int64_t version() const { return handbook_.version(); }
  absl::TimeZone zone() const { return zone_; }

  // The calendar with that id; null for an empty or unknown id (wall time).
  const calendar::Calendar* FindCalendar(absl::string_view id) const;

  // Null when the handbook does not know the person.
  const v1::Person* FindPerson(absl::string_view id) const;
  const v1::ProductLine* FindProductLine(absl::string_view id) const;
  const v1::Skill* FindSkill(absl::string_view id) const;
  const v1::Form* FindForm(absl::string_view id) const;
  const v1::CaseType* FindCaseType(absl::string_view id) const;
  const v1::Classification* FindClassification(absl::string_view id) const;
  const v1::Department* FindDepartment(absl::string_view id) const;

  // Where a case goes: the first route whose conditions hold, or null.
  const v1::Route* FindRoute(const Situation& situation) const;

  // The territory that serves a customer region: the one that names it, else
  // the one with "*", else null.
  const v1::Territory* TerritoryOf(absl::string_view region) const;

  // The first target of `targets` for this kind of clock whose conditions
  // hold, or null. Empty arguments match only empty conditions.
  const v1::ClockTarget* FindTarget(
      const google::protobuf::RepeatedPtrField<v1::ClockTarget>& targets,
      absl::string_view clock_kind, absl::string_view case_kind,
      absl::string_view priority) const;

 private:
  Policy() = default;

  v1::Handbook handbook_;
  absl::TimeZone zone_;
  absl::flat_hash_map<std::string, std::unique_ptr<calendar::Calendar>>
      calendars_;
  absl::flat_hash_map<std::string, const v1::Person*> people_;
};

}  // namespace aftercare::handbook

#endif  // AFTERCARE_LIBS_HANDBOOK_POLICY_H_
