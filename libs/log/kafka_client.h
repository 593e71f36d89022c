// What the users of librdkafka in this directory share: clients that end
// themselves, settings, errors as statuses.

#ifndef AFTERCARE_LIBS_LOG_KAFKA_CLIENT_H_
#define AFTERCARE_LIBS_LOG_KAFKA_CLIENT_H_

#include <librdkafka/rdkafka.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aftercare::log {

struct KafkaDeleter {
  void operator()(rd_kafka_t* client) const {
    // A consumer never joined a group, so it has nothing to say on leaving.
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  }
};
using ClientPtr = std::unique_ptr<rd_kafka_t, KafkaDeleter>;

struct ConfDeleter {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
using ConfPtr = std::unique_ptr<rd_kafka_conf_t, ConfDeleter>;

// `what` was being done when the client said `code`.
absl::Status KafkaError(rd_kafka_resp_err_t code, absl::string_view what);

// Within what librdkafka takes: 0 to an hour.
int Milliseconds(absl::Duration duration);

// INVALID_ARGUMENT for what librdkafka does not take.
absl::Status Set(rd_kafka_conf_t* conf, const std::string& name,
                 const std::string& value);
absl::Status SetAll(rd_kafka_conf_t* conf,
                    const std::map<std::string, std::string>& properties);

// What every client here begins with; its log lines go to ours.
absl::StatusOr<ConfPtr> MakeConf();

absl::StatusOr<ClientPtr> MakeClient(rd_kafka_type_t type, ConfPtr conf);

}  // namespace aftercare::log

#endif  // AFTERCARE_LIBS_LOG_KAFKA_CLIENT_H_
