// What a case says: forms, classification, acceptance, rejection.

#include "services/intake/domain/case_record.h"

#include "tests/services/intake/cases_fixture.h"

namespace aftercare::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr absl::string_view kDescription = "description: '不制冷' ";

class CaseRecordTest : public CasesTest {
 protected:
  using CasesTest::CasesTest;

  void OpenComplaint(absl::string_view id, absl::string_view more = "") {
    OpenTyped(id, "complaint", absl::StrCat(kDescription, more));
  }
  void Amend(absl::string_view id, absl::string_view more) {
    s_.Given("AmendCase", Named(id, more));
  }
  static std::string Proof(char digit = 'a') {
    return absl::StrCat("file {sha256: '", std::string(64, digit), "'}");
  }
};

class TypeRequiredTest : public CaseRecordTest {
 protected:
  TypeRequiredTest() : CaseRecordTest(CasesPolicy("  type_required: true\n")) {}
};

// ---- OpenCase: types --------------------------------------------------------

// GEN-41, INT-41, INT-57.
TEST_F(CaseRecordTest, ATypeGivesKindPriorityDepartmentAndWhoHelps) {
  ExpectAccepted("OpenCase", Typed("k1", "complaint", kDescription),
                 "CaseOpened");
  const auto& c = Case("k1");
  EXPECT_EQ(c.type(), "complaint");
  EXPECT_EQ(c.kind(), v1::Case::COMPLAINT);
  EXPECT_EQ(c.priority(), v1::Case::HIGH);
  EXPECT_EQ(c.department(), "after-sales");
  EXPECT_EQ(c.owner(), "li");
  EXPECT_THAT(c.co_handlers(), ElementsAre("shen", "qiao"));
  EXPECT_FALSE(c.has_accept_time());
}

// GEN-07, GEN-37, DEL-17, INT-35: kinds beside inquiry, complaint and repair;
// an opinion is recorded whatever it says.
TEST_F(CaseRecordTest, OpinionsDesignServicesAndMarketNewsAreCases) {
  OpenTyped("k1", "opinion", "description: '你们错了'");
  EXPECT_EQ(Case("k1").kind(), v1::Case::SUGGESTION);
  EXPECT_EQ(Case("k1").priority(), v1::Case::LOW);
  OpenTyped("k2", "design");
  EXPECT_EQ(Case("k2").kind(), v1::Case::REQUEST);
  EXPECT_EQ(Case("k2").priority(), v1::Case::NORMAL);
  OpenTyped("k3", "market");
  EXPECT_EQ(Case("k3").kind(), v1::Case::INTELLIGENCE);
  for (const char* id : {"k1", "k2", "k3"}) {
    EXPECT_THAT(Missing(id), IsEmpty());
    EXPECT_EQ(Case(id).clocks_size(), 2) << id;
  }
}

TEST_F(CaseRecordTest, TypesThatAreUnknownOrOfAnotherKindAreRefused) {
  ExpectRefusal("OpenCase", Typed("k1", "compliant"), "CASE_TYPE_UNKNOWN");
  EXPECT_EQ(Metadata("type"), "compliant");
  ExpectRefusal("OpenCase", Typed("k1", "complaint", "kind: REPAIR"),
                "FIELD_INVALID", "kind");
  ExpectRefusal("OpenCase", Typed("k1", std::string(64, 'x')), "FIELD_INVALID",
                "type");
  OpenComplaint("k1", "kind: COMPLAINT");
  EXPECT_EQ(Case("k1").kind(), v1::Case::COMPLAINT);
}

// A company that lists types may still take a case by its kind, without form.
TEST_F(CaseRecordTest, AKindAloneHasNoForm) {
  Open("k1", "COMPLAINT");
  EXPECT_EQ(Case("k1").type(), "");
  EXPECT_EQ(Case("k1").priority(), v1::Case::NORMAL);
  EXPECT_EQ(Case("k1").department(), "");
  EXPECT_THAT(Case("k1").co_handlers(), IsEmpty());
  s_.Given("AcceptCase", Named("k1"));
  EXPECT_TRUE(Case("k1").has_accept_time());
  ExpectRefusal("OpenCase",
                Opening("k2", "COMPLAINT", Field("place", "text: 'x'")),
                "FORM_FIELD_UNKNOWN", "fields[place]");
}

