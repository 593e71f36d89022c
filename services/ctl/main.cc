// aftercarectl: every command and query from a shell. README.md beside this
// file has the tour; `aftercarectl help` lists services, `aftercarectl help
// intake open-case` the flags of a method.
//
// Exit codes: 0 done, 1 refused by the service (also: a process asked about
// partitions it does not own, an import with rejected rows, a log that cannot
// be copied), 2 wrong usage or input, 3 server or brokers not reached, 4
// verification found a difference or a handbook has problems.

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "google/protobuf/util/json_util.h"
#include "libs/base/ids.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/handbook/yaml.h"
#include "libs/log/kafka_log.h"
#include "libs/log/kafka_properties.h"
#include "libs/process/logging.h"
#include "libs/process/random.h"
#include "libs/rpc/client.h"
#include "libs/rpc/gateway.h"
#include "services/ctl/fields.h"
#include "services/ctl/import.h"
#include "services/ctl/log_copy.h"
#include "services/ctl/methods.h"
#include "services/ctl/text.h"

namespace aftercare::ctl {
namespace {

constexpr char kImportUsage[] =
    "import --mapping FILE --file CSV [--encoding E] "
    "[--delimiter comma|semicolon|tab] [--state FILE] [--reject FILE] "
    "[--concurrency N] [--dry-run]";
constexpr char kLogUsage[] =
    "log copy|verify --from LOG --to LOG [--topics T,...] "
    "[--kafka.set NAME=VALUE] [--kafka.config FILE] "
    "[--kafka.replication-factor N] [--kafka.min-insync-replicas N]; a LOG is "
    "embedded:DIRECTORY or kafka:HOST:PORT[,...]";

enum Exit {
  kDone = 0,
  kRefused = 1,
  kUsage = 2,
  kUnreachable = 3,
  kDiffers = 4
};

struct Globals {
  std::string server = "127.0.0.1:7400";
  std::string actor;
  std::string request_id;
  absl::Duration deadline = absl::Seconds(30);
  bool json = false;
  bool any = false;  // rows that may be behind will do
};

// "--name value" pairs in order; a flag without a value is "true".
struct Arguments {
  std::vector<std::string> words;
  std::vector<std::pair<std::string, std::string>> flags;
  std::set<std::string> bare;  // flags without a value

