#include "libs/rpc/admin_service.h"

#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/ids.h"
#include "libs/base/json.h"
#include "libs/base/memory_rows.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/log/fold.h"
#include "libs/process/clock.h"
#include "libs/process/random.h"
#include "libs/shard/apply.h"
#include "libs/shard/checkpoint.h"
#include "libs/shard/history_rows.h"

namespace aftercare::rpc {
namespace {

using google::protobuf::Message;

constexpr int kReadBatch = 2000;
constexpr int kMaxPage = 1000;
// For records that are known to be there.
constexpr absl::Duration kReadWait = absl::Seconds(5);
// A page stays below what gRPC clients take by default.
constexpr size_t kMaxPageBytes = size_t{2} << 20;

// Text fields hold UTF-8 only; the bytes of a damaged record may not be.
std::string SafeText(absl::string_view bytes) {
  if (google::protobuf::internal::IsStructurallyValidUTF8(
          bytes.data(), static_cast<int>(bytes.size()))) {
    return std::string(bytes);
  }
  return absl::CHexEscape(bytes);
}

// Fold states at places that were read before, so that a reader who goes on
// from where it stopped need not have the partition folded from its beginning.
// Thread-safe.
class FoldMemory {
 public:
  // The last known state at or before `offset`.
  log::FoldState Before(const std::string& partition, int64_t offset) {
    std::lock_guard lock(mutex_);
    const auto& states = states_[partition];
    const auto it = states.upper_bound(offset);
    return it == states.begin() ? log::FoldState() : std::prev(it)->second;
  }

  void Remember(const std::string& partition, const log::FoldState& state) {
    constexpr size_t kMost = 256;
    std::lock_guard lock(mutex_);
    auto& states = states_[partition];
    if (states.size() >= kMost) states.erase(states.begin());
    states[state.offset] = state;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::map<int64_t, log::FoldState>> states_;
};

admin::v1::Shard::State StateOf(shard::ShardState state) {
  switch (state) {
    case shard::ShardState::kReplaying:
      return admin::v1::Shard::REPLAYING;
    case shard::ShardState::kServing:
      return admin::v1::Shard::SERVING;
    case shard::ShardState::kReadOnly:
      return admin::v1::Shard::READ_ONLY;
    case shard::ShardState::kHalted:
      return admin::v1::Shard::HALTED;
    case shard::ShardState::kInDoubt:
      return admin::v1::Shard::IN_DOUBT;
    case shard::ShardState::kFollowing:
      return admin::v1::Shard::FOLLOWING;
  }
  return admin::v1::Shard::STATE_UNSPECIFIED;
}

admin::v1::Shard ShardOf(const shard::Service& service,
                         const shard::ShardStatus& status) {
  admin::v1::Shard shown;
  shown.set_service(status.service);
  shown.set_partition(status.partition);
  shown.set_state(StateOf(status.state));
  shown.set_offset(status.offset);
  shown.set_claim(status.claim);
  shown.set_events(status.events);
  shown.set_rows(status.rows);
  shown.set_void_records(status.void_records);
  shown.set_digest(status.digest);
  shown.set_queued_commands(status.queued_commands);
  shown.set_lag(status.lag());
  if (status.state == shard::ShardState::kHalted) {
    auto* problem = shown.mutable_problem();
    problem->set_topic(service.topic());
    problem->set_partition(status.partition);
    problem->set_offset(status.problem_offset);
    problem->set_key(SafeText(status.problem_key));
    problem->set_reason(SafeText(status.problem_reason));
  }
  return shown;
}

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0;
  int64_t resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

class Admin {
 public:
  Admin(const Hosts& hosted, log::Log& log, ReactionControl reactions,
        AdminOptions options)
      : hosted_(hosted),
        log_(log),
        reactions_(std::move(reactions)),
        options_(std::move(options)) {}

  absl::StatusOr<std::string> Handle(const CallInfo& info,
                                     const Message& request) {
    const std::string& name = info.method->name();
    if (name == "GetStatus") return GetStatus();
    // Else nothing would look like all being well.
    for (const auto& host : hosted_) RETURN_IF_ERROR(PartitionsKnown(*host));
    if (name == "VerifyShards") {
      return Verify(
          static_cast<const admin::v1::VerifyShardsRequest&>(request));
    }
    if (name == "ReadEvents") {
      return ReadEvents(
          static_cast<const admin::v1::ReadEventsRequest&>(request));
    }
    if (name == "ReadAsOf") {
      return ReadAsOf(static_cast<const admin::v1::ReadAsOfRequest&>(request));
    }
    if (name == "WriteCheckpoint") {
      return Checkpoint(
          static_cast<const admin::v1::WriteCheckpointRequest&>(request));
    }
    if (name == "ListParked") {
      admin::v1::ListParkedResponse response;
      if (reactions_.parked != nullptr) {
        for (auto& parked : reactions_.parked()) {
          *response.add_parked() = std::move(parked);
        }
      }
      return response.SerializeAsString();
    }
    if (name == "ResolveParked") {
      return ResolveParked(
          static_cast<const admin::v1::ResolveParkedRequest&>(request));
    }
    return Refuse(common::v1::REASON_METHOD_UNKNOWN, "unknown method");
  }

