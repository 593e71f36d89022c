// Two processes as they are on Kafka, in this one: each with its own server,
// hosts and shards, over one log. Intake has two partitions; the first process
// owns one, the second the other and all of dispatch.

#include "libs/rpc/router.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/handbook/yaml.h"
#include "libs/log/embedded_log.h"
#include "libs/log/fold.h"
#include "libs/reaction/reaction.h"
#include "libs/rpc/gateway.h"
#include "libs/rpc/handbook_service.h"
#include "libs/rpc/identity.h"
#include "libs/rpc/peer_service.h"
#include "libs/testing/temp_dir.h"
#include "services/dispatch/reactions.h"
#include "services/dispatch/service.h"
#include "services/intake/service.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::rpc {
namespace {

using intake::v1::Customer;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int kPartitions = 2;

class Process {
 public:
  Process(log::Log& log, std::string directory)
      : log_(log), directory_(std::move(directory)), owners_(log) {
    for (shard::Service& service : std::array{
             intake::MakeIntakeService(), dispatch::MakeDispatchService()}) {
      hosts_.push_back(std::make_unique<Hosted>(
          std::make_shared<const shard::Service>(std::move(service))));
    }
    gateway_.Register(server_);
    RegisterHandbookService(server_, gateway_, hosts_, router_);
    RegisterPeerService(server_, gateway_, hosts_, executors_.scans);
    EXPECT_TRUE(server_.Start("127.0.0.1:0").ok());
    address_ = absl::StrCat("127.0.0.1:", server_.port());
    router_.Announce(address_);
    client_ = std::make_unique<Client>(address_);
  }

  ~Process() {
    Shutdown();
    for (const auto& host : hosts_) {
      for (int p = 0; p < host->partitions(); ++p) {
        if (auto shard = host->Take(p)) shard->Stop();
      }
    }
    router_.Drain();
  }

  Hosted& host() { return *hosts_.front(); }
  Hosted& dispatch() { return *hosts_.back(); }
  Router& router() { return router_; }
  Client& client() { return *client_; }
  void Open() {
    host().Open(kPartitions);
    dispatch().Open(1);
  }
  void Shutdown() { server_.Shutdown(absl::Seconds(2)); }

  void Own(int partition) { Own(host(), partition); }
  void Own(Hosted& host, int partition) {
    shard::ShardOptions options;
    options.directory =
        absl::StrCat(directory_, "/", host.service->name(), partition);
    options.owner = address_;
    options.address = address_;
    auto shard = shard::Shard::Start(log_, *host.service, partition,
                                     host.partitions(), options);
    ASSERT_TRUE(shard.ok()) << shard.status();
    host.Put(partition, *std::move(shard));
    while (host.Find(partition)->Status().state !=
           shard::ShardState::kServing) {
      std::this_thread::yield();
    }
  }

  template <typename Response>
  absl::StatusOr<Response> Call(const char* method,
                                const google::protobuf::Message& request,
                                Client::Call call = {.actor = "agent-li"}) {
    return client_->Invoke<Response>(
        *host().service->descriptor()->FindMethodByName(method), request, call);
  }

  absl::StatusOr<Customer> Register(const std::string& id,
                                    const std::string& request_id = "") {
    intake::v1::RegisterCustomerRequest request;
    request.set_parent("companies/acme");
    request.set_customer_id(id);
    request.set_display_name("王小明");
    request.set_region("beijing");
    request.set_request_id(request_id);
    return Call<Customer>("RegisterCustomer", request);
  }

