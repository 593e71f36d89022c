// Random lives of cases: whatever commands come in whatever order and at
// whatever times, replay gives the live rows and the rows make sense.

#include "services/intake/domain/evolve.h"

#include <random>
#include <tuple>

#include "tests/services/intake/intake_fixture.h"

namespace aftercare::intake {
namespace {

class EvolveTest : public IntakeTest {
 protected:
  explicit EvolveTest(std::shared_ptr<const handbook::Policy> policy)
      : IntakeTest(std::move(policy)) {}
  EvolveTest() = default;

  // What holds of every case at any time.
  void CheckCase(const v1::Case& c) {
    SCOPED_TRACE(c.DebugString());
    EXPECT_NE(c.state(), v1::Case::STATE_UNSPECIFIED);
    EXPECT_FALSE(c.owner().empty());
    EXPECT_EQ(c.state() == v1::Case::PAUSED, !c.pause_reason().empty());
    const bool done =
        c.state() == v1::Case::RESOLVED || c.state() == v1::Case::CLOSED;
    EXPECT_EQ(done, c.has_resolve_time());
    EXPECT_EQ(done, !c.resolution().empty());
    EXPECT_EQ(c.state() == v1::Case::CLOSED, c.has_close_time());
    if (c.has_resolve_time()) {
      EXPECT_GE(FromProto(c.resolve_time()), FromProto(c.open_time()));
    }
    if (c.has_close_time()) {
      EXPECT_GE(FromProto(c.close_time()), FromProto(c.resolve_time()));
    }
    if (!done) {
      EXPECT_TRUE(c.resolved_by().empty());
      EXPECT_EQ(c.satisfaction(), 0);
      EXPECT_FALSE(c.has_follow_up_due_time());
    }
    EXPECT_FALSE(c.satisfaction() != 0 && c.has_follow_up_due_time());
    EXPECT_FALSE(c.follow_up_overdue() && !c.has_follow_up_due_time());
    for (const auto& clock : c.clocks()) {
      using common::v1::SlaClock;
      const bool stopped = clock.state() == SlaClock::STOPPED;
      EXPECT_EQ(stopped, clock.has_stop_time());
      if (done) {
        EXPECT_TRUE(stopped) << clock.kind();
      }
      if (clock.kind() == "first_response" && c.replied()) {
        EXPECT_TRUE(stopped);
      }
      if (clock.state() == SlaClock::RUNNING) {
        EXPECT_EQ(c.state(), v1::Case::OPEN);
        EXPECT_TRUE(clock.has_due_time());
      }
      if (clock.state() == SlaClock::PAUSED) {
        EXPECT_EQ(c.state(), v1::Case::PAUSED);
      }
      if (clock.has_check_time()) {
        EXPECT_EQ(clock.state(), SlaClock::RUNNING);
        EXPECT_FALSE(clock.breached());
      }
    }
  }

