// What the benchmarks say of many calls.

#ifndef AFTERCARE_TESTS_BENCH_LATENCIES_H_
#define AFTERCARE_TESTS_BENCH_LATENCIES_H_

#include <algorithm>
#include <cstddef>
#include <vector>

#include "absl/time/time.h"

namespace aftercare::bench {

struct Result {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

inline Result Summarize(std::vector<absl::Duration> latencies, double seconds) {
  if (latencies.empty()) return {};
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double part) {
    return absl::ToDoubleMilliseconds(latencies[std::min(
        latencies.size() - 1,
        static_cast<size_t>(part * static_cast<double>(latencies.size())))]);
  };
  return {static_cast<double>(latencies.size()) / seconds, at(0.5), at(0.99)};
}

}  // namespace aftercare::bench

#endif  // AFTERCARE_TESTS_BENCH_LATENCIES_H_
