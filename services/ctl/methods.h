// Services and methods under the names a shell uses: `intake open-case`.

#ifndef AFTERCARE_SERVICES_CTL_METHODS_H_
#define AFTERCARE_SERVICES_CTL_METHODS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace aftercare::ctl {

// Every service of the suite, by name: admin, dispatch, handbook, ...
const std::vector<const google::protobuf::ServiceDescriptor*>& Services();

// "intake" of aftercare.intake.v1.IntakeService.
std::string ShortName(const google::protobuf::ServiceDescriptor& service);

// OpenCase -> open-case, display_name -> display-name.
std::string Kebab(absl::string_view name);

// INVALID_ARGUMENT with what there is to choose from.
absl::StatusOr<const google::protobuf::MethodDescriptor*> FindMethod(
    absl::string_view service, absl::string_view method);

std::unique_ptr<google::protobuf::Message> NewRequest(
    const google::protobuf::MethodDescriptor& method);

// True when the method only reads, so that it may be repeated.
bool IsQuery(const google::protobuf::MethodDescriptor& method);

// The methods of a service, or the flags of a method with their types and the
// roles that may call it.
std::string Describe(const google::protobuf::ServiceDescriptor& service);
std::string Describe(const google::protobuf::MethodDescriptor& method);

}  // namespace aftercare::ctl

#endif  // AFTERCARE_SERVICES_CTL_METHODS_H_
