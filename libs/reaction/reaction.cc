#include "libs/reaction/reaction.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/log/fold.h"
#include "libs/process/clock.h"
#include "libs/process/logging.h"
#include "libs/shard/apply.h"

namespace aftercare::reaction {
namespace {

using admin::v1::Parked;

constexpr absl::Duration kReadWait = absl::Milliseconds(100);

// One event on its way.
struct Item {
  std::string key;
  std::string event_id;
  int64_t offset = 0;
  shard::Event event;
  // Position once this item and all before it are done; set on the last item
  // of a group.
  std::optional<log::FoldState> behind;
  bool mapped = false;
  std::vector<shard::Command> commands;
  size_t next = 0;
  int attempts = 0;
  absl::Time not_before = absl::InfinitePast();
  bool submitted = false;
  bool done = false;
  // Set when parked.
  std::string problem;
  // For Resolve: outside the window, woken when done.
  bool retry = false;
};

class ReactionImpl final : public Reaction {
 public:
  ReactionImpl(log::Log& log, const shard::Service& source, Target target,
               Mapping mapping, Progress& progress, ReactionOptions options)
      : log_(log),
        source_(source),
        target_(std::move(target)),
        mapping_(std::move(mapping)),
        progress_(progress),
        options_(options),
        name_(absl::StrCat(target_.service->name(), "<", source.name())),
        stream_(absl::StrCat(name_, "/", options.partition)) {}

  void Stop() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
  }

  ~ReactionImpl() override {
    Stop();
    if (thread_.joinable()) thread_.join();
    // Answers still under way point here.
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return in_shards_ == 0; });
  }

  void Begin() {
    thread_ = std::thread([this] { Run(); });
  }

  const std::string& name() const override { return name_; }

  admin::v1::Reaction Status() const override {
    admin::v1::Reaction status;
    {
      std::lock_guard lock(mutex_);
      status = status_;
      status.set_parked(static_cast<int64_t>(parked_.size()));
    }
    status.set_name(name_);
    status.set_partition(options_.partition);
    if (auto end = log_.End({source_.topic(), options_.partition}); end.ok()) {
      status.set_lag(std::max<int64_t>(0, *end - status.offset()));
    }
    return status;
  }

  std::vector<Parked> ListParked() const override {
    std::lock_guard lock(mutex_);
    return parked_;
  }

  absl::StatusOr<Parked> Resolve(absl::string_view event_id,
                                 admin::v1::ResolveParkedRequest::Action action,
                                 absl::Duration wait) override;

 private:
  void Run();
  // False: stopping.
  bool Load();
  // Takes records until the window is full or none are left.
  absl::Status Fill();
  void TakeGroup(std::vector<log::StoredRecord> group);
  std::unique_ptr<Item> Decode(const log::StoredRecord& record);
  // Asks the mapping. Not OK: see IsPassing.
  absl::Status Map(Item& item);
  void Start(Item& item);
  void Settle(Item& item, absl::StatusOr<shard::CommandResult> result);
  void Fail(Item& item, const absl::Status& status);
  void ParkItem(Item& item, std::string problem);
  void Skip();
  // Sends what may be sent; returns when the next pause ends.
  absl::Time Pump();
  void Finish(Item& item);
  void PopDone();
  void Save(bool now);
  absl::Duration Pause(int attempts);
  bool stopping() const {
    std::lock_guard lock(mutex_);
    return stopping_;
  }

  log::Log& log_;
  const shard::Service& source_;
  const Target target_;
  const Mapping mapping_;
  Progress& progress_;
  const ReactionOptions options_;
  const std::string name_;
  const std::string stream_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;             // guarded by mutex_
  int in_shards_ = 0;                 // guarded by mutex_
  admin::v1::Reaction status_;        // guarded by mutex_
  std::vector<Parked> parked_;        // guarded by mutex_
  std::vector<std::string> retries_;  // event ids; guarded by mutex_
  std::vector<Parked> skips_;         // guarded by mutex_
  std::vector<std::pair<Item*, absl::StatusOr<shard::CommandResult>>>
      inbox_;  // guarded by mutex_

  // The reaction's thread only.
  std::unique_ptr<log::Reader> reader_;
  log::Fold fold_;
  std::deque<std::unique_ptr<Item>> window_;
  // Items of a key in order; only the first may be under way.
  absl::flat_hash_map<std::string, std::deque<Item*>> lanes_;
  std::vector<std::unique_ptr<Item>> retrying_;
  log::FoldState saved_;
  log::FoldState position_;
  std::vector<Parked> unsaved_parked_;
  absl::Time next_save_;
  absl::BitGen random_;

  std::thread thread_;
};

