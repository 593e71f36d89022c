#include "tests/system/history.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "aftercare/dispatch/v1/dispatch_service.pb.h"
#include "aftercare/dispatch/v1/events.pb.h"
#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/base/refusal.h"
#include "libs/base/time.h"
#include "libs/log/fold.h"

namespace aftercare::testing {
namespace {

constexpr char kIntake[] = "aftercare.intake.v1.IntakeService";
constexpr char kDispatch[] = "aftercare.dispatch.v1.DispatchService";
constexpr char kAgent[] = "agent-li";
constexpr char kDispatcher[] = "dispatcher-zhou";
constexpr const char* kTerritories[] = {"north", "south", "central"};
constexpr int kTechnicians = 2;  // of each territory
// So few that callers get into each other's way.
constexpr int kDays = 4;
constexpr size_t kOrders = 12;  // of one caller at a time
constexpr size_t kCases = 200;  // likewise

bool OutcomeOpen(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status);
}

std::string TerritoryOf(int number) {
  return absl::StrCat("companies/acme/territories/", kTerritories[number]);
}

// Within the handbook's hours (08:30 to 17:30) on one of the next days.
absl::Time AnyStart(std::mt19937_64& random) {
  static const absl::TimeZone zone = [] {
    absl::TimeZone loaded;
    absl::LoadTimeZone("Asia/Shanghai", &loaded);
    return loaded;
  }();
  const absl::CivilDay today = absl::ToCivilDay(absl::Now(), zone);
  const int day = 1 + static_cast<int>(random() % kDays);
  const int quarter = static_cast<int>(random() % 28);
  return absl::FromCivil(
      absl::CivilMinute(today + day) + 8 * 60 + 30 + 15 * quarter, zone);
}

std::string AnyOf(const std::map<std::string, int64_t>& etags,
                  std::mt19937_64& random) {
  auto it = etags.begin();
  std::advance(it, static_cast<int64_t>(random() % etags.size()));
  return it->first;
}

}  // namespace

