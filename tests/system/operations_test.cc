// What operators and callers rely on beside the commands themselves: health,
// reflection, metrics, who may do what and who did it, stopping, and commands
// that race or are sent twice.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/common/v1/annotations.pb.h"
#include "aftercare/common/v1/types.pb.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "google/protobuf/text_format.h"
#include "google/rpc/error_details.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "gtest/gtest.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/handbook/yaml.h"
#include "libs/testing/temp_dir.h"
#include "tests/libs/handbook/demo_handbook.h"
#include "tests/libs/rpc/http_get.h"
#include "tests/libs/rpc/reflection_client.h"
#include "tests/system/daemon.h"

namespace aftercare::testing {
namespace {

using google::protobuf::Message;
using grpc::health::v1::HealthCheckResponse;

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";
constexpr char kDispatch[] = "aftercare.dispatch.v1.DispatchService";
constexpr char kReturns[] = "aftercare.returns.v1.ReturnsService";
constexpr char kAdmin[] = "aftercare.admin.v1.AdminService";
constexpr char kNorth[] = "companies/acme/territories/north";

std::vector<const google::protobuf::ServiceDescriptor*> AllServices() {
  std::vector<const google::protobuf::ServiceDescriptor*> services;
  for (const auto* file :
       {intake::v1::OpenCaseRequest::descriptor()->file(),
        dispatch::v1::GetWorkOrderRequest::descriptor()->file(),
        returns::v1::GetReturnRequest::descriptor()->file(),
        scoring::v1::GetScoreRequest::descriptor()->file(),
        handbook::v1::ApplyHandbookRequest::descriptor()->file(),
        admin::v1::GetStatusRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      services.push_back(file->service(s));
    }
  }
  return services;
}

// Text-format protobuf of a Timestamp.
std::string Stamp(absl::Time time) {
  return absl::StrCat("{seconds: ", absl::ToUnixSeconds(time), "} ");
}

class OperationsTest : public ::testing::Test {
 protected:
  OperationsTest() : daemon_(dir_ / "data") {}

  void Start(const std::vector<std::string>& flags = {}) {
    ASSERT_EQ(daemon_.Start(flags), absl::OkStatus());
    ASSERT_EQ(daemon_.AwaitServing(), absl::OkStatus());
  }
  void StartWithHandbook(const std::vector<std::string>& flags = {}) {
    ASSERT_NO_FATAL_FAILURE(Start(flags));
    ASSERT_EQ(daemon_.ApplyDemoHandbook(), absl::OkStatus());
  }

  // A call with its request in text format.
  template <typename Response>
  absl::StatusOr<Response> Try(const char* service, const char* method,
                               const std::string& text,
                               const std::string& actor) {
    const auto* descriptor = google::protobuf::DescriptorPool::generated_pool()
                                 ->FindServiceByName(service)
                                 ->FindMethodByName(method);
    std::unique_ptr<Message> request(
        google::protobuf::MessageFactory::generated_factory()
            ->GetPrototype(descriptor->input_type())
            ->New());
    EXPECT_TRUE(
        google::protobuf::TextFormat::ParseFromString(text, request.get()))
        << text;
    return daemon_.Call<Response>(service, method, *request, actor);
  }
  template <typename Response>
  Response Do(const char* service, const char* method, const std::string& text,
              const std::string& actor) {
    auto answer = Try<Response>(service, method, text, actor);
    EXPECT_TRUE(answer.ok())
        << method << " " << text << ": " << answer.status();
    return answer.ok() ? *answer : Response();
  }
  void Register(const std::string& id) {
    Do<intake::v1::Customer>(
        kIntake, "RegisterCustomer",
        absl::StrCat("parent: 'companies/acme' customer_id: '", id,
                     "' display_name: '王小明 🙂' region: 'beijing'"),
        "agent-li");
  }
  void RegisterTechnician(const std::string& person) {
    Do<dispatch::v1::Technician>(
        kDispatch, "RegisterTechnician",
        absl::StrCat("parent: '", kNorth, "' technician_id: '", person,
                     "' person: '", person,
                     "' skills: ['appliance', 'electronics']"),
        "dispatcher-zhou");
  }

  absl::StatusOr<HealthCheckResponse::ServingStatus> Health() {
    auto answer = daemon_.Call<HealthCheckResponse>(
        "grpc.health.v1.Health", "Check",
        grpc::health::v1::HealthCheckRequest(), "");
    if (!answer.ok()) return answer.status();
    return answer->status();
  }

