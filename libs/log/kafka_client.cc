#include "libs/log/kafka_client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"
#include "libs/process/logging.h"

namespace aftercare::log {
namespace {

void ForwardLog(const rd_kafka_t* /*client*/, int level, const char* facility,
                const char* text) {
  // Below "warning" librdkafka tells of every lost connection; it reconnects.
  if (level <= 4) {
    LogWarning("librdkafka", {{"facility", facility}, {"text", text}});
  }
}

}  // namespace

absl::Status KafkaError(rd_kafka_resp_err_t code, absl::string_view what) {
  const std::string text = absl::StrCat(what, ": ", rd_kafka_err2str(code));
  switch (code) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return absl::OkStatus();
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      return absl::ResourceExhaustedError(text);
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return absl::OutOfRangeError(text);
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return absl::NotFoundError(text);
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
      return absl::DataLossError(text);
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
      return absl::InvalidArgumentError(text);
    // The cluster is not such that it could be done; trying again is no use.
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
      return absl::FailedPreconditionError(text);
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      return absl::PermissionDeniedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(
      std::clamp(duration, absl::ZeroDuration(), absl::Hours(1))));
}

absl::Status Set(rd_kafka_conf_t* conf, const std::string& name,
                 const std::string& value) {
  char error[256] = {};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error,
                        sizeof(error)) != RD_KAFKA_CONF_OK) {
    return absl::InvalidArgumentError(error);
  }
  return absl::OkStatus();
}

absl::Status SetAll(rd_kafka_conf_t* conf,
                    const std::map<std::string, std::string>& properties) {
  for (const auto& [name, value] : properties) {
    RETURN_IF_ERROR(Set(conf, name, value));
  }
  return absl::OkStatus();
}

absl::StatusOr<ConfPtr> MakeConf() {
  ConfPtr conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), ForwardLog);
  RETURN_IF_ERROR(Set(conf.get(), "client.id", "aftercare"));
  RETURN_IF_ERROR(Set(conf.get(), "socket.nagle.disable", "true"));
  RETURN_IF_ERROR(Set(conf.get(), "socket.keepalive.enable", "true"));
  RETURN_IF_ERROR(Set(conf.get(), "reconnect.backoff.ms", "50"));
  RETURN_IF_ERROR(Set(conf.get(), "reconnect.backoff.max.ms", "1000"));
  return conf;
}

absl::StatusOr<ClientPtr> MakeClient(rd_kafka_type_t type, ConfPtr conf) {
  char error[256] = {};
  rd_kafka_t* client = rd_kafka_new(type, conf.get(), error, sizeof(error));
  if (client == nullptr) return absl::InvalidArgumentError(error);
  conf.release();  // the client owns it now
  return ClientPtr(client);
}

}  // namespace aftercare::log
