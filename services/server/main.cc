// aftercared and aftercare-<service>: which services the program owns is said
// when it is built (CMakeLists.txt). Flags, files and exit codes: README.md.

#include <netdb.h>
#include <netinet/in.h>

#include <iostream>
#include <set>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "libs/log/kafka_properties.h"
#include "libs/process/logging.h"
#include "services/server/server.h"

namespace aftercare::server {
namespace {

struct Flags {
  ServerOptions options;
  std::string brokers;
  std::vector<std::string> kafka_set;
  std::string kafka_config;
  int append_timeout_ms = 10000;
  int checkpoint_seconds = 600;
  std::string log_level = "info";
};

// host:port, as gRPC takes it; the empty text is no address.
std::string CheckAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 ||
      port > 65535) {
    return absl::StrCat("'", text, "' is no host:port");
  }
  return "";
}

// Of host:port: the host is "any of mine", where nobody else can go.
bool IsWildcard(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  const bool wildcard =
      found->ai_family == AF_INET6
          ? IN6_IS_ADDR_UNSPECIFIED(
                &reinterpret_cast<sockaddr_in6*>(found->ai_addr)->sin6_addr)
          : reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_addr.s_addr ==
                INADDR_ANY;
  freeaddrinfo(found);
  return wildcard;
}

std::string CheckNotEmpty(const std::string& text) {
  return text.empty() ? "must not be empty" : "";
}

void Define(CLI::App& app, Flags& flags, bool needs_kafka) {
  ServerOptions& options = flags.options;
  app.add_option("--data", options.data,
                 "Directory of rows, and of the embedded log")
      ->required();
  app.add_option("--listen", options.listen,
                 "gRPC address; port 0 takes a free one (see ports.json)")
      ->check(CheckAddress)
      ->capture_default_str();
  app.add_option("--advertise", options.advertise,
                 "Address by which other processes reach this one; default: "
                 "--listen")
      ->check(CheckAddress);
  app.add_option("--metrics", options.metrics,
                 "Address of the Prometheus endpoint; default: none")
      ->check(CheckAddress);
  app.add_option("--partitions", options.partitions,
                 "Partitions per service of a new log; default: 2, on Kafka 4")
      ->check(CLI::Range(1, 64));
  app.add_flag("--insecure-dev-identity", options.insecure_dev_identity,
               "Believe the metadata x-aftercare-actor (development only)");
  app.add_option("--operator", options.operators,
                 "Person who may publish handbooks and use the admin service; "
                 "may be repeated. Default with --insecure-dev-identity: "
                 "operator");
  app.add_option("--min-free-bytes", options.min_free_bytes,
                 "Free disk space below which only reads are answered")
      ->capture_default_str();
  app.add_option("--append-timeout-ms", flags.append_timeout_ms,
                 "How long an append may go unanswered before the shard claims "
                 "again")
      ->capture_default_str();
  app.add_option("--standby", options.standbys,
                 "Partitions of other owners to read along, so that taking one "
                 "over needs only its tail")
      ->check(CLI::Range(0, 64))
      ->capture_default_str();
  app.add_option("--checkpoint-dir", options.checkpoints,
                 "Where checkpoints are written, and looked for on an empty "
                 "disk; empty: none");
  app.add_option("--checkpoint-seconds", flags.checkpoint_seconds,
                 "How often checkpoints are written")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  auto* brokers =
      app.add_option("--kafka.brokers", flags.brokers,
                     "Kafka: host:port[,host:port...]; without it the embedded "
                     "log is used")
          ->check(CheckNotEmpty);
  if (needs_kafka) {
    brokers->required()->description("Kafka: host:port[,host:port...]");
  }
  app.add_option("--kafka.set", flags.kafka_set,
                 "Property of librdkafka, name=value; may be repeated. Refused "
                 "are those that what is promised rests on (acks, group.id, "
                 "...)")
      ->needs(brokers);
  app.add_option("--kafka.config", flags.kafka_config,
                 "File of such properties, one a line; where passwords belong")
      ->needs(brokers);
  app.add_option("--kafka.replication-factor", options.replication_factor,
                 "Copies of topics that do not exist yet")
      ->check(CLI::Range(1, 10))
      ->capture_default_str();
  app.add_option("--kafka.min-insync-replicas", options.min_insync_replicas,
                 "min.insync.replicas of topics that do not exist yet")
      ->check(CLI::Range(1, 10))
      ->capture_default_str();
  app.add_option("--instance", options.instance,
                 "Name of this process among those of its service; the same "
                 "after a restart. Default: --advertise");
  app.add_option("--log-level", flags.log_level, "debug, info, warning, error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
}

absl::Status ReadKafka(Flags& flags) {
  if (flags.brokers.empty()) return absl::OkStatus();
  auto& properties = flags.options.kafka;
  properties["bootstrap.servers"] = flags.brokers;
  if (!flags.kafka_config.empty()) {
    const absl::Status read =
        log::ReadKafkaProperties(flags.kafka_config, properties);
    if (!read.ok()) return read;
  }
  for (const std::string& property : flags.kafka_set) {
    const absl::Status added = log::AddKafkaProperty(property, properties);
    if (!added.ok()) return added;
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  const std::string owns = AFTERCARE_OWNS;
  Flags flags;
  CLI::App app(owns.empty()
                   ? "Aftercare: intake, dispatch, returns and scoring in one "
                     "process"
                   : absl::StrCat("Aftercare's ", owns, " service, on Kafka"));
  Define(app, flags, !owns.empty());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  ServerOptions& options = flags.options;
  if (absl::Status kafka = ReadKafka(flags); !kafka.ok()) {
    std::cerr << kafka.message() << "\n";
    return 2;
  }
  if (options.replication_factor < options.min_insync_replicas) {
    std::cerr << "nothing could be written: --kafka.min-insync-replicas is "
                 "above --kafka.replication-factor\n";
    return 2;
  }
  const std::string& address =
      options.advertise.empty() ? options.listen : options.advertise;
  if (!options.kafka.empty() && IsWildcard(address)) {
    std::cerr << "other processes cannot reach this one at " << address
              << "; --advertise HOST:PORT says where they can\n";
    return 2;
  }
  if (!owns.empty()) options.owns = {owns};
  options.append_timeout = absl::Milliseconds(flags.append_timeout_ms);
  options.checkpoint_interval = absl::Seconds(flags.checkpoint_seconds);
  if (options.operators.empty() && options.insecure_dev_identity) {
    options.operators.push_back("operator");
  }
  SetLogLevel(flags.log_level == "debug"     ? LogLevel::kDebug
              : flags.log_level == "warning" ? LogLevel::kWarning
              : flags.log_level == "error"   ? LogLevel::kError
                                             : LogLevel::kInfo);
  const absl::Status status = Run(options);
  if (!status.ok()) {
    LogError("cannot run", {{"problem", std::string(status.message())}});
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace aftercare::server

int main(int argc, char** argv) { return aftercare::server::Main(argc, argv); }
