// Writes a topic for readers in other languages: facts of the real intake
// service, as its shards append them to a real broker, and among them all that
// must not count. Prints what must come out, as the library's own fold and
// messages have it: one JSON object per fact, in order within each partition,
// then one per partition with its counts.
//
// Exit codes: 0 written; 1 failed; 2 bad flags.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <future>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "libs/base/json.h"
#include "libs/base/names.h"
#include "libs/base/status_macros.h"
#include "libs/handbook/yaml.h"
#include "libs/log/fold.h"
#include "libs/log/kafka_log.h"
#include "libs/shard/request.h"
#include "libs/shard/shard.h"
#include "libs/testing/fake_clock.h"
#include "libs/testing/temp_dir.h"
#include "services/intake/service.h"

namespace aftercare::interop {
namespace {

constexpr int kPartitions = 4;
constexpr absl::Duration kPatience = absl::Seconds(60);
// For clients that put keys where they belong by themselves.
constexpr absl::string_view kKeysTopic = "aftercare.interop.keys";

// Every length of key modulo four, and enough of them for every partition.
constexpr absl::string_view kCustomers[] = {
    "a",    "bo",    "cai",    "dora",      "emile", "feng-1",
    "gu-2", "huang", "io9999", "jonquille", "k-k-k", "long-name-of-a-customer"};

// What a reader may get wrong: quotes, escapes, HTML, other planes, no text.
constexpr absl::string_view kTexts[] = {
    "空调不制冷 🙂",
    "\"quoted\" \\ backslash \\n",
    "<b>&amp;'=</b>",
    "z\u0301 \u2028 \u00a0 \uffef",
    "plain",
};

std::string Quoted(const std::string& text) {
  google::protobuf::StringValue value;
  value.set_value(text);
  return ToJson(value);
}

class Writer {
 public:
  Writer(std::shared_ptr<log::Log> log, handbook::v1::Handbook handbook,
         uint32_t seed)
      : log_(std::move(log)),
        handbook_(std::move(handbook)),
        service_(intake::MakeIntakeService()),
        topic_(service_.topic()),
        random_(seed) {}

  absl::Status Run() {
    RETURN_IF_ERROR(log_->EnsureTopic(topic_, kPartitions));
    RETURN_IF_ERROR(log_->EnsureTopic(kKeysTopic, kPartitions));
    RETURN_IF_ERROR(FirstOwner());
    for (int p = 0; p < kPartitions; ++p) RETURN_IF_ERROR(DeadOwner(p));
    RETURN_IF_ERROR(LastOwner());
    // Shards halt on records that nobody of ours writes, readers do not.
    RETURN_IF_ERROR(Noise(kPartitions - 1, 1200));
    for (int p = 0; p < kPartitions; ++p) RETURN_IF_ERROR(Tell(p));
    return absl::OkStatus();
  }

 private:
  using Shards = std::vector<std::unique_ptr<shard::Shard>>;

  absl::StatusOr<Shards> Own(const std::string& owner) {
    Shards shards;
    for (int p = 0; p < kPartitions; ++p) {
      shard::ShardOptions options;
      options.directory = directory_ / absl::StrCat(owner, "-", p);
      options.owner = owner;
      options.address = "127.0.0.1:1,\"=";
      // However busy the machine: a claim in between would be one more.
      options.append_timeout = kPatience;
      ASSIGN_OR_RETURN(auto shard,
                       shard::Shard::Start(*log_, service_, p, kPartitions,
                                           options, clock_));
      shards.push_back(std::move(shard));
    }
    const absl::Time until = absl::Now() + kPatience;
    for (const auto& shard : shards) {
      while (shard->Status().state != shard::ShardState::kServing) {
        if (absl::Now() > until) {
          return absl::DeadlineExceededError("a shard does not serve");
        }
        absl::SleepFor(absl::Milliseconds(1));
      }
    }
    return shards;
  }

  template <typename Request>
  absl::Status Command(const Shards& shards, absl::string_view method,
                       const std::string& boundary, const Request& request) {
    shard::Command command;
    command.method = service_.FindMethod(method);
    command.request = std::make_shared<Request>(request);
    command.boundary = boundary;
    command.actor = "agent-li";
    command.request_id = absl::StrCat("r-", ++requests_, ", \"ü\"=,claim=7");
    command.fingerprint = shard::Fingerprint(request, command.actor);
    std::promise<absl::StatusOr<shard::CommandResult>> done;
    shards[log::PartitionOf(boundary, kPartitions)]->Submit(
        std::move(command), [&](absl::StatusOr<shard::CommandResult> result) {
          done.set_value(std::move(result));
        });
    return done.get_future().get().status();
  }

