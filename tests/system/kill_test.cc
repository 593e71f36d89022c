// kill -9 at any moment, again and again, under load: every acknowledged
// command is there after the restart, none twice, and what replay makes of the
// log equals what the live process had.

#include <atomic>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/types.pb.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/testing/temp_dir.h"
#include "tests/system/daemon.h"

namespace aftercare::testing {
namespace {

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";
constexpr int kKills = 24;
constexpr int kCallers = 8;

uint64_t Seed() {
  const char* given = std::getenv("AFTERCARE_SEED");
  return given == nullptr ? std::random_device()()
                          : std::strtoull(given, nullptr, 10);
}

// What a caller has been promised.
struct Promised {
  struct OfCase {
    bool repair = false;
    std::vector<std::string> replies;
  };
  std::map<std::string, OfCase> cases;
  std::set<std::string> request_ids;
};

// Repeats one command with the same request_id until its outcome is known, as
// a careful client does.
template <typename Response>
absl::StatusOr<Response> Insist(Daemon& daemon, absl::string_view method,
                                const google::protobuf::Message& request) {
  while (true) {
    auto answer = daemon.Call<Response>(kIntake, method, request, "agent-li");
    if (!absl::IsUnavailable(answer.status()) &&
        !absl::IsDeadlineExceeded(answer.status())) {
      return answer;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void Load(Daemon& daemon, int caller, uint64_t seed,
          const std::atomic<bool>& stop, std::atomic<int64_t>& count,
          Promised& promised) {
  std::mt19937_64 random(seed);
  int number = 0;
  const auto next_id = [&] {
    std::string id = absl::StrCat("r-", caller, "-", number++);
    promised.request_ids.insert(id);
    return id;
  };
  std::vector<std::string> customers;
  std::vector<std::string> cases;
  while (!stop) {
    const uint64_t dice = random() % 10;
    if (customers.empty() || dice == 0) {
      intake::v1::RegisterCustomerRequest request;
      request.set_parent("companies/acme");
      request.set_customer_id(absl::StrCat("c-", caller, "-", number));
      request.set_display_name("王小明 🙂");
      request.set_region("beijing");
      request.set_request_id(next_id());
      const auto made =
          Insist<intake::v1::Customer>(daemon, "RegisterCustomer", request);
      ASSERT_TRUE(made.ok()) << made.status();
      customers.push_back(made->name());
    } else if (cases.empty() || dice < 5) {
      intake::v1::OpenCaseRequest request;
      request.set_parent(customers[random() % customers.size()]);
      const bool repair = random() % 3 == 0;
      request.set_kind(repair ? intake::v1::Case::REPAIR
                              : intake::v1::Case::INQUIRY);
      request.set_channel("hotline");
      request.set_subject("空调不制冷");
      request.set_product_line("appliance");
      request.set_request_id(next_id());
      const auto made = Insist<intake::v1::Case>(daemon, "OpenCase", request);
      ASSERT_TRUE(made.ok()) << made.status();
      cases.push_back(made->name());
      ASSERT_TRUE(
          promised.cases.emplace(made->name(), Promised::OfCase{}).second)
          << made->name();
      promised.cases[made->name()].repair = repair;
    } else {
      intake::v1::ReplyToCaseRequest request;
      request.set_name(cases[random() % cases.size()]);
      request.set_text(absl::StrCat("答复 ", caller, "/", number));
      request.set_request_id(next_id());
      const auto made =
          Insist<intake::v1::Case>(daemon, "ReplyToCase", request);
      ASSERT_TRUE(made.ok()) << made.status();
      promised.cases[request.name()].replies.push_back(request.text());
    }
    ++count;
  }
}

// Facts of a case, newest last.
std::vector<common::v1::HistoryEntry> History(Daemon& daemon,
                                              const std::string& name) {
  std::vector<common::v1::HistoryEntry> entries;
  common::v1::GetHistoryRequest request;
  request.set_name(name);
  request.set_page_size(1000);
  do {
    const auto page = daemon.Call<common::v1::GetHistoryResponse>(
        kIntake, "GetCaseHistory", request, "agent-li");
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return entries;
    for (const auto& entry : page->entries()) entries.push_back(entry);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return entries;
}

// Every valid event of a service; its request_id (may be empty).
template <typename Visit>
void VisitEvents(Daemon& daemon, const std::string& service, int partitions,
                 const Visit& visit) {
  for (int p = 0; p < partitions; ++p) {
    admin::v1::ReadEventsRequest request;
    request.set_service(service);
    request.set_partition(p);
    request.set_max_events(1000);
    while (true) {
      const auto page = daemon.Call<admin::v1::ReadEventsResponse>(
          "aftercare.admin.v1.AdminService", "ReadEvents", request, "operator");
      ASSERT_TRUE(page.ok()) << page.status();
      for (const auto& entry : page->entries()) {
        EXPECT_NE(entry.kind(), admin::v1::LogEntry::UNREADABLE);
        if (entry.kind() == admin::v1::LogEntry::EVENT) visit(entry);
      }
      if (page->next_offset() == request.offset()) break;
      request.set_offset(page->next_offset());
    }
  }
}

std::string HeaderOf(const admin::v1::LogEntry& entry, const char* name) {
  const auto it = entry.headers().find(name);
  return it == entry.headers().end() ? "" : it->second;
}

TEST(KillTest, NothingAcknowledgedIsLostAndNothingHappensTwice) {
  const uint64_t seed = Seed();
  std::printf("AFTERCARE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const TempDir dir;
  Daemon daemon(dir / "data");
  ASSERT_EQ(daemon.Start(), absl::OkStatus());
  ASSERT_TRUE(daemon.AwaitServing().ok());
  ASSERT_TRUE(daemon.ApplyDemoHandbook().ok());

  std::atomic<bool> stop{false};
  std::atomic<int64_t> count{0};
  std::vector<Promised> promised(kCallers);
  std::vector<std::thread> callers;
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back(Load, std::ref(daemon), c, random(), std::cref(stop),
                         std::ref(count),
                         std::ref(promised[static_cast<size_t>(c)]));
  }
  int wiped_shards = 0;
  int wiped_reactions = 0;
  for (int k = 0; k < kKills; ++k) {
    // At any moment: some in the middle of load, some while replaying.
    std::this_thread::sleep_for(
        std::chrono::milliseconds(random() % (k % 4 == 3 ? 20 : 400)));
    daemon.Kill();
    if (random() % 3 == 0) {
      std::filesystem::remove_all(daemon.data() + "/shards");
      ++wiped_shards;
    }
    if (random() % 3 == 0) {
      std::filesystem::remove_all(daemon.data() + "/reactions");
      ++wiped_reactions;
    }
    const absl::Status started = daemon.Start();
    if (!started.ok()) stop = true;
    ASSERT_TRUE(started.ok()) << started;
  }
  const absl::Status serving = daemon.AwaitServing();
  stop = true;
  for (std::thread& caller : callers) caller.join();
  ASSERT_TRUE(serving.ok()) << serving;
  ASSERT_TRUE(daemon.AwaitReactions().ok());
  std::printf(
      "%d kills, %lld commands, rows wiped %d times, reactions %d times\n",
      kKills, static_cast<long long>(count.load()), wiped_shards,
      wiped_reactions);
  ASSERT_GT(count, kKills * 5);

  // Through the API: each case once, each reply in it once, in its order.
  size_t repairs = 0;
  std::set<std::string> request_ids;
  for (const Promised& promise : promised) {
    request_ids.insert(promise.request_ids.begin(), promise.request_ids.end());
    for (const auto& [name, expected] : promise.cases) {
      repairs += expected.repair ? 1 : 0;
      std::vector<std::string> replies;
      int opened = 0;
      for (const auto& entry : History(daemon, name)) {
        if (entry.type() == "CaseOpened") ++opened;
        if (entry.type() != "CaseReplied") continue;
        const size_t at = entry.fact_json().find("答复 ");
        ASSERT_NE(at, std::string::npos) << entry.fact_json();
        replies.push_back(
            entry.fact_json().substr(at, entry.fact_json().find('"', at) - at));
      }
      EXPECT_EQ(opened, 1) << name;
      EXPECT_EQ(replies, expected.replies) << name;
    }
  }

  // In the log: every request that was answered, exactly once.
  std::map<std::string, int> seen;
  VisitEvents(daemon, "intake", 2, [&](const admin::v1::LogEntry& entry) {
    const std::string id = HeaderOf(entry, "ce_requestid");
    if (id.rfind("r-", 0) == 0) ++seen[id];
  });
  EXPECT_EQ(seen.size(), request_ids.size());
  for (const std::string& id : request_ids) EXPECT_EQ(seen[id], 1) << id;

  // Of the reactions: one work order for each repair, whatever was wiped.
  std::map<std::string, int> orders;
  VisitEvents(daemon, "dispatch", 2, [&](const admin::v1::LogEntry& entry) {
    if (HeaderOf(entry, "ce_type") ==
        "aftercare.dispatch.v1.WorkOrderCreated") {
      ++orders[HeaderOf(entry, "ce_causationid")];
    }
  });
  EXPECT_EQ(orders.size(), repairs);
  for (const auto& [cause, times] : orders) EXPECT_EQ(times, 1) << cause;

  const auto verified = daemon.Call<admin::v1::VerifyShardsResponse>(
      "aftercare.admin.v1.AdminService", "VerifyShards",
      admin::v1::VerifyShardsRequest(), "operator");
  ASSERT_TRUE(verified.ok()) << verified.status();
  EXPECT_TRUE(verified->ok()) << verified->DebugString();

  // Live rows and rows made from nothing but the log have equal digests.
  std::map<std::string, std::string> digests;
  const auto live = daemon.Status();
  ASSERT_TRUE(live.ok()) << live.status();
  for (const auto& shard : live->shards()) {
    digests[absl::StrCat(shard.service(), "/", shard.partition())] =
        shard.digest();
  }
  daemon.Kill();
  std::filesystem::remove_all(daemon.data() + "/shards");
  std::filesystem::remove_all(daemon.data() + "/reactions");
  ASSERT_EQ(daemon.Start(), absl::OkStatus());
  ASSERT_TRUE(daemon.AwaitServing().ok());
  ASSERT_TRUE(daemon.AwaitReactions().ok());
  const auto replayed = daemon.Status();
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  for (const auto& shard : replayed->shards()) {
    EXPECT_EQ(shard.digest(),
              digests[absl::StrCat(shard.service(), "/", shard.partition())])
        << shard.service() << "/" << shard.partition();
  }
  EXPECT_EQ(daemon.Stop(), 0);
}

}  // namespace
}  // namespace aftercare::testing
