#include "services/scoring/reactions.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aftercare/dispatch/v1/events.pb.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/returns/v1/events.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"

namespace aftercare::scoring {
namespace {

using common::v1::SlaClock;
using dispatch::v1::DispatchEvent;
using intake::v1::IntakeEvent;
using returns::v1::ReturnsEvent;

// Collects the commands that follow from one event.
class Collector {
 public:
  Collector(absl::string_view source, const EventMeta& meta,
            const handbook::Policy* policy)
      : source_(source), meta_(meta), policy_(policy) {}

  // `person` is credited with a fact about `resource`. The fact is the same
  // for the same kind, resource and `occasion`, whichever event tells of it.
  void Record(absl::string_view person, absl::string_view kind,
              absl::string_view resource, absl::string_view occasion, bool met,
              int64_t value, absl::string_view title) {
    const std::string staff = StaffOf(person, resource);
    if (staff.empty()) return;
    auto request = std::make_unique<v1::RecordFactRequest>();
    request->set_parent(staff);
    request->set_fact_id(
        IdFrom(absl::StrCat(resource, "|", kind, "|", occasion)));
    request->set_kind(std::string(kind));
    request->set_met(met);
    request->set_value(value);
    request->set_source_service(source_);
    request->set_source_event(meta_.id);
    request->set_source_resource(std::string(resource));
    request->set_title(std::string(title));
    commands_.push_back({"RecordFact", std::move(request)});
  }

  void RecordMet(absl::string_view person, absl::string_view kind,
                 absl::string_view resource, absl::string_view occasion,
                 bool met, absl::string_view title) {
    Record(person, kind, resource, occasion, met, met ? 1 : 0, title);
  }

  void Withdraw(absl::string_view person, absl::string_view kind,
                absl::string_view resource, absl::string_view reason) {
    const std::string staff = StaffOf(person, resource);
    if (staff.empty()) return;
    auto request = std::make_unique<v1::WithdrawFactRequest>();
    request->set_parent(staff);
    request->set_kind(std::string(kind));
    request->set_source_resource(std::string(resource));
    request->set_source_event(meta_.id);
    request->set_reason(std::string(reason));
    commands_.push_back({"WithdrawFact", std::move(request)});
  }

  std::vector<reaction::ReactionCommand> Take() { return std::move(commands_); }

 private:
  // Empty for somebody who is not appraised.
  std::string StaffOf(absl::string_view person,
                      absl::string_view resource) const {
    if (policy_ == nullptr || person.empty()) return "";
    const auto* known = policy_->FindPerson(person);
    if (known == nullptr || known->staff_id().empty()) return "";
    return absl::StrCat(CompanyOf(resource), "/staff/", known->staff_id());
  }

