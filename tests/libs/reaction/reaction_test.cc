// Reactions between real shards of intake and dispatch on a real log. What has
// to fail is made to fail by a shard that stands before the real one.

#include "libs/reaction/reaction.h"

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gtest/gtest.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/handbook/yaml.h"
#include "libs/log/embedded_log.h"
#include "libs/log/fold.h"
#include "libs/shard/apply.h"
#include "libs/testing/temp_dir.h"
#include "services/dispatch/reactions.h"
#include "services/dispatch/service.h"
#include "services/intake/service.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::reaction {
namespace {

using intake::v1::IntakeEvent;
using Done = shard::CommandCallback;

// The real shard behind a gate.
class GatedShard final : public shard::Shard {
 public:
  // Answers instead of the shard, or says OK to let the command through.
  using Gate = std::function<absl::Status(const shard::Command&)>;

  explicit GatedShard(std::unique_ptr<shard::Shard> shard)
      : shard_(std::move(shard)) {}

  void SetGate(Gate gate) {
    std::lock_guard lock(mutex_);
    gate_ = std::move(gate);
  }

  // As before any handbook has reached the shard.
  void HideHandbook(bool hidden) { handbook_hidden_ = hidden; }
  int handbook_lookups() const { return handbook_lookups_; }

  void Submit(shard::Command command, Done done) override {
    absl::Status status;
    {
      std::lock_guard lock(mutex_);
      if (gate_ != nullptr) status = gate_(command);
    }
    if (!status.ok()) {
      done(status);
      return;
    }
    shard_->Submit(std::move(command), std::move(done));
  }
  void SubmitHandbook(const handbook::v1::Handbook& handbook, std::string actor,
                      absl::Time deadline, Done done) override {
    shard_->SubmitHandbook(handbook, std::move(actor), deadline,
                           std::move(done));
  }
  void Read(shard::Freshness freshness, shard::ReadCallback done) override {
    shard_->Read(freshness, std::move(done));
  }
  absl::Status Readable() const override { return shard_->Readable(); }
  std::shared_ptr<const handbook::Policy> PolicyAt(absl::string_view company,
                                                   absl::Time at) override {
    ++handbook_lookups_;
    if (handbook_hidden_) return nullptr;
    return shard_->PolicyAt(company, at);
  }
  shard::ShardStatus Status() const override { return shard_->Status(); }
  void Stop() override { shard_->Stop(); }
  void Promote() override { shard_->Promote(); }
  absl::StatusOr<Verdict> Verify(const std::string& scratch) override {
    return shard_->Verify(scratch);
  }
  absl::StatusOr<int64_t> Checkpoint(const std::string& directory) override {
    return shard_->Checkpoint(directory);
  }

 private:
  std::unique_ptr<shard::Shard> shard_;
  std::mutex mutex_;
  Gate gate_;
  std::atomic<bool> handbook_hidden_{false};
  std::atomic<int> handbook_lookups_{0};
};

class ReactionTest : public ::testing::Test {
 protected:
  ReactionTest()
      : intake_(intake::MakeIntakeService()),
        dispatch_(dispatch::MakeDispatchService()) {
    log::EmbeddedLogOptions options;
    options.directory = dir_ / "log";
    log_ = log::EmbeddedLog::Open(options).value();
    options_.first_pause = absl::Milliseconds(1);
    options_.longest_pause = absl::Milliseconds(5);
    for (const shard::Service* service : {&intake_, &dispatch_}) {
      EXPECT_TRUE(log_->EnsureTopic(service->topic(), 1).ok());
    }
    source_ = StartShard(intake_);
    target_ = std::make_unique<GatedShard>(StartShard(dispatch_));
    ApplyHandbook(*source_);
    ApplyHandbook(*target_);
    OpenProgress();
  }

  ~ReactionTest() override {
    reaction_.reset();
    target_.reset();
    source_.reset();
  }

