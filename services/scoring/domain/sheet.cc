#include "services/scoring/domain/sheet.h"

#include <algorithm>
#include <cstdlib>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "services/scoring/domain/tables.h"

namespace aftercare::scoring {
namespace {

using handbook::v1::ScoreItem;

// Rounded towards minus infinity; `denominator` > 0.
int64_t FloorDivide(absl::int128 numerator, absl::int128 denominator) {
  absl::int128 quotient = numerator / denominator;
  if (numerator % denominator < 0) quotient -= 1;
  return static_cast<int64_t>(quotient);
}

// numerator/denominator of `full`, the fraction kept within 0 and 1.
int Portion(int full, absl::int128 numerator, absl::int128 denominator) {
  if (denominator < 0) {
    numerator = -numerator;
    denominator = -denominator;
  }
  numerator = std::clamp(numerator, absl::int128(0), denominator);
  return static_cast<int>(FloorDivide(numerator * full, denominator));
}

// Hundredths, with a sign where negative.
std::string FormatHundredths(int64_t hundredths) {
  return absl::StrFormat("%s%d.%02d", hundredths < 0 ? "-" : "",
                         std::abs(hundredths / 100),
                         std::abs(hundredths % 100));
}

v1::ScoreLine ComputeLine(const ScoreItem& item,
                          const std::vector<v1::Fact>& facts) {
  v1::ScoreLine line;
  line.set_item(item.id());
  line.set_title(item.title());
  line.set_weight(item.weight());
  line.set_measure(item.measure());
  int counted = 0;
  int met = 0;
  int64_t sum = 0;
  for (const v1::Fact& fact : facts) {
    if (std::find(item.fact_kinds().begin(), item.fact_kinds().end(),
                  fact.kind()) == item.fact_kinds().end()) {
      continue;
    }
    ++counted;
    met += fact.met() ? 1 : 0;
    sum += fact.value();
    auto* entry = line.add_facts();
    entry->set_fact_id(std::string(IdOf(fact.name())));
    entry->set_met(fact.met());
    entry->set_value(fact.value());
  }
  line.set_counted(counted);
  line.set_met(met);
  line.set_value_sum(sum);

  const int full = item.weight() * 100;
  std::string why;
  int earned = 0;
  if (counted == 0) {
    const int percent =
        item.has_without_facts_percent() ? item.without_facts_percent() : 100;
    earned = item.weight() * percent;
    why = absl::StrCat("no facts: ", percent, "% of ", FormatPoints(full));
  } else {
    line.set_mean_hundredths(FloorDivide(absl::int128(sum) * 100, counted));
    if (item.measure() == handbook::v1::MEAN_VALUE) {
      earned = Portion(
          full,
          absl::int128(sum) - absl::int128(item.value_at_zero()) * counted,
          (absl::int128(item.value_at_full()) - item.value_at_zero()) *
              counted);
      why = absl::StrCat("mean of ", counted, " values ",
                         FormatHundredths(line.mean_hundredths()), " between ",
                         item.value_at_zero(), " (nothing) and ",
                         item.value_at_full(), " (", FormatPoints(full), ")");
    } else {
      earned = Portion(full, met, counted);
      why = absl::StrCat(met, " of ", counted, " met, ", FormatPoints(full),
                         " for all");
    }
  }
  absl::StrAppend(&why, ": ", FormatPoints(earned));
  const int64_t wanted = int64_t{counted - met} * item.deduct_per_miss() * 100;
  const int deducted = static_cast<int>(std::min<int64_t>(wanted, earned));
  if (wanted > 0) {
    absl::StrAppend(&why, "; less ", counted - met, " times ",
                    FormatPoints(item.deduct_per_miss() * 100),
                    wanted > deducted ? ", down to nothing: " : ": ",
                    FormatPoints(earned - deducted));
  }
  line.set_earned(earned);
  line.set_deducted(deducted);
  line.set_points(earned - deducted);
  line.set_explanation(why);
  return line;
}

}  // namespace

std::vector<v1::Fact> CountedFacts(const RowReader& rows,
                                   absl::string_view staff,
                                   absl::string_view period) {
  const std::string prefix = absl::StrCat(staff, "|", period, "|");
  std::vector<std::string> names;
  rows.ScanIndex(kFactByPeriod, prefix, PrefixEnd(prefix),
                 [&](absl::string_view, absl::string_view id) {
                   names.emplace_back(id);
                   return true;
                 });
  std::vector<v1::Fact> facts;
  for (const std::string& name : names) {
    const v1::Fact* fact = rows.Find(kFacts, name);
    if (fact == nullptr || fact->state() != v1::Fact::ACTIVE || fact->late()) {
      continue;
    }
    facts.push_back(*fact);
  }
  return facts;
}

uint64_t FactsDigest(const std::vector<v1::Fact>& facts) {
  uint64_t digest = 0;
  for (const v1::Fact& fact : facts) digest += StableHash(fact.name());
  return digest;
}

v1::ScoreSheet ComputeSheet(const std::vector<v1::Fact>& facts,
                            const handbook::Policy& policy,
                            int adjustment_points) {
  v1::ScoreSheet sheet;
  for (const ScoreItem& item : policy.handbook().scoring().items()) {
    *sheet.add_lines() = ComputeLine(item, facts);
  }
  sheet.set_facts_counted(static_cast<int>(facts.size()));
  sheet.set_facts_digest(FactsDigest(facts));
  sheet.set_handbook_version(policy.version());
  SetTotals(sheet, policy, adjustment_points);
  return sheet;
}

void SetTotals(v1::ScoreSheet& sheet, const handbook::Policy& policy,
               int adjustment_points) {
  int computed = 0;
  for (const v1::ScoreLine& line : sheet.lines()) computed += line.points();
  const int points = std::clamp(computed + adjustment_points, 0, kFullPoints);
  sheet.set_computed_points(computed);
  sheet.set_adjustment_points(adjustment_points);
  sheet.set_points(points);
  sheet.clear_level();
  for (const auto& level : policy.handbook().scoring().levels()) {
    if (points >= level.min_points() * 100) {
      sheet.set_level(level.id());
      break;
    }
  }
}

std::string FormatPoints(int hundredths) {
  return FormatHundredths(hundredths);
}

}  // namespace aftercare::scoring
