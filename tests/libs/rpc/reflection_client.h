// Questions to a server's reflection service.

#ifndef AFTERCARE_TESTS_LIBS_RPC_REFLECTION_CLIENT_H_
#define AFTERCARE_TESTS_LIBS_RPC_REFLECTION_CLIENT_H_

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "gtest/gtest.h"

namespace aftercare::testing {

// The reflection library brings its own messages; they are known by name only.
inline std::unique_ptr<google::protobuf::Message> NewReflectionMessage(
    const char* name) {
  const auto* type =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
          absl::StrCat("grpc.reflection.v1alpha.", name));
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(type)
          ->New());
}

// One question to the reflection service (a stream of one message), in text
// format; the answer's message.
inline std::unique_ptr<google::protobuf::Message> Reflect(
    int port, const std::string& question) {
  auto request = NewReflectionMessage("ServerReflectionRequest");
  auto response = NewReflectionMessage("ServerReflectionResponse");
  EXPECT_TRUE(
      google::protobuf::TextFormat::ParseFromString(question, request.get()));
  grpc::GenericStub stub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(20)));
  grpc::CompletionQueue queue;
  auto stream = stub.PrepareCall(
      &context,
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  const auto wait = [&] {
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return ok;
  };
  stream->StartCall(nullptr);
  EXPECT_TRUE(wait());
  const std::string bytes = request->SerializeAsString();
  const grpc::Slice slice(bytes);
  stream->Write(grpc::ByteBuffer(&slice, 1), nullptr);
  EXPECT_TRUE(wait());
  grpc::ByteBuffer answer;
  stream->Read(&answer, nullptr);
  EXPECT_TRUE(wait());
  grpc::Slice flat;
  EXPECT_TRUE(answer.DumpToSingleSlice(&flat).ok());
  EXPECT_TRUE(
      response->ParseFromArray(flat.begin(), static_cast<int>(flat.size())));
  stream->WritesDone(nullptr);
  wait();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  wait();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response;
}

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_LIBS_RPC_REFLECTION_CLIENT_H_
