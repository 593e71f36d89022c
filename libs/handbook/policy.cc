#include "libs/handbook/policy.h"

#include <algorithm>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/handbook/check.h"

namespace aftercare::handbook {
namespace {

template <typename Field>
bool Fits(const Field& conditions, absl::string_view value) {
  return conditions.empty() ||
         std::find(conditions.begin(), conditions.end(), std::string(value)) !=
             conditions.end();
}

template <typename Field>
auto FindById(const Field& field, absl::string_view id) ->
    typename Field::const_pointer {
  for (const auto& entry : field) {
    if (entry.id() == id) return &entry;
  }
  return nullptr;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Policy>> Policy::Compile(
    v1::Handbook handbook) {
  const std::vector<Problem> problems = Check(handbook);
  if (!problems.empty()) {
    absl::Status status =
        Refuse(common::v1::REASON_HANDBOOK_INVALID,
               absl::StrJoin(problems, "; ",
                             [](std::string* out, const Problem& problem) {
                               out->append(FormatProblem(problem));
                             }));
    google::rpc::BadRequest bad;
    for (const Problem& problem : problems) {
      auto* violation = bad.add_field_violations();
      violation->set_field(absl::StrCat("handbook.", problem.path));
      violation->set_description(problem.text);
    }
    status.SetPayload(kBadRequestUrl, absl::Cord(bad.SerializeAsString()));
    return status;
  }
  auto policy = absl::WrapUnique(new Policy());
  policy->handbook_ = std::move(handbook);
  const v1::Handbook& h = policy->handbook_;
  absl::LoadTimeZone(h.time_zone(), &policy->zone_);
  for (const auto& proto : h.calendars()) {
    ASSIGN_OR_RETURN(auto compiled,
                     calendar::Calendar::Compile(proto, h.time_zone()));
    policy->calendars_[proto.id()] =
        std::make_unique<calendar::Calendar>(std::move(compiled));
  }
  for (const auto& person : h.people()) {
    policy->people_[person.id()] = &person;
  }
  return std::shared_ptr<const Policy>(std::move(policy));
}

const calendar::Calendar* Policy::FindCalendar(absl::string_view id) const {
  const auto it = calendars_.find(id);
  return it == calendars_.end() ? nullptr : it->second.get();
}

const v1::Person* Policy::FindPerson(absl::string_view id) const {
  const auto it = people_.find(id);
  return it == people_.end() ? nullptr : it->second;
}

const v1::ProductLine* Policy::FindProductLine(absl::string_view id) const {
  return FindById(handbook_.product_lines(), id);
}

const v1::Skill* Policy::FindSkill(absl::string_view id) const {
  return FindById(handbook_.dispatch().skills(), id);
}

const v1::Form* Policy::FindForm(absl::string_view id) const {
  return FindById(handbook_.forms(), id);
}

const v1::CaseType* Policy::FindCaseType(absl::string_view id) const {
  return FindById(handbook_.intake().case_types(), id);
}

const v1::Classification* Policy::FindClassification(
    absl::string_view id) const {
  return FindById(handbook_.intake().classifications(), id);
}

const v1::Department* Policy::FindDepartment(absl::string_view id) const {
  return FindById(handbook_.departments(), id);
}

const v1::Route* Policy::FindRoute(const Situation& situation) const {
  for (const auto& route : handbook_.intake().routing()) {
    if (Holds(route.when(), situation)) return &route;
  }
  return nullptr;
}

const v1::Territory* Policy::TerritoryOf(absl::string_view region) const {
  const v1::Territory* rest = nullptr;
  for (const auto& territory : handbook_.dispatch().territories()) {
    for (const std::string& served : territory.regions()) {
      if (served == region) return &territory;
      if (served == "*") rest = &territory;
    }
  }
  return rest;
}

const v1::ClockTarget* Policy::FindTarget(
    const google::protobuf::RepeatedPtrField<v1::ClockTarget>& targets,
    absl::string_view clock_kind, absl::string_view case_kind,
    absl::string_view priority) const {
  for (const auto& target : targets) {
    if (target.kind() == clock_kind && Fits(target.case_kinds(), case_kind) &&
        Fits(target.priorities(), priority)) {
      return &target;
    }
  }
  return nullptr;
}

}  // namespace aftercare::handbook