absl::Duration ReactionImpl::Pause(int attempts) {
  const absl::Duration pause =
      std::min(options_.first_pause * (1 << std::min(attempts, 12)),
               options_.longest_pause);
  return pause * absl::Uniform<double>(absl::IntervalClosed, random_, 0.5, 1.5);
}

bool ReactionImpl::Load() {
  for (int attempts = 1; !stopping(); ++attempts) {
    auto state = progress_.Load(stream_);
    if (state.ok()) {
      position_ = saved_ = state->position;
      fold_ = log::Fold(position_);
      std::lock_guard lock(mutex_);
      status_.set_offset(position_.offset);
      parked_ = std::move(state->parked);
      return true;
    }
    LogWarning("a reaction cannot read its progress",
               {{"reaction", stream_},
                {"problem", std::string(state.status().message())}});
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, absl::ToChronoMilliseconds(Pause(attempts)),
                   [this] { return stopping_; });
  }
  return false;
}

void ReactionImpl::Run() {
  if (!Load()) return;
  int faults = 0;
  while (!stopping()) {
    absl::Status read = Fill();
    if (!read.ok()) {
      LogWarning(
          "a reaction cannot read its source",
          {{"reaction", stream_}, {"problem", std::string(read.message())}});
    }
    const absl::Time next = Pump();
    PopDone();
    Save(false);
    Skip();
    std::unique_lock lock(mutex_);
    const auto ready = [this] {
      return stopping_ || !inbox_.empty() || !retries_.empty();
    };
    if (!read.ok()) {
      wake_.wait_for(lock, absl::ToChronoMilliseconds(Pause(++faults)), ready);
    } else if (!window_.empty() || !retrying_.empty()) {
      faults = 0;
      const absl::Duration left =
          std::min(next - SteadyNow(), absl::Duration(kReadWait));
      wake_.wait_for(
          lock,
          absl::ToChronoMilliseconds(std::max(left, absl::Milliseconds(1))),
          ready);
    } else {
      faults = 0;  // Fill waits for records
    }
    auto inbox = std::move(inbox_);
    inbox_.clear();
    lock.unlock();
    for (auto& [item, result] : inbox) Settle(*item, std::move(result));
    PopDone();
  }
  Save(true);
}

absl::Status ReactionImpl::Fill() {
  if (static_cast<int>(window_.size()) >= options_.window) {
    return absl::OkStatus();
  }
  if (reader_ == nullptr) {
    ASSIGN_OR_RETURN(reader_,
                     log_.OpenReader({source_.topic(), options_.partition},
                                     fold_.resume_point().offset));
    fold_ = log::Fold(fold_.resume_point());
  }
  const bool idle = window_.empty() && retrying_.empty();
  auto batch = reader_->Read(options_.window - static_cast<int>(window_.size()),
                             idle ? kReadWait : absl::ZeroDuration());
  if (absl::IsOutOfRange(batch.status())) {
    // The log is another one than the position speaks of.
    reader_.reset();
    fold_ = log::Fold();
    position_ = log::FoldState();
    return batch.status();
  }
  if (!batch.ok()) {
    reader_.reset();
    return batch.status();
  }
  for (log::StoredRecord& record : *batch) {
    log::FoldStep step = fold_.Apply(std::move(record));
    if (step.kind == log::FoldStep::Kind::kGroup) {
      TakeGroup(std::move(step.group));
    }
  }
  if (window_.empty()) position_ = fold_.resume_point();
  return absl::OkStatus();
}

void ReactionImpl::TakeGroup(std::vector<log::StoredRecord> group) {
  std::vector<std::unique_ptr<Item>> items;
  for (const log::StoredRecord& record : group) {
    if (auto item = Decode(record)) items.push_back(std::move(item));
  }
  if (items.empty()) return;
  items.back()->behind = fold_.resume_point();
  for (auto& item : items) {
    if (!item->done) lanes_[item->key].push_back(item.get());
    window_.push_back(std::move(item));
  }
}

