// -----------------------------------------------------------------------------
// File: sheet.h
// -----------------------------------------------------------------------------
//
// From a month's facts to a score. Points are hundredths and integers only, so
// a level is reached or missed exactly (C-21, KPI-27):
//
//   share_met    floor(100 * weight * met / counted)
//   mean_value   the same with the mean's place between value_at_zero (nothing)
//                and value_at_full (all), kept within both ends
//   no facts     without_facts_percent of the weight; no verdict is invented
//   deductions   deduct_per_miss for each fact not met, never more than the
//                item earned (SCO-29)
//   total        lines plus adjustments, kept within 0 and 100 points
//
// Rounding is always down, once per item. Pure and thread-safe.

#ifndef AFTERCARE_SERVICES_SCORING_DOMAIN_SHEET_H_
#define AFTERCARE_SERVICES_SCORING_DOMAIN_SHEET_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "aftercare/scoring/v1/resources.pb.h"
#include "libs/base/rows.h"
#include "libs/handbook/policy.h"

namespace aftercare::scoring {

// 100 points.
inline constexpr int kFullPoints = 10000;

// The facts of one member of staff and month that count: neither withdrawn nor
// late. By time, then id.
std::vector<v1::Fact> CountedFacts(const RowReader& rows,
                                   absl::string_view staff,
                                   absl::string_view period);

// Stands for a set of facts, in whatever order.
uint64_t FactsDigest(const std::vector<v1::Fact>& facts);

v1::ScoreSheet ComputeSheet(const std::vector<v1::Fact>& facts,
                            const handbook::Policy& policy,
                            int adjustment_points);

// Sets the sheet's totals and its level from its lines and `adjustment_points`.
void SetTotals(v1::ScoreSheet& sheet, const handbook::Policy& policy,
               int adjustment_points);

// "22.50".
std::string FormatPoints(int hundredths);

}  // namespace aftercare::scoring

#endif  // AFTERCARE_SERVICES_SCORING_DOMAIN_SHEET_H_
