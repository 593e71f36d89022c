// The account of what happened, asked through the public API.

#ifndef AFTERCARE_SERVICES_DEMO_REPORT_H_
#define AFTERCARE_SERVICES_DEMO_REPORT_H_

#include <string>

#include "absl/status/statusor.h"
#include "services/demo/driver.h"

namespace aftercare::demo {

// Readable text; the same rows give the same text.
absl::StatusOr<std::string> Account(Api& api, const std::string& company);

// "service/partition digest" lines, by service and partition.
std::string Digests(const admin::v1::Status& status);

}  // namespace aftercare::demo

#endif  // AFTERCARE_SERVICES_DEMO_REPORT_H_