 private:
  absl::StatusOr<std::string> GetStatus() {
    admin::v1::Status status;
    for (const auto& host : hosted_) {
      for (const auto& shard : host->Shards()) {
        *status.add_shards() = ShardOf(*host->service, shard->Status());
      }
      for (const auto& standby : host->Standbys()) {
        *status.add_shards() = ShardOf(*host->service, standby->Status());
      }
    }
    if (reactions_.status != nullptr) {
      for (auto& reaction : reactions_.status()) {
        *status.add_reactions() = std::move(reaction);
      }
    }
    struct statvfs info {};
    if (statvfs(options_.data_directory.c_str(), &info) == 0) {
      status.set_free_disk_bytes(static_cast<int64_t>(info.f_bavail) *
                                 static_cast<int64_t>(info.f_frsize));
    }
    status.set_resident_memory_bytes(ResidentBytes());
    return status.SerializeAsString();
  }

  absl::StatusOr<std::string> Verify(
      const admin::v1::VerifyShardsRequest& request) {
    if (!request.service().empty()) {
      const Hosted* host = FindHost(hosted_, request.service());
      if (host == nullptr) {
        return InvalidField("service", "this process runs no such service");
      }
      if (host->Shards().empty()) {
        return InvalidField("service", "this process owns no partition of it");
      }
    }
    admin::v1::VerifyShardsResponse response;
    response.set_ok(true);
    for (const auto& host : hosted_) {
      if (!request.service().empty() &&
          host->service->name() != request.service()) {
        continue;
      }
      for (const auto& shard : host->Shards()) {
        auto* shown = response.add_verdicts();
        shown->set_service(host->service->name());
        shown->set_partition(shard->Status().partition);
        auto verdict = shard->Verify(
            absl::StrCat(options_.scratch_directory, "/verify-", RandomId()));
        if (verdict.ok()) {
          shown->set_offset(verdict->offset);
          shown->set_live_digest(verdict->live_digest);
          shown->set_scanned_digest(verdict->scanned_digest);
          shown->set_replayed_digest(verdict->replayed_digest);
          shown->set_ok(verdict->ok);
          shown->set_problem(verdict->problem);
        } else {
          shown->set_problem(std::string(verdict.status().message()));
        }
        response.set_ok(response.ok() && shown->ok());
      }
    }
    return response.SerializeAsString();
  }

