// What the benchmarks say of many calls.

#ifndef AFTERCARE_TESTS_BENCH_LATENCIES_H_
#define AFTERCARE_TESTS_BENCH_LATENCIES_H_

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace aftercare::bench {

struct Result {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  // Processor time of this process for each, client and server together.
  double cpu_us = 0;
};

// A measurement's begin.
struct Begin {
  absl::Time time = absl::Now();
  std::clock_t cpu = std::clock();
};

inline Result Summarize(std::vector<absl::Duration> latencies,
                        const Begin& begin) {
  if (latencies.empty()) return {};
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin.time);
  const double cpu_us =
      static_cast<double>(std::clock() - begin.cpu) * 1e6 / CLOCKS_PER_SEC;
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double part) {
    return absl::ToDoubleMilliseconds(latencies[std::min(
        latencies.size() - 1,
        static_cast<size_t>(part * static_cast<double>(latencies.size())))]);
  };
  const auto count = static_cast<double>(latencies.size());
  return {count / seconds, at(0.5), at(0.99), cpu_us / count};
}

}  // namespace aftercare::bench

#endif  // AFTERCARE_TESTS_BENCH_LATENCIES_H_