  // Every event of a service, claims left out.
  std::vector<admin::v1::LogEntry> Events(const std::string& service,
                                          int partitions = 2) {
    std::vector<admin::v1::LogEntry> events;
    for (int p = 0; p < partitions; ++p) {
      int64_t offset = 0;
      while (true) {
        const auto page = Do<admin::v1::ReadEventsResponse>(
            kAdmin, "ReadEvents",
            absl::StrCat("service: '", service, "' partition: ", p,
                         " offset: ", offset, " max_events: 1000"),
            "operator");
        for (const auto& entry : page.entries()) {
          if (entry.kind() == admin::v1::LogEntry::EVENT) {
            events.push_back(entry);
          }
        }
        if (page.next_offset() <= offset) break;
        offset = page.next_offset();
      }
    }
    return events;
  }
  static std::string Header(const admin::v1::LogEntry& entry,
                            const char* name) {
    const auto it = entry.headers().find(name);
    return it == entry.headers().end() ? "" : it->second;
  }
  static std::string TypeOf(const admin::v1::LogEntry& entry) {
    const std::string type = Header(entry, "ce_type");
    return type.substr(type.rfind('.') + 1);
  }

  std::map<std::string, std::string> Marks() {
    std::map<std::string, std::string> marks;
    const auto status = daemon_.Status();
    EXPECT_TRUE(status.ok()) << status.status();
    if (!status.ok()) return marks;
    for (const auto& shard : status->shards()) {
      marks[absl::StrCat(shard.service(), "/", shard.partition())] =
          absl::StrCat(shard.offset(), " ", shard.digest());
    }
    return marks;
  }

  // All of `work` at once; returns when all are done.
  static void AtOnce(const std::vector<std::function<void()>>& work) {
    std::atomic<size_t> ready{0};
    std::vector<std::thread> threads;
    for (const auto& each : work) {
      threads.emplace_back([&] {
        ++ready;
        while (ready < work.size()) std::this_thread::yield();
        each();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  // What a client gets that gives an order's steps with these times.
  std::string Step(const std::string& order, absl::Time at,
                   absl::string_view more = "") {
    return absl::StrCat("name: '", order, "' occur_time ", Stamp(at), more);
  }

  TempDir dir_;
  Daemon daemon_;
};

// ---- health, reflection, metrics --------------------------------------------

// While any shard still reads its log, health says so and calls are asked to
// come back; then both change for good.
TEST_F(OperationsTest, HealthSaysNotServingUntilTheLogIsReplayed) {
  constexpr int kCustomers = 40000;
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook({"--partitions", "1"}));
  std::mutex mutex;
  std::condition_variable changed;
  int open = 0;
  int failed = 0;
  for (int i = 0; i < kCustomers; ++i) {
    intake::v1::RegisterCustomerRequest request;
    request.set_parent("companies/acme");
    request.set_customer_id(absl::StrCat("c-", i));
    request.set_display_name("王小明");
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return open < 512; });
    ++open;
    lock.unlock();
    daemon_.client()->InvokeAsync(
        absl::StrCat("/", kIntake, "/RegisterCustomer"),
        request.SerializeAsString(),
        {.actor = "agent-li", .deadline = absl::Seconds(60)},
        [&](const absl::StatusOr<std::string>& answer) {
          std::lock_guard done(mutex);
          --open;
          failed += answer.ok() ? 0 : 1;
          changed.notify_all();
        });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return open == 0; });
    ASSERT_EQ(failed, 0);
  }
  daemon_.Kill();
  std::filesystem::remove_all(daemon_.data() + "/shards");

