#include "services/ctl/import.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/testing/temp_dir.h"
#include "tests/services/ctl/files.h"

namespace aftercare::ctl {
namespace {

using ::aftercare::testing::ReadFile;
using ::aftercare::testing::TempDir;
using ::aftercare::testing::WriteFile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kMapping[] = R"(name: tickets
row_key: id
lane: customer
tables:
  line: {Kettle: kettle, Laptop: laptop}
commands:
  - service: intake
    method: register-customer
    accept: [RESOURCE_ALREADY_EXISTS]
    fields:
      parent: companies/acme
      customer_id: "{slug:customer}"
      display_name: "{customer}"
      region: beijing
  - service: intake
    method: open-case
    fields:
      parent: companies/acme/customers/{slug:customer}
      case_id: "{slug:id}"
      kind: repair
      channel: hotline
      subject: "{clip:20:text}"
      product_line: "{map:line:product}"
      occur_time: "{day}T10:00:00+08:00"
  - service: intake
    method: resolve-case
    when: {column: fixed, in: ["yes"]}
    fields:
      name: companies/acme/customers/{slug:customer}/cases/{slug:id}
      resolution: "{or:done:note}"
)";
constexpr char kHeading[] = "id,customer,text,product,day,fixed,note\n";

ImportMapping Mapping(const std::string& yaml = kMapping) {
  auto mapping = ParseMapping(yaml);
  EXPECT_TRUE(mapping.ok()) << mapping.status();
  return *std::move(mapping);
}

std::string MappingProblem(const std::string& yaml) {
  return std::string(ParseMapping(yaml).status().message());
}

// kMapping with one thing replaced, which must be there.
std::string With(const std::string& from, const std::string& to) {
  const std::string text = absl::StrReplaceAll(kMapping, {{from, to}});
  EXPECT_NE(text, kMapping) << from;
  return text;
}

TEST(MappingTest, EachMistakeIsToldWithItsLine) {
  EXPECT_THAT(MappingProblem("name: [\n"), HasSubstr("line "));
  EXPECT_THAT(MappingProblem("- a\n"), HasSubstr("line 1: must be a map"));
  EXPECT_THAT(MappingProblem("name: x\n"),
              HasSubstr("line 1: there is no row_key"));
  EXPECT_EQ(MappingProblem(With("name: tickets", "name: My Tickets")),
            "line 1: the name must be lower-case letters, digits and hyphens");
  EXPECT_THAT(MappingProblem(With("row_key: id", "row_key: [id]")),
              HasSubstr("line 2: row_key must be a text"));
  EXPECT_THAT(MappingProblem(With("lane: customer", "lan: customer")),
              HasSubstr("line 3: 'lan' is none of"));
  EXPECT_THAT(MappingProblem(With("lane: customer", "lane: a\nlane: b")),
              HasSubstr("line 4: 'lane' stands twice"));
  EXPECT_THAT(
      MappingProblem(With("{Kettle: kettle, Laptop: laptop}", "kettle")),
      HasSubstr("line 5: must be a map"));
  EXPECT_THAT(MappingProblem(With("Laptop: laptop", "Kettle: laptop")),
              HasSubstr("line 5: 'Kettle' stands twice"));
  EXPECT_THAT(MappingProblem(With("method: open-case", "method: open")),
              HasSubstr("line 16: no method 'open'"));
  EXPECT_THAT(MappingProblem(With("method: open-case", "method: get-case")),
              HasSubstr("line 16: get-case changes nothing"));
  EXPECT_THAT(MappingProblem(With("    accept:", "    acept:")),
              HasSubstr("line 9: 'acept' is none of"));
  EXPECT_THAT(MappingProblem(With("[RESOURCE_ALREADY_EXISTS]", "yes")),
              HasSubstr("line 9: accept must be a list"));
  EXPECT_THAT(MappingProblem(With("channel:", "chanel:")),
              HasSubstr("line 21: chanel: OpenCaseRequest has no field"));
  EXPECT_THAT(MappingProblem(With("kind: repair", "kind: repiar")),
              HasSubstr("line 20: kind: 'repiar' is none of"));
  EXPECT_THAT(MappingProblem(With("kind: repair", "request_id: x")),
              HasSubstr("line 20: the request_id follows"));
  EXPECT_THAT(MappingProblem(With("{clip:20:text}", "{clip:0:text}")),
              HasSubstr("line 22: {clip:0:text} is none of"));
  EXPECT_THAT(MappingProblem(With("{clip:20:text}", "{clap:20:text}")),
              HasSubstr("line 22: {clap:20:text} is none of"));
  EXPECT_THAT(MappingProblem(With("{clip:20:text}", "{clip:20:text")),
              HasSubstr("line 22: a '{' does not close"));
  EXPECT_THAT(MappingProblem(With("{map:line:product}", "{map:lines:product}")),
              HasSubstr("line 23: there is no table 'lines'"));
  EXPECT_THAT(
      MappingProblem(With("{column: fixed, in: [\"yes\"]}", "{column: fixed}")),
      HasSubstr("line 27: there is no in"));
  EXPECT_THAT(MappingProblem(With("{column: fixed, in: [\"yes\"]}",
                                  "{column: fixed, in: \"yes\"}")),
              HasSubstr("line 27: in must be a list"));
  EXPECT_THAT(MappingProblem("name: a\nrow_key: b\nlane: c\ncommands: []\n"),
              HasSubstr("line 4: commands must be a list of at least one"));
}

TEST(MappingTest, EveryColumnSpokenOfIsKnownBeforehand) {
  EXPECT_THAT(Mapping().columns, ElementsAre("customer", "day", "fixed", "id",
                                             "note", "product", "text"));
}

std::string Expanded(const std::string& text, const Columns& columns,
                     const Tables& tables = {}) {
  auto pieces = ParseTemplate(text);
  if (!pieces.ok()) return absl::StrCat("bad: ", pieces.status().message());
  auto out = Expand(tables, *pieces, columns);
  return out.ok() ? *out : absl::StrCat("bad: ", out.status().message());
}

TEST(TemplateTest, TextAndColumnsStandSideBySide) {
  const Columns columns = {{"a", "1"}, {"b", "{a}"}, {"名字", "王"}};
  EXPECT_EQ(Expanded("", columns), "");
  EXPECT_EQ(Expanded("x } y", columns), "x } y");
  EXPECT_EQ(Expanded("{a}{a}-{名字}", columns), "11-王");
  // What a column holds is not read as a template.
  EXPECT_EQ(Expanded("{b}", columns), "{a}");
  for (const std::string bad :
       {"{", "{a", "{}", "{slug:}", "{or:a}", "{slug:x:a}", "{clip:x:a}",
        "{clip:-1:a}", "{upper:a}", "{map:a}"}) {
    EXPECT_THAT(Expanded(bad, columns), HasSubstr("bad: ")) << bad;
  }
}

TEST(TemplateTest, OrStandsInForAnEmptyColumnOnly) {
  EXPECT_EQ(Expanded("{or:none: really:a}", {{"a", ""}}), "none: really");
  EXPECT_EQ(Expanded("{or:none:a}", {{"a", "0"}}), "0");
}

TEST(TemplateTest, MapRefusesWhatNeitherATableNorItsDefaultKnows) {
  const Tables tables = {{"t", {{"x", "1"}, {"", "empty"}}},
                         {"d", {{"x", "1"}, {"*", "other"}}}};
  EXPECT_EQ(Expanded("{map:t:a}", {{"a", "x"}}, tables), "1");
  EXPECT_EQ(Expanded("{map:t:a}", {{"a", ""}}, tables), "empty");
  EXPECT_EQ(Expanded("{map:t:a}", {{"a", "y"}}, tables),
            "bad: a 'y' is not in the table 't'");
  EXPECT_EQ(Expanded("{map:d:a}", {{"a", "y"}}, tables), "other");
}

TEST(TemplateTest, ASlugIsAlwaysFitForAResourceName) {
  EXPECT_EQ(Expanded("{slug:a}", {{"a", "Restart HQ (London) "}}),
            "restart-hq-london");
  EXPECT_EQ(Expanded("{slug:a}", {{"a", ""}}), "unknown");
  std::set<std::string> slugs;
  const std::vector<std::string> texts = {
      "王小明", "王小红", "Repair Café", "Repair Caf", "---", "***", "😀",
      std::string(64, 'a'), std::string(65, 'a'), std::string(63, 'a'),
      // The cut falls behind a hyphen.
      absl::StrCat(std::string(39, 'b'), "-", std::string(60, 'c')), "\n\t",
      "a/b/../c"};
  for (const std::string& text : texts) {
    const std::string slug = Expanded("{slug:a}", {{"a", text}});
    EXPECT_TRUE(IsResourceId(slug)) << text << " -> " << slug;
    slugs.insert(slug);
  }
  EXPECT_THAT(slugs, SizeIs(texts.size()));
}

TEST(TemplateTest, ClipNeverCutsACharacter) {
  const std::string text = "aé王😀";  // 1 + 2 + 3 + 4 bytes
  const std::vector<std::string> want = {"a",    "a",    "aé",   "aé",   "aé",
                                         "aé王", "aé王", "aé王", "aé王", text};
  for (size_t limit = 1; limit <= 12; ++limit) {
    EXPECT_EQ(Expanded(absl::StrCat("{clip:", limit, ":a}"), {{"a", text}}),
              want[std::min<size_t>(limit, 10) - 1])
        << limit;
  }
  EXPECT_EQ(Expanded("{clip:2:a}", {{"a", "😀😀"}}), "");
}

TEST(PlanTest, ARowBecomesItsCommands) {
  const ImportMapping mapping = Mapping();
  Columns columns = {{"id", "T-1"},         {"customer", "王芳"},
                     {"text", "leaks"},     {"product", "Kettle"},
                     {"day", "2026-03-01"}, {"fixed", "yes"},
                     {"note", ""}};
  auto planned = PlanRow(mapping, columns);
  ASSERT_TRUE(planned.ok()) << planned.status();
  ASSERT_THAT(*planned, SizeIs(3));
  const auto& open =
      static_cast<const intake::v1::OpenCaseRequest&>(*(*planned)[1].request);
  EXPECT_EQ(open.case_id(), "t-1");
  EXPECT_EQ(open.kind(), intake::v1::Case::REPAIR);
  EXPECT_EQ(open.product_line(), "kettle");
  EXPECT_EQ(
      static_cast<const intake::v1::ResolveCaseRequest&>(*(*planned)[2].request)
          .resolution(),
      "done");
  columns["fixed"] = "no";
  EXPECT_THAT(*PlanRow(mapping, columns), SizeIs(2));
}

TEST(PlanTest, RequestIdsFollowFromNameKeyAndPlaceAlone) {
  Columns columns = {{"id", "键 1"},        {"customer", "a"},
                     {"text", "x"},         {"product", "Kettle"},
                     {"day", "2026-03-01"}, {"fixed", "no"},
                     {"note", ""}};
  const auto ids = [](const ImportMapping& mapping, const Columns& in) {
    std::vector<std::string> all;
    const auto commands = PlanRow(mapping, in);
    for (const auto& planned : *commands) {
      const auto& message = *planned.request;
      all.push_back(message.GetReflection()->GetString(
          message, message.GetDescriptor()->FindFieldByName("request_id")));
    }
    return all;
  };
  const ImportMapping mapping = Mapping();
  const std::vector<std::string> first = ids(mapping, columns);
  columns["text"] = "y";
  EXPECT_EQ(ids(mapping, columns), first);
  EXPECT_NE(first[0], first[1]);
  columns["id"] = "键 2";
  EXPECT_NE(ids(mapping, columns)[0], first[0]);
  columns["id"] = "键 1";
  EXPECT_NE(ids(Mapping(With("tickets", "others")), columns)[0], first[0]);
}

// Answers like a server with one fact: which cases there are.
class FakeServer {
 public:
  absl::Status Take(const google::protobuf::MethodDescriptor& method,
                    const google::protobuf::Message& request) {
    std::lock_guard lock(mutex_);
    if (const absl::Status* answer = fail_.empty() ? nullptr : &fail_[0];
        answer != nullptr && calls_ >= fail_after_) {
      return *answer;
    }
    ++calls_;
    if (method.name() != "OpenCase") return absl::OkStatus();
    const auto& open = static_cast<const intake::v1::OpenCaseRequest&>(request);
    order_[open.parent()].push_back(open.case_id());
    const auto refused = refused_.find(open.case_id());
    if (refused != refused_.end()) return refused->second;
    opened_.insert(open.case_id());
    return absl::OkStatus();
  }

