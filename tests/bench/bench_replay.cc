// Replay of a log into rows, beside writing the same rows event by event in
// bare RocksDB batches, in one run; then the memory of aftercared on that log.

#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "libs/log/fold.h"
#include "libs/rpc/client.h"
#include "libs/shard/apply.h"
#include "libs/shard/replay.h"
#include "rocksdb/db.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/table.h"
#include "services/demo/process.h"
#include "tests/bench/bench_util.h"
#include "tests/bench/load.h"

namespace aftercare::bench {
namespace {

// The rows of each event as one batch, as a writer without coalescing has them.
std::deque<std::string> BatchesOf(log::Log& log, const shard::Service& service,
                                  const std::string& directory, int64_t limit) {
  store::RowStoreOptions options;
  options.directory = directory;
  auto rows = Require(store::RowStore::Open(service.schema(), options));
  const shard::Applier applier(service, 2);
  auto reader = Require(log.OpenReader({service.topic(), 0}, 0));
  log::Fold fold;
  common::v1::ShardMeta position;
  std::deque<std::string> batches;
  while (static_cast<int64_t>(batches.size()) < limit) {
    auto records = Require(reader->Read(2000, absl::ZeroDuration()));
    if (records.empty()) break;
    for (log::StoredRecord& record : records) {
      auto step = fold.Apply(std::move(record));
      if (step.kind != log::FoldStep::Kind::kGroup) continue;
      for (const auto& member : step.group) {
        applier.Apply(*rows, position,
                      Require(shard::FromRecord(service, member)));
      }
      store::Turn turn = rows->EndTurn();
      rocksdb::WriteBatch batch;
      for (const store::Turn::Change& change : turn.changes()) {
        if (change.erased) {
          batch.Delete(change.key);
        } else {
          batch.Put(change.key, change.value);
        }
      }
      batches.push_back(batch.Data());
      rows->Accept(std::move(turn), position);
      Require(rows->Write());
    }
  }
  return batches;
}

double WriteBare(const std::deque<std::string>& batches,
                 const std::string& directory) {
  // The same settings as the row store's.
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 32 << 20;
  options.max_write_buffer_number = 3;
  options.max_background_jobs = 2;
  options.compression = rocksdb::kLZ4Compression;
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.05;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* raw = nullptr;
  if (!rocksdb::DB::Open(options, directory, &raw).ok()) std::exit(1);
  std::unique_ptr<rocksdb::DB> db(raw);
  const absl::Time begin = absl::Now();
  for (const std::string& bytes : batches) {
    rocksdb::WriteBatch batch(bytes);
    if (!db->Write(rocksdb::WriteOptions(), &batch).ok()) std::exit(1);
  }
  return static_cast<double>(batches.size()) /
         absl::ToDoubleSeconds(absl::Now() - begin);
}

double Replay(log::Log& log, const shard::Service& service,
              const std::string& directory, int64_t events) {
  store::RowStoreOptions options;
  options.directory = directory;
  auto rows = Require(store::RowStore::Open(service.schema(), options));
  const shard::Applier applier(service, 2);
  shard::Replayer replayer(service, applier, 0, 1, *rows,
                           shard::ShardOptions().replay_stretch_rows);
  auto reader = Require(log.OpenReader({service.topic(), 0}, 0));
  const absl::Time begin = absl::Now();
  while (true) {
    auto records = Require(reader->Read(2000, absl::ZeroDuration()));
    if (records.empty()) break;
    for (log::StoredRecord& record : records) {
      Require(replayer.Feed(std::move(record)));
    }
  }
  Require(replayer.Flush());
  return static_cast<double>(events) /
         absl::ToDoubleSeconds(absl::Now() - begin);
}

// Resident bytes of an aftercared that has replayed the log in `data`.
int64_t ServerMemory(const std::string& data) {
  const char* bin = std::getenv("AFTERCARE_BIN");
  const std::string program = absl::StrCat(
      bin == nullptr
          ? std::filesystem::canonical("/proc/self/exe").parent_path().string()
          : bin,
      "/aftercared");
  if (!std::filesystem::exists(program)) return -1;
  auto process = Require(demo::Process::Start(
      {program, "--data", data, "--listen", "127.0.0.1:0", "--partitions", "1",
       "--insecure-dev-identity", "--log-level", "error"},
      ""));
  const std::string mine = absl::StrCat("\"pid\":", process.pid(), "}");
  int port = 0;
  while (port == 0) {
    std::ifstream file(data + "/ports.json");
    std::stringstream text;
    text << file.rdbuf();
    const size_t at = text.str().find("\"grpc\":");
    if (at != std::string::npos && text.str().find(mine) != std::string::npos) {
      port = std::atoi(text.str().c_str() + at + 7);
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  rpc::Client client(absl::StrCat("127.0.0.1:", port));
  rpc::Client::Call call;
  call.actor = "operator";
  call.retry = true;
  const auto* method = admin::v1::GetStatusRequest::descriptor()
                           ->file()
                           ->FindServiceByName("AdminService")
                           ->FindMethodByName("GetStatus");
  while (true) {
    auto status = Require(client.Invoke<admin::v1::Status>(
        *method, admin::v1::GetStatusRequest(), call));
    bool ready = true;
    for (const auto& shard : status.shards()) {
      ready &= shard.state() == admin::v1::Shard::SERVING;
    }
    if (ready) return status.resident_memory_bytes();
    absl::SleepFor(absl::Milliseconds(50));
  }
}

}  // namespace
}  // namespace aftercare::bench

int main(int argc, char** argv) {
  int64_t events = 1000000;
  CLI::App app("Replay beside bare RocksDB writes of the same rows");
  app.add_option("--events", events, "Events in the log")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  using namespace aftercare;
  using namespace aftercare::bench;
  testing::TempDir dir;
  const shard::Service service = intake::MakeIntakeService();
  const std::string data = dir / "data";
  {
    log::EmbeddedLogOptions options;
    options.directory = data + "/log";
    auto log = Require(log::EmbeddedLog::Open(options));
    Require(log->EnsureTopic(service.topic(), 1));
    {
      shard::ShardOptions shard_options;
      shard_options.directory = dir / "live";
      auto shard =
          Require(shard::Shard::Start(*log, service, 0, 1, shard_options));
      AwaitServing(*shard);
      PublishHandbook(*shard);
      const absl::Time begin = absl::Now();
      Load(service, *shard).Run(events);
      std::printf("live, one shard, no network %9.0f events/s\n",
                  static_cast<double>(events) /
                      absl::ToDoubleSeconds(absl::Now() - begin));
    }
    const auto batches = BatchesOf(*log, service, dir / "batches",
                                   std::min<int64_t>(events, 300000));
    const double bare = WriteBare(batches, dir / "bare");
    std::printf("bare RocksDB, per event     %9.0f events/s\n", bare);
    const double replay = Replay(*log, service, dir / "replay", events);
    std::printf("replay into rows            %9.0f events/s\n", replay);
    std::printf("ratio %.2f (aim 1.5), aim 100000 events/s\n", replay / bare);
  }
  const int64_t memory = ServerMemory(data);
  if (memory >= 0) {
    std::printf("aftercared after %lld events: %.0f MiB resident (aim 1024)\n",
                static_cast<long long>(events),
                static_cast<double>(memory) / (1 << 20));
  }
  return 0;
}
