#include "libs/rpc/gateway.h"

#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "aftercare/common/v1/annotations.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "tests/libs/rpc/rpc_fixture.h"

namespace aftercare::rpc {
namespace {

using intake::v1::Case;
using intake::v1::Customer;
using intake::v1::GetCustomerRequest;
using intake::v1::ListCustomersRequest;
using intake::v1::ListCustomersResponse;
using intake::v1::OpenCaseRequest;
using intake::v1::RegisterCustomerRequest;

// Finds nothing because it cannot read.
class UnreadableRows final : public RowReader {
 public:
  const google::protobuf::Message* FindRow(
      absl::string_view, const google::protobuf::Message&) const override {
    return nullptr;
  }
  void ScanKeys(absl::string_view, absl::string_view,
                absl::FunctionRef<bool(absl::string_view)>) const override {}
  absl::Status status() const override {
    return absl::DataLossError("block checksum mismatch");
  }
};

// A shard whose rows have just become unreadable.
class UnreadableShard final : public shard::Shard {
 public:
  explicit UnreadableShard(std::shared_ptr<shard::Shard> shard)
      : shard_(std::move(shard)) {}
  void Stop() override { shard_->Stop(); }
  void Promote() override {}
  void Submit(shard::Command, shard::CommandCallback) override {}
  void SubmitHandbook(const handbook::v1::Handbook&, std::string, absl::Time,
                      shard::CommandCallback) override {}
  void Read(shard::Freshness, shard::ReadCallback done) override {
    done(std::make_unique<UnreadableRows>());
  }
  absl::Status Readable() const override { return absl::OkStatus(); }
  std::shared_ptr<const handbook::Policy> PolicyAt(absl::string_view company,
                                                   absl::Time at) override {
    return shard_->PolicyAt(company, at);
  }
  shard::ShardStatus Status() const override { return shard_->Status(); }
  absl::StatusOr<Verdict> Verify(const std::string&) override {
    return absl::UnimplementedError("");
  }
  absl::StatusOr<int64_t> Checkpoint(const std::string&) override {
    return absl::UnimplementedError("");
  }

 private:
  const std::shared_ptr<shard::Shard> shard_;
};

class GatewayTest : public testing::RpcFixture {
 protected:
  void SetUp() override {
    RpcFixture::SetUp();
    ASSERT_TRUE(ApplyDemoHandbook().ok());
  }

  absl::Status Get(const std::string& name, const std::string& actor) {
    return Intake<GetCustomerRequest, Customer>(
               "GetCustomer", absl::StrCat("name: '", name, "'"), actor)
        .status();
  }
  absl::StatusOr<Case> Open(const std::string& text,
                            const std::string& actor = "agent-li") {
    return Intake<OpenCaseRequest, Case>(
        "OpenCase",
        absl::StrCat("kind: INQUIRY channel: 'hotline' subject: '空调不制冷' ",
                     text),
        actor);
  }
};

TEST_F(GatewayTest, ACommandAnswersWithItsResourceAndAQueryFindsIt) {
  const auto made = Register("c-1");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->name(), "companies/acme/customers/c-1");
  const auto found = Intake<GetCustomerRequest, Customer>(
      "GetCustomer", "name: 'companies/acme/customers/c-1'");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->display_name(), "王小明 🙂");
  EXPECT_EQ(found->SerializeAsString(), made->SerializeAsString());
}

// Neither "not found" nor a short list: nobody could look.
TEST_F(GatewayTest, RowsThatCannotBeReadAreNoAnswer) {
  ASSERT_TRUE(Register("c-1").ok());
  for (int p = 0; p < testing::kPartitions; ++p) {
    hosted_[0]->Put(p, std::make_shared<UnreadableShard>(hosted_[0]->Find(p)));
  }
  handbook::v1::ListHandbookVersionsRequest versions;
  versions.set_name("companies/acme");
  for (const absl::Status& status :
       {Get("companies/acme/customers/c-1", "agent-li"),
        Intake<ListCustomersRequest, ListCustomersResponse>(
            "ListCustomers", "parent: 'companies/acme'")
            .status(),
        Handbook<handbook::v1::ListHandbookVersionsResponse>(
            "ListHandbookVersions", versions)
            .status()}) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    EXPECT_EQ(ReasonOf(status), "NOT_READY");
    EXPECT_TRUE(status.GetPayload(kRetryInfoUrl).has_value());
  }
}

TEST_F(GatewayTest, WhoSaysNotWhoTheyAreLearnsNothing) {
  for (const char* name : {"companies/acme/customers/c-1", "nonsense", ""}) {
    EXPECT_EQ(ReasonOf(Get(name, "")), "CREDENTIALS_MISSING") << name;
  }
}

