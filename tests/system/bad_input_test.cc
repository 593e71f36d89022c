// Every method of every service, found by reflection, against a real server:
// whatever comes in, the answer is a precise status with a reason (and a field
// where one is wrong), and neither log nor rows have changed.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aftercare/admin/v1/admin_service.pb.h"
#include "aftercare/common/v1/annotations.pb.h"
#include "aftercare/common/v1/types.pb.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/handbook/v1/handbook_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "aftercare/scoring/v1/scoring_service.pb.h"
#include "gtest/gtest.h"
#include "libs/base/refusal.h"
#include "libs/testing/temp_dir.h"
#include "tests/system/daemon.h"

namespace aftercare::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MethodDescriptor;

std::vector<const MethodDescriptor*> AllMethods() {
  std::vector<const MethodDescriptor*> methods;
  for (const auto* file :
       {intake::v1::OpenCaseRequest::descriptor()->file(),
        dispatch::v1::GetWorkOrderRequest::descriptor()->file(),
        returns::v1::GetReturnRequest::descriptor()->file(),
        scoring::v1::GetScoreRequest::descriptor()->file(),
        handbook::v1::ApplyHandbookRequest::descriptor()->file(),
        admin::v1::GetStatusRequest::descriptor()->file()}) {
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        methods.push_back(file->service(s)->method(m));
      }
    }
  }
  return methods;
}

std::unique_ptr<Message> NewRequest(const MethodDescriptor& method) {
  return std::unique_ptr<Message>(
      google::protobuf::MessageFactory::generated_factory()
          ->GetPrototype(method.input_type())
          ->New());
}

// Fills every field, nested ones too, by `text` and `number`; names stay good
// so that the other fields are what is looked at.
void Fill(Message& message, const std::string& name, const std::string& text,
          int64_t number, int depth) {
  const auto* type = message.GetDescriptor();
  const auto* r = message.GetReflection();
  for (int i = 0; i < type->field_count(); ++i) {
    const auto* field = type->field(i);
    if (depth > 3) return;
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: {
        const bool is_name = depth == 0 && (field->name() == "name" ||
                                            field->name() == "parent");
        // Left out, so that nothing but the field under test is wrong.
        if (field->name() == "request_id" || field->name() == "page_token") {
          break;
        }
        const std::string& value = is_name ? name : text;
        field->is_repeated() ? r->AddString(&message, field, value)
                             : r->SetString(&message, field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_INT32: {
        const auto value = static_cast<int32_t>(number);
        field->is_repeated() ? r->AddInt32(&message, field, value)
                             : r->SetInt32(&message, field, value);
        break;
      }
      case FieldDescriptor::CPPTYPE_INT64:
        field->is_repeated() ? r->AddInt64(&message, field, number)
                             : r->SetInt64(&message, field, number);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        field->is_repeated() ? r->AddEnumValue(&message, field, 4711)
                             : r->SetEnumValue(&message, field, 4711);
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        if (field->is_map()) break;
        Message& child = field->is_repeated()
                             ? *r->AddMessage(&message, field)
                             : *r->MutableMessage(&message, field);
        if (child.GetDescriptor()->full_name() == "google.protobuf.Timestamp") {
          // Year 9999.
          static_cast<google::protobuf::Timestamp&>(child).set_seconds(
              253402300799);
        } else {
          Fill(child, name, text, number, depth + 1);
        }
        break;
      }
      default:
        break;
    }
  }
}

// A well-formed name of the kind the method wants, that does not exist.
std::string NameFor(const MethodDescriptor& method) {
  const std::string& package = method.file()->package();
  const std::string& input = method.input_type()->name();
  const auto rules = method.options().GetExtension(common::v1::rules);
  const std::string company = "companies/acme";
  if (package == "aftercare.handbook.v1") return company;
  std::string boundary = company + "/customers/nobody";
  std::string leaf = "/cases/none";
  if (package == "aftercare.dispatch.v1") {
    boundary = company + "/territories/nowhere";
    leaf = absl::StrContains(input, "Technician") ||
                   absl::StrContains(input, "Leave") ||
                   absl::StrContains(input, "DayList")
               ? "/technicians/none"
               : "/workOrders/none";
  } else if (package == "aftercare.returns.v1") {
    leaf = absl::StrContains(input, "SaleLine") ||
                   absl::StrContains(input, "Delivery")
               ? "/saleLines/none"
               : "/returns/none";
  } else if (package == "aftercare.scoring.v1") {
    boundary = company + "/staff/nobody";
    leaf = absl::StrContains(input, "Fact") ? "/facts/none"
                                            : "/appraisals/2026-01";
  } else if (absl::StrContains(input, "Customer")) {
    leaf = "";
  } else if (absl::StrContains(input, "Asset")) {
    leaf = "/assets/none";
  }
  return rules.name_field() == "parent" ? boundary : boundary + leaf;
}

class BadInputTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    dir_ = new TempDir;
    daemon_ = new Daemon(*dir_ / "data");
    ASSERT_TRUE(daemon_->Start().ok());
    ASSERT_TRUE(daemon_->AwaitServing().ok());
    ASSERT_TRUE(daemon_->ApplyDemoHandbook().ok());
    ASSERT_TRUE(daemon_->AwaitReactions().ok());
  }
  static void TearDownTestSuite() {
    delete daemon_;
    delete dir_;
  }

  void SetUp() override { before_ = Marks(); }
  void TearDown() override { EXPECT_EQ(Marks(), before_); }

  static std::map<std::string, std::string> Marks() {
    std::map<std::string, std::string> marks;
    auto status = daemon_->Status();
    EXPECT_TRUE(status.ok()) << status.status();
    if (!status.ok()) return marks;
    for (const auto& shard : status->shards()) {
      marks[absl::StrCat(shard.service(), "/", shard.partition())] =
          absl::StrCat(shard.offset(), " ", shard.digest());
    }
    return marks;
  }

  // Somebody who may call the method, so that the request itself is judged.
  static std::string ActorFor(const MethodDescriptor& method) {
    static const std::map<std::string, std::string> people = {
        {"agent", "agent-li"},
        {"supervisor", "supervisor-chen"},
        {"dispatcher", "dispatcher-zhou"},
        {"technician", "tech-01"},
        {"returns_clerk", "clerk-shen"},
        {"inspector", "inspector-yang"},
        {"finance", "finance-zhu"},
        {"appraiser", "appraiser-qin"},
        {"importer", "importer"},
        {"auditor", "auditor"},
        {"operator", "operator"},
        {"any", "agent-li"}};
    const auto rules = method.options().GetExtension(common::v1::rules);
    for (const std::string& role : rules.roles()) {
      const auto it = people.find(role);
      if (it != people.end()) return it->second;
    }
    return "agent-li";
  }

  static absl::Status Send(const MethodDescriptor& method,
                           const std::string& bytes, const std::string& actor) {
    return daemon_
        ->CallRaw(method.service()->full_name(), method.name(), bytes, actor)
        .status();
  }

  static void ExpectPrecise(const MethodDescriptor& method,
                            const absl::Status& status) {
    EXPECT_NE(status.code(), absl::StatusCode::kUnknown)
        << method.full_name() << ": " << status;
    EXPECT_NE(status.code(), absl::StatusCode::kInternal)
        << method.full_name() << ": " << status;
    EXPECT_NE(ReasonOf(status), "") << method.full_name() << ": " << status;
  }

  static TempDir* dir_;
  static Daemon* daemon_;
  std::map<std::string, std::string> before_;
};

TempDir* BadInputTest::dir_ = nullptr;
Daemon* BadInputTest::daemon_ = nullptr;

// These answer to nothing in particular.
bool TakesAnEmptyRequest(const MethodDescriptor& method) {
  static const std::set<std::string> names = {"GetStatus", "VerifyShards",
                                              "ListParked"};
  return names.contains(method.name());
}

TEST_F(BadInputTest, WithoutIdentityEveryCallIsRefused) {
  ASSERT_GT(AllMethods().size(), 60u);
  for (const auto* method : AllMethods()) {
    const absl::Status status = Send(*method, "", "");
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated)
        << method->full_name();
    EXPECT_EQ(ReasonOf(status), "CREDENTIALS_MISSING");
    // Nobody is Aftercare itself.
    EXPECT_EQ(Send(*method, "", "system").code(),
              absl::StatusCode::kUnauthenticated)
        << method->full_name();
  }
}

TEST_F(BadInputTest, AStrangerMayDoNothing) {
  for (const auto* method : AllMethods()) {
    auto request = NewRequest(*method);
    Fill(*request, NameFor(*method), "x", 1, 0);
    const absl::Status status =
        Send(*method, request->SerializeAsString(), "stranger");
    ExpectPrecise(*method, status);
    EXPECT_TRUE(absl::IsPermissionDenied(status) ||
                absl::IsInvalidArgument(status))
        << method->full_name() << ": " << status;
  }
}

TEST_F(BadInputTest, AnEmptyMessageNamesWhatIsMissing) {
  for (const auto* method : AllMethods()) {
    if (TakesAnEmptyRequest(*method)) continue;
    const absl::Status status = Send(*method, "", ActorFor(*method));
    ExpectPrecise(*method, status);
    EXPECT_TRUE(absl::IsInvalidArgument(status) ||
                absl::IsPermissionDenied(status))
        << method->full_name() << ": " << status;
    if (absl::IsInvalidArgument(status)) {
      EXPECT_NE(FieldOf(status), "") << method->full_name() << ": " << status;
    }
  }
}

