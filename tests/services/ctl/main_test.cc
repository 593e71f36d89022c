// aftercarectl against a real aftercared: exit codes, both forms of output, a
// case from its first call to the score it gives, imports that are cut off.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"
#include "libs/testing/temp_dir.h"
#include "services/ctl/csv.h"
#include "services/ctl/import.h"
#include "tests/libs/handbook/demo_handbook.h"
#include "tests/services/ctl/ctl.h"
#include "tests/services/ctl/files.h"
#include "tests/system/daemon.h"

namespace aftercare::ctl {
namespace {

using ::aftercare::testing::Ctl;
using ::aftercare::testing::Daemon;
using ::aftercare::testing::ReadFile;
using ::aftercare::testing::TempDir;
using ::aftercare::testing::WriteFile;
using ::aftercare::testing::WriteGzip;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";

std::string Source(const std::string& path) {
  const char* source = std::getenv("AFTERCARE_SOURCE");
  return absl::StrCat(source == nullptr ? "." : source, "/", path);
}

google::protobuf::Struct Json(const std::string& text) {
  google::protobuf::Struct parsed;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, &parsed).ok())
      << text;
  return parsed;
}

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

class CtlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(daemon_.Start(), absl::OkStatus());
    ASSERT_TRUE(daemon_.AwaitServing().ok());
  }

  Outcome Run(const std::vector<std::string>& words) {
    Ctl ctl(daemon_.port(), words);
    const int code = ctl.Wait();
    return {code, ctl.out(), ctl.err()};
  }
  Outcome As(const std::string& actor, std::vector<std::string> words) {
    words.insert(words.begin(), {"--actor", actor});
    return Run(words);
  }
  // Must succeed; the answer.
  template <typename Response>
  Response Do(const std::string& actor, std::vector<std::string> words) {
    words.insert(words.begin(), "--json");
    const Outcome outcome = As(actor, words);
    EXPECT_EQ(outcome.code, 0) << absl::StrJoin(words, " ") << outcome.err;
    Response response;
    EXPECT_TRUE(
        google::protobuf::util::JsonStringToMessage(outcome.out, &response)
            .ok())
        << outcome.out;
    return response;
  }
  void ApplyHandbook() {
    const auto outcome = As("operator", {"handbook", "apply",
                                         Source("deploy/handbooks/demo.yaml")});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(outcome.out, "companies/acme version 1 published\n");
  }
  void RegisterWang() {
    Do<intake::v1::Customer>(
        "agent-li",
        {"intake", "register-customer", "--parent", "companies/acme",
         "--customer-id", "wang", "--display-name", "王小明 😀", "--region",
         "beijing", "--occur-time", "2025-10-10T09:00:00+08:00"});
  }

  const TempDir dir_;
  Daemon daemon_{dir_ / "data"};
};

