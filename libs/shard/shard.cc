#include "libs/shard/shard.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/numeric/int128.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/platform.pb.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/log/commit_tracker.h"
#include "libs/log/fold.h"
#include "libs/process/clock.h"
#include "libs/process/logging.h"
#include "libs/process/random.h"
#include "libs/shard/apply.h"
#include "libs/shard/checkpoint.h"
#include "libs/shard/history_rows.h"
#include "libs/shard/replay.h"
#include "libs/store/digest.h"
#include "libs/store/row_store.h"

namespace aftercare::shard {
namespace {

using common::v1::PlatformFact;

constexpr absl::Duration kSpaceCheckInterval = absl::Seconds(1);
// How often a long replay says how far it is.
constexpr absl::Duration kProgressEvery = absl::Seconds(3);
// Before an owner claims again. After each deposition twice as long, so that
// two processes that both believe to be the owner leave each other time to
// work until the group has told one of them. The same for rows that fail again
// and again: every try costs the log a claim.
constexpr absl::Duration kMinTruce = absl::Milliseconds(50);
constexpr absl::Duration kMaxTruce = absl::Seconds(10);
// Accepted changes are written when they are so many bytes, or after so long.
constexpr size_t kStretchBytes = 128 << 10;
constexpr absl::Duration kWriteEvery = absl::Milliseconds(200);
// Commands decided before deliveries and readers are looked after again.
constexpr size_t kMaxBatch = 32;
constexpr int kReadBatch = 2000;
// How long a log that has more records may keep Verify waiting for them.
constexpr absl::Duration kVerifyWait = absl::Seconds(5);
// How long a standby may take to notice that it is promoted.
constexpr absl::Duration kFollowWait = absl::Milliseconds(100);

// A reader that keeps its database open as long as it lives.
class PinnedSnapshot final : public RowReader {
 public:
  explicit PinnedSnapshot(std::shared_ptr<store::RowStore> store)
      : store_(std::move(store)), rows_(store_->NewSnapshot()) {}
  const google::protobuf::Message* FindRow(
      absl::string_view key,
      const google::protobuf::Message& prototype) const override {
    return rows_->FindRow(key, prototype);
  }
  void ScanKeys(
      absl::string_view from, absl::string_view to,
      absl::FunctionRef<bool(absl::string_view)> visit) const override {
    rows_->ScanKeys(from, to, visit);
  }
  absl::Status status() const override { return rows_->status(); }

 private:
  std::shared_ptr<store::RowStore> store_;
  std::unique_ptr<RowReader> rows_;
};

// Compiled handbooks of the companies in a shard. Thread-safe.
class PolicyBook {
 public:
  void Set(absl::string_view company,
           const common::v1::HandbookVersions& versions) {
    std::vector<Version> compiled;
    for (const auto& handbook : versions.versions()) {
      auto policy = handbook::Policy::Compile(handbook);
      if (!policy.ok()) {
        // It was accepted when it was published; an older or newer program
        // may think otherwise. Commands then see the version before it.
        LogError("handbook cannot be used any more",
                 {{"company", std::string(company)},
                  {"version", absl::StrCat(handbook.version())},
                  {"problem", std::string(policy.status().message())}});
        continue;
      }
      compiled.push_back({FromProto(handbook.effective_time()), *policy});
    }
    std::lock_guard lock(mutex_);
    companies_[std::string(company)] = std::move(compiled);
  }

  // Takes what the other has. Never empty in between: without a handbook
  // nobody has any rights.
  void Become(PolicyBook&& other) {
    std::lock_guard lock(mutex_);
    companies_ = std::move(other.companies_);
  }

  std::shared_ptr<const handbook::Policy> At(absl::string_view company,
                                             absl::Time at) const {
    std::lock_guard lock(mutex_);
    const auto it = companies_.find(company);
    if (it == companies_.end()) return nullptr;
    std::shared_ptr<const handbook::Policy> found;
    for (const Version& version : it->second) {
      if (version.effective <= at) found = version.policy;
    }
    return found;
  }

 private:
  struct Version {
    absl::Time effective;
    std::shared_ptr<const handbook::Policy> policy;
  };
  mutable std::mutex mutex_;
  absl::flat_hash_map<std::string, std::vector<Version>> companies_;
};

// Refusals a repetition could turn into success are not the business's.
bool IsBusinessRefusal(const absl::Status& status) {
  return !ReasonOf(status).empty() && !absl::IsUnavailable(status) &&
         !absl::IsDeadlineExceeded(status) && !absl::IsInternal(status) &&
         !absl::IsDataLoss(status);
}

// What `ask` gets told, waited for.
template <typename T, typename Ask>
absl::StatusOr<T> Awaited(Ask ask) {
  // Shared: it must outlive the call that fulfils it.
  const auto told = std::make_shared<std::promise<absl::StatusOr<T>>>();
  ask([told](absl::StatusOr<T> answer) { told->set_value(std::move(answer)); });
  return told->get_future().get();
}

absl::Status ShuttingDown() {
  return WithRetryDelay(
      Refuse(common::v1::REASON_SHUTTING_DOWN, "the server is stopping"),
      absl::Seconds(1));
}

absl::Status NotConfirmed() {
  return WithRetryDelay(
      Refuse(common::v1::REASON_LOG_UNAVAILABLE,
             "the log cannot be asked just now whether this process still owns "
             "the partition"),
      absl::Seconds(1));
}

class ShardImpl final : public Shard {
 public:
  ShardImpl(log::Log& log, const Service& service, int partition,
            int partitions, ShardOptions options, Clock& clock)
      : log_(log),
        service_(service),
        applier_(service, options.request_days),
        topic_partition_{service.topic(), partition},
        partitions_(partitions),
        options_(std::move(options)),
        clock_(clock),
        row_format_(RowFormat(service)) {
    status_.service = service.name();
    status_.partition = partition;
    following_ = options_.follow;
    thread_ = std::thread([this] { Run(); });
  }

  ~ShardImpl() override { Stop(); }

  void Promote() override {
    {
      std::lock_guard lock(mutex_);
      following_ = false;
    }
    wake_.notify_all();
  }

  void Stop() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    std::call_once(joined_, [this] { thread_.join(); });
  }

  void Submit(Command command, CommandCallback done) override {
    Enqueue({std::move(command), std::move(done), nullptr});
  }

  void SubmitHandbook(const handbook::v1::Handbook& handbook, std::string actor,
                      absl::Time deadline, CommandCallback done) override {
    Command command;
    command.boundary = handbook.company();
    command.actor = std::move(actor);
    command.deadline = deadline;
    Enqueue({std::move(command), std::move(done),
             std::make_shared<handbook::v1::Handbook>(handbook)});
  }

  void Read(Freshness freshness, ReadCallback done) override {
    ReadStore({freshness,
               [done = std::move(done)](
                   absl::StatusOr<std::shared_ptr<store::RowStore>> store) {
                 if (!store.ok()) {
                   done(store.status());
                 } else {
                   done(std::make_unique<PinnedSnapshot>(*std::move(store)));
                 }
               }});
  }

  absl::Status Readable() const override {
    std::lock_guard lock(mutex_);
    return readable_ ? absl::OkStatus() : NotServing();
  }

  std::shared_ptr<const handbook::Policy> PolicyAt(absl::string_view company,
                                                   absl::Time at) override {
    return policies_.At(company, at);
  }

  ShardStatus Status() const override {
    std::lock_guard lock(mutex_);
    ShardStatus status = status_;
    status.digest = store::DigestText(digest_);
    status.queued_commands = static_cast<int64_t>(queue_.size());
    return status;
  }