TEST_F(BadInputTest, BytesThatAreNoMessageAreMalformed) {
  for (const auto* method : AllMethods()) {
    // A truncated field, and text that is not UTF-8 in field 1.
    for (const std::string& bytes :
         {std::string("\x0a\xff\xff\xff\xff\x0f"), std::string("\xff\xff")}) {
      const absl::Status status = Send(*method, bytes, ActorFor(*method));
      ExpectPrecise(*method, status);
      EXPECT_EQ(ReasonOf(status), "REQUEST_MALFORMED")
          << method->full_name() << ": " << status;
    }
    const auto* first = method->input_type()->FindFieldByNumber(1);
    if (first == nullptr ||
        first->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
      continue;
    }
    const absl::Status status =
        Send(*method, "\x0a\x02\xc3\x28", ActorFor(*method));
    EXPECT_EQ(ReasonOf(status), "REQUEST_MALFORMED")
        << method->full_name() << ": " << status;
  }
}

TEST_F(BadInputTest, AHugeRequestIsTooLarge) {
  for (const auto* method : AllMethods()) {
    const auto* first = method->input_type()->FindFieldByNumber(1);
    if (first == nullptr ||
        first->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
      continue;
    }
    auto request = NewRequest(*method);
    request->GetReflection()->SetString(request.get(), first,
                                        std::string(2 << 20, 'a'));
    const absl::Status status =
        Send(*method, request->SerializeAsString(), ActorFor(*method));
    EXPECT_EQ(ReasonOf(status), "REQUEST_TOO_LARGE")
        << method->full_name() << ": " << status;
  }
}

TEST_F(BadInputTest, MalformedAndForeignNamesAreRefused) {
  for (const auto* method : AllMethods()) {
    const auto rules = method->options().GetExtension(common::v1::rules);
    const std::string field =
        rules.name_field().empty() ? "name" : rules.name_field();
    const auto* name = method->input_type()->FindFieldByName(field);
    if (name == nullptr) continue;
    for (const std::string& bad :
         {std::string("x"), std::string("companies"), std::string("companies/"),
          std::string("companies/ACME/customers/1"),
          std::string("companies/acme/customers/../cases/1"),
          std::string("companies/acme/planets/1"),
          std::string("companies/acme/planets/1/moons/2"),
          std::string("companies/nobody-here/customers/1/cases/2"),
          std::string(500, 'a')}) {
      auto request = NewRequest(*method);
      Fill(*request, bad, "x", 1, 0);
      const absl::Status status =
          Send(*method, request->SerializeAsString(), ActorFor(*method));
      // A list below a name nobody has may be empty; nothing else is fine.
      if (status.ok()) {
        EXPECT_TRUE(rules.query()) << method->full_name() << " " << bad;
        continue;
      }
      ExpectPrecise(*method, status);
    }
  }
}

TEST_F(BadInputTest, NonsenseInEveryFieldIsRefusedByField) {
  const std::string long_text(100000, 'x');
  for (const auto* method : AllMethods()) {
    if (method->options().GetExtension(common::v1::rules).query()) continue;
    for (const auto& [text, number] :
         std::vector<std::pair<std::string, int64_t>>{
             {long_text, -1},
             {"x", -5},
             {std::string("a\0b\x1b", 4), INT64_MAX},
             {"companies/other/customers/1/assets/2", 1},
             {"", 0}}) {
      auto request = NewRequest(*method);
      Fill(*request, NameFor(*method), text, number, 0);
      const absl::Status status =
          Send(*method, request->SerializeAsString(), ActorFor(*method));
      EXPECT_FALSE(status.ok()) << method->full_name();
      ExpectPrecise(*method, status);
    }
  }
}

TEST_F(BadInputTest, UnknownResourcesAreNotFoundOrRefused) {
  for (const auto* method : AllMethods()) {
    const auto* name = method->input_type()->FindFieldByName("name");
    if (name == nullptr) continue;
    auto request = NewRequest(*method);
    request->GetReflection()->SetString(request.get(), name, NameFor(*method));
    const absl::Status status =
        Send(*method, request->SerializeAsString(), ActorFor(*method));
    if (status.ok()) {
      EXPECT_TRUE(method->options().GetExtension(common::v1::rules).query())
          << method->full_name();
      continue;
    }
    ExpectPrecise(*method, status);
  }
}

TEST_F(BadInputTest, RandomBytesNeverHarm) {
  uint64_t state = 88172645463325252ull;
  for (const auto* method : AllMethods()) {
    for (int i = 0; i < 20; ++i) {
      std::string bytes;
      for (int k = 0; k < 40; ++k) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes += static_cast<char>(state);
      }
      const absl::Status status = Send(*method, bytes, ActorFor(*method));
      if (!status.ok()) ExpectPrecise(*method, status);
    }
  }
}

}  // namespace
}  // namespace aftercare::testing
