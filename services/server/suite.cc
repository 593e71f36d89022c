#include "services/server/suite.h"

#include <utility>

#include "services/dispatch/reactions.h"
#include "services/dispatch/service.h"
#include "services/intake/reactions.h"
#include "services/intake/service.h"
#include "services/returns/reactions.h"
#include "services/returns/service.h"
#include "services/scoring/reactions.h"
#include "services/scoring/service.h"

namespace aftercare::server {
namespace {

std::shared_ptr<const shard::Service> Shared(shard::Service service) {
  return std::make_shared<const shard::Service>(std::move(service));
}

}  // namespace

std::vector<Part> Suite() {
  return {
      {Shared(intake::MakeIntakeService()), intake::IntakeReactions()},
      {Shared(dispatch::MakeDispatchService()), dispatch::DispatchReactions()},
      {Shared(returns::MakeReturnsService()), returns::ReturnsReactions()},
      {Shared(scoring::MakeScoringService()), scoring::ScoringReactions()}};
}

}  // namespace aftercare::server
