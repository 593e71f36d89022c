// Cases that hang together: links, merging, splitting, taking up again.

#include "services/intake/domain/case_links.h"

#include <string>
#include <vector>

#include "tests/services/intake/cases_fixture.h"

namespace aftercare::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CaseLinksTest : public CasesTest {
 protected:
  // Links of a case: "CONTINUES k2".
  std::vector<std::string> Links(absl::string_view id) {
    std::vector<std::string> links;
    for (const auto& link : Case(id).links()) {
      links.push_back(
          absl::StrCat(v1::Case::Link::Relation_Name(link.relation()), " ",
                       link.case_().substr(link.case_().rfind('/') + 1)));
    }
    return links;
  }
  static std::string Into(absl::string_view id) {
    return absl::StrCat("into: '", CaseName(id), "' ");
  }
  static std::string Other(absl::string_view id, absl::string_view relation) {
    return absl::StrCat("other: '", CaseName(id), "' relation: ", relation,
                        " ");
  }
  void Merge(absl::string_view id, absl::string_view into) {
    s_.Given("MergeCase", Named(id, Into(into)));
  }
};

// ---- LinkCases --------------------------------------------------------------

TEST_F(CaseLinksTest, ALinkIsToldOfBothCases) {
  Open("a");
  Open("b");
  ExpectAccepted("LinkCases", Named("b", Other("a", "CONTINUES")),
                 "CasesLinked,CasesLinked");
  EXPECT_THAT(Links("b"), ElementsAre("CONTINUES a"));
  EXPECT_THAT(Links("a"), ElementsAre("CONTINUED_BY b"));
  ExpectAccepted("LinkCases", Named("b", Other("a", "RELATED")),
                 "CasesLinked,CasesLinked");
  EXPECT_THAT(Links("a"), ElementsAre("CONTINUED_BY b", "RELATED b"));
  ExpectRefusal("LinkCases", Named("b", Other("a", "RELATED")), "CASES_LINKED");
  // Said from the other side it is the same.
  ExpectRefusal("LinkCases", Named("a", Other("b", "CONTINUED_BY")),
                "CASES_LINKED");
}

TEST_F(CaseLinksTest, LinkingRefusesBadFieldsAndTimes) {
  Open("a");
  s_.At(Local("10:00"));
  Open("b");
  Open("c", "INQUIRY", "", kZhao);
  const auto refused = [&](const std::string& fields, absl::string_view reason,
                           absl::string_view field = "") {
    ExpectRefusal("LinkCases", fields, reason, field);
  };
  refused(Named("a", absl::StrCat("other: '", CaseName("b"), "'")),
          "FIELD_INVALID", "relation");
  refused(Named("a", "relation: RELATED"), "NAME_INVALID", "other");
  refused(Named("a", Other("none", "RELATED")), "RESOURCE_NOT_FOUND");
  refused(Named("a", absl::StrCat("relation: RELATED other: '",
                                  CaseName("c", kZhao), "'")),
          "FIELD_INVALID", "other");
  refused(Named("a", Other("a", "RELATED")), "LINK_TO_ITSELF", "other");
  // Before one of them there was nothing to link.
  refused(
      Named("a", Other("b", "RELATED") + "occur_time " + Stamp(Local("09:30"))),
      "OCCUR_TIME_TOO_EARLY");
}

// ---- MergeCase --------------------------------------------------------------