  std::unique_ptr<shard::Shard> StartShard(const shard::Service& service) {
    shard::ShardOptions options;
    options.directory = dir_ / service.name();
    options.owner = "test";
    auto shard = shard::Shard::Start(*log_, service, 0, 1, options).value();
    while (shard->Status().state != shard::ShardState::kServing) {
      std::this_thread::yield();
    }
    return shard;
  }

  static void ApplyHandbook(shard::Shard& shard) {
    std::promise<absl::Status> done;
    shard.SubmitHandbook(
        handbook::LoadHandbook(testing::DemoHandbookText()).handbook,
        "operator", absl::InfiniteFuture(),
        [&](const absl::StatusOr<shard::CommandResult>& result) {
          done.set_value(result.status());
        });
    ASSERT_TRUE(done.get_future().get().ok());
  }

  void OpenProgress() {
    progress_.reset();
    progress_ = OpenLocalProgress(dir_ / "reactions").value();
  }
  void LoseProgress() {
    progress_.reset();
    std::filesystem::remove_all(dir_ / "reactions");
    OpenProgress();
  }

  Target TargetOf() {
    Target target;
    target.service = &dispatch_;
    target.submit = [this](shard::Command command, Done done) {
      target_->Submit(std::move(command), std::move(done));
    };
    target.policy = [this](absl::string_view company, absl::Time at) {
      return target_->PolicyAt(company, at);
    };
    return target;
  }

  void React(Mapping mapping) {
    reaction_.reset();
    auto reaction = Reaction::Start(*log_, intake_, TargetOf(),
                                    std::move(mapping), *progress_, options_);
    ASSERT_TRUE(reaction.ok()) << reaction.status();
    reaction_ = *std::move(reaction);
  }

  // The service's own mapping, made to fail for some events.
  static Mapping RealMapping(
      std::function<absl::Status(const EventMeta&)> fails = nullptr) {
    Mapping mapping = dispatch::DispatchReactions().front();
    if (fails == nullptr) return mapping;
    mapping.map = [inner = mapping.map, fails = std::move(fails)](
                      const EventMeta& meta,
                      const google::protobuf::Message& event,
                      const handbook::Policy* policy)
        -> absl::StatusOr<std::vector<ReactionCommand>> {
      if (absl::Status status = fails(meta); !status.ok()) return status;
      return inner(meta, event, policy);
    };
    return mapping;
  }

  void Run(const char* method, const std::string& boundary,
           std::shared_ptr<google::protobuf::Message> request) {
    shard::Command command;
    command.method = intake_.FindMethod(method);
    command.request = std::move(request);
    command.boundary = boundary;
    command.actor = "agent-li";
    std::promise<absl::Status> done;
    source_->Submit(command,
                    [&](const absl::StatusOr<shard::CommandResult>& result) {
                      done.set_value(result.status());
                    });
    const absl::Status status = done.get_future().get();
    ASSERT_TRUE(status.ok()) << status;
  }

  static std::string Customer(int n) {
    return absl::StrCat("companies/acme/customers/c-", n);
  }

  void Register(int customer) {
    auto request = std::make_shared<intake::v1::RegisterCustomerRequest>();
    request->set_parent("companies/acme");
    request->set_customer_id(absl::StrCat("c-", customer));
    request->set_display_name("王小明");
    request->set_region("beijing");
    Run("RegisterCustomer", Customer(customer), request);
  }

  void OpenRepair(int customer, const std::string& id) {
    auto request = std::make_shared<intake::v1::OpenCaseRequest>();
    request->set_parent(Customer(customer));
    request->set_case_id(id);
    request->set_kind(intake::v1::Case::REPAIR);
    request->set_channel("hotline");
    request->set_subject("空调不制冷");
    request->set_product_line("appliance");
    Run("OpenCase", Customer(customer), request);
  }

  // Waits until everything in the source has been dealt with and saved.
  void Settle() {
    const int64_t end = log_->End({intake_.topic(), 0}).value();
    while (reaction_->Status().offset() < end) std::this_thread::yield();
  }

