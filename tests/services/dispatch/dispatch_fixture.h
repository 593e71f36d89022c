// A territory with three technicians under a small handbook.

#ifndef AFTERCARE_TESTS_SERVICES_DISPATCH_DISPATCH_FIXTURE_H_
#define AFTERCARE_TESTS_SERVICES_DISPATCH_DISPATCH_FIXTURE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/dispatch/v1/events.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "libs/handbook/yaml.h"
#include "libs/testing/given.h"
#include "services/dispatch/domain/booking.h"
#include "services/dispatch/domain/tables.h"
#include "services/dispatch/service.h"

namespace aftercare::dispatch {

inline constexpr absl::string_view kHandbook = R"yaml(
company: companies/acme
version: 3
effective_time: 2020-01-01T00:00:00+08:00
title: 售后服务手册
time_zone: Asia/Shanghai
currency_code: CNY
calendars:
  - id: daily
    shifts:
      - days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
        open: "08:00"
        close: "12:00"
      - days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
        open: "13:00"
        close: "18:00"
  - id: evening
    shifts:
      - days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
        open: "17:00"
        close: "22:00"
  - id: always
    always_open: true
people:
  - {id: zhou, display_name: 周强, roles: [dispatcher]}
  - {id: chen, display_name: 陈静, roles: [supervisor]}
  - {id: agent, display_name: 李娜, roles: [agent]}
  - {id: wu, display_name: 吴刚, roles: [technician], staff_id: wu}
  - {id: zheng, display_name: 郑伟, roles: [technician], staff_id: zheng}
  - {id: feng, display_name: 冯军, roles: [technician], staff_id: feng}
  - {id: chu, display_name: 褚亮, roles: [technician], staff_id: chu}
product_lines:
  - {id: laptop, title: Computers, required_skills: [electronics], warranty_months: 24}
  - {id: misc, title: Everything else, warranty_months: 12}
intake:
  channels: [hotline]
  clocks:
    - {kind: first_response, target: 4h}
    - {kind: resolution, target: 5d}
  follow_up_after: 3d
  dissatisfied_at: 2
  late_report_grace: 15m
dispatch:
  skills:
    - {id: electronics, title: Electronics}
    - {id: carpentry, title: Carpentry}
  territories:
    - {id: north, title: 华北, regions: [beijing], calendar: daily}
    - {id: rest, title: 其他, regions: ["*"], calendar: daily}
  clocks:
    - {kind: on_site, priorities: [urgent], target: 4h}
    - {kind: on_site, target: 24h}
    - {kind: repair, target: 72h}
  visit_duration: 90m
  booking_horizon: 3d
  late_report_grace: 15m
returns:
  window: 7d
  calendar: daily
  window_start: delivery
  reasons:
    - {id: quality, approvals: [supervisor]}
  clocks:
    - {kind: processing, target: 40h, calendar: daily}
  late_report_grace: 15m
scoring:
  items:
    - {id: solution, title: Solved in time, fact_kinds: [repair], weight: 100, measure: share_met}
  levels:
    - {id: good, min_points: 0}
)yaml";

inline std::shared_ptr<const handbook::Policy> PolicyOf(
    absl::string_view yaml) {
  const auto loaded = handbook::LoadHandbook(yaml);
  EXPECT_TRUE(loaded.problems.empty())
      << handbook::FormatProblems("test handbook", loaded.problems);
  auto policy = handbook::Policy::Compile(loaded.handbook);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *policy : nullptr;
}

inline constexpr absl::string_view kNorth = "companies/acme/territories/north";

// Monday, 2026-03-02, in Shanghai.
inline std::string Local(absl::string_view time, int day = 2) {
  return absl::StrCat("2026-03-", day < 10 ? "0" : "", day, "T", time,
                      ":00+08:00");
}

inline std::string Utc(absl::string_view local) {
  auto time = ParseRfc3339(local);
  EXPECT_TRUE(time.ok()) << local;
  return time.ok() ? FormatRfc3339(*time) : "";
}

// Text-format protobuf of a Timestamp.
inline std::string Stamp(absl::string_view local) {
  auto time = ParseRfc3339(local);
  EXPECT_TRUE(time.ok()) << local;
  return absl::StrCat("{seconds: ", absl::ToUnixSeconds(*time), "}");
}

