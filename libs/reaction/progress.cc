#include "libs/reaction/progress.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "libs/process/logging.h"
#include "libs/process/rocksdb_log.h"
#include "rocksdb/db.h"
#include "rocksdb/write_batch.h"

namespace aftercare::reaction {

std::string PositionKey(absl::string_view stream) {
  return absl::StrCat("position/", stream);
}

std::string ParkedPrefix(absl::string_view stream) {
  return absl::StrCat("parked/", stream, "/");
}

// An event is one record, so the offset tells events apart.
std::string ParkedKey(absl::string_view stream, int64_t offset) {
  return absl::StrCat(ParkedPrefix(stream), absl::StrFormat("%020d", offset));
}

std::string PositionText(const log::FoldState& position) {
  return absl::StrCat(position.claim, " ", position.next, " ", position.offset);
}

log::FoldState ParsePosition(absl::string_view text) {
  log::FoldState state;
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ' ');
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[0], &state.claim) ||
      !absl::SimpleAtoi(parts[1], &state.next) ||
      !absl::SimpleAtoi(parts[2], &state.offset)) {
    return log::FoldState();
  }
  return state;
}

namespace {

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("reactions' progress: ", status.ToString()));
}

rocksdb::Status OpenDb(const std::string& directory,
                       std::unique_ptr<rocksdb::DB>& db) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = size_t{4} << 20;
  options.info_log = RocksDbLog(directory);
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status opened = rocksdb::DB::Open(options, directory, &raw);
  db.reset(raw);
  return opened;
}

class LocalProgress final : public Progress {
 public:
  explicit LocalProgress(std::unique_ptr<rocksdb::DB> db)
      : db_(std::move(db)) {}

  absl::StatusOr<State> Load(absl::string_view stream) override {
    State state;
    std::string value;
    if (db_->Get(rocksdb::ReadOptions(), PositionKey(stream), &value).ok()) {
      state.position = ParsePosition(value);
    }
    const std::string prefix = ParkedPrefix(stream);
    const std::unique_ptr<rocksdb::Iterator> it(
        db_->NewIterator(rocksdb::ReadOptions()));
    for (it->Seek(prefix); it->Valid() && it->key().starts_with(prefix);
         it->Next()) {
      admin::v1::Parked entry;
      if (entry.ParseFromArray(it->value().data(),
                               static_cast<int>(it->value().size()))) {
        state.parked.push_back(std::move(entry));
      }
    }
    return state;
  }

  absl::Status Advance(absl::string_view stream, const log::FoldState& position,
                       const std::vector<admin::v1::Parked>& parked) override {
    rocksdb::WriteBatch batch;
    batch.Put(PositionKey(stream), PositionText(position));
    for (const admin::v1::Parked& entry : parked) {
      batch.Put(ParkedKey(stream, entry.offset()), entry.SerializeAsString());
    }
    return ToStatus(db_->Write(rocksdb::WriteOptions(), &batch));
  }

  absl::Status Park(absl::string_view stream,
                    const admin::v1::Parked& parked) override {
    return ToStatus(db_->Put(rocksdb::WriteOptions(),
                             ParkedKey(stream, parked.offset()),
                             parked.SerializeAsString()));
  }

  absl::Status Unpark(absl::string_view stream,
                      const admin::v1::Parked& parked) override {
    return ToStatus(db_->Delete(rocksdb::WriteOptions(),
                                ParkedKey(stream, parked.offset())));
  }

 private:
  const std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Progress>> OpenLocalProgress(
    const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::Status opened = OpenDb(directory, db);
  if (opened.IsCorruption()) {
    LogWarning("reactions' progress is damaged: wiped, starting over",
               {{"directory", directory}, {"problem", opened.ToString()}});
    std::filesystem::remove_all(directory, error);
    std::filesystem::create_directories(directory, error);
    opened = OpenDb(directory, db);
  }
  if (!opened.ok()) return ToStatus(opened);
  return std::make_unique<LocalProgress>(std::move(db));
}

}  // namespace aftercare::reaction
