// What the benchmarks say of many calls.

#ifndef AFTERCARE_TESTS_BENCH_LATENCIES_H_
#define AFTERCARE_TESTS_BENCH_LATENCIES_H_

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace aftercare::bench {

// What was measured, once or in several parts.
class Result {
 public:
  Result() = default;
  Result(std::vector<absl::Duration> latencies, double seconds, double cpu_us)
      : latencies_(std::move(latencies)), seconds_(seconds), cpu_us_(cpu_us) {}

  void Add(const Result& part) {
    latencies_.insert(latencies_.end(), part.latencies_.begin(),
                      part.latencies_.end());
    seconds_ += part.seconds_;
    cpu_us_ += part.cpu_us_;
  }

  double PerSecond() const { return seconds_ > 0 ? Count() / seconds_ : 0; }

  // The latency, in milliseconds, that `part` of all stay below.
  double Milliseconds(double part) const {
    if (latencies_.empty()) return 0;
    std::vector<absl::Duration> sorted = latencies_;
    const size_t at =
        std::min(sorted.size() - 1, static_cast<size_t>(part * Count()));
    std::nth_element(sorted.begin(), sorted.begin() + at, sorted.end());
    return absl::ToDoubleMilliseconds(sorted[at]);
  }

  // Processor time of this process for each, client and server together.
  double CpuMicroseconds() const {
    return latencies_.empty() ? 0 : cpu_us_ / Count();
  }

 private:
  double Count() const { return static_cast<double>(latencies_.size()); }

  std::vector<absl::Duration> latencies_;
  double seconds_ = 0;
  double cpu_us_ = 0;
};

// A measurement's begin.
struct Begin {
  absl::Time time = absl::Now();
  std::clock_t cpu = std::clock();
};

inline Result ResultOf(std::vector<absl::Duration> latencies,
                       const Begin& begin) {
  const double seconds = absl::ToDoubleSeconds(absl::Now() - begin.time);
  const double cpu_us =
      static_cast<double>(std::clock() - begin.cpu) * 1e6 / CLOCKS_PER_SEC;
  return {std::move(latencies), seconds, cpu_us};
}

}  // namespace aftercare::bench

#endif  // AFTERCARE_TESTS_BENCH_LATENCIES_H_
