#include "libs/handbook/when.h"

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace aftercare::handbook {
namespace {

v1::When Condition(const std::string& text) {
  v1::When when;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &when))
      << text;
  return when;
}

class WhenTest : public ::testing::Test {
 protected:
  WhenTest() {
    situation_.type = "complaint";
    situation_.kind = "complaint";
    situation_.priority = "high";
    situation_.channel = "hotline";
    situation_.product_line = "laptop";
    situation_.region = "beijing";
    Add("payment-mode").set_text("mortgage");
    Add("rooms").set_number(3);
    Add("injured").set_yes(false);
    Add("since").mutable_time()->set_seconds(7);
    situation_.fields = &fields_;
  }

  common::v1::FieldValue& Add(const char* field) {
    auto& value = *fields_.Add();
    value.set_field(field);
    return value;
  }
  bool Fits(const std::string& text) {
    return Holds(Condition(text), situation_);
  }

  FieldValues fields_;
  Situation situation_;
};

TEST_F(WhenTest, WithoutConditionsItHolds) {
  EXPECT_TRUE(Fits(""));
  EXPECT_TRUE(Holds(v1::When(), Situation()));
}

TEST_F(WhenTest, EntriesAreAlternativesAndListsMustAllHold) {
  EXPECT_TRUE(Fits("types: 'repair' types: 'complaint'"));
  EXPECT_FALSE(Fits("types: 'repair'"));
  EXPECT_TRUE(Fits("types: 'complaint' priorities: 'high'"));
  EXPECT_FALSE(Fits("types: 'complaint' priorities: 'low'"));
}

TEST_F(WhenTest, EachListAsksForItsOwn) {
  for (const char* list :
       {"types: '", "kinds: '", "priorities: '", "channels: '",
        "product_lines: '", "regions: '", "warranty: '"}) {
    EXPECT_FALSE(Fits(std::string(list) + "other'")) << list;
  }
  EXPECT_TRUE(Fits("kinds: 'complaint'"));
  EXPECT_TRUE(Fits("channels: 'hotline'"));
  EXPECT_TRUE(Fits("product_lines: 'laptop'"));
  EXPECT_TRUE(Fits("regions: 'beijing'"));
}

// What is not known fits an empty list only; the warranty says so by name.
TEST_F(WhenTest, TheUnknownFitsNoNamedValue) {
  EXPECT_FALSE(Fits("classifications: 'fee'"));
  EXPECT_TRUE(Fits("warranty: 'unknown'"));
  EXPECT_FALSE(Fits("warranty: 'in' warranty: 'out'"));
  situation_.warranty = "in";
  EXPECT_TRUE(Fits("warranty: 'in'"));
}

TEST_F(WhenTest, FieldsAreAskedForByPresenceOrValue) {
  EXPECT_TRUE(Fits("fields: 'payment-mode'"));
  EXPECT_TRUE(Fits("fields: 'since'"));
  EXPECT_FALSE(Fits("fields: 'demand'"));
  EXPECT_TRUE(Fits("fields: 'payment-mode=mortgage'"));
  EXPECT_FALSE(Fits("fields: 'payment-mode=lump-sum'"));
  EXPECT_TRUE(Fits("fields: 'rooms=3'"));
  EXPECT_FALSE(Fits("fields: 'rooms=4'"));
  EXPECT_TRUE(Fits("fields: 'injured=false'"));
  EXPECT_FALSE(Fits("fields: 'injured=true'"));
  EXPECT_FALSE(Fits("fields: 'since=7'"));
}

TEST_F(WhenTest, EntriesAboutOneFieldAreAlternativesAboutTwoNot) {
  EXPECT_TRUE(
      Fits("fields: 'payment-mode=lump-sum' fields: 'payment-mode=mortgage'"));
  EXPECT_TRUE(Fits("fields: 'payment-mode=mortgage' fields: 'rooms=3'"));
  EXPECT_FALSE(Fits("fields: 'payment-mode=mortgage' fields: 'rooms=4'"));
  EXPECT_FALSE(Fits("fields: 'rooms=3' fields: 'demand'"));
}

TEST_F(WhenTest, WithoutAFormNoFieldIsThere) {
  situation_.fields = nullptr;
  EXPECT_FALSE(Fits("fields: 'payment-mode'"));
}

}  // namespace
}  // namespace aftercare::handbook
