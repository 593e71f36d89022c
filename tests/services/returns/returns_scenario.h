// A company with two kinds of reasons, and requests in few words.

#ifndef AFTERCARE_TESTS_SERVICES_RETURNS_RETURNS_SCENARIO_H_
#define AFTERCARE_TESTS_SERVICES_RETURNS_RETURNS_SCENARIO_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "aftercare/returns/v1/events.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "gtest/gtest.h"
#include "libs/base/validate.h"
#include "libs/handbook/policy.h"
#include "libs/handbook/yaml.h"
#include "libs/testing/given.h"
#include "services/returns/domain/tables.h"
#include "services/returns/service.h"

namespace aftercare::returns {

inline constexpr absl::string_view kCustomer = "companies/acme/customers/c1";
inline constexpr absl::string_view kKettles =
    "companies/acme/customers/c1/saleLines/kettles";
inline constexpr absl::string_view kPhones =
    "companies/acme/customers/c1/saleLines/phones";
inline constexpr absl::string_view kReturn =
    "companies/acme/customers/c1/returns/r1";

// Monday to Friday 09-17; five working days (40 h) to process a return.
inline constexpr absl::string_view kHandbook = R"(
company: companies/acme
version: 3
effective_time: 2020-01-01T00:00:00+08:00
time_zone: Asia/Shanghai
currency_code: CNY
calendars:
  - id: office
    shifts:
      - days: [monday, tuesday, wednesday, thursday, friday]
        open: "09:00"
        close: "17:00"
people:
  - {id: clerk, display_name: 沈梅, roles: [returns_clerk], staff_id: clerk}
  - {id: clerk-2, display_name: 韩雪, roles: [returns_clerk]}
  - {id: finance, display_name: 朱红, roles: [finance]}
  - {id: head, display_name: 陈静, roles: [supervisor, finance]}
  - {id: inspector, display_name: 杨光, roles: [inspector]}
  - {id: agent, display_name: 李娜, roles: [agent]}
product_lines:
  - {id: kettle, title: Kettles, warranty_months: 12}
intake:
  channels: [hotline]
  clocks:
    - {kind: first_response, target: 4h}
    - {kind: resolution, target: 24h}
  reopen_clock: continue
  dissatisfied_at: 2
  late_report_grace: 15m
dispatch:
  skills:
    - {id: any, title: Any}
  territories:
    - {id: all, title: All, regions: ["*"], calendar: office}
  clocks:
    - {kind: on_site, target: 24h}
    - {kind: repair, target: 72h}
  visit_duration: 1h
  booking_horizon: 5d
  late_report_grace: 15m
returns:
  window: 7d
  calendar: office
  window_start: delivery
  reasons:
    - {id: quality, approvals: [returns_clerk], outside_window: true}
    - {id: no_reason, approvals: [returns_clerk]}
    - {id: unsaleable, approvals: [finance, supervisor]}
    - {id: exception, approvals: [finance, finance]}
  clocks:
    - {kind: processing, target: 40h, calendar: office}
  late_report_grace: 15m
scoring:
  items:
    - {id: all, title: All, fact_kinds: [return_processing], weight: 100, measure: share_met}
  levels:
    - {id: good, min_points: 60}
    - {id: poor, min_points: 0}
)";

// The handbook with some text replaced.
inline std::shared_ptr<const handbook::Policy> PolicyWith(
    absl::string_view from = "", absl::string_view to = "") {
  std::string text(kHandbook);
  if (!from.empty()) {
    EXPECT_TRUE(absl::StrContains(text, from)) << from;
    text = absl::StrReplaceAll(text, {{from, to}});
  }
  handbook::LoadedHandbook loaded = handbook::LoadHandbook(text);
  EXPECT_TRUE(loaded.problems.empty())
      << handbook::FormatProblems("test.yaml", loaded.problems);
  auto policy = handbook::Policy::Compile(std::move(loaded.handbook));
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *policy;
}

inline const shard::Service& TheService() {
  static const auto& service = *new shard::Service(MakeReturnsService());
  return service;
}

// Customer c1 bought three kettles at 89.99 and two phones with serials at
// 1000.00, ordered on Sunday 1 March 2026, delivered on Monday at nine.
class ReturnsTest : public ::testing::Test {
 protected:
  explicit ReturnsTest(
      std::shared_ptr<const handbook::Policy> policy = PolicyWith())
      : s_(TheService(), std::move(policy)) {
    s_.At("2026-03-02T10:00:00+08:00").As("clerk");
    s_.Given("RecordSaleLine", SaleLine("kettles", 3, 3, 8999));
    s_.Given("RecordSaleLine",
             SaleLine("phones", 2, 2, 100000, "serials: 'P-1' serials: 'P-2'"));
  }