  absl::StatusOr<Verdict> Verify(const std::string& scratch) override;

  absl::StatusOr<int64_t> Checkpoint(const std::string& directory) override {
    ASSIGN_OR_RETURN(auto store, Written());
    return store->WriteCheckpoint(directory);
  }

 private:
  struct Waiting {
    Command command;
    CommandCallback done;
    std::shared_ptr<const handbook::v1::Handbook> handbook;
  };
  struct Answer {
    Waiting waiting;
    absl::StatusOr<CommandResult> result;
  };
  // Who wants the store with all that has been acknowledged written.
  struct Reader {
    Freshness freshness;
    std::function<void(absl::StatusOr<std::shared_ptr<store::RowStore>>)> done;
  };
  // What waits for one look at the log's end.
  struct Unconfirmed {
    std::vector<Answer> answers;
    std::vector<Reader> readers;
    // Of ours: records sent before, whose events the answers may have seen.
    int64_t sent = 0;
    std::optional<absl::StatusOr<int64_t>> end;  // once it is known
  };
  // A command's events on their way through the log.
  struct Group {
    int64_t last_seq = 0;
    int64_t bytes = 0;
    store::Turn turn;
    common::v1::ShardMeta position;  // counters after it
    Answer answer;
  };
  // What the log has answered: to an append, or where it ends.
  struct Delivery {
    uint64_t generation = 0;
    int64_t seq = 0;
    absl::StatusOr<int64_t> offset = 0;
  };
  static constexpr int64_t kEnd = -2;  // as a seq
  enum class Leave { kStop, kReclaim, kReopen };

  void Enqueue(Waiting waiting);
  void Run();
  absl::Status OpenStore();
  // Into an empty directory; without effect when there is none that is good.
  store::RowStoreOptions RowsAt(const std::string& directory) const;
  absl::Status RestoreCheckpoint(const store::RowStoreOptions& options);
  bool Fits(const common::v1::ShardMeta& meta) const;
  // Reads along until promoted. CANCELLED: stopping.
  absl::Status Follow();
  // Claims and catches up. OK: owner, ready to serve.
  absl::Status Own();
  absl::StatusOr<int64_t> AppendClaim();
  void ResolveInFlight(const Replayer& replayer);
  Leave Serve();
  // Serve, but for rows that are left unwritten.
  Leave Decide();
  bool HandleDeliveries(std::vector<Delivery> deliveries);
  // Reads what others have appended between records of ours.
  bool ReadGaps();
  // What the log has acknowledged counts, and is answered.
  void AcceptDone();
  absl::Status WriteRows();
  void ReadStore(Reader reader);
  // For threads that may block.
  absl::StatusOr<std::shared_ptr<store::RowStore>> Written();
  // Asks for the log's end if somebody waits for it.
  void AskEnd();
  // Gives the answers that rest on rows, if the log has confirmed these. False:
  // the partition is lost or in doubt, or the rows cannot be written.
  bool Confirm();
  // Nothing more is confirmed: commands are decided again, readers refused.
  void DropUnconfirmed(const absl::Status& refusal);
  void Process(Waiting waiting);
  void DecideAndSend(Waiting waiting);
  absl::StatusOr<std::vector<AnyDraft>> DecideHandbook(const Waiting& waiting);
  // False: the decision cannot be sent, nothing happened; the caller was told,
  // or is undecided_.
  bool SendGroup(Waiting waiting, const CommandContext& context,
                 std::vector<AnyDraft> drafts);
  void Reply(Waiting waiting, absl::StatusOr<CommandResult> result);
  void FireTimers();
  bool CheckSpace();
  absl::Status ReloadPolicies();
  void SetState(ShardState state);
  void PublishPosition();
  void DropAppender();
  // What a caller is told meanwhile. Needs mutex_.
  absl::Status NotServing() const;
  void Halt(const ReplayProblem& problem);
  absl::Status CheckLogHoldsRows(int64_t end);
  // Waits while halted or backing off; true when stopping.
  bool WaitOrStop(absl::Duration duration);
  bool stopping() {
    std::lock_guard lock(mutex_);
    return stopping_;
  }

  log::Log& log_;
  const Service& service_;
  const Applier applier_;
  const log::TopicPartition topic_partition_;
  const int partitions_;
  const ShardOptions options_;
  Clock& clock_;
  const std::string row_format_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;   // guarded by mutex_
  bool following_ = false;  // guarded by mutex_
  bool accepting_ = false;  // guarded by mutex_
  bool readable_ = false;   // guarded by mutex_
  bool serving_ = false;    // the thread looks at readers_; guarded by mutex_
  std::deque<Waiting> queue_;               // guarded by mutex_
  std::vector<Delivery> inbox_;             // guarded by mutex_
  std::shared_ptr<store::RowStore> store_;  // set under mutex_
  std::vector<Reader> readers_;             // guarded by mutex_
  ShardStatus status_;                      // guarded by mutex_; without digest
  absl::uint128 digest_ = 0;                // guarded by mutex_
  PolicyBook policies_;

  // The shard's thread only, from here on.
  std::unique_ptr<log::Appender> appender_;
  uint64_t generation_ = 0;
  int64_t claim_ = -1;
  bool damaged_ = false;  // what the directory holds: it has to be wiped
  // Since when the log is seen to end before the rows.
  absl::Time behind_since_ = absl::InfiniteFuture();
  std::unique_ptr<log::CommitTracker> tracker_;
  // Commands taken but not decided, in order.
  std::vector<Waiting> undecided_;
  std::deque<Group> in_flight_;
  Unconfirmed gathering_;             // asked for next
  std::optional<Unconfirmed> asked_;  // the log has been asked
  int64_t in_flight_bytes_ = 0;
  absl::Time oldest_send_;
  absl::Time oldest_unwritten_;
  common::v1::ShardMeta position_;  // as of the last group sent
  absl::flat_hash_set<std::string> stuck_timers_;
  absl::Time next_timer_check_;
  absl::Time next_space_check_;
  bool read_only_ = false;
  absl::BitGen random_;
  std::vector<std::thread> dropping_;

  std::thread thread_;
  std::once_flag joined_;
};

void ShardImpl::Enqueue(Waiting waiting) {
  absl::Status refusal;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) {
      refusal = ShuttingDown();
    } else if (!accepting_) {
      refusal = NotServing();
    } else if (queue_.size() >=
               static_cast<size_t>(options_.max_queued_commands)) {
      refusal = WithRetryDelay(Refuse(common::v1::REASON_OVERLOADED,
                                      "too many commands wait for this shard"),
                               absl::Milliseconds(100));
    } else {
      queue_.push_back(std::move(waiting));
    }
  }
  if (!refusal.ok()) {
    waiting.done(refusal);
    return;
  }
  wake_.notify_one();
}

void ShardImpl::SetState(ShardState state) {
  std::lock_guard lock(mutex_);
  status_.state = state;
  readable_ = IsReadable(state);
  // While in doubt commands may queue: they are decided after the new claim.
  accepting_ = readable_;
  serving_ = readable_ && state != ShardState::kInDoubt;
}

void ShardImpl::PublishPosition() {
  const common::v1::ShardMeta& meta = store_->meta();
  std::lock_guard lock(mutex_);
  status_.offset = meta.offset();
  status_.claim = claim_;
  status_.events = meta.events();
  status_.rows = meta.rows();
  status_.void_records = meta.void_records();
  digest_ = absl::MakeUint128(meta.digest_high(), meta.digest_low());
}

