#include "libs/calendar/calendar.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"

namespace aftercare::calendar {
namespace {

constexpr int kMaxDays = 3660;  // ten years
constexpr int kMinutesOfDay = 24 * 60;

// 0 is Monday.
int WeekdayIndex(absl::CivilDay day) {
  switch (absl::GetWeekday(day)) {
    case absl::Weekday::monday:
      return 0;
    case absl::Weekday::tuesday:
      return 1;
    case absl::Weekday::wednesday:
      return 2;
    case absl::Weekday::thursday:
      return 3;
    case absl::Weekday::friday:
      return 4;
    case absl::Weekday::saturday:
      return 5;
    case absl::Weekday::sunday:
      return 6;
  }
  return 0;
}

absl::StatusOr<int> ParseMinute(absl::string_view text) {
  int hour = 0;
  int minute = 0;
  if (text.size() == 5 && text[2] == ':' && absl::ascii_isdigit(text[0]) &&
      absl::ascii_isdigit(text[1]) && absl::ascii_isdigit(text[3]) &&
      absl::ascii_isdigit(text[4])) {
    hour = (text[0] - '0') * 10 + (text[1] - '0');
    minute = (text[3] - '0') * 10 + (text[4] - '0');
    if (minute < 60 && (hour < 24 || (hour == 24 && minute == 0))) {
      return hour * 60 + minute;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no time of day like 08:30"));
}

absl::StatusOr<absl::CivilDay> ParseDay(absl::string_view text) {
  absl::CivilDay day;
  if (text.size() == 10 && absl::ParseCivilTime(text, &day) &&
      day.year() >= 1970 && day.year() < 2200) {
    return day;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no day like 2026-10-01"));
}

absl::TimeZone::TimeInfo LocalTime(absl::TimeZone zone, absl::CivilDay day,
                                   int minute) {
  return zone.At(absl::CivilSecond(day) + int64_t{minute} * 60);
}

}  // namespace

absl::StatusOr<Calendar> Calendar::Compile(const handbook::v1::Calendar& proto,
                                           absl::string_view default_zone) {
  Calendar calendar;
  const std::string zone =
      proto.time_zone().empty() ? std::string(default_zone) : proto.time_zone();
  if (!absl::LoadTimeZone(zone, &calendar.zone_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("time zone '", zone, "' is not known"));
  }
  calendar.always_open_ = proto.always_open();
  if (calendar.always_open_) {
    if (!proto.shifts().empty() || !proto.holidays().empty() ||
        !proto.makeup_days().empty()) {
      return absl::InvalidArgumentError(
          "always_open goes with no shifts, holidays or makeup_days");
    }
    return calendar;
  }
  for (const auto& shift : proto.shifts()) {
    ASSIGN_OR_RETURN(const int open, ParseMinute(shift.open()));
    ASSIGN_OR_RETURN(int close, ParseMinute(shift.close()));
    // CASE-02: 00:00 to 23:59 is meant as the whole day.
    if (open == 0 && close == kMinutesOfDay - 1) close = kMinutesOfDay;
    if (open >= close) {
      return absl::InvalidArgumentError(
          absl::StrCat("the shift ", shift.open(), "-", shift.close(),
                       " does not end after it begins"));
    }
    if (shift.days().empty()) {
      return absl::InvalidArgumentError("a shift names no days");
    }
    for (int day : shift.days()) {
      if (day < handbook::v1::MONDAY || day > handbook::v1::SUNDAY) {
        return absl::InvalidArgumentError("a shift names an unknown weekday");
      }
      calendar.week_[day - 1].push_back({open, close});
    }
  }
  bool opens = false;
  for (auto& day : calendar.week_) {
    std::sort(day.begin(), day.end(), [](const Stretch& a, const Stretch& b) {
      return a.open_minute < b.open_minute;
    });
    opens |= !day.empty();
    for (size_t i = 1; i < day.size(); ++i) {
      if (day[i].open_minute < day[i - 1].close_minute) {
        return absl::InvalidArgumentError("two shifts of a weekday overlap");
      }
    }
  }
  if (!opens) return absl::InvalidArgumentError("the calendar never opens");
  for (const std::string& text : proto.holidays()) {
    ASSIGN_OR_RETURN(const absl::CivilDay day, ParseDay(text));
    calendar.holidays_.insert(day);
  }
  const int makeup_as = proto.makeup_as() == 0 ? 0 : proto.makeup_as() - 1;
  if (makeup_as < 0 || makeup_as > 6) {
    return absl::InvalidArgumentError("makeup_as is no weekday");
  }
  calendar.makeup_hours_ = calendar.week_[makeup_as];
  for (const std::string& text : proto.makeup_days()) {
    ASSIGN_OR_RETURN(const absl::CivilDay day, ParseDay(text));
    if (calendar.holidays_.contains(day)) {
      return absl::InvalidArgumentError(
          absl::StrCat(text, " is both a holiday and a make-up day"));
    }
    calendar.makeup_days_.insert(day);
  }
  if (!calendar.makeup_days_.empty() && calendar.makeup_hours_.empty()) {
    return absl::InvalidArgumentError(
        "make-up days take the hours of a weekday that is closed");
  }
  return calendar;
}

const std::vector<Calendar::Stretch>& Calendar::HoursOf(
    absl::CivilDay day) const {
  static const std::vector<Stretch>* const kClosed = new std::vector<Stretch>;
  if (makeup_days_.contains(day)) return makeup_hours_;
  if (holidays_.contains(day)) return *kClosed;
  return week_[WeekdayIndex(day)];
}

// A local time that daylight saving skips is the moment of the jump. One that
// comes twice is the first for openings and the second for closings, so that a
// stretch holds all of the time between; where two stretches meet at such a
// time they overlap, and the walks below count the overlap once.
absl::Time Calendar::OpenOf(absl::CivilDay day, const Stretch& stretch) const {
  const auto info = LocalTime(zone_, day, stretch.open_minute);
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans : info.pre;
}

absl::Time Calendar::CloseOf(absl::CivilDay day, const Stretch& stretch) const {
  const auto info = LocalTime(zone_, day, stretch.close_minute);
  return info.kind == absl::TimeZone::TimeInfo::SKIPPED ? info.trans
                                                        : info.post;
}

// One day to either side: where the hour around midnight comes twice, a
// stretch can reach into a neighbouring local day.
absl::CivilDay Calendar::FirstDay(absl::Time time) const {
  return absl::CivilDay(absl::ToCivilSecond(time, zone_)) - 1;
}

absl::CivilDay Calendar::LastDay(absl::Time time) const {
  return absl::CivilDay(absl::ToCivilSecond(time, zone_)) + 1;
}

bool Calendar::IsWorkingDay(absl::CivilDay day) const {
  return always_open_ || !HoursOf(day).empty();
}

bool Calendar::IsOpen(absl::Time time) const { return NextOpen(time) == time; }

absl::Time Calendar::NextOpen(absl::Time time) const {
  if (always_open_) return time;
  absl::CivilDay day = FirstDay(time);
  for (int i = 0; i < kMaxDays; ++i, ++day) {
    for (const Stretch& stretch : HoursOf(day)) {
      const absl::Time close = CloseOf(day, stretch);
      if (close <= time) continue;
      return std::max(time, OpenOf(day, stretch));
    }
  }
  return MaxTime();
}

absl::Time Calendar::Add(absl::Time start, absl::Duration amount) const {
  if (amount == absl::ZeroDuration()) return start;
  if (always_open_) {
    return std::clamp(start + amount, MinTime(), MaxTime());
  }
  start = std::clamp(start, MinTime(), MaxTime());
  return amount > absl::ZeroDuration() ? AddForward(start, amount)
                                       : AddBackward(start, -amount);
}

absl::Time Calendar::AddForward(absl::Time start, absl::Duration amount) const {
  absl::CivilDay day = FirstDay(start);
  absl::Time counted = start;
  for (int i = 0; i < kMaxDays; ++i, ++day) {
    for (const Stretch& stretch : HoursOf(day)) {
      const absl::Time open = std::max(counted, OpenOf(day, stretch));
      const absl::Time close = CloseOf(day, stretch);
      if (close <= open) continue;
      if (amount <= close - open) return open + amount;
      amount -= close - open;
      counted = close;
    }
  }
  return MaxTime();
}

absl::Time Calendar::AddBackward(absl::Time start,
                                 absl::Duration amount) const {
  absl::CivilDay day = LastDay(start);
  absl::Time counted = start;
  for (int i = 0; i < kMaxDays; ++i, --day) {
    const std::vector<Stretch>& hours = HoursOf(day);
    for (auto stretch = hours.rbegin(); stretch != hours.rend(); ++stretch) {
      const absl::Time open = OpenOf(day, *stretch);
      const absl::Time close = std::min(counted, CloseOf(day, *stretch));
      if (close <= open) continue;
      if (amount <= close - open) return close - amount;
      amount -= close - open;
      counted = open;
    }
  }
  return MinTime();
}

absl::Duration Calendar::Between(absl::Time start, absl::Time end) const {
  if (end < start) return -Between(end, start);
  if (always_open_) return end - start;
  start = std::clamp(start, MinTime(), MaxTime());
  end = std::clamp(end, MinTime(), MaxTime());
  absl::Duration total;
  const absl::CivilDay last = LastDay(end);
  absl::Time counted = start;
  for (absl::CivilDay day = FirstDay(start); day <= last; ++day) {
    for (const Stretch& stretch : HoursOf(day)) {
      const absl::Time open = std::max(counted, OpenOf(day, stretch));
      const absl::Time close = std::min(end, CloseOf(day, stretch));
      if (close <= open) continue;
      total += close - open;
      counted = close;
    }
  }
  return total;
}

absl::Time Calendar::AddWorkingDays(absl::Time start, int n) const {
  n = std::max(n, 1);
  absl::CivilDay day(absl::ToCivilSecond(start, zone_));
  for (int i = 0; i < kMaxDays && n > 0; ++i) {
    ++day;
    if (IsWorkingDay(day)) --n;
  }
  if (n > 0) return MaxTime();
  if (always_open_) return CloseOf(day, {0, kMinutesOfDay});
  return CloseOf(day, HoursOf(day).back());
}

absl::StatusOr<absl::Time> EndOfSpan(const handbook::v1::Span& span,
                                     absl::Time start, const Calendar* calendar,
                                     absl::TimeZone zone) {
  const auto end_of_day = [&](absl::CivilDay day) {
    return absl::FromCivil(absl::CivilSecond(day + 1), zone) -
           absl::Microseconds(1);
  };
  const absl::CivilDay day(absl::ToCivilSecond(start, zone));
  if (span.has_time()) {
    const absl::Duration time = FromProto(span.time());
    return calendar == nullptr ? std::min(start + time, MaxTime())
                               : calendar->Add(start, time);
  }
  if (span.working_days() > 0) {
    if (calendar == nullptr) {
      return absl::InvalidArgumentError("working days need a calendar");
    }
    return calendar->AddWorkingDays(start, span.working_days());
  }
  if (span.days() > 0) return end_of_day(day + span.days());
  if (span.months() > 0) {
    const absl::CivilMonth month = absl::CivilMonth(day) + span.months();
    const absl::CivilDay last = absl::CivilDay(month + 1) - 1;
    return end_of_day(absl::CivilDay(month.year(), month.month(),
                                     std::min(day.day(), last.day())));
  }
  return absl::InvalidArgumentError("the span is empty");
}

}  // namespace aftercare::calendar
