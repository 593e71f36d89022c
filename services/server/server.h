// -----------------------------------------------------------------------------
// File: server.h
// -----------------------------------------------------------------------------
//
// A server process: gRPC, health and metrics around the partitions it owns. Two
// ways to run one:
//
//   embedded   all services on an embedded log in the data directory
//   Kafka      some services, or all, in as many processes as one likes; each
//              process knows all services and passes calls on to the owners
//
// Flags, files and exit codes: README.md beside this file.

#ifndef AFTERCARE_SERVICES_SERVER_SERVER_H_
#define AFTERCARE_SERVICES_SERVER_SERVER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace aftercare::server {

struct ServerOptions {
  // Short names; empty: all.
  std::set<std::string> owns;
  std::string data;
  std::string listen = "127.0.0.1:7400";
  // Where other processes reach this one; empty: where it listens.
  std::string advertise;
  std::string metrics;
  // Of topics that do not exist yet; 0: 2 with the embedded log, else 4.
  int partitions = 0;
  bool insecure_dev_identity = false;
  std::vector<std::string> operators;
  int64_t min_free_bytes = int64_t{256} << 20;
  absl::Duration append_timeout = absl::Seconds(10);
  int standbys = 0;
  std::string checkpoints;
  absl::Duration checkpoint_interval = absl::Minutes(10);

  // Empty: the embedded log.
  std::map<std::string, std::string> kafka;
  int replication_factor = 3;
  int min_insync_replicas = 2;
  // Name of the member in the consumer groups; empty: the advertised address.
  std::string instance;
};

// Until SIGTERM or SIGINT. An error: it cannot run, or go on.
absl::Status Run(const ServerOptions& options);

}  // namespace aftercare::server

#endif  // AFTERCARE_SERVICES_SERVER_SERVER_H_