  absl::StatusOr<std::string> ReadEvents(
      const admin::v1::ReadEventsRequest& request) {
    const Hosted* host = FindHost(hosted_, request.service());
    if (host == nullptr) {
      return InvalidField("service", "this process runs no such service");
    }
    if (request.partition() < 0 || request.partition() >= host->partitions()) {
      return InvalidField("partition", "is out of range");
    }
    if (request.offset() < 0) {
      return InvalidField("offset", "must not be negative");
    }
    if (request.max_events() < 0) {
      return InvalidField("max_events", "must not be negative");
    }
    if (request.has_wait() && !IsValid(request.wait())) {
      return InvalidField("wait", "is no duration");
    }
    const int most = request.max_events() == 0
                         ? 100
                         : std::min(request.max_events(), kMaxPage);
    const absl::Time wait_end =
        SteadyNow() + std::clamp(FromProto(request.wait()),
                                 absl::ZeroDuration(), absl::Seconds(10));
    const log::TopicPartition partition{host->service->topic(),
                                        request.partition()};
    ASSIGN_OR_RETURN(const int64_t end, log_.End(partition));
    if (request.offset() > end) {
      return InvalidField("offset", "lies behind the end of the log");
    }
    const std::string memory =
        absl::StrCat(partition.topic, "/", partition.partition);
    log::Fold fold(folds_.Before(memory, request.offset()));
    ASSIGN_OR_RETURN(auto reader, log_.OpenReader(partition, fold.offset()));
    admin::v1::ReadEventsResponse response;
    response.set_next_offset(request.offset());
    // Entries of a command whose last event has not been seen: whether they
    // count is not known before.
    std::vector<admin::v1::LogEntry> open;
    size_t bytes = 0;
    bool full = false;
    while (!full) {
      // Records that are there come in any case; only later ones are waited
      // for no longer than was asked.
      const absl::Duration wait =
          reader->position() < end ? kReadWait
          : response.entries_size() > 0
              ? absl::ZeroDuration()
              : std::max(wait_end - SteadyNow(), absl::ZeroDuration());
      auto records = reader->Read(kMaxPage, wait);
      if (absl::IsDataLoss(records.status()) &&
          reader->position() < request.offset()) {
        ASSIGN_OR_RETURN(reader,
                         log_.OpenReader(partition, reader->position() + 1));
        continue;
      }
      if (absl::IsDataLoss(records.status())) {
        // Damaged on the disk. It is shown at the head of a page of its own,
        // and whoever goes on reading goes on behind it.
        if (response.entries_size() == 0) {
          auto* entry = response.add_entries();
          entry->set_offset(reader->position());
          entry->set_kind(admin::v1::LogEntry::UNREADABLE);
          entry->set_text(SafeText(records.status().message()));
          response.set_next_offset(reader->position() + 1);
        }
        break;
      }
      RETURN_IF_ERROR(records.status());
      if (records->empty() && reader->position() < end &&
          response.entries_size() == 0) {
        return absl::UnavailableError("the log does not answer");
      }
      if (records->empty()) break;
      for (log::StoredRecord& record : *records) {
        const int64_t offset = record.offset;
        const bool shown = offset >= request.offset();
        admin::v1::LogEntry entry;
        if (shown) entry = Show(*host->service, record);
        const log::FoldStep step = fold.Apply(std::move(record));
        switch (step.kind) {
          case log::FoldStep::Kind::kClaim:
            // What was open then never counts.
            for (auto& cut : open) cut.set_kind(admin::v1::LogEntry::VOID);
            entry.set_kind(admin::v1::LogEntry::CLAIM);
            break;
          case log::FoldStep::Kind::kPending:
          case log::FoldStep::Kind::kGroup:
            break;
          case log::FoldStep::Kind::kVoid:
            entry.set_kind(admin::v1::LogEntry::VOID);
            break;
        }
        if (shown) {
          bytes += entry.ByteSizeLong();
          open.push_back(std::move(entry));
        }
        // A page ends between commands.
        if (fold.resume_point().offset != offset + 1) continue;
        for (auto& done : open) *response.add_entries() = std::move(done);
        open.clear();
        if (shown) response.set_next_offset(offset + 1);
        full = response.entries_size() >= most || bytes >= kMaxPageBytes;
        if (full) break;
      }
    }
    folds_.Remember(memory, fold.resume_point());
    return response.SerializeAsString();
  }

  // What one record is by itself; whether it counts is the fold's to say.
  static admin::v1::LogEntry Show(const shard::Service& service,
                                  const log::StoredRecord& stored) {
    admin::v1::LogEntry entry;
    entry.set_offset(stored.offset);
    entry.set_key(SafeText(stored.record.key));
    for (const auto& [name, text] : stored.record.headers) {
      (*entry.mutable_headers())[SafeText(name)] = SafeText(text);
    }
    if (!stored.record.Header(log::kOwnerHeader).empty()) return entry;
    auto event = shard::FromRecord(service, stored);
    if (!event.ok()) {
      entry.set_kind(admin::v1::LogEntry::UNREADABLE);
      entry.set_text(SafeText(event.status().message()));
      return entry;
    }
    entry.set_kind(admin::v1::LogEntry::EVENT);
    entry.set_text(ToJson(*event->message));
    return entry;
  }

  absl::StatusOr<std::string> ReadAsOf(
      const admin::v1::ReadAsOfRequest& request) {
    if (CompanyOf(request.name()) == request.name() ||
        BoundaryOf(request.name()).empty() ||
        request.name().rfind("companies/", 0) != 0) {
      return InvalidField("name", "must name a resource of a company");
    }
    if (request.has_occur_time() == request.has_record_time()) {
      return InvalidField("occur_time",
                          "exactly one of occur_time and record_time must be "
                          "set");
    }
    const auto& limit =
        request.has_occur_time() ? request.occur_time() : request.record_time();
    if (!IsValid(limit)) {
      return InvalidField(
          request.has_occur_time() ? "occur_time" : "record_time",
          "is outside 1970 to 2199");
    }
    const std::string boundary(BoundaryOf(request.name()));
    admin::v1::ReadAsOfResponse best;
    for (const auto& host : hosted_) {
      ASSIGN_OR_RETURN(auto found,
                       AsOf(*host, boundary, request, FromProto(limit)));
      // Customers have streams in intake and in returns: the service that has
      // the resource answers.
      if (!found.json().empty() || best.events() == 0) best = std::move(found);
      if (!best.json().empty()) break;
    }
    return best.SerializeAsString();
  }

