#include "libs/shard/request.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gtest/gtest.h"
#include "libs/base/ids.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"

namespace aftercare::shard {
namespace {

using intake::v1::GetCustomerRequest;
using intake::v1::ListCasesRequest;
using intake::v1::OpenCaseRequest;
using intake::v1::RegisterCustomerRequest;

const google::protobuf::MethodDescriptor& MethodOf(const char* name) {
  return *GetCustomerRequest::descriptor()
              ->file()
              ->FindServiceByName("IntakeService")
              ->FindMethodByName(name);
}

RequestFields FieldsOf(const char* name) {
  const auto& method = MethodOf(name);
  return RequestFields::Of(method,
                           method.options().GetExtension(common::v1::rules))
      .value();
}

std::string ReasonForName(const std::string& name) {
  GetCustomerRequest request;
  request.set_name(name);
  return ReasonOf(FieldsOf("GetCustomer").NameOf(request).status());
}

std::string ReasonForParent(const std::string& parent) {
  ListCasesRequest request;
  request.set_parent(parent);
  return ReasonOf(FieldsOf("ListCases").NameOf(request).status());
}

TEST(RequestFieldsTest, ANameIsPairsOfCollectionAndId) {
  for (const char* good :
       {"companies/acme", "companies/acme/customers/1",
        "companies/acme/territories/north/workOrders/7", "companies/a/b/c"}) {
    EXPECT_EQ(ReasonForName(good), "") << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("companies"), std::string("companies/"),
        std::string("/companies/acme"), std::string("companies/acme/customers"),
        std::string("companies/acme//1"), std::string("companies/ACME"),
        std::string("companies/acme/customers/1/"),
        std::string("companies/acme/customers/.."),
        std::string("companies/acme/customers/顾客"),
        std::string("companies/acme/Customers/1"),
        std::string("companies/acme/cust-omers/1"),
        std::string("customers/1/companies/acme"),
        absl::StrCat("companies/acme/", std::string(64, 'c'), "/1")}) {
    EXPECT_EQ(ReasonForName(bad), "NAME_INVALID") << bad;
  }
}

TEST(RequestFieldsTest, ANameHasAnEnd) {
  std::string name = "companies/acme";
  while (name.size() <= 512 - 4) name += "/c/1";
  EXPECT_EQ(ReasonForName(name), "");
  EXPECT_EQ(ReasonForName(name + "/c/1"), "NAME_INVALID");
}

TEST(RequestFieldsTest, OnlyAQueryMayAskForAllBoundaries) {
  EXPECT_EQ(ReasonForParent("companies/acme/customers/-"), "");
  for (const char* bad :
       {"companies/-", "companies/-/customers/1",
        "companies/acme/customers/-/cases/1",
        "companies/acme/customers/1/cases/-", "companies/acme/-/-"}) {
    EXPECT_EQ(ReasonForParent(bad), "NAME_INVALID") << bad;
  }
  OpenCaseRequest command;
  command.set_parent("companies/acme/customers/-");
  EXPECT_EQ(ReasonOf(FieldsOf("OpenCase").NameOf(command).status()),
            "NAME_INVALID");
}

TEST(RequestFieldsTest, AnIdThatIsGivenIsTaken) {
  OpenCaseRequest request;
  request.set_parent("companies/acme/customers/1");
  request.set_case_id("k-1");
  request.set_request_id("r-1");
  const RequestFields fields = FieldsOf("OpenCase");
  EXPECT_FALSE(fields.DerivesId(request));
  EXPECT_EQ(fields.ResolveTarget(request).value(),
            "companies/acme/customers/1/cases/k-1");
  request.set_case_id("K 1");
  const absl::Status bad = fields.ResolveTarget(request).status();
  EXPECT_EQ(FieldOf(bad), "case_id") << bad;
}

// Every process must come to the same id, or a repeated call would be a second
// one.
TEST(RequestFieldsTest, AnIdThatIsLackingFollowsFromParentAndRequestId) {
  const RequestFields fields = FieldsOf("OpenCase");
  OpenCaseRequest request;
  request.set_parent("companies/acme/customers/1");
  request.set_request_id("r-1");
  const OpenCaseRequest as_it_came = request;
  EXPECT_TRUE(fields.DerivesId(request));
  const std::string target = fields.ResolveTarget(request).value();
  EXPECT_EQ(target, absl::StrCat("companies/acme/customers/1/cases/",
                                 IdFrom("companies/acme/customers/1|r-1")));
  EXPECT_EQ(request.case_id(), IdOf(target));
  fields.ClearId(request);
  EXPECT_EQ(request.SerializeAsString(), as_it_came.SerializeAsString());
  EXPECT_EQ(fields.ResolveTarget(request).value(), target);
  OpenCaseRequest other = as_it_came;
  other.set_parent("companies/acme/customers/2");
  EXPECT_NE(IdOf(fields.ResolveTarget(other).value()), IdOf(target));
}

TEST(RequestFieldsTest, WithoutARequestIdEveryCallIsANewOne) {
  const RequestFields fields = FieldsOf("OpenCase");
  OpenCaseRequest request;
  request.set_parent("companies/acme/customers/1");
  OpenCaseRequest again = request;
  EXPECT_FALSE(fields.DerivesId(request));
  EXPECT_NE(fields.ResolveTarget(request).value(),
            fields.ResolveTarget(again).value());
}

TEST(RequestFieldsTest, ACommandIsAboutABoundary) {
  RegisterCustomerRequest makes_one;
  makes_one.set_parent("companies/acme");
  makes_one.set_customer_id("c-1");
  EXPECT_EQ(FieldsOf("RegisterCustomer").ResolveTarget(makes_one).value(),
            "companies/acme/customers/c-1");
  intake::v1::CloseCaseRequest company;
  company.set_name("companies/acme");
  EXPECT_EQ(ReasonOf(FieldsOf("CloseCase").ResolveTarget(company).status()),
            "NAME_INVALID");
}

TEST(RequestFieldsTest, RulesMustFitTheRequest) {
  const auto of = [](void (*change)(common::v1::MethodRules&)) {
    const auto& method = MethodOf("OpenCase");
    auto rules = method.options().GetExtension(common::v1::rules);
    change(rules);
    return RequestFields::Of(method, rules).status();
  };
  EXPECT_TRUE(of([](common::v1::MethodRules&) {}).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(
      of([](common::v1::MethodRules& rules) { rules.clear_name_field(); })));
  EXPECT_TRUE(absl::IsFailedPrecondition(of(
      [](common::v1::MethodRules& rules) { rules.set_name_field("kind"); })));
  EXPECT_TRUE(absl::IsFailedPrecondition(of([](common::v1::MethodRules& rules) {
    rules.set_child_id_field("customer_id");
  })));
  EXPECT_TRUE(absl::IsFailedPrecondition(of(
      [](common::v1::MethodRules& rules) { rules.clear_child_collection(); })));
}

TEST(RequestFieldsTest, WhenItHappenedIsWithinReasonOrNotSaid) {
  const RequestFields fields = FieldsOf("OpenCase");
  OpenCaseRequest request;
  EXPECT_EQ(fields.OccurTimeOf(request).value(), std::nullopt);
  request.mutable_occur_time()->set_seconds(1'700'000'000);
  EXPECT_EQ(fields.OccurTimeOf(request).value(),
            absl::FromUnixSeconds(1'700'000'000));
  fields.DefaultOccurTime(request, absl::FromUnixSeconds(1));
  EXPECT_EQ(request.occur_time().seconds(), 1'700'000'000);
  request.mutable_occur_time()->set_seconds(253'370'764'800);
  EXPECT_EQ(FieldOf(fields.OccurTimeOf(request).status()), "occur_time");
}

TEST(CheckRequestIdTest, TakesWhatPeopleUseAsKeys) {
  for (const std::string& good :
       {std::string(), std::string("r-1"),
        std::string("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        std::string("aGVsbG8+d29y/bGQ="), std::string("crm:case#7@acme_1.2"),
        std::string(128, 'a')}) {
    EXPECT_TRUE(CheckRequestId(good).ok()) << good;
  }
  for (const std::string& bad :
       {std::string("a b"), std::string("a|b"), std::string("顾客"),
        std::string("a\nb"), std::string("event:intake/0/1/1"),
        std::string(129, 'a')}) {
    EXPECT_EQ(FieldOf(CheckRequestId(bad)), "request_id") << bad;
  }
}

}  // namespace
}  // namespace aftercare::shard