TEST_F(CtlTest, ACaseGoesFromTheFirstCallToTheScore) {
  ApplyHandbook();
  const std::string north = "companies/acme/territories/north";
  Do<dispatch::v1::Technician>(
      "dispatcher-zhou",
      {"dispatch", "register-technician", "--parent", north, "--technician-id",
       "wu", "--person", "tech-01", "--display-name", "吴刚", "--skills",
       "small-appliance", "--skills", "electronics", "--occur-time",
       "2025-10-09T08:00:00+08:00"});
  RegisterWang();
  const auto opened = Do<intake::v1::Case>(
      "agent-li",
      {"intake", "open-case", "--parent", "companies/acme/customers/wang",
       "--case-id", "kettle-1", "--kind", "repair", "--channel", "hotline",
       "--subject", "水壶漏水", "--product-line=kettle", "--occur-time",
       "2025-10-10T09:05:00+08:00"});
  EXPECT_EQ(opened.state(), intake::v1::Case::OPEN);
  EXPECT_EQ(opened.subject(), "水壶漏水");

  // The work order is made by a reaction, booked at once.
  ASSERT_TRUE(daemon_.AwaitReactions().ok());
  const auto orders = Do<dispatch::v1::ListWorkOrdersResponse>(
      "dispatcher-zhou", {"dispatch", "list-work-orders", "--parent", north});
  ASSERT_EQ(orders.work_orders_size(), 1);
  EXPECT_EQ(orders.work_orders(0).case_(), opened.name());
  const std::string order = orders.work_orders(0).name();

  const auto step = [&](const std::string& actor, const std::string& method,
                        const std::string& time,
                        std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"dispatch", method, "--name", order, "--occur-time",
                 absl::StrCat("2025-10-10T", time, ":00+08:00")});
    return Do<dispatch::v1::WorkOrder>(actor, more);
  };
  EXPECT_EQ(step("dispatcher-zhou", "assign-work-order", "09:10",
                 {"--technician", north + "/technicians/wu", "--start-time",
                  "2025-10-10T13:00:00+08:00", "--duration", "2h"})
                .state(),
            dispatch::v1::WorkOrder::ASSIGNED);
  EXPECT_EQ(step("tech-01", "accept-work-order", "09:20").state(),
            dispatch::v1::WorkOrder::ACCEPTED);
  EXPECT_EQ(step("tech-01", "start-travel", "12:30").state(),
            dispatch::v1::WorkOrder::STARTED);
  EXPECT_EQ(step("tech-01", "arrive-at-site", "13:00").state(),
            dispatch::v1::WorkOrder::ON_SITE);
  const auto completed =
      step("tech-01", "complete-work-order", "14:00",
           {"--report", "seal replaced", "--parts.0.part", "seal",
            "--parts.0.quantity", "2", "--parts.0.unit-price", "6.25 CNY",
            "--labour", "CNY 50", "--fee", "62.50 CNY"});
  EXPECT_EQ(completed.state(), dispatch::v1::WorkOrder::COMPLETED);
  EXPECT_EQ(completed.fee().minor_units(), 6250);

  // Completing resolves the case for the technician, by a reaction again.
  ASSERT_TRUE(daemon_.AwaitReactions().ok());
  const auto resolved = Do<intake::v1::Case>(
      "agent-li", {"intake", "get-case", "--name", opened.name()});
  EXPECT_EQ(resolved.state(), intake::v1::Case::RESOLVED);
  EXPECT_EQ(resolved.resolved_by(), "tech-01");
  Do<intake::v1::Case>(
      "agent-li",
      {"intake", "record-follow-up", "--name", opened.name(), "--satisfaction",
       "4", "--occur-time", "2025-10-12T10:00:00+08:00"});
  EXPECT_EQ(Do<intake::v1::Case>(
                "agent-li", {"intake", "close-case", "--name", opened.name(),
                             "--occur-time", "2025-10-12T10:05:00+08:00"})
                .state(),
            intake::v1::Case::CLOSED);
  // And a case without a visit, resolved by hand.
  const auto asked = Do<intake::v1::Case>(
      "agent-li",
      {"intake", "open-case", "--request",
       R"({"parent":"companies/acme/customers/wang","case_id":"question",)"
       R"("kind":"INQUIRY","channel":"email","subject":"manual",)"
       R"("occur_time":"2025-10-13T09:00:00+08:00"})"});
  EXPECT_EQ(Do<intake::v1::Case>(
                "agent-li", {"intake", "resolve-case", "--name", asked.name(),
                             "--resolution", "sent", "--occur-time",
                             "2025-10-13T09:30:00+08:00"})
                .state(),
            intake::v1::Case::RESOLVED);

  ASSERT_TRUE(daemon_.AwaitReactions().ok());
  const std::string staff = "companies/acme/staff/tech-01";
  const auto appraisal = Do<scoring::v1::Appraisal>(
      "appraiser-qin", {"scoring", "open-appraisal", "--parent", staff,
                        "--appraisal-id", "2025-10"});
  EXPECT_EQ(appraisal.state(), scoring::v1::Appraisal::OPEN);
  const auto finalized = Do<scoring::v1::Appraisal>(
      "appraiser-qin",
      {"scoring", "finalize-appraisal", "--name", appraisal.name()});
  EXPECT_EQ(finalized.state(), scoring::v1::Appraisal::FINALIZED);
  // Response 25 + solution 30 + quality 15, and 4 of 1..5 stars: 22.50 of 30.
  const auto score = Do<scoring::v1::Score>(
      "auditor",
      {"scoring", "get-score", "--name", staff, "--period", "2025-10"});
  EXPECT_EQ(score.sheet().points(), 9250);
  EXPECT_EQ(score.sheet().level(), "excellent");
  std::map<std::string, std::string> why;
  for (const auto& line : score.sheet().lines()) {
    why[line.item()] = line.explanation();
  }
  EXPECT_THAT(why["satisfaction"], HasSubstr("22.50"));
  EXPECT_THAT(why["response"], HasSubstr("2 of 2 met"));
  const auto facts = Do<scoring::v1::ExplainAppraisalResponse>(
      "auditor", {"scoring", "explain-appraisal", "--name", appraisal.name(),
                  "--item", "satisfaction"});
  ASSERT_EQ(facts.facts_size(), 1);
  EXPECT_EQ(facts.facts(0).value(), 4);
  EXPECT_EQ(facts.facts(0).source_resource(), opened.name());

  const auto verified = As("operator", {"verify"});
  EXPECT_EQ(verified.code, 0) << verified.out;
  EXPECT_THAT(verified.out, HasSubstr("scoring/1"));
}

TEST_F(CtlTest, ExitCodesTellDoneRefusedMisusedUnreachableAndDifferent) {
  ApplyHandbook();
  EXPECT_EQ(As("operator", {"status"}).code, 0);
  EXPECT_EQ(Run({"help"}).code, 0);
  EXPECT_EQ(Run({}).code, 0);
  EXPECT_EQ(Run({"intake", "open-case", "--help"}).code, 0);

  // Refused: no such resource, no credentials, not permitted, a bad field.
  const std::vector<std::string> get = {"intake", "get-customer", "--name",
                                        "companies/acme/customers/none"};
  EXPECT_EQ(As("agent-li", get).code, 1);
  EXPECT_EQ(Run(get).code, 1);
  EXPECT_EQ(As("agent-li", {"status"}).code, 1);
  EXPECT_EQ(As("agent-li", {"verify"}).code, 1);
  EXPECT_EQ(As("agent-li", {"intake", "register-customer", "--parent",
                            "companies/acme", "--customer-id", "UPPER"})
                .code,
            1);

  const std::string mapping = Source("deploy/import/open_repair.yaml");
  const std::string csv = WriteFile(dir_ / "in.csv", "id,group_identifier\n");
  const std::vector<std::vector<std::string>> misuses = {
      {"help", "nothing"},
      {"--foo", "status"},
      {"nothing"},
      {"nothing", "at-all"},
      {"intake"},
      {"intake", "open"},
      {"intake", "open-case", "too-many"},
      {"intake", "open-case", "--colour", "red"},
      {"intake", "open-case", "--kind", "repiar"},
      {"intake", "get-case", "--name"},
      {"intake", "get-case", "--name", "--json"},
      {"intake", "open-case", "--request", "{"},
      {"intake", "open-case", "--request", "@/nowhere"},
      {"--deadline", "soon", "status"},
      {"status", "now"},
      {"status", "--loud"},
      {"verify", "--servce", "intake"},
      {"as-of", "companies/acme/customers/wang"},
      {"as-of", "companies/acme/customers/wang", "--occurred", "yesterday"},
      {"events", "--service", "intake"},
      {"events", "tail", "--service", "intake", "--partition", "one"},
      {"checkpoint"},
      {"parked"},
      {"parked", "drop", "a", "b"},
      {"handbook", "check"},
      {"handbook", "check", "/nowhere.yaml"},
      {"handbook", "apply"},
      {"handbook", "apply", "/nowhere.yaml"},
      {"import"},
      {"import", "--mapping", "/nowhere.yaml", "--file", csv},
      {"import", "--mapping", csv, "--file", csv},
      {"import", "--mapping", mapping, "--file", "/nowhere.csv"},
      {"import", "--mapping", mapping, "--file", csv, "--state-file", "x"},
      {"import", "--mapping", mapping, "--file", csv, "--concurrency", "0"},
      {"import", "--mapping", mapping, "--file", csv, "--delimiter", "pipe"},
      {"import", "--mapping", mapping, "--file", csv, "--encoding", "utf-16"},
      // A column is missing.
      {"import", "--mapping", mapping, "--file", csv},
  };
  for (const auto& words : misuses) {
    const auto outcome = As("operator", words);
    EXPECT_EQ(outcome.code, 2) << absl::StrJoin(words, " ") << outcome.err;
    EXPECT_THAT(outcome.err, Not(IsEmpty())) << absl::StrJoin(words, " ");
  }

  const std::string bad = WriteFile(dir_ / "bad.yaml", "company: acme\n");
  EXPECT_EQ(Run({"handbook", "check", bad}).code, 4);
  EXPECT_EQ(As("operator", {"handbook", "apply", bad}).code, 4);

  const int port = daemon_.port();
  ASSERT_EQ(daemon_.Stop(), 0);
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"status"},
           {"verify"},
           get,
           {"handbook", "apply", Source("deploy/handbooks/demo.yaml")}}) {
    std::vector<std::string> all = {"--deadline", "1s", "--actor", "operator"};
    all.insert(all.end(), words.begin(), words.end());
    const absl::Time begin = absl::Now();
    Ctl ctl(port, all);
    EXPECT_EQ(ctl.Wait(), 3) << absl::StrJoin(words, " ");
    EXPECT_LT(absl::Now() - begin, absl::Seconds(20));
  }
}