bool ShardImpl::WaitOrStop(absl::Duration duration) {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, absl::ToChronoMilliseconds(duration),
                 [this] { return stopping_; });
  return stopping_;
}

absl::Status ShardImpl::NotServing() const {
  if (status_.state == ShardState::kHalted) {
    return Refuse(common::v1::REASON_LOG_CORRUPT,
                  "the shard has halted until a person has looked at its log",
                  {{"offset", absl::StrCat(status_.problem_offset)},
                   {"key", status_.problem_key},
                   {"problem", status_.problem_reason}});
  }
  return WithRetryDelay(
      Refuse(common::v1::REASON_NOT_READY, "the shard is not serving yet"),
      absl::Seconds(1));
}

void ShardImpl::Halt(const ReplayProblem& problem) {
  LogError("shard halted: its log cannot be used",
           {{"topic", topic_partition_.topic},
            {"partition", absl::StrCat(topic_partition_.partition)},
            {"offset", absl::StrCat(problem.offset)},
            {"key", problem.key},
            {"reason", problem.reason}});
  {
    std::lock_guard lock(mutex_);
    status_.problem_offset = problem.offset;
    status_.problem_key = problem.key;
    status_.problem_reason = problem.reason;
  }
  SetState(ShardState::kHalted);
}

store::RowStoreOptions ShardImpl::RowsAt(const std::string& directory) const {
  store::RowStoreOptions options;
  options.directory = directory;
  options.write_buffer_bytes = options_.write_buffer_bytes;
  options.block_cache_bytes = options_.block_cache_bytes;
  options.cached_rows = options_.cached_rows;
  return options;
}

absl::Status ShardImpl::OpenStore() {
  const store::RowStoreOptions options = RowsAt(options_.directory);
  SetState(ShardState::kReplaying);
  {
    std::shared_ptr<store::RowStore> old;
    std::lock_guard lock(mutex_);
    old.swap(store_);
    damaged_ |= old != nullptr && absl::IsDataLoss(old->status());
  }
  // Opening looks at few blocks: what was found damaged before counts too. It
  // fails as long as a reader has the old database open.
  auto opened = store::RowStore::Open(service_.schema(), options);
  const bool unusable =
      absl::IsDataLoss(opened.status()) ||
      (opened.ok() && (damaged_ || ((*opened)->meta().offset() > 0 &&
                                    !Fits((*opened)->meta()))));
  if (unusable) {
    LogWarning("rows cannot be used: wiped, replaying from the log",
               {{"directory", options.directory}});
    opened = absl::UnavailableError("closed");
    damaged_ = true;
    RETURN_IF_ERROR(store::WipeDirectory(options.directory));
    damaged_ = false;
    opened = store::RowStore::Open(service_.schema(), options);
  }
  if (!opened.ok()) return opened.status();
  if (!options_.checkpoints.empty() && (*opened)->meta().offset() == 0) {
    opened = absl::UnavailableError("closed");
    RETURN_IF_ERROR(RestoreCheckpoint(options));
    opened = store::RowStore::Open(service_.schema(), options);
    if (!opened.ok()) return opened.status();
  }
  std::lock_guard lock(mutex_);
  store_ = *std::move(opened);
  return absl::OkStatus();
}

bool ShardImpl::Fits(const common::v1::ShardMeta& meta) const {
  return meta.row_format() == row_format_ &&
         meta.topic() == topic_partition_.topic &&
         meta.partition() == topic_partition_.partition &&
         meta.partitions() == partitions_;
}

absl::Status ShardImpl::RestoreCheckpoint(
    const store::RowStoreOptions& options) {
  for (const int64_t offset : ListCheckpoints(options_.checkpoints)) {
    const std::string path = CheckpointAt(options_.checkpoints, offset);
    RETURN_IF_ERROR(store::WipeDirectory(options.directory));
    std::error_code error;
    std::filesystem::create_directories(
        std::filesystem::path(options.directory).parent_path(), error);
    std::filesystem::copy(path, options.directory,
                          std::filesystem::copy_options::recursive, error);
    std::string problem;
    if (error) {
      problem = error.message();
    } else {
      const auto rows = store::RowStore::Open(service_.schema(), options);
      const auto scan =
          rows.ok() ? (*rows)->ScanDigest()
                    : absl::StatusOr<store::RowStore::Scan>(rows.status());
      if (!scan.ok()) {
        problem = std::string(scan.status().message());
      } else if (!Fits(scan->meta)) {
        problem = "it is of other rows";
      } else if (absl::MakeUint128(scan->meta.digest_high(),
                                   scan->meta.digest_low()) != scan->digest) {
        problem = "its rows do not fit their digest";
      } else {
        LogInfo("rows begin with a checkpoint",
                {{"checkpoint", path}, {"directory", options.directory}});
        return absl::OkStatus();
      }
    }
    LogWarning("a checkpoint is not used",
               {{"checkpoint", path}, {"problem", problem}});
  }
  return store::WipeDirectory(options.directory);
}

absl::Status ShardImpl::Follow() {
  const auto over = [this] {
    std::lock_guard lock(mutex_);
    return stopping_ || !following_;
  };
  if (over()) return absl::OkStatus();
  {
    std::lock_guard lock(mutex_);
    status_.state = ShardState::kFollowing;
  }
  store_->DropPending();
  Replayer replayer(service_, applier_, topic_partition_.partition, partitions_,
                    *store_, options_.replay_stretch_rows);
  std::unique_ptr<log::Reader> reader;
  next_space_check_ = absl::InfinitePast();
  absl::Time next_end_check = absl::InfinitePast();
  // However far it has come, also while it cannot go on.
  const auto tell = [&] {
    absl::StatusOr<int64_t> end = absl::UnavailableError("not asked");
    if (SteadyNow() >= next_end_check) {
      end = log_.End(topic_partition_);
      next_end_check = SteadyNow() + options_.end_interval;
    }
    std::lock_guard lock(mutex_);
    if (end.ok()) status_.replay_target = *end;
    status_.offset = replayer.fold().offset();
    status_.claim = replayer.fold().claim();
  };
  while (!over()) {
    tell();
    // Rows that cannot be written would have to be opened anew, and again.
    CheckSpace();
    if (read_only_) {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, absl::ToChronoMilliseconds(kSpaceCheckInterval),
                     [this] { return stopping_ || !following_; });
      continue;
    }
    absl::StatusOr<std::vector<log::StoredRecord>> batch;
    if (reader == nullptr) {
      auto opened = log_.OpenReader(topic_partition_, replayer.fold().offset());
      if (!opened.ok()) {
        batch = opened.status();
      } else {
        reader = *std::move(opened);
      }
    }
    if (reader != nullptr) batch = reader->Read(kReadBatch, kFollowWait);
    absl::Status status = batch.status();
    for (size_t i = 0; status.ok() && i < batch->size(); ++i) {
      status = replayer.Feed(std::move((*batch)[i]));
    }
    if (status.ok() && !batch->empty()) {
      // Rows that lag behind cost the takeover nothing but their replay.
      if (batch->size() < kReadBatch) status = replayer.Flush();
    }
    if (status.ok()) continue;
    // An owner would halt where a standby waits: what is wrong with the log
    // shows there, and again here when it comes to claiming.
    LogWarning("a standby cannot read along",
               {{"topic", topic_partition_.topic},
                {"partition", absl::StrCat(topic_partition_.partition)},
                {"problem", std::string(status.message())}});
    reader.reset();
    if (!batch.ok()) {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, std::chrono::seconds(1),
                     [this] { return stopping_ || !following_; });
      continue;
    }
    RETURN_IF_ERROR(replayer.Flush());
    if (!absl::IsDataLoss(status)) return status;
    while (!over()) {
      tell();
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, absl::ToChronoMilliseconds(options_.end_interval),
                     [this] { return stopping_ || !following_; });
    }
  }
  RETURN_IF_ERROR(replayer.Flush());
  PublishPosition();
  SetState(ShardState::kReplaying);
  return stopping() ? absl::CancelledError("stopping") : absl::OkStatus();
}