  ASSERT_EQ(daemon_.Start({"--partitions", "1"}), absl::OkStatus());
  int not_serving = 0;
  int not_ready = 0;
  bool serving = false;
  while (!serving) {
    const auto found = Try<intake::v1::Customer>(
        kIntake, "GetCustomer", "name: 'companies/acme/customers/c-7'",
        "agent-li");
    if (!found.ok()) {
      ASSERT_TRUE(absl::IsUnavailable(found.status())) << found.status();
      ASSERT_EQ(ReasonOf(found.status()), "NOT_READY");
      EXPECT_TRUE(found.status().GetPayload(kRetryInfoUrl).has_value());
      ++not_ready;
    }
    const auto health = Health();
    ASSERT_TRUE(health.ok()) << health.status();
    serving = *health == HealthCheckResponse::SERVING;
    if (!serving) ++not_serving;
  }
  // Asked after health: whatever had not been replayed then would show now.
  const auto status = daemon_.Status();
  ASSERT_TRUE(status.ok()) << status.status();
  for (const auto& shard : status->shards()) {
    EXPECT_EQ(shard.state(), admin::v1::Shard::SERVING) << shard.service();
  }
  EXPECT_GT(not_serving, 0);
  EXPECT_GT(not_ready, 0);
  Do<intake::v1::Customer>(kIntake, "GetCustomer",
                           "name: 'companies/acme/customers/c-39999'",
                           "agent-li");
}

TEST_F(OperationsTest, ReflectionListsEveryService) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string listed =
      Reflect(daemon_.port(), "list_services: '*'")->ShortDebugString();
  ASSERT_EQ(AllServices().size(), 6u);
  for (const auto* service : AllServices()) {
    EXPECT_TRUE(absl::StrContains(
        listed, absl::StrCat("\"", service->full_name(), "\"")))
        << service->full_name() << " is not in " << listed;
  }
  EXPECT_TRUE(absl::StrContains(listed, "\"grpc.health.v1.Health\""));
}

TEST_F(OperationsTest, MetricsShowEveryShardAndEveryCall) {
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook({"--metrics", "127.0.0.1:0"}));
  Register("c-1");
  Register("c-2");
  const std::string page = Fetch(daemon_.metrics_port(), "/metrics");
  const auto shows = [&](const std::string& line) {
    EXPECT_TRUE(absl::StrContains(page, line)) << line << "\n" << page;
  };
  for (const char* service : {"intake", "dispatch", "returns", "scoring"}) {
    for (int p = 0; p < 2; ++p) {
      shows(absl::StrCat("aftercare_shard_serving{service=\"", service,
                         "\",partition=\"", p, "\"} 1\n"));
    }
  }
  shows(
      "aftercare_calls_total{code=\"OK\",method=\"aftercare.intake.v1."
      "IntakeService.RegisterCustomer\"} 2\n");
}

// ---- who may, and who did ---------------------------------------------------

// Deny by default, for every method and everybody in the handbook: only the
// roles that the method names get as far as its own checks.
TEST_F(OperationsTest, ARoleThatAMethodDoesNotNameMayNotUseIt) {
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook());
  ASSERT_EQ(daemon_.AwaitReactions(), absl::OkStatus());
  std::map<std::string, std::set<std::string>> people = {
      {"operator", {"operator"}}, {"stranger", {}}};
  const auto loaded = handbook::LoadHandbook(DemoHandbookText());
  for (const auto& person : loaded.handbook.people()) {
    people[person.id()] = {person.roles().begin(), person.roles().end()};
    people[person.id()].insert("any");
  }
  const auto before = Marks();
  int allowed = 0;
  int denied = 0;
  for (const auto* service : AllServices()) {
    for (int m = 0; m < service->method_count(); ++m) {
      const auto* method = service->method(m);
      const auto& rules = method->options().GetExtension(common::v1::rules);
      std::unique_ptr<Message> request(
          google::protobuf::MessageFactory::generated_factory()
              ->GetPrototype(method->input_type())
              ->New());
      // A name good enough for its company to be known, of nothing there is.
      const auto* name_field = method->input_type()->FindFieldByName(
          rules.name_field().empty() ? "name" : rules.name_field());
      if (name_field != nullptr) {
        request->GetReflection()->SetString(
            request.get(), name_field,
            service->name() == "HandbookService"
                ? "companies/acme"
                : "companies/acme/nothings/none");
      }
      for (const auto& [person, roles] : people) {
        // What names no company shows those of all: roles in one are not
        // enough for it.
        const bool may =
            std::any_of(rules.roles().begin(), rules.roles().end(),
                        [&](const std::string& role) {
                          return roles.contains(role) &&
                                 (name_field != nullptr || role == "operator");
                        });
        const absl::Status status =
            daemon_
                .CallRaw(service->full_name(), method->name(),
                         request->SerializeAsString(), person)
                .status();
        EXPECT_EQ(ReasonOf(status) != "ACTION_NOT_PERMITTED", may)
            << person << " " << method->full_name() << ": " << status;
        if (!may) {
          EXPECT_TRUE(absl::IsPermissionDenied(status)) << status;
        }
        ++(may ? allowed : denied);
      }
    }
  }
  EXPECT_GT(allowed, 300);
  EXPECT_GT(denied, 300);
  EXPECT_EQ(Marks(), before);
}

