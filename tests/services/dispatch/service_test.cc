#include "services/dispatch/service.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dispatch_fixture.h"

namespace aftercare::dispatch {
namespace {

TEST(DispatchServiceTest, EveryMethodHasAHandlerAndRoles) {
  EXPECT_TRUE(MakeDispatchService().CheckComplete().ok())
      << MakeDispatchService().CheckComplete();
}

// Random commands by random people at ascending times, many of them wrong on
// purpose, with a seed that is printed.
class RandomRun {
 public:
  RandomRun(const shard::Service& service,
            std::shared_ptr<const handbook::Policy> policy, uint32_t seed)
      : random_(seed), policy_(policy), s_(service, std::move(policy)) {
    now_ = *ParseRfc3339(Local("07:30"));
  }

  void Step() {
    now_ += absl::Minutes(Pick(20));
    s_.At(now_).As("zhou");
    switch (Pick(14)) {
      case 0:
        Run("RegisterTechnician",
            absl::StrCat("parent: '", kNorth, "' technician_id: '", Person(),
                         "' person: '", Person(), "' ",
                         Pick(2) ? "skills: 'electronics' " : "",
                         Pick(4) ? "" : "calendar: 'evening'"));
        break;
      case 1:
        Run("UpdateTechnician",
            absl::StrCat("name: '", Technician(), "' ",
                         Pick(3) ? "" : "inactive: true ",
                         Pick(3) ? "" : "skills: ['electronics']"));
        break;
      case 2: {
        const absl::Time start = SomeTime();
        Run("SetLeave",
            absl::StrCat("name: '", Technician(), "' leave {start ",
                         Proto(start), " end ",
                         Proto(start + absl::Minutes(30 * Pick(8))), "}"));
        break;
      }
      case 3:
      case 4:
      case 5:
        Run("CreateWorkOrder",
            absl::StrCat("parent: '", kNorth, "' work_order_id: 'w",
                         Pick(2) ? created_++ : Pick(created_ + 1), "' ",
                         Pick(2) ? "assign_automatically: true " : "",
                         Pick(3) ? "" : "product_line: 'laptop' ",
                         Pick(3) ? "" : "priority: 'urgent'"));
        break;
      case 6:
      case 7:
        if (Pick(3) == 0) {
          Run("AssignWorkOrder", absl::StrCat(Order(), "automatic: true"));
        } else {
          Run("AssignWorkOrder",
              absl::StrCat(Order(), "technician: '", Technician(),
                           "' start_time ", Proto(SomeTime()),
                           " duration {seconds: ", 900 * (1 + Pick(12)), "} ",
                           Pick(5) ? "" : "locked: true"));
        }
        break;
      case 8:
        Run("RescheduleWorkOrder",
            absl::StrCat(Order(), "start_time ", Proto(SomeTime())));
        break;
      case 9:
        Run("CancelWorkOrder",
            absl::StrCat(Order(), Pick(4) ? "" : "reason: 'x'"));
        break;
      case 10:
        s_.WhenTimePasses(FormatRfc3339(now_));
        break;
      default: {
        // Whatever comes next for one order, by somebody.
        if (Pick(4) == 0) s_.As(Person());
        const std::string order = Order();
        static constexpr absl::string_view kSteps[][2] = {
            {"AcceptWorkOrder", ""},
            {"DeclineWorkOrder", "reason: 'x'"},
            {"StartTravel", ""},
            {"ArriveAtSite", ""},
            {"CannotCompleteWorkOrder", "reason: 'x' needs_reschedule: true"},
            {"CannotCompleteWorkOrder", "reason: 'x'"},
            {"CompleteWorkOrder", "report: 'ok'"}};
        for (const auto& [method, more] : kSteps) {
          if (Pick(10) == 0) break;
          if (!more.empty() && method != "CompleteWorkOrder" && Pick(3) != 0) {
            continue;
          }
          Run(method, absl::StrCat(order, more));
        }
      }
    }
  }