TEST_F(GatewayTest, NobodyFromOutsideIsTheSystem) {
  EXPECT_EQ(ReasonOf(Get("companies/acme/customers/c-1", "system")),
            "CREDENTIALS_MISSING");
}

// Permission is checked before existence.
TEST_F(GatewayTest, StrangersCannotTellWhatExists) {
  ASSERT_TRUE(Register("c-1").ok());
  for (const char* name :
       {"companies/acme/customers/c-1", "companies/acme/customers/none",
        "companies/other/customers/c-1"}) {
    EXPECT_EQ(ReasonOf(Get(name, "stranger")), "ACTION_NOT_PERMITTED") << name;
  }
  EXPECT_EQ(ReasonOf(Get("companies/acme/customers/none", "agent-li")),
            "RESOURCE_NOT_FOUND");
}

TEST_F(GatewayTest, OnlyTheRolesOfTheMethodMayUseIt) {
  const int64_t before = LogEnd();
  const auto refused = Intake<RegisterCustomerRequest, Customer>(
      "RegisterCustomer",
      "parent: 'companies/acme' customer_id: 'c-9' display_name: 'x'",
      "finance-zhu");
  EXPECT_EQ(ReasonOf(refused.status()), "ACTION_NOT_PERMITTED");
  // An operator is no member of the company's staff.
  EXPECT_EQ(ReasonOf(Get("companies/acme/customers/c-1", "operator")),
            "ACTION_NOT_PERMITTED");
  EXPECT_EQ(LogEnd(), before);
}

// Deny by default: a method without rules is nobody's, not everybody's.
TEST_F(GatewayTest, AMethodThatNamesNoRoleIsClosedToAll) {
  CallInfo info;
  info.method = grpc::health::v1::HealthCheckRequest::descriptor()
                    ->file()
                    ->FindServiceByName("Health")
                    ->FindMethodByName("Check");
  ASSERT_TRUE(
      info.method->options().GetExtension(common::v1::rules).roles().empty());
  const auto loaded = handbook::LoadHandbook(testing::DemoHandbookText());
  std::vector<std::string> actors = {"operator"};
  for (const auto& person : loaded.handbook.people()) {
    actors.push_back(person.id());
  }
  ASSERT_GT(actors.size(), 10u);
  for (const std::string& actor : actors) {
    info.metadata[kActorMetadata] = actor;
    for (const char* company : {"companies/acme", ""}) {
      EXPECT_EQ(ReasonOf(gateway_->Authorize(info, company).status()),
                "ACTION_NOT_PERMITTED")
          << actor;
    }
  }
}

// What a caller says of himself counts only where the server was told to
// believe it.
TEST_F(GatewayTest, WithoutAWayToKnowWhoActsNobodyIsBelieved) {
  ASSERT_TRUE(Register("c-1").ok());
  const NoIdentity nobody;
  Gateway gateway(hosted_, nobody, executors_, router_,
                  {.operators = {"operator"}});
  Server server;
  gateway.Register(server);
  ASSERT_TRUE(server.Start("127.0.0.1:0").ok());
  Client client(absl::StrCat("127.0.0.1:", server.port()));
  const int64_t before = LogEnd();
  GetCustomerRequest request;
  request.set_name("companies/acme/customers/c-1");
  // Name or parent is field 1 of every request.
  const std::string named = request.SerializeAsString();
  const auto* service = hosted_[0]->service->descriptor();
  for (int i = 0; i < service->method_count(); ++i) {
    for (const char* actor : {"agent-li", "operator", "system", ""}) {
      const auto answer = client.InvokeRaw(MethodPath(*service->method(i)),
                                           named, {.actor = actor});
      EXPECT_TRUE(absl::IsUnauthenticated(answer.status()))
          << service->method(i)->name() << " " << actor << ": "
          << answer.status();
      EXPECT_EQ(ReasonOf(answer.status()), "CREDENTIALS_MISSING");
    }
  }
  EXPECT_EQ(LogEnd(), before);
  server.Shutdown(absl::Seconds(5));
}

