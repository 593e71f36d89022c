// The clocks of a case through a decision. Facts carry those that changed.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_CLOCKS_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_CLOCKS_H_

#include <functional>

#include "absl/strings/string_view.h"
#include "aftercare/common/v1/types.pb.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "libs/base/decider.h"
#include "libs/calendar/calendar.h"
#include "libs/calendar/sla.h"

namespace aftercare::intake {

using Clocks = google::protobuf::RepeatedPtrField<calendar::SlaClock>;

inline constexpr absl::string_view kFirstResponse = "first_response";
inline constexpr absl::string_view kResolution = "resolution";

// Starts what the handbook's intake.clocks say of a case of this kind and
// priority, at the command's time.
void StartClocks(const CommandContext& context, v1::Case& c);

// Puts each clock through `change` and adds to `changed` those that differ.
void ChangeClocks(
    const Clocks& clocks, const CommandContext& context, Clocks* changed,
    const std::function<calendar::SlaClock(const calendar::SlaClock&,
                                           const calendar::Calendar*)>& change);

// Stops the clock of that kind; with an empty kind, every clock.
void StopClocks(absl::string_view kind, const Clocks& clocks,
                const CommandContext& context, Clocks* changed);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_CLOCKS_H_
