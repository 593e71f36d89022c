// How history lies in rows: the newest stretch under the subject's own name,
// full stretches under "<subject>#<number of the first entry>".

#ifndef AFTERCARE_LIBS_SHARD_HISTORY_ROWS_H_
#define AFTERCARE_LIBS_SHARD_HISTORY_ROWS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "libs/base/decider.h"
#include "libs/base/rows.h"

namespace aftercare::shard {

// Entries a row holds at most: bounds what one more event rewrites.
inline constexpr int64_t kHistoryStretch = 32;

std::string HistoryStretchId(absl::string_view subject, int64_t base);

// Records an event in the history of its subject.
void AppendHistory(RowEditor& rows, const EventMeta& meta,
                   absl::string_view event_bytes);

// Type name of the fact an event carries ("CaseOpened"); empty if it carries
// none this version knows.
std::string FactName(const google::protobuf::Message& event);

}  // namespace aftercare::shard

#endif  // AFTERCARE_LIBS_SHARD_HISTORY_ROWS_H_