TEST_F(TypeRequiredTest, ACompanyMayAskEveryCaseForItsType) {
  ExpectRefusal("OpenCase", Opening("k1", "COMPLAINT"), "FIELD_INVALID",
                "type");
  OpenTyped("k1", "opinion");
  EXPECT_EQ(Case("k1").kind(), v1::Case::SUGGESTION);
}

// ---- OpenCase: forms --------------------------------------------------------

// INT-08: a complaint says what it is about; INT-35: nothing else can be asked
// for before it is recorded.
TEST_F(CaseRecordTest, AComplaintWithoutADescriptionIsRefused) {
  ExpectRefusal("OpenCase", Typed("k1", "complaint"), "FORM_INCOMPLETE",
                "fields[description]");
  EXPECT_EQ(Metadata("form"), "complaint-record");
  EXPECT_EQ(Metadata("rule"), "INT-08");
  EXPECT_EQ(Metadata("stage"), "open");
  EXPECT_EQ(Metadata("fields"), "description");
}

// INT-05, INT-06, INT-08: what is lacking for acceptance is on record.
TEST_F(CaseRecordTest, WhatIsMissingForAcceptanceIsOnRecord) {
  OpenComplaint("k1");
  EXPECT_THAT(Missing("k1"), ElementsAre("occurred-at", "place", "contact"));
  OpenTyped("k2", "repair");
  EXPECT_THAT(Missing("k2"),
              ElementsAre("product", "description", "occurred-at", "proof"));
  OpenComplaint("k3", ComplaintRecord());
  EXPECT_THAT(Missing("k3"), IsEmpty());
  // In the order of the form, whatever the request's.
  OpenComplaint(
      "k4", Field("contact", "text: '110'") + Field("place", "text: '朝阳区'"));
  ASSERT_EQ(Case("k4").fields_size(), 2);
  EXPECT_EQ(Case("k4").fields(0).field(), "place");
}

// CUS-01: what the customer's file says need not be asked again.
TEST_F(CaseRecordTest, TheCustomersFileFillsContact) {
  s_.Given("UpdateCustomer",
           absl::StrCat("name: '", kWang, "' email: 'wang@example.com'"));
  OpenComplaint("k1");
  EXPECT_THAT(Missing("k1"), ElementsAre("occurred-at", "place"));
  OpenTyped("k2", "complaint",
            absl::StrCat("description: 'd' ", Field("place", "text: 'p'"),
                         Field("occurred-at",
                               absl::StrCat("time ", Stamp(Local("08:00"))))));
  EXPECT_THAT(Missing("k2"), IsEmpty());
}

// INT-30: the registered unit says model and serial number.
TEST_F(CaseRecordTest, TheSoldUnitSaysTheProduct) {
  RegisterAsset(kWang, "a1", "S-1");
  OpenTyped("k1", "repair", absl::StrCat("asset: '", kWang, "/assets/a1'"));
  EXPECT_THAT(Missing("k1"),
              ElementsAre("description", "occurred-at", "proof"));
}

TEST_F(CaseRecordTest, ValuesThatDoNotFitTheFormAreRefusedByField) {
  const auto refused = [&](const std::string& fields, absl::string_view reason,
                           absl::string_view field) {
    ExpectRefusal("OpenCase",
                  Typed("k1", "complaint", absl::StrCat(kDescription, fields)),
                  reason, field);
  };
  refused(Field("colour", "text: 'red'"), "FORM_FIELD_UNKNOWN",
          "fields[colour]");
  EXPECT_EQ(Metadata("field"), "colour");
  EXPECT_EQ(Metadata("type"), "complaint");
  refused(Field("Not an id", "text: 'x'"), "FIELD_INVALID", "fields[0].field");
  refused("fields {text: 'x'}", "FIELD_INVALID", "fields[0].field");
  refused(Field("place", "number: 3"), "FIELD_INVALID", "fields[place]");
  refused(Field("place", ""), "FIELD_INVALID", "fields[place]");
  refused(Field("place", absl::StrCat("text: '", std::string(21, 'x'), "'")),
          "FIELD_INVALID", "fields[place]");
  refused(Field("demand", "text: 'revenge'"), "FIELD_INVALID",
          "fields[demand]");
  refused(Field("amount", "money {currency_code: 'EUR' minor_units: 1}"),
          "FIELD_INVALID", "fields[amount].currency_code");
  refused(Field("place", "text: 'a'") + Field("place", "text: 'b'"),
          "FIELD_INVALID", "fields[place]");
  refused(
      Field("witnesses", "text: 'staff'") + Field("witnesses", "text: 'staff'"),
      "FIELD_INVALID", "fields[witnesses]");
  // What happened did so before it was told.
  refused(Field("occurred-at", absl::StrCat("time ", Stamp(Local("09:01")))),
          "FIELD_INVALID", "fields[occurred-at]");
  // The request has a place of its own for it.
  refused(Field("description", "text: 'd'"), "FIELD_INVALID",
          "fields[description]");
}