TEST_F(OperationsTest, WithoutTheFlagNobodyIsBelieved) {
  ASSERT_EQ(daemon_.Start({"--insecure-dev-identity=false"}), absl::OkStatus());
  while (Health().value() != HealthCheckResponse::SERVING) {
    std::this_thread::yield();
  }
  EXPECT_EQ(ReasonOf(daemon_.ApplyDemoHandbook()), "CREDENTIALS_MISSING");
  for (const char* actor : {"operator", "agent-li", "system", ""}) {
    const absl::Status status =
        Try<intake::v1::Customer>(kIntake, "RegisterCustomer",
                                  "parent: 'companies/acme' customer_id: 'c-1' "
                                  "display_name: 'x'",
                                  actor)
            .status();
    EXPECT_TRUE(absl::IsUnauthenticated(status)) << actor << ": " << status;
    EXPECT_EQ(ReasonOf(status), "CREDENTIALS_MISSING");
  }
  ASSERT_EQ(daemon_.Stop(), 0);
  ASSERT_NO_FATAL_FAILURE(Start());
  for (const char* service : {"intake", "dispatch", "returns", "scoring"}) {
    EXPECT_TRUE(Events(service).empty()) << service;
  }
}

// Whoever asked for it stands on every event; what follows from other events
// is Aftercare's own doing.
TEST_F(OperationsTest, EveryEventNamesWhoActed) {
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook());
  Register("c-1");
  RegisterTechnician("tech-01");
  const std::string name = "companies/acme/customers/c-1/cases/k-1";
  Do<intake::v1::Case>(
      kIntake, "OpenCase",
      "parent: 'companies/acme/customers/c-1' case_id: 'k-1' kind: REPAIR "
      "channel: 'hotline' subject: '空调不制冷' product_line: 'appliance'",
      "agent-wang");
  Do<intake::v1::Case>(kIntake, "ReplyToCase",
                       absl::StrCat("name: '", name, "' text: '您好'"),
                       "agent-li");
  ASSERT_EQ(daemon_.AwaitReactions(), absl::OkStatus());
  const std::string order =
      absl::StrCat("name: '", kNorth, "/workOrders/k-1' ");
  for (const char* step : {"AcceptWorkOrder", "StartTravel", "ArriveAtSite"}) {
    Do<dispatch::v1::WorkOrder>(kDispatch, step, order, "tech-01");
  }
  Do<dispatch::v1::WorkOrder>(kDispatch, "CompleteWorkOrder",
                              order + "report: '已修好'", "tech-01");
  ASSERT_EQ(daemon_.AwaitReactions(), absl::OkStatus());

  std::map<std::string, std::set<std::string>> actors;
  for (const char* service : {"intake", "dispatch", "returns", "scoring"}) {
    for (const auto& entry : Events(service)) {
      EXPECT_NE(Header(entry, "ce_actor"), "") << entry.ShortDebugString();
      actors[TypeOf(entry)].insert(Header(entry, "ce_actor"));
    }
  }
  using Who = std::set<std::string>;
  EXPECT_EQ(actors["HandbookApplied"], Who{"operator"});
  EXPECT_EQ(actors["CustomerRegistered"], Who{"agent-li"});
  EXPECT_EQ(actors["TechnicianRegistered"], Who{"dispatcher-zhou"});
  EXPECT_EQ(actors["CaseOpened"], Who{"agent-wang"});
  EXPECT_EQ(actors["CaseReplied"], Who{"agent-li"});
  EXPECT_EQ(actors["WorkOrderCreated"], Who{"system"});
  EXPECT_EQ(actors["WorkOrderAssigned"], Who{"system"});
  EXPECT_EQ(actors["VisitArrived"], Who{"tech-01"});
  EXPECT_EQ(actors["WorkOrderCompleted"], Who{"tech-01"});
  EXPECT_EQ(actors["RepairProgressRecorded"], Who{"system"});
  EXPECT_EQ(actors["CaseResolved"], Who{"system"});
  EXPECT_EQ(actors["FactRecorded"], Who{"system"});
}