  void Refuse(const std::string& id, const absl::Status& status) {
    refused_[id] = status;
  }
  void FailAfter(int calls, const absl::Status& status) {
    calls_ = 0;
    fail_after_ = calls;
    fail_ = {status};
  }
  void Recover() { fail_.clear(); }

  const std::set<std::string>& opened() const { return opened_; }
  std::map<std::string, std::vector<std::string>>& order() { return order_; }
  int calls() const { return calls_; }

 private:
  std::mutex mutex_;
  std::map<std::string, absl::Status> refused_;
  std::set<std::string> opened_;
  std::map<std::string, std::vector<std::string>> order_;
  std::vector<absl::Status> fail_;
  int calls_ = 0;
  int fail_after_ = 0;
};

class ImportTest : public ::testing::Test {
 protected:
  absl::StatusOr<ImportResult> Run(const std::string& csv,
                                   bool dry_run = false) {
    ImportOptions options;
    options.file = WriteFile(dir_ / "in.csv", csv);
    options.state_file = dir_ / "state";
    options.reject_file = dir_ / "reject.csv";
    options.concurrency = 4;
    options.dry_run = dry_run;
    return RunImport(mapping_, options,
                     [this](const google::protobuf::MethodDescriptor& method,
                            const google::protobuf::Message& request) {
                       return server_.Take(method, request);
                     });
  }
  std::string Rejects() const { return ReadFile(dir_ / "reject.csv"); }
  std::string State() const { return ReadFile(dir_ / "state"); }