  // A case from its opening to its end; a reply that also pauses it is one
  // command with two facts.
  absl::Status Live(const Shards& shards, absl::string_view customer,
                    const std::string& id) {
    namespace v1 = intake::v1;
    const std::string boundary =
        absl::StrCat("companies/acme/customers/", customer);
    const std::string name = absl::StrCat(boundary, "/cases/", id);
    v1::OpenCaseRequest open;
    open.set_parent(boundary);
    open.set_case_id(id);
    open.set_kind(v1::Case::INQUIRY);
    open.set_channel("hotline");
    open.set_subject(Text());
    RETURN_IF_ERROR(Command(shards, "OpenCase", boundary, open));
    v1::ReplyToCaseRequest reply;
    reply.set_name(name);
    reply.set_text(Text());
    reply.set_pause_reason(Text());
    RETURN_IF_ERROR(Command(shards, "ReplyToCase", boundary, reply));
    clock_.Advance(absl::Microseconds(61000001));
    v1::ResumeCaseRequest resume;
    resume.set_name(name);
    RETURN_IF_ERROR(Command(shards, "ResumeCase", boundary, resume));
    v1::ResolveCaseRequest resolve;
    resolve.set_name(name);
    resolve.set_resolution(Text());
    return Command(shards, "ResolveCase", boundary, resolve);
  }

  absl::Status FirstOwner() {
    ASSIGN_OR_RETURN(const Shards shards, Own("first"));
    for (const auto& shard : shards) {
      std::promise<absl::StatusOr<shard::CommandResult>> done;
      shard->SubmitHandbook(handbook_, "operator", absl::InfiniteFuture(),
                            [&](absl::StatusOr<shard::CommandResult> result) {
                              done.set_value(std::move(result));
                            });
      RETURN_IF_ERROR(done.get_future().get().status());
    }
    for (const absl::string_view customer : kCustomers) {
      intake::v1::RegisterCustomerRequest request;
      request.set_parent("companies/acme");
      request.set_customer_id(std::string(customer));
      request.set_display_name(Text());
      RETURN_IF_ERROR(Command(
          shards, "RegisterCustomer",
          absl::StrCat("companies/acme/customers/", customer), request));
      RETURN_IF_ERROR(Live(shards, customer, "k1"));
    }
    return absl::OkStatus();
  }

  // Claims, writes one command whole and dies in the middle of the next. What
  // it writes are the facts of the first owner once more, as its own.
  absl::Status DeadOwner(int p) {
    ASSIGN_OR_RETURN(const auto records, ReadAll(p));
    std::vector<log::Record> facts;
    for (size_t i = records.size() - 3; i < records.size(); ++i) {
      facts.push_back(Unstamped(records[i].record));
    }
    first_claim_[p] = ClaimOf(records.back());
    ASSIGN_OR_RETURN(dead_claim_[p],
                     Append(p, log::MakeClaim({"dead", "n", ""})));
    for (int seq = 0; seq < 4; ++seq) {
      log::Record record = facts[std::min<size_t>(seq, 2)];
      log::StampEvent(record, dead_claim_[p], seq, seq != 1);
      RETURN_IF_ERROR(Append(p, record).status());
    }
    return absl::OkStatus();
  }

  // Serves while what its predecessors had sent still arrives.
  absl::Status LastOwner() {
    ASSIGN_OR_RETURN(const Shards shards, Own("last"));
    for (const absl::string_view customer : kCustomers) {
      RETURN_IF_ERROR(Live(shards, customer, "k2"));
    }
    for (int p = 0; p < kPartitions; ++p) {
      ASSIGN_OR_RETURN(const auto records, ReadAll(p));
      const log::Record fact = Unstamped(records.back().record);
      const int64_t claim = ClaimOf(records.back());
      std::vector<log::Record> late(4, fact);
      log::StampEvent(late[0], first_claim_[p], 0, false);
      log::StampEvent(late[1], first_claim_[p], 1000, true);
      // The end of the group that was cut.
      log::StampEvent(late[2], dead_claim_[p], 4, false);
      // The present owner's, out of turn.
      log::StampEvent(late[3], claim, 1000, false);
      // Duplicates, as they lie in the log.
      for (size_t i = records.size() - 3; i < records.size(); ++i) {
        late.push_back(records[i].record);
      }
      for (const log::Record& record : late) {
        RETURN_IF_ERROR(Append(p, record).status());
      }
      // The cut group's two are void like these.
      void_by_construction_[p] = static_cast<int64_t>(late.size()) + 2;
    }
    for (const absl::string_view customer : kCustomers) {
      RETURN_IF_ERROR(Live(shards, customer, "k3"));
    }
    for (int p = 0; p < kPartitions; ++p) {
      facts_by_shard_[p] = shards[p]->Status().events;
    }
    return CheckConstruction();
  }

