#include "services/intake/domain/customer.h"

#include "tests/services/intake/intake_fixture.h"

namespace aftercare::intake {
namespace {

class CustomerTest : public IntakeTest {
 protected:
  static std::string Registration(absl::string_view more) {
    return absl::StrCat(
        "parent: 'companies/acme' customer_id: 'wang' display_name: 'W' ",
        more);
  }
  static std::string Unit(absl::string_view more) {
    return absl::StrCat("parent: '", kWang, "' asset_id: 'a1' ", more);
  }
  static std::string GoodUnit(absl::string_view more = "") {
    return Unit(absl::StrCat("product: 'X1' product_line: 'laptop' sale_time ",
                             Stamp("2025-01-31T10:00:00+08:00"), more));
  }
};

// CUS-01. Chinese text and emoji round trip.
TEST_F(CustomerTest, RegistrationKeepsTheCustomersFile) {
  ExpectAccepted(
      "RegisterCustomer",
      "parent: 'companies/acme' customer_id: 'wang' "
      "display_name: '王小明 🙂' region: '北京' phone: '010-1' "
      "email: 'w@example.cn' address: '朝阳区 1 号'",
      "CustomerRegistered");
  const auto* customer = s_.Find(kCustomers, kWang);
  ASSERT_NE(customer, nullptr);
  EXPECT_EQ(customer->name(), kWang);
  EXPECT_EQ(customer->display_name(), "王小明 🙂");
  EXPECT_EQ(customer->region(), "北京");
  EXPECT_EQ(customer->phone(), "010-1");
  EXPECT_EQ(customer->email(), "w@example.cn");
  EXPECT_EQ(customer->address(), "朝阳区 1 号");
  EXPECT_EQ(customer->etag(), "1");
  EXPECT_EQ(FromProto(customer->create_time()), Instant(Local("08:00")));
  EXPECT_EQ(FromProto(customer->update_time()), Instant(Local("08:00")));
}

TEST_F(CustomerTest, RegistrationRefusesBadFieldsByName) {
  ExpectRefusal("RegisterCustomer", "customer_id: 'w' display_name: 'W'",
                "NAME_INVALID", "parent");
  ExpectRefusal("RegisterCustomer",
                "parent: 'companies/ACME' customer_id: 'w' display_name: 'W'",
                "NAME_INVALID", "parent");
  ExpectRefusal("RegisterCustomer",
                "parent: 'companies/acme/customers/w' customer_id: 'w' "
                "display_name: 'W'",
                "NAME_INVALID", "parent");
  for (absl::string_view id : {"Wang", "a b", "-w", "w-", "王", "a/b"}) {
    ExpectRefusal("RegisterCustomer",
                  absl::StrCat("parent: 'companies/acme' customer_id: '", id,
                               "' display_name: 'W'"),
                  "FIELD_INVALID", "customer_id");
  }
  ExpectRefusal("RegisterCustomer",
                absl::StrCat("parent: 'companies/acme' customer_id: '",
                             std::string(64, 'w'), "' display_name: 'W'"),
                "FIELD_INVALID", "customer_id");
  ExpectRefusal("RegisterCustomer", "parent: 'companies/acme' customer_id: 'w'",
                "FIELD_INVALID", "display_name");
  ExpectRefusal("RegisterCustomer",
                absl::StrCat("parent: 'companies/acme' customer_id: 'w' "
                             "display_name: '",
                             std::string(301, 'x'), "'"),
                "FIELD_INVALID", "display_name");
  for (absl::string_view field : {"region", "phone", "email"}) {
    ExpectRefusal(
        "RegisterCustomer",
        Registration(absl::StrCat(field, ": '", std::string(301, 'x'), "'")),
        "FIELD_INVALID", field);
    ExpectRefusal("RegisterCustomer",
                  Registration(absl::StrCat(field, ": 'a\\000b'")),
                  "FIELD_INVALID", field);
  }
  ExpectRefusal(
      "RegisterCustomer",
      Registration(absl::StrCat("address: '", std::string(20001, 'x'), "'")),
      "FIELD_INVALID", "address");
  // Year 9999.
  ExpectRefusal("RegisterCustomer",
                Registration("occur_time {seconds: 253402300799}"),
                "FIELD_INVALID", "occur_time");
}

TEST_F(CustomerTest, ATakenIdIsRefused) {
  RegisterCustomers();
  ExpectRefusal("RegisterCustomer", Registration(""),
                "RESOURCE_ALREADY_EXISTS");
}

TEST_F(CustomerTest, AnEmptyIdIsFilledIn) {
  ExpectAccepted("RegisterCustomer",
                 "parent: 'companies/acme' display_name: 'W'",
                 "CustomerRegistered");
  const auto& customer =
      s_.event<v1::IntakeEvent>().customer_registered().customer();
  EXPECT_EQ(customer.name().rfind("companies/acme/customers/", 0), 0u);
  EXPECT_NE(s_.Find(kCustomers, customer.name()), nullptr);
}

TEST_F(CustomerTest, AnUpdateKeepsWhatItDoesNotName) {
  RegisterCustomers();
  const auto before = *s_.Find(kCustomers, kWang);
  s_.At(Local("09:00"));
  ExpectAccepted(
      "UpdateCustomer",
      absl::StrCat("name: '", kWang, "' phone: '139' address: '海淀区' etag: '",
                   before.etag(), "'"),
      "CustomerUpdated");
  const auto& after = *s_.Find(kCustomers, kWang);
  EXPECT_EQ(after.display_name(), "王小明");
  EXPECT_EQ(after.region(), "beijing");
  EXPECT_EQ(after.phone(), "139");
  EXPECT_EQ(after.address(), "海淀区");
  EXPECT_NE(after.etag(), before.etag());
  EXPECT_EQ(FromProto(after.create_time()), Instant(Local("08:00")));
  EXPECT_EQ(FromProto(after.update_time()), Instant(Local("09:00")));
  ExpectAccepted("UpdateCustomer",
                 absl::StrCat("name: '", kWang,
                              "' display_name: '王明' region: 'tianjin' "
                              "email: 'a@b.cn'"),
                 "CustomerUpdated");
  EXPECT_EQ(s_.Find(kCustomers, kWang)->display_name(), "王明");
  EXPECT_EQ(s_.Find(kCustomers, kWang)->region(), "tianjin");
  EXPECT_EQ(s_.Find(kCustomers, kWang)->phone(), "139");
}

TEST_F(CustomerTest, AnUpdateIsRefusedForStaleEtagsAndUnknownNames) {
  RegisterCustomers();
  ExpectRefusal("UpdateCustomer",
                absl::StrCat("name: '", kWang, "' phone: '1' etag: '99'"),
                "ETAG_MISMATCH");
  ExpectRefusal("UpdateCustomer",
                "name: 'companies/acme/customers/nobody' phone: '1'",
                "RESOURCE_NOT_FOUND");
  ExpectRefusal("UpdateCustomer", "name: 'customers/wang'", "NAME_INVALID",
                "name");
  ExpectRefusal("UpdateCustomer",
                absl::StrCat("name: '", kWang, "' display_name: '",
                             std::string(301, 'x'), "'"),
                "FIELD_INVALID", "display_name");
  ExpectRefusal(
      "UpdateCustomer",
      absl::StrCat("name: '", kWang, "' email: '", std::string(301, 'x'), "'"),
      "FIELD_INVALID", "email");
}

// WAR-01: the free warranty follows from the product line; WAR-03: it counts
// from the sale. A month's end is clipped to the month's length.
TEST_F(CustomerTest, AUnitsWarrantyEndsWithItsProductLinesMonths) {
  RegisterCustomers();
  ExpectAccepted("RegisterAsset", GoodUnit(" serial: 'S-1'"),
                 "AssetRegistered");
  const auto* asset = s_.Find(kAssets, absl::StrCat(kWang, "/assets/a1"));
  ASSERT_NE(asset, nullptr);
  EXPECT_EQ(asset->product(), "X1");
  EXPECT_EQ(asset->product_line(), "laptop");
  EXPECT_EQ(asset->serial(), "S-1");
  EXPECT_EQ(FromProto(asset->warranty_end_time()),
            Instant("2027-02-01T00:00:00+08:00") - absl::Microseconds(1));
  RegisterAsset(kWang, "a2", "", "part");
  EXPECT_FALSE(s_.Find(kAssets, absl::StrCat(kWang, "/assets/a2"))
                   ->has_warranty_end_time());
}

TEST_F(CustomerTest, AMonthEndIsClippedToAShorterMonth) {
  RegisterCustomers();
  s_.At("2024-03-01T08:00:00+08:00");
  ExpectAccepted(
      "RegisterAsset",
      Unit(absl::StrCat("product: 'X1' product_line: 'laptop' sale_time ",
                        Stamp("2024-02-29T10:00:00+08:00"))),
      "AssetRegistered");
  EXPECT_EQ(FromProto(s_.Find(kAssets, absl::StrCat(kWang, "/assets/a1"))
                          ->warranty_end_time()),
            Instant("2026-03-01T00:00:00+08:00") - absl::Microseconds(1));
}

TEST_F(CustomerTest, ASerialNumberIsRegisteredOncePerCustomer) {
  RegisterCustomers();
  RegisterAsset(kWang, "a1", "S-1");
  ExpectRefusal("RegisterAsset",
                absl::StrCat("parent: '", kWang,
                             "' asset_id: 'a2' serial: 'S-1' product: 'X1' "
                             "product_line: 'laptop' sale_time ",
                             Stamp(Local("07:00"))),
                "SERIAL_REGISTERED");
  RegisterAsset(kWang, "a3", "S-10");  // only begins alike
  RegisterAsset(kZhao, "a1", "S-1");   // another customer
  RegisterAsset(kWang, "a4", "");      // unknown serials do not collide
  RegisterAsset(kWang, "a5", "");
}

TEST_F(CustomerTest, AUnitIsRefusedForBadFieldsByName) {
  RegisterCustomers();
  const std::string sale = absl::StrCat(" sale_time ", Stamp(Local("07:00")));
  ExpectRefusal("RegisterAsset", Unit("product_line: 'laptop'" + sale),
                "FIELD_INVALID", "product");
  ExpectRefusal("RegisterAsset", Unit("product: 'X1'" + sale), "FIELD_INVALID",
                "product_line");
  ExpectRefusal("RegisterAsset", Unit("product: 'X1' product_line: 'laptop'"),
                "FIELD_INVALID", "sale_time");
  ExpectRefusal("RegisterAsset",
                Unit("product: 'X1' product_line: 'laptop' "
                     "sale_time {seconds: 253402300799}"),
                "FIELD_INVALID", "sale_time");
  ExpectRefusal("RegisterAsset",
                Unit("product: 'X1' product_line: 'laptop' "
                     "sale_time {seconds: 1 nanos: -1}"),
                "FIELD_INVALID", "sale_time");
  // Sold after it was registered.
  ExpectRefusal(
      "RegisterAsset",
      Unit(absl::StrCat("product: 'X1' product_line: 'laptop' sale_time ",
                        Stamp(Local("08:01")))),
      "FIELD_INVALID", "sale_time");
  ExpectRefusal(
      "RegisterAsset",
      GoodUnit(absl::StrCat(" serial: '", std::string(301, 's'), "'")),
      "FIELD_INVALID", "serial");
  ExpectRefusal("RegisterAsset",
                absl::StrCat("parent: '", kWang,
                             "' asset_id: 'A 1' product: 'X1' "
                             "product_line: 'laptop'",
                             sale),
                "FIELD_INVALID", "asset_id");
  ExpectRefusal("RegisterAsset",
                absl::StrCat("parent: 'companies/acme' asset_id: 'a1' "
                             "product: 'X1' product_line: 'laptop'",
                             sale),
                "NAME_INVALID", "parent");
}

TEST_F(CustomerTest, AUnitNeedsACustomerAProductLineAndAFreeId) {
  RegisterCustomers();
  const std::string rest =
      absl::StrCat("' asset_id: 'a1' product: 'X1' sale_time ",
                   Stamp(Local("07:00")), " product_line: '");
  ExpectRefusal(
      "RegisterAsset",
      absl::StrCat("parent: 'companies/acme/customers/nobody", rest, "laptop'"),
      "RESOURCE_NOT_FOUND");
  ExpectRefusal("RegisterAsset",
                absl::StrCat("parent: '", kWang, rest, "boat'"),
                "PRODUCT_LINE_UNKNOWN");
  RegisterAsset(kWang, "a1");
  ExpectRefusal("RegisterAsset",
                absl::StrCat("parent: '", kWang, rest, "laptop'"),
                "RESOURCE_ALREADY_EXISTS");
}

}  // namespace
}  // namespace aftercare::intake
