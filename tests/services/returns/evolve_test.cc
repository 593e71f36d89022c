#include "services/returns/domain/evolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "libs/base/names.h"
#include "libs/base/time.h"
#include "services/returns/domain/progress.h"
#include "tests/services/returns/returns_scenario.h"

namespace aftercare::returns {
namespace {

using ::testing::Contains;

constexpr absl::string_view kBulk =
    "companies/acme/customers/c1/saleLines/bulk";
constexpr absl::string_view kSaleLineNames[] = {kKettles, kPhones, kBulk};

// Facts about rows that are not there change nothing beside them and do not
// crash: Evolve is total.
TEST(EvolveTest, TakesEveryFactWithoutItsRows) {
  const auto* type = v1::ReturnsEvent::descriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    MemoryRows rows(TheService().schema());
    v1::ReturnsEvent event;
    event.GetReflection()->MutableMessage(&event, type->field(i));
    if (event.has_refund_granted()) {
      event.mutable_refund_granted()->mutable_refund()->add_lines();
    }
    EventMeta meta;
    meta.subject = std::string(kReturn);
    Evolve(rows, meta, event);
    EXPECT_EQ(rows.Find(kSaleLines, ""), nullptr) << type->field(i)->name();
  }
}

// Commands as chance has them, most of them sensible, on a few returns.
class RandomWalk : public ReturnsTest {
 public:
  explicit RandomWalk(int seed) : random_(seed) {
    s_.Given("RecordSaleLine", SaleLine("bulk", 20, 5, 700));
  }
  void TestBody() override {}

  void Walk(int steps) {
    for (int i = 0; i < steps && !HasFailure(); ++i) {
      SCOPED_TRACE(absl::StrCat("step ", i));
      Step();
      CheckViews();
    }
    EXPECT_EQ(s_.Replayed(), s_.Dump());
  }

  // Names of the facts that came about.
  const std::set<std::string>& seen() const { return seen_; }

 private:
  using Random = std::mt19937_64;

  int Pick(int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random_);
  }
  bool Chance(int percent) { return Pick(1, 100) <= percent; }

  // Mostly `sensible`, sometimes anything near it.
  int64_t Quantity(int64_t sensible) {
    return Chance(75) ? sensible : sensible + Pick(-2, 2);
  }

  std::string Units(const std::string& sale_line, int64_t quantity,
                    const std::vector<std::string>& serials) {
    std::string text = absl::StrCat("lines { sale_line: '", sale_line,
                                    "' quantity: ", quantity);
    std::vector<std::string> pool = serials;
    std::shuffle(pool.begin(), pool.end(), random_);
    for (int64_t i = 0; i < quantity && i < static_cast<int64_t>(pool.size());
         ++i) {
      absl::StrAppend(&text, " serials: '", pool[i], "'");
    }
    return text + " } ";
  }

  template <typename Field>
  static std::vector<std::string> All(const Field& field) {
    return {field.begin(), field.end()};
  }

  // Those of `from` that are not in `without`.
  template <typename A, typename B>
  static std::vector<std::string> Less(const A& from, const B& without) {
    std::vector<std::string> left;
    for (const std::string& s : from) {
      if (std::find(without.begin(), without.end(), s) == without.end()) {
        left.push_back(s);
      }
    }
    return left;
  }

  void Step() {
    static constexpr const char* kActors[] = {"clerk", "clerk-2", "finance",
                                              "head", "inspector"};
    s_.As(kActors[Pick(0, 4)]);
    if (Chance(20)) s_.At(s_.now() + absl::Minutes(Pick(-30, 600)));
    if (Chance(3)) {
      // The rest of the big order comes bit by bit.
      return Run("RecordDelivery",
                 absl::StrCat("name: '", kBulk, "' quantity: ", Pick(0, 4)));
    }
    const std::string name = absl::StrCat(kCustomer, "/returns/r", Pick(1, 5));
    const v1::Return* r = s_.Find(kReturns, name);
    const std::string sale(kSaleLineNames[Pick(0, 2)]);
    if (r == nullptr || Chance(5)) return Ask(name, sale);
    const v1::ReturnLine& line = r->lines(Pick(0, r->lines_size() - 1));
    switch (Pick(0, 11)) {
      case 0:
      case 1:
        return Run("ApproveReturn", Named("", name));
      case 2:
        if (!Chance(25)) return;
        return Run(Chance(50) ? "RefuseReturn" : "CancelReturn",
                   Named("reason: 'x'", name));
      case 3:
      case 4:
        return Run(
            "ReceiveGoods",
            Named(Units(line.sale_line(),
                        Quantity(Pick(
                            1, std::max<int>(1, line.quantity() -
                                                    line.quantity_received()))),
                        Less(line.serials(), line.received_serials())),
                  name));
      case 5:
      case 6:
        return Inspect(name, line);
      case 7: {
        if (Chance(40)) return Run("RefundReturn", Named("", name));
        const int64_t units =
            Quantity(Pick(0, std::max<int>(0, Unsettled(line))));
        const int64_t left =
            Ceiling(line) - line.amount_granted().minor_units();
        // Most of all just at the ceiling.
        const int64_t amount =
            Chance(40) ? left + Pick(-1, 1) : left * Pick(0, 120) / 100;
        return Run("RefundReturn",
                   Named(Paying(units, amount, line.sale_line()), name));
      }
      case 8:
        return Run("ConfirmRefundPaid",
                   Named(absl::StrCat(
                             "refund_number: ", Pick(0, r->refunds_size() + 1),
                             " payment_reference: 'p", Pick(1, 30), "'"),
                         name));
      case 9:
        if (!Chance(50)) return;
        return Run("SendReplacement",
                   Named(Units(line.sale_line(), Quantity(1), {}), name));
      case 10:
        return Run("RejectReturn", Named("reason: 'x'", name));
      default:
        if (Chance(10)) {
          s_.WhenTimePasses(
              FormatRfc3339(s_.now() + absl::Hours(Pick(1, 200))));
          Note();
          CheckInvariants();
          return;
        }
        return Run("CloseReturn", Named("result: 'x'", name));
    }
  }

