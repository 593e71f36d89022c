#include <cstddef>
#include <cstdint>

#include "libs/log/log.h"

namespace aftercare::log {
namespace {

// MurmurHash2, 32 bits, seed 0x9747b28c, as Kafka's Java producer uses it.
uint32_t Murmur2(absl::string_view data) {
  constexpr uint32_t kSeed = 0x9747b28c;
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  const auto* bytes = reinterpret_cast<const unsigned char*>(data.data());
  size_t left = data.size();
  uint32_t hash = kSeed ^ static_cast<uint32_t>(left);
  for (; left >= 4; left -= 4, bytes += 4) {
    uint32_t word = static_cast<uint32_t>(bytes[0]) |
                    static_cast<uint32_t>(bytes[1]) << 8 |
                    static_cast<uint32_t>(bytes[2]) << 16 |
                    static_cast<uint32_t>(bytes[3]) << 24;
    word *= kMultiplier;
    word ^= word >> kShift;
    word *= kMultiplier;
    hash = hash * kMultiplier ^ word;
  }
  if (left > 0) {
    for (size_t i = left; i > 0; --i) {
      hash ^= static_cast<uint32_t>(bytes[i - 1]) << (8 * (i - 1));
    }
    hash *= kMultiplier;
  }
  hash ^= hash >> 13;
  hash *= kMultiplier;
  hash ^= hash >> 15;
  return hash;
}

}  // namespace

int32_t KafkaHash(absl::string_view key) {
  return static_cast<int32_t>(Murmur2(key));
}

int PartitionOf(absl::string_view key, int partitions) {
  return static_cast<int>((Murmur2(key) & 0x7fffffff) %
                          static_cast<uint32_t>(partitions));
}

}  // namespace aftercare::log