  static std::string Row(const std::string& id, const std::string& customer,
                         const std::string& product = "Kettle") {
    return absl::StrCat(id, ",", customer, ",leaks,", product,
                        ",2026-03-01,no,\n");
  }
  static std::string Rows(int from, int to) {
    std::string text;
    for (int i = from; i < to; ++i) {
      text += Row(absl::StrCat("r", i), absl::StrCat("c", i % 7));
    }
    return text;
  }

  const TempDir dir_;
  ImportMapping mapping_ = Mapping();
  FakeServer server_;
};

TEST_F(ImportTest, BadRowsAreSetAsideWithLineAndReasonAndTheRestGoesOn) {
  server_.Refuse("r6", InvalidField("subject", "is too long"));
  server_.Refuse("r7", AlreadyExists("companies/acme/customers/c/cases/r7"));
  const auto result = Run(absl::StrCat(
      kHeading, Row("r1", "c"), Row("r2", "c", "Toaster"),  // line 3
      "r3,c,leaks,Kettle,1 March,no,\n",                    // 4
      ",c,\"no\nkey\",Kettle,2026-03-01,no,\n",             // 5
      "r4,c\n",                                             // 7
      "r5,\xff,leaks,Kettle,2026-03-01,no,\n",              // 8
      Row("r6", "c"), Row("r7", "c"),                       // 9, 10
      "r8,c,a \"quote\",Kettle,2026-03-01,no,\n",           // 11
      Row("r9", "c")));
  ASSERT_TRUE(result.status().ok()) << result.status();
  EXPECT_EQ(result->rows, 10);
  EXPECT_EQ(result->imported, 2);
  EXPECT_EQ(result->rejected, 8);
  EXPECT_THAT(server_.opened(), ElementsAre("r1", "r9"));
  EXPECT_EQ(
      Rejects(),
      "line,reason,id,customer,text,product,day,fixed,note\n"
      "3,product 'Toaster' is not in the table 'line',"
      "r2,c,leaks,Toaster,2026-03-01,no,\n"
      "4,occur_time: '1 MarchT10:00:00+08:00' is no time such as "
      "2026-03-01T08:30:00+08:00,r3,c,leaks,Kettle,1 March,no,\n"
      "5,the row key id is empty,,c,\"no\nkey\",Kettle,2026-03-01,no,\n"
      "7,\"has 2 fields, not 7\",r4,c\n"
      "8,field 2 is not in utf-8,r5,\xEF\xBF\xBD,leaks,Kettle,2026-03-01,no,\n"
      "9,FIELD_INVALID: subject: is too long (1 of 2 commands of the row were "
      "carried out),r6,c,leaks,Kettle,2026-03-01,no,\n"
      "10,RESOURCE_ALREADY_EXISTS: companies/acme/customers/c/cases/r7 exists "
      "already (1 of 2 commands of the row were carried out),"
      "r7,c,leaks,Kettle,2026-03-01,no,\n"
      "11,\"a quote does not belong there (line 11, field 3)\",r8,c\n");
}

// A row that cannot be planned as a whole sends nothing, not even its good
// first command.
TEST_F(ImportTest, ARowThatCannotBePlannedSendsNothing) {
  ASSERT_TRUE(Run(absl::StrCat(kHeading, Row("r1", "c", "Toaster"))).ok());
  EXPECT_EQ(server_.calls(), 0);
}

TEST_F(ImportTest, AMendedRejectFileIsItselfAnImport) {
  ASSERT_TRUE(
      Run(absl::StrCat(kHeading, Row("r1", "c"), Row("r2", "c", "Toaster")))
          .ok());
  const std::string mended =
      absl::StrReplaceAll(Rejects(), {{"leaks,Toaster", "leaks,Kettle"}});
  std::filesystem::remove(dir_ / "state");
  const auto result = Run(mended);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->imported, 1);
  EXPECT_THAT(server_.opened(), ElementsAre("r1", "r2"));
}

