#include "libs/shard/paging.h"

#include "absl/strings/str_cat.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "gtest/gtest.h"
#include "libs/base/memory_rows.h"
#include "libs/base/refusal.h"
#include "libs/shard/get.h"
#include "services/intake/case_views.h"
#include "services/intake/domain/tables.h"
#include "services/intake/service.h"

namespace aftercare::shard {
namespace {

class PagingTest : public ::testing::Test {
 protected:
  PagingTest() : service_(intake::MakeIntakeService()) {
    for (int s = 0; s < 3; ++s) {
      shards_.push_back(std::make_unique<MemoryRows>(service_.schema()));
      context_.shards.push_back(shards_.back().get());
    }
    for (int i = 0; i < 100; ++i) {
      const std::string name =
          absl::StrCat("companies/acme/customers/c", i, "/cases/k");
      auto& c = shards_[i % 3]->Edit(intake::kCases, name);
      c.set_name(name);
      // Equal times: the id decides.
      c.mutable_open_time()->set_seconds(1772000000 + i / 10);
    }
  }

  std::vector<std::string> All(int page_size) {
    intake::v1::ListCasesRequest request;
    request.set_parent("companies/acme/customers/-");
    request.set_page_size(page_size);
    std::vector<std::string> names;
    do {
      auto page = intake::ListCases(context_, request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(page->cases_size(), page_size);
      for (const auto& c : page->cases()) names.push_back(c.name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }

  Service service_;
  std::vector<std::unique_ptr<MemoryRows>> shards_;
  QueryContext context_;
};

TEST_F(PagingTest, PagesOfAnySizeGiveTheSameListOnce) {
  const auto whole = All(1000);
  ASSERT_EQ(whole.size(), 100u);
  for (int size : {1, 7, 50, 99, 100}) EXPECT_EQ(All(size), whole) << size;
}

TEST_F(PagingTest, ATokenForOtherArgumentsIsRefused) {
  intake::v1::ListCasesRequest request;
  request.set_parent("companies/acme/customers/-");
  request.set_page_size(10);
  const auto page = intake::ListCases(context_, request);
  ASSERT_TRUE(page.ok());
  request.set_page_token(page->next_page_token());
  request.set_owner("somebody");
  EXPECT_EQ(ReasonOf(intake::ListCases(context_, request).status()),
            "PAGE_TOKEN_INVALID");
  request.clear_owner();
  request.set_page_size(3);  // the size may change
  EXPECT_TRUE(intake::ListCases(context_, request).ok());
  request.set_page_token("rubbish");
  EXPECT_EQ(ReasonOf(intake::ListCases(context_, request).status()),
            "PAGE_TOKEN_INVALID");
  request.clear_page_token();
  request.set_page_size(-1);
  EXPECT_EQ(FieldOf(intake::ListCases(context_, request).status()),
            "page_size");
}

TEST_F(PagingTest, TheDigestSeesEveryFieldButTheToken) {
  intake::v1::OpenCaseRequest a;
  a.set_subject("x");
  intake::v1::OpenCaseRequest b = a;
  b.set_request_id("r");
  EXPECT_EQ(ArgumentsDigest(a), ArgumentsDigest(b));
  b.set_description("y");
  EXPECT_NE(ArgumentsDigest(a), ArgumentsDigest(b));
  b = a;
  b.mutable_occur_time()->set_nanos(1);
  EXPECT_NE(ArgumentsDigest(a), ArgumentsDigest(b));
}

}  // namespace
}  // namespace aftercare::shard
