#include "libs/base/json.h"

#include "google/protobuf/util/json_util.h"

namespace aftercare {

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  return google::protobuf::util::MessageToJsonString(message, &json, options)
                 .ok()
             ? json
             : "{}";
}

}  // namespace aftercare
