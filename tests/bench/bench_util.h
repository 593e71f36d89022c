// What the benchmarks share.

#ifndef AFTERCARE_TESTS_BENCH_BENCH_UTIL_H_
#define AFTERCARE_TESTS_BENCH_BENCH_UTIL_H_

#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "libs/handbook/yaml.h"
#include "libs/log/embedded_log.h"
#include "libs/shard/shard.h"
#include "libs/testing/temp_dir.h"
#include "services/intake/service.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::bench {

// A benchmark that cannot set itself up measures nothing.
inline void Require(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << status << "\n";
  std::exit(1);
}

template <typename T>
T Require(absl::StatusOr<T> value) {
  Require(value.status());
  return *std::move(value);
}

inline void AwaitServing(const shard::Shard& shard) {
  while (shard.Status().state != shard::ShardState::kServing) {
    absl::SleepFor(absl::Milliseconds(1));
  }
}

inline void PublishHandbook(shard::Shard& shard) {
  std::promise<absl::Status> done;
  shard.SubmitHandbook(
      handbook::LoadHandbook(testing::DemoHandbookText()).handbook, "operator",
      absl::InfiniteFuture(), [&](absl::StatusOr<shard::CommandResult> result) {
        done.set_value(result.status());
      });
  Require(done.get_future().get());
}

}  // namespace aftercare::bench

#endif  // AFTERCARE_TESTS_BENCH_BENCH_UTIL_H_