absl::Status RegisterTechnicians(const CallAny& call) {
  std::mt19937_64 random;
  const absl::Time until = absl::Now() + absl::Minutes(1);
  for (int territory = 0; territory < 3; ++territory) {
    for (int i = 0; i < kTechnicians; ++i) {
      dispatch::v1::RegisterTechnicianRequest request;
      request.set_parent(TerritoryOf(territory));
      request.set_technician_id(absl::StrCat("t", i));
      request.set_person(
          absl::StrCat("tech-0", territory * kTechnicians + i + 1));
      request.set_display_name("吴刚");
      request.add_skills("appliance");
      request.set_request_id(absl::StrCat("technician-", territory, "-", i));
      std::string from;
      absl::Status made;
      do {
        made = call(random, kDispatch, "RegisterTechnician",
                    request.SerializeAsString(), kDispatcher, from)
                   .status();
        if (!made.ok()) absl::SleepFor(absl::Milliseconds(50));
      } while (!made.ok() && absl::Now() < until);
      if (!made.ok()) return made;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Caller::Insist(
    absl::string_view service, absl::string_view method,
    const google::protobuf::Message& request, const std::string& actor) {
  const std::string bytes = request.SerializeAsString();
  while (true) {
    ++history_.calls;
    auto answer = call_(random_, service, method, bytes, actor, from_);
    if (!OutcomeOpen(answer.status())) return answer;
    ++history_.unknown;
    absl::SleepFor(absl::Milliseconds(20));
  }
}

template <typename Resource, typename Request>
std::string Caller::Command(absl::string_view service, absl::string_view method,
                            Request request, const std::string& actor,
                            std::map<std::string, int64_t>& etags) {
  const std::string id = absl::StrCat("r-", number_, "-", commands_++);
  request.set_request_id(id);
  const auto answer = Insist(service, method, request, actor);
  if (!answer.ok()) {
    history_.refused.insert(id);
    if (ReasonOf(answer.status()) == "TECHNICIAN_BUSY") ++history_.busy;
    return "";
  }
  history_.accepted.insert(id);
  Resource resource;
  int64_t etag = 0;
  if (!resource.ParseFromString(*answer) ||
      !absl::SimpleAtoi(resource.etag(), &etag)) {
    history_.stale.push_back(absl::StrCat(id, ": an answer without an etag"));
    return "";
  }
  int64_t& known = etags[resource.name()];
  if (etag < known) {
    history_.stale.push_back(
        absl::StrCat(id, ": etag ", etag, " after ", known));
  }
  known = std::max(known, etag);
  told_[resource.name()] = from_;
  return resource.name();
}

template <typename Resource, typename Request>
void Caller::Read(absl::string_view service, absl::string_view method,
                  const std::map<std::string, int64_t>& etags) {
  const std::string name = AnyOf(etags, random_);
  Request request;
  request.set_name(name);
  const auto answer = Insist(service, method, request, kAgent);
  Resource found;
  int64_t etag = 0;
  ++history_.reads;
  if (!answer.ok() || !found.ParseFromString(*answer) ||
      !absl::SimpleAtoi(found.etag(), &etag) || etag < etags.at(name)) {
    history_.stale.push_back(absl::StrCat(
        name, ": ", answer.status().ToString(), " etag ", etag, " after ",
        etags.at(name), ", from ", from_, "; told by ", told_[name]));
  }
}

void Caller::Intake() {
  std::map<std::string, int64_t> others;
  const uint64_t dice = random_() % 20;
  if (customers_.empty() || dice == 0) {
    intake::v1::RegisterCustomerRequest request;
    request.set_parent("companies/acme");
    request.set_customer_id(absl::StrCat("c-", number_, "-", commands_));
    request.set_display_name("王小明 🙂");
    request.set_region("beijing");
    const std::string name = Command<intake::v1::Customer>(
        kIntake, "RegisterCustomer", request, kAgent, others);
    if (!name.empty()) customers_.push_back(name);
  } else if (cases_.empty() || dice < 8) {
    intake::v1::OpenCaseRequest request;
    request.set_parent(customers_[random_() % customers_.size()]);
    // A repair is dispatch's business too.
    request.set_kind(dice == 1 ? intake::v1::Case::REPAIR
                               : intake::v1::Case::INQUIRY);
    request.set_channel("hotline");
    request.set_subject("空调不制冷");
    request.set_product_line("appliance");
    Command<intake::v1::Case>(kIntake, "OpenCase", request, kAgent, cases_);
    if (cases_.size() > kCases) cases_.erase(AnyOf(cases_, random_));
  } else if (dice == 8) {
    // There is no such case: refused, and nothing of it may be written.
    intake::v1::ReplyToCaseRequest request;
    request.set_name(absl::StrCat(customers_.front(), "/cases/none"));
    request.set_text("?");
    if (!Command<intake::v1::Case>(kIntake, "ReplyToCase", request, kAgent,
                                   others)
             .empty()) {
      history_.stale.push_back("a reply to no case was accepted");
    }
  } else if (dice < 14) {
    intake::v1::ReplyToCaseRequest request;
    request.set_name(AnyOf(cases_, random_));
    request.set_text(absl::StrCat("答复 ", commands_));
    Command<intake::v1::Case>(kIntake, "ReplyToCase", request, kAgent, cases_);
  } else {
    Read<intake::v1::Case, intake::v1::GetCaseRequest>(kIntake, "GetCase",
                                                       cases_);
  }
}

void Caller::Dispatch() {
  const uint64_t dice = random_() % 20;
  if (orders_.empty() || (dice < 5 && orders_.size() < kOrders)) {
    dispatch::v1::CreateWorkOrderRequest request;
    request.set_parent(TerritoryOf(static_cast<int>(random_() % 3)));
    request.set_work_order_id(absl::StrCat("w-", number_, "-", commands_));
    request.set_product_line("appliance");
    request.set_description("安装");
    Command<dispatch::v1::WorkOrder>(kDispatch, "CreateWorkOrder", request,
                                     kDispatcher, orders_);
  } else if (dice < 12) {
    const std::string name = AnyOf(orders_, random_);
    dispatch::v1::AssignWorkOrderRequest request;
    request.set_name(name);
    request.set_technician(
        absl::StrCat(name.substr(0, name.find("/workOrders/")),
                     "/technicians/t", random_() % kTechnicians));
    *request.mutable_start_time() = ToProto(AnyStart(random_));
    request.mutable_duration()->set_seconds(
        static_cast<int64_t>(900 * (1 + random_() % 8)));
    Command<dispatch::v1::WorkOrder>(kDispatch, "AssignWorkOrder", request,
                                     kDispatcher, orders_);
  } else if (dice < 14) {
    dispatch::v1::RescheduleWorkOrderRequest request;
    request.set_name(AnyOf(orders_, random_));
    *request.mutable_start_time() = ToProto(AnyStart(random_));
    Command<dispatch::v1::WorkOrder>(kDispatch, "RescheduleWorkOrder", request,
                                     kDispatcher, orders_);
  } else if (dice < 16) {
    dispatch::v1::CancelWorkOrderRequest request;
    request.set_name(AnyOf(orders_, random_));
    request.set_reason("不需要了");
    if (!Command<dispatch::v1::WorkOrder>(kDispatch, "CancelWorkOrder", request,
                                          kDispatcher, orders_)
             .empty()) {
      orders_.erase(request.name());
    }
  } else {
    Read<dispatch::v1::WorkOrder, dispatch::v1::GetWorkOrderRequest>(
        kDispatch, "GetWorkOrder", orders_);
  }
}

void Caller::Run(const std::atomic<bool>& stop) {
  while (!stop) {
    if (random_() % 5 < 3) {
      Intake();
    } else {
      Dispatch();
    }
  }
}

void Checker::ReadTopic(log::Log& log, const std::string& topic,
                        int partitions) {
  for (int p = 0; p < partitions; ++p) {
    const auto end = log.End({topic, p});
    auto reader = log.OpenReader({topic, p}, 0);
    if (!end.ok() || !reader.ok()) {
      Violation(absl::StrCat(topic, "/", p, " cannot be read"));
      return;
    }
    log::Fold fold;
    Partition seen;
    while ((*reader)->position() < *end) {
      auto records = (*reader)->Read(1000, absl::Seconds(5));
      if (!records.ok() || records->empty()) {
        Violation(absl::StrCat(topic, "/", p, ": the end does not come: ",
                               records.status().ToString()));
        break;
      }
      for (auto& record : *records) {
        const log::FoldStep step = fold.Apply(std::move(record));
        claims_ += step.kind == log::FoldStep::Kind::kClaim ? 1 : 0;
        for (const auto& member : step.group) {
          Take(member.record, p, partitions, seen);
        }
      }
    }
    void_records_ += fold.void_records();
  }
}

void Checker::Take(const log::Record& record, int partition, int partitions,
                   Partition& seen) {
  ++events_;
  const std::string id(record.Header("ce_id"));
  // Handbooks are in every partition.
  if (record.key != "companies/acme" &&
      log::PartitionOf(record.key, partitions) != partition) {
    Violation(absl::StrCat(record.key, " is in partition ", partition));
  }
  if (!ids_.insert(id).second) Violation(absl::StrCat(id, " counts twice"));
  const std::string request_id(record.Header("ce_requestid"));
  if (!request_id.empty()) events_of_[request_id].insert(id);
  int64_t revision = 0;
  if (!absl::SimpleAtoi(record.Header("ce_sequence"), &revision) ||
      revision != ++seen.revisions[record.key]) {
    Violation(absl::StrCat(record.key, ": revision ", revision, " after ",
                           seen.revisions[record.key] - 1));
  }
  const absl::string_view source = record.Header("ce_source");
  if (source == "/aftercare/intake") TakeIntake(record, seen);
  if (source == "/aftercare/dispatch") TakeDispatch(record, seen);
}

void Checker::TakeIntake(const log::Record& record, Partition& seen) {
  intake::v1::IntakeEvent event;
  if (!event.ParseFromString(record.value)) {
    Violation(absl::StrCat(record.Header("ce_id"), " does not parse"));
    return;
  }
  const std::string subject(record.Header("ce_subject"));
  const auto time = ParseRfc3339(record.Header("ce_time"));
  if (!time.ok()) {
    Violation(absl::StrCat(record.Header("ce_id"), " has no time"));
    return;
  }
  if (event.has_case_opened()) {
    seen.opened[subject] = *time;
    if (event.case_opened().case_().kind() == intake::v1::Case::REPAIR) {
      repairs_.insert(std::string(record.Header("ce_id")));
    }
    return;
  }
  // Whatever the clock of the process that decided it said: nothing happens to
  // a case before it came in.
  const auto opened = seen.opened.find(subject);
  if (opened != seen.opened.end() && *time < opened->second) {
    Violation(absl::StrCat(record.Header("ce_id"), ": at ",
                           absl::FormatTime(*time), ", its case opened at ",
                           absl::FormatTime(opened->second)));
  }
}

void Checker::TakeDispatch(const log::Record& record, Partition& seen) {
  dispatch::v1::DispatchEvent event;
  if (!event.ParseFromString(record.value)) {
    Violation(absl::StrCat(record.Header("ce_id"), " does not parse"));
    return;
  }
  const std::string order(record.Header("ce_subject"));
  const auto free = [&seen, &order] {
    const auto visit = seen.visits.find(order);
    if (visit == seen.visits.end()) return;
    seen.orders[visit->second.technician].erase(order);
    seen.visits.erase(visit);
  };
  switch (event.fact_case()) {
    case dispatch::v1::DispatchEvent::kWorkOrderCreated: {
      const std::string cause(record.Header("ce_causationid"));
      if (!cause.empty()) ++orders_of_[cause];
      return;
    }
    case dispatch::v1::DispatchEvent::kWorkOrderAssigned: {
      const auto& fact = event.work_order_assigned();
      ++bookings_;
      free();
      const Visit visit{fact.technician(), FromProto(fact.booking().start()),
                        FromProto(fact.booking().end())};
      for (const std::string& other : seen.orders[visit.technician]) {
        const Visit& booked = seen.visits[other];
        if (visit.start < booked.end && booked.start < visit.end) {
          Violation(
              absl::StrCat(visit.technician, ": ", order, " overlaps ", other));
        }
      }
      seen.orders[visit.technician].insert(order);
      seen.visits[order] = visit;
      return;
    }
    case dispatch::v1::DispatchEvent::kWorkOrderDeclined:
    case dispatch::v1::DispatchEvent::kWorkOrderCompleted:
    case dispatch::v1::DispatchEvent::kWorkOrderCannotComplete:
    case dispatch::v1::DispatchEvent::kWorkOrderCancelled:
      free();
      return;
    default:
      return;
  }
}

void Checker::Compare(const std::vector<const History*>& histories,
                      const std::set<std::string>& parked) {
  for (const History* history : histories) {
    for (const std::string& problem : history->stale) Violation(problem);
    for (const std::string& id : history->accepted) {
      // One command leaves its id in one event.
      const auto found = events_of_.find(id);
      const size_t times = found == events_of_.end() ? 0 : found->second.size();
      if (times != 1) {
        Violation(
            absl::StrCat(id, " was accepted, and counts ", times, " times"));
      }
    }
    for (const std::string& id : history->refused) {
      if (events_of_.contains(id)) {
        Violation(absl::StrCat(id, " was refused, and counts"));
      }
    }
  }
  for (const auto& [id, events] : events_of_) {
    if (events.size() != 1) {
      Violation(absl::StrCat(id, " has ", events.size(), " events"));
    }
  }
  for (const std::string& repair : repairs_) {
    if (orders_of_[repair] == 0 && parked.contains(repair)) continue;
    if (orders_of_[repair] != 1) {
      Violation(absl::StrCat("the repair ", repair, " became ",
                             orders_of_[repair], " orders"));
    }
  }
}

}  // namespace aftercare::testing
