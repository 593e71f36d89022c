// -----------------------------------------------------------------------------
// File: kafka_properties.h
// -----------------------------------------------------------------------------
//
// Properties of Kafka's client as an operator gives them: on a command line one
// at a time, or a file of them, where passwords belong.
//
//   # security.properties
//   security.protocol=SASL_SSL
//   sasl.password=a=b#c
//
//   KafkaLogOptions options;
//   RETURN_IF_ERROR(ReadKafkaProperties("security.properties",
//                                       options.properties));
//   RETURN_IF_ERROR(AddKafkaProperty("client.id=intake",
//                                    options.properties));
//
// Whether librdkafka knows a name shows when the log is opened.

#ifndef AFTERCARE_LIBS_LOG_KAFKA_PROPERTIES_H_
#define AFTERCARE_LIBS_LOG_KAFKA_PROPERTIES_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace aftercare::log {

// Sets one property from `name=value`; an earlier one of that name is replaced.
// The value begins behind the first `=` and may be empty; spaces around name
// and value are not part of them. INVALID_ARGUMENT without a name or a `=`, and
// for what KafkaLog and KafkaGroup set themselves (acks, group.id, ...); the
// message never has the value, which may be a secret. On an error `properties`
// is as before.
absl::Status AddKafkaProperty(absl::string_view key_value,
                              std::map<std::string, std::string>& properties);

// Sets the properties of a file: one `name=value` a line; blank lines and lines
// that begin with `#` do not count. NOT_FOUND when it cannot be read,
// INVALID_ARGUMENT with file and line when a line is none, or names a property
// again. On an error `properties` is as before.
absl::Status ReadKafkaProperties(
    const std::string& file, std::map<std::string, std::string>& properties);

}  // namespace aftercare::log

#endif  // AFTERCARE_LIBS_LOG_KAFKA_PROPERTIES_H_