// Below the floor only reads are answered, the reason is told to callers and
// operators, and writing goes on once there is space again.
TEST_F(GatewayTest, ShortOfDiskSpaceReadsGoOnAndChangesAreTurnedAway) {
  ASSERT_TRUE(Register("c-1").ok());
  const auto await = [&](admin::v1::Shard::State state) {
    while (true) {
      const auto status =
          Admin<admin::v1::Status>("GetStatus", admin::v1::GetStatusRequest());
      ASSERT_TRUE(status.ok()) << status.status();
      bool all = true;
      for (const auto& shard : status->shards()) all &= shard.state() == state;
      if (all) return;
      std::this_thread::yield();
    }
  };
  free_bytes_ = 1000;
  await(admin::v1::Shard::READ_ONLY);
  const int64_t before = LogEnd();
  for (const char* id : {"c-2", "c-3", "c-4"}) {
    const absl::Status refused = Register(id).status();
    EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
    EXPECT_EQ(ReasonOf(refused), "DISK_SPACE_LOW");
    EXPECT_TRUE(refused.GetPayload(kRetryInfoUrl).has_value());
  }
  EXPECT_EQ(LogEnd(), before);
  EXPECT_TRUE(Get("companies/acme/customers/c-1", "agent-li").ok());
  free_bytes_ = int64_t{1} << 40;
  await(admin::v1::Shard::SERVING);
  EXPECT_TRUE(Register("c-2").ok());
}

TEST_F(GatewayTest, CommandsOfReactionsAreClosedToPeople) {
  const auto refused = Intake<intake::v1::RecordRepairProgressRequest, Case>(
      "RecordRepairProgress", "name: 'companies/acme/customers/c-1/cases/k-1'",
      "supervisor-chen");
  EXPECT_EQ(ReasonOf(refused.status()), "ACTION_NOT_PERMITTED");
}

TEST_F(GatewayTest, NamesMustBeNames) {
  const int64_t before = LogEnd();
  for (const std::string name :
       {"", "companies", "companies/", "/companies/acme", "companies/ACME/x/y",
        "customers/acme/customers/1", "companies/acme/customers",
        "companies/acme//1", "companies/acme/customers/1/",
        "companies/acme/customers/../../x", "companies/-/customers/1",
        "companies/acme/customers/顾客"}) {
    const absl::Status status = Get(name, "agent-li");
    EXPECT_EQ(ReasonOf(status), "NAME_INVALID") << name;
    EXPECT_EQ(FieldOf(status), "name") << name;
  }
  const absl::Status parent =
      Open("parent: 'companies/acme/customers/-'").status();
  EXPECT_EQ(ReasonOf(parent), "NAME_INVALID");
  EXPECT_EQ(LogEnd(), before);
}

TEST_F(GatewayTest, IdsOfNewResourcesMustBeIds) {
  for (const char* id : {"-x", "A", "a/b", "a.b"}) {
    const auto status = Register(id).status();
    EXPECT_EQ(ReasonOf(status), "FIELD_INVALID") << id;
    EXPECT_EQ(FieldOf(status), "customer_id") << id;
  }
}

TEST_F(GatewayTest, RequestIdsOfReactionsAreReserved) {
  const auto status =
      Register("c-1", "request_id: 'event:intake/0/1/1'").status();
  EXPECT_EQ(FieldOf(status), "request_id");
  EXPECT_EQ(FieldOf(Register("c-1", "request_id: 'a b'").status()),
            "request_id");
  EXPECT_EQ(FieldOf(Register("c-1", "request_id: 'a|b'").status()),
            "request_id");
  EXPECT_EQ(FieldOf(Register("c-1", absl::StrCat("request_id: '",
                                                 std::string(129, 'a'), "'"))
                        .status()),
            "request_id");
}

TEST_F(GatewayTest, AYearBeyondReasonIsNoBusinessTime) {
  const auto status =
      Register("c-1", "occur_time { seconds: 253370764800 }").status();
  EXPECT_EQ(ReasonOf(status), "FIELD_INVALID");
  EXPECT_EQ(FieldOf(status), "occur_time");
  const auto future =
      Register("c-1", "occur_time { seconds: 4102444800 }").status();
  EXPECT_EQ(ReasonOf(future), "OCCUR_TIME_IN_FUTURE");
}

TEST_F(GatewayTest, ARepeatedRequestHasOneEffectEvenWithoutAnIdOfItsOwn) {
  ASSERT_TRUE(Register("c-1").ok());
  const std::string text =
      "parent: 'companies/acme/customers/c-1' request_id: 'r-1'";
  const auto first = Open(text);
  ASSERT_TRUE(first.ok()) << first.status();
  const int64_t end = LogEnd();
  const auto second = Open(text);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->name(), first->name());
  EXPECT_EQ(LogEnd(), end);
  EXPECT_EQ(ReasonOf(Open(text + " description: 'other'").status()),
            "REQUEST_ID_REUSED");
  // Who asks for the very same has not been answered yet, and may not even be
  // permitted to ask.
  EXPECT_EQ(ReasonOf(Open(text, "agent-wang").status()), "REQUEST_ID_REUSED");
  EXPECT_EQ(ReasonOf(Open(text, "tech-01").status()), "ACTION_NOT_PERMITTED");
  EXPECT_EQ(LogEnd(), end);
  EXPECT_TRUE(Open(text).ok());
  // Without a request_id every call is a new one.
  const auto third = Open("parent: 'companies/acme/customers/c-1'");
  ASSERT_TRUE(third.ok()) << third.status();
  EXPECT_NE(third->name(), first->name());
}