  std::string Flag(const std::string& name,
                   const std::string& fallback = "") const {
    std::string value = fallback;
    for (const auto& [flag, text] : flags) {
      if (flag == name) value = text;
    }
    return value;
  }
  bool Has(const std::string& name) const {
    for (const auto& [flag, text] : flags) {
      if (flag == name) return true;
    }
    return false;
  }
};

// True for a field of the request that is a bool.
bool IsSwitch(const google::protobuf::Message& request, std::string flag) {
  std::replace(flag.begin(), flag.end(), '-', '_');
  const auto* field = request.GetDescriptor()->FindFieldByName(flag);
  return field != nullptr && !field->is_repeated() &&
         field->type() == google::protobuf::FieldDescriptor::TYPE_BOOL;
}

int Usage(const std::string& problem) {
  std::cerr << problem << "\n";
  return kUsage;
}

// The first flag that is none of `known`; empty: none.
std::string UnknownFlag(const Arguments& arguments,
                        const std::vector<std::string>& known) {
  for (const auto& [flag, text] : arguments.flags) {
    if (std::find(known.begin(), known.end(), flag) == known.end()) {
      return flag;
    }
  }
  return "";
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(path + " cannot be read");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

template <typename Message, typename Predicate>
void Keep(google::protobuf::RepeatedPtrField<Message>& all,
          Predicate predicate) {
  all.erase(std::remove_if(all.begin(), all.end(), std::not_fn(predicate)),
            all.end());
}

class Ctl {
 public:
  explicit Ctl(Globals globals)
      : globals_(std::move(globals)), client_(globals_.server) {}

  int Run(const Arguments& arguments) {
    bare_ = arguments.bare;
    const std::vector<std::string>& words = arguments.words;
    const bool help = arguments.Has("help");
    if (words.empty() && !help && !arguments.flags.empty()) {
      return Usage(absl::StrCat("there is no --", arguments.flags[0].first,
                                " without a command; see aftercarectl help"));
    }
    if (words.empty() || words[0] == "help" || help) {
      return Help(words);
    }
    struct Verb {
      std::vector<std::string> flags;
      int (Ctl::*run)(const Arguments&);
    };
    static const auto* const verbs = new std::map<std::string, Verb>{
        {"status", {{"service"}, &Ctl::Status}},
        {"verify", {{"service"}, &Ctl::Verify}},
        {"checkpoint", {{}, &Ctl::Checkpoint}},
        {"as-of", {{"occurred", "recorded"}, &Ctl::AsOf}},
        {"events", {{"service", "partition", "from", "follow"}, &Ctl::Events}},
        {"parked", {{"service"}, &Ctl::Parked}},
        {"import",
         {{"mapping", "file", "encoding", "delimiter", "state", "reject",
           "concurrency", "dry-run"},
          &Ctl::Import}},
        {"log",
         {{"from", "to", "topics", "kafka.set", "kafka.config",
           "kafka.replication-factor", "kafka.min-insync-replicas"},
          &Ctl::Log}},
    };
    // `handbook` is a service too.
    if (words[0] == "handbook" && words.size() >= 2 &&
        (words[1] == "check" || words[1] == "apply")) {
      if (const std::string flag = UnknownFlag(arguments, {}); !flag.empty()) {
        return Usage(absl::StrCat("there is no --", flag));
      }
      const std::vector<std::string> files(words.begin() + 2, words.end());
      return words[1] == "check" ? CheckHandbooks(files) : ApplyHandbook(files);
    }
    const auto verb = verbs->find(words[0]);
    if (verb != verbs->end()) {
      const std::string flag = UnknownFlag(arguments, verb->second.flags);
      if (!flag.empty()) {
        return Usage(absl::StrCat(words[0], " has no --", flag));
      }
      return (this->*verb->second.run)(arguments);
    }
    if (words.size() != 2) {
      return Usage(
          "aftercarectl SERVICE METHOD [--field value ...]; see "
          "aftercarectl help");
    }
    return Call(words[0], words[1], arguments.flags);
  }

 private:
  using Flags = std::vector<std::pair<std::string, std::string>>;

  rpc::Client::Call Options(bool retry) const {
    rpc::Client::Call call;
    call.actor = globals_.actor;
    call.deadline = globals_.deadline;
    call.retry = retry;
    if (globals_.any) call.metadata[rpc::kFreshnessMetadata] = "any";
    return call;
  }

  int Fail(const absl::Status& status) const {
    std::cerr << (globals_.json ? ToJson(status) + "\n" : ToText(status));
    if (absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status)) {
      return kUnreachable;
    }
    return kRefused;
  }

  void Print(const google::protobuf::Message& message) const {
    std::cout << (globals_.json ? ToJson(message) + "\n" : ToText(message));
  }

  // `help`, `help SERVICE`, `help SERVICE METHOD`; the last also as
  // `SERVICE METHOD --help`.
  int Help(std::vector<std::string> words) const {
    if (!words.empty() && words[0] == "help") words.erase(words.begin());
    if (words.size() >= 2 && FindMethod(words[0], words[1]).ok()) {
      std::cout << Describe(**FindMethod(words[0], words[1]));
      return kDone;
    }
    std::string services;
    for (const auto* service : Services()) {
      if (!words.empty() && ShortName(*service) != words[0]) continue;
      services += Describe(*service);
    }
    if (words.size() == 1 && !services.empty()) {
      std::cout << services;
      return kDone;
    }
    std::cout
        << "aftercarectl [--server H:P] [--actor NAME] [--json] [--deadline "
           "30s]"
           " [--request-id ID] [--any]\n"
           "  SERVICE METHOD [--field value ...] [--request '{JSON}' | "
           "--request @FILE]\n"
           "  help SERVICE | help SERVICE METHOD\n"
           "  handbook check FILE... | handbook apply FILE\n"
           "  "
        << kImportUsage << "\n  " << kLogUsage
        << "\n"
           "Of the process asked alone:\n"
           "  status [--service S] | verify [--service S]\n"
           "  parked list [--service S] | parked retry|skip REACTION EVENT\n"
           "  checkpoint DIRECTORY (on the server: absolute, not there yet)\n"
           "From the log, at any process:\n"
           "  as-of NAME --occurred TIME | --recorded TIME\n"
           "  events tail --service S [--partition P] [--from N] [--follow]\n"
           "Environment: AFTERCARE_SERVER, AFTERCARE_ACTOR\n\n";
    if (!words.empty()) {
      return Usage(
          absl::StrCat("nothing is called '", absl::StrJoin(words, " "), "'"));
    }
    std::cout << services;
    return kDone;
  }

  int Status(const Arguments& arguments) {
    if (arguments.words.size() != 1) return Usage("status [--service S]");
    auto status = Ask<admin::v1::Status>("admin", "get-status",
                                         admin::v1::GetStatusRequest());
    if (!status.ok()) return Fail(status.status());
    const std::string service = arguments.Flag("service");
    if (!service.empty()) {
      Keep(*status->mutable_shards(), [&](const admin::v1::Shard& shard) {
        return shard.service() == service;
      });
      Keep(*status->mutable_reactions(),
           [&](const admin::v1::Reaction& reaction) {
             return IsReactionOf(service, reaction.name());
           });
      if (status->shards().empty()) return OwnsNone(service);
    }
    Print(*status);
    return kDone;
  }

  static bool IsReactionOf(const std::string& service,
                           const std::string& reaction) {
    return service.empty() || absl::StartsWith(reaction, service + "<");
  }

  // An answer about no partition would look like all being well.
  int OwnsNone(const std::string& service) const {
    return Fail(absl::FailedPreconditionError(
        absl::StrCat("the process at ", globals_.server, " owns no partition",
                     service.empty() ? "" : " of ", service,
                     "; this is about the process asked alone (--server)")));
  }

  // Whether the process asked owns a partition of the service, or with none
  // named of any.
  absl::StatusOr<bool> Owns(const std::string& service) {
    ASSIGN_OR_RETURN(const auto status,
                     Ask<admin::v1::Status>("admin", "get-status",
                                            admin::v1::GetStatusRequest()));
    return std::any_of(
        status.shards().begin(), status.shards().end(),
        [&](const admin::v1::Shard& shard) {
          return (service.empty() || shard.service() == service) &&
                 shard.state() != admin::v1::Shard::FOLLOWING;
        });
  }

  int Checkpoint(const Arguments& arguments) {
    if (arguments.words.size() != 2) {
      return Usage(
          "checkpoint DIRECTORY: an absolute path on the server that does not "
          "exist yet");
    }
    const auto owns = Owns("");
    if (!owns.ok()) return Fail(owns.status());
    if (!*owns) return OwnsNone("");
    return Call("admin", "write-checkpoint",
                {{"directory", arguments.words[1]}});
  }

  // Any method of any service.
  int Call(const std::string& service, const std::string& name,
           const Flags& flags) {
    auto method = FindMethod(service, name);
    if (!method.ok()) return Usage(std::string(method.status().message()));
    auto request = NewRequest(**method);
    for (const auto& [flag, text] : flags) {
      if (flag == "request") {
        std::string json = text;
        if (absl::StartsWith(text, "@")) {
          auto file = ReadFile(text.substr(1));
          if (!file.ok()) return Usage(std::string(file.status().message()));
          json = *file;
        }
        if (!google::protobuf::util::JsonStringToMessage(json, request.get())
                 .ok()) {
          return Usage("--request is no JSON of the request");
        }
        continue;
      }
      if (bare_.contains(flag) && !IsSwitch(*request, flag)) {
        return Usage(absl::StrCat("--", flag, " needs a value"));
      }
      if (absl::Status bad = SetField(*request, flag, text); !bad.ok()) {
        return Usage(std::string(bad.message()));
      }
    }
    // A command that can be repeated safely is repeated while the server is
    // away.
    bool repeatable = IsQuery(**method);
    if (const auto* field =
            request->GetDescriptor()->FindFieldByName("request_id")) {
      const auto* reflection = request->GetReflection();
      if (reflection->GetString(*request, field).empty()) {
        reflection->SetString(
            request.get(), field,
            globals_.request_id.empty() ? RandomId() : globals_.request_id);
      }
      repeatable = true;
    }
    auto answer = client_.Invoke(**method, *request, Options(repeatable));
    if (!answer.ok()) return Fail(answer.status());
    Print(**answer);
    return kDone;
  }

  template <typename Response>
  absl::StatusOr<Response> Ask(const std::string& service,
                               const std::string& name,
                               const google::protobuf::Message& request) {
    auto method = FindMethod(service, name);
    if (!method.ok()) return method.status();
    return client_.Invoke<Response>(**method, request, Options(true));
  }

  int Verify(const Arguments& arguments) {
    if (arguments.words.size() != 1) return Usage("verify [--service S]");
    admin::v1::VerifyShardsRequest request;
    request.set_service(arguments.Flag("service"));
    // The long deadline is for the work, not for finding the server.
    const auto owns = Owns(request.service());
    if (!owns.ok()) return Fail(owns.status());
    if (!*owns) return OwnsNone(request.service());
    globals_.deadline = std::max(globals_.deadline, absl::Minutes(30));
    auto answer =
        Ask<admin::v1::VerifyShardsResponse>("admin", "verify-shards", request);
    if (!answer.ok()) return Fail(answer.status());
    if (globals_.json) {
      Print(*answer);
    } else {
      std::vector<std::vector<std::string>> rows = {
          {"shard", "offset", "digest", "verdict"}};
      for (const auto& verdict : answer->verdicts()) {
        rows.push_back(
            {absl::StrCat(verdict.service(), "/", verdict.partition()),
             absl::StrCat(verdict.offset()), verdict.live_digest(),
             verdict.ok() ? "live = recounted = replayed" : verdict.problem()});
      }
      std::cout << Table(rows);
    }
    return answer->ok() ? kDone : kDiffers;
  }

  int AsOf(const Arguments& arguments) {
    if (arguments.words.size() != 2 ||
        arguments.Has("occurred") == arguments.Has("recorded")) {
      return Usage("as-of NAME --occurred TIME | --recorded TIME");
    }
    admin::v1::ReadAsOfRequest request;
    request.set_name(arguments.words[1]);
    const bool occurred = arguments.Has("occurred");
    if (absl::Status bad =
            SetField(request, occurred ? "occur_time" : "record_time",
                     arguments.Flag(occurred ? "occurred" : "recorded"));
        !bad.ok()) {
      return Usage(std::string(bad.message()));
    }
    auto answer =
        Ask<admin::v1::ReadAsOfResponse>("admin", "read-as-of", request);
    if (!answer.ok()) return Fail(answer.status());
    if (globals_.json) {
      std::cout << (answer->json().empty() ? "null" : answer->json()) << "\n";
      return kDone;
    }
    if (answer->json().empty()) {
      std::cout << "did not exist then\n";
      return kDone;
    }
    const auto* type = google::protobuf::DescriptorPool::generated_pool()
                           ->FindMessageTypeByName(answer->type());
    std::unique_ptr<google::protobuf::Message> row(
        type == nullptr ? nullptr
                        : google::protobuf::MessageFactory::generated_factory()
                              ->GetPrototype(type)
                              ->New());
    if (row != nullptr &&
        google::protobuf::util::JsonStringToMessage(answer->json(), row.get())
            .ok()) {
      Print(*row);
    } else {
      // A server newer than this program.
      std::cout << Printable(answer->json()) << "\n";
    }
    return kDone;
  }

  int Events(const Arguments& arguments) {
    if (arguments.words.size() != 2 || arguments.words[1] != "tail") {
      return Usage("events tail --service S [--partition P] [--from N]");
    }
    admin::v1::ReadEventsRequest request;
    request.set_service(arguments.Flag("service"));
    int32_t partition = 0;
    int64_t from = 0;
    if (!absl::SimpleAtoi(arguments.Flag("partition", "0"), &partition) ||
        !absl::SimpleAtoi(arguments.Flag("from", "0"), &from)) {
      return Usage("--partition and --from are numbers");
    }
    request.set_partition(partition);
    request.set_offset(from);
    const bool follow = arguments.Has("follow");
    if (follow) request.mutable_wait()->set_seconds(5);
    while (true) {
      auto answer =
          Ask<admin::v1::ReadEventsResponse>("admin", "read-events", request);
      if (!answer.ok()) return Fail(answer.status());
      for (const auto& entry : answer->entries()) {
        if (globals_.json) {
          std::cout << ToJson(entry) << "\n";
          continue;
        }
        std::cout << EventLine(entry) << "\n";
      }
      std::cout.flush();
      if (answer->entries().empty() && !follow) return kDone;
      request.set_offset(answer->next_offset());
    }
  }

  int Parked(const Arguments& arguments) {
    const auto& words = arguments.words;
    if (words.size() == 2 && words[1] == "list") {
      const std::string service = arguments.Flag("service");
      const auto owns = Owns(service);
      if (!owns.ok()) return Fail(owns.status());
      if (!*owns) return OwnsNone(service);
      auto all = Ask<admin::v1::ListParkedResponse>(
          "admin", "list-parked", admin::v1::ListParkedRequest());
      if (!all.ok()) return Fail(all.status());
      Keep(*all->mutable_parked(), [&](const admin::v1::Parked& parked) {
        return IsReactionOf(service, parked.reaction());
      });
      Print(*all);
      return kDone;
    }
    if (words.size() == 4 && !arguments.Has("service") &&
        (words[1] == "retry" || words[1] == "skip")) {
      return Call("admin", "resolve-parked",
                  {{"reaction", words[2]},
                   {"event_id", words[3]},
                   {"action", words[1]}});
    }
    return Usage(
        "parked list [--service S] | parked retry|skip REACTION EVENT");
  }

  int CheckHandbooks(const std::vector<std::string>& files) const {
    if (files.empty()) return Usage("handbook check FILE...");
    bool good = true;
    std::vector<std::string> found;
    for (const std::string& file : files) {
      auto text = ReadFile(file);
      if (!text.ok()) return Usage(std::string(text.status().message()));
      const auto loaded = handbook::LoadHandbook(*text);
      good &= loaded.problems.empty();
      if (!globals_.json) {
        std::cout << (loaded.problems.empty()
                          ? file + ": good\n"
                          : handbook::FormatProblems(file, loaded.problems));
      }
      for (absl::string_view line :
           absl::StrSplit(handbook::FormatProblems(file, loaded.problems), '\n',
                          absl::SkipEmpty())) {
        found.push_back(JsonQuote(line));
      }
    }
    if (globals_.json) {
      std::cout << "{\"problems\":[" << absl::StrJoin(found, ",") << "]}\n";
    }
    return good ? kDone : kDiffers;
  }

  int ApplyHandbook(const std::vector<std::string>& files) {
    if (files.size() != 1) return Usage("handbook apply FILE");
    const std::string& file = files[0];
    auto text = ReadFile(file);
    if (!text.ok()) return Usage(std::string(text.status().message()));
    const auto loaded = handbook::LoadHandbook(*text);
    if (!loaded.problems.empty()) {
      std::cerr << handbook::FormatProblems(file, loaded.problems);
      return kDiffers;
    }
    handbook::v1::ApplyHandbookRequest request;
    *request.mutable_handbook() = loaded.handbook;
    auto answer =
        Ask<handbook::v1::Handbook>("handbook", "apply-handbook", request);
    if (!answer.ok()) return Fail(answer.status());
    if (globals_.json) {
      std::cout << "{\"company\":" << JsonQuote(answer->company())
                << ",\"version\":" << answer->version() << "}\n";
    } else {
      std::cout << answer->company() << " version " << answer->version()
                << " published\n";
    }
    return kDone;
  }

  int Import(const Arguments& arguments) {
    ImportOptions options;
    options.file = arguments.Flag("file");
    options.dialect.encoding = arguments.Flag("encoding", "utf-8");
    options.state_file = arguments.Flag("state");
    options.reject_file = arguments.Flag("reject");
    options.dry_run = arguments.Has("dry-run");
    const std::string delimiter = arguments.Flag("delimiter", "comma");
    if (delimiter == "semicolon") {
      options.dialect.delimiter = ';';
    } else if (delimiter == "tab") {
      options.dialect.delimiter = '\t';
    } else if (delimiter != "comma") {
      return Usage("--delimiter is comma, semicolon or tab");
    }
    if (arguments.words.size() != 1 || options.file.empty() ||
        !arguments.Has("mapping") ||
        !absl::SimpleAtoi(arguments.Flag("concurrency", "32"),
                          &options.concurrency) ||
        options.concurrency < 1 || options.concurrency > 1024) {
      return Usage(kImportUsage);
    }
    auto text = ReadFile(arguments.Flag("mapping"));
    if (!text.ok()) return Usage(std::string(text.status().message()));
    auto mapping = ParseMapping(*text);
    if (!mapping.ok()) {
      return Usage(absl::StrCat(arguments.Flag("mapping"), ": ",
                                mapping.status().message()));
    }
    auto result = RunImport(
        *mapping, options,
        [this](const google::protobuf::MethodDescriptor& method,
               const google::protobuf::Message& request) {
          return client_.Invoke(method, request, Options(true)).status();
        });
    if (!result.ok()) {
      const absl::Status& status = result.status();
      const bool of_input =
          ReasonOf(status).empty() &&
          (absl::IsInvalidArgument(status) || absl::IsNotFound(status));
      return of_input ? Usage(std::string(status.message())) : Fail(status);
    }
    const std::vector<std::pair<std::string, int64_t>> counts = {
        {"rows", result->rows},
        {"imported", result->imported},
        {"rejected", result->rejected},
        {"done_before", result->skipped},
        {"commands", result->commands}};
    if (globals_.json) {
      std::cout << "{"
                << absl::StrJoin(counts, ",",
                                 [](std::string* out, const auto& count) {
                                   absl::StrAppend(out, JsonQuote(count.first),
                                                   ":", count.second);
                                 })
                << "}\n";
    } else {
      std::cout << Table({{"rows", absl::StrCat(result->rows)},
                          {"imported", absl::StrCat(result->imported)},
                          {"rejected", absl::StrCat(result->rejected)},
                          {"done before", absl::StrCat(result->skipped)},
                          {"commands", absl::StrCat(result->commands)}});
    }
    return result->rejected == 0 ? kDone : kRefused;
  }

  static absl::StatusOr<log::KafkaLogOptions> KafkaOptions(
      const Arguments& arguments) {
    log::KafkaLogOptions options;
    for (const auto& [flag, text] : arguments.flags) {
      if (flag == "kafka.set") {
        RETURN_IF_ERROR(log::AddKafkaProperty(text, options.properties));
      } else if (flag == "kafka.config") {
        RETURN_IF_ERROR(log::ReadKafkaProperties(text, options.properties));
      }
    }
    const auto number = [&](const char* flag, int& value) {
      return !arguments.Has(flag) ||
             absl::SimpleAtoi(arguments.Flag(flag), &value);
    };
    if (!number("kafka.replication-factor", options.replication_factor) ||
        !number("kafka.min-insync-replicas", options.min_insync_replicas) ||
        options.min_insync_replicas < 1 ||
        options.replication_factor < options.min_insync_replicas) {
      return absl::InvalidArgumentError(
          "--kafka.replication-factor is a number, at least "
          "--kafka.min-insync-replicas, and that at least 1");
    }
    return options;
  }

  // `log copy` and `log verify`.
  int Log(const Arguments& arguments) {
    const auto& words = arguments.words;
    if (words.size() != 2 || (words[1] != "copy" && words[1] != "verify") ||
        !arguments.Has("from") || !arguments.Has("to")) {
      return Usage(kLogUsage);
    }
    const auto result = CopyOrVerify(arguments, words[1] == "copy");
    if (!result.ok()) {
      const absl::Status& status = result.status();
      return absl::IsInvalidArgument(status) || absl::IsNotFound(status)
                 ? Usage(std::string(status.message()))
                 : Fail(status);
    }
    PrintCopied(*result, words[1] == "copy");
    const bool same = std::all_of(
        result->begin(), result->end(),
        [](const CopiedPartition& one) { return one.difference.empty(); });
    return same ? kDone : kDiffers;
  }

  absl::StatusOr<std::vector<CopiedPartition>> CopyOrVerify(
      const Arguments& arguments, bool copy) const {
    ASSIGN_OR_RETURN(const LogAddress from,
                     ParseLogAddress(arguments.Flag("from")));
    ASSIGN_OR_RETURN(const LogAddress to,
                     ParseLogAddress(arguments.Flag("to")));
    if (SameLog(from, to)) {
      return absl::InvalidArgumentError("--from and --to are the same log");
    }
    ASSIGN_OR_RETURN(const log::KafkaLogOptions kafka, KafkaOptions(arguments));
    CopyOptions options;
    options.topics =
        absl::StrSplit(arguments.Flag("topics"), ',', absl::SkipWhitespace());
    const bool terminal = isatty(STDERR_FILENO) != 0;
    absl::Time next = absl::Now() + absl::Seconds(1);
    bool told = false;
    options.progress = [&](const CopyProgress& progress) {
      if (absl::Now() < next) return;
      next = absl::Now() + absl::Seconds(terminal ? 1 : 10);
      told = true;
      const char* const step =
          progress.step == CopyProgress::Step::kCheck  ? "checking"
          : progress.step == CopyProgress::Step::kCopy ? "copying"
                                                       : "verifying";
      // On a terminal one line that changes.
      std::cerr << (terminal ? "\r\x1b[K" : "") << step << " "
                << progress.partition.topic << "/"
                << progress.partition.partition << ": " << progress.done
                << " of " << progress.total << " records"
                << (terminal ? "" : "\n") << std::flush;
    };
    ASSIGN_OR_RETURN(const auto source, OpenSource(from, kafka));
    ASSIGN_OR_RETURN(const auto target,
                     copy ? OpenTarget(to, kafka) : OpenSource(to, kafka));
    auto result = copy ? CopyLog(*source, *target, options)
                       : VerifyCopy(*source, *target, options);
    if (told && terminal) std::cerr << "\r\x1b[K";
    return result;
  }

  // What was copied is said only of a copy.
  void PrintCopied(const std::vector<CopiedPartition>& partitions,
                   bool copy) const {
    const auto digest = [](uint64_t value) {
      return absl::StrCat(absl::Hex(value, absl::kZeroPad16));
    };
    if (globals_.json) {
      std::vector<std::string> all;
      for (const CopiedPartition& one : partitions) {
        const std::string counts =
            copy ? absl::StrCat(",\"copied\":", one.copied,
                                ",\"already_there\":", one.already_there)
                 : "";
        all.push_back(absl::StrCat(
            "{\"topic\":", JsonQuote(one.partition.topic),
            ",\"partition\":", one.partition.partition,
            ",\"records\":", one.records, ",\"digest\":\"", digest(one.digest),
            "\"", counts, ",\"difference\":", JsonQuote(one.difference), "}"));
      }
      std::cout << "{\"partitions\":[" << absl::StrJoin(all, ",") << "]}\n";
      return;
    }
    std::vector<std::vector<std::string>> rows = {
        {"topic", "partition", "records", "digest"}};
    if (copy) rows[0].insert(rows[0].end(), {"copied", "already there"});
    rows[0].push_back("verdict");
    for (const CopiedPartition& one : partitions) {
      rows.push_back({one.partition.topic,
                      absl::StrCat(one.partition.partition),
                      absl::StrCat(one.records), digest(one.digest)});
      if (copy) {
        rows.back().insert(
            rows.back().end(),
            {absl::StrCat(one.copied), absl::StrCat(one.already_there)});
      }
      rows.back().push_back(one.difference.empty() ? "source = target"
                                                   : one.difference);
    }
    std::cout << Table(rows);
  }

  Globals globals_;
  std::set<std::string> bare_;
  rpc::Client client_;
};

int Main(int argc, char** argv) {
  Globals globals;
  if (const char* server = std::getenv("AFTERCARE_SERVER")) {
    globals.server = server;
  }
  if (const char* actor = std::getenv("AFTERCARE_ACTOR")) {
    globals.actor = actor;
  }
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (!absl::StartsWith(word, "--")) {
      arguments.words.push_back(word);
      continue;
    }
    word = word.substr(2);
    std::string value = "true";
    if (const size_t equals = word.find('='); equals != std::string::npos) {
      value = word.substr(equals + 1);
      word.resize(equals);
    } else if (word != "json" && word != "dry-run" && word != "follow" &&
               word != "help" && word != "any" && i + 1 < argc &&
               !absl::StartsWith(argv[i + 1], "--")) {
      value = argv[++i];
    } else {
      arguments.bare.insert(word);
    }
    if (word == "server") {
      globals.server = value;
    } else if (word == "actor") {
      globals.actor = value;
    } else if (word == "request-id") {
      globals.request_id = value;
    } else if (word == "json") {
      globals.json = value != "false";
    } else if (word == "any") {
      globals.any = value != "false";
    } else if (word == "deadline") {
      auto deadline = handbook::ParseDuration(value);
      if (!deadline.ok())
        return Usage(std::string(deadline.status().message()));
      globals.deadline = *deadline;
    } else {
      arguments.flags.emplace_back(word, value);
    }
  }
  return Ctl(globals).Run(arguments);
}

}  // namespace
}  // namespace aftercare::ctl

int main(int argc, char** argv) { return aftercare::ctl::Main(argc, argv); }