  // What holds for all states that can be reached.
  void CheckInvariants() {
    std::map<std::string, std::vector<Stretch>> bookings;
    s_.rows().ScanTable(
        kWorkOrders, "", "\x7f",
        [&](absl::string_view name, const v1::WorkOrder& order) {
          const auto state = order.state();
          const bool needs_technician = state == v1::WorkOrder::ASSIGNED ||
                                        state == v1::WorkOrder::ACCEPTED ||
                                        state == v1::WorkOrder::STARTED ||
                                        state == v1::WorkOrder::ON_SITE;
          if (needs_technician) {
            EXPECT_NE(order.technician(), "") << name;
            EXPECT_TRUE(order.has_booking()) << name;
          }
          if (state == v1::WorkOrder::UNASSIGNED ||
              state == v1::WorkOrder::CANCELLED) {
            EXPECT_EQ(order.technician(), "") << name;
            EXPECT_FALSE(order.has_booking()) << name;
          }
          for (const auto& clock : order.clocks()) {
            if (IsFinished(order)) {
              EXPECT_NE(clock.state(), common::v1::SlaClock::RUNNING) << name;
            }
          }
          // A visit that was over before its planned start takes up no time.
          if (!BookingKeys(order).empty()) {
            bookings[order.technician()].push_back(StretchOf(order.booking()));
          }
          if (needs_technician) CheckTechnician(order);
          return true;
        });
    for (auto& [technician, taken] : bookings) {
      std::sort(taken.begin(), taken.end(), [](const auto& a, const auto& b) {
        return a.start < b.start || (a.start == b.start && a.end < b.end);
      });
      for (size_t i = 1; i < taken.size(); ++i) {
        EXPECT_LE(taken[i - 1].end, taken[i].start)
            << technician << " is in two places at once";
      }
    }
  }

  // A list, whatever its filter and page size, names what a look at every row
  // finds, in its order; so does a technician's day.
  void CheckLists() {
    v1::ListWorkOrdersRequest request;
    request.set_parent(Pick(2) ? std::string(kNorth)
                               : "companies/acme/territories/-");
    if (Pick(2)) request.set_state(static_cast<v1::WorkOrder::State>(Pick(9)));
    if (Pick(3) == 0) request.set_technician(Technician());
    if (Pick(3) == 0) {
      *request.mutable_due_before() =
          ToProto(now_ + absl::Hours(Pick(96) - 24));
    }
    v1::WorkOrder wanted;
    wanted.set_state(request.state());
    const bool by_due_time =
        request.has_due_before() ||
        (request.technician().empty() &&
         request.state() != v1::WorkOrder::STATE_UNSPECIFIED &&
         !IsFinished(wanted));
    std::vector<std::pair<std::string, std::string>> expected;
    for (const v1::WorkOrder& order : AllOrders()) {
      if ((request.state() != v1::WorkOrder::STATE_UNSPECIFIED &&
           order.state() != request.state()) ||
          (!request.technician().empty() &&
           (order.technician() != request.technician() ||
            !order.has_booking()))) {
        continue;
      }
      absl::Time key = FromProto(order.open_time());
      if (by_due_time) {
        if (IsFinished(order)) continue;
        key = MaxTime();
        for (const auto& clock : order.clocks()) {
          if (clock.state() != common::v1::SlaClock::RUNNING) continue;
          key = std::min(key, FromProto(clock.due_time()));
        }
        if (request.has_due_before() &&
            key >= FromProto(request.due_before())) {
          continue;
        }
      } else if (!request.technician().empty()) {
        key = FromProto(order.booking().start());
      }
      expected.emplace_back(SortableTime(key), order.name());
    }
    ExpectOrders(expected, [&] {
      std::vector<std::string> listed;
      request.set_page_size(1 + Pick(7));
      do {
        const auto page = s_.Ask("ListWorkOrders", request.ShortDebugString());
        if (!page.ok()) return std::vector<std::string>{"refused"};
        const auto& answer =
            static_cast<const v1::ListWorkOrdersResponse&>(**page);
        for (const auto& order : answer.work_orders()) {
          listed.push_back(order.name());
        }
        request.set_page_token(answer.next_page_token());
      } while (!request.page_token().empty());
      return listed;
    }());

    const std::string technician = Technician();
    if (s_.Find(kTechnicians, technician) == nullptr) return;
    const absl::TimeZone zone = policy_->zone();
    const absl::CivilDay day = absl::ToCivilDay(now_, zone) + Pick(3) - 1;
    expected.clear();
    for (const v1::WorkOrder& order : AllOrders()) {
      if (order.technician() != technician || !order.has_booking()) continue;
      const absl::Time start = FromProto(order.booking().start());
      if (absl::ToCivilDay(start, zone) != day) continue;
      expected.emplace_back(SortableTime(start), order.name());
    }
    std::vector<std::string> visits;
    const auto list =
        s_.Ask("GetDayList", absl::StrCat("name: '", technician, "' day ",
                                          Proto(absl::FromCivil(day, zone))));
    ASSERT_TRUE(list.ok()) << list.status();
    for (const auto& visit : static_cast<const v1::DayList&>(**list).visits()) {
      visits.push_back(visit.name());
    }
    ExpectOrders(expected, visits);
  }

  testing::Scenario& scenario() { return s_; }
  int accepted() const { return accepted_; }
  int refused() const { return refused_; }
  const std::set<std::string>& reasons() const { return reasons_; }