// ---- stopping ---------------------------------------------------------------

// SIGTERM in the middle of calls: what was answered is there for good, what was
// turned away never happened, and nobody is left without an answer.
TEST_F(OperationsTest, StoppingAnswersWhatIsUnderWayAndTurnsAwayTheRest) {
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook());
  std::mutex mutex;
  std::set<std::string> accepted;
  std::set<std::string> turned_away;
  std::vector<std::thread> callers;
  for (int t = 0; t < 16; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0;; ++i) {
        const std::string id = absl::StrCat("c-", t, "-", i);
        intake::v1::RegisterCustomerRequest request;
        request.set_parent("companies/acme");
        request.set_customer_id(id);
        request.set_display_name("王小明");
        const absl::Status status =
            daemon_
                .Call<intake::v1::Customer>(kIntake, "RegisterCustomer",
                                            request, "agent-li")
                .status();
        std::lock_guard lock(mutex);
        if (status.ok()) {
          accepted.insert(id);
          continue;
        }
        EXPECT_TRUE(absl::IsUnavailable(status)) << status;
        if (ReasonOf(status) == "SHUTTING_DOWN") turned_away.insert(id);
        // No reason: nobody listens any more.
        if (ReasonOf(status).empty()) return;
      }
    });
  }
  while (true) {
    std::lock_guard lock(mutex);
    if (accepted.size() > 500) break;
  }
  EXPECT_EQ(daemon_.Stop(), 0);
  for (std::thread& caller : callers) caller.join();

  ASSERT_NO_FATAL_FAILURE(Start());
  std::set<std::string> there;
  for (const auto& entry : Events("intake")) {
    if (TypeOf(entry) != "CustomerRegistered") continue;
    EXPECT_TRUE(there.emplace(IdOf(entry.key())).second) << entry.key();
  }
  for (const std::string& id : accepted) EXPECT_TRUE(there.contains(id)) << id;
  for (const std::string& id : turned_away) {
    EXPECT_FALSE(there.contains(id)) << id;
  }
}

// ---- commands that race or are sent twice -----------------------------------

// CASE-19: two overlapping visits of one technician asked for at once: one is
// booked, the other learns which.
TEST_F(OperationsTest, OfTwoOverlappingBookingsAtOnceOneWins) {
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook());
  RegisterTechnician("tech-01");
  const absl::TimeZone zone = absl::FixedTimeZone(8 * 3600);
  const absl::CivilDay tomorrow = absl::ToCivilDay(absl::Now(), zone) + 1;
  for (int round = 0; round < 30; ++round) {
    const absl::Time nine =
        absl::FromCivil(absl::CivilHour(tomorrow + round) + 9, zone);
    std::string orders[2];
    absl::Status answers[2];
    for (int i = 0; i < 2; ++i) {
      orders[i] = Do<dispatch::v1::WorkOrder>(
                      kDispatch, "CreateWorkOrder",
                      absl::StrCat("parent: '", kNorth, "' work_order_id: 'w-",
                                   round, "-", i, "'"),
                      "dispatcher-zhou")
                      .name();
    }
    const auto assign = [&](int i) {
      answers[i] = Try<dispatch::v1::WorkOrder>(
                       kDispatch, "AssignWorkOrder",
                       absl::StrCat("name: '", orders[i], "' technician: '",
                                    kNorth, "/technicians/tech-01' start_time ",
                                    Stamp(nine + i * absl::Minutes(30))),
                       "dispatcher-zhou")
                       .status();
    };
    AtOnce({[&] { assign(0); }, [&] { assign(1); }});
    ASSERT_NE(answers[0].ok(), answers[1].ok())
        << answers[0] << " " << answers[1];
    const int winner = answers[0].ok() ? 0 : 1;
    EXPECT_EQ(ReasonOf(answers[1 - winner]), "TECHNICIAN_BUSY");
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(info.ParseFromString(
        std::string(answers[1 - winner].GetPayload(kErrorInfoUrl).value())));
    EXPECT_EQ(info.metadata().at("work_order"), orders[winner]);
  }
}

