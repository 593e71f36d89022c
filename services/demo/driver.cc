#include "services/demo/driver.h"

#include <algorithm>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"

namespace aftercare::demo {
namespace {

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";
constexpr char kDispatch[] = "aftercare.dispatch.v1.DispatchService";
constexpr char kReturns[] = "aftercare.returns.v1.ReturnsService";
constexpr char kScoring[] = "aftercare.scoring.v1.ScoringService";
constexpr int kWorkers = 16;
// What every call of the history stays clear of the present by.
const absl::TimeZone& Zone() {
  static const auto* const zone = [] {
    auto* z = new absl::TimeZone;
    absl::LoadTimeZone("Asia/Shanghai", z);
    return z;
  }();
  return *zone;
}

// The same text for the same step, so that a repetition has one effect.
template <typename Request>
void Stamp(Request& request, absl::Time at, const std::string& id) {
  *request.mutable_occur_time() = ToProto(at);
  request.set_request_id(absl::StrCat("demo-", id));
}

}  // namespace

absl::StatusOr<admin::v1::Status> Api::Status() {
  return Call<admin::v1::Status>("operator", "aftercare.admin.v1.AdminService",
                                 "GetStatus", admin::v1::GetStatusRequest());
}

absl::Status Api::AwaitQuiet(absl::Duration limit) {
  const absl::Time end = absl::Now() + limit;
  int quiet = 0;
  std::string last;
  while (absl::Now() < end) {
    auto status = Status();
    bool good = status.ok();
    std::string place;
    if (good) {
      for (const auto& shard : status->shards()) {
        if (shard.state() == admin::v1::Shard::HALTED) {
          return absl::DataLossError(
              absl::StrCat(shard.service(), "/", shard.partition(),
                           " halted: ", shard.problem().reason()));
        }
        good &= shard.state() == admin::v1::Shard::SERVING;
        absl::StrAppend(&place, shard.offset(), " ");
      }
      for (const auto& reaction : status->reactions()) {
        good &= reaction.lag() == 0;
      }
    }
    // Twice the same: a reaction's command may cause the next reaction.
    quiet = good && place == last ? quiet + 1 : 0;
    last = place;
    if (quiet >= 2) return absl::OkStatus();
    absl::SleepFor(absl::Milliseconds(5));
  }
  return absl::DeadlineExceededError("the reactions did not come to rest");
}

void Api::Count(const char* method, const absl::Status& status) {
  std::lock_guard lock(mutex_);
  if (status.ok()) {
    ++counts_.accepted;
  } else if (!ReasonOf(status).empty() && !absl::IsInternal(status) &&
             !absl::IsUnavailable(status)) {
    ++counts_.refused[absl::StrCat(method, " ", ReasonOf(status))];
  } else {
    ++counts_.failed;
    if (counts_.first_failure.empty()) {
      counts_.first_failure = absl::StrCat(method, ": ", status.ToString());
    }
  }
}

Api::Counts Api::counts() {
  std::lock_guard lock(mutex_);
  return counts_;
}

absl::Status Driver::Prepare(absl::Time start, const std::string& home) {
  handbook::v1::ApplyHandbookRequest apply;
  *apply.mutable_handbook() = handbook_;
  RETURN_IF_ERROR(api_.Call<handbook::v1::Handbook>(
                          "operator", "aftercare.handbook.v1.HandbookService",
                          "ApplyHandbook", apply)
                      .status());
  const std::string company = handbook_.company();
  int n = 0;
  const std::vector<std::vector<std::string>> skills = {
      {"appliance", "small-appliance", "electronics"},
      {"appliance", "small-appliance", "carpentry"}};
  for (const auto& person : handbook_.people()) {
    if (std::find(person.roles().begin(), person.roles().end(), "technician") ==
        person.roles().end()) {
      continue;
    }
    const std::string territory =
        home.empty()
            ? handbook_.dispatch()
                  .territories(n / 2 % handbook_.dispatch().territories_size())
                  .id()
            : home;
    dispatch::v1::RegisterTechnicianRequest request;
    request.set_parent(absl::StrCat(company, "/territories/", territory));
    request.set_technician_id(person.id());
    request.set_person(person.id());
    request.set_display_name(person.display_name());
    for (const std::string& skill : skills[n % skills.size()]) {
      request.add_skills(skill);
    }
    Stamp(request, start, absl::StrCat("tech-", person.id()));
    RETURN_IF_ERROR(
        api_.Call<dispatch::v1::Technician>("dispatcher-zhou", kDispatch,
                                            "RegisterTechnician", request)
            .status());
    ++n;
  }
  return absl::OkStatus();
}

void Driver::PlanCase(const CasePlan& plan) {
  const std::string customer =
      absl::StrCat(handbook_.company(), "/customers/", plan.customer);
  const std::string name = absl::StrCat(customer, "/cases/", plan.id);
  const auto add = [&](absl::Time time, std::function<void()> run) {
    if (time == absl::InfiniteFuture()) return;
    steps_.emplace(time, Step{time, plan.customer, std::move(run)});
  };
  add(plan.open, [this, plan, customer] {
    if (plan.new_customer) {
      intake::v1::RegisterCustomerRequest request;
      request.set_parent(handbook_.company());
      request.set_customer_id(plan.customer);
      request.set_display_name(absl::StrCat("客户 ", plan.customer));
      request.set_region(plan.region);
      request.set_phone(absl::StrFormat(
          "1380013%04d", static_cast<int>(Chance(plan.customer) * 10000)));
      Stamp(request, plan.open, absl::StrCat("cust-", plan.customer));
      (void)api_.Call<intake::v1::Customer>(plan.agent, kIntake,
                                            "RegisterCustomer", request);
    }
    intake::v1::RegisterAssetRequest asset;
    asset.set_parent(customer);
    asset.set_asset_id(absl::StrCat("a", plan.id.substr(1)));
    asset.set_product_line(plan.product_line);
    asset.set_product(absl::StrCat(plan.product_line, "-2000"));
    asset.set_serial(absl::StrCat("SN", plan.id.substr(1)));
    *asset.mutable_sale_time() =
        ToProto(plan.open - absl::Hours(24 * 900) * Chance(plan.id));
    Stamp(asset, plan.open, absl::StrCat("asset-", plan.id));
    auto registered = api_.Call<intake::v1::Asset>(plan.agent, kIntake,
                                                   "RegisterAsset", asset);
    intake::v1::OpenCaseRequest request;
    request.set_parent(customer);
    request.set_case_id(plan.id);
    request.set_kind(plan.kind);
    request.set_priority(plan.priority);
    request.set_channel(plan.channel);
    request.set_subject(plan.subject);
    request.set_description(plan.description);
    if (registered.ok()) request.set_asset(registered->name());
    Stamp(request, plan.open, absl::StrCat("open-", plan.id));
    (void)api_.Call<intake::v1::Case>(plan.agent, kIntake, "OpenCase", request);
  });
  add(plan.reply, [this, plan, name] {
    intake::v1::ReplyToCaseRequest request;
    request.set_name(name);
    request.set_text("您好, 我们已收到您的请求。");
    Stamp(request, plan.reply, absl::StrCat("reply-", plan.id));
    (void)api_.Call<intake::v1::Case>(plan.agent, kIntake, "ReplyToCase",
                                      request);
  });
  add(plan.pause, [this, plan, name] {
    intake::v1::PauseCaseRequest request;
    request.set_name(name);
    request.set_reason("等待客户资料");
    Stamp(request, plan.pause, absl::StrCat("pause-", plan.id));
    (void)api_.Call<intake::v1::Case>(plan.agent, kIntake, "PauseCase",
                                      request);
  });
  add(plan.resume, [this, plan, name] {
    intake::v1::ResumeCaseRequest request;
    request.set_name(name);
    Stamp(request, plan.resume, absl::StrCat("resume-", plan.id));
    (void)api_.Call<intake::v1::Case>(plan.agent, kIntake, "ResumeCase",
                                      request);
  });
  const auto resolve = [this, plan, name](absl::Time at, const char* step,
                                          bool by_timeout) {
    intake::v1::ResolveCaseRequest request;
    request.set_name(name);
    request.set_resolution("已解决");
    request.set_by_timeout(by_timeout);
    Stamp(request, at, absl::StrCat(step, plan.id));
    (void)api_.Call<intake::v1::Case>(plan.agent, kIntake, "ResolveCase",
                                      request);
  };
  if (plan.kind != intake::v1::Case::REPAIR) {
    add(plan.resolve, [plan, resolve] {
      resolve(plan.resolve, "resolve-", plan.by_timeout);
    });
    add(plan.reopen, [this, plan, name] {
      intake::v1::ReopenCaseRequest request;
      request.set_name(name);
      request.set_reason("问题再次出现");
      Stamp(request, plan.reopen, absl::StrCat("reopen-", plan.id));
      (void)api_.Call<intake::v1::Case>(plan.agent, kIntake, "ReopenCase",
                                        request);
    });
    add(plan.resolve_again,
        [plan, resolve] { resolve(plan.resolve_again, "resolve2-", false); });
    add(plan.follow_up, [this, plan, name] {
      intake::v1::RecordFollowUpRequest request;
      request.set_name(name);
      request.set_satisfaction(plan.stars);
      Stamp(request, plan.follow_up, absl::StrCat("follow-", plan.id));
      (void)api_.Call<intake::v1::Case>(plan.agent, kIntake, "RecordFollowUp",
                                        request);
    });
    add(plan.close, [this, plan, name] {
      intake::v1::CloseCaseRequest request;
      request.set_name(name);
      Stamp(request, plan.close, absl::StrCat("close-", plan.id));
      (void)api_.Call<intake::v1::Case>("supervisor-chen", kIntake, "CloseCase",
                                        request);
    });
  }
}

void Driver::PlanReturn(const ReturnPlan& plan) {
  const std::string customer =
      absl::StrCat(handbook_.company(), "/customers/", plan.customer);
  const std::string line = absl::StrCat(customer, "/saleLines/", plan.id);
  const std::string name = absl::StrCat(customer, "/returns/", plan.id);
  const auto add = [&](absl::Time time, std::function<void()> run) {
    steps_.emplace(
        time, Step{time, plan.customer, [this, name, run = std::move(run)] {
                     // After a refusal nobody sends goods.
                     {
                       std::lock_guard lock(refused_mutex_);
                       if (refused_returns_.contains(name)) return;
                     }
                     run();
                   }});
  };
  add(plan.delivery, [this, plan, customer] {
    returns::v1::RecordSaleLineRequest request;
    request.set_parent(customer);
    request.set_sale_line_id(plan.id);
    request.set_order_number(absl::StrCat("SO-", plan.id));
    request.set_product_line("appliance");
    request.set_product("appliance-2000");
    request.set_quantity_ordered(plan.bought);
    request.set_quantity_delivered(plan.bought);
    request.mutable_unit_price_paid()->set_currency_code("CNY");
    request.mutable_unit_price_paid()->set_minor_units(plan.price);
    *request.mutable_order_time() = ToProto(plan.order);
    *request.mutable_delivery_time() = ToProto(plan.delivery);
    Stamp(request, plan.delivery, absl::StrCat("sale-", plan.id));
    (void)api_.Call<returns::v1::SaleLine>("clerk-shen", kReturns,
                                           "RecordSaleLine", request);
  });
  if (!plan.asks) return;
  const std::string clerk = Chance(plan.id) < 0.5 ? "clerk-shen" : "clerk-han";
  const auto units = [plan, line](auto* lines, int64_t quantity) {
    auto* unit = lines->Add();
    unit->set_sale_line(line);
    unit->set_quantity(quantity);
  };
  add(plan.request, [this, plan, customer, name, clerk, units] {
    returns::v1::RequestReturnRequest request;
    request.set_parent(customer);
    request.set_return_id(plan.id);
    request.set_kind(plan.exchange ? returns::v1::Return::EXCHANGE
                                   : returns::v1::Return::RETURN);
    request.set_reason(plan.reason);
    request.set_description("想退货");
    units(request.mutable_lines(), plan.quantity);
    Stamp(request, plan.request, absl::StrCat("rma-", plan.id));
    const auto asked = api_.Call<returns::v1::Return>(clerk, kReturns,
                                                      "RequestReturn", request);
    if (asked.ok()) return;
    std::lock_guard lock(refused_mutex_);
    refused_returns_.insert(name);
  });
  const absl::Time approve = plan.request + absl::Hours(2);
  std::vector<std::string> approvers = {clerk};
  if (plan.reason == "unsaleable")
    approvers = {"finance-zhu", "supervisor-sun"};
  for (size_t i = 0; i < approvers.size(); ++i) {
    const absl::Time at = approve + absl::Hours(static_cast<int>(i));
    add(at, [this, plan, name, at, approver = approvers[i], i] {
      returns::v1::ApproveReturnRequest request;
      request.set_name(name);
      Stamp(request, at, absl::StrCat("approve", i, "-", plan.id));
      (void)api_.Call<returns::v1::Return>(approver, kReturns, "ApproveReturn",
                                           request);
    });
  }
  // Goods of more than one unit come in two parts.
  const int64_t first = plan.quantity > 1 ? plan.quantity / 2 : plan.quantity;
  const absl::Time arrive = approve + absl::Hours(48);
  const auto receive = [this, plan, name, clerk, units](
                           absl::Time at, int64_t quantity, const char* step) {
    returns::v1::ReceiveGoodsRequest request;
    request.set_name(name);
    units(request.mutable_lines(), quantity);
    Stamp(request, at, absl::StrCat(step, plan.id));
    (void)api_.Call<returns::v1::Return>(clerk, kReturns, "ReceiveGoods",
                                         request);
  };
  add(arrive, [=] { receive(arrive, first, "recv1-"); });
  if (first < plan.quantity) {
    const absl::Time later = arrive + absl::Hours(20);
    add(later, [=] { receive(later, plan.quantity - first, "recv2-"); });
  }
  const absl::Time inspect = arrive + absl::Hours(30);
  const int64_t accepted = plan.quantity - plan.damaged;
  add(inspect, [this, plan, name, inspect, line, accepted] {
    returns::v1::InspectReturnRequest request;
    request.set_name(name);
    auto* inspected = request.add_lines();
    inspected->set_sale_line(line);
    inspected->set_accepted(accepted);
    inspected->set_damaged(plan.damaged);
    inspected->set_finding(plan.damaged > 0 ? "部分损坏" : "完好");
    inspected->set_fault(plan.damaged > 0 ? returns::v1::CUSTOMER
                                          : returns::v1::NO_FAULT);
    Stamp(request, inspect, absl::StrCat("inspect-", plan.id));
    (void)api_.Call<returns::v1::Return>("inspector-yang", kReturns,
                                         "InspectReturn", request);
  });
  const absl::Time settle = inspect + absl::Hours(5);
  if (accepted > 0 && plan.exchange) {
    add(settle, [this, plan, name, settle, clerk, units, accepted] {
      returns::v1::SendReplacementRequest request;
      request.set_name(name);
      units(request.mutable_lines(), accepted);
      request.set_tracking(absl::StrCat("SF", plan.id));
      Stamp(request, settle, absl::StrCat("replace-", plan.id));
      (void)api_.Call<returns::v1::Return>(clerk, kReturns, "SendReplacement",
                                           request);
    });
  } else if (accepted > 0) {
    add(settle, [this, plan, name, settle, line, accepted] {
      returns::v1::RefundReturnRequest request;
      request.set_name(name);
      auto* refund = request.add_lines();
      refund->set_sale_line(line);
      refund->set_quantity(accepted);
      refund->mutable_amount()->set_currency_code("CNY");
      refund->mutable_amount()->set_minor_units(accepted * plan.price);
      Stamp(request, settle, absl::StrCat("refund-", plan.id));
      (void)api_.Call<returns::v1::Return>("finance-zhu", kReturns,
                                           "RefundReturn", request);
    });
    const absl::Time pay = settle + absl::Hours(20);
    add(pay, [this, plan, name, pay] {
      returns::v1::ConfirmRefundPaidRequest request;
      request.set_name(name);
      request.set_refund_number(1);
      request.set_payment_reference(absl::StrCat("PAY-", plan.id));
      Stamp(request, pay, absl::StrCat("pay-", plan.id));
      (void)api_.Call<returns::v1::Return>("finance-zhu", kReturns,
                                           "ConfirmRefundPaid", request);
    });
  }
  if (plan.damaged > 0) {
    const absl::Time reject = settle + absl::Hours(1);
    add(reject, [this, plan, name, reject, clerk] {
      returns::v1::RejectReturnRequest request;
      request.set_name(name);
      request.set_reason("客户使用造成的损坏");
      request.set_tracking(absl::StrCat("SF-back-", plan.id));
      Stamp(request, reject, absl::StrCat("reject-", plan.id));
      (void)api_.Call<returns::v1::Return>(clerk, kReturns, "RejectReturn",
                                           request);
    });
  }
  const absl::Time close = settle + absl::Hours(44);
  add(close, [this, plan, name, close, clerk] {
    returns::v1::CloseReturnRequest request;
    request.set_name(name);
    request.set_result("已处理完毕");
    Stamp(request, close, absl::StrCat("rclose-", plan.id));
    (void)api_.Call<returns::v1::Return>(clerk, kReturns, "CloseReturn",
                                         request);
  });
}

absl::Status Driver::PlanVisits(absl::Time until, Steps& visits, Steps& care) {
  dispatch::v1::ListWorkOrdersRequest list;
  list.set_parent(absl::StrCat(handbook_.company(), "/territories/-"));
  list.set_state(dispatch::v1::WorkOrder::ASSIGNED);
  list.set_page_size(1000);
  do {
    ASSIGN_OR_RETURN(auto page,
                     api_.Call<dispatch::v1::ListWorkOrdersResponse>(
                         "dispatcher-zhou", kDispatch, "ListWorkOrders", list));
    for (const auto& order : page.work_orders()) {
      const absl::Time start = FromProto(order.booking().start());
      const std::string key =
          absl::StrCat(order.name(), "@", SortableTime(start), order.person());
      if (start >= until || !planned_visits_.insert(key).second) continue;
      const std::string id = absl::StrCat(IdFrom(key));
      const std::string person = order.person();
      const std::string name = order.name();
      const auto add = [&](absl::Time time, std::function<void()> run) {
        visits.emplace(time, Step{time, name, std::move(run)});
      };
      const auto recorded = outcomes_.find(order.case_());
      const absl::Time known =
          std::max(FromProto(order.update_time()), start - absl::Hours(12));
      const absl::Time accept = std::min(known + absl::Minutes(5), start);
      if (Chance("decline" + key) < 0.04) {
        add(accept, [this, name, person, accept, id] {
          dispatch::v1::DeclineWorkOrderRequest decline;
          decline.set_name(name);
          decline.set_reason("请假");
          Stamp(decline, accept, "decl-" + id);
          (void)api_.Call<dispatch::v1::WorkOrder>(person, kDispatch,
                                                   "DeclineWorkOrder", decline);
          dispatch::v1::AssignWorkOrderRequest assign;
          assign.set_name(name);
          assign.set_automatic(true);
          Stamp(assign, accept, "reas-" + id);
          (void)api_.Call<dispatch::v1::WorkOrder>("dispatcher-zhou", kDispatch,
                                                   "AssignWorkOrder", assign);
        });
        continue;
      }
      add(accept, [this, name, person, accept, id] {
        dispatch::v1::AcceptWorkOrderRequest request;
        request.set_name(name);
        Stamp(request, accept, "acc-" + id);
        (void)api_.Call<dispatch::v1::WorkOrder>(person, kDispatch,
                                                 "AcceptWorkOrder", request);
      });
      const absl::Time arrive = std::max(
          accept + absl::Minutes(2),
          start + absl::Minutes(static_cast<int>(Chance("arrive" + key) * 60) -
                                15));
      const absl::Time leave =
          std::max(accept + absl::Minutes(1), arrive - absl::Minutes(25));
      add(leave, [this, name, person, leave, id] {
        dispatch::v1::StartTravelRequest request;
        request.set_name(name);
        Stamp(request, leave, "trav-" + id);
        (void)api_.Call<dispatch::v1::WorkOrder>(person, kDispatch,
                                                 "StartTravel", request);
      });
      add(arrive, [this, name, person, arrive, id] {
        dispatch::v1::ArriveAtSiteRequest request;
        request.set_name(name);
        Stamp(request, arrive, "arr-" + id);
        (void)api_.Call<dispatch::v1::WorkOrder>(person, kDispatch,
                                                 "ArriveAtSite", request);
      });
      const absl::Time done =
          arrive +
          absl::Minutes(30 + static_cast<int>(Chance("work" + key) * 80));
      const bool fails = recorded == outcomes_.end()
                             ? Chance("fail" + key) < 0.08
                             : recorded->second.kind != Outcome::Kind::kFixed;
      if (fails) {
        const bool again =
            recorded == outcomes_.end() && Chance("again" + key) < 0.5;
        const std::string reason =
            recorded == outcomes_.end() ? "缺少配件" : recorded->second.reason;
        add(done, [this, name, person, done, id, again, reason] {
          dispatch::v1::CannotCompleteWorkOrderRequest request;
          request.set_name(name);
          request.set_reason(reason);
          request.set_needs_reschedule(again);
          Stamp(request, done, "cant-" + id);
          (void)api_.Call<dispatch::v1::WorkOrder>(
              person, kDispatch, "CannotCompleteWorkOrder", request);
          if (!again) return;
          dispatch::v1::AssignWorkOrderRequest assign;
          assign.set_name(name);
          assign.set_automatic(true);
          Stamp(assign, done, "resc-" + id);
          (void)api_.Call<dispatch::v1::WorkOrder>("dispatcher-zhou", kDispatch,
                                                   "AssignWorkOrder", assign);
        });
        if (recorded != outcomes_.end() &&
            recorded->second.kind == Outcome::Kind::kEndOfLife) {
          const std::string case_name = order.case_();
          const absl::Time told = done + absl::Hours(20);
          care.emplace(
              told,
              Step{told, case_name, [this, case_name, told, id, reason] {
                     intake::v1::ResolveCaseRequest resolve;
                     resolve.set_name(case_name);
                     resolve.set_resolution(absl::StrCat("无法修复: ", reason));
                     Stamp(resolve, told, "eol-" + id);
                     (void)api_.Call<intake::v1::Case>("agent-li", kIntake,
                                                       "ResolveCase", resolve);
                   }});
        }
        continue;
      }
      add(done, [this, name, person, done, id, key] {
        dispatch::v1::CompleteWorkOrderRequest request;
        request.set_name(name);
        request.set_report("原因: 部件老化; 处理: 更换; 结果: 试机正常 👍");
        const int64_t labour = 8000;
        int64_t parts = 0;
        if (Chance("part" + key) < 0.6) {
          auto* part = request.add_parts();
          part->set_part("PCB-100");
          part->set_quantity(1);
          part->mutable_unit_price()->set_currency_code("CNY");
          part->mutable_unit_price()->set_minor_units(12900);
          parts = 12900;
        }
        request.mutable_labour()->set_currency_code("CNY");
        request.mutable_labour()->set_minor_units(labour);
        const bool free = Chance("free" + key) < 0.4;
        request.set_free_of_charge(free);
        request.mutable_fee()->set_currency_code("CNY");
        request.mutable_fee()->set_minor_units(free ? 0 : labour + parts);
        auto* photo = request.add_photos();
        photo->set_sha256(
            absl::StrFormat("%016x%016x%016x%016x", StableHash(key + "a"),
                            StableHash(key + "b"), StableHash(key + "c"),
                            StableHash(key + "d")));
        photo->set_media_type("image/jpeg");
        photo->set_title("完工照片");
        Stamp(request, done, "done-" + id);
        (void)api_.Call<dispatch::v1::WorkOrder>(person, kDispatch,
                                                 "CompleteWorkOrder", request);
      });
      if (!order.case_().empty()) {
        const std::string case_name = order.case_();
        const absl::Time call =
            done +
            absl::Hours(24 + static_cast<int>(Chance("call" + key) * 40));
        if (Chance("ask" + key) <= 0.7) {
          care.emplace(
              call, Step{call, case_name, [this, case_name, call, id, key] {
                           intake::v1::RecordFollowUpRequest request;
                           request.set_name(case_name);
                           const double mood = Chance("mood" + key);
                           request.set_satisfaction(mood < 0.05   ? 1
                                                    : mood < 0.12 ? 2
                                                    : mood < 0.25 ? 3
                                                    : mood < 0.55 ? 4
                                                                  : 5);
                           Stamp(request, call, "vfol-" + id);
                           (void)api_.Call<intake::v1::Case>(
                               "agent-li", kIntake, "RecordFollowUp", request);
                         }});
        }
        const absl::Time close = call + absl::Hours(30);
        care.emplace(close,
                     Step{close, case_name, [this, case_name, close, id] {
                            intake::v1::CloseCaseRequest request;
                            request.set_name(case_name);
                            Stamp(request, close, "vclo-" + id);
                            (void)api_.Call<intake::v1::Case>(
                                "agent-wang", kIntake, "CloseCase", request);
                          }});
      }
    }
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  return absl::OkStatus();
}

void Driver::RunSteps(Steps& steps, absl::Time until) {
  std::vector<std::vector<Step>> lanes(kWorkers);
  while (!steps.empty() && steps.begin()->first < until) {
    Step& step = steps.begin()->second;
    lanes[StableHash(step.lane) % kWorkers].push_back(std::move(step));
    steps.erase(steps.begin());
  }
  std::vector<std::thread> workers;
  for (auto& lane : lanes) {
    if (lane.empty()) continue;
    workers.emplace_back([&lane] {
      for (Step& step : lane) step.run();
    });
  }
  for (std::thread& worker : workers) worker.join();
}

absl::Status Driver::Appraise(const std::string& period, absl::Time at) {
  // Who has done nothing yet is not on the list.
  scoring::v1::ListStaffRequest list;
  list.set_parent(handbook_.company());
  list.set_page_size(1000);
  ASSIGN_OR_RETURN(const auto listed,
                   api_.Call<scoring::v1::ListStaffResponse>(
                       "appraiser-qin", kScoring, "ListStaff", list));
  for (const auto& member : listed.staff()) {
    scoring::v1::OpenAppraisalRequest open;
    open.set_parent(member.name());
    open.set_appraisal_id(period);
    Stamp(open, at, absl::StrCat("appr-", period, "-", IdOf(member.name())));
    auto opened = api_.Call<scoring::v1::Appraisal>("appraiser-qin", kScoring,
                                                    "OpenAppraisal", open);
    if (!opened.ok()) continue;
    scoring::v1::FinalizeAppraisalRequest finalize;
    finalize.set_name(opened->name());
    Stamp(finalize, at, absl::StrCat("fin-", period, "-", IdOf(member.name())));
    (void)api_.Call<scoring::v1::Appraisal>("appraiser-qin", kScoring,
                                            "FinalizeAppraisal", finalize);
  }
  return absl::OkStatus();
}

absl::Status Driver::Live(
    const std::vector<DayPlan>& days,
    const std::function<void(int day, int of)>& progress) {
  for (const DayPlan& day : days) {
    for (const CasePlan& plan : day.cases) PlanCase(plan);
    for (const ReturnPlan& plan : day.returns) PlanReturn(plan);
  }
  // What was begun on the last day is lived to its end.
  const int tail = 21;
  const int total = static_cast<int>(days.size()) + tail;
  absl::Time midnight = days.front().midnight;
  std::string month = absl::FormatTime("%Y-%m", midnight, Zone());
  for (int d = 0; d < total; ++d, midnight += absl::Hours(24)) {
    const absl::Time end = midnight + absl::Hours(24);
    const std::string now = absl::FormatTime("%Y-%m", midnight, Zone());
    if (now != month) {
      RETURN_IF_ERROR(Appraise(month, midnight + absl::Hours(1)));
      month = now;
    }
    RunSteps(steps_, end);
    RETURN_IF_ERROR(api_.AwaitQuiet(absl::Seconds(60)));
    RETURN_IF_ERROR(PlanVisits(end + absl::Hours(24), steps_, steps_));
    progress(d + 1, total);
  }
  RunSteps(steps_, absl::InfiniteFuture());
  RETURN_IF_ERROR(api_.AwaitQuiet(absl::Seconds(60)));
  return absl::OkStatus();
}

void Driver::RunByMonth(
    Steps& steps, const std::function<void(int month, int of)>& progress) {
  if (steps.empty()) return;
  const auto month_of = [](absl::Time time) {
    const absl::CivilMonth month = absl::ToCivilMonth(time, Zone());
    return static_cast<int>(month - absl::CivilMonth(1970));
  };
  const int first = month_of(steps.begin()->first);
  const int last = month_of(steps.rbegin()->first);
  for (int month = first; month <= last; ++month) {
    RunSteps(steps,
             absl::FromCivil(absl::CivilMonth(1970) + month + 1, Zone()));
    progress(month - first + 1, last - first + 1);
  }
}

absl::Status Driver::LiveRecorded(
    std::map<std::string, Outcome> outcomes,
    const std::function<void(int month, int of)>& progress) {
  outcomes_ = std::move(outcomes);
  Steps care;
  absl::Time first = absl::InfiniteFuture();
  absl::Time last = absl::InfinitePast();
  // A declined order is booked anew, and comes up in the next round.
  for (bool more = true; more;) {
    Steps visits;
    RETURN_IF_ERROR(PlanVisits(absl::InfiniteFuture(), visits, care));
    more = !visits.empty();
    if (more) {
      first = std::min(first, visits.begin()->first);
      last = std::max(last, visits.rbegin()->first);
    }
    RunByMonth(visits, progress);
    RETURN_IF_ERROR(api_.AwaitQuiet(absl::Seconds(600)));
  }
  // The office hears of a visit by reaction: all of them are through.
  RunByMonth(care, progress);
  RETURN_IF_ERROR(api_.AwaitQuiet(absl::Seconds(600)));
  if (first > last) return absl::OkStatus();
  for (absl::CivilMonth month = absl::ToCivilMonth(first, Zone());
       month <= absl::ToCivilMonth(last, Zone()); ++month) {
    RETURN_IF_ERROR(
        Appraise(absl::FormatCivilTime(month),
                 absl::FromCivil(month + 1, Zone()) + absl::Hours(1)));
  }
  return api_.AwaitQuiet(absl::Seconds(600));
}

}  // namespace aftercare::demo