  void Live(uint32_t seed, int steps) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    std::mt19937 random(seed);
    const auto pick = [&](int n) { return static_cast<int>(random() % n); };
    RegisterCustomers();
    RegisterAsset(kWang, "a1", "S-1");
    absl::Time now = Instant(Local("08:00"));
    int accepted = 0;
    for (int i = 0; i < steps; ++i) {
      now += absl::Minutes(pick(90));
      s_.At(now);
      s_.WhenTimePasses(FormatRfc3339(now));
      EXPECT_TRUE(s_.status().ok()) << s_.status();
      static constexpr absl::string_view kActors[] = {"li", "wang", "chen"};
      s_.As(kActors[pick(3)]);
      // One in four is reported up to five hours late.
      const std::string when =
          pick(4) != 0
              ? ""
              : absl::StrCat(
                    " occur_time {seconds: ",
                    absl::ToUnixSeconds(now - absl::Minutes(pick(300))), "}");
      const std::string id = absl::StrCat("k", pick(3));
      const auto named = [&](absl::string_view more) {
        return Named(id, absl::StrCat(more, when));
      };
      switch (pick(12)) {
        case 0:
        case 1: {
          static constexpr absl::string_view kKinds[] = {"INQUIRY", "COMPLAINT",
                                                         "REPAIR"};
          static constexpr absl::string_view kPriorities[] = {"LOW", "NORMAL",
                                                              "URGENT"};
          s_.When(
              "OpenCase",
              Opening(id, kKinds[pick(3)],
                      absl::StrCat("priority: ", kPriorities[pick(3)], when)));
          break;
        }
        case 2:
          s_.When("ReplyToCase", named("text: '好的'"));
          break;
        case 3:
          s_.When("ReplyToCase", named("text: '?' from_customer: true"));
          break;
        case 4:
          s_.When("ReplyToCase", named("text: 't' pause_reason: 'waits'"));
          break;
        case 5:
          s_.When("PauseCase", named("reason: 'r'"));
          break;
        case 6:
          s_.When("ResumeCase", named(""));
          break;
        case 7:
          s_.When("ResolveCase",
                  named(pick(4) == 0 ? "resolution: 'r' by_timeout: true"
                                     : "resolution: 'r'"));
          break;
        case 8:
          s_.When("ReopenCase", named("reason: 'r'"));
          break;
        case 9:
          s_.When("CloseCase", named(""));
          break;
        case 10:
          s_.When("RecordFollowUp",
                  named(absl::StrCat("satisfaction: ", pick(7))));
          break;
        case 11:
          static constexpr absl::string_view kStages[] = {
              "PLANNED", "VISITED", "CANNOT_COMPLETE", "COMPLETED"};
          s_.As("system").When(
              "RecordRepairProgress",
              named(absl::StrCat("technician: 'wu' work_order: '", kWorkOrder,
                                 "' stage: ", kStages[pick(4)])));
          break;
      }
      if (s_.status().ok()) ++accepted;
      // Every refusal of a well-formed command has a reason.
      EXPECT_EQ(s_.status().ok(), s_.Reason().empty()) << s_.status();
      for (int k = 0; k < 3; ++k) {
        const auto* c = s_.Find(kCases, CaseName(absl::StrCat("k", k)));
        if (c != nullptr) CheckCase(*c);
      }
      if (HasFailure()) FAIL() << "at step " << i;
    }
    EXPECT_EQ(s_.Replayed(), s_.Dump());
    // The walk did something.
    EXPECT_GT(accepted, steps / 10);
  }
};

class RandomLifeTest
    : public EvolveTest,
      public ::testing::WithParamInterface<std::tuple<const char*, uint32_t>> {
 protected:
  RandomLifeTest() : EvolveTest(PolicyWith(std::get<0>(GetParam()))) {}
};

TEST_P(RandomLifeTest, ReplayGivesTheLiveRowsAndTheRowsMakeSense) {
  Live(std::get<1>(GetParam()), 600);
}

INSTANTIATE_TEST_SUITE_P(
    ReopenPolicies, RandomLifeTest,
    ::testing::Combine(::testing::Values("continue", "restart",
                                         "closed_is_pause"),
                       ::testing::Range<uint32_t>(20260301, 20260311)));

// A replay meets no row it expects: every fact gives rows or none, never
// undefined behaviour.
TEST_F(EvolveTest, EveryFactIsHarmlessOnEmptyRows) {
  const auto* oneof = v1::IntakeEvent::descriptor()->FindOneofByName("fact");
  for (int i = 0; i < oneof->field_count(); ++i) {
    MemoryRows rows(Service().schema());
    v1::IntakeEvent event;
    event.GetReflection()->MutableMessage(&event, oneof->field(i));
    EventMeta meta;
    meta.subject = CaseName("k1");
    meta.parent = std::string(kWang);
    meta.revision = 1;
    Evolve(rows, meta, event);
    EXPECT_LE(rows.Dump().size(), 3u) << oneof->field(i)->name();
  }
}

}  // namespace
}  // namespace aftercare::intake