TEST_F(CtlTest, WhatCoversOneServiceShowsNoOther) {
  const auto status =
      Do<admin::v1::Status>("operator", {"status", "--service", "dispatch"});
  EXPECT_EQ(status.shards_size(), 2);
  for (const auto& shard : status.shards()) {
    EXPECT_EQ(shard.service(), "dispatch");
  }
  EXPECT_GT(status.reactions_size(), 0);
  for (const auto& reaction : status.reactions()) {
    EXPECT_THAT(reaction.name(), StartsWith("dispatch<"));
  }
  EXPECT_THAT(As("operator", {"verify", "--service", "dispatch"}).out,
              AllOf(HasSubstr("\ndispatch/1 "), Not(HasSubstr("\nintake/"))));
  EXPECT_EQ(As("operator", {"parked", "list", "--service", "dispatch"}).code,
            0);
  for (const char* verb : {"status", "verify", "parked list"}) {
    std::vector<std::string> words = absl::StrSplit(verb, ' ');
    words.insert(words.end(), {"--service", "sales"});
    EXPECT_EQ(As("operator", words).code, 1) << verb;
  }
}

// Nothing found where nothing lies is no good news.
TEST_F(CtlTest, AProcessThatOwnsNothingSaysSo) {
  Daemon idle(dir_ / "idle");
  ASSERT_EQ(idle.Start({"--kafka.brokers", "127.0.0.1:1"}), absl::OkStatus());
  const std::vector<std::vector<std::string>> all = {
      {"status", "--service", "intake"},
      {"verify"},
      {"verify", "--service", "intake"},
      {"parked", "list"},
      {"parked", "list", "--service", "intake"},
      {"checkpoint", dir_ / "checkpoint-1"}};
  for (const auto& words : all) {
    std::vector<std::string> said = words;
    said.insert(said.begin(), {"--actor", "operator"});
    Ctl ctl(idle.port(), said);
    EXPECT_EQ(ctl.Wait(), 1) << absl::StrJoin(words, " ");
    EXPECT_EQ(ctl.out(), "");
    EXPECT_THAT(ctl.err(), HasSubstr(absl::StrCat("127.0.0.1:", idle.port(),
                                                  " owns no partition")));
    EXPECT_EQ(absl::StrContains(ctl.err(), "no partition of intake"),
              words.back() == "intake");
  }
  // What the process itself is like can be asked always.
  Ctl status(idle.port(), {"--actor", "operator", "status"});
  EXPECT_EQ(status.Wait(), 0);
}

TEST_F(CtlTest, ACheckpointNeedsAnAbsolutePathThatIsNotThereYet) {
  const std::string form = "absolute path on the server that does not exist";
  for (const std::string& bad : {std::string("checkpoint-1"), daemon_.data()}) {
    const Outcome refused = As("operator", {"checkpoint", bad});
    EXPECT_EQ(refused.code, 1) << bad;
    EXPECT_THAT(refused.err, HasSubstr(form));
  }
  EXPECT_THAT(As("operator", {"checkpoint"}).err, HasSubstr(form));
  EXPECT_THAT(Run({"help"}).out, HasSubstr("absolute, not there yet"));
  EXPECT_EQ(As("operator", {"checkpoint", dir_ / "checkpoint-1"}).code, 0);
}

