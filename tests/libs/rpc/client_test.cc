#include "libs/rpc/client.h"

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/rpc/server.h"

namespace aftercare::rpc {
namespace {

const google::protobuf::ServiceDescriptor* AdminDescriptor() {
  return admin::v1::GetStatusRequest::descriptor()->file()->FindServiceByName(
      "AdminService");
}

// Refuses the first `failures` calls as unavailable.
class ClientTest : public ::testing::Test {
 protected:
  void Serve(int failures) {
    server_.AddService(
        AdminDescriptor(),
        [this, failures](CallInfo, std::shared_ptr<google::protobuf::Message>,
                         Responder respond) {
          if (++calls_ <= failures) {
            respond(WithRetryDelay(
                Refuse(common::v1::REASON_OVERLOADED, "come back"),
                absl::Milliseconds(5)));
            return;
          }
          admin::v1::Status status;
          status.set_free_disk_bytes(7);
          respond(status.SerializeAsString());
        });
    ASSERT_TRUE(server_.Start("127.0.0.1:0").ok());
  }

  absl::StatusOr<admin::v1::Status> Ask(bool retry, absl::Duration deadline) {
    Client client(absl::StrCat("127.0.0.1:", server_.port()));
    return client.Invoke<admin::v1::Status>(
        *AdminDescriptor()->FindMethodByName("GetStatus"),
        admin::v1::GetStatusRequest(),
        {.actor = "operator", .deadline = deadline, .retry = retry});
  }

  std::atomic<int> calls_{0};
  Server server_;
};

TEST_F(ClientTest, RepeatsUnavailableUntilItSucceeds) {
  Serve(3);
  const auto status = Ask(true, absl::Seconds(30));
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->free_disk_bytes(), 7);
  EXPECT_EQ(calls_, 4);
}

TEST_F(ClientTest, RepeatsNothingUnlessAsked) {
  Serve(1);
  EXPECT_EQ(ReasonOf(Ask(false, absl::Seconds(30)).status()), "OVERLOADED");
  EXPECT_EQ(calls_, 1);
}

TEST_F(ClientTest, StopsRepeatingAtTheDeadline) {
  Serve(1 << 30);
  EXPECT_FALSE(Ask(true, absl::Milliseconds(200)).ok());
  EXPECT_GT(calls_, 1);
}

TEST_F(ClientTest, AServerThatIsNotThereIsUnavailable) {
  Serve(0);
  const std::string target = absl::StrCat("127.0.0.1:", server_.port());
  server_.Shutdown(absl::ZeroDuration());
  Client client(target);
  EXPECT_TRUE(absl::IsUnavailable(
      client
          .InvokeRaw("/aftercare.admin.v1.AdminService/GetStatus", "",
                     {.actor = "", .deadline = absl::Seconds(5)})
          .status()));
}

}  // namespace
}  // namespace aftercare::rpc