void ShardImpl::DropAppender() {
  ++generation_;
  if (appender_ == nullptr) return;
  // Closing a producer may take its time; nobody waits for it.
  dropping_.emplace_back(
      [appender = std::shared_ptr<log::Appender>(std::move(appender_))] {});
}

absl::StatusOr<int64_t> ShardImpl::AppendClaim() {
  DropAppender();
  ASSIGN_OR_RETURN(appender_, log_.OpenAppender(topic_partition_));
  const uint64_t generation = generation_;
  appender_->Append(
      log::MakeClaim({options_.owner, RandomId(), options_.address}),
      [this, generation](absl::StatusOr<int64_t> offset) {
        std::lock_guard lock(mutex_);
        inbox_.push_back({generation, -1, std::move(offset)});
        wake_.notify_one();
      });
  const auto deadline = std::chrono::steady_clock::now() +
                        absl::ToChronoMilliseconds(options_.append_timeout);
  std::unique_lock lock(mutex_);
  while (true) {
    for (Delivery& delivery : inbox_) {
      if (delivery.generation == generation) {
        absl::StatusOr<int64_t> offset = std::move(delivery.offset);
        inbox_.clear();
        return offset;
      }
    }
    inbox_.clear();
    if (stopping_) return absl::CancelledError("stopping");
    if (wake_.wait_until(lock, deadline) == std::cv_status::timeout) {
      return absl::UnavailableError("no answer to the claim");
    }
  }
}

// Rows are written after the log has acknowledged their events. If they stand
// past its end, the log has lost acknowledged records, or is another one: the
// rows may be all that is left of them, so a person decides. Nothing is
// appended before. The end that a Kafka leader tells may lag for a moment.
absl::Status ShardImpl::CheckLogHoldsRows(int64_t end) {
  const int64_t position = store_->meta().offset();
  if (position <= end) {
    behind_since_ = absl::InfiniteFuture();
    return absl::OkStatus();
  }
  const absl::Time now = SteadyNow();
  behind_since_ = std::min(behind_since_, now);
  const std::string problem = absl::StrCat(
      "the log ends at ", end, " but the rows stand at ", position,
      ": acknowledged records are missing from the log. Put the right log "
      "back, or delete ",
      options_.directory, " to go on with what the log has");
  if (now - behind_since_ < options_.append_timeout) {
    return absl::UnavailableError(problem);
  }
  Halt({end, "", problem});
  return absl::DataLossError(problem);
}

absl::Status ShardImpl::Own() {
  ASSIGN_OR_RETURN(const int64_t end, log_.End(topic_partition_));
  {
    std::lock_guard lock(mutex_);
    status_.replay_target = end;
  }
  RETURN_IF_ERROR(CheckLogHoldsRows(end));
  ASSIGN_OR_RETURN(const int64_t claim, AppendClaim());
  store_->DropPending();
  Replayer replayer(service_, applier_, topic_partition_.partition, partitions_,
                    *store_, options_.replay_stretch_rows);
  ASSIGN_OR_RETURN(auto reader,
                   log_.OpenReader(topic_partition_, replayer.fold().offset()));
  ReadAhead ahead(service_, std::move(reader), claim);
  const int64_t from = replayer.fold().offset();
  const absl::Time begin = SteadyNow();
  absl::Time told = begin;
  while (replayer.fold().offset() <= claim) {
    auto batch = ahead.Next();
    if (absl::IsDataLoss(batch.status())) {
      Halt({ahead.error_position(), "", std::string(batch.status().message())});
      return batch.status();
    }
    if (absl::IsOutOfRange(batch.status())) {
      Halt({ahead.error_position(), "",
            absl::StrCat("the log begins behind the rows: ",
                         batch.status().message())});
      return batch.status();
    }
    RETURN_IF_ERROR(batch.status());
    for (DecodedRecord& record : *batch) {
      if (absl::Status fed = replayer.Feed(std::move(record)); !fed.ok()) {
        // What came before is good and stays.
        RETURN_IF_ERROR(replayer.Flush());
        if (absl::IsDataLoss(fed)) Halt(replayer.problem());
        PublishPosition();
        return fed;
      }
    }
    {
      std::lock_guard lock(mutex_);
      status_.offset = replayer.fold().offset();
    }
    if (const absl::Time now = SteadyNow(); now - told > kProgressEvery) {
      told = now;
      const auto done =
          static_cast<double>(replayer.fold().offset() - from) + 1;
      const double rate = done / absl::ToDoubleSeconds(now - begin);
      LogInfo("shard replays",
              {{"topic", topic_partition_.topic},
               {"partition", absl::StrCat(topic_partition_.partition)},
               {"offset", absl::StrCat(replayer.fold().offset())},
               {"end", absl::StrCat(claim)},
               {"records_per_second", absl::StrCat(std::llround(rate))},
               {"seconds_left",
                absl::StrCat(std::llround(
                    static_cast<double>(claim - replayer.fold().offset()) /
                    rate))}});
    }
    if (stopping()) return absl::CancelledError("stopping");
  }
  RETURN_IF_ERROR(replayer.Flush());
  if (replayer.fold().claim() != claim) {
    return absl::UnavailableError("another process claimed the partition");
  }
  ResolveInFlight(replayer);
  claim_ = claim;
  tracker_ = std::make_unique<log::CommitTracker>(claim);
  position_ = store_->meta();
  RETURN_IF_ERROR(store_->CommitOpenTurn(position_));
  RETURN_IF_ERROR(ReloadPolicies());
  PublishPosition();
  return absl::OkStatus();
}

absl::Status ShardImpl::ReloadPolicies() {
  PolicyBook fresh;
  store_->ScanTable(kHandbooks, "", "\xff",
                    [&fresh](absl::string_view company,
                             const common::v1::HandbookVersions& versions) {
                      fresh.Set(company, versions);
                      return true;
                    });
  RETURN_IF_ERROR(store_->status());
  policies_.Become(std::move(fresh));
  stuck_timers_.clear();
  return absl::OkStatus();
}

// After a new claim has been folded every earlier outcome is definite.
void ShardImpl::ResolveInFlight(const Replayer& replayer) {
  const int64_t settled = replayer.SettledOf(claim_);
  std::vector<Waiting> again;
  for (Group& group : in_flight_) {
    Answer& answer = group.answer;
    if (answer.waiting.done == nullptr) continue;
    if (group.last_seq < settled) {
      answer.waiting.done(std::move(answer.result));
    } else {
      // Never happened: once more.
      again.push_back(std::move(answer.waiting));
    }
  }
  in_flight_.clear();
  in_flight_bytes_ = 0;
  std::lock_guard lock(mutex_);
  queue_.insert(queue_.begin(), std::make_move_iterator(again.begin()),
                std::make_move_iterator(again.end()));
}

