#include "services/intake/customer_views.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "libs/base/names.h"
#include "libs/base/status_macros.h"
#include "libs/shard/get.h"
#include "libs/shard/paging.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {

absl::Status CheckCustomers(absl::string_view parent) {
  absl::string_view company = parent;
  if (absl::ConsumeSuffix(&company, "/customers/-")) {
    return CheckName("parent", "companies/*", company);
  }
  return CheckName("parent", "companies/*/customers/*", parent);
}

std::vector<std::string> SerialKeys(const v1::Asset& asset) {
  if (asset.serial().empty()) return {};
  return {absl::StrCat(BoundaryOf(asset.name()), "|", asset.serial())};
}

absl::StatusOr<v1::Customer> GetCustomer(
    const shard::QueryContext& context, const v1::GetCustomerRequest& request) {
  return shard::GetRow(context, kCustomers, "companies/*/customers/*",
                       request.name());
}

absl::StatusOr<v1::ListCustomersResponse> ListCustomers(
    const shard::QueryContext& context,
    const v1::ListCustomersRequest& request) {
  RETURN_IF_ERROR(CheckName("parent", "companies/*", request.parent()));
  v1::ListCustomersResponse response;
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::ListRows(context, shard::PageOf(request), kCustomers,
                      absl::StrCat(request.parent(), "/customers/"),
                      [&](const v1::Customer& customer) {
                        *response.add_customers() = customer;
                        return true;
                      }));
  return response;
}

absl::StatusOr<v1::Asset> GetAsset(const shard::QueryContext& context,
                                   const v1::GetAssetRequest& request) {
  return shard::GetRow(context, kAssets, "companies/*/customers/*/assets/*",
                       request.name());
}

absl::StatusOr<v1::ListAssetsResponse> ListAssets(
    const shard::QueryContext& context, const v1::ListAssetsRequest& request) {
  RETURN_IF_ERROR(CheckCustomers(request.parent()));
  v1::ListAssetsResponse response;
  ASSIGN_OR_RETURN(
      *response.mutable_next_page_token(),
      shard::ListRows(context, shard::PageOf(request), kAssets,
                      shard::NamePrefix(request.parent(), "assets"),
                      [&](const v1::Asset& asset) {
                        *response.add_assets() = asset;
                        return true;
                      }));
  return response;
}

}  // namespace aftercare::intake
