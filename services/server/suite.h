// The suite: every service with the events of others it reacts to.

#ifndef AFTERCARE_SERVICES_SERVER_SUITE_H_
#define AFTERCARE_SERVICES_SERVER_SUITE_H_

#include <memory>
#include <vector>

#include "libs/reaction/mapping.h"
#include "libs/shard/service.h"

namespace aftercare::server {

struct Part {
  std::shared_ptr<const shard::Service> service;
  std::vector<reaction::Mapping> reactions;
};

// Intake, dispatch, returns, scoring.
std::vector<Part> Suite();

}  // namespace aftercare::server

#endif  // AFTERCARE_SERVICES_SERVER_SUITE_H_
