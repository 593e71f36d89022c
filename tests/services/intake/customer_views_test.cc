#include "services/intake/customer_views.h"

#include <string>
#include <vector>

#include "tests/services/intake/intake_fixture.h"

namespace aftercare::intake {
namespace {

using ::testing::ElementsAre;

class CustomerViewsTest : public IntakeTest {
 protected:
  CustomerViewsTest() { RegisterCustomers(); }
};

TEST_F(CustomerViewsTest, CustomersAndAssetsAreReadByName) {
  RegisterAsset(kWang, "a1", "S-1");
  EXPECT_EQ(
      Ask<v1::Customer>("GetCustomer", absl::StrCat("name: '", kWang, "'"))
          .display_name(),
      "王小明");
  EXPECT_EQ(
      Ask<v1::Asset>("GetAsset", absl::StrCat("name: '", kWang, "/assets/a1'"))
          .serial(),
      "S-1");
}

TEST_F(CustomerViewsTest, ReadingRefusesMalformedAndUnknownNames) {
  ExpectQueryRefusal("GetCustomer", "name: 'wang'", "NAME_INVALID", "name");
  ExpectQueryRefusal("GetCustomer", "name: 'companies/acme/customers/none'",
                     "RESOURCE_NOT_FOUND");
  ExpectQueryRefusal("GetAsset", "", "NAME_INVALID", "name");
  ExpectQueryRefusal("GetAsset", absl::StrCat("name: '", kWang, "/assets/a'"),
                     "RESOURCE_NOT_FOUND");
}

TEST_F(CustomerViewsTest, ListsRefuseMalformedParents) {
  ExpectQueryRefusal("ListCustomers", "", "NAME_INVALID", "parent");
  ExpectQueryRefusal("ListCustomers", "parent: 'companies/-'", "NAME_INVALID",
                     "parent");
  for (absl::string_view parent :
       {"", "companies/acme", "companies/-/customers/-",
        "companies/acme/customers/", "companies/acme/territories/-"}) {
    ExpectQueryRefusal("ListAssets", absl::StrCat("parent: '", parent, "'"),
                       "NAME_INVALID", "parent");
  }
}

TEST_F(CustomerViewsTest, CustomersAreListedByNameInPages) {
  s_.Given("RegisterCustomer",
           "parent: 'companies/acme' customer_id: 'an' display_name: 'A'");
  s_.Given("RegisterCustomer",
           "parent: 'companies/acme2' customer_id: 'b' display_name: 'B'");
  std::vector<std::string> names;
  std::string token;
  int pages = 0;
  do {
    const auto page = Ask<v1::ListCustomersResponse>(
        "ListCustomers",
        absl::StrCat("parent: 'companies/acme' page_size: 2 page_token: '",
                     token, "'"));
    for (const auto& c : page.customers()) names.push_back(c.name());
    token = page.next_page_token();
    ASSERT_LT(++pages, 10);
  } while (!token.empty());
  EXPECT_THAT(names, ElementsAre("companies/acme/customers/an", kWang, kZhao));
}

TEST_F(CustomerViewsTest, AssetsAreListedOfOneCustomerOrAll) {
  RegisterAsset(kWang, "a2");
  RegisterAsset(kWang, "a1");
  RegisterAsset(kZhao, "a1");
  const auto one = Ask<v1::ListAssetsResponse>(
      "ListAssets", absl::StrCat("parent: '", kWang, "'"));
  ASSERT_EQ(one.assets_size(), 2);
  EXPECT_EQ(one.assets(0).name(), absl::StrCat(kWang, "/assets/a1"));
  EXPECT_EQ(Ask<v1::ListAssetsResponse>("ListAssets",
                                        "parent: 'companies/acme/customers/-'")
                .assets_size(),
            3);
  EXPECT_EQ(Ask<v1::ListAssetsResponse>("ListAssets",
                                        "parent: 'companies/other/customers/-'")
                .assets_size(),
            0);
}

}  // namespace
}  // namespace aftercare::intake
