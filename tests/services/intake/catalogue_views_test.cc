#include "services/intake/catalogue_views.h"

#include "tests/services/intake/cases_fixture.h"

namespace aftercare::intake {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CatalogueViewsTest : public CasesTest {
 protected:
  v1::OnDutyContact OnDuty(absl::string_view more) {
    return Ask<v1::OnDutyContact>("GetOnDutyContact",
                                  absl::StrCat("parent: '", kWang, "' ", more));
  }
  static std::string At(absl::string_view time) {
    return absl::StrCat("at_time ", Stamp(Local(time)), " ");
  }
};

class NoSectionsTest : public IntakeTest {};

// GEN-41, GEN-45, INT-41, DEL-17.
TEST_F(CatalogueViewsTest, TheCatalogueSaysWhatMayBeAskedFor) {
  const auto catalogue =
      Ask<v1::Catalogue>("GetCatalogue", absl::StrCat("parent: '", kWang, "'"));
  ASSERT_EQ(catalogue.services_size(), 3);  // not opinions and market news
  EXPECT_EQ(catalogue.services(0).type(), "repair");
  EXPECT_EQ(catalogue.services(0).title(), "报修");
  EXPECT_EQ(catalogue.services(0).department(), "after-sales");
  EXPECT_THAT(catalogue.services(0).lines(), ElementsAre("上门维修", "寄修"));
  EXPECT_FALSE(catalogue.services(0).free_of_charge());
  EXPECT_EQ(catalogue.services(2).type(), "design");
  EXPECT_TRUE(catalogue.services(2).free_of_charge());
  ASSERT_EQ(catalogue.classifications_size(), 3);
  EXPECT_EQ(catalogue.classifications(0).id(), "product-quality");
  EXPECT_EQ(catalogue.classifications(0).title(), "产品质量");
  ASSERT_EQ(catalogue.priorities_size(), 4);
  EXPECT_EQ(catalogue.priorities(3).id(), "urgent");
  EXPECT_EQ(catalogue.priorities(3).title(), "P1 安全");
  ASSERT_EQ(catalogue.departments_size(), 3);
  EXPECT_EQ(catalogue.departments(0).title(), "售后服务科");
  EXPECT_EQ(catalogue.departments(0).lead(), "chen");
  EXPECT_THAT(
      catalogue.departments(0).duties(),
      ElementsAre("接听投诉电话", "处理投诉", "提供解决方案", "维护客户关系"));
}

// GEN-17: hotline 8:30-17:30, another number around the clock (GEN-16).
TEST_F(CatalogueViewsTest, SomebodyIsOnDutyAroundTheClock) {
  const auto day = OnDuty(At("10:00"));
  EXPECT_TRUE(day.open());
  EXPECT_EQ(day.channel(), "hotline");
  EXPECT_EQ(day.title(), "服务热线");
  EXPECT_EQ(day.number(), "8008307582");  // INT-03
  EXPECT_EQ(day.person(), "li");
  EXPECT_EQ(day.display_name(), "李娜");
  EXPECT_THAT(day.contacts(), ElementsAre("li", "wang"));
  const auto night = OnDuty(At("20:00"));
  EXPECT_TRUE(night.open());
  EXPECT_EQ(night.channel(), "wechat_oa");
  EXPECT_EQ(night.person(), "chen");
  EXPECT_EQ(OnDuty(At("08:29")).person(), "chen");
  EXPECT_EQ(OnDuty(At("08:30")).person(), "li");
  // By default now: 09:00.
  EXPECT_EQ(OnDuty("").person(), "li");
}

TEST_F(CatalogueViewsTest, AClosedChannelSaysWhenItOpens) {
  const auto night = OnDuty("channel: 'hotline' " + At("20:00"));
  EXPECT_FALSE(night.open());
  EXPECT_EQ(night.number(), "8008307582");
  EXPECT_EQ(night.person(), "");
  EXPECT_THAT(night.contacts(), IsEmpty());
  EXPECT_EQ(FromProto(night.open_time()), Instant(Local("08:30", 3)));
  const auto day = OnDuty("channel: 'hotline' " + At("10:00"));
  EXPECT_TRUE(day.open());
  EXPECT_FALSE(day.has_open_time());
}

// Cases are accepted by it at any time; who reads them is not said.
TEST_F(CatalogueViewsTest, AChannelWithoutContactsIsFoundByNameOnly) {
  const auto mail = OnDuty("channel: 'email' " + At("03:00"));
  EXPECT_TRUE(mail.open());
  EXPECT_EQ(mail.number(), "service@example.com");
  EXPECT_EQ(mail.person(), "");
}

TEST_F(CatalogueViewsTest, QuestionsThatAreWrongAreRefused) {
  ExpectQueryRefusal("GetCatalogue", "", "NAME_INVALID", "parent");
  ExpectQueryRefusal("GetCatalogue", "parent: 'companies/acme'", "NAME_INVALID",
                     "parent");
  ExpectQueryRefusal("GetOnDutyContact", "parent: 'companies/acme'",
                     "NAME_INVALID", "parent");
  const std::string parent = absl::StrCat("parent: '", kWang, "' ");
  ExpectQueryRefusal("GetOnDutyContact",
                     parent + "at_time {seconds: 253402300799}",
                     "FIELD_INVALID", "at_time");
  ExpectQueryRefusal("GetOnDutyContact", parent + "channel: 'fax'",
                     "CHANNEL_UNKNOWN");
  ExpectQueryRefusal(
      "GetOnDutyContact",
      absl::StrCat(parent, "channel: '", std::string(301, 'x'), "'"),
      "FIELD_INVALID", "channel");
}

TEST_F(CatalogueViewsTest, WithoutAHandbookNothingCanBeSaid) {
  shard::QueryContext context;
  v1::GetCatalogueRequest request;
  request.set_parent(std::string(kWang));
  EXPECT_EQ(ReasonOf(GetCatalogue(context, request).status()),
            "HANDBOOK_MISSING");
}

// A handbook without the sections has an empty catalogue and nobody on duty.
TEST_F(NoSectionsTest, TheCatalogueIsEmpty) {
  EXPECT_EQ(
      Ask<v1::Catalogue>("GetCatalogue", absl::StrCat("parent: '", kWang, "'"))
          .ByteSizeLong(),
      0u);
  ExpectQueryRefusal("GetOnDutyContact", absl::StrCat("parent: '", kWang, "'"),
                     "CHANNEL_UNKNOWN");
}

}  // namespace
}  // namespace aftercare::intake