TEST_F(CaseRecordTest, SeveralChoicesAreSeveralEntries) {
  OpenComplaint("k1", Field("witnesses", "text: 'staff'") +
                          Field("witnesses", "text: 'family'"));
  ASSERT_EQ(Case("k1").fields_size(), 2);
  EXPECT_EQ(Case("k1").fields(0).text(), "staff");
  EXPECT_EQ(Case("k1").fields(1).text(), "family");
}

TEST_F(CaseRecordTest, AttachmentsAreProvenAndNotRepeated) {
  const std::string paper = absl::StrCat("attachments {title: '发票' sha256: '",
                                         std::string(64, 'a'), "'} ");
  OpenTyped("k1", "opinion", paper);
  EXPECT_EQ(Case("k1").attachments(0).title(), "发票");
  ExpectRefusal("OpenCase", Typed("k2", "opinion", "attachments {}"),
                "FIELD_INVALID", "attachments[0].sha256");
  ExpectRefusal("OpenCase", Typed("k2", "opinion", paper + paper),
                "FIELD_INVALID", "attachments[1].sha256");
  ExpectRefusal("AmendCase", Named("k1", paper), "FIELD_INVALID",
                "attachments[0].sha256");
}

TEST_F(CaseRecordTest, ACaseHasAHundredAttachmentsAtMost) {
  const auto papers = [](int count, absl::string_view last) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      absl::StrAppend(&text, "attachments {sha256: '", std::string(61, 'a'),
                      absl::Dec(i, absl::kZeroPad2), last, "'} ");
    }
    return text;
  };
  OpenTyped("k1", "opinion", papers(60, "a"));
  ExpectRefusal("AmendCase", Named("k1", papers(41, "b")), "FIELD_INVALID",
                "attachments");
  Amend("k1", papers(40, "b"));
  EXPECT_EQ(Case("k1").attachments_size(), 100);
}

// ---- Classification and routing ---------------------------------------------

// INT-28, INT-04, INT-41.
TEST_F(CaseRecordTest, WhatItIsAboutRoutesTheCaseNotItsOwner) {
  OpenComplaint("k1", "classification: 'product-quality' fault_code: 'leak'");
  EXPECT_EQ(Case("k1").department(), "quality");
  EXPECT_EQ(Case("k1").owner(), "li");
  EXPECT_EQ(Case("k1").priority(), v1::Case::URGENT);
  EXPECT_EQ(Case("k1").fault_code(), "leak");
  // Who asks decides about the priority.
  OpenComplaint("k2", "classification: 'product-quality' priority: LOW");
  EXPECT_EQ(Case("k2").priority(), v1::Case::LOW);
  OpenComplaint("k3", "classification: 'staff-attitude'");
  EXPECT_EQ(Case("k3").department(), "after-sales");
  EXPECT_EQ(Case("k3").priority(), v1::Case::HIGH);  // the type's
  // A route may name the owner.
  OpenTyped("k4", "market");
  EXPECT_EQ(Case("k4").department(), "sales");
  EXPECT_EQ(Case("k4").owner(), "shen");
}

TEST_F(CaseRecordTest, TheClocksFollowThePriorityThatWasFound) {
  OpenComplaint("k1", "classification: 'product-quality'");
  EXPECT_EQ(DueOf("k1", "first_response"), Instant(Local("11:00")));
}

TEST_F(CaseRecordTest, AFaultCodeFindsItsClassification) {
  OpenComplaint("k1", "fault_code: 'no-cooling'");
  EXPECT_EQ(Case("k1").classification(), "product-quality");
  EXPECT_EQ(Case("k1").department(), "quality");
}