TEST_F(CtlTest, AnswersAndRefusalsAreJsonOnRequest) {
  const auto applied = As("operator", {"--json", "handbook", "apply",
                                       Source("deploy/handbooks/demo.yaml")});
  EXPECT_EQ(Json(applied.out).fields().at("company").string_value(),
            "companies/acme");
  RegisterWang();
  EXPECT_EQ(
      Do<intake::v1::Customer>("agent-li", {"intake", "get-customer", "--name",
                                            "companies/acme/customers/wang"})
          .display_name(),
      "王小明 😀");
  EXPECT_EQ(Do<admin::v1::Status>("operator", {"status"}).shards_size(), 8);
  EXPECT_TRUE(Do<admin::v1::VerifyShardsResponse>("operator", {"verify"}).ok());
  Do<admin::v1::ListParkedResponse>("operator", {"parked", "list"});

  const auto missing =
      As("agent-li", {"--json", "intake", "get-customer", "--name",
                      "companies/acme/customers/none"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.out, "");
  auto refusal = Json(missing.err);
  EXPECT_EQ(refusal.fields().at("code").string_value(), "NOT_FOUND");
  EXPECT_EQ(refusal.fields().at("reason").string_value(), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(refusal.fields()
                .at("metadata")
                .struct_value()
                .fields()
                .at("name")
                .string_value(),
            "companies/acme/customers/none");

  const auto invalid =
      As("agent-li", {"--json", "intake", "open-case", "--parent",
                      "companies/acme/customers/wang", "--kind", "inquiry",
                      "--channel", "hotline"});
  EXPECT_EQ(invalid.code, 1);
  refusal = Json(invalid.err);
  EXPECT_EQ(refusal.fields().at("reason").string_value(), "FIELD_INVALID");
  const auto& violations = refusal.fields().at("fields").list_value();
  ASSERT_EQ(violations.values_size(), 1);
  EXPECT_EQ(
      violations.values(0).struct_value().fields().at("field").string_value(),
      "subject");

  const auto checked = Run({"--json", "handbook", "check",
                            WriteFile(dir_ / "bad.yaml", "company: acme\n")});
  EXPECT_EQ(checked.code, 4);
  EXPECT_GT(
      Json(checked.out).fields().at("problems").list_value().values_size(), 0);
}

// By shard, what a verified service says of its rows.
std::map<std::string, std::string> Digests(
    const admin::v1::VerifyShardsResponse& verified) {
  std::map<std::string, std::string> digests;
  for (const auto& verdict : verified.verdicts()) {
    digests[absl::StrCat(verdict.service(), "/", verdict.partition())] =
        verdict.live_digest();
  }
  return digests;
}

TEST_F(CtlTest, ALogMovesWithAllThatFollowsFromIt) {
  ApplyHandbook();
  RegisterWang();
  Do<intake::v1::Case>(
      "agent-li",
      {"intake", "open-case", "--parent", "companies/acme/customers/wang",
       "--case-id", "kettle-1", "--kind", "repair", "--channel", "hotline",
       "--subject", "水壶漏水", "--product-line=kettle", "--occur-time",
       "2025-10-10T09:05:00+08:00"});
  ASSERT_TRUE(daemon_.AwaitReactions().ok());
  const auto before =
      Do<admin::v1::VerifyShardsResponse>("operator", {"verify"});
  const std::vector<std::string> copy = {
      "log",    "copy",
      "--from", "embedded:" + daemon_.data() + "/log",
      "--to",   "embedded:" + dir_ / "moved/log"};

  const Outcome held = Run(copy);
  EXPECT_EQ(held.code, 1);
  EXPECT_THAT(held.err, HasSubstr("is held by process"));
  EXPECT_THAT(held.err, HasSubstr("must be stopped"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "moved"));
  ASSERT_EQ(daemon_.Stop(), 0);
  const Outcome copied = Run(copy);
  EXPECT_EQ(copied.code, 0) << copied.err;
  EXPECT_THAT(copied.out, StartsWith("topic "));
  EXPECT_THAT(copied.out, HasSubstr("aftercare.intake.events.v1"));
  EXPECT_THAT(copied.out, HasSubstr("source = target"));

  // A service on the copy has the same rows, all of them from replay; the
  // reactions go on where they were.
  std::filesystem::copy(daemon_.data() + "/reactions", dir_ / "moved/reactions",
                        std::filesystem::copy_options::recursive);
  Daemon moved(dir_ / "moved");
  ASSERT_EQ(moved.Start(), absl::OkStatus());
  ASSERT_TRUE(moved.AwaitServing().ok());
  Ctl verify(moved.port(), {"--actor", "operator", "--json", "verify"});
  ASSERT_EQ(verify.Wait(), 0) << verify.err();
  admin::v1::VerifyShardsResponse after;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(verify.out(), &after).ok());
  EXPECT_EQ(Digests(after), Digests(before));
  EXPECT_THAT(Digests(after), SizeIs(8));
  ASSERT_EQ(moved.Stop(), 0);

  // It has claimed: the copy is not what its source is any more.
  std::vector<std::string> compare = copy;
  compare[1] = "verify";
  const Outcome differs = Run(compare);
  EXPECT_EQ(differs.code, 4) << differs.err;
  EXPECT_THAT(differs.out, HasSubstr("the target has "));
  compare.insert(compare.begin(), "--json");
  const google::protobuf::Struct found = Json(Run(compare).out);
  const auto& partitions = found.fields().at("partitions").list_value();
  ASSERT_EQ(partitions.values_size(), 8);
  for (const auto& one : partitions.values()) {
    EXPECT_THAT(one.struct_value().fields().at("difference").string_value(),
                StartsWith("the target has "));
  }
  const Outcome refused = Run(copy);
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("it was written to since"));
}

