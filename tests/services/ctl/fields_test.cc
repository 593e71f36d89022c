#include "services/ctl/fields.h"

#include <string>
#include <utility>
#include <vector>

#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/time.h"

namespace aftercare::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Problem(google::protobuf::Message& message, const std::string& path,
                    const std::string& text) {
  return std::string(SetField(message, path, text).message());
}

TEST(FieldsTest, TextBecomesWhatTheFieldHolds) {
  intake::v1::OpenCaseRequest request;
  ASSERT_TRUE(SetField(request, "subject", "水壶 leaks").ok());
  ASSERT_TRUE(SetField(request, "kind", "repair").ok());
  ASSERT_TRUE(SetField(request, "product-line", "kettle").ok());
  ASSERT_TRUE(
      SetField(request, "occur_time", "2026-03-01T08:30:00+08:00").ok());
  EXPECT_EQ(request.subject(), "水壶 leaks");
  EXPECT_EQ(request.kind(), intake::v1::Case::REPAIR);
  EXPECT_EQ(request.product_line(), "kettle");
  EXPECT_EQ(FormatRfc3339(FromProto(request.occur_time())),
            "2026-03-01T00:30:00Z");

  intake::v1::ResolveCaseRequest resolve;
  ASSERT_TRUE(SetField(resolve, "by-timeout", "true").ok());
  EXPECT_TRUE(resolve.by_timeout());
  ASSERT_TRUE(SetField(resolve, "by-timeout", "false").ok());
  EXPECT_FALSE(resolve.by_timeout());

  dispatch::v1::AssignWorkOrderRequest assign;
  ASSERT_TRUE(SetField(assign, "duration", "1h30m").ok());
  EXPECT_EQ(assign.duration().seconds(), 5400);

  intake::v1::ListCasesRequest list;
  ASSERT_TRUE(SetField(list, "page-size", "20").ok());
  EXPECT_EQ(list.page_size(), 20);
}

// The values of a form are alternatives of one message.
TEST(FieldsTest, ValuesOfAFormAreSetByTheirKind) {
  intake::v1::OpenCaseRequest request;
  ASSERT_TRUE(SetField(request, "fields.0.field", "place").ok());
  ASSERT_TRUE(SetField(request, "fields.0.text", "朝阳区").ok());
  ASSERT_TRUE(SetField(request, "fields.1.field", "amount").ok());
  ASSERT_TRUE(SetField(request, "fields.1.money", "12.50 CNY").ok());
  ASSERT_TRUE(SetField(request, "fields.2.field", "occurred-at").ok());
  ASSERT_TRUE(
      SetField(request, "fields.2.time", "2026-03-01T08:30:00+08:00").ok());
  ASSERT_TRUE(SetField(request, "fields.3.yes", "false").ok());
  ASSERT_TRUE(SetField(request, "fields.4.file.sha256", "ab").ok());
  ASSERT_EQ(request.fields_size(), 5);
  EXPECT_EQ(request.fields(0).text(), "朝阳区");
  EXPECT_EQ(request.fields(1).money().minor_units(), 1250);
  EXPECT_EQ(request.fields(2).time().seconds(), 1772325000);
  EXPECT_TRUE(request.fields(3).has_yes());
  EXPECT_FALSE(request.fields(3).yes());
  EXPECT_EQ(request.fields(4).file().sha256(), "ab");
  // The last one counts.
  ASSERT_TRUE(SetField(request, "fields.0.number", "3").ok());
  EXPECT_FALSE(request.fields(0).has_text());
  EXPECT_EQ(request.fields(0).number(), 3);
}

TEST(FieldsTest, ListsGrowByNameOrByIndex) {
  dispatch::v1::CompleteWorkOrderRequest request;
  ASSERT_TRUE(SetField(request, "parts.0.part", "element").ok());
  ASSERT_TRUE(SetField(request, "parts.0.quantity", "2").ok());
  ASSERT_TRUE(SetField(request, "parts.0.unit-price", "12.5 CNY").ok());
  ASSERT_TRUE(SetField(request, "parts.1.part", "seal").ok());
  ASSERT_EQ(request.parts_size(), 2);
  EXPECT_EQ(request.parts(0).quantity(), 2);
  EXPECT_EQ(request.parts(0).unit_price().minor_units(), 1250);
  EXPECT_EQ(request.parts(1).part(), "seal");
  EXPECT_THAT(Problem(request, "parts.3.part", "x"), HasSubstr("parts.2"));
  EXPECT_THAT(Problem(request, "parts.part", "x"), HasSubstr("parts.0."));
  EXPECT_THAT(Problem(request, "parts.-1.part", "x"), HasSubstr("parts.0."));

  dispatch::v1::RegisterTechnicianRequest technician;
  ASSERT_TRUE(SetField(technician, "skills", "electronics").ok());
  ASSERT_TRUE(SetField(technician, "skills", "appliance").ok());
  EXPECT_THAT(technician.skills(), ElementsAre("electronics", "appliance"));
}

