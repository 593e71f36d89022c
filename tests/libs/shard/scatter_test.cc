#include "libs/shard/scatter.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "aftercare/returns/v1/returns_service.pb.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "libs/base/memory_rows.h"
#include "libs/base/refusal.h"
#include "services/intake/case_views.h"
#include "services/intake/domain/tables.h"
#include "services/intake/service.h"

namespace aftercare::shard {
namespace {

using intake::v1::Case;
using intake::v1::ListCasesRequest;
using intake::v1::ListCasesResponse;
using ::testing::IsEmpty;

constexpr int kPartitions = 7;
constexpr int kCases = 200;

// The partitions of one process each.
using Processes = std::vector<std::vector<int>>;

class ScatterTest : public ::testing::Test {
 protected:
  ScatterTest() : service_(intake::MakeIntakeService()) {
    for (int p = 0; p < kPartitions; ++p) {
      partitions_.push_back(std::make_unique<MemoryRows>(service_.schema()));
    }
    for (int i = 0; i < kCases; ++i) {
      const std::string customer =
          absl::StrCat("companies/acme/customers/c", i / 3);
      // The last partition has none.
      auto& rows = *partitions_[static_cast<size_t>(i / 3 % (kPartitions - 1))];
      const std::string name = absl::StrCat(customer, "/cases/k", i % 3);
      Case& c = rows.Edit(intake::kCases, name);
      c.set_name(name);
      c.set_owner(absl::StrCat("agent-", i % 5));
      c.set_kind(i % 2 == 0 ? Case::INQUIRY : Case::COMPLAINT);
      c.set_state(i % 7 == 0 ? Case::CLOSED : Case::OPEN);
      c.set_satisfaction(i % 4);
      c.set_reopen_count(i % 3);
      // Equal times: the id decides.
      c.mutable_open_time()->set_seconds(1'772'000'000 + i * 37 % 50);
    }
  }

  template <typename Request, typename Response>
  absl::StatusOr<PartialAnswer> Part(
      absl::StatusOr<Response> (*query)(const QueryContext&, const Request&),
      const Request& request, const std::vector<int>& partitions) const {
    PartialAnswer part;
    QueryContext context;
    context.places = &part.places;
    for (const int p : partitions) {
      context.shards.push_back(partitions_[static_cast<size_t>(p)].get());
    }
    auto response = query(context, request);
    if (!response.ok()) return response.status();
    part.response = std::make_unique<Response>(*std::move(response));
    return part;
  }

  // As the gateway asks them; the processes' order is that of their answers.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Ask(
      absl::StatusOr<Response> (*query)(const QueryContext&, const Request&),
      const Request& request, const Processes& processes) const {
    std::vector<PartialAnswer> parts;
    for (const auto& partitions : processes) {
      auto part = Part(query, request, partitions);
      if (!part.ok()) return part.status();
      parts.push_back(*std::move(part));
    }
    auto merged = MergeAnswers(request, std::move(parts));
    if (!merged.ok()) return merged.status();
    return static_cast<const Response&>(**merged);
  }

  // Any distribution over at most `count` processes, in any order.
  Processes Distribute(int count) {
    Processes processes(static_cast<size_t>(count));
    for (int p = 0; p < kPartitions; ++p) {
      processes[random_() % processes.size()].push_back(p);
    }
    std::erase_if(processes, [](const auto& owned) { return owned.empty(); });
    std::shuffle(processes.begin(), processes.end(), random_);
    return processes;
  }

  static Processes One() { return {{0, 1, 2, 3, 4, 5, 6}}; }

