#include "libs/calendar/sla.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "libs/base/time.h"

namespace aftercare::calendar {
namespace {

const Calendar& Office() {
  static const Calendar* const calendar = [] {
    handbook::v1::Calendar proto;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
        "id: 'office' shifts { days: MONDAY days: TUESDAY days: WEDNESDAY "
        "days: THURSDAY days: FRIDAY open: '09:00' close: '17:00' }",
        &proto));
    return new Calendar(*Calendar::Compile(proto, "UTC"));
  }();
  return *calendar;
}

handbook::v1::ClockTarget Target(absl::Duration target,
                                 const std::string& calendar = "") {
  handbook::v1::ClockTarget proto;
  proto.set_kind("resolution");
  *proto.mutable_target() = ToProto(target);
  proto.set_calendar(calendar);
  return proto;
}

absl::Time At(const std::string& text) { return ParseRfc3339(text).value(); }
std::string Due(const SlaClock& clock) {
  return FormatRfc3339(FromProto(clock.due_time()));
}

SlaClock Start(absl::Duration target, const std::string& start,
               const Calendar* calendar = nullptr) {
  return StartClock(Target(target, calendar == nullptr ? "" : "office"),
                    calendar, 1, At(start), At(start), absl::Minutes(15));
}

// CASE-06
TEST(SlaTest, APauseGivesBackBusinessTime) {
  SlaClock clock = Start(absl::Hours(8), "2026-03-02T13:00:00Z", &Office());
  EXPECT_EQ(Due(clock), "2026-03-03T13:00:00Z");
  clock = PauseClock(clock, &Office(), At("2026-03-02T17:00:00Z"));
  EXPECT_FALSE(clock.has_due_time());
  clock = ResumeClock(clock, &Office(), At("2026-03-03T09:00:00Z"),
                      At("2026-03-03T09:00:00Z"), absl::Minutes(15));
  EXPECT_EQ(Due(clock), "2026-03-03T13:00:00Z");
}

// CASE-09
TEST(SlaTest, AReopenedClockCanTreatTheClosedTimeAsAPause) {
  SlaClock clock = Start(absl::Minutes(5), "2026-03-02T10:00:00Z");
  clock = StopClock(clock, nullptr, At("2026-03-02T10:01:00Z"));
  const SlaClock paused =
      ReopenClock(clock, nullptr, At("2026-03-02T10:10:00Z"), false,
                  At("2026-03-02T10:10:00Z"), absl::Minutes(15));
  EXPECT_EQ(Due(paused), "2026-03-02T10:14:00Z");
  const SlaClock counted =
      ReopenClock(clock, nullptr, At("2026-03-02T10:03:00Z"), true,
                  At("2026-03-02T10:03:00Z"), absl::Minutes(15));
  EXPECT_EQ(Due(counted), "2026-03-02T10:05:00Z");
}

// CASE-10, the clock's part: met at three minutes although paused right then.
TEST(SlaTest, AStopComesBeforeAPauseAtTheSameMoment) {
  SlaClock clock = Start(absl::Hours(1), "2026-03-02T09:00:00Z");
  clock = StopClock(clock, nullptr, At("2026-03-02T09:03:00Z"));
  clock = PauseClock(clock, nullptr, At("2026-03-02T09:03:00Z"));
  EXPECT_EQ(clock.state(), SlaClock::STOPPED);
  EXPECT_FALSE(clock.breached());
  EXPECT_EQ(FromProto(clock.used()), absl::Minutes(3));
}

// CASE-12, the clock's part.
TEST(SlaTest, EachTargetHasItsOwnDueTime) {
  EXPECT_EQ(Due(Start(absl::Hours(4), "2026-03-02T09:00:00Z")),
            "2026-03-02T13:00:00Z");
}

// CASE-15
TEST(SlaTest, LatenessIsFrozenWhenTheClockStops) {
  SlaClock clock = Start(absl::Hours(1), "2026-03-02T09:00:00Z");
  clock = StopClock(clock, nullptr, At("2026-03-02T10:30:00Z"));
  EXPECT_TRUE(clock.breached());
  EXPECT_EQ(FromProto(clock.lateness()), absl::Minutes(30));
  const SlaClock later = StopClock(clock, nullptr, At("2026-04-02T10:30:00Z"));
  EXPECT_EQ(later.SerializeAsString(), clock.SerializeAsString());
}

TEST(SlaTest, EqualityWithTheDueTimeIsOnTime) {
  SlaClock clock = Start(absl::Hours(1), "2026-03-02T09:00:00Z");
  EXPECT_FALSE(CheckClock(clock, At("2026-03-02T10:00:00Z")).breached());
  EXPECT_TRUE(CheckClock(clock, At("2026-03-02T10:00:00.000001Z")).breached());
  EXPECT_FALSE(
      StopClock(clock, nullptr, At("2026-03-02T10:00:00Z")).breached());
}

TEST(SlaTest, ASettledBreachStaysWhenAnEarlierStopIsReported) {
  SlaClock clock = Start(absl::Hours(1), "2026-03-02T09:00:00Z");
  clock = CheckClock(clock, At("2026-03-02T10:00:01Z"));
  ASSERT_TRUE(clock.breached());
  EXPECT_FALSE(clock.has_check_time());
  clock = StopClock(clock, nullptr, At("2026-03-02T09:30:00Z"));
  EXPECT_TRUE(clock.breached());
  EXPECT_TRUE(clock.stop_reported_late());
  EXPECT_EQ(FromProto(clock.lateness()), absl::ZeroDuration());
}

