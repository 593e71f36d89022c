// Two customers under a small handbook with clocks that tests can reckon by
// hand.

#ifndef AFTERCARE_TESTS_SERVICES_INTAKE_INTAKE_FIXTURE_H_
#define AFTERCARE_TESTS_SERVICES_INTAKE_INTAKE_FIXTURE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "libs/handbook/yaml.h"
#include "libs/testing/given.h"
#include "services/intake/domain/tables.h"
#include "services/intake/service.h"

namespace aftercare::intake {

// March 2026 begins on a Sunday; the 2nd is a Monday.
inline constexpr absl::string_view kHandbook = R"yaml(
company: companies/acme
version: 3
effective_time: 2020-01-01T00:00:00+08:00
title: 售后服务手册
time_zone: Asia/Shanghai
currency_code: CNY
calendars:
  - id: office
    shifts:
      - days: [monday, tuesday, wednesday, thursday, friday]
        open: "09:00"
        close: "17:00"
  - id: long
    shifts:
      - days: [monday, tuesday, wednesday, thursday, friday]
        open: "08:00"
        close: "18:00"
  - id: desk
    shifts:
      - days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
        open: "08:30"
        close: "17:30"
  - {id: always, always_open: true}
people:
  - {id: li, display_name: 李娜, roles: [agent], staff_id: li}
  - {id: wang, display_name: 王芳, roles: [agent], staff_id: wang}
  - {id: chen, display_name: 陈静, roles: [supervisor]}
  - {id: history, display_name: Import, roles: [importer]}
  - {id: wu, display_name: 吴刚, roles: [technician], staff_id: wu}
  - {id: qiao, display_name: 乔峰, roles: [quality]}
  - {id: shen, display_name: 沈梅, roles: [sales]}
  - {id: mao, display_name: 毛宁, roles: [sales]}
product_lines:
  - {id: laptop, title: Computers, required_skills: [electronics], warranty_months: 24}
  - {id: part, title: Wearing parts, warranty_months: 0}
intake:
  channels: [hotline, email, wechat_oa]
  clocks:
    - {kind: first_response, priorities: [urgent], target: 2h}
    - {kind: first_response, case_kinds: [complaint], target: 4h, calendar: long}
    - {kind: first_response, target: 4h}
    - {kind: resolution, priorities: [urgent], target: 5m}
    - {kind: resolution, case_kinds: [inquiry], target: 8h, calendar: office}
    - {kind: resolution, case_kinds: [complaint], target: 24h}
    - {kind: resolution, target: 120h}
  reopen_clock: REOPEN
  reopen_window: 7d
  follow_up_after: 48h
  dissatisfied_at: 2
  late_report_grace: 15m
dispatch:
  skills:
    - {id: electronics, title: Electronics}
  territories:
    - {id: rest, title: 其他, regions: ["*"], calendar: long}
  clocks:
    - {kind: on_site, target: 24h}
    - {kind: repair, target: 72h}
  visit_duration: 90m
  booking_horizon: 3d
  late_report_grace: 15m
returns:
  window: 7d
  calendar: long
  window_start: delivery
  reasons:
    - {id: quality, approvals: [supervisor]}
  clocks:
    - {kind: processing, target: 40h, calendar: long}
  late_report_grace: 15m
scoring:
  items:
    - {id: solution, title: Solved in time, fact_kinds: [resolution], weight: 100, measure: share_met}
  levels:
    - {id: good, min_points: 0}
)yaml";

inline constexpr absl::string_view kWang = "companies/acme/customers/wang";
inline constexpr absl::string_view kZhao = "companies/acme/customers/zhao";
inline constexpr absl::string_view kWorkOrder =
    "companies/acme/territories/rest/workOrders/k1";

inline std::shared_ptr<const handbook::Policy> PolicyWith(
    absl::string_view reopen_clock) {
  const auto loaded = handbook::LoadHandbook(
      absl::StrReplaceAll(kHandbook, {{"REOPEN", reopen_clock}}));
  EXPECT_TRUE(loaded.problems.empty())
      << handbook::FormatProblems("test handbook", loaded.problems);
  auto policy = handbook::Policy::Compile(loaded.handbook);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *policy : nullptr;
}

// The handbook with further sections: `intake` goes into the section of that
// name, `top` behind the whole.
inline std::shared_ptr<const handbook::Policy> PolicyFrom(
    absl::string_view intake, absl::string_view top) {
  const auto loaded = handbook::LoadHandbook(absl::StrCat(
      absl::StrReplaceAll(kHandbook,
                          {{"REOPEN", "continue"},
                           {"dissatisfied_at: 2\n",
                            absl::StrCat("dissatisfied_at: 2\n", intake)}}),
      top));
  EXPECT_TRUE(loaded.problems.empty())
      << handbook::FormatProblems("test handbook", loaded.problems);
  auto policy = handbook::Policy::Compile(loaded.handbook);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *policy : nullptr;
}

// A time of day in Shanghai in March 2026; day 2 is a Monday.
inline std::string Local(absl::string_view time, int day = 2) {
  return absl::StrCat("2026-03-", day < 10 ? "0" : "", day, "T", time,
                      ":00+08:00");
}

inline absl::Time Instant(absl::string_view text) {
  auto time = ParseRfc3339(text);
  EXPECT_TRUE(time.ok()) << text;
  return time.ok() ? *time : absl::UnixEpoch();
}

// Text-format protobuf of a Timestamp.
inline std::string Stamp(absl::string_view text) {
  return absl::StrCat("{seconds: ", absl::ToUnixSeconds(Instant(text)), "}");
}

