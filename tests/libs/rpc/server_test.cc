#include "libs/rpc/server.h"

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/rpc/client.h"
#include "tests/libs/rpc/reflection_client.h"

namespace aftercare::rpc {
namespace {

using admin::v1::ReadAsOfRequest;
using admin::v1::ReadAsOfResponse;
using google::protobuf::Message;

constexpr char kReadAsOf[] = "/aftercare.admin.v1.AdminService/ReadAsOf";

const google::protobuf::ServiceDescriptor* AdminDescriptor() {
  return ReadAsOfRequest::descriptor()->file()->FindServiceByName(
      "AdminService");
}

// The admin service's messages with handlers of the tests' own.
class ServerTest : public ::testing::Test {
 protected:
  void Serve(Handler handler, ServerOptions options = {}) {
    server_ = std::make_unique<Server>(options);
    server_->AddService(AdminDescriptor(), std::move(handler));
    ASSERT_TRUE(server_->Start("127.0.0.1:0").ok());
    client_ =
        std::make_unique<Client>(absl::StrCat("127.0.0.1:", server_->port()));
  }

  // Takes every call and answers none.
  void ServeWithoutAnswers() {
    Serve([this](const CallInfo&, const std::shared_ptr<Message>&,
                 const Responder& respond) {
      const std::lock_guard lock(kept_mutex_);
      kept_.push_back(respond);
    });
  }

  static void Echo(const CallInfo&, const std::shared_ptr<Message>& request,
                   const Responder& respond) {
    ReadAsOfResponse response;
    response.set_json(static_cast<const ReadAsOfRequest&>(*request).name());
    respond(response.SerializeAsString());
  }