TEST_F(CtlTest, ALogCopyThatCannotBeIsToldApart) {
  const std::string from = "embedded:" + dir_ / "data/log";
  const std::string to = "embedded:" + dir_ / "to";
  const std::string good = WriteFile(dir_ / "good", "client.id=ctl\n");
  const std::string bad = WriteFile(dir_ / "bad", "client.id=a\nhunter2\n");
  const std::vector<std::vector<std::string>> misused = {
      {"log"},
      {"log", "move", "--from", from, "--to", to},
      {"log", "copy", "--from", from},
      {"log", "copy", "--from", from, "--to", from},
      {"log", "copy", "--from", from, "--to", "/tmp"},
      {"log", "copy", "--from", from, "--to", to, "--topic", "t"},
      {"log", "copy", "--from", from, "--to", to, "--kafka.set", "client.id"},
      {"log", "copy", "--from", from, "--to", to, "--kafka.config", bad},
      {"log", "copy", "--from", from, "--to", to, "--kafka.config", "none"},
      {"log", "copy", "--from", from, "--to", to,
       "--kafka.replication-factor=1"},
      {"log", "copy", "--from", "embedded:" + dir_ / "none", "--to", to},
      {"log", "copy", "--from", "embedded:" + dir_ / "data", "--to", to},
      {"log", "copy", "--from", "kafka:127.0.0.1:1", "--to", to,
       "--kafka.config", good, "--kafka.set", "no.such.property=1"},
  };
  for (const auto& words : misused) {
    const Outcome outcome = Run(words);
    EXPECT_EQ(outcome.code, 2) << absl::StrJoin(words, " ") << outcome.err;
    EXPECT_THAT(outcome.err, Not(IsEmpty()));
    EXPECT_THAT(outcome.err, Not(HasSubstr("hunter2")));
  }
  EXPECT_FALSE(std::filesystem::exists(dir_ / "to"));
  const Outcome away = Run({"log", "copy", "--from", "kafka:127.0.0.1:1",
                            "--to", to, "--kafka.config", good});
  EXPECT_EQ(away.code, 3) << away.err;
}

TEST_F(CtlTest, ARepeatedRequestIdIsOneCommand) {
  ApplyHandbook();
  const std::vector<std::string> words = {
      "--request-id",   "call-17",
      "intake",         "register-customer",
      "--parent",       "companies/acme",
      "--display-name", "A",
      "--region",       "beijing",
      "--occur-time",   "2025-10-10T09:00:00+08:00"};
  const auto first = As("agent-li", words);
  const auto second = As("agent-li", words);
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(second.out, first.out);
  // Without one, each is a command of its own.
  const std::vector<std::string> bare(words.begin() + 2, words.end());
  EXPECT_NE(As("agent-li", bare).out, As("agent-li", bare).out);
}

TEST_F(CtlTest, HandbookCheckNamesFileLineAndProblem) {
  const std::string good = Source("deploy/handbooks/demo.yaml");
  auto outcome = Run({"handbook", "check", good});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, good + ": good\n");

  const std::string text = testing::DemoHandbookText();
  const std::string broken = absl::StrReplaceAll(
      text, {{"late_report_grace: 15m", "late_grace: 15m"}});
  ASSERT_NE(text, broken);
  const std::string before = broken.substr(0, broken.find("late_grace"));
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::string bad = WriteFile(dir_ / "bad.yaml", broken);
  outcome = Run({"handbook", "check", good, bad});
  EXPECT_EQ(outcome.code, 4);
  EXPECT_THAT(outcome.out, HasSubstr(absl::StrCat("\n", bad, ":", line, ":")));
  // Nothing of a bad handbook is published.
  EXPECT_EQ(As("operator", {"handbook", "apply", bad}).code, 4);
  EXPECT_EQ(
      As("agent-li", {"intake", "list-customers", "--parent", "companies/acme"})
          .code,
      1);
  // Somebody who is no operator cannot publish a good one.
  outcome = As("agent-li", {"handbook", "apply", good});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("ACTION_NOT_PERMITTED"));
}

TEST_F(CtlTest, AsOfAnswersOnBothAxes) {
  ApplyHandbook();
  RegisterWang();
  const auto opened = Do<intake::v1::Case>(
      "agent-li",
      {"intake", "open-case", "--parent", "companies/acme/customers/wang",
       "--kind", "inquiry", "--channel", "hotline", "--subject", "manual",
       "--occur-time", "2025-10-10T10:00:00+08:00"});
  Do<intake::v1::Case>(
      "agent-li",
      {"intake", "resolve-case", "--name", opened.name(), "--resolution",
       "sent", "--occur-time", "2025-10-10T12:00:00+08:00"});
  const auto state = [&](const std::string& axis, const std::string& time) {
    const auto outcome =
        As("auditor", {"--json", "as-of", opened.name(), axis, time});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.out == "null\n"
               ? "none"
               : Json(outcome.out).fields().at("state").string_value();
  };
  EXPECT_EQ(state("--occurred", "2025-10-10T09:59:00+08:00"), "none");
  EXPECT_EQ(state("--occurred", "2025-10-10T11:00:00+08:00"), "OPEN");
  EXPECT_EQ(state("--occurred", "2025-10-10T12:00:00+08:00"), "RESOLVED");
  // The names of fields are those of every other answer.
  EXPECT_EQ(Json(As("auditor", {"--json", "as-of", opened.name(), "--occurred",
                                "2025-10-10T12:00:00+08:00"})
                     .out)
                .fields()
                .count("create_time"),
            1);
  // All of it was recorded just now.
  EXPECT_EQ(state("--recorded", "2025-10-10T12:00:00+08:00"), "none");
  EXPECT_EQ(
      state("--recorded", absl::FormatTime(absl::Now(), absl::UTCTimeZone())),
      "RESOLVED");
  EXPECT_EQ(As("auditor", {"as-of", opened.name(), "--occurred",
                           "2025-10-10T09:00:00+08:00"})
                .out,
            "did not exist then\n");
  EXPECT_THAT(As("auditor", {"as-of", opened.name(), "--occurred",
                             "2025-10-10T11:00:00+08:00"})
                  .out,
              HasSubstr("state: open\n"));
}

