#include "tests/system/fleet.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gtest/gtest.h"
#include "libs/base/status_macros.h"
#include "libs/log/fold.h"
#include "libs/rpc/gateway.h"
#include "tests/system/network.h"

namespace aftercare::testing {
namespace {

constexpr int kFirstBroker = 11;
constexpr int kGuestCable = 10;
constexpr int64_t kSmallDisk = int64_t{512} << 20;
// A caller gives one process this long before it asks another.
constexpr absl::Duration kCallDeadline = absl::Seconds(2);

// As it says in its last line.
bool WasFenced(const Daemon& daemon, int code) {
  if (code != 1) return false;
  const std::string log = daemon.Log();
  const size_t last = log.rfind('\n', log.size() - 2);
  return absl::StrContains(log.substr(last == std::string::npos ? 0 : last),
                           "FENCED_INSTANCE_ID");
}

}  // namespace

Fleet::Fleet() = default;

Fleet::~Fleet() {
  members_.clear();
  others_.clear();
  log_.reset();
  kafka_.reset();
  if (network::Entered()) network::UnmountDisk(dir_ / "intake-1");
}

int Fleet::CableOfBroker(int node) const { return kFirstBroker + node; }

std::unique_ptr<Fleet::Member> Fleet::Make(const std::string& service,
                                           const std::string& instance,
                                           int cable) {
  auto member = std::make_unique<Member>();
  member->service = service;
  member->instance = instance;
  member->cable = cable;
  Daemon::Place place;
  if (network::Entered()) {
    place.address = network::AddressOf(cable);
    place.network = network::FileOf(cable);
  }
  const char* bin = std::getenv("AFTERCARE_BIN");
  const std::string clock =
      absl::StrCat(bin == nullptr ? "." : bin, "/libodd_clock.so");
  if (instance == "intake-2" && std::filesystem::exists(clock)) {
    SetClock(absl::ZeroDuration());
    place.environment = {absl::StrCat("LD_PRELOAD=", clock),
                         absl::StrCat("AFTERCARE_CLOCK_FILE=", dir_ / "clock")};
    odd_clock_ = member.get();
  }
  if (instance == "intake-1" && network::Entered() &&
      network::MountDisk(dir_ / instance, kSmallDisk).ok()) {
    small_disk_ = member.get();
  }
  member->daemon = std::make_unique<Daemon>(
      dir_ / instance, absl::StrCat("aftercare-", service), place);
  return member;
}

absl::Status Fleet::Start(int brokers) {
  brokers_ = brokers;
  std::vector<contract::DevKafka::Place> places;
  for (int node = 1; network::Entered() && node <= brokers; ++node) {
    places.push_back({network::AddressOf(CableOfBroker(node)),
                      network::FileOf(CableOfBroker(node))});
  }
  ASSIGN_OR_RETURN(kafka_, contract::DevKafka::Start(brokers, places));
  log::KafkaLogOptions options;
  options.properties["bootstrap.servers"] = kafka_->bootstrap_servers();
  ASSIGN_OR_RETURN(log_, log::KafkaLog::Open(options));
  int cable = 2;
  for (int i = 0; i < kIntake; ++i) {
    members_.push_back(Make("intake", absl::StrCat("intake-", i), cable++));
  }
  for (int i = 0; i < kDispatch; ++i) {
    members_.push_back(Make("dispatch", absl::StrCat("dispatch-", i), cable++));
  }
  others_.push_back(Make("returns", "returns-0", cable++));
  others_.push_back(Make("scoring", "scoring-0", cable++));
  for (Member* member : Everybody()) RETURN_IF_ERROR(StartMember(*member));
  const absl::Time until = absl::Now() + absl::Seconds(60);
  absl::Status applied;
  do {
    applied = members_.front()->daemon->ApplyDemoHandbook();
  } while (!applied.ok() && absl::Now() < until);
  RETURN_IF_ERROR(applied);
  return RegisterTechnicians([this](auto& random, auto service, auto method,
                                    const auto& request, const auto& actor,
                                    std::string& from) {
    return CallAny(random, service, method, request, actor, from);
  });
}

std::vector<Fleet::Member*> Fleet::Everybody() {
  std::vector<Member*> all;
  for (const auto& member : members_) all.push_back(member.get());
  for (const auto& member : others_) all.push_back(member.get());
  return all;
}

absl::Status Fleet::StartMember(Member& member) {
  std::vector<std::string> flags = {"--kafka.brokers",
                                    kafka_->bootstrap_servers(),
                                    "--kafka.replication-factor",
                                    absl::StrCat(kafka_->replication_factor()),
                                    "--kafka.min-insync-replicas",
                                    absl::StrCat(kafka_->min_insync_replicas()),
                                    "--partitions",
                                    absl::StrCat(kPartitions),
                                    "--instance",
                                    member.instance,
                                    "--checkpoint-dir",
                                    checkpoints(),
                                    "--checkpoint-seconds",
                                    "5"};
  if (member.service == "intake" || member.service == "dispatch") {
    flags.insert(flags.end(), {"--standby", absl::StrCat(kPartitions)});
  }
  return member.daemon->Start(flags);
}

std::unique_ptr<Fleet::Member> Fleet::MakeGuest() {
  return Make("intake", absl::StrCat("guest-", guests_++), kGuestCable);
}

absl::Status Fleet::FillDisk() {
  const std::string path = small_disk_->daemon->data() + "/full";
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  if (file < 0) return absl::UnavailableError("no file to fill the disk with");
  // Others write meanwhile: twice, and then what is left.
  for (int i = 0; i < 2; ++i) {
    struct statvfs info {};
    statvfs(path.c_str(), &info);
    const auto bytes = static_cast<off_t>(info.f_bavail * info.f_frsize);
    if (bytes > 0) posix_fallocate(file, lseek(file, 0, SEEK_END), bytes);
  }
  lseek(file, 0, SEEK_END);
  const std::string rest(4096, 'x');
  while (write(file, rest.data(), rest.size()) > 0) {
  }
  close(file);
  return absl::OkStatus();
}

void Fleet::FreeDisk() {
  std::filesystem::remove(small_disk_->daemon->data() + "/full");
}

void Fleet::SetClock(absl::Duration offset) {
  const std::string path = dir_ / "clock";
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(offset);
  EXPECT_EQ(pwrite(file, &nanoseconds, sizeof(nanoseconds), 0),
            static_cast<ssize_t>(sizeof(nanoseconds)));
  close(file);
}

absl::StatusOr<std::string> Fleet::CallAny(std::mt19937_64& random,
                                           absl::string_view service,
                                           absl::string_view method,
                                           const std::string& request,
                                           const std::string& actor,
                                           std::string& from) {
  int i = static_cast<int>(random() % static_cast<uint64_t>(members()));
  if (random() % 4 != 0) {
    i = absl::StrContains(service, "dispatch")
            ? kIntake + static_cast<int>(random() % kDispatch)
            : static_cast<int>(random() % kIntake);
  }
  const Member& member = *members_[static_cast<size_t>(i)];
  std::map<std::string, std::string> trailers;
  auto answer = member.daemon->CallRaw(service, method, request, actor,
                                       kCallDeadline, &trailers);
  from = absl::StrCat(absl::FormatTime(absl::Now()), " ", member.instance, " ",
                      trailers[rpc::kPositionMetadata]);
  return answer;
}

absl::Status Fleet::AwaitCalm() {
  const absl::Time until = absl::Now() + absl::Seconds(90);
  std::string seen;
  while (absl::Now() < until) {
    std::map<std::pair<std::string, int>, int> serving;
    if (const auto ended = Supervise(); !ended.empty()) {
      return absl::InternalError(
          absl::StrCat(absl::StrJoin(ended, ", "), " ended by itself"));
    }
    bool calm = true;
    seen.clear();
    for (const auto& member : members_) {
      if (!member->daemon->running()) continue;
      const auto status = member->daemon->Status();
      calm &= status.ok();
      absl::StrAppend(&seen, member->instance, ": ", status.status().ToString(),
                      "\n");
      if (!status.ok()) continue;
      for (const auto& shard : status->shards()) {
        absl::StrAppend(&seen, shard.ShortDebugString(), "\n");
        if (shard.state() == admin::v1::Shard::FOLLOWING) continue;
        calm &= shard.state() == admin::v1::Shard::SERVING;
        ++serving[{shard.service(), shard.partition()}];
      }
    }
    calm &= serving.size() == 2 * kPartitions;
    for (const auto& [partition, times] : serving) calm &= times == 1;
    if (calm) return absl::OkStatus();
    absl::SleepFor(absl::Milliseconds(200));
  }
  return absl::DeadlineExceededError(
      absl::StrCat("the processes do not come to rest:\n", seen));
}

absl::Status Fleet::AwaitServed() {
  std::set<int> missing;
  for (int p = 0; p < kPartitions; ++p) missing.insert(p);
  const absl::Time until = absl::Now() + absl::Seconds(30);
  while (!missing.empty()) {
    intake::v1::RegisterCustomerRequest request;
    request.set_parent("companies/acme");
    request.set_customer_id(absl::StrCat("probe-", probes_++));
    request.set_display_name("王小明");
    request.set_region("beijing");
    request.set_request_id(request.customer_id());
    const int partition = log::PartitionOf(
        absl::StrCat("companies/acme/customers/", request.customer_id()),
        kPartitions);
    if (!missing.contains(partition)) continue;
    absl::Status made;
    do {
      made = member(0)
                 .daemon
                 ->CallRaw("aftercare.intake.v1.IntakeService",
                           "RegisterCustomer", request.SerializeAsString(),
                           "agent-li", absl::Seconds(2))
                 .status();
      if (!made.ok()) absl::SleepFor(absl::Milliseconds(20));
    } while (!made.ok() && absl::Now() < until);
    RETURN_IF_ERROR(made);
    missing.erase(partition);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::set<std::string>> Fleet::AwaitReactions() {
  const absl::Time until = absl::Now() + absl::Seconds(60);
  // One reaction's commands are another's events: quiet twice in a row.
  int64_t before = -1;
  while (absl::Now() < until) {
    int64_t lag = 0;
    int64_t offsets = 0;
    bool all = true;
    for (const Member* member : Everybody()) {
      const auto status = member->daemon->Status();
      all &= status.ok();
      if (!status.ok()) continue;
      for (const auto& reaction : status->reactions()) lag += reaction.lag();
      for (const auto& shard : status->shards()) offsets += shard.offset();
    }
    if (all && lag == 0 && offsets == before) {
      std::set<std::string> parked;
      for (const Member* member : Everybody()) {
        ASSIGN_OR_RETURN(const auto listed,
                         member->daemon->Call<admin::v1::ListParkedResponse>(
                             "aftercare.admin.v1.AdminService", "ListParked",
                             admin::v1::ListParkedRequest(), "operator"));
        for (const auto& one : listed.parked()) {
          std::printf("parked: %s\n", one.ShortDebugString().c_str());
          parked.insert(one.event_id());
        }
      }
      return parked;
    }
    before = all && lag == 0 ? offsets : -1;
    absl::SleepFor(absl::Milliseconds(300));
  }
  return absl::DeadlineExceededError("the reactions do not come to rest");
}

std::vector<std::string> Fleet::Verify() {
  std::vector<std::string> problems;
  for (const Member* member : Everybody()) {
    const auto verified = member->daemon->Call<admin::v1::VerifyShardsResponse>(
        "aftercare.admin.v1.AdminService", "VerifyShards",
        admin::v1::VerifyShardsRequest(), "operator");
    if (!verified.ok()) {
      problems.push_back(
          absl::StrCat(member->instance, ": ", verified.status().ToString()));
    } else if (!verified->ok()) {
      problems.push_back(
          absl::StrCat(member->instance, ": ", verified->ShortDebugString()));
    }
  }
  return problems;
}

std::vector<std::string> Fleet::Supervise() {
  std::vector<std::string> ended;
  for (Member* member : Everybody()) {
    const std::optional<int> code = member->daemon->EndedByItself();
    if (!code.has_value()) continue;
    if (WasFenced(*member->daemon, *code)) {
      ++fenced_;
      if (StartMember(*member).ok()) continue;
    }
    ended.push_back(member->instance);
  }
  return ended;
}

absl::Status Fleet::Stop(Member& member) {
  std::optional<int> code = member.daemon->EndedByItself();
  if (!code.has_value()) code = member.daemon->Stop();
  if (code == 0) return absl::OkStatus();
  if (!WasFenced(*member.daemon, *code)) {
    return absl::InternalError(absl::StrCat(
        member.instance, " ended with ", *code, ":\n", member.daemon->Log()));
  }
  ++fenced_;
  return absl::OkStatus();
}

}  // namespace aftercare::testing
