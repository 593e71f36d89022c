#include "services/intake/domain/case_common.h"

#include <algorithm>
#include <string>
#include <utility>

#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"

namespace aftercare::intake {

void Append(Drafts& drafts, absl::string_view name, v1::IntakeEvent event) {
  drafts.push_back({std::string(name), std::move(event)});
}

absl::Duration Grace(const CommandContext& context) {
  return FromProto(context.policy->handbook().intake().late_report_grace());
}

bool IsOpen(const v1::Case& c) {
  return c.state() == v1::Case::OPEN || c.state() == v1::Case::PAUSED;
}

absl::Status NotOpen(const v1::Case& c) {
  if (!c.merged_into().empty()) {
    return Refuse(v1::REASON_CASE_MERGED, "the case goes on in another one",
                  {{"name", c.name()}, {"into", c.merged_into()}});
  }
  return Refuse(
      v1::REASON_CASE_NOT_OPEN, "the case is not open",
      {{"name", c.name()}, {"state", v1::Case::State_Name(c.state())}});
}

bool HasRole(const CommandContext& context,
             std::initializer_list<absl::string_view> roles) {
  const auto* person = context.policy->FindPerson(context.actor);
  return person != nullptr &&
         std::any_of(
             person->roles().begin(), person->roles().end(),
             [&](const std::string& role) { return Contains(roles, role); });
}

absl::Status CheckNotBefore(const CommandContext& context,
                            const google::protobuf::Timestamp& earliest) {
  if (context.occur_time >= FromProto(earliest)) return absl::OkStatus();
  return Refuse(v1::REASON_OCCUR_TIME_TOO_EARLY,
                "occur_time lies before what the command builds on",
                {{"earliest", FormatRfc3339(FromProto(earliest))}});
}

}  // namespace aftercare::intake