TEST(FieldsTest, AMessageTakesItsJson) {
  dispatch::v1::SetLeaveRequest request;
  ASSERT_TRUE(SetField(request, "leave",
                       R"({"start":"2026-03-01T00:00:00Z",)"
                       R"("end":"2026-03-02T00:00:00Z"})")
                  .ok());
  EXPECT_EQ(
      request.leave(0).end().seconds() - request.leave(0).start().seconds(),
      86400);
  EXPECT_THAT(Problem(request, "leave", "tomorrow"),
              HasSubstr("aftercare.common.v1.Interval"));
}

TEST(FieldsTest, WhatDoesNotFitIsRefusedWithTheFieldAndTheChoices) {
  intake::v1::OpenCaseRequest request;
  const std::string kind = Problem(request, "kind", "repiar");
  EXPECT_THAT(kind, HasSubstr("kind: 'repiar'"));
  EXPECT_THAT(kind, HasSubstr("inquiry, complaint, repair"));
  EXPECT_THAT(Problem(request, "colour", "red"),
              HasSubstr("OpenCaseRequest has no field 'colour'"));
  EXPECT_THAT(Problem(request, "subject.x", "red"), HasSubstr("no fields"));
  EXPECT_THAT(Problem(request, "occur_time", "yesterday"),
              HasSubstr("2026-03-01T08:30:00+08:00"));
  EXPECT_THAT(Problem(request, "subject", "\xff"), HasSubstr("UTF-8"));
  EXPECT_THAT(Problem(request, "", "x"), HasSubstr("no field ''"));

  intake::v1::ListCasesRequest list;
  for (const std::string text : {"", "x", "1.5", "2147483648", "1 2"}) {
    EXPECT_FALSE(SetField(list, "page_size", text).ok()) << text;
  }
  dispatch::v1::AssignWorkOrderRequest assign;
  EXPECT_THAT(Problem(assign, "duration", "soon"), HasSubstr("90m"));
}

TEST(FieldsTest, APathIsCheckedWithoutAValue) {
  const auto& complete = *dispatch::v1::CompleteWorkOrderRequest::descriptor();
  for (const std::string path :
       {"report", "parts.0.quantity", "parts.7.unit-price", "fee",
        "parts.0.unit_price.currency_code", "parts"}) {
    EXPECT_TRUE(CheckField(complete, path).ok()) << path;
  }
  for (const std::string path :
       {"", "reprot", "parts.quantity", "parts.0", "parts.x.quantity",
        "parts.0.nothing", "report.x"}) {
    EXPECT_FALSE(CheckField(complete, path).ok()) << path;
  }
}

TEST(MoneyTest, EitherOrderAndTheCurrencysOwnDigits) {
  const std::vector<std::pair<std::string, int64_t>> good = {
      {"12.50 CNY", 1250},
      {"CNY 12.5", 1250},
      {"12 CNY", 1200},
      {"0.05 CNY", 5},
      {"-0.05 CNY", -5},
      {"1500 JPY", 1500},
      {"1500 XAF", 1500},
      {"1.234 KWD", 1234},
      {"1.5 LYD", 1500},
      {"1.5 CLF", 15000},
      {"92233720368547758.07 CNY", INT64_MAX}};
  for (const auto& [text, units] : good) {
    const auto money = ParseMoney(text);
    ASSERT_TRUE(money.ok()) << text;
    EXPECT_EQ(money->minor_units(), units) << text;
  }
  for (const std::string bad :
       {"", "12", "CNY", "CNY CNY", "12.505 CNY", "1.5 JPY", "1. CNY", ".5 CNY",
        "1.2.3 CNY", "1e3 CNY", "1,000 CNY", "--1 CNY", "- CNY", "1 2 CNY",
        "92233720368547758.08 CNY"}) {
    EXPECT_FALSE(ParseMoney(bad).ok()) << bad;
  }
}

TEST(MoneyTest, WhatIsPrintedIsReadAsTheSame) {
  for (const std::string currency : {"CNY", "JPY", "KWD", "UYW"}) {
    for (const int64_t units :
         {int64_t{0}, int64_t{1}, int64_t{-1}, int64_t{99}, int64_t{100},
          int64_t{-12345}, int64_t{INT64_MAX}, int64_t{-INT64_MAX}}) {
      common::v1::Money money;
      money.set_currency_code(currency);
      money.set_minor_units(units);
      const auto again = ParseMoney(FormatMoney(money));
      ASSERT_TRUE(again.ok()) << FormatMoney(money);
      EXPECT_EQ(again->minor_units(), units) << FormatMoney(money);
    }
  }
  common::v1::Money lowest;
  lowest.set_currency_code("CNY");
  lowest.set_minor_units(INT64_MIN);
  EXPECT_EQ(FormatMoney(lowest), "-92233720368547758.08 CNY");
}

}  // namespace
}  // namespace aftercare::ctl