TEST_F(CaseRecordTest, ClassificationsAndFaultsThatAreUnknownAreRefused) {
  const auto refused = [&](absl::string_view fields, absl::string_view reason) {
    ExpectRefusal("OpenCase",
                  Typed("k1", "complaint", absl::StrCat(kDescription, fields)),
                  reason);
  };
  refused("classification: 'taste'", "CLASSIFICATION_UNKNOWN");
  EXPECT_EQ(Metadata("classification"), "taste");
  // The handbook has it, the type does not.
  refused("classification: 'price'", "CLASSIFICATION_UNKNOWN");
  refused("classification: 'staff-attitude' fault_code: 'leak'",
          "FAULT_CODE_UNKNOWN");
  refused("fault_code: 'haunted'", "FAULT_CODE_UNKNOWN");
  OpenTyped("k2", "opinion", "classification: 'price'");
  EXPECT_EQ(Case("k2").classification(), "price");
}

// ---- AmendCase --------------------------------------------------------------

// INT-05: what was missing comes later.
TEST_F(CaseRecordTest, AnAmendmentCompletesTheRecord) {
  OpenComplaint("k1", Field("place", "text: '?'"));
  s_.At(Local("09:30")).As("wang");
  ExpectAccepted("AmendCase",
                 Named("k1", absl::StrCat(ComplaintRecord(),
                                          "description: '还是不制冷' "
                                          "product_line: 'laptop' "
                                          "reason: '客户来电'")),
                 "CaseAmended");
  const auto& fact = s_.event<v1::IntakeEvent>().case_amended();
  EXPECT_EQ(fact.by(), "wang");
  EXPECT_EQ(fact.reason(), "客户来电");
  const auto& c = Case("k1");
  EXPECT_THAT(Missing("k1"), IsEmpty());
  EXPECT_EQ(c.description(), "还是不制冷");
  EXPECT_EQ(c.product_line(), "laptop");
  ASSERT_EQ(c.fields_size(), 3);
  EXPECT_EQ(c.fields(1).field(), "place");
  EXPECT_EQ(c.fields(1).text(), "朝阳区");  // no longer "?"
  // The rest is as it was.
  EXPECT_EQ(c.owner(), "li");
  EXPECT_EQ(c.subject(), "开不了机");
  EXPECT_EQ(c.priority(), v1::Case::HIGH);
  EXPECT_EQ(c.state(), v1::Case::OPEN);
}

TEST_F(CaseRecordTest, SeveralChoicesAreReplacedTogether) {
  OpenComplaint("k1", Field("witnesses", "text: 'staff'") +
                          Field("witnesses", "text: 'family'"));
  Amend("k1", Field("witnesses", "text: 'neighbour'"));
  ASSERT_EQ(Case("k1").fields_size(), 1);
  EXPECT_EQ(Case("k1").fields(0).text(), "neighbour");
}

// WAR-01: the unit that is found later is judged as of the opening.
TEST_F(CaseRecordTest, TheUnitFoundLaterIsJudgedAsOfTheOpening) {
  RegisterAsset(kWang, "a1");  // in warranty until 2027-01-15
  s_.At("2027-01-15T20:00:00+08:00");
  OpenTyped("k1", "repair");
  s_.At("2027-01-20T20:00:00+08:00");
  Amend("k1", absl::StrCat("asset: '", kWang, "/assets/a1'"));
  EXPECT_TRUE(Case("k1").in_warranty());
  EXPECT_EQ(Case("k1").product_line(), "laptop");
  EXPECT_THAT(Missing("k1"),
              ElementsAre("description", "occurred-at", "proof"));
}

TEST_F(CaseRecordTest, APriorityIsLoweredForAReasonOnly) {
  OpenComplaint("k1");
  Amend("k1", "priority: URGENT");
  EXPECT_EQ(Case("k1").priority(), v1::Case::URGENT);
  ExpectRefusal("AmendCase", Named("k1", "priority: NORMAL"),
                "PRIORITY_NEEDS_REASON");
  EXPECT_EQ(Metadata("priority"), "URGENT");
  Amend("k1", "priority: NORMAL reason: '客户同意'");
  EXPECT_EQ(Case("k1").priority(), v1::Case::NORMAL);
}

