// A real shard of the intake service on a real embedded log in a temporary
// directory.

#ifndef AFTERCARE_TESTS_LIBS_SHARD_SHARD_FIXTURE_H_
#define AFTERCARE_TESTS_LIBS_SHARD_SHARD_FIXTURE_H_

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "libs/base/names.h"
#include "libs/handbook/yaml.h"
#include "libs/log/embedded_log.h"
#include "libs/shard/request.h"
#include "libs/shard/shard.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/temp_dir.h"
#include "services/intake/service.h"
#include "tests/libs/handbook/demo_handbook.h"

namespace aftercare::testing {

class ShardFixture : public ::testing::Test {
 protected:
  using Result = absl::StatusOr<shard::CommandResult>;

  ShardFixture() : service_(intake::MakeIntakeService()) {
    options_.directory = dir_ / "shard";
    options_.owner = "test";
    options_.timer_interval = absl::Milliseconds(5);
    OpenLog();
  }

  void OpenLog() {
    log::EmbeddedLogOptions options;
    options.directory = dir_ / "log";
    auto log = log::EmbeddedLog::Open(options);
    ASSERT_TRUE(log.ok()) << log.status();
    log_ = *std::move(log);
    ASSERT_TRUE(log_->EnsureTopic(service_.topic(), 1).ok());
  }

  // Of a shard that reads along, in a directory of its own.
  shard::ShardOptions StandbyOptions() const {
    shard::ShardOptions options = options_;
    options.directory = dir_ / "standby";
    options.follow = true;
    return options;
  }

  std::unique_ptr<shard::Shard> StartShard(shard::ShardOptions options) {
    auto shard =
        shard::Shard::Start(*log_, service_, 0, 1, std::move(options), clock_);
    EXPECT_TRUE(shard.ok()) << shard.status();
    return *std::move(shard);
  }

  void Start() {
    shard_ = StartShard(options_);
    AwaitState(shard::ShardState::kServing);
  }

  // Waits until the shard is in a state; the test's own limit ends it.
  void AwaitState(shard::ShardState state) {
    while (shard_->Status().state != state) std::this_thread::yield();
  }

  void ApplyHandbook() {
    const auto loaded = handbook::LoadHandbook(DemoHandbookText());
    std::promise<Result> done;
    shard_->SubmitHandbook(loaded.handbook, "operator", absl::InfiniteFuture(),
                           [&](Result r) { done.set_value(std::move(r)); });
    const Result result = done.get_future().get();
    ASSERT_TRUE(result.ok()) << result.status();
  }

  shard::Command Make(const std::string& method, const std::string& text,
                      const std::string& request_id = "") {
    const auto* entry = service_.FindMethod(method);
    EXPECT_NE(entry, nullptr) << method;
    const auto* prototype =
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(
            entry->descriptor->input_type());
    std::shared_ptr<google::protobuf::Message> request(prototype->New());
    EXPECT_TRUE(
        google::protobuf::TextFormat::ParseFromString(text, request.get()))
        << text;
    shard::Command command;
    command.method = entry;
    command.request = request;
    command.actor = "agent-li";
    command.request_id = request_id;
    command.fingerprint = shard::Fingerprint(*request, command.actor);
    const auto* reflection = request->GetReflection();
    const auto text_of = [&](const char* field) {
      const auto* f = request->GetDescriptor()->FindFieldByName(field);
      return f == nullptr ? std::string() : reflection->GetString(*request, f);
    };
    std::string name = text_of("name");
    if (name.empty()) {
      name = text_of("parent");
      if (!text_of("customer_id").empty()) {
        name += "/customers/" + text_of("customer_id");
      }
    }
    command.boundary = std::string(BoundaryOf(name));
    if (const auto* f = request->GetDescriptor()->FindFieldByName("occur_time");
        f != nullptr && reflection->HasField(*request, f)) {
      command.occur_time =
          FromProto(static_cast<const google::protobuf::Timestamp&>(
              reflection->GetMessage(*request, f)));
    }
    return command;
  }

  Result Run(shard::Command command) {
    std::promise<Result> done;
    shard_->Submit(std::move(command),
                   [&](Result r) { done.set_value(std::move(r)); });
    return done.get_future().get();
  }
  Result Run(const std::string& method, const std::string& text,
             const std::string& request_id = "") {
    return Run(Make(method, text, request_id));
  }

  void Register(const std::string& customer) {
    const Result result =
        Run("RegisterCustomer",
            "parent: 'companies/acme' customer_id: '" + customer +
                "' display_name: '王小明 🙂' region: 'beijing'");
    ASSERT_TRUE(result.ok()) << result.status();
  }

  std::string OpenCase(const std::string& customer, const std::string& id) {
    return "parent: 'companies/acme/customers/" + customer + "' case_id: '" +
           id + "' kind: INQUIRY channel: 'hotline' subject: '空调不制冷'";
  }

  TempDir dir_;
  shard::Service service_;
  FakeClock clock_{ParseRfc3339("2026-03-02T09:00:00+08:00").value()};
  shard::ShardOptions options_;
  std::unique_ptr<log::EmbeddedLog> log_;
  std::unique_ptr<shard::Shard> shard_;
};

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_LIBS_SHARD_SHARD_FIXTURE_H_
