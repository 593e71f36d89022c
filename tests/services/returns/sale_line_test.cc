#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/status/status.h"
#include "libs/base/time.h"
#include "tests/services/returns/returns_scenario.h"

namespace aftercare::returns {
namespace {

class SaleLineTest : public ReturnsTest {
 protected:
  // A good request with one piece replaced.
  static std::string With(absl::string_view from, absl::string_view to) {
    const std::string good = absl::StrCat(
        "parent: '", kCustomer,
        "' sale_line_id: 'l1' product: 'Kettle' product_line: 'kettle' "
        "order_number: 'A-7' quantity_ordered: 3 quantity_delivered: 2 "
        "unit_price_paid { currency_code: 'CNY' minor_units: 8999 } "
        "order_time { seconds: 1772330400 } "
        "delivery_time { seconds: 1772413200 } "
        "serials: 's1' serials: 's2' ");
    EXPECT_TRUE(absl::StrContains(good, from)) << from;
    return absl::StrReplaceAll(good, {{from, to}});
  }
};

TEST_F(SaleLineTest, RecordsWhatWasSoldDeliveredAndPaid) {
  s_.Given("RecordSaleLine", With("l1", "l1"));
  EXPECT_EQ(s_.Events(), "SaleLineRecorded");
  const v1::SaleLine& line = Sold(absl::StrCat(kCustomer, "/saleLines/l1"));
  EXPECT_EQ(line.product(), "Kettle");
  EXPECT_EQ(line.product_line(), "kettle");
  EXPECT_EQ(line.order_number(), "A-7");
  EXPECT_EQ(line.quantity_ordered(), 3);
  EXPECT_EQ(line.quantity_delivered(), 2);
  EXPECT_EQ(line.unit_price_paid().minor_units(), 8999);
  EXPECT_EQ(line.amount_refunded().currency_code(), "CNY");
  EXPECT_THAT(line.serials(), ::testing::ElementsAre("s1", "s2"));
  EXPECT_EQ(FromProto(line.create_time()), s_.now());
  EXPECT_NE(line.etag(), "");
}

TEST_F(SaleLineTest, KeepsChineseTextAndEmoji) {
  s_.Given("RecordSaleLine", With("'Kettle'", "'电热水壶 🫖'"));
  EXPECT_EQ(Sold(absl::StrCat(kCustomer, "/saleLines/l1")).product(),
            "电热水壶 🫖");
}

TEST_F(SaleLineTest, ChoosesAnIdWhenNoneIsGiven) {
  s_.Given("RecordSaleLine", With("'l1'", "''"));
  EXPECT_EQ(s_.event_count(), 1u);
  EXPECT_TRUE(absl::StartsWith(
      s_.event<v1::ReturnsEvent>().sale_line_recorded().sale_line().name(),
      absl::StrCat(kCustomer, "/saleLines/")));
}

TEST_F(SaleLineTest, TakesAnOrderOfWhichNothingIsDelivered) {
  s_.Given("RecordSaleLine", SaleLine("later", 3, 0, 8999));
  const v1::SaleLine& line = Sold(absl::StrCat(kCustomer, "/saleLines/later"));
  EXPECT_EQ(line.quantity_delivered(), 0);
  EXPECT_FALSE(line.has_delivery_time());
}

TEST_F(SaleLineTest, RefusesBadFields) {
  const std::string huge(kMaxShortText + 1, 'x');
  for (const auto& [from, to, field] :
       std::vector<std::tuple<std::string, std::string, std::string>>{
           {"'l1'", "'L 1'", "sale_line_id"},
           {"'Kettle'", "''", "product"},
           {"'Kettle'", "'a\\007b'", "product"},
           {"'Kettle'", absl::StrCat("'", huge, "'"), "product"},
           {"'A-7'", absl::StrCat("'", huge, "'"), "order_number"},
           {"'kettle'", absl::StrCat("'", huge, "'"), "product_line"},
           {"quantity_ordered: 3", "quantity_ordered: 0", "quantity_ordered"},
           {"quantity_ordered: 3", "quantity_ordered: -1", "quantity_ordered"},
           {"quantity_ordered: 3", "quantity_ordered: 1000001",
            "quantity_ordered"},
           {"quantity_delivered: 2", "quantity_delivered: -1",
            "quantity_delivered"},
           {"'CNY'", "'USD'", "unit_price_paid.currency_code"},
           {"minor_units: 8999", "minor_units: -1",
            "unit_price_paid.minor_units"},
           // Each price is possible, three times it is not.
           {"minor_units: 8999", "minor_units: 9000000000000",
            "unit_price_paid.minor_units"},
           {"order_time { seconds: 1772330400 }", "", "order_time"},
           // Year 9999.
           {"seconds: 1772330400", "seconds: 253370764800", "order_time"},
           {"seconds: 1772330400", "seconds: 1893456000", "order_time"},
           {"delivery_time { seconds: 1772413200 }", "", "delivery_time"},
           {"seconds: 1772413200", "seconds: 253370764800", "delivery_time"},
           {"seconds: 1772413200", "seconds: 1893456000", "delivery_time"},
           {"seconds: 1772413200", "seconds: 1772330399", "delivery_time"},
           {"quantity_delivered: 2", "quantity_delivered: 0", "delivery_time"},
           {"serials: 's2'", "", "serials"},
           {"serials: 's2'", "serials: 's1'", "serials[1]"},
           {"serials: 's2'", "serials: ''", "serials[1]"},
           {"serials: 's2'", absl::StrCat("serials: '", huge, "'"),
            "serials[1]"}}) {
    ExpectBad("RecordSaleLine", With(from, to), field);
  }
}

TEST_F(SaleLineTest, RefusesMalformedParents) {
  for (const char* parent :
       {"", "companies/acme", "companies/acme/customers/C 1",
        "companies/acme/staff/c1", "companies/acme/customers/c1/returns/r1",
        "companies/acme/customers/-"}) {
    ExpectRefused("RecordSaleLine", With(std::string(kCustomer), parent),
                  "NAME_INVALID", "parent");
  }
}

TEST_F(SaleLineTest, RefusesATakenIdMoreThanOrderedAndUnknownProductLines) {
  ExpectRefused("RecordSaleLine", With("'l1'", "'kettles'"),
                "RESOURCE_ALREADY_EXISTS");
  ExpectRefused("RecordSaleLine",
                With("quantity_ordered: 3", "quantity_ordered: 1"),
                "DELIVERY_ABOVE_ORDER");
  ExpectRefused("RecordSaleLine", With("'kettle'", "'teapot'"),
                "PRODUCT_LINE_UNKNOWN");
}

// CASE-23 (open-mercato#3156): ordered three, shipped two; the third follows.
TEST_F(SaleLineTest, AddsALaterDelivery) {
  const std::string name = absl::StrCat(kCustomer, "/saleLines/l1");
  s_.Given("RecordSaleLine", With("l1", "l1"));
  s_.At("2026-03-05T12:00:00+08:00")
      .Given("RecordDelivery", Named("quantity: 1 serials: 's3'", name));
  EXPECT_EQ(s_.Events(), "DeliveryRecorded");
  EXPECT_EQ(Sold(name).quantity_delivered(), 3);
  EXPECT_THAT(Sold(name).serials(), ::testing::ElementsAre("s1", "s2", "s3"));
  EXPECT_EQ(FromProto(Sold(name).delivery_time()), s_.now());
  ExpectRefused("RecordDelivery", Named("quantity: 1 serials: 's4'", name),
                "DELIVERY_ABOVE_ORDER");
}

TEST_F(SaleLineTest, CountsFromTheLatestDeliveryWhateverIsReportedFirst) {
  const std::string name = absl::StrCat(kCustomer, "/saleLines/l1");
  s_.Given("RecordSaleLine", With("l1", "l1"));
  s_.At("2026-03-01T12:00:00+08:00")
      .Given("RecordDelivery", Named("quantity: 1 serials: 's3'", name));
  EXPECT_EQ(Sold(name).delivery_time().seconds(), 1772413200);
}

TEST_F(SaleLineTest, RefusesImpossibleDeliveries) {
  const std::string name = absl::StrCat(kCustomer, "/saleLines/l1");
  s_.Given("RecordSaleLine", With("l1", "l1"));
  ExpectBad("RecordDelivery", Named("quantity: 0", name), "quantity");
  ExpectBad("RecordDelivery", Named("quantity: -3", name), "quantity");
  ExpectBad("RecordDelivery", Named("quantity: 1", name), "serials");
  ExpectBad("RecordDelivery",
            Named("quantity: 1 serials: 'a' serials: 'b'", name), "serials");
  ExpectRefused("RecordDelivery", Named("quantity: 1 serials: 's1'", name),
                "SERIAL_DELIVERED");
  ExpectRefused("RecordDelivery",
                Named("quantity: 1 serials: 's3' etag: '999'", name),
                "ETAG_MISMATCH");
  ExpectRefused("RecordDelivery", Named("quantity: 1", "companies/acme"),
                "NAME_INVALID", "name");
  ExpectRefused(
      "RecordDelivery",
      Named("quantity: 1", "companies/acme/customers/c2/saleLines/l1"),
      "RESOURCE_NOT_FOUND");
  s_.At("2026-02-28T12:00:00+08:00");
  ExpectRefused("RecordDelivery", Named("quantity: 1 serials: 's3'", name),
                "OCCUR_TIME_TOO_EARLY");
  ExpectBad("RecordDelivery",
            Named("quantity: 1 serials: 's3' occur_time { seconds: "
                  "253370764800 }",
                  name),
            "occur_time");
}

TEST_F(SaleLineTest, BoundsTheSerialsOfALine) {
  std::string serials;
  for (int i = 0; i <= kMaxSerials; ++i) {
    absl::StrAppend(&serials, "serials: 'n", i, "' ");
  }
  const int many = kMaxSerials + 1;
  ExpectBad("RecordSaleLine", SaleLine("many", many, many, 1, serials),
            "serials");
  const std::string name = absl::StrCat(kCustomer, "/saleLines/some");
  s_.Given("RecordSaleLine", SaleLine("some", many, 1, 1, "serials: 'a'"));
  serials.resize(serials.rfind("serials:"));
  ExpectBad("RecordDelivery",
            Named(absl::StrCat("quantity: ", kMaxSerials, " ", serials), name),
            "serials");
}

}  // namespace
}  // namespace aftercare::returns
