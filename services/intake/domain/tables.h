#ifndef AFTERCARE_SERVICES_INTAKE_DOMAIN_TABLES_H_
#define AFTERCARE_SERVICES_INTAKE_DOMAIN_TABLES_H_

#include "aftercare/intake/v1/resources.pb.h"
#include "libs/base/rows.h"

namespace aftercare::intake {

inline constexpr Table<v1::Customer> kCustomers{"customer"};
inline constexpr Table<v1::Asset> kAssets{"asset"};
inline constexpr Table<v1::Case> kCases{"case"};

// Indexes; keys in views.cc.
inline constexpr absl::string_view kAssetBySerial = "asset_by_serial";
inline constexpr absl::string_view kCaseByOpenTime = "case_by_open_time";
inline constexpr absl::string_view kCaseByDueTime = "case_by_due_time";

}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_DOMAIN_TABLES_H_