  // The fold agrees with what was meant and with what the shards have counted.
  absl::Status CheckConstruction() {
    for (int p = 0; p < kPartitions; ++p) {
      ASSIGN_OR_RETURN(const auto records, ReadAll(p));
      log::Fold fold;
      int64_t facts = 0;
      for (const log::StoredRecord& record : records) {
        facts += static_cast<int64_t>(fold.Apply(record).group.size());
      }
      if (facts != facts_by_shard_[p] ||
          fold.void_records() != void_by_construction_[p]) {
        return absl::InternalError(absl::StrCat(
            "partition ", p, ": ", facts, " facts, ", fold.void_records(),
            " void; of the shard ", facts_by_shard_[p], " facts; meant ",
            void_by_construction_[p], " void"));
      }
    }
    return absl::OkStatus();
  }

  // Records as they may come from anybody, half of them what the fold waits
  // for.
  absl::Status Noise(int p, int count) {
    ASSIGN_OR_RETURN(const auto records, ReadAll(p));
    const log::Record fact = Unstamped(records.back().record);
    int64_t claim = ClaimOf(records.back());
    int64_t next = 1000;
    std::vector<int64_t> claims = {first_claim_[p], dead_claim_[p], claim};
    for (int i = 0; i < count; ++i) {
      log::Record record = fact;
      const uint32_t dice = i == 0 ? 0 : random_() % 100;
      if (dice < 4) {
        ASSIGN_OR_RETURN(claim,
                         Append(p, log::MakeClaim({"", absl::StrCat(i), "x"})));
        claims.push_back(claim);
        next = 0;
        continue;
      }
      if (dice < 54) {
        log::StampEvent(record, claim, next, random_() % 3 == 0);
        ++next;
      } else if (dice < 64) {  // again
        log::StampEvent(record, claim, std::max<int64_t>(next - 1, 0),
                        random_() % 2 == 0);
        if (next == 0) ++next;
      } else if (dice < 70) {  // too early
        log::StampEvent(record, claim, next + 1 + random_() % 3, false);
      } else if (dice < 80) {  // a deposed owner's, often with the right seq
        log::StampEvent(record, claims[random_() % (claims.size() - 1)],
                        random_() % 2 == 0 ? next : 0, random_() % 2 == 0);
      } else if (dice < 84) {  // the last of a name given twice
        log::StampEvent(record, claim, next + 5, false);
        log::StampEvent(record, claim, next, false);
        ++next;
      } else if (dice < 90) {  // `more` is 1 or it is not set
        record.headers.emplace_back("seq", absl::StrCat(next));
        record.headers.emplace_back("more", dice % 2 == 0 ? "true" : "");
        record.headers.emplace_back("claim", absl::StrCat(claim));
        ++next;
      } else if (dice < 93) {
        record.headers.emplace_back("claim", absl::StrCat(claim));
      } else if (dice < 96) {
        record.headers.emplace_back("seq", absl::StrCat(next));
      } else if (dice < 98) {
        record.headers.emplace_back("claim", "-1");
        record.headers.emplace_back("seq", dice % 2 == 0 ? "" : "zero");
      } else {
        record = log::Record();
      }
      RETURN_IF_ERROR(Append(p, std::move(record)).status());
    }
    // The topic ends within a command.
    log::Record open = fact;
    log::StampEvent(open, claim, next, true);
    return Append(p, std::move(open)).status();
  }

  absl::Status Tell(int p) {
    ASSIGN_OR_RETURN(const auto records, ReadAll(p));
    log::Fold fold;
    int64_t facts = 0;
    int64_t claims = 0;
    for (const log::StoredRecord& record : records) {
      const log::FoldStep step = fold.Apply(record);
      if (step.kind == log::FoldStep::Kind::kClaim) ++claims;
      for (const log::StoredRecord& fact : step.group) {
        ++facts;
        RETURN_IF_ERROR(TellFact(p, fact));
      }
    }
    std::cout << absl::StrCat(
        "{\"partition\":", p, ",\"facts\":", facts, ",\"claims\":", claims,
        ",\"void\":", fold.void_records(), ",\"pending\":",
        static_cast<int64_t>(records.size()) - facts - claims -
            fold.void_records(),
        "}\n");
    return absl::OkStatus();
  }