TEST(SlaTest, AStartReportedLateIsLookedAtOnlyAfterTheGrace) {
  const SlaClock clock =
      StartClock(Target(absl::Hours(1)), nullptr, 1, At("2026-03-02T09:00:00Z"),
                 At("2026-03-05T09:00:00Z"), absl::Minutes(15));
  EXPECT_EQ(Due(clock), "2026-03-02T10:00:00Z");
  EXPECT_EQ(FormatRfc3339(FromProto(clock.check_time())),
            "2026-03-05T09:15:00Z");
}

TEST(SlaTest, AnEarlierBreachOutlivesTheCancelling) {
  SlaClock clock = Start(absl::Hours(1), "2026-03-02T09:00:00Z");
  clock = CheckClock(clock, At("2026-03-02T10:00:01Z"));
  clock = CancelClock(clock, nullptr, At("2026-03-02T10:20:00Z"));
  EXPECT_EQ(clock.state(), SlaClock::CANCELLED);
  EXPECT_TRUE(clock.breached());
  EXPECT_EQ(FromProto(clock.lateness()), absl::Minutes(20));
}

// CASE-09's sibling: the closed time counts and has used the target up.
TEST(SlaTest, AClockTakenUpAfterItsTargetIsLateAtOnce) {
  SlaClock clock = Start(absl::Minutes(5), "2026-03-02T10:00:00Z");
  clock = StopClock(clock, nullptr, At("2026-03-02T10:01:00Z"));
  clock = ReopenClock(clock, nullptr, At("2026-03-02T10:10:00Z"), true,
                      At("2026-03-02T10:10:00Z"), absl::Minutes(15));
  EXPECT_EQ(Due(clock), "2026-03-02T10:10:00Z");
  clock = StopClock(clock, nullptr, At("2026-03-02T10:10:00Z"));
  EXPECT_TRUE(clock.breached());
  EXPECT_EQ(FromProto(clock.lateness()), absl::Minutes(5));
}

TEST(SlaTest, APauseAfterTheDueTimeSettlesTheBreach) {
  SlaClock clock = Start(absl::Hours(1), "2026-03-02T09:00:00Z");
  clock = PauseClock(clock, nullptr, At("2026-03-02T10:10:00Z"));
  EXPECT_TRUE(clock.breached());
  EXPECT_EQ(FromProto(clock.lateness()), absl::Minutes(10));
  // Stopped while paused: the lateness stays as it was settled.
  clock = StopClock(clock, nullptr, At("2026-03-09T10:00:00Z"));
  EXPECT_EQ(FromProto(clock.lateness()), absl::Minutes(10));
}

TEST(SlaTest, WhatHasEndedIgnoresFurtherChanges) {
  const SlaClock clock =
      StopClock(Start(absl::Hours(1), "2026-03-02T09:00:00Z"), nullptr,
                At("2026-03-02T09:10:00Z"));
  const absl::Time later = At("2026-03-03T09:00:00Z");
  const std::string before = clock.SerializeAsString();
  EXPECT_EQ(PauseClock(clock, nullptr, later).SerializeAsString(), before);
  EXPECT_EQ(ResumeClock(clock, nullptr, later, later, absl::Minutes(15))
                .SerializeAsString(),
            before);
  EXPECT_EQ(CancelClock(clock, nullptr, later).SerializeAsString(), before);
  EXPECT_EQ(CheckClock(clock, later).SerializeAsString(), before);
}

TEST(SlaTest, ACancelledClockHasNoVerdict) {
  SlaClock clock = Start(absl::Hours(1), "2026-03-02T09:00:00Z");
  clock = CancelClock(clock, nullptr, At("2026-03-02T15:00:00Z"));
  EXPECT_EQ(clock.state(), SlaClock::CANCELLED);
  EXPECT_FALSE(clock.breached());
  EXPECT_FALSE(clock.has_check_time());
}

// CASE-07 with a warning.
TEST(SlaTest, WarningsCountBackInBusinessTime) {
  const SlaClock clock =
      Start(absl::Hours(4), "2026-03-02T16:00:00Z", &Office());
  EXPECT_EQ(Due(clock), "2026-03-03T12:00:00Z");
  EXPECT_EQ(FormatRfc3339(WarnTime(clock, &Office(), absl::Hours(4))),
            "2026-03-02T16:00:00Z");
}

TEST(SlaTest, PausesNeverChangeWhatIsLeft) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 500; ++i) {
    const Calendar* calendar = random() % 2 == 0 ? &Office() : nullptr;
    const absl::Duration target = absl::Minutes(60 + random() % 6000);
    absl::Time now =
        At("2026-01-05T00:00:00Z") + absl::Minutes(random() % 500000);
    SlaClock clock =
        StartClock(Target(target, calendar == nullptr ? "" : "office"),
                   calendar, 1, now, now, absl::ZeroDuration());
    absl::Duration used;
    bool running = true;
    for (int step = 0; step < 10; ++step) {
      const absl::Time next = now + absl::Minutes(random() % 600);
      if (running) {
        used += calendar == nullptr ? next - now : calendar->Between(now, next);
      }
      now = next;
      ASSERT_EQ(UsedTime(clock, calendar, now), used);
      clock = running ? PauseClock(clock, calendar, now)
                      : ResumeClock(clock, calendar, now, now,
                                    absl::ZeroDuration());
      running = !running;
    }
    clock = StopClock(clock, calendar, now);
    // With the target used up exactly, the moment decides: the due time itself
    // is in time, the closed hours after it are not.
    if (used == target) continue;
    ASSERT_EQ(clock.breached(), used > target);
    if (used > target) {
      ASSERT_EQ(FromProto(clock.lateness()), used - target);
    }
  }
}

}  // namespace
}  // namespace aftercare::calendar