 private:
  std::vector<v1::WorkOrder> AllOrders() {
    std::vector<v1::WorkOrder> all;
    s_.rows().ScanTable(kWorkOrders, "", "~",
                        [&](absl::string_view, const v1::WorkOrder& order) {
                          all.push_back(order);
                          return true;
                        });
    return all;
  }
  static void ExpectOrders(
      std::vector<std::pair<std::string, std::string>> expected,
      const std::vector<std::string>& listed) {
    std::sort(expected.begin(), expected.end());
    std::vector<std::string> names;
    for (const auto& [key, name] : expected) names.push_back(name);
    EXPECT_EQ(listed, names);
  }
  void CheckTechnician(const v1::WorkOrder& order) {
    const auto* technician = s_.Find(kTechnicians, order.technician());
    ASSERT_NE(technician, nullptr);
    EXPECT_FALSE(technician->inactive()) << order.name();
    for (const auto& leave : technician->leave()) {
      EXPECT_FALSE(StretchOf(leave).Overlaps(StretchOf(order.booking())))
          << order.name() << " is booked in a leave (CASE-17)";
    }
    for (const auto& declined : order.declined_by()) {
      EXPECT_NE(declined, order.technician()) << order.name();
    }
  }

  int Pick(int n) {
    return std::uniform_int_distribution<int>(0, n - 1)(random_);
  }
  std::string Person() {
    static const char* const kPeople[] = {"wu", "zheng", "feng", "chu"};
    return kPeople[Pick(4)];
  }
  std::string Technician() {
    return absl::StrCat(kNorth, "/technicians/", Person());
  }
  std::string Order() {
    return absl::StrCat("name: '", kNorth, "/workOrders/w", Pick(created_ + 1),
                        "' ");
  }
  absl::Time SomeTime() {
    return now_ + absl::Minutes(15 * Pick(60)) - absl::Minutes(30);
  }
  static std::string Proto(absl::Time time) {
    return absl::StrCat("{seconds: ", absl::ToUnixSeconds(time), "}");
  }
  void Run(absl::string_view method, const std::string& request) {
    const auto before = s_.Dump();
    s_.When(method, request);
    if (s_.status().ok()) {
      ++accepted_;
    } else {
      ++refused_;
      EXPECT_NE(s_.Reason(), "")
          << method << " " << request << ": " << s_.status();
      reasons_.insert(s_.Reason());
      EXPECT_EQ(s_.Dump(), before) << "a refusal changed rows: " << method;
      EXPECT_EQ(s_.event_count(), 0u);
    }
  }

  std::mt19937 random_;
  std::shared_ptr<const handbook::Policy> policy_;
  testing::Scenario s_;
  absl::Time now_;
  int created_ = 0;
  int accepted_ = 0;
  int refused_ = 0;
  std::set<std::string> reasons_;
};

class DispatchPropertyTest : public DispatchTest {};

// Bookings never overlap, leave is kept, finished orders hold no clock, lists
// show what the rows hold, and replay gives the live rows, whatever people ask
// for.
TEST_F(DispatchPropertyTest, NoSequenceOfCommandsBreaksThePlan) {
  uint32_t first = 20260302;
  if (const char* seed = std::getenv("AFTERCARE_SEED")) {
    first = static_cast<uint32_t>(std::strtoul(seed, nullptr, 10));
  }
  int accepted = 0;
  std::set<std::string> reasons;
  for (uint32_t seed = first; seed < first + 30; ++seed) {
    SCOPED_TRACE(absl::StrCat("AFTERCARE_SEED=", seed));
    RandomRun run(Service(), Handbook(), seed);
    for (int i = 0; i < 200 && !HasFailure(); ++i) {
      run.Step();
      run.CheckInvariants();
      run.CheckLists();
    }
    EXPECT_EQ(run.scenario().Replayed(), run.scenario().Dump());
    accepted += run.accepted();
    reasons.insert(run.reasons().begin(), run.reasons().end());
    if (HasFailure()) break;
  }
  // The runs reach what they are meant to reach.
  EXPECT_GT(accepted, 500);
  for (const char* reason :
       {"TECHNICIAN_BUSY", "TECHNICIAN_ON_LEAVE", "OUTSIDE_SHIFT",
        "WORK_ORDER_STATE", "SKILL_MISSING", "LEAVE_COVERS_VISIT",
        "TECHNICIAN_DECLINED", "NOT_ASSIGNED_TO_YOU", "TECHNICIAN_HAS_ORDERS",
        "NO_TECHNICIAN_AVAILABLE"}) {
    EXPECT_TRUE(reasons.contains(reason)) << reason << " never came up";
  }
}

}  // namespace
}  // namespace aftercare::dispatch
