#include "services/intake/domain/case_clocks.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "libs/handbook/policy.h"
#include "services/intake/domain/case_common.h"

namespace aftercare::intake {

using calendar::SlaClock;

void StartClocks(const CommandContext& context, v1::Case& c) {
  const std::string kind = absl::AsciiStrToLower(v1::Case::Kind_Name(c.kind()));
  const std::string priority =
      absl::AsciiStrToLower(v1::Case::Priority_Name(c.priority()));
  for (absl::string_view clock : {kFirstResponse, kResolution}) {
    const auto* target = context.policy->FindTarget(
        context.policy->handbook().intake().clocks(), clock, kind, priority);
    if (target == nullptr) continue;
    *c.add_clocks() = calendar::StartClock(
        *target, context.policy->FindCalendar(target->calendar()),
        context.policy->version(), context.occur_time, context.record_time,
        Grace(context));
  }
}

void ChangeClocks(
    const Clocks& clocks, const CommandContext& context, Clocks* changed,
    const std::function<SlaClock(const SlaClock&, const calendar::Calendar*)>&
        change) {
  for (const SlaClock& clock : clocks) {
    SlaClock now =
        change(clock, context.policy->FindCalendar(clock.calendar()));
    if (now.SerializeAsString() != clock.SerializeAsString()) {
      *changed->Add() = std::move(now);
    }
  }
}

void StopClocks(absl::string_view kind, const Clocks& clocks,
                const CommandContext& context, Clocks* changed) {
  ChangeClocks(clocks, context, changed,
               [&](const SlaClock& clock, const calendar::Calendar* calendar) {
                 return kind.empty() || clock.kind() == kind
                            ? StopClock(clock, calendar, context.occur_time)
                            : clock;
               });
}

}  // namespace aftercare::intake