// CASE-16: b merged into a; a reply to b lands on a, b stays closed.
TEST_F(CaseLinksTest, WhatIsWrittenToAMergedCaseReachesTheOther) {
  Open("a");
  Open("b");
  s_.At(Local("09:30")).As("wang");
  ExpectAccepted("MergeCase", Named("b", Into("a")), "CaseMerged,CasesLinked");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_merged().by(), "wang");
  EXPECT_EQ(StateOf("b"), "CLOSED");
  EXPECT_EQ(Case("b").outcome(), v1::Case::MERGED);
  EXPECT_EQ(Case("b").merged_into(), CaseName("a"));
  EXPECT_EQ(FromProto(Case("b").close_time()), Instant(Local("09:30")));
  EXPECT_THAT(Links("a"), ElementsAre("DUPLICATE b"));
  s_.At(Local("10:00"));
  ExpectAccepted("ReplyToCase", Named("b", "text: '已安排'"), "CaseReplied");
  const auto& replied = s_.event<v1::IntakeEvent>().case_replied();
  EXPECT_EQ(replied.name(), CaseName("a"));
  EXPECT_EQ(replied.sent_to(), CaseName("b"));
  EXPECT_TRUE(Case("a").replied());
  EXPECT_FALSE(Case("b").replied());
  EXPECT_EQ(StateOf("b"), "CLOSED");
  EXPECT_EQ(ClockState("a", "first_response"), "STOPPED");
  // Written to itself it is written to nobody else.
  s_.Given("ReplyToCase", Named("a", "text: 't'"));
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_replied().sent_to(), "");
}

// Merged, a case owes no answer of its own; a breach stays on record.
TEST_F(CaseLinksTest, AMergedCasesClocksAreCancelled) {
  Open("a");
  Open("b");
  s_.WhenTimePasses(Local("13:01"));  // both first responses are breached
  s_.As("li").Given("PauseCase", Named("b", "reason: 'r'"));
  Merge("b", "a");
  EXPECT_EQ(ClockState("b", "first_response"), "CANCELLED breached");
  EXPECT_EQ(ClockState("b", "resolution"), "CANCELLED");
  EXPECT_EQ(Case("b").pause_reason(), "");
  s_.Given("ResolveCase", Named("a", "resolution: 'r'"));
  s_.WhenTimePasses("2027-03-02T09:00:00+08:00");
  EXPECT_EQ(s_.Events(), "FollowUpMissed");  // of a
}

// CASE-16 in chains: c into b, b into a.
TEST_F(CaseLinksTest, AChainOfMergesLeadsToItsEnd) {
  Open("a");
  Open("b");
  Open("c");
  Merge("c", "b");
  Merge("b", "a");
  s_.Given("ReplyToCase", Named("c", "text: 't'"));
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_replied().name(), CaseName("a"));
  // Back again would leave no case to go on.
  for (absl::string_view id : {"a", "b", "c"}) {
    ExpectRefusal("MergeCase", Named("a", Into(id)), "MERGE_CYCLE");
  }
  // Into one that was merged: into where it went.
  Open("d");
  s_.Given("MergeCase", Named("d", Into("c")));
  EXPECT_EQ(Case("d").merged_into(), CaseName("a"));
  EXPECT_THAT(Links("a"), ElementsAre("DUPLICATE b", "DUPLICATE d"));
}

TEST_F(CaseLinksTest, NothingElseHappensToAMergedCase) {
  Open("a");
  Open("b");
  Merge("b", "a");
  const std::pair<const char*, std::string> commands[] = {
      {"MergeCase", Into("a")},
      {"AcceptCase", ""},
      {"RejectCase", "code: UNREASONABLE text: 't'"},
      {"AmendCase", "description: 'd'"},
      {"TransferCase", "owner: 'wang' reason: 'r'"},
      {"AddCoHandler", "person: 'mao'"},
      {"SplitCase", "case_id: 'x' subject: 's'"},
      {"PauseCase", "reason: 'r'"},
      {"ResolveCase", "resolution: 'r'"},
      {"ReopenCase", "reason: 'r'"},
  };
  for (const auto& [method, fields] : commands) {
    ExpectRefusal(method, Named("b", fields), "CASE_MERGED");
    EXPECT_EQ(Metadata("into"), CaseName("a")) << method;
  }
  ExpectRefusal("RecordFollowUp", Named("b", "satisfaction: 5"),
                "CASE_NOT_RESOLVED");
  ExpectRefusal("CloseCase", Named("b"), "CASE_NOT_RESOLVED");
}

TEST_F(CaseLinksTest, AReplyWhereTheOtherIsClosedIsRefused) {
  Open("a");
  Open("b");
  Merge("b", "a");
  s_.Given("ResolveCase", Named("a", "resolution: 'r'"));
  ExpectRefusal("ReplyToCase", Named("b", "text: 't'"), "CASE_NOT_OPEN");
  EXPECT_EQ(Metadata("name"), CaseName("a"));
}