 private:
  log::Log& log_;
  const std::string directory_;
  std::string address_;
  Hosts hosts_;
  Owners owners_;
  Router router_{&owners_};
  InsecureDevIdentity identity_;
  Executors executors_;
  Gateway gateway_{hosts_, identity_, executors_, router_,
                   GatewayOptions{.operators = {"operator"}}};
  Server server_;
  std::unique_ptr<Client> client_;
};

class RouterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    log::EmbeddedLogOptions options;
    options.directory = dir_ / "log";
    log_ = log::EmbeddedLog::Open(options).value();
    ASSERT_TRUE(log_->EnsureTopic("aftercare.intake.events.v1", 2).ok());
    ASSERT_TRUE(log_->EnsureTopic("aftercare.dispatch.events.v1", 1).ok());
    first_ = std::make_unique<Process>(*log_, dir_ / "first");
    second_ = std::make_unique<Process>(*log_, dir_ / "second");
  }

  void OpenBoth() {
    first_->Open();
    second_->Open();
    first_->Own(0);
    second_->Own(1);
    second_->Own(second_->dispatch(), 0);
    handbook::v1::ApplyHandbookRequest apply;
    *apply.mutable_handbook() =
        handbook::LoadHandbook(testing::DemoHandbookText()).handbook;
    const auto applied = first_->client().Invoke<handbook::v1::Handbook>(
        *handbook::v1::ApplyHandbookRequest::descriptor()
             ->file()
             ->FindServiceByName("HandbookService")
             ->FindMethodByName("ApplyHandbook"),
        apply, {.actor = "operator"});
    ASSERT_TRUE(applied.ok()) << applied.status();
  }

  // An id whose customer lies in the partition.
  static std::string IdIn(int partition, int n = 0) {
    for (int i = n * 100;; ++i) {
      const std::string id = absl::StrCat("c-", i);
      if (log::PartitionOf("companies/acme/customers/" + id, kPartitions) ==
          partition) {
        return id;
      }
    }
  }

  testing::TempDir dir_;
  std::unique_ptr<log::EmbeddedLog> log_;
  std::unique_ptr<Process> first_;
  std::unique_ptr<Process> second_;
};

TEST_F(RouterTest, AnyProcessTakesEveryCall) {
  OpenBoth();
  for (int p = 0; p < kPartitions; ++p) {
    const std::string id = IdIn(p);
    const auto made = first_->Register(id, "r-" + id);
    ASSERT_TRUE(made.ok()) << made.status();
    // Asked of the other, the same request has had its effect.
    const auto again = second_->Register(id, "r-" + id);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->SerializeAsString(), made->SerializeAsString());
    // A refusal comes through as it was said.
    EXPECT_EQ(ReasonOf(first_->Register(id).status()),
              ReasonOf(second_->Register(id).status()));
    EXPECT_FALSE(ReasonOf(second_->Register(id).status()).empty());
  }
}

// Whichever process is asked, the id it chooses and the content it compares are
// the same.
TEST_F(RouterTest, ARepeatedCallWithoutAnIdIsTheSameCallEverywhere) {
  OpenBoth();
  ASSERT_TRUE(first_->Register(IdIn(1)).ok());
  intake::v1::OpenCaseRequest request;
  request.set_parent("companies/acme/customers/" + IdIn(1));
  request.set_kind(intake::v1::Case::INQUIRY);
  request.set_channel("hotline");
  request.set_subject("空调不制冷");
  request.set_request_id("r-1");
  const auto made = first_->Call<intake::v1::Case>("OpenCase", request);
  ASSERT_TRUE(made.ok()) << made.status();
  for (Process* process : {second_.get(), first_.get()}) {
    const auto again = process->Call<intake::v1::Case>("OpenCase", request);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->name(), made->name());
    // Nor does passing on change who asks.
    EXPECT_EQ(ReasonOf(process
                           ->Call<intake::v1::Case>("OpenCase", request,
                                                    {.actor = "agent-wang"})
                           .status()),
              "REQUEST_ID_REUSED");
  }
}

TEST_F(RouterTest, AnswersSayWhichClaimTheyRestOn) {
  OpenBoth();
  ASSERT_TRUE(first_->Register(IdIn(1)).ok());
  intake::v1::GetCustomerRequest request;
  request.set_name("companies/acme/customers/" + IdIn(1));
  for (Process* process : {first_.get(), second_.get()}) {
    std::map<std::string, std::string> trailers;
    ASSERT_TRUE(
        process
            ->Call<Customer>("GetCustomer", request,
                             {.actor = "agent-li", .trailers = &trailers})
            .ok());
    EXPECT_EQ(trailers[kPositionMetadata], "intake/1 claim=0 offset=3");
  }
}

TEST_F(RouterTest, ACallIsPassedOnOnce) {
  OpenBoth();
  intake::v1::GetCustomerRequest request;
  request.set_name("companies/acme/customers/" + IdIn(1));
  const auto answer = first_->Call<Customer>(
      "GetCustomer", request,
      {.actor = "agent-li", .metadata = {{kForwardedMetadata, "1"}}});
  EXPECT_EQ(ReasonOf(answer.status()), "NOT_OWNER") << answer.status();
}

