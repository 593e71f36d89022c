// Case types, forms, routes, channels and departments as the source companies
// have them (002-E, 003-F, 001, 000-3, 003-J, 000-2).

#ifndef AFTERCARE_TESTS_SERVICES_INTAKE_CASES_FIXTURE_H_
#define AFTERCARE_TESTS_SERVICES_INTAKE_CASES_FIXTURE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/services/intake/intake_fixture.h"

namespace aftercare::intake {

inline constexpr absl::string_view kCaseSections = R"yaml(
  channel_settings:
    - {id: hotline, title: 服务热线, number: "8008307582", calendar: desk, contacts: [li, wang]}
    - {id: wechat_oa, calendar: always, contacts: [chen]}
    - {id: email, number: service@example.com}
  case_types:
    - {id: repair, kind: repair, title: 报修, form: fault-report, department: after-sales, catalogue: true, lines: [上门维修, 寄修]}
    - id: complaint
      kind: complaint
      title: 投诉
      form: complaint-record
      department: after-sales
      priority: high
      catalogue: true
      classifications: [product-quality, staff-attitude]
      co_departments: [sales, quality]
    - {id: opinion, kind: suggestion, title: 意见建议, priority: low}
    - {id: design, kind: request, title: 设计服务, free_of_charge: true, catalogue: true}
    - {id: market, kind: intelligence, title: 市场信息}
  classifications:
    - {id: product-quality, title: 产品质量, priority: urgent, fault_codes: [no-cooling, leak]}
    - {id: staff-attitude, title: 服务态度, fault_codes: [rude]}
    - {id: price, title: 价格}
  routing:
    - {when: {classifications: [product-quality]}, department: quality, rule: INT-28}
    - {when: {types: [market]}, department: sales, owner: shen}
  priority_titles: [P4 咨询, P3 降级, P2 不能用, P1 安全]
)yaml";

inline constexpr absl::string_view kCaseTop = R"yaml(
departments:
  - {id: after-sales, title: 售后服务科, lead: chen, members: [li, wang], duties: [接听投诉电话, 处理投诉, 提供解决方案, 维护客户关系]}
  - {id: quality, title: 质量管理部, lead: qiao}
  - {id: sales, title: 销售部, lead: shen, members: [mao]}
forms:
  - id: complaint-record
    title: 顾客投诉记录表
    rule: INT-08
    fields:
      - {id: description, type: long_text, required_at: open}
      - {id: occurred-at, type: time, required_at: accept}
      - {id: place, title: 地点, type: text, required_at: accept, max: 20}
      - {id: contact, type: phone, required_at: accept}
      - {id: demand, type: choice, choices: [refund, repair, apology], required_at: resolve}
      - {id: amount, type: money, required_at: resolve, when: {fields: [demand=refund]}}
      - {id: witnesses, type: choices, choices: [family, neighbour, staff]}
      - {id: heard-back, type: yes_no, required_at: close}
  - id: fault-report
    title: 故障报告
    rule: INT-06
    fields:
      - {id: product, type: text, required_at: accept}
      - {id: description, type: long_text, required_at: accept}
      - {id: occurred-at, type: time, required_at: accept}
      - {id: proof, type: file, required_at: accept}
)yaml";

inline std::shared_ptr<const handbook::Policy> CasesPolicy(
    absl::string_view more_intake = "") {
  return PolicyFrom(absl::StrCat(kCaseSections, more_intake), kCaseTop);
}

class CasesTest : public IntakeTest {
 protected:
  CasesTest() : CasesTest(Cases()) {}
  explicit CasesTest(std::shared_ptr<const handbook::Policy> policy)
      : IntakeTest(std::move(policy)) {
    RegisterCustomers();
    s_.At(Local("09:00"));
  }

  static std::shared_ptr<const handbook::Policy> Cases() {
    static const auto* const policy =
        new std::shared_ptr<const handbook::Policy>(CasesPolicy());
    return *policy;
  }

  static std::string Typed(absl::string_view id, absl::string_view type,
                           absl::string_view more = "") {
    return absl::StrCat("parent: '", kWang, "' case_id: '", id, "' type: '",
                        type, "' channel: 'hotline' subject: '开不了机' ",
                        more);
  }
  void OpenTyped(absl::string_view id, absl::string_view type,
                 absl::string_view more = "") {
    s_.Given("OpenCase", Typed(id, type, more));
  }
  // One value of a form, as text-format protobuf.
  static std::string Field(absl::string_view id, absl::string_view value) {
    return absl::StrCat("fields {field: '", id, "' ", value, "} ");
  }
  // What the complaint record asks for until a case is accepted.
  static std::string ComplaintRecord() {
    return absl::StrCat(
        Field("occurred-at", absl::StrCat("time ", Stamp(Local("08:00", 1)))),
        Field("place", "text: '朝阳区'"), Field("contact", "text: '110'"));
  }
  // The refusal's metadata under that key.
  std::string Metadata(const std::string& key) {
    google::rpc::ErrorInfo info;
    const auto payload = s_.status().GetPayload(kErrorInfoUrl);
    EXPECT_TRUE(payload.has_value()) << s_.status();
    if (payload) info.ParseFromString(std::string(*payload));
    const auto it = info.metadata().find(key);
    return it == info.metadata().end() ? "" : it->second;
  }
  std::vector<std::string> Missing(absl::string_view id) {
    const auto& missing = Case(id).missing_fields();
    return {missing.begin(), missing.end()};
  }
};

}  // namespace aftercare::intake

#endif  // AFTERCARE_TESTS_SERVICES_INTAKE_CASES_FIXTURE_H_