  const std::string source_;
  const EventMeta& meta_;
  const handbook::Policy* policy_;
  std::vector<reaction::ReactionCommand> commands_;
};

// The stopped clock of that kind, or null.
template <typename Clocks>
const SlaClock* Stopped(const Clocks& clocks, absl::string_view kind) {
  for (const SlaClock& clock : clocks) {
    if (clock.kind() == kind && clock.state() == SlaClock::STOPPED) {
      return &clock;
    }
  }
  return nullptr;
}

// KPI-05: in time counts for who answered, too late for who owned the case. A
// breach that was noticed before the answer gave the same fact already.
template <typename Clocks>
void FirstResponse(const Clocks& clocks, absl::string_view by,
                   absl::string_view owner, absl::string_view name,
                   Collector& out) {
  const SlaClock* clock = Stopped(clocks, "first_response");
  if (clock == nullptr) return;
  if (clock->breached()) {
    out.RecordMet(owner.empty() ? by : owner, "first_response", name, "", false,
                  "first response too late");
  } else {
    out.RecordMet(by, "first_response", name, "", true,
                  "first response in time");
  }
}

void OnIntake(const EventMeta& meta, const IntakeEvent& event, Collector& out) {
  if (event.has_case_replied()) {
    const auto& fact = event.case_replied();
    FirstResponse(fact.clocks(), fact.by(), fact.owner(), fact.name(), out);
  } else if (event.has_case_rejected()) {
    const auto& fact = event.case_rejected();
    FirstResponse(fact.clocks(), fact.by(), fact.owner(), fact.name(), out);
  } else if (event.has_case_resolved()) {
    const auto& fact = event.case_resolved();
    // CASE-35: what automation closes, nobody has answered or solved.
    if (fact.by_timeout()) return;
    FirstResponse(fact.clocks(), fact.by(), fact.owner(), fact.name(), out);
    const SlaClock* clock = Stopped(fact.clocks(), "resolution");
    const bool met = clock == nullptr || !clock->breached();
    // Each resolution of a case that was reopened is a fact of its own.
    out.RecordMet(fact.by(), "resolution", fact.name(), meta.id, met,
                  met ? "resolved in time" : "resolved too late");
  } else if (event.has_case_reopened()) {
    // CASE-33: reopened and open again counts for nothing.
    const auto& fact = event.case_reopened();
    out.Withdraw(fact.resolved_by(), "resolution", fact.name(),
                 "the case was reopened");
  } else if (event.has_follow_up_recorded()) {
    // CASE-32: whoever had resolved the case, whoever has it by now.
    const auto& fact = event.follow_up_recorded();
    out.Record(fact.credited_person(), "satisfaction", fact.name(),
               absl::StrCat(fact.reopen_count()), !fact.dissatisfied(),
               fact.satisfaction(),
               absl::StrCat(fact.satisfaction(), " of 5 stars"));
  } else if (event.has_clock_breached()) {
    const auto& fact = event.clock_breached();
    if (fact.clock().kind() != "first_response") return;
    out.RecordMet(fact.responsible(), "first_response", fact.name(), "", false,
                  "first response too late");
  }
}

// `clocks` as the fact left them; a clock that stopped is a fact for `person`.
template <typename Clocks>
void VisitClock(const Clocks& clocks, absl::string_view kind,
                absl::string_view person, absl::string_view name,
                Collector& out) {
  const SlaClock* clock = Stopped(clocks, kind);
  if (clock == nullptr) return;
  out.RecordMet(
      person, kind, name, "", !clock->breached(),
      absl::StrCat(kind, clock->breached() ? " too late" : " in time"));
}

void OnDispatch(const DispatchEvent& event, Collector& out) {
  if (event.has_visit_arrived()) {
    const auto& fact = event.visit_arrived();
    VisitClock(fact.clocks(), "on_site", fact.person(), fact.name(), out);
  } else if (event.has_work_order_completed()) {
    const auto& fact = event.work_order_completed();
    VisitClock(fact.clocks(), "on_site", fact.person(), fact.name(), out);
    VisitClock(fact.clocks(), "repair", fact.person(), fact.name(), out);
    out.RecordMet(fact.person(), "first_visit_fix", fact.name(), "",
                  fact.first_visit_fix(),
                  fact.first_visit_fix() ? "repaired at the first visit"
                                         : "took more than one visit");
  } else if (event.has_clock_breached()) {
    // KPI-04's rule: who held the work when it went overdue.
    const auto& fact = event.clock_breached();
    const std::string& kind = fact.clock().kind();
    if (kind != "on_site" && kind != "repair") return;
    out.RecordMet(fact.responsible(), kind, fact.name(), "", false,
                  absl::StrCat(kind, " too late"));
  }
}

void OnReturns(const EventMeta& meta, const ReturnsEvent& event,
               Collector& out) {
  if (event.has_return_closed()) {
    const auto& fact = event.return_closed();
    const SlaClock* clock = Stopped(fact.clocks(), "processing");
    if (clock == nullptr) return;
    out.RecordMet(fact.handler().empty() ? fact.by() : fact.handler(),
                  "return_processing", fact.name(), "", !clock->breached(),
                  clock->breached() ? "return processed too late"
                                    : "return processed in time");
  } else if (event.has_clock_breached()) {
    const auto& fact = event.clock_breached();
    if (fact.clock().kind() != "processing") return;
    out.RecordMet(fact.responsible(), "return_processing", fact.name(), "",
                  false, "return processed too late");
  } else if (event.has_return_inspected()) {
    // RET-13: a fault of the company counts against the person named for it;
    // the inspection itself counts for who did it.
    const auto& fact = event.return_inspected();
    out.RecordMet(fact.by(), "inspection", fact.name(), meta.id, true,
                  "goods inspected");
    for (const auto& line : fact.lines()) {
      if (line.fault() != returns::v1::COMPANY) continue;
      out.RecordMet(line.responsible(), "inspection", fact.name(),
                    absl::StrCat(meta.id, "|", line.sale_line()), false,
                    line.finding().size() > 300
                        ? absl::string_view("found at fault")
                        : absl::string_view(line.finding()));
    }
  }
}

template <typename Event, typename Fn>
reaction::Mapping MappingFor(std::string source, Fn fn) {
  return {source, &Event::default_instance(),
          [source, fn](const EventMeta& meta,
                       const google::protobuf::Message& event,
                       const handbook::Policy* policy)
              -> absl::StatusOr<std::vector<reaction::ReactionCommand>> {
            Collector out(source, meta, policy);
            fn(meta, static_cast<const Event&>(event), out);
            return out.Take();
          }};
}

}  // namespace

std::vector<reaction::Mapping> ScoringReactions() {
  return {MappingFor<IntakeEvent>("intake", OnIntake),
          MappingFor<DispatchEvent>(
              "dispatch", [](const EventMeta&, const DispatchEvent& event,
                             Collector& out) { OnDispatch(event, out); }),
          MappingFor<ReturnsEvent>("returns", OnReturns)};
}

}  // namespace aftercare::scoring