std::unique_ptr<Item> ReactionImpl::Decode(const log::StoredRecord& record) {
  auto item = std::make_unique<Item>();
  item->key = record.record.key;
  item->offset = record.offset;
  item->event_id = std::string(record.record.Header("ce_id"));
  // A fact this version does not know parses to an event without one.
  std::unique_ptr<google::protobuf::Message> probe(
      mapping_.event_prototype->New());
  if (probe->ParseFromString(record.record.value)) {
    const auto* fact = probe->GetDescriptor()->FindOneofByName("fact");
    if (fact != nullptr && !probe->GetReflection()->HasOneof(*probe, fact)) {
      std::lock_guard lock(mutex_);
      status_.set_skipped_unknown(status_.skipped_unknown() + 1);
      return nullptr;
    }
  }
  auto event = shard::FromRecord(source_, record);
  if (!event.ok()) {
    if (item->event_id.empty()) {
      item->event_id = absl::StrCat("offset-", record.offset);
    }
    ParkItem(*item, std::string(event.status().message()));
    return item;
  }
  if (shard::IsPlatformFact(*event->message)) return nullptr;
  item->event = *std::move(event);
  return item;
}

absl::Status ReactionImpl::Map(Item& item) {
  const EventMeta& meta = item.event.meta;
  const absl::string_view company = CompanyOf(meta.parent);
  ASSIGN_OR_RETURN(const auto policy, target_.policy(company, meta.occur_time));
  if (policy == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("no handbook of ", company, " was in force at ",
                     FormatRfc3339(meta.occur_time)));
  }
  auto commands = mapping_.map(meta, *item.event.message, policy.get());
  if (!commands.ok()) {
    return absl::InternalError(
        absl::StrCat("mapping: ", commands.status().message()));
  }
  item.commands.clear();
  for (size_t i = 0; i < commands->size(); ++i) {
    ReactionCommand& made = (*commands)[i];
    const auto* method = target_.service->FindMethod(made.method);
    if (method == nullptr || method->decide == nullptr ||
        made.request == nullptr ||
        made.request->GetDescriptor() != method->descriptor->input_type()) {
      return absl::InternalError(
          absl::StrCat("mapping: no command ", made.method));
    }
    if (std::find(method->rules.roles().begin(), method->rules.roles().end(),
                  "system") == method->rules.roles().end()) {
      return absl::InternalError(
          absl::StrCat("mapping: reactions may not send ", made.method));
    }
    shard::Command command;
    command.method = method;
    command.request_id = absl::StrCat(shard::kEventRequestPrefix, meta.id);
    if (i > 0) absl::StrAppend(&command.request_id, "#", i);
    method->fields.SetRequestId(*made.request, command.request_id);
    method->fields.DefaultOccurTime(*made.request, meta.occur_time);
    auto target = method->fields.ResolveTarget(*made.request);
    if (!target.ok()) {
      return absl::InternalError(
          absl::StrCat("mapping: ", target.status().message()));
    }
    auto occur_time = method->fields.OccurTimeOf(*made.request);
    if (!occur_time.ok()) {
      return absl::InternalError(occur_time.status().message());
    }
    command.occur_time = occur_time->value_or(meta.occur_time);
    command.boundary = std::string(BoundaryOf(*target));
    command.actor = "system";
    command.cause = meta.id;
    command.correlation =
        item.event.correlation.empty() ? meta.id : item.event.correlation;
    command.traceparent = item.event.traceparent;
    // Not the content's hash: the same event may ask for something else after
    // an upgrade, and must still have one effect only.
    command.fingerprint = 0;
    command.reaction = true;
    command.request = std::move(made.request);
    item.commands.push_back(std::move(command));
  }
  item.mapped = true;
  return absl::OkStatus();
}

void ReactionImpl::Start(Item& item) {
  if (!item.mapped) {
    if (absl::Status mapped = Map(item); !mapped.ok()) {
      Fail(item, mapped);
      return;
    }
  }
  if (item.next == item.commands.size()) {
    Finish(item);
    return;
  }
  item.submitted = true;
  {
    std::lock_guard lock(mutex_);
    ++in_shards_;
  }
  target_.submit(item.commands[item.next],
                 [this, &item](absl::StatusOr<shard::CommandResult> result) {
                   // Under the lock to the end: the destructor may be waiting.
                   std::lock_guard lock(mutex_);
                   inbox_.emplace_back(&item, std::move(result));
                   --in_shards_;
                   wake_.notify_all();
                 });
}

void ReactionImpl::Settle(Item& item,
                          absl::StatusOr<shard::CommandResult> result) {
  item.submitted = false;
  if (!result.ok()) {
    Fail(item, result.status());
    return;
  }
  item.attempts = 0;
  ++item.next;
  {
    std::lock_guard lock(mutex_);
    status_.set_handled(status_.handled() + 1);
    if (!result->refused_reason.empty()) {
      status_.set_refused(status_.refused() + 1);
    }
  }
  Start(item);
}