// CASE-21: a completion written down offline is sent twice: one event, with
// the time at which it happened. One about an order that was cancelled
// meanwhile is a conflict that names the state.
TEST_F(OperationsTest, ACompletionSentTwiceIsOneEventOfItsOwnTime) {
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook());
  RegisterTechnician("tech-01");
  const absl::TimeZone zone = absl::FixedTimeZone(8 * 3600);
  const absl::Time nine = absl::FromCivil(
      absl::CivilHour(absl::ToCivilDay(absl::Now(), zone) - 1) + 9, zone);
  const auto reach_site = [&](const std::string& id, absl::Duration later) {
    const std::string order = absl::StrCat(kNorth, "/workOrders/", id);
    Do<dispatch::v1::WorkOrder>(
        kDispatch, "CreateWorkOrder",
        absl::StrCat("parent: '", kNorth, "' work_order_id: '", id,
                     "' occur_time ", Stamp(nine)),
        "dispatcher-zhou");
    Do<dispatch::v1::WorkOrder>(
        kDispatch, "AssignWorkOrder",
        Step(order, nine,
             absl::StrCat("technician: '", kNorth,
                          "/technicians/tech-01' start_time ",
                          Stamp(nine + later))),
        "dispatcher-zhou");
    for (const char* step :
         {"AcceptWorkOrder", "StartTravel", "ArriveAtSite"}) {
      Do<dispatch::v1::WorkOrder>(kDispatch, step, Step(order, nine + later),
                                  "tech-01");
    }
    return order;
  };
  const absl::Time done = nine + absl::Minutes(50);
  const std::string order = reach_site("w-1", absl::ZeroDuration());
  const std::string report =
      Step(order, done, "report: '已修好' request_id: 'phone-7-1'");
  const auto complete = [&] {
    const auto made = Do<dispatch::v1::WorkOrder>(
        kDispatch, "CompleteWorkOrder", report, "tech-01");
    EXPECT_EQ(made.state(), dispatch::v1::WorkOrder::COMPLETED);
    EXPECT_EQ(FromProto(made.complete_time()), done);
  };
  AtOnce({complete, complete, complete, complete});
  complete();
  int completions = 0;
  for (const auto& entry : Events("dispatch")) {
    if (TypeOf(entry) != "WorkOrderCompleted") continue;
    ++completions;
    EXPECT_EQ(Header(entry, "ce_time"), FormatRfc3339(done));
  }
  EXPECT_EQ(completions, 1);

  const std::string other = reach_site("w-2", absl::Hours(2));
  Do<dispatch::v1::WorkOrder>(
      kDispatch, "CancelWorkOrder",
      absl::StrCat("name: '", other, "' reason: '客户取消'"),
      "dispatcher-zhou");
  const absl::Status conflict =
      Try<dispatch::v1::WorkOrder>(kDispatch, "CompleteWorkOrder",
                                   Step(other, nine + absl::Hours(3),
                                        "report: 'x' request_id: 'phone-7-2'"),
                                   "tech-01")
          .status();
  EXPECT_EQ(ReasonOf(conflict), "WORK_ORDER_STATE");
  google::rpc::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(
      std::string(conflict.GetPayload(kErrorInfoUrl).value())));
  EXPECT_EQ(info.metadata().at("state"), "CANCELLED");
}

class RefundOperationsTest : public OperationsTest {
 protected:
  // A return of one unit at 100.00, accepted. Its name.
  std::string Accepted(const std::string& customer) {
    const std::string parent =
        absl::StrCat("companies/acme/customers/", customer);
    const std::string sale_line = parent + "/saleLines/s-1";
    const std::string name = parent + "/returns/r-1";
    const absl::Time yesterday = absl::Now() - absl::Hours(24);
    const std::string unit =
        absl::StrCat("lines { sale_line: '", sale_line, "' ");
    Do<returns::v1::SaleLine>(
        kReturns, "RecordSaleLine",
        absl::StrCat("parent: '", parent,
                     "' sale_line_id: 's-1' product: '水壶' quantity_ordered: "
                     "1 quantity_delivered: 1 unit_price_paid {currency_code: "
                     "'CNY' minor_units: 10000} order_time ",
                     Stamp(yesterday), "delivery_time ", Stamp(yesterday)),
        "clerk-shen");
    Do<returns::v1::Return>(
        kReturns, "RequestReturn",
        absl::StrCat("parent: '", parent,
                     "' return_id: 'r-1' kind: RETURN reason: 'quality' ", unit,
                     "quantity: 1 }"),
        "clerk-shen");
    const std::string named = absl::StrCat("name: '", name, "' ");
    Do<returns::v1::Return>(kReturns, "ApproveReturn", named, "clerk-shen");
    Do<returns::v1::Return>(kReturns, "ReceiveGoods",
                            absl::StrCat(named, unit, "quantity: 1 }"),
                            "clerk-shen");
    Do<returns::v1::Return>(
        kReturns, "InspectReturn",
        absl::StrCat(named, unit, "accepted: 1 fault: NO_FAULT }"),
        "inspector-yang");
    return name;
  }
  static std::string Granting(const std::string& name, int64_t amount,
                              const std::string& request_id) {
    return absl::StrCat("name: '", name, "' lines { sale_line: '",
                        BoundaryOf(name),
                        "/saleLines/s-1' amount {currency_code: 'CNY' "
                        "minor_units: ",
                        amount, "} } request_id: '", request_id, "'");
  }
  absl::StatusOr<returns::v1::Return> Refund(const std::string& text) {
    return Try<returns::v1::Return>(kReturns, "RefundReturn", text,
                                    "finance-zhu");
  }
  returns::v1::Return Get(const std::string& name) {
    return Do<returns::v1::Return>(kReturns, "GetReturn",
                                   absl::StrCat("name: '", name, "'"),
                                   "clerk-shen");
  }
};

