#include "libs/base/time.h"

#include "gtest/gtest.h"

namespace aftercare {
namespace {

TEST(TimeTest, TextComesBackAsTheSameInstant) {
  for (const char* text : {"2026-03-02T01:02:03Z", "1970-01-01T00:00:00Z",
                           "2026-03-02T01:02:03.000001Z"}) {
    EXPECT_EQ(FormatRfc3339(ParseRfc3339(text).value()), text);
  }
  EXPECT_EQ(ParseRfc3339("2026-03-02T09:00:00+08:00").value(),
            ParseRfc3339("2026-03-02T01:00:00Z").value());
}

TEST(TimeTest, WhatIsNoTimeOfBusinessIsRefused) {
  for (const char* text :
       {"", "yesterday", "2026-13-01T00:00:00Z", "9999-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z", "2026-03-02"}) {
    EXPECT_FALSE(ParseRfc3339(text).ok()) << text;
  }
}

TEST(TimeTest, ProtosOutOfRangeAreInvalidAndClamped) {
  google::protobuf::Timestamp time;
  time.set_seconds(253402300799);  // year 9999
  EXPECT_FALSE(IsValid(time));
  EXPECT_EQ(FromProto(time), MaxTime());
  time.set_seconds(-1);
  EXPECT_FALSE(IsValid(time));
  EXPECT_EQ(FromProto(time), MinTime());
  time.set_seconds(1);
  time.set_nanos(1000000000);
  EXPECT_FALSE(IsValid(time));
  google::protobuf::Duration duration;
  duration.set_seconds(1);
  duration.set_nanos(-1);
  EXPECT_FALSE(IsValid(duration));
  duration.set_seconds(INT64_MAX);
  duration.set_nanos(0);
  EXPECT_FALSE(IsValid(duration));
}

TEST(TimeTest, SortableTextSortsAsTheInstantsDo) {
  const absl::Time a = ParseRfc3339("1999-12-31T23:59:59.999999Z").value();
  const absl::Time b = ParseRfc3339("2000-01-01T00:00:00Z").value();
  EXPECT_LT(SortableTime(a), SortableTime(b));
  EXPECT_EQ(FromSortableTime(SortableTime(a)), a);
  EXPECT_EQ(FromSortableTime("zz"), absl::InfinitePast());
}

}  // namespace
}  // namespace aftercare
