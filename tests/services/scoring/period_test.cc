#include "services/scoring/domain/period.h"

#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"

namespace aftercare::scoring {
namespace {

absl::TimeZone Zone(const char* name) {
  absl::TimeZone zone;
  EXPECT_TRUE(absl::LoadTimeZone(name, &zone));
  return zone;
}

// SCO-24: the month is the company's, not UTC's.
TEST(PeriodTest, AMonthIsCutInTheCompanysZone) {
  const auto march = ParsePeriod("period", "2026-03", Zone("Asia/Shanghai"));
  ASSERT_TRUE(march.ok());
  EXPECT_EQ(FormatRfc3339(march->start), "2026-02-28T16:00:00Z");
  EXPECT_EQ(FormatRfc3339(march->end), "2026-03-31T16:00:00Z");
  EXPECT_EQ(PeriodOf(march->start, Zone("Asia/Shanghai")), "2026-03");
  EXPECT_EQ(
      PeriodOf(march->start - absl::Nanoseconds(1), Zone("Asia/Shanghai")),
      "2026-02");
  EXPECT_EQ(PeriodOf(march->start, absl::UTCTimeZone()), "2026-02");
  EXPECT_EQ(PeriodOf(march->end, Zone("Asia/Shanghai")), "2026-04");
}

TEST(PeriodTest, DecemberEndsWithTheYear) {
  const auto month = ParsePeriod("period", "2026-12", absl::UTCTimeZone());
  ASSERT_TRUE(month.ok());
  EXPECT_EQ(FormatRfc3339(month->end), "2027-01-01T00:00:00Z");
}

TEST(PeriodTest, AMonthWithSummerTimeIsAnHourShorter) {
  const auto month = ParsePeriod("period", "2026-03", Zone("Europe/Berlin"));
  ASSERT_TRUE(month.ok());
  EXPECT_EQ(month->end - month->start, absl::Hours(31 * 24 - 1));
}

TEST(PeriodTest, OtherFormsAreRefused) {
  for (const char* id :
       {"", "2026", "2026-3", "2026-13", "2026-00", "26-03", "2026/03",
        "2026-03-01", "+026-03", "2026- 3", "1969-12", "2200-01", "9999-12",
        "２０２６-03", "2026-0x"}) {
    const auto period = ParsePeriod("the_field", id, absl::UTCTimeZone());
    EXPECT_EQ(ReasonOf(period.status()), "FIELD_INVALID") << id;
    EXPECT_EQ(FieldOf(period.status()), "the_field") << id;
  }
}

}  // namespace
}  // namespace aftercare::scoring
