#include "services/scoring/domain/period.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/time/civil_time.h"
#include "libs/base/refusal.h"

namespace aftercare::scoring {

absl::StatusOr<Period> ParsePeriod(absl::string_view field,
                                   absl::string_view id, absl::TimeZone zone) {
  const auto bad = [&] {
    return InvalidField(field, "must be a month such as 2026-03");
  };
  if (id.size() != 7 || id[4] != '-') return bad();
  for (size_t i : {0, 1, 2, 3, 5, 6}) {
    if (!absl::ascii_isdigit(id[i])) return bad();
  }
  int year = 0;
  int month = 0;
  if (!absl::SimpleAtoi(id.substr(0, 4), &year) ||
      !absl::SimpleAtoi(id.substr(5), &month) || year < 1970 || year > 2199 ||
      month < 1 || month > 12) {
    return bad();
  }
  const absl::CivilMonth civil(year, month);
  return Period{std::string(id), absl::FromCivil(civil, zone),
                absl::FromCivil(civil + 1, zone)};
}

std::string PeriodOf(absl::Time time, absl::TimeZone zone) {
  const absl::CivilMonth month(absl::ToCivilSecond(time, zone));
  return absl::StrFormat("%04d-%02d", month.year(), month.month());
}

}  // namespace aftercare::scoring
