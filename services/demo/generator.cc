#include "services/demo/generator.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libs/base/ids.h"

namespace aftercare::demo {
namespace {

using intake::v1::Case;

constexpr int64_t kFirstDay = 1767542400;  // 2026-01-05 in Shanghai, a Monday

// Distributions of our own: those of the standard library differ between
// implementations.
class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  double Unit() { return static_cast<double>(random_()) / 4294967296.0; }
  bool Happens(double p) { return Unit() < p; }
  int64_t Between(int64_t low, int64_t high) {
    return low +
           static_cast<int64_t>(Unit() * static_cast<double>(high - low + 1));
  }
  absl::Duration Minutes(int64_t low, int64_t high) {
    return absl::Minutes(Between(low, high));
  }
  absl::Duration Exponential(double mean_minutes) {
    return absl::Seconds(
        static_cast<int64_t>(-std::log(1.0 - Unit()) * mean_minutes * 60));
  }
  template <typename T, size_t n>
  const T& Pick(const T (&choices)[n]) {
    return choices[Between(0, static_cast<int64_t>(n) - 1)];
  }

 private:
  std::mt19937 random_;
};

struct Agent {
  const char* person;
  double slowness;
};
constexpr Agent kAgents[] = {{"agent-li", 0.5},
                             {"agent-wang", 1.0},
                             {"agent-zhao", 2.2},
                             {"supervisor-chen", 0.8}};
constexpr const char* kRegions[] = {"beijing", "tianjin",  "guangdong",
                                    "fujian",  "shanghai", "sichuan"};
constexpr const char* kChannels[] = {"hotline",  "hotline",   "email",
                                     "web_form", "wechat_oa", "online_chat"};
constexpr const char* kLines[] = {"appliance", "appliance", "laptop",
                                  "phone",     "kettle",    "purifier",
                                  "audio",     "furniture"};
constexpr const char* kFaults[] = {"不制冷",    "无法开机", "漏水",
                                   "噪音大 😟",  "屏幕碎裂", "遥控失灵",
                                   "指示灯闪烁"};
constexpr const char* kQuestions[] = {"如何清洗滤网", "保修期多久",
                                      "发票怎么开", "说明书在哪里下载"};
constexpr const char* kComplaints[] = {"上门迟到", "收费不明", "态度不好",
                                       "修了又坏"};

}  // namespace

double Chance(const std::string& key) {
  return static_cast<double>(StableHash(key) >> 11) / 9007199254740992.0;
}

std::vector<DayPlan> Generate(const GeneratorOptions& options) {
  Dice dice(options.seed);
  std::vector<DayPlan> days;
  std::vector<std::pair<std::string, std::string>> customers;  // id, region
  int next_customer = 1;
  int next_case = 1;
  for (int d = 0; d < options.days; ++d) {
    DayPlan day;
    day.midnight = absl::FromUnixSeconds(kFirstDay + int64_t{86400} * d);
    double mean = static_cast<double>(options.cases) / options.days;
    if (d % 7 == 6) mean *= 0.3;
    // Today's newcomers are not known yet: their first call may come later in
    // the day than another one of theirs would.
    const auto known_until_today = static_cast<int64_t>(customers.size());
    const int64_t count =
        static_cast<int64_t>(std::llround(mean * (0.6 + 0.8 * dice.Unit())));
    for (int64_t i = 0; i < count; ++i) {
      CasePlan plan;
      if (known_until_today > 0 && dice.Happens(0.45)) {
        const auto& known = customers[dice.Between(0, known_until_today - 1)];
        plan.customer = known.first;
        plan.region = known.second;
      } else {
        plan.new_customer = true;
        plan.customer = absl::StrFormat("c%05d", next_customer++);
        plan.region = dice.Pick(kRegions);
        customers.emplace_back(plan.customer, plan.region);
      }
      plan.id = absl::StrFormat("k%06d", next_case++);
      const double kind = dice.Unit();
      plan.kind = kind < 0.50   ? Case::REPAIR
                  : kind < 0.85 ? Case::INQUIRY
                                : Case::COMPLAINT;
      const double priority = dice.Unit();
      plan.priority = priority < 0.08   ? Case::URGENT
                      : priority < 0.25 ? Case::HIGH
                      : priority < 0.90 ? Case::NORMAL
                                        : Case::LOW;
      plan.channel = dice.Pick(kChannels);
      plan.product_line = dice.Pick(kLines);
      switch (plan.kind) {
        case Case::REPAIR:
          plan.subject = dice.Pick(kFaults);
          break;
        case Case::COMPLAINT:
          plan.subject = dice.Pick(kComplaints);
          break;
        default:
          plan.subject = dice.Pick(kQuestions);
      }
      plan.description = absl::StrCat("客户来电: ", plan.subject, "; 产品 ",
                                      plan.product_line);
      const Agent& agent = dice.Pick(kAgents);
      plan.agent = agent.person;
      plan.open = day.midnight + dice.Minutes(450, 1260);
      plan.reply =
          plan.open + absl::Minutes(2) + dice.Exponential(90 * agent.slowness);
      plan.pause = plan.resume = absl::InfiniteFuture();
      absl::Time from = plan.reply;
      if (plan.kind != Case::REPAIR && dice.Happens(0.15)) {
        plan.pause = plan.reply + dice.Minutes(5, 60);
        plan.resume = plan.pause + dice.Minutes(120, 2880);
        from = plan.resume;
      }
      plan.resolve =
          from + absl::Minutes(10) + dice.Exponential(540 * agent.slowness);
      plan.by_timeout = plan.kind == Case::INQUIRY && dice.Happens(0.05);
      plan.reopen = plan.resolve_again = absl::InfiniteFuture();
      absl::Time done = plan.resolve;
      if (plan.kind != Case::REPAIR && dice.Happens(0.05)) {
        plan.reopen = plan.resolve + dice.Minutes(1440, 5760);
        plan.resolve_again = plan.reopen + dice.Exponential(600);
        done = plan.resolve_again;
      }
      plan.follow_up = dice.Happens(0.7) ? done + dice.Minutes(1440, 4320)
                                         : absl::InfiniteFuture();
      const double wait = absl::ToDoubleHours(plan.resolve - plan.open);
      const double mood = 5.4 - wait / 30.0 - 1.6 * dice.Unit();
      plan.stars = static_cast<int>(std::min(5.0, std::max(1.0, mood)));
      plan.close = done + dice.Minutes(4400, 7000);
      if (plan.new_customer && dice.Happens(0.2)) {
        ReturnPlan sale;
        sale.customer = plan.customer;
        sale.id = absl::StrCat("s", plan.id.substr(1));
        sale.order = plan.open + absl::Minutes(20);
        sale.delivery = sale.order + dice.Minutes(1440, 4320);
        sale.bought = dice.Between(1, 5);
        sale.price = dice.Between(50, 3000) * 100 - 1;
        sale.asks = dice.Happens(0.6);
        sale.request = sale.delivery + dice.Minutes(1440, 12 * 1440);
        sale.quantity = dice.Between(1, sale.bought);
        sale.damaged = dice.Happens(0.2) ? dice.Between(0, sale.quantity) : 0;
        const double reason = dice.Unit();
        sale.reason = reason < 0.5   ? "no_reason"
                      : reason < 0.8 ? "quality"
                                     : "unsaleable";
        sale.exchange = dice.Happens(0.25);
        day.returns.push_back(std::move(sale));
      }
      day.cases.push_back(std::move(plan));
    }
    days.push_back(std::move(day));
  }
  return days;
}

}  // namespace aftercare::demo