class IntakeTest : public ::testing::Test {
 protected:
  IntakeTest() : IntakeTest(Handbook()) {}
  explicit IntakeTest(std::shared_ptr<const handbook::Policy> policy)
      : s_(Service(), std::move(policy)) {
    s_.At(Local("08:00")).As("li");
  }

  static const shard::Service& Service() {
    static const auto* const service = new shard::Service(MakeIntakeService());
    return *service;
  }
  static std::shared_ptr<const handbook::Policy> Handbook() {
    static const auto* const policy =
        new std::shared_ptr<const handbook::Policy>(PolicyWith("continue"));
    return *policy;
  }

  void RegisterCustomers() {
    s_.Given("RegisterCustomer",
             "parent: 'companies/acme' customer_id: 'wang' "
             "display_name: '王小明' region: 'beijing'");
    s_.Given("RegisterCustomer",
             "parent: 'companies/acme' customer_id: 'zhao' "
             "display_name: '赵云' region: 'shanghai'");
  }
  void RegisterAsset(absl::string_view customer, absl::string_view id,
                     absl::string_view serial = "",
                     absl::string_view product_line = "laptop") {
    s_.Given("RegisterAsset",
             absl::StrCat("parent: '", customer, "' asset_id: '", id,
                          "' product: 'X1' product_line: '", product_line,
                          "' serial: '", serial, "' sale_time ",
                          Stamp("2025-01-15T10:00:00+08:00")));
  }

  static std::string CaseName(absl::string_view id,
                              absl::string_view customer = kWang) {
    return absl::StrCat(customer, "/cases/", id);
  }
  static std::string Named(absl::string_view id, absl::string_view more = "") {
    return absl::StrCat("name: '", CaseName(id), "' ", more);
  }
  static std::string Opening(absl::string_view id, absl::string_view kind,
                             absl::string_view more = "",
                             absl::string_view customer = kWang) {
    return absl::StrCat("parent: '", customer, "' case_id: '", id,
                        "' kind: ", kind,
                        " channel: 'hotline' subject: '开不了机' ", more);
  }
  void Open(absl::string_view id, absl::string_view kind = "INQUIRY",
            absl::string_view more = "", absl::string_view customer = kWang) {
    s_.Given("OpenCase", Opening(id, kind, more, customer));
  }
  // A repair stage of case k1 as dispatch's reaction reports it.
  static std::string Repair(absl::string_view stage,
                            absl::string_view more = "technician: 'wu'") {
    return Named("k1", absl::StrCat("work_order: '", kWorkOrder,
                                    "' stage: ", stage, " ", more));
  }

  const v1::Case& Case(absl::string_view id,
                       absl::string_view customer = kWang) {
    const auto* c = s_.Find(kCases, CaseName(id, customer));
    EXPECT_NE(c, nullptr) << id;
    return c == nullptr ? v1::Case::default_instance() : *c;
  }
  std::string StateOf(absl::string_view id) {
    return v1::Case::State_Name(Case(id).state());
  }
  const common::v1::SlaClock& Clock(absl::string_view id,
                                    absl::string_view kind) {
    for (const auto& clock : Case(id).clocks()) {
      if (clock.kind() == kind) return clock;
    }
    ADD_FAILURE() << "no clock " << kind;
    return common::v1::SlaClock::default_instance();
  }
  absl::Time DueOf(absl::string_view id, absl::string_view kind) {
    return FromProto(Clock(id, kind).due_time());
  }
  std::string ClockState(absl::string_view id, absl::string_view kind) {
    const auto& clock = Clock(id, kind);
    return absl::StrCat(common::v1::SlaClock::State_Name(clock.state()),
                        clock.breached() ? " breached" : "");
  }

  void ExpectAccepted(absl::string_view method, absl::string_view request,
                      absl::string_view events) {
    SCOPED_TRACE(absl::StrCat(method, " ", request));
    s_.When(method, request);
    EXPECT_TRUE(s_.status().ok()) << s_.status();
    EXPECT_EQ(s_.Events(), events);
    EXPECT_EQ(s_.Replayed(), s_.Dump());
  }
  // Refused for this reason (and field), and nothing changed.
  void ExpectRefusal(absl::string_view method, absl::string_view request,
                     absl::string_view reason, absl::string_view field = "") {
    SCOPED_TRACE(absl::StrCat(method, " ", request.substr(0, 300)));
    const auto before = s_.Dump();
    s_.When(method, request);
    EXPECT_EQ(s_.Reason(), reason) << s_.status();
    EXPECT_EQ(s_.Field(), field) << s_.status();
    EXPECT_EQ(s_.event_count(), 0u);
    EXPECT_EQ(s_.Dump(), before) << "a refusal changed rows";
  }

  template <typename Response>
  Response Ask(absl::string_view method, absl::string_view request) {
    auto answer = s_.Ask(method, request);
    EXPECT_TRUE(answer.ok()) << method << ": " << answer.status();
    return answer.ok() ? static_cast<const Response&>(**answer) : Response();
  }
  void ExpectQueryRefusal(absl::string_view method, absl::string_view request,
                          absl::string_view reason,
                          absl::string_view field = "") {
    SCOPED_TRACE(absl::StrCat(method, " ", request));
    const auto answer = s_.Ask(method, request);
    EXPECT_EQ(ReasonOf(answer.status()), reason) << answer.status();
    EXPECT_EQ(FieldOf(answer.status()), field) << answer.status();
  }

  testing::Scenario s_;
};

}  // namespace aftercare::intake

#endif  // AFTERCARE_TESTS_SERVICES_INTAKE_INTAKE_FIXTURE_H_