  void Ask(const std::string& name, const std::string& sale) {
    const v1::SaleLine& line = Sold(sale);
    std::string lines = Units(sale, Quantity(Pick(1, 3)),
                              Less(line.serials(), line.serials_in_returns()));
    if (Chance(30)) {
      const std::string other(kSaleLineNames[Pick(0, 2)]);
      lines +=
          Units(other, 1,
                Less(Sold(other).serials(), Sold(other).serials_in_returns()));
    }
    static constexpr const char* kReasons[] = {"quality", "unsaleable",
                                               "no_reason", "whim"};
    Run("RequestReturn", Request(IdOf(name), lines, kReasons[Pick(0, 3)]));
  }

  void Inspect(const std::string& name, const v1::ReturnLine& line) {
    const int64_t waiting = Uninspected(line);
    const int64_t damaged =
        Chance(50) ? 0 : Pick(0, std::max<int>(0, static_cast<int>(waiting)));
    std::string serials;
    const auto received = All(line.received_serials());
    for (int64_t i = 0; i < damaged; ++i) {
      if (received.empty()) break;
      absl::StrAppend(&serials, " damaged_serials: '",
                      received[received.size() - 1 - i], "'");
    }
    Run("InspectReturn", Named(Inspected(Quantity(waiting - damaged), damaged,
                                         serials, line.sale_line()),
                               name));
  }

  // A list, whatever its filter and page size, names what a look at every row
  // finds, in its order; so do the figures over all returns.
  void CheckViews() {
    v1::ListReturnsRequest request;
    request.set_parent(Chance(50) ? std::string(kCustomer)
                                  : "companies/acme/customers/-");
    if (Chance(60)) {
      request.set_state(static_cast<v1::Return::State>(Pick(1, 9)));
    }
    static constexpr const char* kReasons[] = {"", "quality", "no_reason"};
    request.set_reason(kReasons[Pick(0, 2)]);
    if (Chance(40)) {
      *request.mutable_due_before() =
          ToProto(s_.now() + absl::Hours(Pick(-100, 300)));
    }
    request.set_page_size(Pick(1, 4));
    int64_t granted = 0;
    int64_t requested = 0;
    int64_t count = 0;
    std::vector<std::pair<std::string, std::string>> expected;
    s_.rows().ScanTable(
        kReturns, "", "~", [&](absl::string_view, const v1::Return& r) {
          ++count;
          granted += r.amount_granted().minor_units();
          for (const auto& line : r.lines()) requested += line.quantity();
          if ((request.state() != v1::Return::STATE_UNSPECIFIED &&
               r.state() != request.state()) ||
              (!request.reason().empty() && r.reason() != request.reason())) {
            return true;
          }
          absl::Time key = FromProto(r.request_time());
          if (request.has_due_before()) {
            key = absl::InfiniteFuture();
            for (const auto& clock : r.clocks()) {
              if (clock.state() != common::v1::SlaClock::RUNNING) continue;
              key = std::min(key, FromProto(clock.due_time()));
            }
            if (key >= FromProto(request.due_before())) return true;
          } else if (request.parent() == kCustomer) {
            key = absl::UnixEpoch();
          }
          expected.emplace_back(SortableTime(key), r.name());
          return true;
        });
    std::sort(expected.begin(), expected.end());
    std::vector<std::string> names;
    for (const auto& [key, name] : expected) names.push_back(name);
    std::vector<std::string> listed;
    do {
      const auto page = s_.Ask("ListReturns", request.ShortDebugString());
      ASSERT_TRUE(page.ok()) << page.status();
      const auto& answer = static_cast<const v1::ListReturnsResponse&>(**page);
      for (const auto& r : answer.returns()) listed.push_back(r.name());
      request.set_page_token(answer.next_page_token());
    } while (!request.page_token().empty());
    EXPECT_EQ(listed, names) << request.ShortDebugString();

    const auto summed = s_.Ask("SummarizeReturns", "parent: 'companies/acme'");
    ASSERT_TRUE(summed.ok()) << summed.status();
    const auto& summary = static_cast<const v1::ReturnSummary&>(**summed);
    EXPECT_EQ(summary.returns(), count);
    EXPECT_EQ(summary.requested_units(), requested);
    EXPECT_EQ(summary.amount_granted().minor_units(), granted);
  }

