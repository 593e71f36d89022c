// The history that the replay benchmarks replay.

#ifndef AFTERCARE_TESTS_BENCH_LOAD_H_
#define AFTERCARE_TESTS_BENCH_LOAD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/shard/request.h"
#include "libs/shard/shard.h"
#include "tests/bench/bench_util.h"

namespace aftercare::bench {

// Fills an intake shard. A mix as a busy desk has it: a customer with two
// cases, each opened, replied to, paused, resumed, resolved, rated and closed;
// every command has a request_id.
class Load {
 public:
  Load(const shard::Service& service, shard::Shard& shard)
      : service_(service), shard_(shard) {}

  // Returns when `events` commands of one event each have been answered.
  void Run(int64_t events) {
    int64_t n = 0;
    for (int64_t customer = 0; sent_ < events; ++customer) {
      const std::string parent =
          absl::StrCat("companies/acme/customers/c", customer);
      intake::v1::RegisterCustomerRequest registered;
      registered.set_parent("companies/acme");
      registered.set_customer_id(absl::StrCat("c", customer));
      registered.set_display_name("王小明");
      registered.set_region("beijing");
      Send("RegisterCustomer", parent, registered);
      for (int k = 0; k < 2 && sent_ < events; ++k) {
        const std::string id = absl::StrCat("k", ++n);
        const std::string name = absl::StrCat(parent, "/cases/", id);
        intake::v1::OpenCaseRequest open;
        open.set_parent(parent);
        open.set_case_id(id);
        open.set_kind(intake::v1::Case::INQUIRY);
        open.set_channel("hotline");
        open.set_subject("空调不制冷");
        open.set_description("客户来电: 空调不制冷, 已断电重启, 仍有异响。");
        open.set_product_line("appliance");
        Send("OpenCase", parent, open);
        intake::v1::ReplyToCaseRequest reply;
        reply.set_name(name);
        reply.set_text("您好, 我们已收到您的请求。");
        Send("ReplyToCase", parent, reply);
        intake::v1::PauseCaseRequest pause;
        pause.set_name(name);
        pause.set_reason("等待客户资料");
        Send("PauseCase", parent, pause);
        intake::v1::ResumeCaseRequest resume;
        resume.set_name(name);
        Send("ResumeCase", parent, resume);
        intake::v1::ResolveCaseRequest resolve;
        resolve.set_name(name);
        resolve.set_resolution("已解决");
        Send("ResolveCase", parent, resolve);
        intake::v1::RecordFollowUpRequest follow;
        follow.set_name(name);
        follow.set_satisfaction(5);
        Send("RecordFollowUp", parent, follow);
        intake::v1::CloseCaseRequest close;
        close.set_name(name);
        Send("CloseCase", parent, close);
      }
    }
    while (answered_ < sent_) absl::SleepFor(absl::Milliseconds(1));
  }

 private:
  template <typename Request>
  void Send(const char* method, const std::string& boundary, Request& request) {
    // Stays below the shard's queue.
    while (sent_ - answered_ > 2000) absl::SleepFor(absl::Microseconds(200));
    request.set_request_id(absl::StrCat("r", sent_));
    shard::Command command;
    command.method = service_.FindMethod(method);
    command.boundary = boundary;
    command.actor = "agent-li";
    command.request_id = request.request_id();
    command.fingerprint = shard::Fingerprint(request, command.actor);
    command.request = std::make_shared<Request>(request);
    ++sent_;
    shard_.Submit(std::move(command),
                  [this](absl::StatusOr<shard::CommandResult> result) {
                    Require(result.status());
                    ++answered_;
                  });
  }

  const shard::Service& service_;
  shard::Shard& shard_;
  int64_t sent_ = 0;
  std::atomic<int64_t> answered_{0};
};

}  // namespace aftercare::bench

#endif  // AFTERCARE_TESTS_BENCH_LOAD_H_