// INT-28: another topic leads to another department; what a hand-over decided
// stays as long as the topic does.
TEST_F(CaseRecordTest, AnotherTopicLeadsToAnotherDepartment) {
  OpenComplaint("k1", "classification: 'product-quality' fault_code: 'leak'");
  s_.Given("TransferCase",
           Named("k1", "department: 'sales' reason: '价格问题'"));
  Amend("k1", Field("place", "text: 'p'"));
  EXPECT_EQ(Case("k1").department(), "sales");
  Amend("k1", "classification: 'staff-attitude'");
  EXPECT_EQ(Case("k1").department(), "after-sales");
  EXPECT_EQ(Case("k1").fault_code(), "");  // belongs to the other topic
}

TEST_F(CaseRecordTest, AmendingRefusesBadFieldsStatesAndTimes) {
  OpenComplaint("k1");
  const auto refused = [&](absl::string_view fields, absl::string_view reason,
                           absl::string_view field = "") {
    ExpectRefusal("AmendCase", Named("k1", fields), reason, field);
  };
  refused("", "FIELD_INVALID", "fields");
  refused("reason: 'nothing else'", "FIELD_INVALID", "fields");
  refused(absl::StrCat("description: '", std::string(20001, 'x'), "'"),
          "FIELD_INVALID", "description");
  refused(absl::StrCat("product_line: '", std::string(64, 'x'), "'"),
          "FIELD_INVALID", "product_line");
  refused("product_line: 'spaceship'", "PRODUCT_LINE_UNKNOWN");
  refused("asset: 'a1'", "NAME_INVALID", "asset");
  refused(absl::StrCat("asset: '", kZhao, "/assets/a1'"), "FIELD_INVALID",
          "asset");
  refused(absl::StrCat("asset: '", kWang, "/assets/none'"),
          "RESOURCE_NOT_FOUND");
  refused("classification: 'price'", "CLASSIFICATION_UNKNOWN");
  refused("fault_code: 'x'", "FAULT_CODE_UNKNOWN");
  refused(Field("place", "yes: true"), "FIELD_INVALID", "fields[place]");
  refused(absl::StrCat("priority: LOW reason: '", std::string(301, 'x'), "'"),
          "FIELD_INVALID", "reason");
  refused(absl::StrCat(Field("place", "text: 'p'"), "occur_time ",
                       Stamp(Local("08:59"))),
          "OCCUR_TIME_TOO_EARLY");
}

// INT-57, INT-04: other departments act on what is theirs; technicians complete
// what they see.
TEST_F(CaseRecordTest, OnlyTheDeskAndWhoWorksOnItAmendACase) {
  OpenTyped("k1", "complaint",
            absl::StrCat(kDescription, "classification: 'staff-attitude'"));
  s_.As("mao");
  ExpectRefusal("AmendCase", Named("k1", Field("place", "text: 'p'")),
                "NOT_THE_HANDLER");
  EXPECT_EQ(Metadata("department"), "after-sales");
  s_.As("shen");  // helps
  Amend("k1", Field("place", "text: 'p'"));
  s_.As("wu");
  Amend("k1", Field("place", "text: 'q'"));
  s_.As("li").Given("TransferCase",
                    Named("k1", "department: 'sales' reason: 'r'"));
  s_.As("mao");  // a member of the department now
  Amend("k1", Field("place", "text: 'r'"));
  EXPECT_EQ(Case("k1").fields(0).text(), "r");
}

// ---- AcceptCase -------------------------------------------------------------

// INT-05, INT-08.
TEST_F(CaseRecordTest, AComplaintIsAcceptedOnceItsRecordIsComplete) {
  OpenComplaint("k1", Field("contact", "text: '110'") +
                          Field("occurred-at",
                                absl::StrCat("time ", Stamp(Local("08:00")))));
  ExpectRefusal("AcceptCase", Named("k1"), "FORM_INCOMPLETE", "fields[place]");
  EXPECT_EQ(Metadata("fields"), "place");
  EXPECT_EQ(Metadata("stage"), "accept");
  Amend("k1", Field("place", "text: '朝阳区'"));
  s_.At(Local("10:00")).As("wang");
  ExpectAccepted("AcceptCase", Named("k1"), "CaseAccepted");
  EXPECT_EQ(Case("k1").accepted_by(), "wang");
  EXPECT_EQ(FromProto(Case("k1").accept_time()), Instant(Local("10:00")));
  ExpectRefusal("AcceptCase", Named("k1"), "CASE_ACCEPTED");
}

