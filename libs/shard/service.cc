#include "libs/shard/service.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "libs/process/logging.h"
#include "libs/shard/apply.h"

namespace aftercare::shard {

Service::Service(std::string name,
                 const google::protobuf::ServiceDescriptor* grpc_service)
    : name_(std::move(name)), grpc_service_(grpc_service) {
  AddCoreTables(schema_);
}

std::string Service::topic() const {
  return absl::StrCat("aftercare.", name_, ".events.v1");
}

void Service::AddMethod(absl::string_view method,
                        const google::protobuf::Descriptor* request,
                        DecideFn decide, QueryFn query) {
  const auto* descriptor = grpc_service_->FindMethodByName(std::string(method));
  // A wiring mistake; shows at the first start.
  const auto fail = [&](const std::string& problem) {
    LogError("service: a method cannot be added",
             {{"service", name_},
              {"method", std::string(method)},
              {"problem", problem}});
    std::abort();
  };
  if (descriptor == nullptr || descriptor->input_type() != request ||
      methods_.contains(method)) {
    fail("it does not fit its proto or was added twice");
  }
  Method entry;
  entry.descriptor = descriptor;
  entry.rules = descriptor->options().GetExtension(common::v1::rules);
  auto fields = RequestFields::Of(*descriptor, entry.rules);
  if (!fields.ok()) fail(std::string(fields.status().message()));
  entry.fields = *std::move(fields);
  entry.decide = std::move(decide);
  entry.query = std::move(query);
  methods_.emplace(std::string(method), std::move(entry));
}

const Service::Method* Service::FindMethod(absl::string_view name) const {
  const auto it = methods_.find(name);
  return it == methods_.end() ? nullptr : &it->second;
}

absl::Status Service::CheckComplete() const {
  std::vector<std::string> problems;
  if (event_prototype_ == nullptr) problems.push_back("no Evolve");
  for (int i = 0; i < grpc_service_->method_count(); ++i) {
    const auto* descriptor = grpc_service_->method(i);
    const Method* method = FindMethod(descriptor->name());
    if (method == nullptr) {
      problems.push_back(absl::StrCat(descriptor->name(), " has no handler"));
      continue;
    }
    if (method->rules.roles().empty()) {
      problems.push_back(absl::StrCat(descriptor->name(), " names no roles"));
    }
    if (method->rules.query() != (method->query != nullptr)) {
      problems.push_back(
          absl::StrCat(descriptor->name(),
                       " is a query in one place, a command in another"));
    }
    if (method->decide != nullptr &&
        schema_.TableOf(descriptor->output_type()) == nullptr) {
      problems.push_back(absl::StrCat(
          descriptor->name(), " answers with a message that is no row"));
    }
  }
  if (problems.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(name_, ": ", absl::StrJoin(problems, "; ")));
}

}  // namespace aftercare::shard
