// A real server process for one test: started on a data directory, killed or
// asked to stop, started again.

#ifndef AFTERCARE_TESTS_SYSTEM_DAEMON_H_
#define AFTERCARE_TESTS_SYSTEM_DAEMON_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/handbook/v1/handbook.pb.h"
#include "libs/rpc/client.h"

namespace aftercare::testing {

// Starting and stopping are for one thread; client() and Call for all.
class Daemon {
 public:
  struct Place {
    // Where it listens.
    std::string address = "127.0.0.1";
    // File of the network namespace it runs in; empty: the test's.
    std::string network = "";
    // NAME=VALUE, beside the test's own.
    std::vector<std::string> environment = {};
  };

  explicit Daemon(std::string data, std::string program = "aftercared")
      : Daemon(std::move(data), std::move(program), Place()) {}
  Daemon(std::string data, std::string program, Place place)
      : data_(std::move(data)),
        program_(std::move(program)),
        place_(std::move(place)) {}
  ~Daemon() { Kill(); }

  // Starts the process and waits until it listens. `flags` beside --data,
  // --listen, --insecure-dev-identity.
  absl::Status Start(const std::vector<std::string>& flags = {});
  // Runs the process to its end; the exit code. For starts that must fail.
  int RunToEnd(const std::vector<std::string>& flags);
  // Waits until every shard serves.
  absl::Status AwaitServing();
  void Kill();
  // SIGSTOP and SIGCONT.
  void Pause();
  void Resume();
  bool running() const { return pid_ > 0; }
  // The exit code when it has ended without being told to; then as after Kill.
  std::optional<int> EndedByItself();
  // SIGTERM; the exit code, -1 when it does not run.
  int Stop();

  const std::string& data() const { return data_; }
  int port() const { return port_; }
  int metrics_port() const { return metrics_port_; }
  // Everything the process has written to standard error.
  std::string Log() const;

  // Of the process that runs now. Never null after the first start.
  std::shared_ptr<rpc::Client> client() const;

  // "aftercare.intake.v1.IntakeService" / "OpenCase".
  template <typename Response>
  absl::StatusOr<Response> Call(absl::string_view service,
                                absl::string_view method,
                                const google::protobuf::Message& request,
                                const std::string& actor) const {
    auto bytes = CallRaw(service, method, request.SerializeAsString(), actor);
    if (!bytes.ok()) return bytes.status();
    Response response;
    if (!response.ParseFromString(*bytes)) {
      return absl::DataLossError("the answer does not parse");
    }
    return response;
  }
  absl::StatusOr<std::string> CallRaw(
      absl::string_view service, absl::string_view method,
      const std::string& request, const std::string& actor,
      absl::Duration deadline = absl::Seconds(60),
      std::map<std::string, std::string>* trailers = nullptr) const;

  absl::StatusOr<admin::v1::Status> Status() const;
  absl::Status ApplyDemoHandbook() const;
  // Waits until no reaction has anything left to do.
  absl::Status AwaitReactions() const;

 private:
  pid_t Spawn(const std::vector<std::string>& flags);

  const std::string data_;
  const std::string program_;
  const Place place_;
  pid_t pid_ = -1;
  int port_ = 0;
  int metrics_port_ = 0;
  mutable std::mutex mutex_;
  std::shared_ptr<rpc::Client> client_;  // guarded by mutex_
};

}  // namespace aftercare::testing

#endif  // AFTERCARE_TESTS_SYSTEM_DAEMON_H_