  static absl::Status TellFact(int p, const log::StoredRecord& fact) {
    intake::v1::IntakeEvent event;
    if (!event.ParseFromString(fact.record.value)) {
      return absl::DataLossError("a fact does not parse");
    }
    // Readers take the last of a name.
    std::map<std::string, std::string> headers;
    for (const auto& [name, value] : fact.record.headers) {
      headers[name] = value;
    }
    std::string headers_json;
    for (const auto& [name, value] : headers) {
      absl::StrAppend(&headers_json, headers_json.empty() ? "" : ",",
                      Quoted(name), ":", Quoted(value));
    }
    std::cout << absl::StrCat(
        "{\"partition\":", p, ",\"offset\":", fact.offset,
        ",\"key\":", Quoted(fact.record.key),
        ",\"key_partition\":", log::PartitionOf(fact.record.key, kPartitions),
        ",\"headers\":{", headers_json, "},\"event\":", ToJson(event), "}\n");
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<log::StoredRecord>> ReadAll(int p) {
    const log::TopicPartition partition{topic_, p};
    ASSIGN_OR_RETURN(const int64_t end, log_->End(partition));
    ASSIGN_OR_RETURN(auto reader, log_->OpenReader(partition, 0));
    std::vector<log::StoredRecord> records;
    while (reader->position() < end) {
      ASSIGN_OR_RETURN(auto batch, reader->Read(1000, kPatience));
      if (batch.empty()) return absl::UnavailableError("nothing to read");
      std::move(batch.begin(), batch.end(), std::back_inserter(records));
    }
    return records;
  }

  // With a producer of its own per partition, which no shard knows of.
  absl::StatusOr<int64_t> Append(int p, log::Record record) {
    auto& appender = appenders_[p];
    if (appender == nullptr) {
      ASSIGN_OR_RETURN(appender, log_->OpenAppender({topic_, p}));
    }
    std::promise<absl::StatusOr<int64_t>> done;
    appender->Append(std::move(record), [&](absl::StatusOr<int64_t> offset) {
      done.set_value(std::move(offset));
    });
    return done.get_future().get();
  }

  static log::Record Unstamped(log::Record record) {
    std::erase_if(record.headers, [](const auto& header) {
      return header.first == log::kClaimHeader ||
             header.first == log::kSeqHeader ||
             header.first == log::kMoreHeader;
    });
    return record;
  }

  static int64_t ClaimOf(const log::StoredRecord& record) {
    return std::stoll(std::string(record.record.Header(log::kClaimHeader)));
  }

  std::string Text() {
    return std::string(kTexts[texts_++ % std::size(kTexts)]);
  }

  const testing::TempDir directory_;
  const std::shared_ptr<log::Log> log_;
  const handbook::v1::Handbook handbook_;
  const shard::Service service_;
  const std::string topic_;
  testing::FakeClock clock_{
      ParseRfc3339("2026-03-02T09:00:00.000001+08:00").value()};
  std::mt19937 random_;
  int requests_ = 0;
  size_t texts_ = 0;
  std::map<int, std::unique_ptr<log::Appender>> appenders_;
  std::map<int, int64_t> first_claim_;
  std::map<int, int64_t> dead_claim_;
  std::map<int, int64_t> void_by_construction_;
  std::map<int, int64_t> facts_by_shard_;
};

absl::Status Main(const std::string& bootstrap, const std::string& handbook,
                  uint32_t seed) {
  log::KafkaLogOptions options;
  options.properties["bootstrap.servers"] = bootstrap;
  options.replication_factor = 1;
  options.min_insync_replicas = 1;
  ASSIGN_OR_RETURN(std::shared_ptr<log::Log> log,
                   log::KafkaLog::Open(std::move(options)));
  std::stringstream text;
  text << std::ifstream(handbook).rdbuf();
  auto loaded = handbook::LoadHandbook(text.str());
  if (!loaded.problems.empty()) {
    return absl::InvalidArgumentError(
        handbook::FormatProblems(handbook, loaded.problems));
  }
  return Writer(std::move(log), std::move(loaded.handbook), seed).Run();
}

}  // namespace
}  // namespace aftercare::interop

int main(int argc, char** argv) {
  CLI::App app{"Writes a topic for readers in other languages."};
  std::string bootstrap;
  std::string handbook;
  uint32_t seed = 1;
  app.add_option("--bootstrap", bootstrap, "brokers")->required();
  app.add_option("--handbook", handbook, "YAML file")->required();
  app.add_option("--seed", seed, "of the noise in the last partition");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const absl::Status status =
      aftercare::interop::Main(bootstrap, handbook, seed);
  if (status.ok()) return 0;
  std::cerr << "interop_writer: " << status << "\n";
  return 1;
}