TEST_F(CtlTest, EventsAreShownFromAnOffsetAndAsTheyCome) {
  ApplyHandbook();
  RegisterWang();
  // The partition in which that customer lives.
  std::vector<std::string> found;
  std::string partition;
  for (const std::string p : {"0", "1"}) {
    const auto outcome = As("operator", {"events", "tail", "--service",
                                         "intake", "--partition", p});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    // Whoever wrote first says who.
    EXPECT_THAT(outcome.out, MatchesRegex("0 CLAIM by aftercared/[0-9]+\n.*"));
    for (const absl::string_view line : absl::StrSplit(outcome.out, '\n')) {
      if (!absl::StrContains(line, "companies/acme/customers/wang")) continue;
      found.emplace_back(line);
      partition = p;
    }
  }
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0], HasSubstr(" EVENT "));
  EXPECT_THAT(found[0], HasSubstr("by agent-li"));
  EXPECT_THAT(found[0], HasSubstr("\"display_name\""));
  const int64_t offset = std::stoll(found[0]);

  const std::vector<std::string> tail = {"--actor",     "operator",  "events",
                                         "tail",        "--service", "intake",
                                         "--partition", partition};
  auto later = tail;
  later.insert(later.end(), {"--from", absl::StrCat(offset + 1)});
  EXPECT_EQ(Run(later).out, "");
  auto json = tail;
  json.insert(json.begin(), "--json");
  const std::string lines = Run(json).out;
  for (const absl::string_view line :
       absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    EXPECT_EQ(Json(std::string(line)).fields().count("kind"), 1);
  }
  EXPECT_THAT(lines, HasSubstr("ce_actor"));

  auto follow = later;
  follow.push_back("--follow");
  Ctl following(daemon_.port(), follow);
  Do<intake::v1::Customer>(
      "agent-li", {"intake", "update-customer", "--name",
                   "companies/acme/customers/wang", "--phone", "13800000000"});
  const absl::Time end = absl::Now() + absl::Seconds(60);
  while (!absl::StrContains(following.out(), "\n") && absl::Now() < end) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_THAT(following.out(), StartsWith(absl::StrCat(offset + 1, " EVENT ")));
  EXPECT_FALSE(following.Ended());

  EXPECT_EQ(As("agent-li", {"events", "tail", "--service", "intake"}).code, 1);
}

TEST_F(CtlTest, TextOfAGb18030FileArrivesAsItWasMeant) {
  ApplyHandbook();
  const std::string mapping = WriteFile(dir_ / "customers.yaml", R"(
name: customers
row_key: 编号
lane: 编号
commands:
  - service: intake
    method: register-customer
    fields:
      parent: companies/acme
      customer_id: "c-{编号}"
      display_name: "{姓名}"
      region: "{map:region:地区}"
      address: "{clip:7:姓名}"
      occur_time: 2025-10-10T09:00:00+08:00
tables:
  region: {北京: beijing, 广东: guangdong}
)");
  // 编号,姓名,地区 / 1,王小明 㐇𠮷😀,北京 / 2 has a lone byte / 3 广东
  const std::string csv = WriteGzip(
      dir_ / "customers.csv.gz",
      "\xb1\xe0\xba\xc5,\xd0\xd5\xc3\xfb,\xb5\xd8\xc7\xf8\r\n"
      "1,\xcd\xf5\xd0\xa1\xc3\xf7 \x81\x39\xef\x36\x95\x34\xb2\x35\x94\x39\xfc"
      "\x36,\xb1\xb1\xbe\xa9\r\n"
      "2,\xcd\xff,\xb1\xb1\xbe\xa9\r\n"
      "3,\"\xc0\xee,\xc4\xc8\",\xb9\xe3\xb6\xab\r\n");
  const auto outcome =
      As("importer", {"--json", "import", "--mapping", mapping, "--file", csv,
                      "--encoding", "gb18030", "--reject", dir_ / "reject"});
  EXPECT_EQ(outcome.code, 1) << outcome.err;
  const auto counts = Json(outcome.out);
  EXPECT_EQ(counts.fields().at("imported").number_value(), 2);
  EXPECT_EQ(counts.fields().at("rejected").number_value(), 1);
  EXPECT_THAT(ReadFile(dir_ / "reject"),
              HasSubstr("\n3,field 2 is not in gb18030,2,"));
  const auto get = [&](const std::string& id) {
    return Do<intake::v1::Customer>("agent-li",
                                    {"intake", "get-customer", "--name",
                                     "companies/acme/customers/c-" + id});
  };
  EXPECT_EQ(get("1").display_name(), "王小明 㐇𠮷😀");
  EXPECT_EQ(get("1").address(), "王小");
  EXPECT_EQ(get("1").region(), "beijing");
  EXPECT_EQ(get("3").display_name(), "李,娜");
}

// What an import leaves behind, without the times at which it was recorded.
struct Remains {
  std::vector<std::string> customers;
  std::vector<std::string> cases;
  int64_t events = 0;
  std::string rejects;

  bool operator==(const Remains&) const = default;
};

class ImportRunTest : public ::testing::Test {
 protected:
  static constexpr int kRows = 500;

  static void SetUpTestSuite() {
    const TempDir dir;
    Daemon daemon(dir / "data");
    ASSERT_EQ(daemon.Start(), absl::OkStatus());
    ASSERT_TRUE(daemon.AwaitServing().ok());
    ASSERT_TRUE(daemon.ApplyDemoHandbook().ok());
    Ctl import(daemon.port(), Words(dir));
    EXPECT_EQ(import.Wait(), 1) << import.err();
    whole_ = new Remains(Look(daemon, dir));
    ASSERT_THAT(whole_->cases, SizeIs(kRows - 25));
    ASSERT_THAT(whole_->customers, SizeIs(7));
    // A heading and 25 rows of two lines.
    ASSERT_EQ(std::count(whole_->rejects.begin(), whole_->rejects.end(), '\n'),
              51);
  }
  static void TearDownTestSuite() { delete whole_; }

  void SetUp() override {
    ASSERT_EQ(daemon_.Start(), absl::OkStatus());
    ASSERT_TRUE(daemon_.AwaitServing().ok());
    ASSERT_TRUE(daemon_.ApplyDemoHandbook().ok());
    const char* given = std::getenv("AFTERCARE_SEED");
    const uint64_t seed = given == nullptr ? std::random_device()()
                                           : std::strtoull(given, nullptr, 10);
    RecordProperty("seed", std::to_string(seed));
    std::printf("AFTERCARE_SEED=%llu\n", static_cast<unsigned long long>(seed));
    random_.seed(seed);
  }

