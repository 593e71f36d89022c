// -----------------------------------------------------------------------------
// File: metrics.h
// -----------------------------------------------------------------------------
//
// Prometheus metrics of a process: calls by method and code with their
// latency, and the state of every shard, read when they are asked for.

#ifndef AFTERCARE_LIBS_RPC_METRICS_H_
#define AFTERCARE_LIBS_RPC_METRICS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "libs/rpc/hosted.h"
#include "libs/rpc/server.h"

namespace aftercare::rpc {

// Thread-safe.
class Metrics {
 public:
  // `address` host:port of the endpoint /metrics; empty: counted, not shown.
  // Port 0 takes a free one. `hosted` must outlive it.
  static absl::StatusOr<std::unique_ptr<Metrics>> Start(
      const std::string& address, const Hosts& hosted);
  ~Metrics();

  // For ServerOptions; valid as long as this object.
  Observer observer();

  // 0 without an endpoint.
  int port() const;

 private:
  class Impl;
  explicit Metrics(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_METRICS_H_