  // Facts in the target's log, by name.
  std::multiset<std::string> Facts() {
    std::multiset<std::string> facts;
    auto reader = log_->OpenReader({dispatch_.topic(), 0}, 0).value();
    log::Fold fold;
    while (true) {
      auto records = reader->Read(1000, absl::ZeroDuration()).value();
      if (records.empty()) return facts;
      for (auto& record : records) {
        for (const auto& member : fold.Apply(std::move(record)).group) {
          const absl::string_view type = member.record.Header("ce_type");
          facts.insert(std::string(type.substr(type.rfind('.') + 1)));
        }
      }
    }
  }

  testing::TempDir dir_;
  shard::Service intake_;
  shard::Service dispatch_;
  std::unique_ptr<log::EmbeddedLog> log_;
  ReactionOptions options_;
  std::unique_ptr<shard::Shard> source_;
  std::unique_ptr<GatedShard> target_;
  std::unique_ptr<Progress> progress_;
  std::unique_ptr<Reaction> reaction_;
};

TEST_F(ReactionTest, EveryEventHasItsEffectOnce) {
  React(RealMapping());
  for (int c = 0; c < 5; ++c) {
    Register(c);
    for (int k = 0; k < 20; ++k) OpenRepair(c, absl::StrCat("k-", c, "-", k));
  }
  Settle();
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 100u);
  EXPECT_EQ(reaction_->Status().handled(), 100);
  EXPECT_EQ(reaction_->Status().lag(), 0);
}

TEST_F(ReactionTest, LosingAllProgressHasNoSecondEffect) {
  React(RealMapping());
  Register(1);
  for (int k = 0; k < 10; ++k) OpenRepair(1, absl::StrCat("k-", k));
  Settle();
  const auto before = Facts();
  reaction_.reset();
  LoseProgress();
  React(RealMapping());
  Settle();
  EXPECT_EQ(reaction_->Status().handled(), 10);
  EXPECT_EQ(Facts(), before);
}

TEST_F(ReactionTest, ARestartGoesOnWhereItStopped) {
  React(RealMapping());
  Register(1);
  OpenRepair(1, "k-1");
  Settle();
  reaction_.reset();
  OpenProgress();
  OpenRepair(1, "k-2");
  React(RealMapping());
  Settle();
  EXPECT_EQ(reaction_->Status().handled(), 1);
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 2u);
}

TEST_F(ReactionTest, ABusinessRefusalIsRecordedOnceAndNotRepeated) {
  Mapping mapping = RealMapping();
  mapping.map = [](const EventMeta& meta, const google::protobuf::Message&,
                   const handbook::Policy*)
      -> absl::StatusOr<std::vector<ReactionCommand>> {
    // An order nobody knows.
    auto request = std::make_unique<dispatch::v1::CancelWorkOrderRequest>();
    request->set_name(absl::StrCat(
        "companies/acme/territories/north/workOrders/x-", meta.revision));
    request->set_reason("test");
    std::vector<ReactionCommand> commands;
    commands.push_back({"CancelWorkOrder", std::move(request)});
    return commands;
  };
  React(mapping);
  Register(1);
  OpenRepair(1, "k-1");
  Settle();
  EXPECT_EQ(reaction_->Status().refused(), 2);
  EXPECT_EQ(Facts().count("ReactionRefused"), 2u);
  reaction_.reset();
  LoseProgress();
  React(mapping);
  Settle();
  EXPECT_EQ(reaction_->Status().refused(), 2);
  EXPECT_EQ(Facts().count("ReactionRefused"), 2u);
  EXPECT_TRUE(reaction_->ListParked().empty());
}

TEST_F(ReactionTest, AnUnavailableTargetIsWaitedForBeyondAnyNumberOfAttempts) {
  options_.max_attempts = 2;
  std::atomic<int> failures{25};
  target_->SetGate([&](const shard::Command&) {
    return failures-- > 0 ? absl::UnavailableError("replaying")
                          : absl::OkStatus();
  });
  React(RealMapping());
  Register(1);
  OpenRepair(1, "k-1");
  Settle();
  EXPECT_LT(failures, 0);
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 1u);
  EXPECT_TRUE(reaction_->ListParked().empty());
}