class DispatchTest : public ::testing::Test {
 protected:
  DispatchTest() : s_(Service(), Handbook()) {
    s_.At(Local("08:00")).As("zhou");
  }

  static const shard::Service& Service() {
    static const auto* const service =
        new shard::Service(MakeDispatchService());
    return *service;
  }
  static std::shared_ptr<const handbook::Policy> Handbook() {
    static const auto* const policy =
        new std::shared_ptr<const handbook::Policy>(PolicyOf(kHandbook));
    return *policy;
  }

  static std::string Tech(absl::string_view id) {
    return absl::StrCat(kNorth, "/technicians/", id);
  }
  static std::string Name(absl::string_view id) {
    return absl::StrCat(kNorth, "/workOrders/", id);
  }

  void Register(absl::string_view person, absl::string_view more = "") {
    s_.Given("RegisterTechnician",
             absl::StrCat("parent: '", kNorth, "' technician_id: '", person,
                          "' person: '", person, "' ", more));
  }
  void Create(absl::string_view id, absl::string_view more = "") {
    s_.Given("CreateWorkOrder",
             absl::StrCat("parent: '", kNorth, "' work_order_id: '", id, "' ",
                          more));
  }
  std::string AssignText(absl::string_view id, absl::string_view person,
                         absl::string_view local) {
    return absl::StrCat("name: '", Name(id), "' technician: '", Tech(person),
                        "' start_time ", Stamp(local), " ");
  }
  void Assign(absl::string_view id, absl::string_view person,
              absl::string_view local) {
    s_.Given("AssignWorkOrder", AssignText(id, person, local));
  }
  static std::string Named(absl::string_view id, absl::string_view more = "") {
    return absl::StrCat("name: '", Name(id), "' ", more);
  }
  // Runs the steps of a visit up to and including `last`, by the technician.
  void VisitUpTo(absl::string_view last, absl::string_view id,
                 absl::string_view person) {
    s_.As(person);
    for (absl::string_view step :
         {"AcceptWorkOrder", "StartTravel", "ArriveAtSite"}) {
      s_.Given(step, Named(id));
      if (step == last) break;
    }
    s_.As("zhou");
  }

  const v1::WorkOrder& Order(absl::string_view id) {
    const auto* order = s_.Find(kWorkOrders, Name(id));
    EXPECT_NE(order, nullptr) << id;
    return order == nullptr ? v1::WorkOrder::default_instance() : *order;
  }
  std::string StateOf(absl::string_view id) {
    return v1::WorkOrder::State_Name(Order(id).state());
  }
  // Beginning of the visit.
  std::string StartOf(absl::string_view id) {
    return FormatRfc3339(FromProto(Order(id).booking().start()));
  }
  std::string EndOf(absl::string_view id) {
    return FormatRfc3339(FromProto(Order(id).booking().end()));
  }
  const common::v1::SlaClock& Clock(absl::string_view id,
                                    absl::string_view kind) {
    for (const auto& clock : Order(id).clocks()) {
      if (clock.kind() == kind) return clock;
    }
    ADD_FAILURE() << "no clock " << kind;
    return common::v1::SlaClock::default_instance();
  }

  // The last step was refused for this reason (and field), and nothing changed.
  void ExpectRefusal(absl::string_view method, absl::string_view request,
                     absl::string_view reason, absl::string_view field = "") {
    SCOPED_TRACE(absl::StrCat(method, " ", request));
    const auto before = s_.Dump();
    s_.When(method, request);
    EXPECT_EQ(s_.Reason(), reason) << s_.status();
    EXPECT_EQ(s_.Field(), field) << s_.status();
    EXPECT_EQ(s_.event_count(), 0u);
    EXPECT_EQ(s_.Dump(), before) << "a refusal changed rows";
  }
  void ExpectReplayEqualsLive() { EXPECT_EQ(s_.Replayed(), s_.Dump()); }

  template <typename Response>
  Response Ask(absl::string_view method, absl::string_view request) {
    auto answer = s_.Ask(method, request);
    EXPECT_TRUE(answer.ok()) << method << ": " << answer.status();
    return answer.ok() ? static_cast<const Response&>(**answer) : Response();
  }

  testing::Scenario s_;
};

}  // namespace aftercare::dispatch

#endif  // AFTERCARE_TESTS_SERVICES_DISPATCH_DISPATCH_FIXTURE_H_
