#include "libs/handbook/form.h"

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/handbook/yaml.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::handbook {
namespace {

template <typename M>
M Parsed(const std::string& text) {
  M message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message))
      << text;
  return message;
}

class FormTest : public ::testing::Test {
 protected:
  static const Policy& Demo() {
    static const auto* const policy = new std::shared_ptr<const Policy>(
        *Policy::Compile(LoadHandbook(testing::DemoHandbookText()).handbook));
    return **policy;
  }
  // Empty when the value is good, else what is wrong with it.
  static std::string ProblemOf(const std::string& field,
                               const std::string& value) {
    const absl::Status status =
        CheckValue("f", Parsed<v1::FormField>(field),
                   Parsed<common::v1::FieldValue>(value), Demo());
    if (status.ok()) return "";
    EXPECT_EQ(ReasonOf(status), "FIELD_INVALID");
    EXPECT_EQ(FieldOf(status).substr(0, 1), "f");
    return std::string(status.message());
  }
  static void ExpectGood(const std::string& field, const std::string& value) {
    EXPECT_EQ(ProblemOf(field, value), "") << field << " " << value;
  }
  static void ExpectBad(const std::string& field, const std::string& value) {
    EXPECT_NE(ProblemOf(field, value), "") << field << " " << value;
  }
};

TEST_F(FormTest, EveryTypeTakesItsOwnKindOfValueOnly) {
  const std::string sha(64, 'a');
  const std::pair<const char*, std::string> own[] = {
      {"TEXT", "text: '朝阳区'"},
      {"LONG_TEXT", "text: 'a\\nb'"},
      {"NUMBER", "number: -3"},
      {"MONEY", "money {currency_code: 'CNY' minor_units: 1}"},
      {"DATE", "text: '2026-02-28'"},
      {"TIME", "time {seconds: 1767225600}"},
      {"CHOICE", "text: 'a'"},
      {"CHOICES", "text: 'b'"},
      {"YES_NO", "yes: false"},
      {"PHONE", "text: '+86 (10) 1234-5678'"},
      {"EMAIL", "text: 'wang@example.com'"},
      {"PERSON", "text: 'agent-li'"},
      {"FILE", "file {sha256: '" + sha + "'}"}};
  ASSERT_EQ(
      std::size(own) + 1u,
      static_cast<size_t>(v1::FormField::Type_descriptor()->value_count()));
  for (const auto& [type, good] : own) {
    const std::string field =
        absl::StrCat("type: ", type, " choices: 'a' choices: 'b'");
    ExpectGood(field, good);
    ExpectBad(field, "");
    // A value of every other kind.
    for (const char* other : {"text: 'zz'", "number: 1", "yes: true",
                              "money {}", "time {}", "file {}"}) {
      const bool same = std::string(other).substr(0, 3) == good.substr(0, 3);
      if (!same) ExpectBad(field, other);
    }
  }
}

TEST_F(FormTest, TextsAreCountedInCharacters) {
  ExpectGood("type: TEXT min: 2 max: 3", "text: '三个字'");
  ExpectBad("type: TEXT min: 2 max: 3", "text: '四个字了'");
  ExpectBad("type: TEXT min: 2 max: 3", "text: '一'");
  ExpectBad("type: TEXT", "text: ''");
  ExpectBad("type: TEXT", "text: '" + std::string(301, 'x') + "'");
  ExpectGood("type: LONG_TEXT", "text: '" + std::string(301, 'x') + "'");
  ExpectBad("type: LONG_TEXT", "text: '" + std::string(20001, 'x') + "'");
  ExpectBad("type: TEXT", "text: 'a\\001'");
}

TEST_F(FormTest, NumbersAndAmountsHaveLimits) {
  ExpectGood("type: NUMBER min: 1 max: 5", "number: 1");
  ExpectGood("type: NUMBER min: 1 max: 5", "number: 5");
  ExpectBad("type: NUMBER min: 1 max: 5", "number: 0");
  ExpectBad("type: NUMBER min: 1 max: 5", "number: 6");
  ExpectGood("type: MONEY max: 500",
             "money {currency_code: 'CNY' minor_units: 500}");
  ExpectBad("type: MONEY max: 500",
            "money {currency_code: 'CNY' minor_units: 501}");
  ExpectBad("type: MONEY", "money {currency_code: 'EUR' minor_units: 1}");
  ExpectBad("type: MONEY", "money {currency_code: 'CNY' minor_units: -1}");
}

TEST_F(FormTest, DaysTimesAndChoicesArePrecise) {
  ExpectBad("type: DATE", "text: '2026-02-29'");
  ExpectBad("type: DATE", "text: '2026-2-8'");
  ExpectBad("type: DATE", "text: '28.02.2026'");
  ExpectBad("type: TIME", "time {seconds: 253402300799}");
  ExpectBad("type: CHOICE choices: 'a'", "text: 'A'");
  ExpectBad("type: CHOICES choices: 'a'", "text: ''");
}

TEST_F(FormTest, TelephonesMailAndPeopleAreRecognised) {
  ExpectGood("type: PHONE", "text: '110'");
  ExpectBad("type: PHONE", "text: '12'");
  ExpectBad("type: PHONE", "text: '800-COFFEE'");
  ExpectBad("type: PHONE", "text: '" + std::string(31, '1') + "'");
  for (const char* bad : {"wang", "@example.com", "a@b", "a@b@c.com",
                          "a b@c.com", "a@.com", "a@c."}) {
    ExpectBad("type: EMAIL", absl::StrCat("text: '", bad, "'"));
  }
  ExpectBad("type: PERSON", "text: 'nobody'");
  ExpectBad("type: FILE", "file {sha256: 'beef'}");
}

TEST_F(FormTest, ALaterStageAsksForWhatAnEarlierOneDoes) {
  const auto due = [](const char* at, const char* stage) {
    v1::FormField field;
    field.set_required_at(at);
    return IsDue(field, stage, Situation());
  };
  EXPECT_FALSE(due("accept", "open"));
  EXPECT_TRUE(due("accept", "accept"));
  EXPECT_TRUE(due("accept", "close"));
  EXPECT_TRUE(due("open", "resolve"));
  EXPECT_FALSE(due("close", "resolve"));
  EXPECT_FALSE(due("", "close"));
}

TEST_F(FormTest, AFieldIsDueOnlyWhereItsConditionHolds) {
  const auto field =
      Parsed<v1::FormField>("required_at: 'accept' when {channels: 'hotline'}");
  Situation situation;
  situation.channel = "hotline";
  EXPECT_TRUE(IsDue(field, "accept", situation));
  situation.channel = "letter";
  EXPECT_FALSE(IsDue(field, "accept", situation));
}

TEST_F(FormTest, FieldsAreFoundById) {
  const auto form = Parsed<v1::Form>("fields {id: 'place'} fields {id: 'who'}");
  ASSERT_NE(FindField(form, "who"), nullptr);
  EXPECT_EQ(FindField(form, "who"), &form.fields(1));
  EXPECT_EQ(FindField(form, "when"), nullptr);
  EXPECT_TRUE(IsCaseField("product-line"));
  EXPECT_FALSE(IsCaseField("place"));
}

}  // namespace
}  // namespace aftercare::handbook
