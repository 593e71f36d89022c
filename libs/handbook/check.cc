#include "libs/handbook/check.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "libs/base/names.h"
#include "libs/base/time.h"
#include "libs/calendar/calendar.h"
#include "libs/handbook/checker.h"

namespace aftercare::handbook {
namespace {

const std::vector<std::string>& KnownFacts() {
  static const auto* const facts = new std::vector<std::string>{
      "first_response", "resolution",      "satisfaction",      "on_site",
      "repair",         "first_visit_fix", "return_processing", "inspection"};
  return *facts;
}

// ISO 4217, without the codes for tests and for no currency.
constexpr absl::string_view kCurrencies =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF "
    "BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF "
    "CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB "
    "EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF "
    "IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD "
    "KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU "
    "MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN "
    "PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD "
    "SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY "
    "TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST "
    "XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XUA YER "
    "ZAR ZMW ZWL";

size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1,
                         diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

void CheckHead(Checker& check) {
  const v1::Handbook& h = check.handbook();
  if (!CheckName("company", "companies/*", h.company()).ok()) {
    check.Add("company", "must have the form companies/<id>");
  }
  if (h.version() < 1) check.Add("version", "must be 1 or more");
  if (!h.has_effective_time() || !IsValid(h.effective_time())) {
    check.Add("effective_time", "must say from when the version is in force");
  }
  absl::TimeZone zone;
  if (h.time_zone().empty() || !absl::LoadTimeZone(h.time_zone(), &zone)) {
    check.Add("time_zone",
              absl::StrCat("'", h.time_zone(), "' is no IANA time zone"),
              DidYouMean(h.time_zone(),
                         {"Asia/Shanghai", "Europe/Berlin", "Europe/London",
                          "America/New_York", "UTC"}));
  }
  static const auto* const currencies =
      new std::vector<std::string>(absl::StrSplit(kCurrencies, ' '));
  check.OneOf("currency_code", h.currency_code(), *currencies,
              "ISO 4217 currency such as CNY");
}

absl::Status Compiles(const Checker& check, const v1::Calendar& calendar) {
  return calendar::Calendar::Compile(calendar, check.zone()).status();
}

// Tries each part alone, so that a fault is reported where it is written.
void CheckCalendarParts(Checker& check, const std::string& path,
                        const v1::Calendar& calendar) {
  v1::Calendar part;
  part.set_always_open(true);
  part.set_time_zone(calendar.time_zone());
  if (const absl::Status zone = Compiles(check, part); !zone.ok()) {
    check.Add(path + ".time_zone", std::string(zone.message()));
    return;
  }
  part.set_always_open(false);
  for (int i = 0; i < calendar.shifts_size(); ++i) {
    part.clear_shifts();
    *part.add_shifts() = calendar.shifts(i);
    const absl::Status status = Compiles(check, part);
    if (status.ok()) continue;
    check.Add(absl::StrCat(path, ".shifts[", i, "]"),
              std::string(status.message()));
  }
  part.clear_shifts();
  v1::Shift& shift = *part.add_shifts();
  shift.add_days(v1::MONDAY);
  shift.set_open("09:00");
  shift.set_close("17:00");
  for (int i = 0; i < calendar.holidays_size(); ++i) {
    part.clear_holidays();
    part.add_holidays(calendar.holidays(i));
    const absl::Status status = Compiles(check, part);
    if (status.ok()) continue;
    check.Add(absl::StrCat(path, ".holidays[", i, "]"),
              std::string(status.message()));
  }
  part.clear_holidays();
  for (int i = 0; i < calendar.makeup_days_size(); ++i) {
    part.clear_makeup_days();
    part.add_makeup_days(calendar.makeup_days(i));
    const absl::Status status = Compiles(check, part);
    if (status.ok()) continue;
    check.Add(absl::StrCat(path, ".makeup_days[", i, "]"),
              std::string(status.message()));
  }
}

void CheckCalendars(Checker& check) {
  const v1::Handbook& h = check.handbook();
  std::set<std::string> seen;
  for (int i = 0; i < h.calendars_size(); ++i) {
    const auto& calendar = h.calendars(i);
    const std::string path = absl::StrCat("calendars[", i, "]");
    check.Id(path + ".id", calendar.id(), seen);
    const size_t before = check.problem_count();
    CheckCalendarParts(check, path, calendar);
    if (check.problem_count() > before) continue;
    const absl::Status whole = Compiles(check, calendar);
    if (!whole.ok()) check.Add(path, std::string(whole.message()));
  }
}

void CheckSkills(Checker& check) {
  const v1::Handbook& h = check.handbook();
  std::set<std::string> seen;
  for (int i = 0; i < h.dispatch().skills_size(); ++i) {
    const std::string& id = h.dispatch().skills(i).id();
    check.Id(absl::StrCat("dispatch.skills[", i, "].id"), id, seen);
  }
}

void CheckPeople(Checker& check) {
  const v1::Handbook& h = check.handbook();
  std::set<std::string> seen;
  std::set<std::string> staff;
  for (int i = 0; i < h.people_size(); ++i) {
    const auto& person = h.people(i);
    const std::string path = absl::StrCat("people[", i, "]");
    check.Id(path + ".id", person.id(), seen);
    if (person.id() == "system") {
      check.Add(path + ".id",
                "'system' is reserved for Aftercare's own actions");
    }
    if (person.roles().empty()) check.Add(path + ".roles", "names no role");
    std::set<std::string> roles;
    for (int r = 0; r < person.roles_size(); ++r) {
      check.OneOf(absl::StrCat(path, ".roles[", r, "]"), person.roles(r),
                  check.known_roles(), "role");
      if (!roles.insert(person.roles(r)).second) {
        check.Add(absl::StrCat(path, ".roles[", r, "]"),
                  absl::StrCat("'", person.roles(r), "' appears twice"));
      }
    }
    if (!person.staff_id().empty()) {
      check.Id(path + ".staff_id", person.staff_id(), staff);
    }
  }
  if (h.people().empty()) check.Add("people", "nobody may act");
}

void CheckProducts(Checker& check) {
  const v1::Handbook& h = check.handbook();
  std::set<std::string> seen;
  for (int i = 0; i < h.product_lines_size(); ++i) {
    const auto& line = h.product_lines(i);
    const std::string path = absl::StrCat("product_lines[", i, "]");
    check.Id(path + ".id", line.id(), seen);
    for (int s = 0; s < line.required_skills_size(); ++s) {
      check.OneOf(absl::StrCat(path, ".required_skills[", s, "]"),
                  line.required_skills(s), check.skill_ids(), "skill");
    }
    if (line.warranty_months() < 0 || line.warranty_months() > 1200) {
      check.Add(path + ".warranty_months", "must be 0 to 1200");
    }
  }
}

void CheckDispatch(Checker& check) {
  const v1::Handbook& h = check.handbook();
  if (!h.has_dispatch()) {
    check.Add("dispatch", "the section is missing");
    return;
  }
  const auto& dispatch = h.dispatch();
  std::set<std::string> ids;
  std::set<std::string> regions;
  if (dispatch.territories().empty()) {
    check.Add("dispatch.territories", "names no territory");
  }
  for (int i = 0; i < dispatch.territories_size(); ++i) {
    const auto& territory = dispatch.territories(i);
    const std::string path = absl::StrCat("dispatch.territories[", i, "]");
    check.Id(path + ".id", territory.id(), ids);
    if (territory.regions().empty()) {
      check.Add(path + ".regions", "names no region");
    }
    for (int r = 0; r < territory.regions_size(); ++r) {
      if (territory.regions(r).empty()) {
        check.Add(absl::StrCat(path, ".regions[", r, "]"), "is empty");
      } else if (!regions.insert(territory.regions(r)).second) {
        check.Add(absl::StrCat(path, ".regions[", r, "]"),
                  absl::StrCat("'", territory.regions(r),
                               "' is served by two territories"));
      }
    }
    if (territory.calendar().empty()) {
      check.Add(path + ".calendar", "is missing");
    } else {
      check.CalendarRef(path + ".calendar", territory.calendar());
    }
  }
  check.Clocks("dispatch.clocks", dispatch.clocks(), {"on_site", "repair"},
               {"on_site", "repair"});
  if (FromProto(dispatch.visit_duration()) < absl::Minutes(5) ||
      FromProto(dispatch.visit_duration()) > absl::Hours(24)) {
    check.Add("dispatch.visit_duration", "must be 5 minutes to 24 hours");
  }
  check.SpanSet("dispatch.booking_horizon", dispatch.booking_horizon(), true);
  check.Grace("dispatch.late_report_grace", dispatch.late_report_grace());
}

void CheckReturns(Checker& check) {
  const v1::Handbook& h = check.handbook();
  if (!h.has_returns()) {
    check.Add("returns", "the section is missing");
    return;
  }
  const auto& returns = h.returns();
  check.CalendarRef("returns.calendar", returns.calendar());
  check.SpanSet("returns.window", returns.window(),
                !returns.calendar().empty());
  if (returns.window_start() == v1::WINDOW_START_UNSPECIFIED) {
    check.Add("returns.window_start", "must be delivery or order");
  }
  if (returns.reasons().empty()) {
    check.Add("returns.reasons", "names no reason");
  }
  std::set<std::string> ids;
  for (int i = 0; i < returns.reasons_size(); ++i) {
    const auto& reason = returns.reasons(i);
    const std::string path = absl::StrCat("returns.reasons[", i, "]");
    if (reason.id().empty() || !ids.insert(reason.id()).second) {
      check.Add(path + ".id", "is empty or repeated");
    }
    if (reason.approvals().empty()) {
      check.Add(path + ".approvals", "names no role: nobody could approve");
    }
    for (int a = 0; a < reason.approvals_size(); ++a) {
      const std::string at = absl::StrCat(path, ".approvals[", a, "]");
      if (check.OneOf(at, reason.approvals(a), check.known_roles(), "role") &&
          !check.held_roles().contains(reason.approvals(a))) {
        check.Add(at,
                  absl::StrCat("nobody has the role ", reason.approvals(a)));
      }
    }
  }
  check.Clocks("returns.clocks", returns.clocks(), {"processing"},
               {"processing"});
  check.Grace("returns.late_report_grace", returns.late_report_grace());
}

void CheckScoring(Checker& check) {
  const v1::Handbook& h = check.handbook();
  if (!h.has_scoring()) {
    check.Add("scoring", "the section is missing");
    return;
  }
  const auto& scoring = h.scoring();
  std::set<std::string> ids;
  int64_t sum = 0;
  for (int i = 0; i < scoring.items_size(); ++i) {
    const auto& item = scoring.items(i);
    const std::string path = absl::StrCat("scoring.items[", i, "]");
    if (item.id().empty() || !ids.insert(item.id()).second) {
      check.Add(path + ".id", "is empty or repeated");
    }
    if (item.fact_kinds().empty()) check.Add(path + ".fact_kinds", "is empty");
    for (int f = 0; f < item.fact_kinds_size(); ++f) {
      check.OneOf(absl::StrCat(path, ".fact_kinds[", f, "]"),
                  item.fact_kinds(f), KnownFacts(), "kind of fact");
    }
    if (item.weight() < 0 || item.weight() > 100) {
      check.Add(path + ".weight", "must be 0 to 100 points");
    }
    sum += item.weight();
    if (item.measure() == v1::MEASURE_UNSPECIFIED) {
      check.Add(path + ".measure", "must be share_met or mean_value");
    }
    if (item.measure() == v1::MEAN_VALUE &&
        item.value_at_zero() == item.value_at_full()) {
      check.Add(path + ".value_at_full", "must differ from value_at_zero");
    }
    if (item.measure() == v1::SHARE_MET &&
        (item.value_at_zero() != 0 || item.value_at_full() != 0)) {
      check.Add(path + ".measure",
                "share_met goes with no value_at_zero or value_at_full");
    }
    if (item.without_facts_percent() < 0 ||
        item.without_facts_percent() > 100) {
      check.Add(path + ".without_facts_percent", "must be 0 to 100");
    }
    if (item.deduct_per_miss() < 0 || item.deduct_per_miss() > 100) {
      check.Add(path + ".deduct_per_miss", "must be 0 to 100 points");
    }
  }
  if (sum != 100) {
    check.Add("scoring.items", absl::StrCat("the weights sum to ", sum,
                                            ", not to 100 (SCO-23)"));
  }
  std::set<std::string> levels;
  if (scoring.levels().empty()) check.Add("scoring.levels", "names no level");
  for (int i = 0; i < scoring.levels_size(); ++i) {
    const std::string path = absl::StrCat("scoring.levels[", i, "]");
    if (scoring.levels(i).id().empty() ||
        !levels.insert(scoring.levels(i).id()).second) {
      check.Add(path + ".id", "is empty or repeated");
    }
    if (scoring.levels(i).min_points() < 0 ||
        scoring.levels(i).min_points() > 100) {
      check.Add(path + ".min_points", "must be 0 to 100");
    }
    if (i > 0 &&
        scoring.levels(i).min_points() >= scoring.levels(i - 1).min_points()) {
      check.Add(path + ".min_points", "levels must descend");
    }
    if (i + 1 == scoring.levels_size() && scoring.levels(i).min_points() != 0) {
      check.Add(path + ".min_points", "the last level must begin at 0");
    }
  }
}

}  // namespace

std::vector<Problem> Check(const v1::Handbook& handbook) {
  Checker check(handbook);
  check.Values(handbook, "");
  CheckHead(check);
  CheckCalendars(check);
  CheckSkills(check);
  CheckPeople(check);
  CheckProducts(check);
  CheckForms(check);
  CheckDepartments(check);
  CheckIntake(check);
  CheckCases(check);
  CheckDispatch(check);
  CheckReturns(check);
  CheckScoring(check);
  return check.TakeProblems();
}

std::string DidYouMean(const std::string& word,
                       const std::vector<std::string>& candidates) {
  std::string best;
  size_t best_distance = 3;
  if (word.size() > 100) return best;
  const size_t count = std::min<size_t>(candidates.size(), 1000);
  for (size_t i = 0; i < count; ++i) {
    const std::string& candidate = candidates[i];
    if (candidate.size() > word.size() + 2 ||
        word.size() > candidate.size() + 2) {
      continue;
    }
    const size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string FormatProblem(const Problem& problem) {
  std::string text = absl::StrCat(problem.path, ": ", problem.text);
  if (!problem.suggestion.empty()) {
    absl::StrAppend(&text, " (did you mean '", problem.suggestion, "'?)");
  }
  return text;
}

}  // namespace aftercare::handbook
