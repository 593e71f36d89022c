#include "services/intake/reactions.h"

#include <memory>
#include <string>
#include <utility>

#include "aftercare/dispatch/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"

namespace aftercare::intake {
namespace {

using dispatch::v1::DispatchEvent;
using Commands = std::vector<reaction::ReactionCommand>;

Commands Progress(const std::string& case_name, const std::string& work_order,
                  v1::Case::RepairStage stage, const std::string& note,
                  const std::string& person) {
  Commands commands;
  if (case_name.empty()) return commands;  // work without a case
  auto request = std::make_unique<v1::RecordRepairProgressRequest>();
  request->set_name(case_name);
  request->set_work_order(work_order);
  request->set_stage(stage);
  request->set_note(note);
  request->set_technician(person);
  commands.push_back({"RecordRepairProgress", std::move(request)});
  return commands;
}

absl::StatusOr<Commands> Map(const EventMeta&,
                             const google::protobuf::Message& message,
                             const handbook::Policy*) {
  const auto& event = static_cast<const DispatchEvent&>(message);
  switch (event.fact_case()) {
    case DispatchEvent::kWorkOrderAssigned: {
      const auto& fact = event.work_order_assigned();
      return Progress(fact.case_(), fact.name(), v1::Case::PLANNED,
                      fact.explanation(), fact.person());
    }
    case DispatchEvent::kVisitArrived: {
      const auto& fact = event.visit_arrived();
      return Progress(fact.case_(), fact.name(), v1::Case::VISITED, "",
                      fact.person());
    }
    case DispatchEvent::kWorkOrderCompleted: {
      const auto& fact = event.work_order_completed();
      return Progress(fact.case_(), fact.name(), v1::Case::COMPLETED,
                      fact.report(), fact.person());
    }
    case DispatchEvent::kWorkOrderCannotComplete: {
      const auto& fact = event.work_order_cannot_complete();
      return Progress(fact.case_(), fact.name(), v1::Case::CANNOT_COMPLETE,
                      fact.reason(), fact.person());
    }
    // A consumer of another service's topic takes what concerns it.
    default:
      return Commands();
  }
}

}  // namespace

std::vector<reaction::Mapping> IntakeReactions() {
  return {{"dispatch", &DispatchEvent::default_instance(), Map}};
}

}  // namespace aftercare::intake