// INT-05, INT-06: proof, product, description and time of the fault.
TEST_F(CaseRecordTest, ARepairIsAcceptedOnceItsFaultReportIsComplete) {
  OpenTyped("k1", "repair");
  ExpectRefusal("AcceptCase", Named("k1"), "FORM_INCOMPLETE",
                "fields[product]");
  EXPECT_EQ(Metadata("fields"), "product,description,occurred-at,proof");
  Amend(
      "k1",
      absl::StrCat(
          kDescription, Field("product", "text: 'X1'"), Field("proof", Proof()),
          Field("occurred-at", absl::StrCat("time ", Stamp(Local("08:00"))))));
  ExpectAccepted("AcceptCase", Named("k1"), "CaseAccepted");
}

TEST_F(CaseRecordTest, TheCustomersFileCountsWhenTheCaseIsAccepted) {
  OpenComplaint("k1", Field("place", "text: 'p'") +
                          Field("occurred-at",
                                absl::StrCat("time ", Stamp(Local("08:00")))));
  EXPECT_THAT(Missing("k1"), ElementsAre("contact"));
  s_.Given("UpdateCustomer", absl::StrCat("name: '", kWang, "' phone: '110'"));
  ExpectAccepted("AcceptCase", Named("k1"), "CaseAccepted");
  EXPECT_THAT(Missing("k1"), IsEmpty());
}

TEST_F(CaseRecordTest, AcceptingRefusesStatesAndTimes) {
  OpenTyped("k1", "opinion");
  ExpectRefusal("AcceptCase",
                Named("k1", absl::StrCat("occur_time ", Stamp(Local("08:59")))),
                "OCCUR_TIME_TOO_EARLY");
  s_.Given("ResolveCase", Named("k1", "resolution: 'r'"));
  ExpectRefusal("AcceptCase", Named("k1"), "CASE_NOT_OPEN");
}

// ---- RejectCase -------------------------------------------------------------

// INT-24, GEN-14: rejected with an answer, which stops the clocks.
TEST_F(CaseRecordTest, ARejectedCaseIsClosedWithItsAnswer) {
  OpenTyped("k1", "repair");
  s_.At(Local("10:00")).As("wang");
  ExpectAccepted("RejectCase",
                 Named("k1", "code: OUT_OF_SCOPE text: '不属于我们的产品'"),
                 "CaseRejected");
  const auto& fact = s_.event<v1::IntakeEvent>().case_rejected();
  EXPECT_EQ(fact.code(), v1::CaseRejected::OUT_OF_SCOPE);
  EXPECT_EQ(fact.by(), "wang");
  EXPECT_EQ(fact.owner(), "li");
  EXPECT_EQ(fact.kind(), v1::Case::REPAIR);
  EXPECT_EQ(fact.region(), "beijing");
  const auto& c = Case("k1");
  EXPECT_EQ(c.state(), v1::Case::CLOSED);
  EXPECT_EQ(c.outcome(), v1::Case::REJECTED);
  EXPECT_EQ(c.resolution(), "不属于我们的产品");
  EXPECT_EQ(c.resolved_by(), "");
  EXPECT_FALSE(c.has_resolve_time());
  EXPECT_EQ(FromProto(c.close_time()), Instant(Local("10:00")));
  EXPECT_EQ(ClockState("k1", "first_response"), "STOPPED");
  EXPECT_EQ(ClockState("k1", "resolution"), "STOPPED");
  s_.WhenTimePasses(Local("10:00", 20));
  EXPECT_EQ(s_.Events(), "");
}

TEST_F(CaseRecordTest, ARejectedCaseCanBeReopened) {
  OpenTyped("k1", "opinion");
  s_.Given("PauseCase", Named("k1", "reason: 'r'"));
  s_.Given("RejectCase", Named("k1", "code: NOT_GENUINE text: 't'"));
  EXPECT_EQ(Case("k1").pause_reason(), "");
  ExpectRefusal("RecordFollowUp", Named("k1", "satisfaction: 5"),
                "CASE_NOT_RESOLVED");
  ExpectAccepted("ReopenCase", Named("k1", "reason: '有新证据'"),
                 "CaseReopened");
  EXPECT_EQ(Case("k1").state(), v1::Case::OPEN);
  EXPECT_EQ(Case("k1").outcome(), v1::Case::OUTCOME_UNSPECIFIED);
  EXPECT_EQ(Case("k1").resolution(), "");
  EXPECT_EQ(ClockState("k1", "resolution"), "RUNNING");
}

