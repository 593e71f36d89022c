#include "services/dispatch/reactions.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/intake/v1/events.pb.h"
#include "libs/base/names.h"
#include "libs/base/status_macros.h"

namespace aftercare::dispatch {
namespace {

using intake::v1::Case;
using intake::v1::IntakeEvent;
using Commands = std::vector<reaction::ReactionCommand>;

// The territory that serves the region, as a resource name. An error parks the
// event: a repair without a territory needs a person.
absl::StatusOr<std::string> TerritoryFor(absl::string_view case_name,
                                         absl::string_view region,
                                         const handbook::Policy* policy) {
  const auto* territory =
      policy == nullptr ? nullptr : policy->TerritoryOf(region);
  if (territory == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("no territory of the handbook serves the region '", region,
                     "' of ", case_name));
  }
  return absl::StrCat(CompanyOf(case_name), "/territories/", territory->id());
}

absl::StatusOr<Commands> OnCaseOpened(const Case& c,
                                      const handbook::Policy* policy) {
  Commands commands;
  if (c.kind() != Case::REPAIR) return commands;
  auto request = std::make_unique<v1::CreateWorkOrderRequest>();
  ASSIGN_OR_RETURN(*request->mutable_parent(),
                   TerritoryFor(c.name(), c.region(), policy));
  request->set_work_order_id(std::string(IdOf(c.name())));
  request->set_case_(c.name());
  request->set_customer(std::string(BoundaryOf(c.name())));
  request->set_asset(c.asset());
  request->set_product_line(c.product_line());
  request->set_priority(
      c.priority() == Case::PRIORITY_UNSPECIFIED
          ? ""
          : absl::AsciiStrToLower(Case::Priority_Name(c.priority())));
  request->set_description(c.description().empty() ? c.subject()
                                                   : c.description());
  request->set_in_warranty(c.in_warranty());
  request->set_assign_automatically(true);
  commands.push_back({"CreateWorkOrder", std::move(request)});
  return commands;
}

// A case of which nothing more is to be done: closed, rejected, or merged into
// another one that has a visit of its own.
template <typename Fact>
absl::StatusOr<Commands> OnCaseEnded(const Fact& fact, const char* reason,
                                     const handbook::Policy* policy) {
  Commands commands;
  if (fact.kind() != Case::REPAIR) return commands;
  auto request = std::make_unique<v1::CancelWorkOrderRequest>();
  request->set_name(fact.work_order());
  if (fact.work_order().empty()) {
    // Never booked, so intake has not heard of it.
    ASSIGN_OR_RETURN(const std::string territory,
                     TerritoryFor(fact.name(), fact.region(), policy));
    request->set_name(
        absl::StrCat(territory, "/workOrders/", IdOf(fact.name())));
  }
  request->set_case_(fact.name());
  request->set_reason(reason);
  commands.push_back({"CancelWorkOrder", std::move(request)});
  return commands;
}

}  // namespace

std::vector<reaction::Mapping> DispatchReactions() {
  return {{"intake", &IntakeEvent::default_instance(),
           [](const EventMeta&, const google::protobuf::Message& message,
              const handbook::Policy* policy) -> absl::StatusOr<Commands> {
             const auto& event = static_cast<const IntakeEvent&>(message);
             if (event.has_case_opened()) {
               return OnCaseOpened(event.case_opened().case_(), policy);
             }
             if (event.has_case_closed()) {
               return OnCaseEnded(event.case_closed(), "the case is closed",
                                  policy);
             }
             if (event.has_case_rejected()) {
               return OnCaseEnded(event.case_rejected(), "the case is rejected",
                                  policy);
             }
             if (event.has_case_merged()) {
               return OnCaseEnded(event.case_merged(),
                                  "the case goes on in another one", policy);
             }
             return Commands();
           }}};
}

}  // namespace aftercare::dispatch
