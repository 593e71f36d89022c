#include "services/ctl/methods.h"

#include <set>
#include <string>

#include "aftercare/common/v1/annotations.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aftercare::ctl {
namespace {

using ::testing::HasSubstr;

TEST(MethodsTest, EveryMethodIsFoundByBothOfItsNames) {
  std::set<std::string> shorts;
  for (const auto* service : Services()) {
    const std::string name = ShortName(*service);
    EXPECT_TRUE(shorts.insert(name).second) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      const auto* method = service->method(i);
      const auto by_kebab = FindMethod(name, Kebab(method->name()));
      ASSERT_TRUE(by_kebab.ok()) << method->full_name();
      EXPECT_EQ(*by_kebab, method);
      EXPECT_EQ(*FindMethod(name, method->name()), method);
    }
  }
  EXPECT_THAT(shorts,
              ::testing::IsSupersetOf({"admin", "dispatch", "handbook",
                                       "intake", "returns", "scoring"}));
}

TEST(MethodsTest, AnUnknownNameIsAnsweredWithWhatThereIs) {
  EXPECT_THAT(std::string(FindMethod("intak", "open-case").status().message()),
              HasSubstr("intake"));
  EXPECT_THAT(std::string(FindMethod("intake", "open").status().message()),
              HasSubstr("open-case"));
}

TEST(MethodsTest, KebabIsWhatAShellTypes) {
  EXPECT_EQ(Kebab("OpenCase"), "open-case");
  EXPECT_EQ(Kebab("ReadAsOf"), "read-as-of");
  EXPECT_EQ(Kebab("display_name"), "display-name");
  EXPECT_EQ(Kebab("CANNOT_COMPLETE"), "cannot-complete");
}

// A flag of the program itself (--actor, --server, ...) would hide a field of
// the same name; only --request-id means the same in both.
TEST(MethodsTest, NoFieldIsHiddenByAFlagOfTheProgram) {
  for (const auto* service : Services()) {
    for (int i = 0; i < service->method_count(); ++i) {
      for (const char* name :
           {"server", "actor", "json", "deadline", "help", "request"}) {
        EXPECT_EQ(service->method(i)->input_type()->FindFieldByName(name),
                  nullptr)
            << service->method(i)->full_name() << "." << name;
      }
    }
  }
}

// A checkpoint that was written but whose answer was lost would be refused
// when repeated: the directory is there.
TEST(MethodsTest, OnlyWhatReadsMayBeRepeated) {
  for (const char* name : {"get-status", "verify-shards", "read-as-of",
                           "read-events", "list-parked"}) {
    EXPECT_TRUE(IsQuery(**FindMethod("admin", name))) << name;
  }
  for (const char* name : {"write-checkpoint", "resolve-parked"}) {
    EXPECT_FALSE(IsQuery(**FindMethod("admin", name))) << name;
  }
  EXPECT_TRUE(IsQuery(**FindMethod("intake", "get-case")));
  EXPECT_FALSE(IsQuery(**FindMethod("intake", "open-case")));
}

TEST(MethodsTest, ADescriptionNamesRolesFlagsAndChoices) {
  const std::string text = Describe(**FindMethod("intake", "open-case"));
  EXPECT_THAT(text, HasSubstr("agent, supervisor, importer"));
  EXPECT_THAT(text, HasSubstr("--kind"));
  EXPECT_THAT(text, HasSubstr("inquiry|complaint|repair"));
  EXPECT_THAT(Describe(**FindMethod("dispatch", "complete-work-order")),
              HasSubstr("--parts.0.unit-price"));
}

}  // namespace
}  // namespace aftercare::ctl
