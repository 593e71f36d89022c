#include "libs/handbook/yaml.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::handbook {
namespace {

using aftercare::testing::DemoHandbookText;

std::string Replaced(absl::string_view from, absl::string_view to) {
  const std::string text = DemoHandbookText();
  const size_t at = text.find(std::string(from));
  EXPECT_NE(at, std::string::npos) << from;
  return text.substr(0, at) + std::string(to) + text.substr(at + from.size());
}

int LineOf(const std::string& text, absl::string_view what) {
  const size_t at = text.find(std::string(what));
  return 1 +
         static_cast<int>(std::count(text.begin(), text.begin() + at, '\n'));
}

// GEN-28: a company runs by loading its file only.
TEST(YamlTest, TheShippedHandbookHasNoProblems) {
  const LoadedHandbook loaded = LoadHandbook(DemoHandbookText());
  EXPECT_EQ(FormatProblems("demo.yaml", loaded.problems), "");
  EXPECT_EQ(loaded.handbook.company(), "companies/acme");
  EXPECT_EQ(loaded.handbook.calendars_size(), 3);
  EXPECT_EQ(loaded.handbook.people(0).display_name(), "李娜");
  EXPECT_EQ(loaded.handbook.returns().window().days(), 7);
}

TEST(YamlTest, AMisspeltFieldIsNamedWithLineAndSuggestion) {
  const std::string text = Replaced("dissatisfied_at: 2", "disatisfied_at: 2");
  const LoadedHandbook loaded = LoadHandbook(text);
  ASSERT_FALSE(loaded.problems.empty());
  bool found = false;
  for (const Problem& problem : loaded.problems) {
    if (problem.path != "intake.disatisfied_at") continue;
    found = true;
    EXPECT_EQ(problem.line, LineOf(text, "disatisfied_at"));
    EXPECT_EQ(problem.suggestion, "dissatisfied_at");
  }
  EXPECT_TRUE(found) << FormatProblems("demo.yaml", loaded.problems);
}

TEST(YamlTest, AProblemOfMeaningHasTheLineOfItsField) {
  const std::string text =
      Replaced("target: 4h, calendar: office", "target: 4h, calendar: offise");
  const LoadedHandbook loaded = LoadHandbook(text);
  ASSERT_EQ(loaded.problems.size(), 1u)
      << FormatProblems("demo.yaml", loaded.problems);
  EXPECT_EQ(loaded.problems[0].path, "intake.clocks[2].calendar");
  EXPECT_EQ(loaded.problems[0].line, LineOf(text, "offise"));
  EXPECT_EQ(loaded.problems[0].suggestion, "office");
}

TEST(YamlTest, WrongTypesAndRepeatedFieldsAreProblems) {
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{
           {"version: 1", "version: one"},
           {"version: 1", "version: 1\nversion: 2"},
           {"currency_code: CNY", "currency_code: [CNY]"},
           {"effective_time: 2010", "effective_time: soon-2010"},
           {"visit_duration: 90m", "visit_duration: 90"},
           {"reopen_clock: continue", "reopen_clock: contine"},
           {"window: 7d", "window: {days: 7, months: 1}"},
           {"calendars:", "calendars: office\ncalendar_list:"},
           {"title: 售后", "title: &a 售后"}}) {
    EXPECT_FALSE(LoadHandbook(Replaced(from, to)).problems.empty()) << to;
  }
}

TEST(YamlTest, HostileTextIsRefusedWithoutHarm) {
  EXPECT_FALSE(LoadHandbook("").problems.empty());
  EXPECT_FALSE(LoadHandbook("[").problems.empty());
  EXPECT_FALSE(LoadHandbook(std::string(2 << 20, 'a')).problems.empty());
  EXPECT_FALSE(LoadHandbook(std::string(100000, '[')).problems.empty());
  EXPECT_FALSE(LoadHandbook("a: &x [1]\nb: *x").problems.empty());
  EXPECT_FALSE(LoadHandbook("company: \"\xff\xfe\"").problems.empty());
}

TEST(YamlTest, RandomDamageNeverCrashes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  std::mt19937 random(seed);
  const std::string good = DemoHandbookText();
  for (int i = 0; i < 300; ++i) {
    std::string text = good;
    for (int k = 0; k < 5; ++k) {
      const size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 40);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 40));
      }
    }
    const LoadedHandbook loaded = LoadHandbook(text);
    if (loaded.problems.empty()) {
      EXPECT_TRUE(Check(loaded.handbook).empty());
    }
  }
}

TEST(YamlTest, DurationsAreReadStrictly) {
  EXPECT_EQ(*ParseDuration("2d12h"), absl::Hours(60));
  EXPECT_EQ(*ParseDuration("45s"), absl::Seconds(45));
  for (const char* text : {"", "4", "h", "-4h", "4x", "99999999999h"}) {
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
}

}  // namespace
}  // namespace aftercare::handbook