// Each pause is at least half of what doubling gives, up to the longest.
TEST_F(ReactionTest, PausesGrowWhileTheTargetIsUnavailable) {
  options_.first_pause = absl::Milliseconds(10);
  options_.longest_pause = absl::Milliseconds(80);
  std::mutex mutex;
  std::vector<absl::Time> attempts;
  target_->SetGate([&](const shard::Command&) {
    std::lock_guard lock(mutex);
    attempts.push_back(absl::Now());
    return attempts.size() < 6 ? absl::UnavailableError("replaying")
                               : absl::OkStatus();
  });
  React(RealMapping());
  Register(1);
  OpenRepair(1, "k-1");
  Settle();
  std::lock_guard lock(mutex);
  ASSERT_EQ(attempts.size(), 6u);
  const int least[] = {10, 20, 40, 40, 40};
  for (size_t i = 0; i + 1 < attempts.size(); ++i) {
    EXPECT_GE(attempts[i + 1] - attempts[i], absl::Milliseconds(least[i])) << i;
  }
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 1u);
}

TEST_F(ReactionTest, AHandbookThatComesLateIsWaitedFor) {
  target_->HideHandbook(true);
  React(RealMapping());
  Register(1);
  OpenRepair(1, "k-1");
  while (target_->handbook_lookups() < 4) std::this_thread::yield();
  target_->HideHandbook(false);
  Settle();
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 1u);
  EXPECT_TRUE(reaction_->ListParked().empty());
}

// Refused for good: after max_attempts the event is parked with what stood in
// its way, what comes later is done, and a retry takes it up again.
TEST_F(ReactionTest, WhatIsRefusedForGoodIsParkedAfterTheLastAttempt) {
  options_.max_attempts = 3;
  Register(1);
  OpenRepair(1, "k-1");
  target_->HideHandbook(true);
  React(RealMapping());
  Settle();
  const auto parked = reaction_->ListParked();
  ASSERT_FALSE(parked.empty());
  for (const auto& entry : parked) {
    EXPECT_EQ(entry.attempts(), 3);
    EXPECT_EQ(entry.key(), Customer(1));
    EXPECT_TRUE(absl::StrContains(entry.problem(), "no handbook"))
        << entry.problem();
  }
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 0u);

  target_->HideHandbook(false);
  OpenRepair(1, "k-2");
  Settle();
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 1u);
  for (const auto& entry : parked) {
    const auto resolved = reaction_->Resolve(
        entry.event_id(), admin::v1::ResolveParkedRequest::RETRY,
        absl::Seconds(30));
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    EXPECT_EQ(resolved->problem(), "");
  }
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 2u);
  EXPECT_TRUE(reaction_->ListParked().empty());
}

// A key's events keep their order; other keys do not wait.
TEST_F(ReactionTest, OneKeyWaitsAndTheOthersGoOn) {
  std::atomic<bool> closed{true};
  std::mutex mutex;
  std::vector<std::string> order;
  target_->SetGate([&](const shard::Command& command) {
    const auto& request =
        static_cast<const dispatch::v1::CreateWorkOrderRequest&>(
            *command.request);
    if (closed && request.customer() == Customer(1)) {
      return absl::UnavailableError("not yet");
    }
    std::lock_guard lock(mutex);
    order.push_back(request.work_order_id());
    return absl::OkStatus();
  });
  React(RealMapping());
  Register(1);
  Register(2);
  OpenRepair(1, "k-1");
  OpenRepair(1, "k-2");
  OpenRepair(2, "k-3");
  OpenRepair(1, "k-4");
  OpenRepair(2, "k-5");
  while (reaction_->Status().handled() < 2) std::this_thread::yield();
  {
    std::lock_guard lock(mutex);
    EXPECT_EQ(order, (std::vector<std::string>{"k-3", "k-5"}));
  }
  closed = false;
  Settle();
  std::lock_guard lock(mutex);
  EXPECT_EQ(order,
            (std::vector<std::string>{"k-3", "k-5", "k-1", "k-2", "k-4"}));
}