  void Run(absl::string_view method, const std::string& request) {
    const auto before = s_.Dump();
    s_.When(method, request);
    if (!s_.status().ok()) {
      ASSERT_EQ(s_.Dump(), before) << method << " " << request;
      ASSERT_EQ(s_.event_count(), 0u);
      ASSERT_NE(s_.Reason(), "") << s_.status();
    }
    Note();
    CheckInvariants();
  }

  void Note() {
    for (absl::string_view fact : absl::StrSplit(s_.Events(), ',')) {
      if (!fact.empty()) seen_.insert(std::string(fact));
    }
  }

  void CheckInvariants() {
    struct Sum {
      int64_t bound = 0;
      int64_t accepted = 0;
      int64_t refunded = 0;
      int64_t replaced = 0;
      int64_t granted = 0;
    };
    std::map<std::string, Sum> sums;
    std::set<std::string> references;
    s_.rows().ScanTable(
        kReturns, "", "~", [&](absl::string_view, const v1::Return& r) {
          int64_t granted = 0;
          for (const v1::ReturnLine& line : r.lines()) {
            EXPECT_LE(line.quantity_received(), line.quantity());
            EXPECT_GE(Uninspected(line), 0);
            EXPECT_GE(Unsettled(line), 0);
            EXPECT_GE(Unrejected(line), 0);
            EXPECT_LE(line.amount_granted().minor_units(), Ceiling(line));
            EXPECT_GE(line.amount_granted().minor_units(), 0);
            granted += line.amount_granted().minor_units();
            Sum& sum = sums[line.sale_line()];
            sum.accepted += line.quantity_accepted();
            sum.refunded += line.quantity_refunded();
            sum.replaced += line.quantity_replaced();
            sum.granted += line.amount_granted().minor_units();
            if (r.state() == v1::Return::REFUSED ||
                r.state() == v1::Return::CANCELLED) {
              continue;
            }
            sum.bound +=
                (r.state() == v1::Return::CLOSED ? line.quantity_received()
                                                 : line.quantity()) -
                line.quantity_rejected();
          }
          EXPECT_EQ(r.amount_granted().minor_units(), granted);
          int64_t paid = 0;
          for (const v1::Refund& refund : r.refunds()) {
            if (refund.payment_reference().empty()) continue;
            paid += refund.amount().minor_units();
            EXPECT_TRUE(references.insert(refund.payment_reference()).second);
          }
          EXPECT_EQ(r.amount_paid().minor_units(), paid);
          if (!IsEnded(r)) {
            EXPECT_EQ(r.state(), StateOf(r));
          }
          return true;
        });
    for (absl::string_view name : kSaleLineNames) {
      const v1::SaleLine& line = Sold(name);
      const Sum& sum = sums[std::string(name)];
      // The returnable pool is never negative.
      EXPECT_GE(line.quantity_in_returns(), 0);
      EXPECT_LE(line.quantity_in_returns(), line.quantity_delivered());
      EXPECT_EQ(line.quantity_in_returns(), sum.bound);
      EXPECT_EQ(line.quantity_refunded(), sum.refunded);
      EXPECT_EQ(line.quantity_replaced(), sum.replaced);
      EXPECT_EQ(line.amount_refunded().minor_units(), sum.granted);
      // What was accepted was delivered, and never pays more than its price,
      // over all returns of the line.
      EXPECT_LE(sum.accepted, line.quantity_delivered());
      EXPECT_LE(sum.granted,
                sum.accepted * line.unit_price_paid().minor_units());
      if (line.serials().empty()) continue;
      EXPECT_EQ(line.serials_in_returns_size(), line.quantity_in_returns());
      const std::set<std::string> distinct(line.serials_in_returns().begin(),
                                           line.serials_in_returns().end());
      EXPECT_EQ(distinct.size(),
                static_cast<size_t>(line.serials_in_returns_size()));
    }
  }

  Random random_;
  std::set<std::string> seen_;
};

// Whatever is asked in whatever order: the pool never goes negative, refunds
// keep below their ceiling, a refusal changes nothing, lists show what the rows
// hold, and replaying the facts gives the same rows.
TEST(RandomWalkTest, KeepsPoolAndCeilingAndReplaysTheSame) {
  std::set<std::string> seen;
  for (int seed = 1; seed <= 200 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    RandomWalk walk(seed);
    walk.Walk(150);
    seen.insert(walk.seen().begin(), walk.seen().end());
  }
  // The walks are worth something only if they get everywhere.
  for (const char* fact :
       {"DeliveryRecorded", "ReturnRequested", "ReturnApproved",
        "ReturnRefused", "ReturnCancelled", "GoodsReceived", "ReturnInspected",
        "RefundGranted", "RefundPaid", "ReplacementSent", "ReturnRejected",
        "ReturnClosed", "ClockBreached"}) {
    EXPECT_THAT(seen, Contains(fact));
  }
}

}  // namespace
}  // namespace aftercare::returns