TEST_F(ImportTest, RowsOfOneLaneKeepTheirOrder) {
  ASSERT_TRUE(Run(absl::StrCat(kHeading, Rows(0, 2000))).ok());
  ASSERT_THAT(server_.order(), SizeIs(7));
  for (const auto& [customer, ids] : server_.order()) {
    for (size_t i = 1; i < ids.size(); ++i) {
      ASSERT_LT(std::stoi(ids[i - 1].substr(1)), std::stoi(ids[i].substr(1)))
          << customer;
    }
  }
}

TEST_F(ImportTest, AMissingOrDoubleColumnStopsItBeforeTheFirstRow) {
  auto result = Run("id,customer,text,product,day,note\n1,2,3,4,5,6\n");
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()),
              HasSubstr("has no column 'fixed'"));
  result = Run("id,customer,text,product,day,fixed,note,id\n");
  EXPECT_THAT(std::string(result.status().message()),
              HasSubstr("has two columns 'id'"));
  EXPECT_EQ(server_.calls(), 0);
}

TEST_F(ImportTest, WhatIsNotTheRowsFaultStopsTheImportAndIsNoReject) {
  for (const absl::Status& fault :
       {absl::Status(absl::UnavailableError("gone")),
        absl::Status(absl::DeadlineExceededError("slow")),
        absl::Status(absl::ResourceExhaustedError("full")),
        absl::Status(absl::FailedPreconditionError("no reason given")),
        Refuse(common::v1::REASON_ACTION_NOT_PERMITTED, "no"),
        Refuse(common::v1::REASON_LOG_CORRUPT, "halted")}) {
    std::filesystem::remove(dir_ / "state");
    server_.FailAfter(20, fault);
    const auto result = Run(absl::StrCat(kHeading, Rows(0, 100)));
    EXPECT_EQ(result.status().code(), fault.code()) << fault;
    EXPECT_EQ(Rejects(), absl::StrCat("line,reason,", kHeading)) << fault;
  }
}