  static std::string SaleLine(absl::string_view id, int ordered, int delivered,
                              int64_t price, absl::string_view more = "") {
    return absl::StrCat(
        "parent: '", kCustomer, "' sale_line_id: '", id, "' product: '", id,
        "' quantity_ordered: ", ordered, " quantity_delivered: ", delivered,
        " unit_price_paid { currency_code: 'CNY' minor_units: ", price,
        " } order_time { seconds: 1772330400 } ",  // 2026-03-01 10:00 +08
        delivered > 0
            ? "delivery_time { seconds: 1772413200 } "  // 2026-03-02 09:00 +08
            : "",
        more);
  }

  static std::string Request(absl::string_view id, absl::string_view lines,
                             absl::string_view reason = "quality",
                             absl::string_view kind = "RETURN") {
    return absl::StrCat("parent: '", kCustomer, "' return_id: '", id,
                        "' kind: ", kind, " reason: '", reason, "' ", lines);
  }

  static std::string Kettles(int64_t quantity) {
    return absl::StrCat("lines { sale_line: '", kKettles,
                        "' quantity: ", quantity, " } ");
  }

  static std::string Phones(std::initializer_list<absl::string_view> serials) {
    std::string text = absl::StrCat("lines { sale_line: '", kPhones,
                                    "' quantity: ", serials.size());
    for (absl::string_view serial : serials) {
      absl::StrAppend(&text, " serials: '", serial, "'");
    }
    return text + " } ";
  }

  static std::string Named(absl::string_view more = "",
                           absl::string_view name = kReturn) {
    return absl::StrCat("name: '", name, "' ", more);
  }

  static std::string Inspected(int64_t accepted, int64_t damaged,
                               absl::string_view more = "",
                               absl::string_view line = kKettles) {
    return absl::StrCat("lines { sale_line: '", line, "' accepted: ", accepted,
                        " damaged: ", damaged,
                        damaged > 0 ? " fault: CUSTOMER finding: 'dropped' "
                                    : " fault: NO_FAULT ",
                        more, " } ");
  }

  static std::string Paying(int64_t quantity, int64_t amount,
                            absl::string_view line = kKettles) {
    return absl::StrCat("lines { sale_line: '", line, "' quantity: ", quantity,
                        " amount { currency_code: 'CNY' minor_units: ", amount,
                        " } } ");
  }

  // r1, approved.
  void GivenApproved(absl::string_view lines) {
    s_.Given("RequestReturn", Request("r1", lines));
    s_.Given("ApproveReturn", Named());
  }

  // r1: `units` kettles requested, all received, `accepted` accepted.
  void GivenInspected(int units, int accepted) {
    GivenApproved(Kettles(units));
    s_.Given("ReceiveGoods", Named(Kettles(units)));
    s_.As("inspector")
        .Given("InspectReturn", Named(Inspected(accepted, units - accepted)));
    s_.As("clerk");
  }

  // The command is refused for `reason` and leaves every row as it is.
  void ExpectRefused(absl::string_view method, absl::string_view request,
                     absl::string_view reason, absl::string_view field = "") {
    const auto before = s_.Dump();
    s_.When(method, request);
    EXPECT_EQ(s_.Reason(), reason) << method << " " << request << "\n"
                                   << s_.status();
    EXPECT_EQ(s_.Field(), field) << method << " " << request;
    EXPECT_EQ(s_.Dump(), before);
  }

  void ExpectBad(absl::string_view method, absl::string_view request,
                 absl::string_view field) {
    ExpectRefused(method, request, "FIELD_INVALID", field);
  }

  const v1::Return& R(absl::string_view name = kReturn) {
    const v1::Return* r = s_.Find(kReturns, name);
    EXPECT_NE(r, nullptr);
    return r == nullptr ? v1::Return::default_instance() : *r;
  }
  const v1::SaleLine& Sold(absl::string_view name = kKettles) {
    const v1::SaleLine* line = s_.Find(kSaleLines, name);
    EXPECT_NE(line, nullptr);
    return line == nullptr ? v1::SaleLine::default_instance() : *line;
  }

  testing::Scenario s_;
};

}  // namespace aftercare::returns

#endif  // AFTERCARE_TESTS_SERVICES_RETURNS_RETURNS_SCENARIO_H_
