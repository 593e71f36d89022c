// How customers and the units sold to them are found: index keys and queries.

#ifndef AFTERCARE_SERVICES_INTAKE_CUSTOMER_VIEWS_H_
#define AFTERCARE_SERVICES_INTAKE_CUSTOMER_VIEWS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/shard/service.h"

namespace aftercare::intake {

// A list's `parent`: a customer's name, or all customers of a company:
// "companies/acme/customers/-". NAME_INVALID.
absl::Status CheckCustomers(absl::string_view parent);

std::vector<std::string> SerialKeys(const v1::Asset& asset);

absl::StatusOr<v1::Customer> GetCustomer(const shard::QueryContext& context,
                                         const v1::GetCustomerRequest& request);
absl::StatusOr<v1::ListCustomersResponse> ListCustomers(
    const shard::QueryContext& context,
    const v1::ListCustomersRequest& request);
absl::StatusOr<v1::Asset> GetAsset(const shard::QueryContext& context,
                                   const v1::GetAssetRequest& request);
absl::StatusOr<v1::ListAssetsResponse> ListAssets(
    const shard::QueryContext& context, const v1::ListAssetsRequest& request);
}  // namespace aftercare::intake

#endif  // AFTERCARE_SERVICES_INTAKE_CUSTOMER_VIEWS_H_