// Wherever it stops, going on gives what one run would have given, with each
// reject once.
TEST_F(ImportTest, GoingOnFromTheStateFileGivesTheSameAsOneRun) {
  const auto text = [] {
    std::string rows = kHeading;
    for (int i = 0; i < 60; ++i) {
      rows += Row(absl::StrCat("r", i), absl::StrCat("c", i % 7),
                  i % 5 == 0 ? "Toaster" : "Kettle");
    }
    return rows;
  }();
  for (int i = 3; i < 60; i += 10) {
    server_.Refuse(absl::StrCat("r", i), InvalidField("subject", "is bad"));
  }
  ASSERT_TRUE(Run(text).ok());
  const std::string rejects = Rejects();
  const std::set<std::string> opened = server_.opened();
  ASSERT_THAT(opened, SizeIs(42));

  for (int after = 0; after < 96; after += 5) {
    SCOPED_TRACE(after);
    std::filesystem::remove(dir_ / "state");
    server_.FailAfter(after, absl::UnavailableError("gone"));
    ASSERT_FALSE(Run(text).ok());
    // A line torn by a power cut.
    WriteFile(dir_ / "reject.csv", Rejects() + "99,\"torn");
    server_.Recover();
    const auto result = Run(text);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->rows, 60);
    EXPECT_EQ(result->skipped + result->imported + result->rejected, 60);
    EXPECT_EQ(Rejects(), rejects);
    EXPECT_EQ(server_.opened(), opened);
  }
}