TEST_F(ReactionTest, AnEventThatCannotBeMappedIsParkedAndHoldsUpNothing) {
  std::atomic<bool> broken{true};
  const auto fails = [&](const EventMeta& meta) {
    return broken && absl::EndsWith(meta.subject, "/k-1")
               ? absl::FailedPreconditionError("no territory serves it")
               : absl::OkStatus();
  };
  React(RealMapping(fails));
  Register(1);
  OpenRepair(1, "k-1");
  OpenRepair(1, "k-2");
  Settle();
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 1u);
  auto parked = reaction_->ListParked();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].reaction(), "dispatch<intake");
  EXPECT_EQ(parked[0].key(), Customer(1));
  EXPECT_EQ(parked[0].attempts(), 1);
  EXPECT_TRUE(absl::StrContains(parked[0].problem(), "no territory serves it"));

  // It is still there after a restart, and fails again when retried in vain.
  reaction_.reset();
  OpenProgress();
  React(RealMapping(fails));
  while (reaction_->ListParked().empty()) std::this_thread::yield();
  ASSERT_EQ(reaction_->ListParked().size(), 1u);
  const std::string event_id = parked[0].event_id();
  auto resolved = reaction_->Resolve(
      event_id, admin::v1::ResolveParkedRequest::RETRY, absl::Seconds(30));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_NE(resolved->problem(), "");
  EXPECT_EQ(resolved->attempts(), 2);
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 1u);

  // The cause is mended: a retry has the effect, once.
  broken = false;
  resolved = reaction_->Resolve(
      event_id, admin::v1::ResolveParkedRequest::RETRY, absl::Seconds(30));
  ASSERT_TRUE(resolved.ok()) << resolved.status();
  EXPECT_EQ(resolved->problem(), "");
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 2u);
  EXPECT_TRUE(reaction_->ListParked().empty());
  EXPECT_EQ(
      ReasonOf(reaction_
                   ->Resolve(event_id, admin::v1::ResolveParkedRequest::RETRY,
                             absl::Seconds(30))
                   .status()),
      "RESOURCE_NOT_FOUND");
  reaction_.reset();
  OpenProgress();
  React(RealMapping());
  EXPECT_TRUE(reaction_->ListParked().empty());
}

TEST_F(ReactionTest, ASkippedEventIsGoneForGood) {
  React(RealMapping([](const EventMeta& meta) {
    return absl::EndsWith(meta.subject, "/k-1") ? absl::InternalError("no")
                                                : absl::OkStatus();
  }));
  Register(1);
  OpenRepair(1, "k-1");
  Settle();
  ASSERT_EQ(reaction_->ListParked().size(), 1u);
  const auto skipped = reaction_->Resolve(reaction_->ListParked()[0].event_id(),
                                          admin::v1::ResolveParkedRequest::SKIP,
                                          absl::Seconds(30));
  ASSERT_TRUE(skipped.ok()) << skipped.status();
  EXPECT_EQ(reaction_->Status().parked(), 0);
  reaction_.reset();
  OpenProgress();
  React(RealMapping());
  Settle();
  EXPECT_TRUE(reaction_->ListParked().empty());
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 0u);
}

TEST_F(ReactionTest, AFailureOfTheTargetsOwnIsParked) {
  std::atomic<int> failures{1};
  target_->SetGate([&](const shard::Command&) {
    return failures-- > 0 ? absl::InternalError("a bug") : absl::OkStatus();
  });
  React(RealMapping());
  Register(1);
  OpenRepair(1, "k-1");
  OpenRepair(1, "k-2");
  Settle();
  ASSERT_EQ(reaction_->ListParked().size(), 1u);
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 1u);
  ASSERT_TRUE(reaction_
                  ->Resolve(reaction_->ListParked()[0].event_id(),
                            admin::v1::ResolveParkedRequest::RETRY,
                            absl::Seconds(30))
                  .ok());
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 2u);
}