void ShardImpl::Run() {
  absl::Duration backoff = absl::Milliseconds(50);
  absl::Duration truce = kMinTruce;
  bool open = false;
  while (!stopping()) {
    absl::Status status;
    if (!open || store_ == nullptr) {
      status = OpenStore();
      open = status.ok();
    }
    if (status.ok()) status = Follow();
    if (status.ok()) status = Own();
    if (!status.ok()) {
      if (store_ != nullptr && store_->broken()) open = false;
      bool halted = false;
      {
        std::lock_guard lock(mutex_);
        halted = status_.state == ShardState::kHalted;
      }
      if (halted) {
        // Only a person can help; a restart tries again.
        while (!WaitOrStop(absl::Minutes(10))) {
        }
        break;
      }
      if (absl::IsCancelled(status)) break;
      LogWarning("shard cannot serve yet",
                 {{"topic", topic_partition_.topic},
                  {"partition", absl::StrCat(topic_partition_.partition)},
                  {"problem", std::string(status.message())}});
      if (WaitOrStop(backoff * absl::Uniform<double>(absl::IntervalClosed,
                                                     random_, 0.5, 1.5))) {
        break;
      }
      backoff = std::min(backoff * 2, absl::Seconds(5));
      continue;
    }
    backoff = absl::Milliseconds(50);
    SetState(read_only_ ? ShardState::kReadOnly : ShardState::kServing);
    LogInfo("shard serves",
            {{"topic", topic_partition_.topic},
             {"partition", absl::StrCat(topic_partition_.partition)},
             {"claim", absl::StrCat(claim_)},
             {"events", absl::StrCat(store_->meta().events())}});
    const absl::Time began = SteadyNow();
    const Leave leave = Serve();
    if (leave == Leave::kStop) break;
    const bool deposed =
        tracker_->state() == log::CommitTracker::State::kDemoted;
    open = leave != Leave::kReopen;
    // Who was deposed knows that its rows are not the newest.
    SetState(deposed || !open ? ShardState::kReplaying : ShardState::kInDoubt);
    if (!open) {
      LogError("rows are opened again",
               {{"directory", options_.directory},
                {"problem", std::string(store_->status().message())}});
    }
    DropUnconfirmed(open && !deposed ? NotConfirmed() : Readable());
    LogWarning("shard claims again",
               {{"topic", topic_partition_.topic},
                {"partition", absl::StrCat(topic_partition_.partition)},
                {"deposed", deposed ? "true" : "false"}});
    const bool longer = deposed || leave == Leave::kReopen;
    if (!longer || SteadyNow() - began > kMaxTruce) truce = kMinTruce;
    if (WaitOrStop(truce * absl::Uniform<double>(absl::IntervalClosed, random_,
                                                 0.1, 1.0))) {
      break;
    }
    if (longer) truce = std::min(truce * 2, kMaxTruce);
  }
  // What still waits has an unknown outcome (in flight) or none (queued).
  const absl::Status unknown = WithRetryDelay(
      Refuse(common::v1::REASON_LOG_UNAVAILABLE,
             "the outcome is unknown; repeat with the same request_id"),
      absl::Seconds(1));
  for (Group& group : in_flight_) {
    Answer& answer = group.answer;
    if (answer.waiting.done != nullptr) answer.waiting.done(unknown);
  }
  in_flight_.clear();
  {
    std::lock_guard lock(mutex_);
    accepting_ = readable_ = serving_ = false;
  }
  DropUnconfirmed(ShuttingDown());
  std::deque<Waiting> queued;
  {
    std::lock_guard lock(mutex_);
    queued.swap(queue_);
  }
  for (Waiting& waiting : queued) waiting.done(ShuttingDown());
  DropAppender();
  for (std::thread& thread : dropping_) thread.join();
  std::lock_guard lock(mutex_);
  store_.reset();
}

void ShardImpl::ReadStore(Reader reader) {
  absl::StatusOr<std::shared_ptr<store::RowStore>> now;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) {
      // Else those who come could keep it from ever being done.
      now = ShuttingDown();
    } else if (!readable_) {
      now = NotServing();
    } else if (!serving_) {
      // All of it has been written.
      now = store_;
      if (reader.freshness == Freshness::kConfirmed) now = NotConfirmed();
    } else if (readers_.size() >=
               static_cast<size_t>(options_.max_queued_commands)) {
      now = WithRetryDelay(Refuse(common::v1::REASON_OVERLOADED,
                                  "too many reads wait for this shard"),
                           absl::Milliseconds(100));
    } else {
      readers_.push_back(std::move(reader));
      wake_.notify_one();
      return;
    }
  }
  reader.done(std::move(now));
}

absl::StatusOr<std::shared_ptr<store::RowStore>> ShardImpl::Written() {
  return Awaited<std::shared_ptr<store::RowStore>>([this](auto done) {
    ReadStore({Freshness::kAny, std::move(done)});
  });
}

void ShardImpl::AskEnd() {
  if (asked_.has_value() ||
      (gathering_.answers.empty() && gathering_.readers.empty())) {
    return;
  }
  asked_ = std::exchange(gathering_, {});
  asked_->sent = tracker_->sent_records();
  appender_->AskEnd(
      [this, generation = generation_](absl::StatusOr<int64_t> end) {
        std::lock_guard lock(mutex_);
        inbox_.push_back({generation, kEnd, std::move(end)});
        if (inbox_.size() == 1) wake_.notify_one();
      });
}

bool ShardImpl::Confirm() {
  if (!asked_.has_value() || !asked_->end.has_value()) return true;
  const absl::StatusOr<int64_t>& end = *asked_->end;
  if (end.ok()) {
    if (!tracker_->Knows(asked_->sent, *end)) {
      if (tracker_->state() == log::CommitTracker::State::kGood) return true;
      if (!ReadGaps()) return false;
    }
    if (!asked_->readers.empty() && !WriteRows().ok()) return false;
  }
  Unconfirmed confirmed = *std::exchange(asked_, std::nullopt);
  for (Answer& answer : confirmed.answers) {
    answer.waiting.done(end.ok() ? std::move(answer.result) : NotConfirmed());
  }
  for (Reader& reader : confirmed.readers) {
    if (end.ok()) {
      reader.done(store_);
    } else {
      reader.done(NotConfirmed());
    }
  }
  return true;
}

void ShardImpl::DropUnconfirmed(const absl::Status& refusal) {
  std::vector<Reader> readers;
  {
    std::lock_guard lock(mutex_);
    readers.swap(readers_);
    auto first = queue_.begin();
    for (Unconfirmed* unconfirmed :
         {asked_.has_value() ? &*asked_ : nullptr, &gathering_}) {
      if (unconfirmed == nullptr) continue;
      for (Answer& answer : unconfirmed->answers) {
        first = queue_.insert(first, std::move(answer.waiting)) + 1;
      }
      std::move(unconfirmed->readers.begin(), unconfirmed->readers.end(),
                std::back_inserter(readers));
    }
  }
  asked_.reset();
  gathering_ = {};
  for (Reader& reader : readers) reader.done(refusal);
}

absl::Status ShardImpl::WriteRows() {
  const absl::Status written = store_->Write();
  if (!written.ok()) {
    LogError("rows cannot be written",
             {{"directory", options_.directory},
              {"problem", std::string(written.message())}});
    return written;
  }
  return absl::OkStatus();
}

ShardImpl::Leave ShardImpl::Serve() {
  const Leave leave = Decide();
  const bool good = !store_->broken() && WriteRows().ok();
  return good || leave == Leave::kStop ? leave : Leave::kReopen;
}