TEST_F(ImportTest, AFinishedImportHasNothingLeftAndAGrownFileOnlyItsNewRows) {
  ASSERT_TRUE(Run(absl::StrCat(kHeading, Rows(0, 10))).ok());
  const int calls = server_.calls();
  auto result = Run(absl::StrCat(kHeading, Rows(0, 10)));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->skipped, 10);
  EXPECT_EQ(server_.calls(), calls);
  result = Run(absl::StrCat(kHeading, Rows(0, 12)));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->imported, 2);
  EXPECT_EQ(server_.calls(), calls + 4);
}

TEST_F(ImportTest, AStateFileOfAnotherFileOrImportIsRefused) {
  ASSERT_TRUE(Run(absl::StrCat(kHeading, Rows(0, 10))).ok());
  const int calls = server_.calls();
  const std::string state = State();
  for (const std::string& other : {Rows(5, 30), Rows(0, 5)}) {
    const auto result = Run(absl::StrCat(kHeading, other));
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(result.status().message()),
                HasSubstr("belongs to another file"));
  }
  mapping_ = Mapping(With("tickets", "others"));
  EXPECT_THAT(
      std::string(Run(absl::StrCat(kHeading, Rows(0, 10))).status().message()),
      HasSubstr("belongs to the import 'tickets'"));
  EXPECT_EQ(State(), state);
  for (const std::string damaged : {"", "12\n", "import tickets\nrow x\n"}) {
    WriteFile(dir_ / "state", damaged);
    EXPECT_THAT(
        std::string(
            Run(absl::StrCat(kHeading, Rows(0, 10))).status().message()),
        HasSubstr("is no state file"));
  }
  EXPECT_EQ(server_.calls(), calls);
}

TEST_F(ImportTest, ADryRunFindsTheBadRowsAndSendsNothing) {
  const auto result = Run(
      absl::StrCat(kHeading, Row("r1", "c"), Row("r2", "c", "Toaster")), true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->imported, 1);
  EXPECT_EQ(result->rejected, 1);
  EXPECT_EQ(server_.calls(), 0);
  EXPECT_EQ(State(), "");
  EXPECT_THAT(Rejects(), HasSubstr("\n3,product 'Toaster'"));
}

TEST_F(ImportTest, ADamagedFileKeepsWhatCameBeforeAndGoesOnWhenMended) {
  const std::string good = absl::StrCat(kHeading, Rows(0, 10));
  auto result = Run(absl::StrCat(good, "r10,c,\"leaks"));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("line 12"));
  EXPECT_THAT(server_.opened(), SizeIs(10));
  result = Run(absl::StrCat(good, Row("r10", "c")));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->skipped, 10);
  EXPECT_EQ(result->imported, 1);
}

TEST_F(ImportTest, RefusalsThatTheMappingAcceptsAreSuccess) {
  mapping_ = Mapping(With("    method: open-case\n",
                          "    method: open-case\n"
                          "    accept: [RESOURCE_ALREADY_EXISTS]\n"));
  server_.Refuse("r1", AlreadyExists("r1"));
  const auto result = Run(absl::StrCat(kHeading, Row("r1", "c")));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->imported, 1);
  EXPECT_EQ(result->rejected, 0);
}

}  // namespace
}  // namespace aftercare::ctl
