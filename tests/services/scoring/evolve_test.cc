#include "services/scoring/domain/evolve.h"

#include "scoring_fixture.h"

namespace aftercare::scoring {
namespace {

EventMeta Meta(absl::string_view subject) {
  EventMeta meta;
  meta.id = "scoring/0/0/1";
  meta.subject = std::string(subject);
  meta.parent = std::string(BoundaryOf(subject));
  meta.revision = 1;
  meta.record_time = absl::FromUnixSeconds(1772413200);
  meta.occur_time = meta.record_time;
  return meta;
}

class EvolveTest : public ScoringTest {};

// Total: facts about what is not there change nothing and break nothing.
TEST_F(EvolveTest, FactsAboutNothingAreIgnored) {
  MemoryRows rows(Service().schema());
  v1::ScoringEvent event;
  Evolve(rows, Meta(kMarch), event);
  event.mutable_platform();
  Evolve(rows, Meta(kMarch), event);
  event.mutable_fact_withdrawn()->set_late_for(std::string(kMarch));
  Evolve(rows, Meta(absl::StrCat(kLi, "/facts/x")), event);
  event.mutable_appraisal_refreshed();
  Evolve(rows, Meta(kMarch), event);
  event.mutable_appraisal_adjusted();
  Evolve(rows, Meta(kMarch), event);
  event.mutable_appraisal_finalized();
  Evolve(rows, Meta(kMarch), event);
  EXPECT_TRUE(rows.Dump().empty());
}

TEST_F(EvolveTest, ALateFactWithoutItsAppraisalIsStillKept) {
  MemoryRows rows(Service().schema());
  v1::ScoringEvent event;
  event.mutable_fact_recorded()->mutable_scored()->set_kind("repair");
  event.mutable_fact_recorded()->set_late_for(std::string(kMarch));
  const std::string name = absl::StrCat(kLi, "/facts/x");
  Evolve(rows, Meta(name), event);
  ASSERT_NE(rows.Find(kFacts, name), nullptr);
  EXPECT_EQ(rows.Find(kFacts, name)->etag(), "1");
  EXPECT_EQ(rows.Find(kAppraisals, kMarch), nullptr);
}

}  // namespace
}  // namespace aftercare::scoring
