// People, facts and appraisals under a small handbook.

#ifndef AFTERCARE_TESTS_SERVICES_SCORING_SCORING_FIXTURE_H_
#define AFTERCARE_TESTS_SERVICES_SCORING_SCORING_FIXTURE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aftercare/scoring/v1/events.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/handbook/policy.h"
#include "libs/handbook/yaml.h"
#include "libs/testing/given.h"
#include "services/scoring/domain/tables.h"
#include "services/scoring/service.h"

namespace aftercare::scoring {

inline constexpr absl::string_view kHandbook = R"yaml(
company: companies/acme
version: 5
effective_time: 2020-01-01T00:00:00+08:00
title: 考核手册
time_zone: Asia/Shanghai
currency_code: CNY
calendars:
  - id: daily
    shifts:
      - days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
        open: "08:00"
        close: "18:00"
people:
  - {id: li-na, display_name: 李娜, roles: [agent], staff_id: s-li}
  - {id: wang-fang, display_name: 王芳, roles: [agent], staff_id: s-wang}
  - {id: wu-gang, display_name: 吴刚, roles: [technician], staff_id: s-wu}
  - {id: yang-guang, display_name: 杨光, roles: [inspector], staff_id: s-yang}
  - {id: sun-li, display_name: 孙丽, roles: [supervisor, appraiser], staff_id: s-sun}
  - {id: zhou-qiang, display_name: 周强, roles: [appraiser]}
product_lines:
  - {id: misc, title: Everything, warranty_months: 12}
intake:
  channels: [hotline]
  clocks:
    - {kind: first_response, target: 4h}
    - {kind: resolution, target: 5d}
  follow_up_after: 3d
  dissatisfied_at: 2
  late_report_grace: 15m
dispatch:
  territories:
    - {id: rest, title: 其他, regions: ["*"], calendar: daily}
  clocks:
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
    - {id: response, title: 响应及时, fact_kinds: [first_response, on_site], weight: 25, measure: share_met}
    - {id: solution, title: 解决及时, fact_kinds: [resolution, repair, return_processing], weight: 30, measure: share_met}
    - {id: satisfaction, title: 客户满意, fact_kinds: [satisfaction], weight: 30, measure: mean_value, value_at_zero: 1, value_at_full: 5}
    - {id: quality, title: 一次修好, fact_kinds: [first_visit_fix, inspection], weight: 15, measure: share_met, without_facts_percent: 60, deduct_per_miss: 2}
  levels:
    - {id: excellent, min_points: 90}
    - {id: good, min_points: 75}
    - {id: acceptable, min_points: 60}
    - {id: insufficient, min_points: 0}
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

inline constexpr absl::string_view kLi = "companies/acme/staff/s-li";
inline constexpr absl::string_view kMarch =
    "companies/acme/staff/s-li/appraisals/2026-03";

inline std::string Stamp(absl::string_view rfc3339) {
  auto time = ParseRfc3339(rfc3339);
  EXPECT_TRUE(time.ok()) << rfc3339;
  return absl::StrCat("{seconds: ", absl::ToUnixSeconds(*time), "}");
}

// The text with each field once: the last mention counts.
template <typename Request>
std::string LastWins(const std::string& text) {
  Request request;
  EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &request))
      << text;
  return request.ShortDebugString();
}

class ScoringTest : public ::testing::Test {
 protected:
  ScoringTest() : s_(Service(), Handbook()) {
    s_.At("2026-03-02T09:00:00+08:00").As("system");
  }

  static const shard::Service& Service() {
    static const auto* const service = new shard::Service(MakeScoringService());
    return *service;
  }
  static std::shared_ptr<const handbook::Policy> Handbook() {
    static const auto* const policy =
        new std::shared_ptr<const handbook::Policy>(PolicyOf(kHandbook));
    return *policy;
  }

  // Text of a RecordFact for `staff`; later fields may be given in `more`.
  static std::string FactText(absl::string_view id, absl::string_view kind,
                              bool met, int64_t value,
                              absl::string_view staff = kLi,
                              absl::string_view more = "") {
    return LastWins<v1::RecordFactRequest>(
        absl::StrCat("parent: '", staff, "' fact_id: '", id, "' kind: '", kind,
                     "' met: ", met ? "true" : "false", " value: ", value,
                     " source_service: 'intake' source_event: 'intake/0/0/7' "
                     "source_resource: 'companies/acme/customers/7/cases/",
                     id, "' ", more));
  }
  void Record(absl::string_view id, absl::string_view kind, bool met,
              int64_t value, absl::string_view staff = kLi) {
    s_.As("system");
    s_.Given("RecordFact", FactText(id, kind, met, value, staff));
    s_.As("zhou-qiang");
  }
  static std::string OpenText(absl::string_view staff = kLi,
                              absl::string_view period = "2026-03") {
    return absl::StrCat("parent: '", staff, "' appraisal_id: '", period, "'");
  }
  static std::string Named(absl::string_view name,
                           absl::string_view more = "") {
    return absl::StrCat("name: '", name, "' ", more);
  }
  // Opens and finalizes March for `staff`, early in April.
  void FinalizeMarch(absl::string_view staff = kLi) {
    s_.At("2026-04-01T08:00:00+08:00").As("zhou-qiang");
    s_.Given("OpenAppraisal", OpenText(staff));
    s_.Given("FinalizeAppraisal",
             Named(absl::StrCat(staff, "/appraisals/2026-03")));
  }
  const v1::Appraisal& March() {
    const auto* appraisal = s_.Find(kAppraisals, kMarch);
    EXPECT_NE(appraisal, nullptr);
    return appraisal == nullptr ? v1::Appraisal::default_instance()
                                : *appraisal;
  }
  const v1::Fact& FactRow(absl::string_view id, absl::string_view staff = kLi) {
    const auto* fact = s_.Find(kFacts, absl::StrCat(staff, "/facts/", id));
    EXPECT_NE(fact, nullptr) << id;
    return fact == nullptr ? v1::Fact::default_instance() : *fact;
  }

  // The command is refused with this reason (and field), and changes nothing.
  void ExpectRefused(absl::string_view method, absl::string_view request,
                     absl::string_view reason, absl::string_view field = "") {
    SCOPED_TRACE(absl::StrCat(method, " ", request.substr(0, 400)));
    const auto before = s_.Dump();
    s_.When(method, request);
    EXPECT_EQ(s_.Reason(), reason) << s_.status();
    EXPECT_EQ(s_.Field(), field) << s_.status();
    EXPECT_EQ(s_.Dump(), before);
  }
  void ExpectAskRefused(absl::string_view method, absl::string_view request,
                        absl::string_view reason,
                        absl::string_view field = "") {
    SCOPED_TRACE(absl::StrCat(method, " ", request));
    const auto answer = s_.Ask(method, request);
    EXPECT_EQ(ReasonOf(answer.status()), reason) << answer.status();
    EXPECT_EQ(FieldOf(answer.status()), field) << answer.status();
  }
  template <typename Response>
  Response Ask(absl::string_view method, absl::string_view request) {
    auto answer = s_.Ask(method, request);
    EXPECT_TRUE(answer.ok())
        << method << " " << request << ": " << answer.status();
    return answer.ok() ? static_cast<const Response&>(**answer) : Response();
  }

  testing::Scenario s_;
};

}  // namespace aftercare::scoring

#endif  // AFTERCARE_TESTS_SERVICES_SCORING_SCORING_FIXTURE_H_
