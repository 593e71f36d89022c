#include "libs/log/kafka_properties.h"

#include <fstream>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/log/kafka_log.h"
#include "libs/testing/temp_dir.h"

namespace aftercare::log {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

using Properties = std::map<std::string, std::string>;

class KafkaPropertiesTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) {
    std::ofstream(dir_ / "kafka.properties", std::ios::binary) << text;
    return dir_ / "kafka.properties";
  }

  const testing::TempDir dir_;
  Properties properties_;
};

TEST_F(KafkaPropertiesTest, TheValueBeginsBehindTheFirstEqualsSign) {
  ASSERT_EQ(AddKafkaProperty("sasl.password=a=b#c=", properties_),
            absl::OkStatus());
  ASSERT_EQ(AddKafkaProperty(" client.id = aftercare 1 ", properties_),
            absl::OkStatus());
  ASSERT_EQ(AddKafkaProperty("ssl.ca.location=", properties_),
            absl::OkStatus());
  EXPECT_THAT(properties_, ElementsAre(Pair("client.id", "aftercare 1"),
                                       Pair("sasl.password", "a=b#c="),
                                       Pair("ssl.ca.location", "")));
}

TEST_F(KafkaPropertiesTest, ALaterOneReplacesAnEarlierOne) {
  ASSERT_EQ(AddKafkaProperty("client.id=one", properties_), absl::OkStatus());
  ASSERT_EQ(AddKafkaProperty("client.id=two", properties_), absl::OkStatus());
  EXPECT_THAT(properties_, ElementsAre(Pair("client.id", "two")));
}

TEST_F(KafkaPropertiesTest, WhatIsNoPropertyIsRefusedWithoutRepeatingIt) {
  properties_ = {{"client.id", "one"}};
  for (const char* text : {"", "hunter2", "=hunter2", "  =hunter2"}) {
    const absl::Status status = AddKafkaProperty(text, properties_);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text << status;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
  }
  EXPECT_THAT(properties_, ElementsAre(Pair("client.id", "one")));
}

TEST_F(KafkaPropertiesTest, WhatIsPromisedRestsOnIsNotFreeToChoose) {
  for (const char* property :
       {"acks=1", "enable.idempotence=false", "group.id=other",
        "transactional.id=x", "bootstrap.servers=elsewhere:9092"}) {
    std::map<std::string, std::string> properties;
    const absl::Status status = AddKafkaProperty(property, properties);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << property << status;
    EXPECT_TRUE(properties.empty());
  }
}

TEST_F(KafkaPropertiesTest, AFileHasOneALineAndComments) {
  properties_ = {{"client.id", "one"}, {"security.protocol", "plaintext"}};
  ASSERT_EQ(ReadKafkaProperties(Write("# of the cluster\n"
                                      "\n"
                                      "security.protocol=SASL_SSL\r\n"
                                      "   # and who we are\n"
                                      "  sasl.password = #1=x\n"
                                      "sasl.username=aftercare"),
                                properties_),
            absl::OkStatus());
  EXPECT_THAT(properties_, ElementsAre(Pair("client.id", "one"),
                                       Pair("sasl.password", "#1=x"),
                                       Pair("sasl.username", "aftercare"),
                                       Pair("security.protocol", "SASL_SSL")));
}

TEST_F(KafkaPropertiesTest, AWrongLineIsNamedAndNothingIsTaken) {
  const std::string file =
      Write("client.id=two\n\n# password\nhunter2\nclient.rack=a\n");
  const absl::Status status = ReadKafkaProperties(file, properties_);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat(file, ":4: ")));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hunter2")));
  EXPECT_TRUE(properties_.empty());
}

TEST_F(KafkaPropertiesTest, AFileNamesAPropertyOnce) {
  const std::string file = Write("client.id=one\nclient.id=two\n");
  const absl::Status status = ReadKafkaProperties(file, properties_);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(absl::StrCat(file, ":2: client.id is there twice")));
  EXPECT_TRUE(properties_.empty());
}

TEST_F(KafkaPropertiesTest, AFileThatIsNotThereIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(
      ReadKafkaProperties(dir_ / "none.properties", properties_)));
  EXPECT_TRUE(absl::IsNotFound(ReadKafkaProperties(dir_.path(), properties_)));
}

TEST_F(KafkaPropertiesTest, ANameThatTheClientDoesNotKnowShowsAtTheLog) {
  KafkaLogOptions options;
  ASSERT_EQ(AddKafkaProperty("no.such.property=1", options.properties),
            absl::OkStatus());
  const absl::Status status = KafkaLog::Open(options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no.such.property"));
}

}  // namespace
}  // namespace aftercare::log