  // Rows of the shipped mapping's form; every twentieth is bad: a category
  // that is unknown, or a date in the future, which only the server refuses.
  static std::string Csv() {
    std::string text =
        "id,country,product_category,brand,repair_status,"
        "repair_barrier_if_end_of_life,group_identifier,event_date,problem\n";
    const char* const states[] = {"Fixed", "Unknown", "End of life"};
    for (int i = 0; i < kRows; ++i) {
      absl::StrAppend(&text, "t_", i, ",GBR,",
                      i % 40 == 19 ? "Teapot" : "Kettle", ",Acme,",
                      states[i % 3], ",,Group ", i % 7, ",",
                      i % 40 == 39 ? "2199-01-01" : "2019-03-01",
                      ",\"漏水\nrow ", i, "\"\n");
    }
    return text;
  }
  static std::vector<std::string> Words(const TempDir& dir) {
    return {"--actor",
            "importer",
            "--deadline",
            "60s",
            "import",
            "--mapping",
            Source("deploy/import/open_repair.yaml"),
            "--file",
            WriteFile(dir / "in.csv", Csv()),
            "--state",
            dir / "state",
            "--reject",
            dir / "reject.csv",
            "--concurrency",
            "3"};
  }
  static int64_t IntakeEvents(const Daemon& daemon) {
    const auto status = daemon.Status();
    int64_t events = 0;
    if (!status.ok()) return 0;
    for (const auto& shard : status->shards()) {
      if (shard.service() == "intake") events += shard.events();
    }
    return events;
  }
  static Remains Look(const Daemon& daemon, const TempDir& dir) {
    EXPECT_TRUE(daemon.AwaitReactions().ok());
    Remains remains;
    remains.events = IntakeEvents(daemon);
    remains.rejects = ReadFile(dir / "reject.csv");
    intake::v1::ListCustomersRequest customers;
    customers.set_parent("companies/acme");
    const auto some = daemon.Call<intake::v1::ListCustomersResponse>(
        kIntake, "ListCustomers", customers, "auditor");
    EXPECT_TRUE(some.ok()) << some.status();
    for (const auto& customer : some->customers()) {
      remains.customers.push_back(customer.ShortDebugString());
      intake::v1::ListCasesRequest cases;
      cases.set_parent(customer.name());
      do {
        const auto page = daemon.Call<intake::v1::ListCasesResponse>(
            kIntake, "ListCases", cases, "auditor");
        EXPECT_TRUE(page.ok()) << page.status();
        for (intake::v1::Case one : page->cases()) {
          one.clear_follow_up_due_time();
          for (auto& clock : *one.mutable_clocks()) clock.clear_check_time();
          remains.cases.push_back(one.ShortDebugString());
        }
        cases.set_page_token(page->next_page_token());
      } while (!cases.page_token().empty());
    }
    return remains;
  }
  // Until that many more events are there, or the import has ended.
  void AwaitEvents(Ctl& import, int64_t more) {
    const int64_t end = IntakeEvents(daemon_) + more;
    while (!import.Ended() && IntakeEvents(daemon_) < end) {
      absl::SleepFor(absl::Milliseconds(2));
    }
  }
  int64_t Some() {
    return std::uniform_int_distribution<int64_t>(1, 150)(random_);
  }

  static Remains* whole_;
  const TempDir dir_;
  Daemon daemon_{dir_ / "data"};
  std::mt19937_64 random_;
};

Remains* ImportRunTest::whole_ = nullptr;

TEST_F(ImportRunTest, ASecondRunChangesNothing) {
  ASSERT_EQ(Ctl(daemon_.port(), Words(dir_)).Wait(), 1);
  ASSERT_TRUE(daemon_.AwaitReactions().ok());
  const auto digests = [this] {
    std::vector<std::string> all;
    const auto status = daemon_.Status();
    EXPECT_TRUE(status.ok());
    for (const auto& shard : status->shards()) {
      all.push_back(absl::StrCat(shard.service(), shard.partition(), " ",
                                 shard.offset(), " ", shard.digest()));
    }
    return all;
  };
  const auto before = digests();
  // From its state file there is nothing to do, the rejects stay as they are.
  Ctl again(daemon_.port(), Words(dir_));
  EXPECT_EQ(again.Wait(), 0) << again.err();
  EXPECT_THAT(again.out(), HasSubstr(absl::StrCat(kRows)));
  EXPECT_EQ(digests(), before);
  EXPECT_EQ(Look(daemon_, dir_), *whole_);
  // Without it every command is sent again and has its old answer.
  std::filesystem::remove(dir_ / "state");
  Ctl all(daemon_.port(), Words(dir_));
  EXPECT_EQ(all.Wait(), 1) << all.err();
  EXPECT_EQ(digests(), before);
  EXPECT_EQ(Look(daemon_, dir_), *whole_);
}

TEST_F(ImportRunTest, KillingAftercarectlMeanwhileLeavesNoTrace) {
  int killed = 0;
  for (int i = 0; i < 8; ++i) {
    Ctl import(daemon_.port(), Words(dir_));
    AwaitEvents(import, Some());
    if (import.Ended()) break;
    import.Kill();
    ASSERT_EQ(import.Wait(), 128 + SIGKILL);
    ++killed;
  }
  EXPECT_GT(killed, 1);
  Ctl last(daemon_.port(), Words(dir_));
  EXPECT_THAT(last.Wait(), AnyOf(0, 1)) << last.err();
  EXPECT_EQ(Look(daemon_, dir_), *whole_);
}