// Deny by default: a mapping is no way around the rules of a method.
TEST_F(ReactionTest, CommandsClosedToReactionsAreParked) {
  Mapping mapping = RealMapping();
  mapping.map = [](const EventMeta&, const google::protobuf::Message&,
                   const handbook::Policy*)
      -> absl::StatusOr<std::vector<ReactionCommand>> {
    std::vector<ReactionCommand> commands;
    commands.push_back(
        {"SetLeave", std::make_unique<dispatch::v1::SetLeaveRequest>()});
    return commands;
  };
  React(mapping);
  Register(1);
  Settle();
  ASSERT_EQ(reaction_->ListParked().size(), 1u);
  EXPECT_TRUE(
      absl::StrContains(reaction_->ListParked()[0].problem(), "SetLeave"));
}

// The owner stops at what it cannot read; a reader from outside goes on.
TEST_F(ReactionTest, UnknownFactsAreSkippedAndCorruptOnesParked) {
  Register(1);
  OpenRepair(1, "k-1");
  // A copy of the good event to be written again under another id.
  log::Record good;
  {
    auto reader = log_->OpenReader({intake_.topic(), 0}, 0).value();
    const auto records = reader->Read(1000, absl::ZeroDuration()).value();
    for (const auto& stored : records) {
      if (absl::EndsWith(stored.record.Header("ce_type"), "CaseOpened")) {
        good = stored.record;
      }
    }
  }
  ASSERT_EQ(good.key, Customer(1));
  std::erase_if(good.headers, [](const auto& header) {
    return header.first == "claim" || header.first == "seq" ||
           header.first == "more";
  });
  const auto with_id = [&](const std::string& id) {
    log::Record record = good;
    for (auto& [name, value] : record.headers) {
      if (name == "ce_id") value = id;
    }
    return record;
  };
  source_.reset();

  auto appender = log_->OpenAppender({intake_.topic(), 0}).value();
  const auto append = [&](log::Record record) {
    std::promise<int64_t> done;
    appender->Append(std::move(record), [&](absl::StatusOr<int64_t> offset) {
      done.set_value(offset.value());
    });
    return done.get_future().get();
  };
  const int64_t claim = append(log::MakeClaim({"other", "n", ""}));
  log::Record unknown = with_id("intake/0/9/0");
  // Field 1999, a message: a fact of a later version.
  unknown.value = std::string("\xfa\x7c\x02\x0a\x00", 5);
  log::StampEvent(unknown, claim, 0, false);
  append(unknown);
  log::Record corrupt = with_id("intake/0/9/1");
  corrupt.value = "\xff\xff\xff\xff";
  log::StampEvent(corrupt, claim, 1, false);
  append(corrupt);
  log::Record last = with_id("intake/0/9/2");
  IntakeEvent event;
  ASSERT_TRUE(event.ParseFromString(last.value));
  event.mutable_case_opened()->mutable_case_()->set_name(
      absl::StrCat(Customer(1), "/cases/k-9"));
  last.value = event.SerializeAsString();
  log::StampEvent(last, claim, 2, false);
  append(last);
  // Of no writer in force.
  log::Record zombie = with_id("intake/0/9/3");
  log::StampEvent(zombie, claim + 100, 3, false);
  append(zombie);
  appender.reset();

  React(RealMapping());
  Settle();
  EXPECT_EQ(reaction_->Status().skipped_unknown(), 1);
  const auto parked = reaction_->ListParked();
  ASSERT_EQ(parked.size(), 1u);
  EXPECT_EQ(parked[0].event_id(), "intake/0/9/1");
  EXPECT_EQ(Facts().count("WorkOrderCreated"), 2u);
}

TEST_F(ReactionTest, AMappingThatDoesNotFitIsRefusedAtStart) {
  Mapping mapping = RealMapping();
  mapping.source = "returns";
  EXPECT_FALSE(
      Reaction::Start(*log_, intake_, TargetOf(), mapping, *progress_).ok());
  mapping = RealMapping();
  mapping.event_prototype = &intake::v1::Case::default_instance();
  EXPECT_FALSE(
      Reaction::Start(*log_, intake_, TargetOf(), mapping, *progress_).ok());
}

}  // namespace
}  // namespace aftercare::reaction