TEST_F(CaseRecordTest, RejectingRefusesBadFieldsStatesAndTimes) {
  OpenTyped("k1", "opinion");
  ExpectRefusal("RejectCase", Named("k1", "text: 't'"), "FIELD_INVALID",
                "code");
  ExpectRefusal("RejectCase", Named("k1", "code: UNREASONABLE"),
                "FIELD_INVALID", "text");
  ExpectRefusal(
      "RejectCase",
      Named("k1", absl::StrCat("code: UNREASONABLE text: 't' occur_time ",
                               Stamp(Local("08:59")))),
      "OCCUR_TIME_TOO_EARLY");
  s_.Given("ResolveCase", Named("k1", "resolution: 'r'"));
  ExpectRefusal("RejectCase", Named("k1", "code: UNREASONABLE text: 't'"),
                "CASE_NOT_OPEN");
}

// ---- The form at the later stages -------------------------------------------

// INT-33: the demand, before the complaint is resolved; its amount only where
// money is demanded.
TEST_F(CaseRecordTest, WhatIsDueAtResolvingIsAskedForThere) {
  OpenComplaint("k1", ComplaintRecord());
  ExpectRefusal("ResolveCase", Named("k1", "resolution: 'r'"),
                "FORM_INCOMPLETE", "fields[demand]");
  EXPECT_EQ(Metadata("stage"), "resolve");
  Amend("k1", Field("demand", "text: 'refund'"));
  ExpectRefusal("ResolveCase", Named("k1", "resolution: 'r'"),
                "FORM_INCOMPLETE", "fields[amount]");
  Amend("k1", Field("demand", "text: 'apology'"));
  ExpectAccepted("ResolveCase", Named("k1", "resolution: 'r'"), "CaseResolved");
}

TEST_F(CaseRecordTest, WhatIsDueAtClosingMayComeAfterTheResolution) {
  OpenComplaint("k1", ComplaintRecord() + Field("demand", "text: 'apology'"));
  s_.Given("ResolveCase", Named("k1", "resolution: 'r'"));
  s_.As("chen");
  ExpectRefusal("CloseCase", Named("k1"), "FORM_INCOMPLETE",
                "fields[heard-back]");
  Amend("k1", Field("heard-back", "yes: true"));
  ExpectAccepted("CloseCase", Named("k1"), "CaseClosed");
  ExpectRefusal("AmendCase", Named("k1", Field("heard-back", "yes: false")),
                "CASE_NOT_OPEN");
}

// CASE-35: what the customer never told cannot be asked of automation, which
// gives up for that very reason.
TEST_F(CaseRecordTest, GivingUpAsksForNothing) {
  OpenComplaint("k1");
  s_.Given("ResolveCase", Named("k1", "resolution: 'r' by_timeout: true"));
  s_.As("chen");
  ExpectAccepted("CloseCase", Named("k1"), "CaseClosed");
}

// The visit is over whatever the desk has written; closing asks for the rest.
TEST_F(CaseRecordTest, ACompletedVisitResolvesAndClosingAsksForTheRest) {
  OpenTyped("k1", "repair");
  s_.As("system").Given("RecordRepairProgress", Repair("COMPLETED"));
  EXPECT_EQ(StateOf("k1"), "RESOLVED");
  s_.As("li");
  ExpectRefusal("CloseCase", Named("k1"), "FORM_INCOMPLETE", "fields[product]");
}

TEST_F(CaseRecordTest, EveryNewCommandChecksNameExistenceAndEtag) {
  OpenTyped("k1", "opinion");
  const std::pair<const char*, std::string> commands[] = {
      {"AmendCase", "description: 'd' "},
      {"AcceptCase", ""},
      {"RejectCase", "code: UNREASONABLE text: 't' "},
  };
  for (const auto& [method, fields] : commands) {
    ExpectRefusal(method, fields, "NAME_INVALID", "name");
    ExpectRefusal(method, fields + Named("none"), "RESOURCE_NOT_FOUND");
    ExpectRefusal(method, fields + Named("k1", "etag: 'old'"), "ETAG_MISMATCH");
  }
}

}  // namespace
}  // namespace aftercare::intake
