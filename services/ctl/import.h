// -----------------------------------------------------------------------------
// File: import.h
// -----------------------------------------------------------------------------
//
// A CSV file into commands through a mapping file (README.md beside this file
// has the form). Streaming; rows of one lane keep their order, lanes run side
// by side. Every command's request_id follows from the mapping's name, the
// row's key and the command's place, so that an import can be repeated, from
// the beginning or from its state file, with one effect.
//
// A row whose commands cannot all be built goes to the reject file before
// anything of it is sent. A row of which the server refuses a command goes
// there too, with the number of commands carried out before: they stay, since
// facts are not taken back.

#ifndef AFTERCARE_SERVICES_CTL_IMPORT_H_
#define AFTERCARE_SERVICES_CTL_IMPORT_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "services/ctl/csv.h"

namespace aftercare::ctl {

// Text with placeholders:
//   {column}               as it is
//   {slug:column}          fit for a resource id; "unknown" when empty
//   {clip:N:column}        at most N bytes, cut between characters
//   {map:TABLE:column}     through a table of the mapping
//   {or:TEXT:column}       TEXT when the column is empty
struct Piece {
  enum class Kind { kText, kColumn, kSlug, kClip, kMap, kOr };
  Kind kind = Kind::kText;
  // The text itself, the table, or what stands in for an empty column.
  std::string text;
  std::string column;
  size_t limit = 0;
};
using Template = std::vector<Piece>;

absl::StatusOr<Template> ParseTemplate(absl::string_view text);

// What {slug:column} makes of a text.
std::string Slug(const std::string& text);

struct CommandMapping {
  const google::protobuf::MethodDescriptor* method = nullptr;
  // By field path, in the file's order. A field whose text comes out empty is
  // left unset.
  std::vector<std::pair<std::string, Template>> fields;
  // Only for rows whose `when_column` has one of these values; empty: always.
  std::string when_column;
  std::vector<std::string> when_in;
  // Refusal reasons that are as good as success (RESOURCE_ALREADY_EXISTS).
  std::vector<std::string> accept;
};

// Named tables of {map:TABLE:column}; the key "*" is the default.
using Tables = std::map<std::string, std::map<std::string, std::string>>;

struct ImportMapping {
  std::string name;
  std::string row_key;  // column
  std::string lane;     // column
  Tables tables;
  std::vector<CommandMapping> commands;
  // Every column that is spoken of; a file without one of them is refused.
  std::set<std::string> columns;
};

// INVALID_ARGUMENT with the line of the first problem: whatever can be known
// before the first row, unknown keys and fields included.
absl::StatusOr<ImportMapping> ParseMapping(const std::string& yaml);

// Columns by name for one row.
using Columns = std::map<std::string, std::string>;

// INVALID_ARGUMENT when a table has neither the value nor a default.
absl::StatusOr<std::string> Expand(const Tables& tables, const Template& text,
                                   const Columns& columns);

struct PlannedCommand {
  const CommandMapping* mapping = nullptr;
  std::unique_ptr<google::protobuf::Message> request;
};

// All commands of a row, request_ids included; nothing is sent.
absl::StatusOr<std::vector<PlannedCommand>> PlanRow(
    const ImportMapping& mapping, const Columns& columns);

struct ImportOptions {
  std::string file;
  CsvDialect dialect;
  std::string state_file;   // empty: none
  std::string reject_file;  // empty: rejects are only counted
  int concurrency = 32;
  bool dry_run = false;
};

struct ImportResult {
  int64_t rows = 0;
  int64_t skipped = 0;  // done by an earlier run
  int64_t imported = 0;
  int64_t rejected = 0;
  int64_t commands = 0;
};

// Sends one command; called from several threads.
using Sender =
    std::function<absl::Status(const google::protobuf::MethodDescriptor&,
                               const google::protobuf::Message&)>;

// An error ends the import early: a column is missing, the file is damaged, the
// state file belongs to another file (INVALID_ARGUMENT or NOT_FOUND without a
// reason); the server stays unreachable or takes no commands from this actor
// (its answer). The state file then says how far it came.
//
// The reject file has the rejected rows in the file's order, behind the line
// where each begins and the reason; the rest of its heading is the file's own,
// so that it can be mended and imported itself. Continuing from a state file
// first takes back what was written after the state.
absl::StatusOr<ImportResult> RunImport(const ImportMapping& mapping,
                                       const ImportOptions& options,
                                       const Sender& send);

}  // namespace aftercare::ctl

#endif  // AFTERCARE_SERVICES_CTL_IMPORT_H_
