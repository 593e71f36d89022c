// -----------------------------------------------------------------------------
// File: generator.h
// -----------------------------------------------------------------------------
//
// A made-up history of a service department, the same for the same seed:
//
//   new cases a day   uniform 0.6 to 1.4 of --cases / --days, none of it on
//                     Sundays less than a third
//   kinds             repair 50 %, inquiry 35 %, complaint 15 %
//   priority          urgent 8 %, high 17 %, normal 65 %, low 10 %
//   customers         a case comes from a known customer with 45 %
//   hour of arrival   uniform 07:30 to 21:00, company time
//   first reply       exponential, mean 90 min (each agent has a factor 0.5
//                     to 2.2)
//   pause             15 % of inquiries and complaints, 2 to 48 h
//   resolution        exponential, mean 9 h after the reply
//   reopened          5 %, within 1 to 4 days
//   follow-up         70 % of resolved cases, 1 to 3 days later; stars by how
//                     late it was
//   technician        declines 4 %; arrives 15 min early to 45 min late; works
//                     30 to 110 min; cannot complete 8 %, half of them come
//                     again
//   sales             20 % of customers buy 1 to 5 units and 60 % of these
//                     ask to return some within 1 to 12 days (the window is 7)

#ifndef AFTERCARE_SERVICES_DEMO_GENERATOR_H_
#define AFTERCARE_SERVICES_DEMO_GENERATOR_H_

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "aftercare/intake/v1/resources.pb.h"

namespace aftercare::demo {

struct CasePlan {
  std::string customer;  // id
  std::string id;
  bool new_customer = false;
  std::string region;
  std::string product_line;
  intake::v1::Case::Kind kind = intake::v1::Case::INQUIRY;
  intake::v1::Case::Priority priority = intake::v1::Case::NORMAL;
  std::string channel;
  std::string subject;
  std::string description;
  std::string agent;
  absl::Time open;
  absl::Time reply;
  absl::Time pause;  // InfiniteFuture: none
  absl::Time resume;
  absl::Time resolve;
  bool by_timeout = false;
  absl::Time reopen;  // InfiniteFuture: none
  absl::Time resolve_again;
  absl::Time follow_up;  // InfiniteFuture: none
  int stars = 5;
  absl::Time close;
};

struct ReturnPlan {
  std::string customer;
  std::string id;
  absl::Time order;
  absl::Time delivery;
  int64_t bought = 1;
  int64_t price = 0;  // minor units
  bool asks = false;
  absl::Time request;
  int64_t quantity = 1;
  int64_t damaged = 0;
  std::string reason;
  bool exchange = false;
};

struct DayPlan {
  absl::Time midnight;
  std::vector<CasePlan> cases;
  std::vector<ReturnPlan> returns;
};

struct GeneratorOptions {
  uint32_t seed = 20260105;
  int days = 56;
  int cases = 1400;
};

std::vector<DayPlan> Generate(const GeneratorOptions& options);

// A number in [0, 1) that belongs to `key`, the same for ever.
double Chance(const std::string& key);

}  // namespace aftercare::demo

#endif  // AFTERCARE_SERVICES_DEMO_GENERATOR_H_