TEST_F(ImportRunTest, KillingAftercaredMeanwhileOnlyDelaysTheImport) {
  const std::string listen = absl::StrCat("127.0.0.1:", daemon_.port());
  Ctl import(daemon_.port(), Words(dir_));
  int killed = 0;
  for (int i = 0; i < 6; ++i) {
    AwaitEvents(import, Some());
    if (import.Ended()) break;
    daemon_.Kill();
    ASSERT_EQ(daemon_.Start({"--listen", listen}), absl::OkStatus());
    ASSERT_TRUE(daemon_.AwaitServing().ok());
    ++killed;
  }
  EXPECT_GT(killed, 1);
  EXPECT_EQ(import.Wait(), 1) << import.err();
  EXPECT_EQ(Look(daemon_, dir_), *whole_);
}

// The server stays away for longer than the deadline: code 3, and the state
// file knows where to go on.
TEST_F(ImportRunTest, AServerThatStaysAwayEndsTheImportUntilItIsBack) {
  const std::string listen = absl::StrCat("127.0.0.1:", daemon_.port());
  auto words = Words(dir_);
  words[3] = "1s";
  {
    Ctl import(daemon_.port(), words);
    AwaitEvents(import, 100);
    ASSERT_FALSE(import.Ended());
    daemon_.Kill();
    EXPECT_EQ(import.Wait(), 3) << import.err();
    EXPECT_THAT(import.err(), HasSubstr("UNAVAILABLE"));
  }
  ASSERT_EQ(daemon_.Start({"--listen", listen}), absl::OkStatus());
  ASSERT_TRUE(daemon_.AwaitServing().ok());
  Ctl import(daemon_.port(), Words(dir_));
  EXPECT_EQ(import.Wait(), 1) << import.err();
  EXPECT_THAT(import.out(), Not(HasSubstr("done before  0\n")));
  EXPECT_EQ(Look(daemon_, dir_), *whole_);
}

class OpenRepairTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* shared = std::getenv("AFTERCARE_SHARED_DATA");
    file_ = absl::StrCat(shared == nullptr ? "" : shared,
                         "/open_repair/repairs_restart_2012_2019.csv.gz");
    if (!std::filesystem::exists(file_)) {
      std::printf(
          "\n*** NOT TESTED: the Open Repair data is not there (%s).\n\n",
          file_.c_str());
      GTEST_SKIP() << "no " << file_;
    }
  }

  std::string file_;
};

// The table has what the data has, no more and no less, and every line it
// leads to is in the handbook.
TEST_F(OpenRepairTest, TheCategoryTableIsThatOfTheData) {
  const auto mapping =
      ParseMapping(ReadFile(Source("deploy/import/open_repair.yaml")));
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  std::set<std::string> table;
  const std::string handbook = testing::DemoHandbookText();
  for (const auto& [category, line] : mapping->tables.at("line")) {
    table.insert(category);
    EXPECT_THAT(handbook, HasSubstr(absl::StrCat("- {id: ", line, ", title:")));
  }
  std::set<std::string> data;
  size_t column = 0;
  ASSERT_TRUE(ReadCsv(
                  file_, {},
                  [&](const std::vector<std::string>& names) {
                    column = static_cast<size_t>(std::find(names.begin(),
                                                           names.end(),
                                                           "product_category") -
                                                 names.begin());
                    return absl::OkStatus();
                  },
                  [&](const CsvRow& row) {
                    data.insert(row.fields.at(column));
                    return true;
                  })
                  .ok());
  EXPECT_EQ(table, data);
}

TEST_F(OpenRepairTest, TheFirstRowsBecomeCases) {
  constexpr int kRows = 200;
  const TempDir dir;
  std::string text;
  std::map<std::string, std::vector<std::string>> rows;
  std::vector<std::string> names;
  ASSERT_TRUE(
      ReadCsv(
          file_, {},
          [&](const std::vector<std::string>& heading) {
            names = heading;
            text += CsvLine(heading);
            return absl::OkStatus();
          },
          [&](const CsvRow& row) {
            text += CsvLine(row.fields);
            rows[absl::StrReplaceAll(row.fields[0], {{"_", "-"}})] = row.fields;
            return row.number < kRows;
          })
          .ok());
  const auto at = [&](const std::string& name) {
    return static_cast<size_t>(std::find(names.begin(), names.end(), name) -
                               names.begin());
  };
  const auto mapping =
      ParseMapping(ReadFile(Source("deploy/import/open_repair.yaml")));
  ASSERT_TRUE(mapping.ok()) << mapping.status();
  ASSERT_EQ(mapping->commands.back().method->name(), "CloseCase");
  const std::vector<std::string>& closed = mapping->commands.back().when_in;
  Daemon daemon(dir / "data");
  ASSERT_EQ(daemon.Start(), absl::OkStatus());
  ASSERT_TRUE(daemon.AwaitServing().ok());
  ASSERT_TRUE(daemon.ApplyDemoHandbook().ok());
  Ctl import(daemon.port(),
             {"--actor", "importer", "import", "--mapping",
              Source("deploy/import/open_repair.yaml"), "--file",
              WriteGzip(dir / "in.csv.gz", text), "--reject", dir / "reject"});
  EXPECT_EQ(import.Wait(), 0) << import.err() << ReadFile(dir / "reject");

  intake::v1::ListCasesRequest list;
  list.set_parent("companies/acme/customers/-");
  int seen = 0;
  do {
    const auto page = daemon.Call<intake::v1::ListCasesResponse>(
        kIntake, "ListCases", list, "auditor");
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& one : page->cases()) {
      const auto row = rows.find(one.name().substr(one.name().rfind('/') + 1));
      ASSERT_NE(row, rows.end()) << one.name();
      const std::string& status = row->second[at("repair_status")];
      const bool ended = absl::c_linear_search(closed, status);
      EXPECT_EQ(one.state(),
                ended ? intake::v1::Case::CLOSED : intake::v1::Case::OPEN)
          << one.name() << " " << status;
      EXPECT_EQ(one.description(), row->second[at("problem")]);
      ++seen;
    }
    list.set_page_token(page->next_page_token());
  } while (!list.page_token().empty());
  EXPECT_EQ(seen, kRows);
}

}  // namespace
}  // namespace aftercare::ctl