TEST_F(CaseLinksTest, MergingRefusesBadFieldsStatesAndTimes) {
  Open("a");
  s_.At(Local("10:00"));
  Open("b");
  Open("c", "INQUIRY", "", kZhao);
  const auto refused = [&](const std::string& request, absl::string_view reason,
                           absl::string_view field = "") {
    ExpectRefusal("MergeCase", request, reason, field);
  };
  refused(Named("b"), "NAME_INVALID", "into");
  refused(Named("b", Into("none")), "RESOURCE_NOT_FOUND");
  refused(Named("b", absl::StrCat("into: '", CaseName("c", kZhao), "'")),
          "FIELD_INVALID", "into");
  refused(Named("b", Into("b")), "MERGE_CYCLE");
  refused(Named("a", Into("b") + "occur_time " + Stamp(Local("09:30"))),
          "OCCUR_TIME_TOO_EARLY");
  // A repair's visit is cancelled: another one must be under way.
  Open("r", "REPAIR");
  refused(Named("r", Into("a")), "CASE_IS_NO_REPAIR");
  EXPECT_EQ(Metadata("name"), CaseName("a"));
  Open("r2", "REPAIR");
  ExpectAccepted("MergeCase", Named("r", Into("r2")), "CaseMerged,CasesLinked");
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_merged().kind(), v1::Case::REPAIR);
  EXPECT_EQ(s_.event<v1::IntakeEvent>().case_merged().region(), "beijing");
  s_.Given("ResolveCase", Named("a", "resolution: 'r'"));
  refused(Named("b", Into("a")), "CASE_NOT_OPEN");
  refused(Named("a", Into("b")), "CASE_NOT_OPEN");
}

// ---- SplitCase --------------------------------------------------------------

TEST_F(CaseLinksTest, APartOfACaseBecomesACaseOfItsOwn) {
  RegisterAsset(kWang, "a1", "S-1");
  OpenTyped("k1", "complaint",
            absl::StrCat("description: 'd' asset: '", kWang, "/assets/a1'"));
  s_.At(Local("10:00")).As("wang");
  ExpectAccepted("SplitCase",
                 Named("k1", absl::StrCat("case_id: 'k2' subject: '报修' "
                                          "type: 'repair' "
                                          "description: '不制冷' ",
                                          Field("product", "text: 'X2'"))),
                 "CaseOpened,CasesLinked");
  const auto& part = Case("k2");
  EXPECT_EQ(part.kind(), v1::Case::REPAIR);
  EXPECT_EQ(part.type(), "repair");
  EXPECT_EQ(part.subject(), "报修");
  EXPECT_EQ(part.description(), "不制冷");
  EXPECT_EQ(part.fields(0).text(), "X2");
  // From the first.
  EXPECT_EQ(part.channel(), "hotline");
  EXPECT_EQ(part.priority(), v1::Case::HIGH);
  EXPECT_EQ(part.product_line(), "laptop");
  EXPECT_EQ(part.asset(), absl::StrCat(kWang, "/assets/a1"));
  // Of its own.
  EXPECT_EQ(part.owner(), "wang");
  EXPECT_EQ(FromProto(Clock("k2", "first_response").start_time()),
            Instant(Local("10:00")));
  EXPECT_THAT(Links("k2"), ElementsAre("SPLIT_FROM k1"));
  EXPECT_THAT(Links("k1"), ElementsAre("SPLIT_INTO k2"));
  EXPECT_EQ(StateOf("k1"), "OPEN");
}

TEST_F(CaseLinksTest, APartIsOfTheSameKindUnlessSaid) {
  OpenTyped("k1", "opinion");
  s_.Given("SplitCase", Named("k1", "case_id: 'k2' subject: 's'"));
  EXPECT_EQ(Case("k2").type(), "opinion");
  s_.Given("SplitCase",
           Named("k1", "case_id: 'k3' subject: 's' kind: INQUIRY"));
  EXPECT_EQ(Case("k3").kind(), v1::Case::INQUIRY);
  EXPECT_EQ(Case("k3").type(), "");
  // Without an id the server chooses one.
  s_.Given("SplitCase", Named("k1", "subject: 's'"));
  EXPECT_EQ(Links("k1").size(), 3u);
}