ShardImpl::Leave ShardImpl::Decide() {
  next_timer_check_ = absl::InfinitePast();
  next_space_check_ = absl::InfinitePast();
  std::vector<Waiting> batch;
  while (true) {
    const absl::Time now = SteadyNow();
    if (CheckSpace()) {
      SetState(read_only_ ? ShardState::kReadOnly : ShardState::kServing);
    }
    if (now >= next_timer_check_) {
      FireTimers();
      next_timer_check_ = now + options_.timer_interval;
    }
    const bool can_send =
        tracker_->open_records() < options_.max_inflight_records &&
        in_flight_bytes_ < options_.max_inflight_bytes;
    std::vector<Delivery> deliveries;
    std::vector<Reader> readers;
    bool stop = false;
    batch.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(
          lock, absl::ToChronoMilliseconds(options_.timer_interval), [&] {
            return !inbox_.empty() || (can_send && !queue_.empty()) ||
                   !readers_.empty() ||
                   (stopping_ && in_flight_.empty() && !asked_.has_value());
          });
      deliveries.swap(inbox_);
      readers.swap(readers_);
      stop = stopping_;
      if (can_send && !stop) {
        // A stretch of commands at once; the log groups them into one write.
        while (!queue_.empty() && batch.size() < kMaxBatch) {
          batch.push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
    }
    store_->Evict();
    bool good = HandleDeliveries(std::move(deliveries));
    AcceptDone();
    absl::Status written;
    std::vector<Reader> any;
    for (Reader& reader : readers) {
      (reader.freshness == Freshness::kAny ? any : gathering_.readers)
          .push_back(std::move(reader));
    }
    if (!any.empty() || store_->unwritten() >= kStretchBytes ||
        (store_->unwritten() > 0 && now - oldest_unwritten_ > kWriteEvery)) {
      written = WriteRows();
    }
    for (Reader& reader : any) {
      if (written.ok()) {
        reader.done(store_);
      } else {
        gathering_.readers.push_back(std::move(reader));
      }
    }
    good = good && written.ok() && Confirm();
    if (good) {
      for (Waiting& waiting : batch) Process(std::move(waiting));
    } else {
      undecided_ = std::move(batch);
    }
    const bool broken = store_->broken();
    if (broken || !good) {
      // Commands taken but not decided go back to the front.
      std::lock_guard lock(mutex_);
      queue_.insert(queue_.begin(), std::make_move_iterator(undecided_.begin()),
                    std::make_move_iterator(undecided_.end()));
      undecided_.clear();
      return broken ? Leave::kReopen : Leave::kReclaim;
    }
    AskEnd();
    if (stop && in_flight_.empty() && !asked_.has_value()) return Leave::kStop;
    if (!in_flight_.empty() &&
        SteadyNow() - oldest_send_ > options_.append_timeout) {
      if (stop) return Leave::kStop;
      return Leave::kReclaim;
    }
  }
}

bool ShardImpl::HandleDeliveries(std::vector<Delivery> deliveries) {
  for (const Delivery& delivery : deliveries) {
    if (delivery.generation != generation_) continue;
    if (delivery.seq == kEnd) {
      if (asked_.has_value()) asked_->end = delivery.offset;
      continue;
    }
    if (delivery.offset.ok()) {
      tracker_->Delivered(delivery.seq, *delivery.offset);
    } else {
      tracker_->Failed(delivery.seq);
    }
    if (!ReadGaps()) return false;
  }
  return true;
}

bool ShardImpl::ReadGaps() {
  while (tracker_->state() == log::CommitTracker::State::kNeedsGap) {
    std::vector<log::StoredRecord> gap;
    auto reader = log_.OpenReader(topic_partition_, tracker_->gap_from());
    if (!reader.ok()) return false;
    while ((*reader)->position() <= tracker_->gap_to()) {
      auto batch = (*reader)->Read(kReadBatch, options_.append_timeout);
      if (!batch.ok() || batch->empty()) return false;
      for (log::StoredRecord& record : *batch) {
        if (record.offset <= tracker_->gap_to()) {
          gap.push_back(std::move(record));
        }
      }
    }
    tracker_->GapRecords(std::move(gap));
  }
  return tracker_->state() == log::CommitTracker::State::kGood;
}

void ShardImpl::AcceptDone() {
  const std::vector<log::CommitTracker::Done> done = tracker_->TakeDone();
  if (done.empty()) return;
  if (store_->unwritten() == 0) oldest_unwritten_ = SteadyNow();
  std::vector<Answer> answers;
  answers.reserve(done.size());
  for (const auto& entry : done) {
    Group& group = in_flight_.front();
    group.position.set_claim(claim_);
    group.position.set_next_seq(entry.last_seq + 1);
    group.position.set_offset(entry.end_offset);
    store_->Accept(std::move(group.turn), std::move(group.position));
    answers.push_back(std::move(group.answer));
    in_flight_bytes_ -= group.bytes;
    in_flight_.pop_front();
  }
  oldest_send_ = SteadyNow();
  PublishPosition();
  for (Answer& answer : answers) {
    if (answer.waiting.done != nullptr) {
      answer.waiting.done(std::move(answer.result));
    }
  }
}

// What leaves no event rests on rows: on those whose events are still on their
// way, and on there being no others that this shard does not know of. On a
// failed read nothing rests.
void ShardImpl::Reply(Waiting waiting, absl::StatusOr<CommandResult> result) {
  if (waiting.done == nullptr) return;
  if (store_->broken()) {
    undecided_.push_back(std::move(waiting));
    return;
  }
  gathering_.answers.push_back({std::move(waiting), std::move(result)});
}

void ShardImpl::Process(Waiting waiting) {
  if (clock_.Now() >= waiting.command.deadline) {
    waiting.done(Refuse(common::v1::REASON_DEADLINE_PASSED,
                        "the deadline passed before the command was decided; "
                        "it was not carried out"));
    return;
  }
  DecideAndSend(std::move(waiting));
}

void ShardImpl::DecideAndSend(Waiting waiting) {
  const Command& command = waiting.command;
  CommandContext context;
  context.actor = command.actor;
  context.record_time = clock_.Now();
  context.occur_time = command.occur_time.value_or(context.record_time);
  context.cause = command.cause;

  if (!command.request_id.empty()) {
    const auto* known =
        applier_.FindRequest(*store_, command.boundary, command.request_id,
                             context.record_time, position_.request_day());
    if (known != nullptr) {
      if (known->fingerprint() != command.fingerprint) {
        Reply(std::move(waiting),
              Refuse(common::v1::REASON_REQUEST_ID_REUSED,
                     "this request_id was used for another request, or by "
                     "somebody else",
                     {{"request_id", command.request_id}}));
        return;
      }
      CommandResult result;
      result.resource = known->resource();
      result.refused_reason = known->refused_reason();
      if (const auto* table = service_.schema().TableOf(
              command.method->descriptor->output_type())) {
        result.row = store_->SerializedRow(RowKey(table->name, result.resource),
                                           *table->prototype);
      }
      Reply(std::move(waiting), std::move(result));
      return;
    }
  }
  if (read_only_) {
    waiting.done(WithRetryDelay(
        Refuse(common::v1::REASON_DISK_SPACE_LOW,
               "free disk space is below the floor; only reads are answered"),
        absl::Seconds(10)));
    return;
  }
  const bool ahead =
      context.occur_time > context.record_time + options_.clock_tolerance;
  if (ahead && command.reaction) {
    // A fact in a log has happened. That the clock of who stated it was wrong
    // must not keep it from others, nor spread to them.
    context.occur_time = context.record_time;
  } else if (ahead) {
    Reply(std::move(waiting),
          Refuse(common::v1::REASON_OCCUR_TIME_IN_FUTURE,
                 "occur_time lies in the future",
                 {{"occur_time", FormatRfc3339(context.occur_time)}}));
    return;
  }
  if (waiting.handbook != nullptr) {
    auto drafts = DecideHandbook(waiting);
    if (!drafts.ok()) {
      Reply(std::move(waiting), drafts.status());
    } else if (drafts->empty()) {
      Reply(std::move(waiting), CommandResult{command.boundary, "", ""});
    } else {
      SendGroup(std::move(waiting), context, *std::move(drafts));
    }
    return;
  }

  const std::shared_ptr<const handbook::Policy> policy =
      policies_.At(CompanyOf(command.boundary), context.occur_time);
  absl::StatusOr<std::vector<AnyDraft>> drafts;
  if (policy == nullptr) {
    drafts = Refuse(common::v1::REASON_HANDBOOK_MISSING,
                    "the company has no handbook in force at this time",
                    {{"company", std::string(CompanyOf(command.boundary))},
                     {"time", FormatRfc3339(context.occur_time)}});
  } else {
    context.policy = policy.get();
    context.fresh_id = RandomId();
    drafts = command.method->decide(*store_, context, *command.request);
  }
  if (!drafts.ok() && command.reaction && IsBusinessRefusal(drafts.status())) {
    PlatformFact fact;
    auto* refused = fact.mutable_reaction_refused();
    refused->set_method(command.method->descriptor->full_name());
    refused->set_source_event(command.cause);
    refused->set_reason(ReasonOf(drafts.status()));
    refused->set_message(std::string(drafts.status().message()));
    refused->set_code(static_cast<int>(drafts.status().code()));
    std::vector<AnyDraft> refusal;
    refusal.push_back({command.boundary, WrapPlatformFact(service_, fact)});
    drafts = std::move(refusal);
  }
  if (!drafts.ok()) {
    Reply(std::move(waiting), drafts.status());
    return;
  }
  if (drafts->empty()) {
    Reply(std::move(waiting), CommandResult{command.boundary, "", ""});
    return;
  }
  SendGroup(std::move(waiting), context, *std::move(drafts));
}

absl::StatusOr<std::vector<AnyDraft>> ShardImpl::DecideHandbook(
    const Waiting& waiting) {
  const handbook::v1::Handbook& handbook = *waiting.handbook;
  ASSIGN_OR_RETURN(auto policy, handbook::Policy::Compile(handbook));
  const auto* known = store_->Find(kHandbooks, handbook.company());
  if (known != nullptr) {
    for (const auto& version : known->versions()) {
      if (version.version() != handbook.version()) continue;
      if (version.SerializeAsString() == handbook.SerializeAsString()) {
        return std::vector<AnyDraft>();
      }
      return Refuse(common::v1::REASON_HANDBOOK_VERSION_CONFLICT,
                    "this version number was published with other content",
                    {{"version", absl::StrCat(handbook.version())}});
    }
    const auto& last = known->versions(known->versions_size() - 1);
    if (handbook.version() < last.version() ||
        FromProto(handbook.effective_time()) <
            FromProto(last.effective_time())) {
      return Refuse(common::v1::REASON_HANDBOOK_VERSION_CONFLICT,
                    "versions and their effective times must ascend",
                    {{"version", absl::StrCat(handbook.version())},
                     {"last_version", absl::StrCat(last.version())}});
    }
    // Running clocks and technicians name their calendar: without it their time
    // would be counted around the clock from now on.
    for (const auto& calendar : last.calendars()) {
      if (policy->FindCalendar(calendar.id()) == nullptr) {
        return Refuse(common::v1::REASON_HANDBOOK_INVALID,
                      "a calendar of the version before is missing",
                      {{"calendar", calendar.id()},
                       {"last_version", absl::StrCat(last.version())}});
      }
    }
  }
  PlatformFact fact;
  *fact.mutable_handbook_applied()->mutable_handbook() = handbook;
  std::vector<AnyDraft> drafts;
  drafts.push_back({handbook.company(), WrapPlatformFact(service_, fact)});
  return drafts;
}

bool ShardImpl::SendGroup(Waiting waiting, const CommandContext& context,
                          std::vector<AnyDraft> drafts) {
  const Command& command = waiting.command;
  for (const AnyDraft& draft : drafts) {
    if (BoundaryOf(draft.subject) != command.boundary ||
        FactName(*draft.event).empty()) {
      LogError("a decision left its boundary or said nothing",
               {{"boundary", command.boundary}, {"subject", draft.subject}});
      Reply(std::move(waiting), Refuse(common::v1::REASON_INTERNAL_ERROR,
                                       "the decision is not usable"));
      return false;
    }
  }
  const auto* parent = store_->Find(kParents, command.boundary);
  int64_t revision = parent == nullptr ? 0 : parent->revision();
  const int count = static_cast<int>(drafts.size());
  const int64_t first_seq = tracker_->sent_records();

  Group group;
  group.last_seq = first_seq + count - 1;
  CommandResult result;
  result.resource = drafts.front().subject;
  std::vector<Event> events;
  std::vector<log::Record> records;
  events.reserve(drafts.size());
  records.reserve(drafts.size());
  for (int i = 0; i < count; ++i) {
    Event event;
    event.meta.id =
        absl::StrCat(service_.name(), "/", topic_partition_.partition, "/",
                     claim_, "/", first_seq + i);
    event.meta.subject = std::move(drafts[i].subject);
    event.meta.parent = command.boundary;
    event.meta.revision = ++revision;
    // What the log cannot keep must not differ between live and replay.
    event.meta.record_time =
        absl::FromUnixMicros(absl::ToUnixMicros(context.record_time));
    event.meta.occur_time =
        absl::FromUnixMicros(absl::ToUnixMicros(context.occur_time));
    event.meta.actor = command.actor;
    event.message = std::move(drafts[i].event);
    event.bytes = event.message->SerializeAsString();
    event.cause = command.cause;
    event.correlation =
        command.correlation.empty()
            ? (command.request_id.empty() ? event.meta.id : command.request_id)
            : command.correlation;
    event.traceparent = command.traceparent;
    if (context.policy != nullptr) {
      event.handbook_version = context.policy->version();
    }
    if (i == 0) {
      event.request_id = command.request_id;
      event.fingerprint = command.fingerprint;
      if (const auto* platform = PlatformFactOf(*event.message)) {
        result.refused_reason = static_cast<const PlatformFact&>(*platform)
                                    .reaction_refused()
                                    .reason();
      }
    }
    log::Record record = ToRecord(service_, event);
    log::StampEvent(record, claim_, first_seq + i, i + 1 < count);
    // The log would refuse it for certain, and the shard would take that for
    // an unknown outcome.
    if (record.Bytes() > log::kMaxRecordBytes) {
      Reply(std::move(waiting),
            Refuse(common::v1::REASON_EVENT_TOO_LARGE,
                   "an event of this command is larger than the log takes",
                   {{"bytes", absl::StrCat(record.Bytes())},
                    {"limit", absl::StrCat(log::kMaxRecordBytes)}}));
      return false;
    }
    group.bytes += static_cast<int64_t>(record.value.size()) + 512;
    records.push_back(std::move(record));
    events.push_back(std::move(event));
  }
  for (const Event& event : events) applier_.Apply(*store_, position_, event);
  group.turn = store_->EndTurn();
  group.position = position_;
  if (command.method != nullptr) {
    if (const auto* table = service_.schema().TableOf(
            command.method->descriptor->output_type())) {
      const std::string key = RowKey(table->name, result.resource);
      const std::string* written = group.turn.ValueOf(key);
      result.row = written != nullptr
                       ? *written
                       : store_->SerializedRow(key, *table->prototype);
    }
  }
  // The last moment: neither what was decided nor the rows made of it may rest
  // on a failed read.
  if (store_->broken()) {
    if (waiting.done != nullptr) undecided_.push_back(std::move(waiting));
    return false;
  }
  tracker_->Sent(count);
  if (waiting.handbook != nullptr) {
    policies_.Set(command.boundary,
                  *store_->Find(kHandbooks, command.boundary));
    stuck_timers_.clear();
  }
  if (in_flight_.empty()) oldest_send_ = SteadyNow();
  in_flight_bytes_ += group.bytes;
  group.answer = {std::move(waiting), std::move(result)};
  in_flight_.push_back(std::move(group));

  const uint64_t generation = generation_;
  for (int i = 0; i < count; ++i) {
    appender_->Append(std::move(records[i]),
                      [this, generation,
                       seq = first_seq + i](absl::StatusOr<int64_t> offset) {
                        std::lock_guard lock(mutex_);
                        inbox_.push_back({generation, seq, std::move(offset)});
                        // One wake-up for a whole group write: the thread takes
                        // all.
                        if (inbox_.size() == 1) wake_.notify_one();
                      });
  }
  return true;
}

void ShardImpl::FireTimers() {
  if (read_only_ || service_.timer() == nullptr) return;
  const absl::Time now = clock_.Now();
  std::vector<std::pair<std::string, std::string>> due;
  store_->ScanIndex(kTimerIndex, "", SortableTime(now),
                    [&](absl::string_view key, absl::string_view id) {
                      if (!stuck_timers_.contains(absl::StrCat(key, id))) {
                        due.emplace_back(key, id);
                      }
                      return due.size() < 256;
                    });
  absl::flat_hash_set<std::string> fired;
  for (const auto& [key, name] : due) {
    if (tracker_->open_records() >= options_.max_inflight_records) return;
    // Several clocks of one resource are settled by one decision.
    if (!fired.insert(name).second) continue;
    CommandContext context;
    context.actor = "system";
    context.record_time = now;
    context.occur_time = now;
    const auto policy = policies_.At(CompanyOf(name), now);
    context.policy = policy.get();
    context.fresh_id = RandomId();
    absl::StatusOr<std::vector<AnyDraft>> drafts =
        policy == nullptr ? absl::FailedPreconditionError("no handbook")
                          : service_.timer()(*store_, context, name);
    if (store_->broken()) return;
    if (!drafts.ok() || drafts->empty()) {
      // It would come up for ever; a person has to see it. Another handbook
      // may help.
      LogError(
          "a due timer could not be settled",
          {{"name", name},
           {"problem", drafts.ok() ? "no event"
                                   : std::string(drafts.status().message())}});
      stuck_timers_.insert(key + name);
      continue;
    }
    Waiting waiting;
    waiting.command.boundary = std::string(BoundaryOf(name));
    waiting.command.actor = "system";
    if (!SendGroup(std::move(waiting), context, *std::move(drafts))) {
      stuck_timers_.insert(key + name);
    }
  }
}

// Looks at the disk at most every kSpaceCheckInterval; true when that has
// changed read_only_.
bool ShardImpl::CheckSpace() {
  const absl::Time now = SteadyNow();
  if (now < next_space_check_) return false;
  next_space_check_ = now + kSpaceCheckInterval;
  absl::StatusOr<int64_t> free = absl::UnknownError("");
  if (options_.free_bytes != nullptr) {
    free = options_.free_bytes();
  } else {
    struct statvfs info {};
    if (statvfs(options_.directory.c_str(), &info) == 0) {
      free = static_cast<int64_t>(info.f_bavail) *
             static_cast<int64_t>(info.f_frsize);
    }
  }
  if (!free.ok()) return false;
  // A little more than the floor is asked for before writing again, so that
  // the state does not flutter.
  const int64_t floor =
      read_only_ ? options_.min_free_bytes + options_.min_free_bytes / 10
                 : options_.min_free_bytes;
  const bool low = *free < floor;
  if (low == read_only_) return false;
  read_only_ = low;
  if (low) {
    LogError("disk space is low: the shard writes nothing more",
             {{"directory", options_.directory},
              {"free_bytes", absl::StrCat(*free)}});
  } else {
    LogInfo("disk space is back: the shard writes again",
            {{"directory", options_.directory}});
  }
  return true;
}

absl::StatusOr<Shard::Verdict> ShardImpl::Verify(const std::string& scratch) {
  ASSIGN_OR_RETURN(auto store, Written());
  ASSIGN_OR_RETURN(const store::RowStore::Scan scan, store->ScanDigest());
  store.reset();
  Verdict verdict;
  verdict.offset = scan.meta.offset();
  verdict.live_digest = store::DigestText(
      absl::MakeUint128(scan.meta.digest_high(), scan.meta.digest_low()));
  verdict.scanned_digest = store::DigestText(scan.digest);

  RETURN_IF_ERROR(store::WipeDirectory(scratch));
  const absl::Cleanup remove = [&scratch] {
    std::error_code ignored;
    std::filesystem::remove_all(scratch, ignored);
  };
  ASSIGN_OR_RETURN(auto replayed,
                   store::RowStore::Open(service_.schema(), RowsAt(scratch)));
  Replayer replayer(service_, applier_, topic_partition_.partition, partitions_,
                    *replayed, options_.replay_stretch_rows);
  ASSIGN_OR_RETURN(const int64_t end, log_.End(topic_partition_));
  if (end < scan.meta.offset()) {
    verdict.problem = "the log ends before the rows do";
    return verdict;
  }
  ASSIGN_OR_RETURN(auto reader, log_.OpenReader(topic_partition_, 0));
  while (replayer.fold().offset() < scan.meta.offset()) {
    ASSIGN_OR_RETURN(auto batch, reader->Read(kReadBatch, kVerifyWait));
    if (batch.empty()) {
      return absl::UnavailableError("the log does not answer");
    }
    for (log::StoredRecord& record : batch) {
      if (record.offset >= scan.meta.offset()) break;
      if (absl::Status fed = replayer.Feed(std::move(record)); !fed.ok()) {
        verdict.problem = absl::StrCat("offset ", replayer.problem().offset,
                                       ": ", fed.message());
        return verdict;
      }
    }
  }
  RETURN_IF_ERROR(replayer.Flush());
  const common::v1::ShardMeta& meta = replayed->meta();
  verdict.replayed_digest = store::DigestText(
      absl::MakeUint128(meta.digest_high(), meta.digest_low()));
  verdict.ok = verdict.live_digest == verdict.scanned_digest &&
               verdict.live_digest == verdict.replayed_digest;
  if (!verdict.ok) verdict.problem = "digests differ";
  return verdict;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RowReader>> Shard::Snapshot(
    Freshness freshness) {
  return Awaited<std::unique_ptr<RowReader>>(
      [&](ReadCallback done) { Read(freshness, std::move(done)); });
}

absl::StatusOr<std::unique_ptr<Shard>> Shard::Start(
    log::Log& log, const Service& service, int partition, int partitions,
    ShardOptions options, Clock& clock) {
  RETURN_IF_ERROR(service.CheckComplete());
  return std::make_unique<ShardImpl>(log, service, partition, partitions,
                                     std::move(options), clock);
}

}  // namespace aftercare::shard
