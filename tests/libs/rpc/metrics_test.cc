#include "libs/rpc/metrics.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/libs/rpc/rpc_fixture.h"

namespace aftercare::rpc {
namespace {

// One HTTP GET, the whole answer.
std::string Fetch(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
      0) {
    const std::string request = absl::StrCat(
        "GET ", path, " HTTP/1.0\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(write(fd, request.data(), request.size()),
              static_cast<ssize_t>(request.size()));
    char buffer[4096];
    ssize_t got = 0;
    while ((got = read(fd, buffer, sizeof(buffer))) > 0) {
      answer.append(buffer, static_cast<size_t>(got));
    }
  }
  close(fd);
  return answer;
}

class MetricsTest : public testing::RpcFixture {
 protected:
  MetricsTest() { metrics_address_ = "127.0.0.1:0"; }
};

TEST_F(MetricsTest, CallsAndShardsAreShown) {
  ASSERT_TRUE(ApplyDemoHandbook().ok());
  ASSERT_TRUE(Register("c-1").ok());
  ASSERT_FALSE(Register("c-1").ok());
  const std::string page = Fetch(metrics_->port(), "/metrics");
  const auto shows = [&](const std::string& line) {
    EXPECT_TRUE(absl::StrContains(page, line)) << line << "\n" << page;
  };
  const std::string method =
      "aftercare.intake.v1.IntakeService.RegisterCustomer";
  shows(absl::StrCat("aftercare_calls_total{code=\"OK\",method=\"", method,
                     "\"} 1"));
  shows(absl::StrCat("aftercare_calls_total{code=\"ALREADY_EXISTS\",method=\"",
                     method, "\"} 1"));
  shows(
      absl::StrCat("aftercare_call_seconds_count{method=\"", method, "\"} 2"));
  shows("aftercare_shard_serving{service=\"intake\",partition=\"1\"} 1");
}

TEST_F(MetricsTest, ATakenAddressIsRefused) {
  const auto second =
      Metrics::Start(absl::StrCat("127.0.0.1:", metrics_->port()), hosted_);
  EXPECT_FALSE(second.ok());
}

}  // namespace
}  // namespace aftercare::rpc