void ReactionImpl::Fail(Item& item, const absl::Status& status) {
  ++item.attempts;
  // DATA_LOSS: the target has halted until somebody has looked at its log.
  const bool passes = absl::IsUnavailable(status) || absl::IsDataLoss(status) ||
                      absl::IsDeadlineExceeded(status) ||
                      absl::IsAborted(status);
  // Handbooks reach the shards one after the other.
  const bool may_pass = absl::IsFailedPrecondition(status) && !item.mapped &&
                        item.attempts < options_.max_attempts;
  if (passes || may_pass) {
    item.not_before = SteadyNow() + Pause(item.attempts);
    return;
  }
  ParkItem(item, absl::StrCat(absl::StatusCodeToString(status.code()), ": ",
                              status.message()));
  Finish(item);
}

void ReactionImpl::ParkItem(Item& item, std::string problem) {
  item.problem = std::move(problem);
  item.done = true;
  Parked parked;
  parked.set_reaction(name_);
  parked.set_event_id(item.event_id);
  parked.set_key(item.key);
  parked.set_partition(options_.partition);
  parked.set_offset(item.offset);
  parked.set_problem(item.problem);
  parked.set_attempts(std::max(1, item.attempts));
  *parked.mutable_parked_time() = ToProto(absl::Now());
  LogError("a reaction parked an event", {{"reaction", stream_},
                                          {"event", item.event_id},
                                          {"offset", absl::StrCat(item.offset)},
                                          {"problem", item.problem}});
  bool known = false;
  {
    std::lock_guard lock(mutex_);
    for (Parked& entry : parked_) {
      if (entry.offset() != item.offset) continue;
      parked.set_attempts(entry.attempts() + parked.attempts());
      entry = parked;
      known = true;
    }
    if (!known) parked_.push_back(parked);
  }
  if (item.retry) {
    if (absl::Status kept = progress_.Park(stream_, parked); !kept.ok()) {
      LogError("a parked event could not be written", {{"reaction", stream_}});
    }
  } else {
    unsaved_parked_.push_back(std::move(parked));
  }
}

void ReactionImpl::Finish(Item& item) {
  item.done = true;
  if (item.retry) {
    if (item.problem.empty()) {
      Parked entry;
      entry.set_offset(item.offset);
      if (absl::Status gone = progress_.Unpark(stream_, entry); !gone.ok()) {
        LogError("a parked event could not be removed",
                 {{"reaction", stream_}});
      }
      std::lock_guard lock(mutex_);
      parked_.erase(std::remove_if(parked_.begin(), parked_.end(),
                                   [&](const Parked& parked) {
                                     return parked.offset() == item.offset;
                                   }),
                    parked_.end());
    }
    wake_.notify_all();
    return;
  }
  const auto lane = lanes_.find(item.key);
  if (lane == lanes_.end()) return;
  if (!lane->second.empty() && lane->second.front() == &item) {
    lane->second.pop_front();
  }
  if (lane->second.empty()) lanes_.erase(lane);
}

// What operators gave up. One that is not written yet must not be written
// later.
void ReactionImpl::Skip() {
  std::vector<Parked> skips;
  {
    std::lock_guard lock(mutex_);
    skips = skips_;
  }
  for (const Parked& skip : skips) {
    const auto same = [&](const Parked& parked) {
      return parked.offset() == skip.offset();
    };
    std::erase_if(unsaved_parked_, same);
    if (absl::Status gone = progress_.Unpark(stream_, skip); !gone.ok()) {
      LogError("a parked event could not be removed", {{"reaction", stream_}});
      continue;
    }
    std::lock_guard lock(mutex_);
    std::erase_if(parked_, same);
    std::erase_if(skips_, same);
  }
  if (!skips.empty()) wake_.notify_all();
}