TEST_F(RouterTest, ListsOverAllPartitionsAreMergedAndTokensStayGood) {
  OpenBoth();
  std::vector<std::string> expected;
  for (int n = 0; n < 7; ++n) {
    for (int p = 0; p < kPartitions; ++p) {
      const auto made = first_->Register(IdIn(p, n));
      ASSERT_TRUE(made.ok()) << made.status();
      expected.push_back(made->name());
    }
  }
  std::sort(expected.begin(), expected.end());
  for (const int size : {1, 3, 5, 50}) {
    std::vector<std::string> seen;
    intake::v1::ListCustomersRequest request;
    request.set_parent("companies/acme");
    request.set_page_size(size);
    int pages = 0;
    do {
      // Each page is asked of another process than the one before.
      Process& process = ++pages % 2 == 0 ? *first_ : *second_;
      const auto page = process.Call<intake::v1::ListCustomersResponse>(
          "ListCustomers", request);
      ASSERT_TRUE(page.ok()) << page.status();
      EXPECT_LE(page->customers_size(), size);
      for (const auto& customer : page->customers()) {
        seen.push_back(customer.name());
      }
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    EXPECT_EQ(seen, expected) << size;
  }
}

TEST_F(RouterTest, ATokenOfAnotherListIsRefusedByEveryPart) {
  OpenBoth();
  intake::v1::ListCustomersRequest request;
  request.set_parent("companies/acme");
  request.set_page_token("rubbish");
  for (Process* process : {first_.get(), second_.get()}) {
    EXPECT_EQ(ReasonOf(process
                           ->Call<intake::v1::ListCustomersResponse>(
                               "ListCustomers", request)
                           .status()),
              "PAGE_TOKEN_INVALID");
  }
}

TEST_F(RouterTest, AfterAHandOverTheNewOwnerIsFound) {
  OpenBoth();
  const std::string id = IdIn(1);
  ASSERT_TRUE(first_->Register(id).ok());
  second_->host().Take(1)->Stop();
  first_->Own(1);
  // The second knew itself as the owner; it now finds the first.
  intake::v1::GetCustomerRequest request;
  request.set_name("companies/acme/customers/" + id);
  const auto found = second_->Call<Customer>(
      "GetCustomer", request, {.actor = "agent-li", .retry = true});
  EXPECT_TRUE(found.ok()) << found.status();
  // And back: the first passes on to the second again.
  first_->host().Take(1)->Stop();
  second_->Own(1);
  const auto back = first_->Call<Customer>(
      "GetCustomer", request, {.actor = "agent-li", .retry = true});
  EXPECT_TRUE(back.ok()) << back.status();
}

TEST_F(RouterTest, AnOwnerThatDoesNotAnswerLeavesTheOutcomeUnknown) {
  OpenBoth();
  ASSERT_TRUE(first_->Register(IdIn(1)).ok());
  second_->Shutdown();
  const auto answer = first_->Register(IdIn(1, 1));
  EXPECT_TRUE(absl::IsUnavailable(answer.status()));
  EXPECT_EQ(ReasonOf(answer.status()), "OWNER_UNREACHABLE");
  intake::v1::ListCustomersRequest list;
  list.set_parent("companies/acme");
  const auto page =
      first_->Call<intake::v1::ListCustomersResponse>("ListCustomers", list);
  EXPECT_EQ(ReasonOf(page.status()), "OWNER_UNREACHABLE") << page.status();
}

// A reaction in the first process whose target runs in the second.
class RoutedReactionTest : public RouterTest {
 protected:
  void SetUp() override {
    RouterTest::SetUp();
    OpenBoth();
    progress_ = reaction::OpenLocalProgress(dir_ / "reactions").value();
    ASSERT_TRUE(first_->Register(IdIn(0)).ok());
    reaction::Target target;
    target.service = first_->dispatch().service.get();
    target.policy = [this](absl::string_view company, absl::Time at) {
      return first_->host().PolicyAt(company, at);
    };
    target.submit = [this](shard::Command command,
                           shard::CommandCallback done) {
      first_->router().Submit(
          first_->dispatch(), std::move(command),
          [this, done = std::move(done)](
              absl::StatusOr<shard::CommandResult> result) {
            if (result.ok() && answers_lost_.exchange(false)) {
              result = Refuse(common::v1::REASON_OWNER_UNREACHABLE, "lost");
            }
            if (ReasonOf(result.status()) == "OWNER_UNREACHABLE") {
              ++unanswered_;
            }
            done(std::move(result));
          });
    };
    reaction::ReactionOptions options;
    options.max_attempts = 2;
    options.longest_pause = absl::Milliseconds(20);
    auto reaction = reaction::Reaction::Start(
        *log_, *first_->host().service, target,
        dispatch::DispatchReactions().front(), *progress_, options);
    ASSERT_TRUE(reaction.ok()) << reaction.status();
    reaction_ = *std::move(reaction);
  }

  void TearDown() override { reaction_.reset(); }

  void OpenRepair(const std::string& id) {
    intake::v1::OpenCaseRequest request;
    request.set_parent("companies/acme/customers/" + IdIn(0));
    request.set_case_id(id);
    request.set_kind(intake::v1::Case::REPAIR);
    request.set_channel("hotline");
    request.set_subject("空调不制冷");
    request.set_product_line("appliance");
    const auto made = first_->Call<intake::v1::Case>("OpenCase", request);
    ASSERT_TRUE(made.ok()) << made.status();
  }

  void AwaitHandled(int64_t count) {
    while (reaction_->Status().handled() < count) std::this_thread::yield();
  }

  // Ids of the work orders there are, as often as they were created.
  std::multiset<std::string> WorkOrders() {
    std::multiset<std::string> ids;
    auto reader =
        log_->OpenReader({first_->dispatch().service->topic(), 0}, 0).value();
    log::Fold fold;
    while (true) {
      auto records = reader->Read(1000, absl::ZeroDuration()).value();
      if (records.empty()) return ids;
      for (auto& record : records) {
        for (const auto& member : fold.Apply(std::move(record)).group) {
          if (absl::EndsWith(member.record.Header("ce_type"),
                             "WorkOrderCreated")) {
            ids.emplace(IdOf(member.record.Header("ce_subject")));
          }
        }
      }
    }
  }

  std::atomic<bool> answers_lost_{false};
  std::atomic<int> unanswered_{0};
  std::unique_ptr<reaction::Progress> progress_;
  std::unique_ptr<reaction::Reaction> reaction_;
};

TEST_F(RoutedReactionTest, ATargetWhoseOwnerAnswersNobodyIsWaitedFor) {
  OpenRepair("k-1");
  AwaitHandled(1);
  second_->Shutdown();
  OpenRepair("k-2");
  // More often than a refusal would be repeated.
  while (unanswered_ < 5) std::this_thread::yield();
  EXPECT_EQ(reaction_->Status().handled(), 1);
  EXPECT_THAT(reaction_->ListParked(), IsEmpty());
  EXPECT_THAT(WorkOrders(), ElementsAre("k-1"));
  // Somebody else takes it over.
  second_->dispatch().Take(0)->Stop();
  first_->Own(first_->dispatch(), 0);
  AwaitHandled(2);
  EXPECT_THAT(WorkOrders(), ElementsAre("k-1", "k-2"));
  EXPECT_THAT(reaction_->ListParked(), IsEmpty());
}

TEST_F(RoutedReactionTest, AnAnswerThatWasLostHasNoSecondEffect) {
  answers_lost_ = true;
  OpenRepair("k-1");
  AwaitHandled(1);
  EXPECT_EQ(unanswered_, 1);
  EXPECT_EQ(reaction_->Status().refused(), 0);
  EXPECT_THAT(WorkOrders(), ElementsAre("k-1"));
  EXPECT_THAT(reaction_->ListParked(), IsEmpty());
}

TEST_F(RouterTest, BeforeThePartitionsAreKnownOrClaimedCallsAreRefused) {
  EXPECT_EQ(ReasonOf(first_->Register("c-1").status()), "NOT_READY");
  first_->Open();
  EXPECT_EQ(ReasonOf(first_->Register("c-1").status()), "NOT_OWNER");
}

TEST_F(RouterTest, OnlyProcessesMayCallInTheirOwnName) {
  OpenBoth();
  peer::v1::SubmitRequest request;
  request.set_service("intake");
  const auto answer = first_->client().InvokeRaw(
      "/aftercare.peer.v1.PeerService/Submit", request.SerializeAsString(),
      {.actor = "operator"});
  EXPECT_EQ(ReasonOf(answer.status()), "ACTION_NOT_PERMITTED");
}

}  // namespace
}  // namespace aftercare::rpc