TEST_F(CaseLinksTest, SplittingRefusesWhatOpeningRefuses) {
  OpenTyped("k1", "opinion");
  const auto refused = [&](absl::string_view fields, absl::string_view reason,
                           absl::string_view field = "") {
    ExpectRefusal("SplitCase", Named("k1", fields), reason, field);
  };
  refused("case_id: 'k2'", "FIELD_INVALID", "subject");
  refused("case_id: 'K2' subject: 's'", "FIELD_INVALID", "case_id");
  refused("case_id: 'k1' subject: 's'", "RESOURCE_ALREADY_EXISTS");
  refused("case_id: 'k2' subject: 's' type: 'none'", "CASE_TYPE_UNKNOWN");
  refused("case_id: 'k2' subject: 's' type: 'complaint'", "FORM_INCOMPLETE",
          "fields[description]");
  refused(
      absl::StrCat("case_id: 'k2' subject: 's' ", Field("place", "text: 'p'")),
      "FORM_FIELD_UNKNOWN", "fields[place]");
  refused(absl::StrCat("case_id: 'k2' subject: 's' occur_time ",
                       Stamp(Local("08:59"))),
          "OCCUR_TIME_TOO_EARLY");
  s_.Given("ResolveCase", Named("k1", "resolution: 'r'"));
  refused("case_id: 'k2' subject: 's'", "CASE_NOT_OPEN");
}

// ---- OpenCase.continues -----------------------------------------------------

// After the window a closed case is taken up again by a new one.
TEST_F(CaseLinksTest, ACaseClosedTooLongAgoIsContinuedByANewOne) {
  Open("k1");
  s_.Given("ResolveCase", Named("k1", "resolution: 'r'"));
  s_.Given("CloseCase", Named("k1"));
  s_.At(Local("09:00", 20));
  ExpectRefusal("ReopenCase", Named("k1", "reason: 'r'"), "REOPEN_WINDOW_OVER");
  EXPECT_EQ(Metadata("continue_with"), "OpenCase.continues");
  const std::string continues =
      absl::StrCat("continues: '", CaseName("k1"), "'");
  ExpectAccepted("OpenCase", Opening("k2", "INQUIRY", continues),
                 "CaseOpened,CasesLinked");
  EXPECT_THAT(Links("k2"), ElementsAre("CONTINUES k1"));
  EXPECT_THAT(Links("k1"), ElementsAre("CONTINUED_BY k2"));
  EXPECT_EQ(StateOf("k1"), "CLOSED");
}

TEST_F(CaseLinksTest, OnlyACaseOfTheSameCustomerIsContinued) {
  Open("k1", "INQUIRY", "", kZhao);
  const auto refused = [&](absl::string_view name, absl::string_view reason,
                           absl::string_view field = "") {
    ExpectRefusal(
        "OpenCase",
        Opening("k2", "INQUIRY", absl::StrCat("continues: '", name, "'")),
        reason, field);
  };
  refused("k1", "NAME_INVALID", "continues");
  refused(CaseName("k1", kZhao), "FIELD_INVALID", "continues");
  refused(CaseName("none"), "RESOURCE_NOT_FOUND");
  Open("k3");
  EXPECT_THAT(Links("k3"), IsEmpty());
}

TEST_F(CaseLinksTest, EveryCommandChecksNameExistenceAndEtag) {
  Open("a");
  Open("b");
  const std::pair<const char*, std::string> commands[] = {
      {"LinkCases", Other("b", "RELATED")},
      {"MergeCase", Into("b")},
      {"SplitCase", "case_id: 'x' subject: 's' "},
  };
  for (const auto& [method, fields] : commands) {
    ExpectRefusal(method, fields, "NAME_INVALID", "name");
    ExpectRefusal(method, fields + Named("none"), "RESOURCE_NOT_FOUND");
    ExpectRefusal(method, fields + Named("a", "etag: 'old'"), "ETAG_MISMATCH");
  }
}

}  // namespace
}  // namespace aftercare::intake
