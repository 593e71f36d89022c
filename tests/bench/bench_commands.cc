// Durable commands a second end to end over gRPC on the embedded log, beside a
// bare echo over the same server and client, and beside bare synced group
// commits of RocksDB. All three in one run, with the same number of callers
// and the same payloads; the ratios are what counts.

#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "libs/log/embedded_log.h"
#include "rocksdb/db.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/grpc_load.h"

namespace aftercare::bench {
namespace {

// Leaves one call's answer in `answer`.
double MeasureCommands(int callers, double seconds, std::string& answer) {
  testing::TempDir dir;
  log::EmbeddedLogOptions options;
  options.directory = dir / "log";
  const auto log = Require(log::EmbeddedLog::Open(options));
  Intake intake(*log, 2);
  intake.calls().Closed(callers, seconds / 5);  // warm
  answer = intake.calls().Once();
  return intake.calls().Closed(callers, seconds).PerSecond();
}

double MeasureEcho(int callers, double seconds, const std::string& answer) {
  Echo echo(answer);
  echo.calls().Closed(callers, seconds / 5);  // warm
  return echo.calls().Closed(callers, seconds).PerSecond();
}

double MeasureRocksDb(int callers, double seconds) {
  testing::TempDir dir;
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  if (!rocksdb::DB::Open(options, dir / "db", &raw).ok()) std::exit(1);
  std::unique_ptr<rocksdb::DB> db(raw);
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const absl::Time begin = absl::Now();
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([&] {
      rocksdb::WriteOptions write;
      write.sync = true;
      while (!stop) {
        const int64_t n = next++;
        if (!db->Put(write, absl::StrCat("k", n), OpenCase(n)).ok()) {
          std::exit(1);
        }
      }
    });
  }
  absl::SleepFor(absl::Seconds(seconds));
  const double rate =
      static_cast<double>(next) / absl::ToDoubleSeconds(absl::Now() - begin);
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return rate;
}

}  // namespace
}  // namespace aftercare::bench

int main(int argc, char** argv) {
  double seconds = 5;
  int callers = 64;
  CLI::App app(
      "Durable commands a second over gRPC, beside an echo and RocksDB");
  app.add_option("--seconds", seconds, "Of each measurement")
      ->capture_default_str();
  app.add_option("--callers", callers, "Calls under way at once")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  using namespace aftercare::bench;
  std::string answer;
  const double commands = MeasureCommands(callers, seconds, answer);
  std::printf("durable commands over gRPC  %9.0f /s\n", commands);
  const double echo = MeasureEcho(callers, seconds, answer);
  std::printf("bare gRPC echo              %9.0f /s\n", echo);
  const double rocks = MeasureRocksDb(callers, seconds);
  std::printf("bare RocksDB synced puts    %9.0f /s\n", rocks);
  std::printf("ratio to echo %.2f (aim 0.25), to RocksDB %.2f\n",
              commands / echo, commands / rocks);
  return 0;
}
