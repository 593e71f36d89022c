#include "libs/log/kafka_properties.h"

#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"

namespace aftercare::log {
namespace {

// Set by KafkaLog and KafkaGroup themselves; brokers are named by a flag.
constexpr absl::string_view kFixed[] = {
    "acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "group.id",
    "group.instance.id",
    "message.timeout.ms",
    "partition.assignment.strategy",
    "request.required.acks",
    "transactional.id",
};

}  // namespace

absl::Status AddKafkaProperty(absl::string_view key_value,
                              std::map<std::string, std::string>& properties) {
  const size_t equals = key_value.find('=');
  const absl::string_view name =
      absl::StripAsciiWhitespace(key_value.substr(0, equals));
  if (equals == absl::string_view::npos) {
    // The text is not repeated: it may be a secret on a line of its own.
    return absl::InvalidArgumentError(
        "a Kafka property is name=value; there is no =");
  }
  if (name.empty()) {
    return absl::InvalidArgumentError(
        "a Kafka property is name=value; there is no name");
  }
  for (const absl::string_view fixed : kFixed) {
    if (name == fixed) {
      return absl::InvalidArgumentError(
          absl::StrCat("the Kafka property ", name,
                       " is not free to choose: what is promised rests on it"));
    }
  }
  properties[std::string(name)] =
      std::string(absl::StripAsciiWhitespace(key_value.substr(equals + 1)));
  return absl::OkStatus();
}

absl::Status ReadKafkaProperties(
    const std::string& file, std::map<std::string, std::string>& properties) {
  std::ifstream in(file);
  if (!in) return absl::NotFoundError(absl::StrCat(file, " cannot be read"));
  std::map<std::string, std::string> found;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || absl::StartsWith(text, "#")) continue;
    const size_t before = found.size();
    absl::Status status = AddKafkaProperty(text, found);
    if (status.ok() && found.size() == before) {
      status = absl::InvalidArgumentError(absl::StrCat(
          absl::StripAsciiWhitespace(text.substr(0, text.find('='))),
          " is there twice"));
    }
    if (!status.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ":", number, ": ", status.message()));
    }
  }
  // A directory opens, and only reading it fails.
  if (in.bad()) {
    return absl::NotFoundError(absl::StrCat(file, " cannot be read"));
  }
  for (auto& [name, value] : found) properties[name] = std::move(value);
  return absl::OkStatus();
}

}  // namespace aftercare::log
