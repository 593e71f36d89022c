// What every decision about a case begins with.

#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_COMMON_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_COMMON_H_

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/resources.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "libs/base/decider.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/rows.h"
#include "libs/base/status_macros.h"
#include "libs/base/validate.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {

using CaseDecision = Decision<v1::IntakeEvent>;
using Drafts = std::vector<Draft<v1::IntakeEvent>>;

inline constexpr absl::string_view kCasePattern =
    "companies/*/customers/*/cases/*";

// Whether the list has that text.
template <typename List>
bool Contains(const List& list, absl::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

void Append(Drafts& drafts, absl::string_view name, v1::IntakeEvent event);

// The handbook's intake.late_report_grace.
absl::Duration Grace(const CommandContext& context);

// The case a command speaks of, checked for name and etag.
template <typename Request>
absl::StatusOr<const v1::Case*> FindCase(const RowReader& rows,
                                         const Request& request) {
  RETURN_IF_ERROR(CheckName("name", kCasePattern, request.name()));
  const v1::Case* found = rows.Find(kCases, request.name());
  if (found == nullptr) return NotFound(request.name());
  if constexpr (requires { request.etag(); }) {
    RETURN_IF_ERROR(CheckEtag(request.etag(), found->etag()));
  }
  return found;
}

// Open or paused.
bool IsOpen(const v1::Case& c);

// CASE_MERGED where the case goes on in another one, else CASE_NOT_OPEN.
absl::Status NotOpen(const v1::Case& c);

// Whether the actor is a person of the handbook who has one of these roles.
bool HasRole(const CommandContext& context,
             std::initializer_list<absl::string_view> roles);

// OCCUR_TIME_TOO_EARLY where the command's time lies before `earliest`, which
// it builds on.
absl::Status CheckNotBefore(const CommandContext& context,
                            const google::protobuf::Timestamp& earliest);

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_CASE_COMMON_H_