  // Every page is asked of other processes than the one before.
  std::vector<std::string> Walk(ListCasesRequest request, int count) {
    std::vector<std::string> names;
    do {
      const auto page = Ask(intake::ListCases, request, Distribute(count));
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      EXPECT_LE(page->cases_size(), request.page_size());
      if (!page->next_page_token().empty()) {
        EXPECT_EQ(page->cases_size(), request.page_size());
      }
      for (const Case& c : page->cases()) names.push_back(c.name());
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return names;
  }

  static ListCasesRequest All() {
    ListCasesRequest request;
    request.set_parent("companies/acme/customers/-");
    return request;
  }

  std::mt19937 random_{7};
  Service service_;
  std::vector<std::unique_ptr<MemoryRows>> partitions_;
};

TEST_F(ScatterTest, PagesAreThoseOfOneProcessHoweverThePartitionsMove) {
  for (const char* owner : {"", "agent-3", "nobody"}) {
    ListCasesRequest request = All();
    request.set_owner(owner);
    request.set_page_size(1000);
    std::vector<std::string> expected;
    const auto whole = Ask(intake::ListCases, request, One());
    ASSERT_TRUE(whole.ok()) << whole.status();
    for (const Case& c : whole->cases()) expected.push_back(c.name());
    ASSERT_EQ(expected.size(), *owner == 0     ? kCases
                               : *owner == 'a' ? kCases / 5
                                               : 0u);
    for (const int size : {1, 3, 40, 41, 200, 1000}) {
      for (const int processes : {2, 3, kPartitions}) {
        request.set_page_size(size);
        EXPECT_EQ(Walk(request, processes), expected)
            << owner << " " << size << " " << processes;
      }
    }
  }
}

TEST_F(ScatterTest, WithoutASizeAPageIsAsLongAsThatOfOneProcess) {
  const auto one = Ask(intake::ListCases, All(), One());
  const auto many = Ask(intake::ListCases, All(), {{6}, {1, 3}, {0, 2, 4, 5}});
  ASSERT_TRUE(many.ok()) << many.status();
  EXPECT_EQ(many->cases_size(), 50);
  EXPECT_EQ(many->SerializeAsString(), one->SerializeAsString());
}

TEST_F(ScatterTest, EmptyPartsMakeAnEmptyList) {
  const auto merged = Ask(intake::ListCases, All(), {{6}, {6}});
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_THAT(merged->cases(), IsEmpty());
  EXPECT_EQ(merged->next_page_token(), "");
}

TEST_F(ScatterTest, EveryPartRefusesATokenOfAnotherList) {
  ListCasesRequest request = All();
  request.set_page_size(3);
  const auto page = Ask(intake::ListCases, request, {{0, 1}, {2, 3}});
  ASSERT_TRUE(page.ok()) << page.status();
  request.set_page_token(page->next_page_token());
  request.set_owner("agent-1");
  for (const std::string& token : {page->next_page_token(), std::string("x")}) {
    request.set_page_token(token);
    for (const auto& partitions : Processes{{0, 1}, {6}}) {
      EXPECT_EQ(ReasonOf(Part(intake::ListCases, request, partitions).status()),
                "PAGE_TOKEN_INVALID");
    }
  }
}

// Processes of different versions.
TEST_F(ScatterTest, PagesThatDoNotBelongTogetherAreNotMerged) {
  const auto merge = [&](void (*spoil)(PartialAnswer&)) {
    std::vector<PartialAnswer> parts;
    parts.push_back(*Part(intake::ListCases, All(), {0}));
    parts.push_back(*Part(intake::ListCases, All(), {1}));
    spoil(parts.back());
    return MergeAnswers(All(), std::move(parts)).status();
  };
  EXPECT_TRUE(merge([](PartialAnswer&) {}).ok());
  EXPECT_TRUE(absl::IsInternal(
      merge([](PartialAnswer& part) { part.places.entries.pop_back(); })));
  EXPECT_TRUE(absl::IsInternal(
      merge([](PartialAnswer& part) { part.places.list = "another"; })));
}

TEST_F(ScatterTest, SummariesAreThoseOfOneProcess) {
  intake::v1::SummarizeCasesRequest request;
  request.set_parent("companies/acme");
  const auto one = Ask(intake::SummarizeCases, request, One());
  ASSERT_TRUE(one.ok()) << one.status();
  ASSERT_EQ(one->cases(), kCases);
  ASSERT_EQ(one->customers(), kCases / 3 + 1);
  ASSERT_EQ(one->by_kind_size(), 2);
  ASSERT_EQ(one->by_satisfaction_size(), 3);
  for (int round = 0; round < 20; ++round) {
    const auto many = Ask(intake::SummarizeCases, request, Distribute(4));
    ASSERT_TRUE(many.ok()) << many.status();
    EXPECT_EQ(many->SerializeAsString(), one->SerializeAsString());
  }
}

template <typename M>
M Parse(const std::string& text) {
  M message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

// Merges texts of summaries.
template <typename M>
absl::StatusOr<M> Merge(const std::vector<std::string>& texts) {
  std::vector<PartialAnswer> parts;
  for (const std::string& text : texts) {
    parts.push_back({std::make_unique<M>(Parse<M>(text)), {}});
  }
  const intake::v1::SummarizeCasesRequest request;
  auto merged = MergeAnswers(request, std::move(parts));
  if (!merged.ok()) return merged.status();
  return static_cast<const M&>(**merged);
}

TEST(MergeSummariesTest, NumbersAndEntriesOfTheSameTextsAreAddedUp) {
  const auto merged = Merge<dispatch::v1::WorkOrderSummary>(
      {"work_orders: 2 clocks { kind: 'visit' met: 1 running: 1 } "
       "by_state { label: 'open' count: 2 }",
       "",
       "work_orders: 5 visits: 3 clocks { kind: 'repair' breached: 4 } "
       "clocks { kind: 'visit' met: 2 } by_state { label: 'closed' count: 5 "
       "}"});
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(merged->DebugString(),
            Parse<dispatch::v1::WorkOrderSummary>(
                "work_orders: 7 visits: 3 "
                "by_state { label: 'closed' count: 5 } "
                "by_state { label: 'open' count: 2 } "
                "clocks { kind: 'repair' breached: 4 } "
                "clocks { kind: 'visit' met: 3 running: 1 }")
                .DebugString());
}

// A process whose partitions hold nothing may not know the currency.
TEST(MergeSummariesTest, MoneyIsAddedUpAndKeepsItsCurrency) {
  const auto merged = Merge<returns::v1::ReturnSummary>(
      {"amount_paid { minor_units: 0 }",
       "amount_paid { currency_code: 'CNY' minor_units: 1250 }",
       "amount_paid { currency_code: 'CNY' minor_units: -50 }"});
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(merged->amount_paid().currency_code(), "CNY");
  EXPECT_EQ(merged->amount_paid().minor_units(), 1200);
  EXPECT_FALSE(merged->has_amount_granted());
}

TEST(MergeSummariesTest, WhatCannotBeAddedUpIsNot) {
  EXPECT_TRUE(absl::IsInternal(Merge<Case>({"", ""}).status()));
}

}  // namespace
}  // namespace aftercare::shard
