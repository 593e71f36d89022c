#ifndef AFTERCARE_SERVICES_RETURNS_DOMAIN_TABLES_H_
#define AFTERCARE_SERVICES_RETURNS_DOMAIN_TABLES_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aftercare/returns/v1/resources.pb.h"
#include "libs/base/rows.h"

namespace aftercare::returns {

inline constexpr Table<v1::SaleLine> kSaleLines{"sale_line"};
inline constexpr Table<v1::Return> kReturns{"return"};

// Indexes; keys in views.cc.
inline constexpr absl::string_view kReturnByRequestTime =
    "return_by_request_time";
inline constexpr absl::string_view kReturnByState = "return_by_state";
inline constexpr absl::string_view kReturnByDueTime = "return_by_due_time";
inline constexpr absl::string_view kReturnByPayment = "return_by_payment";

// Key of a payout's reference in kReturnByPayment. References are texts
// without control characters, so no key is the beginning of another's.
inline std::string PaymentKey(absl::string_view customer,
                              absl::string_view reference) {
  return absl::StrCat(customer, "|", reference, "\n");
}

// Limits that keep a row small and every sum inside 64 bits.
inline constexpr int kMaxLines = 100;
inline constexpr int64_t kMaxQuantity = 1'000'000;
inline constexpr int kMaxSerials = 1000;
inline constexpr size_t kMaxSerialText = 100;
inline constexpr int kMaxRefunds = 200;

}  // namespace aftercare::returns

#endif  // AFTERCARE_SERVICES_RETURNS_DOMAIN_TABLES_H_
