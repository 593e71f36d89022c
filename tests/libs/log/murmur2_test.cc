#include <string>

#include "gtest/gtest.h"
#include "libs/log/log.h"

namespace aftercare::log {
namespace {

// The vectors of Kafka's own Java client: a key must lie in the same partition
// whoever computes it.
TEST(KafkaHashTest, AgreesWithTheJavaClient) {
  EXPECT_EQ(KafkaHash("21"), -973932308);
  EXPECT_EQ(KafkaHash("foobar"), -790332482);
  EXPECT_EQ(KafkaHash("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(KafkaHash("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(KafkaHash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"),
            -58897971);
  EXPECT_EQ(KafkaHash("abc"), 479470107);
}

TEST(PartitionOfTest, TakesThePositiveHashModuloPartitions) {
  EXPECT_EQ(PartitionOf("21", 7), (-973932308 & 0x7fffffff) % 7);
  EXPECT_EQ(PartitionOf("foobar", 12), (-790332482 & 0x7fffffff) % 12);
  EXPECT_EQ(PartitionOf("abc", 1), 0);
}

TEST(PartitionOfTest, StaysInRangeForAnyBytes) {
  for (int i = 0; i < 2000; ++i) {
    std::string key(static_cast<size_t>(i % 23), static_cast<char>(i));
    const int partition = PartitionOf(key, 5);
    EXPECT_GE(partition, 0);
    EXPECT_LT(partition, 5);
  }
}

}  // namespace
}  // namespace aftercare::log