  absl::StatusOr<admin::v1::ReadAsOfResponse> AsOf(
      const Hosted& host, const std::string& boundary,
      const admin::v1::ReadAsOfRequest& request, absl::Time limit) {
    const shard::Service& service = *host.service;
    ASSIGN_OR_RETURN(const int partition, host.PartitionOf(boundary));
    MemoryRows rows(service.schema());
    admin::v1::ReadAsOfResponse response;
    const log::TopicPartition source{service.topic(), partition};
    ASSIGN_OR_RETURN(const int64_t end, log_.End(source));
    ASSIGN_OR_RETURN(auto reader, log_.OpenReader(source, 0));
    log::Fold fold;
    while (reader->position() < end) {
      ASSIGN_OR_RETURN(auto records, reader->Read(kReadBatch, kReadWait));
      if (records.empty()) {
        return absl::UnavailableError("the log does not answer");
      }
      for (log::StoredRecord& record : records) {
        log::FoldStep step = fold.Apply(std::move(record));
        if (step.kind != log::FoldStep::Kind::kGroup) continue;
        for (const log::StoredRecord& member : step.group) {
          if (member.record.key != boundary) continue;
          auto event = shard::FromRecord(service, member);
          if (!event.ok()) {
            // An answer that leaves an event out would be a wrong one.
            return Refuse(common::v1::REASON_LOG_CORRUPT,
                          absl::StrCat("offset ", member.offset, ": ",
                                       SafeText(event.status().message())),
                          {{"topic", service.topic()},
                           {"partition", absl::StrCat(partition)},
                           {"offset", absl::StrCat(member.offset)},
                           {"key", boundary}});
          }
          if (shard::IsPlatformFact(*event->message)) continue;
          const absl::Time time = request.has_occur_time()
                                      ? event->meta.occur_time
                                      : event->meta.record_time;
          if (time > limit) continue;
          service.evolve()(rows, event->meta, *event->message);
          response.set_events(response.events() + 1);
        }
      }
    }
    for (const auto& table : service.schema().tables()) {
      // The core's own rows are no resources.
      if (table->prototype->GetDescriptor()->file()->package() !=
          service.event_prototype().GetDescriptor()->file()->package()) {
        continue;
      }
      const Message* row =
          rows.FindRow(RowKey(table->name, request.name()), *table->prototype);
      if (row == nullptr) continue;
      response.set_type(row->GetDescriptor()->full_name());
      response.set_json(ToJson(*row));
    }
    return response;
  }

  absl::StatusOr<std::string> Checkpoint(
      const admin::v1::WriteCheckpointRequest& request) {
    std::error_code error;
    if (request.directory().empty() || request.directory()[0] != '/' ||
        std::filesystem::exists(request.directory(), error)) {
      return InvalidField("directory",
                          "must be an absolute path on the server that does "
                          "not exist yet");
    }
    admin::v1::WriteCheckpointResponse response;
    for (const auto& host : hosted_) {
      for (const auto& shard : host->Shards()) {
        const shard::ShardStatus status = shard->Status();
        RETURN_IF_ERROR(
            shard::WriteCheckpoint(
                *shard,
                shard::CheckpointsOf(request.directory(), status.service,
                                     status.partition),
                1)
                .status());
        *response.add_shards() = ShardOf(*host->service, status);
      }
    }
    return response.SerializeAsString();
  }

  absl::StatusOr<std::string> ResolveParked(
      const admin::v1::ResolveParkedRequest& request) {
    if (request.action() != admin::v1::ResolveParkedRequest::RETRY &&
        request.action() != admin::v1::ResolveParkedRequest::SKIP) {
      return InvalidField("action", "must be retry or skip");
    }
    if (reactions_.resolve == nullptr) return NotFound(request.event_id());
    ASSIGN_OR_RETURN(
        auto parked,
        reactions_.resolve(
            request.reaction(), request.event_id(),
            request.action() == admin::v1::ResolveParkedRequest::RETRY));
    return parked.SerializeAsString();
  }

  const Hosts& hosted_;
  log::Log& log_;
  const ReactionControl reactions_;
  const AdminOptions options_;
  FoldMemory folds_;
};

}  // namespace

void RegisterAdminService(Server& server, const Gateway& gateway,
                          const Hosts& hosted, log::Log& log,
                          Executor& executor, ReactionControl reactions,
                          AdminOptions options) {
  auto admin = std::make_shared<Admin>(hosted, log, std::move(reactions),
                                       std::move(options));
  const auto* service =
      admin::v1::GetStatusRequest::descriptor()->file()->FindServiceByName(
          "AdminService");
  server.AddService(
      service,
      [admin, &gateway, &executor](
          CallInfo info, std::shared_ptr<Message> request, Responder respond) {
        const std::string name = TextAt(*request, "name");
        auto actor = gateway.Authorize(info, CompanyOf(name));
        if (!actor.ok()) {
          respond(actor.status());
          return;
        }
        executor.RunOr(respond, [admin, info, request, respond] {
          respond(admin->Handle(info, *request));
        });
      });
}

}  // namespace aftercare::rpc