TEST_F(GatewayTest, ACompanysListGathersAllPartitionsWithoutGapsOrDoubles) {
  std::set<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    const auto made = Register(absl::StrCat("c-", i));
    ASSERT_TRUE(made.ok()) << made.status();
    expected.insert(made->name());
  }
  for (const auto& shard : hosted_[0]->Shards()) {
    EXPECT_GT(shard->Status().events, 1) << "a partition got no customer";
  }
  std::set<std::string> seen;
  std::string token;
  do {
    const auto page = Intake<ListCustomersRequest, ListCustomersResponse>(
        "ListCustomers",
        absl::StrCat("parent: 'companies/acme' page_size: 7 page_token: '",
                     token, "'"));
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& customer : page->customers()) {
      EXPECT_TRUE(seen.insert(customer.name()).second) << customer.name();
    }
    token = page->next_page_token();
  } while (!token.empty());
  EXPECT_EQ(seen, expected);
}

// Seen as PERMISSION_DENIED for a moment after each takeover.
TEST_F(GatewayTest, WhileNoShardKnowsTheHandbookNobodyIsToldThatHeMayNot) {
  ASSERT_TRUE(Register("c-1").ok());
  for (int p = 0; p < testing::kPartitions; ++p) {
    hosted_[0]->Take(p)->Stop();
    shard::ShardOptions options;
    options.directory = dir_ / absl::StrCat("shard", p);
    options.follow = true;
    hosted_[0]->Put(p, shard::Shard::Start(*log_, *hosted_[0]->service, p,
                                           testing::kPartitions, options)
                           .value());
  }
  for (const char* state : {"before it follows", "while it follows"}) {
    EXPECT_EQ(
        ReasonOf((Intake<GetCustomerRequest, Customer>(
                      "GetCustomer", "name: 'companies/acme/customers/c-1'"))
                     .status()),
        "NOT_READY")
        << state;
    EXPECT_EQ(ReasonOf(Register("c-1").status()), "NOT_READY") << state;
    for (const auto& shard : hosted_[0]->Shards()) {
      while (shard->Status().state != shard::ShardState::kFollowing) {
        std::this_thread::yield();
      }
    }
  }
  for (const auto& shard : hosted_[0]->Shards()) shard->Promote();
  absl::Status found;
  do {
    found = (Intake<GetCustomerRequest, Customer>(
                 "GetCustomer", "name: 'companies/acme/customers/c-1'"))
                .status();
    if (!found.ok()) {
      EXPECT_EQ(ReasonOf(found), "NOT_READY");
    }
  } while (!found.ok());
}

TEST_F(GatewayTest, ACallWhoseDeadlineHasPassedIsNotDecided) {
  const int64_t before = LogEnd();
  OpenCaseRequest request;
  request.set_parent("companies/acme/customers/c-1");
  std::promise<absl::StatusOr<std::string>> answer;
  // Straight to the shard with a deadline of the past: over the network the
  // client would give up by itself.
  shard::Command command;
  command.method = hosted_[0]->service->FindMethod("OpenCase");
  command.request = std::make_shared<OpenCaseRequest>(request);
  command.boundary = "companies/acme/customers/c-1";
  command.actor = "agent-li";
  command.deadline = absl::Now() - absl::Seconds(1);
  hosted_[0]
      ->Find(hosted_[0]->PartitionOf(command.boundary).value())
      ->Submit(command, [&](absl::StatusOr<shard::CommandResult> result) {
        answer.set_value(result.status());
      });
  EXPECT_EQ(ReasonOf(answer.get_future().get().status()), "DEADLINE_PASSED");
  EXPECT_EQ(LogEnd(), before);
}

TEST(ExecutorTest, AFullQueueTakesNoMoreAndRunsWhatItTook) {
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  std::promise<void> begun;
  std::atomic<int> ran{0};
  {
    Executor executor(1, 2);
    ASSERT_TRUE(executor.Run([&] {
      begun.set_value();
      gate.wait();
      ++ran;
    }));
    begun.get_future().wait();
    EXPECT_TRUE(executor.Run([&] { ++ran; }));
    EXPECT_TRUE(executor.Run([&] { ++ran; }));
    EXPECT_FALSE(executor.Run([&] { ran += 100; }));
    go.set_value();
  }
  EXPECT_EQ(ran, 3);
}

}  // namespace
}  // namespace aftercare::rpc
