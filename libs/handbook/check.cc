#include "libs/handbook/check.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "libs/base/names.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/calendar/calendar.h"

namespace aftercare::handbook {
namespace {

const std::vector<std::string>& KnownRoles() {
  static const auto* const roles = new std::vector<std::string>{
      "agent",     "supervisor", "dispatcher", "technician", "returns_clerk",
      "inspector", "finance",    "appraiser",  "importer",   "auditor"};
  return *roles;
}

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

class Checker {
 public:
  explicit Checker(const v1::Handbook& handbook) : h_(handbook) {}

  std::vector<Problem> Run() {
    Values(h_, "");
    Head();
    Calendars();
    Skills();
    People();
    Products();
    Intake();
    Dispatch();
    Returns();
    Scoring();
    return std::move(problems_);
  }

 private:
  void Add(std::string path, std::string text, std::string suggestion = "") {
    problems_.push_back(
        {std::move(path), std::move(text), std::move(suggestion), 0});
  }

  // What holds for every field of every message: texts are short and
  // printable, enum values are known.
  void Values(const google::protobuf::Message& message,
              const std::string& path) {
    using google::protobuf::FieldDescriptor;
    const auto* reflection = message.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    reflection->ListFields(message, &fields);
    for (const FieldDescriptor* field : fields) {
      const std::string name =
          path.empty() ? field->name() : absl::StrCat(path, ".", field->name());
      const int count =
          field->is_repeated() ? reflection->FieldSize(message, field) : 1;
      for (int i = 0; i < count; ++i) {
        const bool list = field->is_repeated();
        const std::string at = list ? absl::StrCat(name, "[", i, "]") : name;
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
          Values(list ? reflection->GetRepeatedMessage(message, field, i)
                      : reflection->GetMessage(message, field),
                 at);
        } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
          const std::string text =
              list ? reflection->GetRepeatedString(message, field, i)
                   : reflection->GetString(message, field);
          if (!CheckOptionalText(at, text, kMaxShortText).ok()) {
            Add(at, absl::StrCat("is longer than ", kMaxShortText,
                                 " bytes or holds a control character"));
          }
        } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
          const int value =
              list ? reflection->GetRepeatedEnumValue(message, field, i)
                   : reflection->GetEnumValue(message, field);
          if (field->enum_type()->FindValueByNumber(value) == nullptr) {
            Add(at, absl::StrCat(value, " is no known value"));
          }
        }
      }
    }
  }

  // Reports an empty, malformed or repeated id.
  void Id(const std::string& path, const std::string& id,
          std::set<std::string>& seen) {
    if (!IsResourceId(id)) {
      Add(path, "must be 1 to 63 lower-case letters, digits or hyphens");
    } else if (!seen.insert(id).second) {
      Add(path, absl::StrCat("'", id, "' appears twice"));
    }
  }

  // Whether `value` is allowed; reports it otherwise.
  bool OneOf(const std::string& path, const std::string& value,
             const std::vector<std::string>& allowed, const char* what) {
    if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) {
      return true;
    }
    Add(path, absl::StrCat("'", value, "' is no known ", what),
        DidYouMean(value, allowed));
    return false;
  }

  void CalendarRef(const std::string& path, const std::string& id) {
    if (id.empty()) return;
    OneOf(path, id, calendar_ids_, "calendar");
  }

  void Head() {
    if (!CheckName("company", "companies/*", h_.company()).ok()) {
      Add("company", "must have the form companies/<id>");
    }
    if (h_.version() < 1) Add("version", "must be 1 or more");
    if (!h_.has_effective_time() || !IsValid(h_.effective_time())) {
      Add("effective_time", "must say from when the version is in force");
    }
    absl::TimeZone zone;
    if (h_.time_zone().empty() || !absl::LoadTimeZone(h_.time_zone(), &zone)) {
      Add("time_zone",
          absl::StrCat("'", h_.time_zone(), "' is no IANA time zone"),
          DidYouMean(h_.time_zone(),
                     {"Asia/Shanghai", "Europe/Berlin", "Europe/London",
                      "America/New_York", "UTC"}));
    } else {
      zone_ = h_.time_zone();
    }
    static const auto* const currencies =
        new std::vector<std::string>(absl::StrSplit(kCurrencies, ' '));
    OneOf("currency_code", h_.currency_code(), *currencies,
          "ISO 4217 currency such as CNY");
  }

  void Calendars() {
    std::set<std::string> seen;
    for (int i = 0; i < h_.calendars_size(); ++i) {
      const auto& calendar = h_.calendars(i);
      const std::string path = absl::StrCat("calendars[", i, "]");
      Id(path + ".id", calendar.id(), seen);
      calendar_ids_.push_back(calendar.id());
      const size_t before = problems_.size();
      CalendarParts(path, calendar);
      if (problems_.size() > before) continue;
      const absl::Status whole = Compiles(calendar);
      if (!whole.ok()) Add(path, std::string(whole.message()));
    }
  }

  absl::Status Compiles(const v1::Calendar& calendar) const {
    return calendar::Calendar::Compile(calendar, zone_).status();
  }

  // Tries each part alone, so that a fault is reported where it is written.
  void CalendarParts(const std::string& path, const v1::Calendar& calendar) {
    v1::Calendar part;
    part.set_always_open(true);
    part.set_time_zone(calendar.time_zone());
    if (const absl::Status zone = Compiles(part); !zone.ok()) {
      Add(path + ".time_zone", std::string(zone.message()));
      return;
    }
    part.set_always_open(false);
    for (int i = 0; i < calendar.shifts_size(); ++i) {
      part.clear_shifts();
      *part.add_shifts() = calendar.shifts(i);
      const absl::Status status = Compiles(part);
      if (status.ok()) continue;
      Add(absl::StrCat(path, ".shifts[", i, "]"),
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
      const absl::Status status = Compiles(part);
      if (status.ok()) continue;
      Add(absl::StrCat(path, ".holidays[", i, "]"),
          std::string(status.message()));
    }
    part.clear_holidays();
    for (int i = 0; i < calendar.makeup_days_size(); ++i) {
      part.clear_makeup_days();
      part.add_makeup_days(calendar.makeup_days(i));
      const absl::Status status = Compiles(part);
      if (status.ok()) continue;
      Add(absl::StrCat(path, ".makeup_days[", i, "]"),
          std::string(status.message()));
    }
  }

  void Skills() {
    std::set<std::string> seen;
    for (int i = 0; i < h_.dispatch().skills_size(); ++i) {
      const std::string& id = h_.dispatch().skills(i).id();
      Id(absl::StrCat("dispatch.skills[", i, "].id"), id, seen);
      skill_ids_.push_back(id);
    }
  }

  void People() {
    std::set<std::string> seen;
    std::set<std::string> staff;
    for (int i = 0; i < h_.people_size(); ++i) {
      const auto& person = h_.people(i);
      const std::string path = absl::StrCat("people[", i, "]");
      Id(path + ".id", person.id(), seen);
      if (person.id() == "system") {
        Add(path + ".id", "'system' is reserved for Aftercare's own actions");
      }
      if (person.roles().empty()) Add(path + ".roles", "names no role");
      std::set<std::string> roles;
      for (int r = 0; r < person.roles_size(); ++r) {
        OneOf(absl::StrCat(path, ".roles[", r, "]"), person.roles(r),
              KnownRoles(), "role");
        held_roles_.insert(person.roles(r));
        if (!roles.insert(person.roles(r)).second) {
          Add(absl::StrCat(path, ".roles[", r, "]"),
              absl::StrCat("'", person.roles(r), "' appears twice"));
        }
      }
      if (!person.staff_id().empty()) {
        Id(path + ".staff_id", person.staff_id(), staff);
      }
    }
    if (h_.people().empty()) Add("people", "nobody may act");
  }

  void Products() {
    std::set<std::string> seen;
    for (int i = 0; i < h_.product_lines_size(); ++i) {
      const auto& line = h_.product_lines(i);
      const std::string path = absl::StrCat("product_lines[", i, "]");
      Id(path + ".id", line.id(), seen);
      for (int s = 0; s < line.required_skills_size(); ++s) {
        OneOf(absl::StrCat(path, ".required_skills[", s, "]"),
              line.required_skills(s), skill_ids_, "skill");
      }
      if (line.warranty_months() < 0 || line.warranty_months() > 1200) {
        Add(path + ".warranty_months", "must be 0 to 1200");
      }
    }
  }

  void Clocks(const std::string& path,
              const google::protobuf::RepeatedPtrField<v1::ClockTarget>& clocks,
              const std::vector<std::string>& kinds,
              const std::vector<std::string>& required) {
    std::set<std::string> unconditional;
    for (int i = 0; i < clocks.size(); ++i) {
      const auto& clock = clocks[i];
      const std::string at = absl::StrCat(path, "[", i, "]");
      OneOf(at + ".kind", clock.kind(), kinds, "clock");
      if (!clock.has_target() || !InRange(clock.target())) {
        Add(at + ".target", "must be more than nothing and at most ten years");
      }
      CalendarRef(at + ".calendar", clock.calendar());
      for (int k = 0; k < clock.case_kinds_size(); ++k) {
        OneOf(absl::StrCat(at, ".case_kinds[", k, "]"), clock.case_kinds(k),
              {"inquiry", "complaint", "repair"}, "kind of case");
      }
      for (int p = 0; p < clock.priorities_size(); ++p) {
        OneOf(absl::StrCat(at, ".priorities[", p, "]"), clock.priorities(p),
              {"low", "normal", "high", "urgent"}, "priority");
      }
      if (unconditional.contains(clock.kind())) {
        Add(at, absl::StrCat("is never reached: an earlier ", clock.kind(),
                             " target has no conditions"));
      }
      if (clock.case_kinds().empty() && clock.priorities().empty()) {
        unconditional.insert(clock.kind());
      }
    }
    for (const std::string& kind : required) {
      if (!unconditional.contains(kind)) {
        Add(path, absl::StrCat("has no ", kind,
                               " target that holds for every case (GEN-30)"));
      }
    }
  }

  // More than nothing, at most ten years.
  static bool InRange(const google::protobuf::Duration& duration) {
    return IsValid(duration) && FromProto(duration) > absl::ZeroDuration() &&
           FromProto(duration) <= absl::Hours(24 * 3660);
  }

  void SpanSet(const std::string& path, const v1::Span& span,
               bool calendar_known) {
    const int set = (span.has_time() ? 1 : 0) +
                    (span.working_days() != 0 ? 1 : 0) +
                    (span.days() != 0 ? 1 : 0) + (span.months() != 0 ? 1 : 0);
    if (set != 1) {
      Add(path, "must set exactly one of time, working_days, days, months");
    } else if (span.working_days() < 0 || span.working_days() > 3650 ||
               span.days() < 0 || span.days() > 3650 || span.months() < 0 ||
               span.months() > 1200 ||
               (span.has_time() && !InRange(span.time()))) {
      Add(path, "is out of range");
    } else if (span.working_days() > 0 && !calendar_known) {
      Add(path, "counts working days without a calendar");
    }
  }

  void Grace(const std::string& path, const google::protobuf::Duration& grace) {
    if (!IsValid(grace) || FromProto(grace) < absl::ZeroDuration() ||
        FromProto(grace) > absl::Hours(24 * 31)) {
      Add(path, "must be between nothing and 31 days");
    }
  }

  void Intake() {
    if (!h_.has_intake()) {
      Add("intake", "the section is missing");
      return;
    }
    const auto& intake = h_.intake();
    if (intake.channels().empty()) Add("intake.channels", "names no channel");
    std::set<std::string> channels;
    for (int i = 0; i < intake.channels_size(); ++i) {
      if (intake.channels(i).empty() ||
          !channels.insert(intake.channels(i)).second) {
        Add(absl::StrCat("intake.channels[", i, "]"), "is empty or repeated");
      }
    }
    Clocks("intake.clocks", intake.clocks(), {"first_response", "resolution"},
           {"first_response", "resolution"});
    if (intake.has_reopen_window()) {
      SpanSet("intake.reopen_window", intake.reopen_window(), false);
    }
    if (intake.has_follow_up_after()) {
      SpanSet("intake.follow_up_after", intake.follow_up_after(), false);
    }
    if (intake.dissatisfied_at() < 1 || intake.dissatisfied_at() > 4) {
      Add("intake.dissatisfied_at", "must be 1 to 4 stars");
    }
    Grace("intake.late_report_grace", intake.late_report_grace());
  }

  void Dispatch() {
    if (!h_.has_dispatch()) {
      Add("dispatch", "the section is missing");
      return;
    }
    const auto& dispatch = h_.dispatch();
    std::set<std::string> ids;
    std::set<std::string> regions;
    if (dispatch.territories().empty()) {
      Add("dispatch.territories", "names no territory");
    }
    for (int i = 0; i < dispatch.territories_size(); ++i) {
      const auto& territory = dispatch.territories(i);
      const std::string path = absl::StrCat("dispatch.territories[", i, "]");
      Id(path + ".id", territory.id(), ids);
      if (territory.regions().empty()) {
        Add(path + ".regions", "names no region");
      }
      for (int r = 0; r < territory.regions_size(); ++r) {
        if (territory.regions(r).empty()) {
          Add(absl::StrCat(path, ".regions[", r, "]"), "is empty");
        } else if (!regions.insert(territory.regions(r)).second) {
          Add(absl::StrCat(path, ".regions[", r, "]"),
              absl::StrCat("'", territory.regions(r),
                           "' is served by two territories"));
        }
      }
      if (territory.calendar().empty()) {
        Add(path + ".calendar", "is missing");
      } else {
        CalendarRef(path + ".calendar", territory.calendar());
      }
    }
    Clocks("dispatch.clocks", dispatch.clocks(), {"on_site", "repair"},
           {"on_site", "repair"});
    if (FromProto(dispatch.visit_duration()) < absl::Minutes(5) ||
        FromProto(dispatch.visit_duration()) > absl::Hours(24)) {
      Add("dispatch.visit_duration", "must be 5 minutes to 24 hours");
    }
    SpanSet("dispatch.booking_horizon", dispatch.booking_horizon(), true);
    Grace("dispatch.late_report_grace", dispatch.late_report_grace());
  }

  void Returns() {
    if (!h_.has_returns()) {
      Add("returns", "the section is missing");
      return;
    }
    const auto& returns = h_.returns();
    CalendarRef("returns.calendar", returns.calendar());
    SpanSet("returns.window", returns.window(), !returns.calendar().empty());
    if (returns.window_start() == v1::WINDOW_START_UNSPECIFIED) {
      Add("returns.window_start", "must be delivery or order");
    }
    if (returns.reasons().empty()) Add("returns.reasons", "names no reason");
    std::set<std::string> ids;
    for (int i = 0; i < returns.reasons_size(); ++i) {
      const auto& reason = returns.reasons(i);
      const std::string path = absl::StrCat("returns.reasons[", i, "]");
      if (reason.id().empty() || !ids.insert(reason.id()).second) {
        Add(path + ".id", "is empty or repeated");
      }
      if (reason.approvals().empty()) {
        Add(path + ".approvals", "names no role: nobody could approve");
      }
      for (int a = 0; a < reason.approvals_size(); ++a) {
        const std::string at = absl::StrCat(path, ".approvals[", a, "]");
        if (OneOf(at, reason.approvals(a), KnownRoles(), "role") &&
            !held_roles_.contains(reason.approvals(a))) {
          Add(at, absl::StrCat("nobody has the role ", reason.approvals(a)));
        }
      }
    }
    Clocks("returns.clocks", returns.clocks(), {"processing"}, {"processing"});
    Grace("returns.late_report_grace", returns.late_report_grace());
  }

  void Scoring() {
    if (!h_.has_scoring()) {
      Add("scoring", "the section is missing");
      return;
    }
    const auto& scoring = h_.scoring();
    std::set<std::string> ids;
    int64_t sum = 0;
    for (int i = 0; i < scoring.items_size(); ++i) {
      const auto& item = scoring.items(i);
      const std::string path = absl::StrCat("scoring.items[", i, "]");
      if (item.id().empty() || !ids.insert(item.id()).second) {
        Add(path + ".id", "is empty or repeated");
      }
      if (item.fact_kinds().empty()) Add(path + ".fact_kinds", "is empty");
      for (int f = 0; f < item.fact_kinds_size(); ++f) {
        OneOf(absl::StrCat(path, ".fact_kinds[", f, "]"), item.fact_kinds(f),
              KnownFacts(), "kind of fact");
      }
      if (item.weight() < 0 || item.weight() > 100) {
        Add(path + ".weight", "must be 0 to 100 points");
      }
      sum += item.weight();
      if (item.measure() == v1::MEASURE_UNSPECIFIED) {
        Add(path + ".measure", "must be share_met or mean_value");
      }
      if (item.measure() == v1::MEAN_VALUE &&
          item.value_at_zero() == item.value_at_full()) {
        Add(path + ".value_at_full", "must differ from value_at_zero");
      }
      if (item.measure() == v1::SHARE_MET &&
          (item.value_at_zero() != 0 || item.value_at_full() != 0)) {
        Add(path + ".measure",
            "share_met goes with no value_at_zero or value_at_full");
      }
      if (item.without_facts_percent() < 0 ||
          item.without_facts_percent() > 100) {
        Add(path + ".without_facts_percent", "must be 0 to 100");
      }
      if (item.deduct_per_miss() < 0 || item.deduct_per_miss() > 100) {
        Add(path + ".deduct_per_miss", "must be 0 to 100 points");
      }
    }
    if (sum != 100) {
      Add("scoring.items",
          absl::StrCat("the weights sum to ", sum, ", not to 100 (SCO-23)"));
    }
    std::set<std::string> levels;
    if (scoring.levels().empty()) Add("scoring.levels", "names no level");
    for (int i = 0; i < scoring.levels_size(); ++i) {
      const std::string path = absl::StrCat("scoring.levels[", i, "]");
      if (scoring.levels(i).id().empty() ||
          !levels.insert(scoring.levels(i).id()).second) {
        Add(path + ".id", "is empty or repeated");
      }
      if (scoring.levels(i).min_points() < 0 ||
          scoring.levels(i).min_points() > 100) {
        Add(path + ".min_points", "must be 0 to 100");
      }
      if (i > 0 && scoring.levels(i).min_points() >=
                       scoring.levels(i - 1).min_points()) {
        Add(path + ".min_points", "levels must descend");
      }
      if (i + 1 == scoring.levels_size() &&
          scoring.levels(i).min_points() != 0) {
        Add(path + ".min_points", "the last level must begin at 0");
      }
    }
  }

  const v1::Handbook& h_;
  // The handbook's zone; while it is wrong, calendars are checked in UTC.
  std::string zone_ = "UTC";
  std::vector<std::string> calendar_ids_;
  std::vector<std::string> skill_ids_;
  std::set<std::string> held_roles_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> Check(const v1::Handbook& handbook) {
  return Checker(handbook).Run();
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