  absl::StatusOr<std::string> Ask(const std::string& name) {
    ReadAsOfRequest request;
    request.set_name(name);
    auto bytes = client_->InvokeRaw(kReadAsOf, request.SerializeAsString(),
                                    {.actor = "someone"});
    if (!bytes.ok()) return bytes.status();
    ReadAsOfResponse response;
    EXPECT_TRUE(response.ParseFromString(*bytes));
    return response.json();
  }

  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
  std::mutex kept_mutex_;
  std::vector<Responder> kept_;  // guarded by kept_mutex_
};

TEST_F(ServerTest, AnswersWhatTheHandlerSays) {
  Serve(Echo);
  EXPECT_EQ(Ask("空调 🙂").value(), "空调 🙂");
  EXPECT_EQ(Ask("").value(), "");
}

TEST_F(ServerTest, TakesAnswersFromOtherThreadsAndOnlyTheFirst) {
  std::vector<std::thread> threads;
  Serve([&](CallInfo, std::shared_ptr<Message>, Responder respond) {
    threads.emplace_back([respond = std::move(respond)] {
      ReadAsOfResponse response;
      response.set_json("first");
      respond(response.SerializeAsString());
      respond(absl::InternalError("second"));
    });
  });
  EXPECT_EQ(Ask("x").value(), "first");
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ServerTest, ADroppedCallIsAnsweredAsOurFault) {
  Serve([](CallInfo, std::shared_ptr<Message>, Responder) {});
  EXPECT_EQ(ReasonOf(Ask("x").status()), "INTERNAL_ERROR");
}

TEST_F(ServerTest, BytesThatAreNoMessageAreRefusedPrecisely) {
  Serve(Echo);
  for (const std::string& bytes :
       {std::string("\xff\xff\xff\xff"), std::string("\x0a\x05"),
        // field 1 (text) holding bytes that are no UTF-8
        std::string("\x0a\x02\xc3\x28"), std::string("\x0a\x03\xed\xa0\x80")}) {
    const auto answer = client_->InvokeRaw(kReadAsOf, bytes, {});
    EXPECT_TRUE(absl::IsInvalidArgument(answer.status())) << answer.status();
    EXPECT_EQ(ReasonOf(answer.status()), "REQUEST_MALFORMED");
  }
}

TEST_F(ServerTest, RequestsBeyondTheLimitAreRefusedPrecisely) {
  Serve(Echo);
  EXPECT_TRUE(Ask(std::string(kMaxRequestBytes - 100, 'a')).ok());
  EXPECT_EQ(ReasonOf(Ask(std::string(kMaxRequestBytes + 1, 'a')).status()),
            "REQUEST_TOO_LARGE");
  // Nothing of it is remembered: the next call is served.
  EXPECT_TRUE(Ask("x").ok());
}

TEST_F(ServerTest, TellsHandlersTheDeadlineAndTheMetadata) {
  absl::Time deadline;
  std::string actor;
  Serve(
      [&](CallInfo info, std::shared_ptr<Message> request, Responder respond) {
        deadline = info.deadline;
        actor = info.metadata.at("x-aftercare-actor");
        Echo(info, request, respond);
      });
  const absl::Time begin = absl::Now();
  ASSERT_TRUE(
      client_
          ->InvokeRaw(kReadAsOf, "",
                      {.actor = "agent-li", .deadline = absl::Seconds(7)})
          .ok());
  EXPECT_EQ(actor, "agent-li");
  EXPECT_GT(deadline, begin + absl::Seconds(6));
  // gRPC rounds what is left up when it writes it on the wire.
  EXPECT_LT(deadline, begin + absl::Seconds(8));
}

// An unfinished callback reactor would block gRPC's Shutdown for ever.
TEST_F(ServerTest, ACallWithoutAnAnswerIsToldSoBeforeItsDeadline) {
  ServeWithoutAnswers();
  for (const absl::Duration deadline :
       {absl::Milliseconds(300), absl::Seconds(3)}) {
    const absl::Time begin = absl::Now();
    const absl::Status late =
        client_->InvokeRaw(kReadAsOf, "", {.deadline = deadline}).status();
    EXPECT_TRUE(absl::IsUnavailable(late)) << late;
    EXPECT_EQ(ReasonOf(late), "ANSWER_OVERDUE");
    EXPECT_TRUE(late.GetPayload(kRetryInfoUrl).has_value());
    EXPECT_GE(absl::Now() - begin, deadline * 8 / 10);
  }
  // What comes later is ignored.
  const std::lock_guard lock(kept_mutex_);
  for (const Responder& respond : kept_) respond(std::string());
}

// The nearest deadline counts, whichever call came first.
TEST_F(ServerTest, EveryCallHasItsOwnDeadline) {
  ServeWithoutAnswers();
  std::vector<std::thread> callers;
  std::atomic<int> told{0};
  for (const int seconds : {4, 2, 1, 3}) {
    callers.emplace_back([&, seconds] {
      const absl::Time begin = absl::Now();
      const absl::Status late =
          client_
              ->InvokeRaw(kReadAsOf, "", {.deadline = absl::Seconds(seconds)})
              .status();
      EXPECT_EQ(ReasonOf(late), "ANSWER_OVERDUE") << late;
      EXPECT_LT(absl::Now() - begin, absl::Seconds(seconds));
      ++told;
    });
    absl::SleepFor(absl::Milliseconds(20));
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(told, 4);
}

TEST_F(ServerTest, ShutdownEndsACallThatNobodyFinishes) {
  std::promise<Responder> held;
  Serve([&](CallInfo, std::shared_ptr<Message>, Responder respond) {
    held.set_value(std::move(respond));
  });
  std::promise<absl::StatusOr<std::string>> answer;
  client_->InvokeAsync(kReadAsOf, "", {}, [&](absl::StatusOr<std::string> a) {
    answer.set_value(std::move(a));
  });
  Responder respond = held.get_future().get();
  server_->Shutdown(absl::Milliseconds(50));
  EXPECT_EQ(ReasonOf(answer.get_future().get().status()), "SHUTTING_DOWN");
  // The handler's late answer hurts nobody, not even after the server's end.
  server_.reset();
  respond(std::string("late"));
}

TEST_F(ServerTest, ShutdownWaitsForCallsThatFinishInTime) {
  std::promise<Responder> held;
  Serve([&](CallInfo, std::shared_ptr<Message>, Responder respond) {
    held.set_value(std::move(respond));
  });
  std::promise<absl::StatusOr<std::string>> answer;
  client_->InvokeAsync(kReadAsOf, "", {}, [&](absl::StatusOr<std::string> a) {
    answer.set_value(std::move(a));
  });
  Responder respond = held.get_future().get();
  std::thread shutdown([&] { server_->Shutdown(absl::Seconds(60)); });
  respond(std::string());
  shutdown.join();
  EXPECT_TRUE(answer.get_future().get().ok());
}

TEST_F(ServerTest, WhileItDrainsNewCallsAreTurnedAwayAndOldOnesAnswered) {
  std::promise<Responder> held;
  std::atomic<int> handled{0};
  Serve(
      [&](CallInfo info, std::shared_ptr<Message> request, Responder respond) {
        if (++handled == 1) {
          held.set_value(std::move(respond));
        } else {
          Echo(info, request, respond);
        }
      });
  std::promise<absl::StatusOr<std::string>> answer;
  client_->InvokeAsync(kReadAsOf, "", {}, [&](absl::StatusOr<std::string> a) {
    answer.set_value(std::move(a));
  });
  Responder respond = held.get_future().get();
  std::thread shutdown([&] { server_->Shutdown(absl::Seconds(60)); });
  // Draining begins when the other thread gets to it.
  absl::Status refused;
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (refused.ok() && absl::Now() < end) refused = Ask("x").status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), "SHUTTING_DOWN");
  EXPECT_TRUE(refused.GetPayload(kRetryInfoUrl).has_value());
  const int before = handled;
  EXPECT_EQ(ReasonOf(Ask("x").status()), "SHUTTING_DOWN");
  EXPECT_EQ(handled, before);
  respond(std::string());
  shutdown.join();
  EXPECT_TRUE(answer.get_future().get().ok());
}

TEST_F(ServerTest, AClientThatGoesAwayLeavesNothingBehind) {
  std::promise<Responder> held;
  Serve([&](CallInfo, std::shared_ptr<Message>, Responder respond) {
    held.set_value(std::move(respond));
  });
  grpc::GenericStub stub(
      grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()),
                          grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  grpc::Status status;
  grpc::ByteBuffer response;
  const auto call =
      stub.PrepareUnaryCall(&context, kReadAsOf, grpc::ByteBuffer(), &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  const Responder respond = held.get_future().get();
  context.TryCancel();
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  respond(std::string());
  server_->Shutdown(absl::Seconds(60));
}

TEST_F(ServerTest, HealthSaysNotServingUntilTold) {
  Serve(Echo);
  const auto ask = [&] {
    grpc::health::v1::HealthCheckResponse response;
    const auto bytes =
        client_->InvokeRaw("/grpc.health.v1.Health/Check", "", {});
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_TRUE(response.ParseFromString(*bytes));
    return response.status();
  };
  EXPECT_EQ(ask(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
  server_->SetServing(true);
  EXPECT_EQ(ask(), grpc::health::v1::HealthCheckResponse::SERVING);
  server_->SetServing(false);
  EXPECT_EQ(ask(), grpc::health::v1::HealthCheckResponse::NOT_SERVING);
}

TEST_F(ServerTest, AnAddressInUseIsRefusedAtStart) {
  Serve(Echo);
  Server second;
  second.AddService(AdminDescriptor(), Echo);
  EXPECT_FALSE(second.Start(absl::StrCat("127.0.0.1:", server_->port())).ok());
}

TEST_F(ServerTest, EveryCallIsObservedWithItsCode) {
  std::mutex mutex;
  std::vector<std::pair<std::string, absl::StatusCode>> seen;
  ServerOptions options;
  options.observer = [&](const google::protobuf::MethodDescriptor& method,
                         absl::StatusCode code, absl::Duration duration) {
    EXPECT_GE(duration, absl::ZeroDuration());
    std::lock_guard lock(mutex);
    seen.emplace_back(method.name(), code);
  };
  Serve(Echo, options);
  ASSERT_TRUE(Ask("x").ok());
  ASSERT_FALSE(client_->InvokeRaw(kReadAsOf, "\xff", {}).ok());
  std::lock_guard lock(mutex);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].first, "ReadAsOf");
  EXPECT_EQ(seen[0].second, absl::StatusCode::kOk);
  EXPECT_EQ(seen[1].second, absl::StatusCode::kInvalidArgument);
}

TEST_F(ServerTest, ReflectionListsTheServicesAndServesTheirFiles) {
  Serve(Echo);
  const std::string listed =
      testing::Reflect(server_->port(), "list_services: '*'")
          ->ShortDebugString();
  EXPECT_THAT(listed, ::testing::HasSubstr("aftercare.admin.v1.AdminService"));
  EXPECT_THAT(listed, ::testing::HasSubstr("grpc.health.v1.Health"));

  const auto described = testing::Reflect(
      server_->port(),
      "file_containing_symbol: 'aftercare.admin.v1.AdminService'");
  const auto& response = *described;
  const auto* files_field =
      response.GetDescriptor()->FindFieldByName("file_descriptor_response");
  const auto& files =
      response.GetReflection()->GetMessage(response, files_field);
  const auto* bytes_field =
      files.GetDescriptor()->FindFieldByName("file_descriptor_proto");
  bool found = false;
  for (int i = 0; i < files.GetReflection()->FieldSize(files, bytes_field);
       ++i) {
    google::protobuf::FileDescriptorProto file;
    ASSERT_TRUE(file.ParseFromString(
        files.GetReflection()->GetRepeatedString(files, bytes_field, i)));
    for (const auto& service : file.service()) {
      found |= service.name() == "AdminService" && service.method_size() >= 7;
    }
  }
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace aftercare::rpc
