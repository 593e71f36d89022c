// -----------------------------------------------------------------------------
// File: scatter.h
// -----------------------------------------------------------------------------
//
// One answer from several: a query over all boundaries is asked of every
// process that runs some of the partitions, and each answers for its own.
//
//   lists      pages are merged in the list's order and cut to one page. A page
//              token names a place in that order, so it stays good however the
//              partitions move between processes.
//   summaries  integers are added up; entries of a repeated field with the same
//              texts are added to one another. No boundary is in two answers,
//              so counts of distinct customers may be added as well.

#ifndef AFTERCARE_LIBS_SHARD_SCATTER_H_
#define AFTERCARE_LIBS_SHARD_SCATTER_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "libs/shard/service.h"

namespace aftercare::shard {

struct PartialAnswer {
  std::unique_ptr<google::protobuf::Message> response;
  Places places;  // lists only
};

// `answers` holds at least one, all of one type. INTERNAL when they do not fit
// together (processes of different versions).
absl::StatusOr<std::unique_ptr<google::protobuf::Message>> MergeAnswers(
    const google::protobuf::Message& request,
    std::vector<PartialAnswer> answers);

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_SCATTER_H_