// CASE-27: 100 was paid; grants of 60 and 60 at once: one is refused.
TEST_F(RefundOperationsTest, GrantsAtOnceTogetherKeepBelowTheCeiling) {
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook());
  for (int round = 0; round < 15; ++round) {
    const std::string name = Accepted(absl::StrCat("c-", round));
    absl::Status answers[2];
    const auto grant = [&](int i) {
      answers[i] = Refund(Granting(name, 6000, absl::StrCat("g-", i))).status();
    };
    AtOnce({[&] { grant(0); }, [&] { grant(1); }});
    ASSERT_NE(answers[0].ok(), answers[1].ok())
        << answers[0] << " " << answers[1];
    EXPECT_EQ(ReasonOf(answers[answers[0].ok() ? 1 : 0]),
              "REFUND_ABOVE_CEILING");
    EXPECT_EQ(Get(name).amount_granted().minor_units(), 6000);
  }
}

// CASE-28: a refund that is repeated after a timeout is one refund and one
// payout, whether the answer or the request was lost; two deliberate equal
// ones are two; the provider's echo adds none.
TEST_F(RefundOperationsTest, ARepeatedRefundIsOneAndTwoDeliberateOnesAreTwo) {
  ASSERT_NO_FATAL_FAILURE(StartWithHandbook());
  const std::string name = Accepted("c-1");
  const std::string first = Granting(name, 3000, "g-1");
  const auto repeat = [&] {
    const auto made = Refund(first);
    EXPECT_TRUE(made.ok()) << made.status();
  };
  AtOnce({repeat, repeat, repeat, repeat});
  // A restart in between: what was promised is remembered.
  daemon_.Kill();
  ASSERT_NO_FATAL_FAILURE(Start());
  repeat();
  EXPECT_EQ(Get(name).refunds_size(), 1);
  EXPECT_EQ(Get(name).amount_granted().minor_units(), 3000);
  EXPECT_EQ(ReasonOf(Refund(Granting(name, 3001, "g-1")).status()),
            "REQUEST_ID_REUSED");

  ASSERT_TRUE(Refund(Granting(name, 3000, "g-2")).ok());
  EXPECT_EQ(Get(name).refunds_size(), 2);
  EXPECT_EQ(Get(name).amount_granted().minor_units(), 6000);

  const auto confirm = [&](const std::string& request_id) {
    return Try<returns::v1::Return>(
               kReturns, "ConfirmRefundPaid",
               absl::StrCat("name: '", name,
                            "' refund_number: 1 payment_reference: 'ALI-1' "
                            "request_id: '",
                            request_id, "'"),
               "finance-zhu")
        .status();
  };
  EXPECT_EQ(confirm("p-1"), absl::OkStatus());
  EXPECT_EQ(confirm("p-1"), absl::OkStatus());
  // The provider's echo comes under an id of its own.
  EXPECT_EQ(ReasonOf(confirm("echo-1")), "PAYMENT_REFERENCE_USED");
  EXPECT_EQ(Get(name).amount_paid().minor_units(), 3000);
}

}  // namespace
}  // namespace aftercare::testing
