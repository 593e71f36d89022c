// -----------------------------------------------------------------------------
// File: apply.h
// -----------------------------------------------------------------------------
//
// How an event becomes rows: the one piece of code that the live path, replay
// and verification share. Beside the service's Evolve it keeps the core's rows:
// stream positions, histories, remembered request_ids, handbooks.

#ifndef AFTERCARE_LIBS_SHARD_APPLY_H_
#define AFTERCARE_LIBS_SHARD_APPLY_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/common/v1/rows.pb.h"
#include "google/protobuf/message.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"
#include "libs/log/log.h"
#include "libs/shard/service.h"
#include "libs/store/row_store.h"

namespace aftercare::shard {

inline constexpr Table<common::v1::ParentRow> kParents{"parent"};
inline constexpr Table<common::v1::HandbookVersions> kHandbooks{"handbook"};
// Ids "<day>/<boundary>|<request_id>", day in five digits.
inline constexpr Table<common::v1::RequestRow> kRequests{"request"};
// Requests of reactions, kept for ever: "<boundary>|<request_id>".
inline constexpr Table<common::v1::RequestRow> kReactionRequests{
    "reaction_request"};

// request_ids that begin so come from reactions and are never forgotten.
inline constexpr absl::string_view kEventRequestPrefix = "event:";

// The tables the core adds to every service's schema.
void AddCoreTables(Schema& schema);

// An event between its record and its rows.
struct Event {
  EventMeta meta;
  std::unique_ptr<google::protobuf::Message> message;
  std::string bytes;  // message as it lies in the log
  // On a command's first event, if it had a request_id.
  std::string request_id;
  uint64_t fingerprint = 0;
  std::string cause;
  std::string correlation;
  std::string traceparent;
  int64_t handbook_version = 0;
};

// CloudEvents headers and value; claim headers are the fold's.
log::Record ToRecord(const Service& service, const Event& event);

// DATA_LOSS when headers or value cannot be read or hold a fact this version
// does not know; the message says why.
absl::StatusOr<Event> FromRecord(const Service& service,
                                 log::StoredRecord stored);

// The same of a record that goes on to the fold: the fold's headers stay, what
// the event took is gone.
absl::StatusOr<Event> EventOf(const Service& service, log::Record& record);

// True for the platform's own facts (handbooks, refused reactions).
bool IsPlatformFact(const google::protobuf::Message& event);

// The PlatformFact inside an event, or null.
const google::protobuf::Message* PlatformFactOf(
    const google::protobuf::Message& event);

// Wraps a platform fact into the service's event type.
std::unique_ptr<google::protobuf::Message> WrapPlatformFact(
    const Service& service, const google::protobuf::Message& fact);

class Applier {
 public:
  Applier(const Service& service, int request_days)
      : service_(service), request_days_(request_days) {}

  // Applies one event to the store's open turn; `position` is advanced by the
  // counters an event moves.
  void Apply(store::RowStore& rows, common::v1::ShardMeta& position,
             const Event& event) const;

  // True when applying the event first forgets old request_ids, which scans:
  // the open turn must have been closed.
  bool ScansFor(const common::v1::ShardMeta& position,
                const Event& event) const;

  // Looks a request_id up over all days still remembered; `newest_day` is the
  // newest that events were recorded on (ShardMeta.request_day). Null: unknown.
  const common::v1::RequestRow* FindRequest(const RowReader& rows,
                                            absl::string_view boundary,
                                            absl::string_view request_id,
                                            absl::Time now,
                                            int64_t newest_day) const;

 private:
  const Service& service_;
  int request_days_;
};

// Text that changes when rows made by another version of the code cannot be
// used: then the directory is wiped and replayed.
std::string RowFormat(const Service& service);

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_APPLY_H_
