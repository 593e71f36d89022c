// Messages and refusals as a person reads them.

#ifndef AFTERCARE_SERVICES_CTL_TEXT_H_
#define AFTERCARE_SERVICES_CTL_TEXT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "google/protobuf/message.h"
#include "libs/base/json.h"

namespace aftercare::ctl {

// One field a line, nested ones indented, empty ones left out; times in RFC
// 3339 (UTC), durations as 2h30m, amounts as 12.50 CNY.
std::string ToText(const google::protobuf::Message& message);

using aftercare::ToJson;

// Code, reason, message, fields and metadata of a refusal.
std::string ToText(const absl::Status& refusal);
std::string ToJson(const absl::Status& refusal);

// One line of `events tail`: what happened to what and who did it; of a claim,
// who writes from there on and where it is reached.
std::string EventLine(const admin::v1::LogEntry& entry);

// Control characters as \x1b, so that the text of a customer cannot steer the
// reader's terminal; tabs and line ends stay.
std::string Printable(absl::string_view text);

// Columns of equal width; the first row is the heading.
std::string Table(const std::vector<std::vector<std::string>>& rows);

}  // namespace aftercare::ctl

#endif  // AFTERCARE_SERVICES_CTL_TEXT_H_