absl::Time ReactionImpl::Pump() {
  // What operators asked for.
  std::vector<std::string> retries;
  {
    std::lock_guard lock(mutex_);
    retries.swap(retries_);
  }
  for (const std::string& event_id : retries) {
    std::optional<Parked> parked;
    {
      std::lock_guard lock(mutex_);
      for (const Parked& entry : parked_) {
        if (entry.event_id() == event_id) parked = entry;
      }
    }
    if (!parked.has_value()) continue;
    auto item = std::make_unique<Item>();
    item->retry = true;
    item->key = parked->key();
    item->event_id = event_id;
    item->offset = parked->offset();
    absl::StatusOr<std::vector<log::StoredRecord>> records =
        absl::NotFoundError("the log has no such record any more");
    auto reader = log_.OpenReader({source_.topic(), options_.partition},
                                  parked->offset());
    if (reader.ok()) records = (*reader)->Read(1, absl::Seconds(1));
    absl::StatusOr<shard::Event> event =
        absl::DataLossError("the record cannot be read");
    if (records.ok() && !records->empty()) {
      event = shard::FromRecord(source_, records->front());
    }
    Item& kept = *item;
    retrying_.push_back(std::move(item));
    if (!event.ok()) {
      ParkItem(kept, std::string(event.status().message()));
      Finish(kept);
      continue;
    }
    kept.event = *std::move(event);
  }

  const absl::Time now = SteadyNow();
  absl::Time next = absl::InfiniteFuture();
  const auto advance = [&](Item& item) {
    if (item.done || item.submitted) return;
    if (item.not_before > now) {
      next = std::min(next, item.not_before);
      return;
    }
    Start(item);
  };
  // Finishing an event lets its lane's next one begin in the same pass: items
  // are visited in log order.
  for (const auto& item : window_) {
    if (item->done) continue;
    const auto lane = lanes_.find(item->key);
    if (lane == lanes_.end() || lane->second.front() != item.get()) continue;
    advance(*item);
  }
  for (const auto& item : retrying_) advance(*item);
  retrying_.erase(std::remove_if(retrying_.begin(), retrying_.end(),
                                 [](const std::unique_ptr<Item>& item) {
                                   return item->done && !item->submitted;
                                 }),
                  retrying_.end());
  return next;
}

void ReactionImpl::PopDone() {
  while (!window_.empty() && window_.front()->done) {
    if (window_.front()->behind.has_value()) {
      position_ = *window_.front()->behind;
    }
    window_.pop_front();
  }
  if (window_.empty()) position_ = fold_.resume_point();
  std::lock_guard lock(mutex_);
  status_.set_offset(position_.offset);
}

void ReactionImpl::Save(bool now) {
  if (position_ == saved_ && unsaved_parked_.empty()) return;
  if (!now && SteadyNow() < next_save_) return;
  next_save_ = SteadyNow() + options_.save_interval;
  absl::Status written = progress_.Advance(stream_, position_, unsaved_parked_);
  if (!written.ok()) {
    LogWarning(
        "a reaction's progress could not be written",
        {{"reaction", stream_}, {"problem", std::string(written.message())}});
    return;
  }
  saved_ = position_;
  unsaved_parked_.clear();
}

absl::StatusOr<Parked> ReactionImpl::Resolve(
    absl::string_view event_id, admin::v1::ResolveParkedRequest::Action action,
    absl::Duration wait) {
  const auto deadline =
      std::chrono::steady_clock::now() + absl::ToChronoMilliseconds(wait);
  std::unique_lock lock(mutex_);
  const auto find = [&] {
    return std::find_if(
        parked_.begin(), parked_.end(),
        [&](const Parked& entry) { return entry.event_id() == event_id; });
  };
  auto it = find();
  if (it == parked_.end()) return NotFound(event_id);
  Parked entry = *it;
  if (action == admin::v1::ResolveParkedRequest::SKIP) {
    LogWarning("an operator gives up a parked event",
               {{"reaction", stream_}, {"event", entry.event_id()}});
    skips_.push_back(entry);
    wake_.notify_all();
    const bool gone = wake_.wait_until(
        lock, deadline, [&] { return stopping_ || find() == parked_.end(); });
    if (!gone || stopping_) {
      return absl::UnavailableError("the event may still be parked; try again");
    }
    entry.clear_problem();
    return entry;
  }
  const int attempts = entry.attempts();
  retries_.emplace_back(event_id);
  wake_.notify_all();
  const bool settled = wake_.wait_until(lock, deadline, [&] {
    it = find();
    return stopping_ || it == parked_.end() || it->attempts() != attempts;
  });
  if (!settled) {
    entry.set_problem("the outcome of the retry is not known yet");
    return entry;
  }
  it = find();
  if (it != parked_.end()) return *it;
  entry.clear_problem();
  return entry;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Reaction>> Reaction::Start(
    log::Log& log, const shard::Service& source, Target target, Mapping mapping,
    Progress& progress, ReactionOptions options) {
  if (mapping.source != source.name() || mapping.map == nullptr ||
      mapping.event_prototype == nullptr ||
      mapping.event_prototype->GetDescriptor() !=
          source.event_prototype().GetDescriptor() ||
      target.service == nullptr || target.submit == nullptr ||
      target.policy == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the mapping of ", mapping.source, " does not fit"));
  }
  auto reaction = std::make_unique<ReactionImpl>(
      log, source, std::move(target), std::move(mapping), progress, options);
  reaction->Begin();
  return reaction;
}

}  // namespace aftercare::reaction
