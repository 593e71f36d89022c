// How far a return is: what its facts do to it, and the state that follows
// from the quantities. Decide and Evolve share this, so that what was decided
// is what is stored.

#ifndef AFTERCARE_SERVICES_RETURNS_DOMAIN_PROGRESS_H_
#define AFTERCARE_SERVICES_RETURNS_DOMAIN_PROGRESS_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aftercare/returns/v1/events.pb.h"
#include "aftercare/returns/v1/resources.pb.h"

namespace aftercare::returns {

// Null when the return has no such line.
const v1::ReturnLine* FindLine(const v1::Return& r,
                               absl::string_view sale_line);

// Units that have arrived and wait for inspection.
int64_t Uninspected(const v1::ReturnLine& line);
// Accepted units that are neither refunded nor replaced.
int64_t Unsettled(const v1::ReturnLine& line);
// Damaged units that have not been sent back.
int64_t Unrejected(const v1::ReturnLine& line);
// What refunds of the line may reach in all, in minor units: the price paid
// for every accepted unit that is not replaced (CASE-22).
int64_t Ceiling(const v1::ReturnLine& line);

// Refused, cancelled or closed.
bool IsEnded(const v1::Return& r);

// The state of a return that is neither refused, cancelled nor closed. It
// counts as received only when every unit has arrived, and as settled only
// when every unit is: a part never stands for the whole (CASE-30).
v1::Return::State StateOf(const v1::Return& r);

// The return after a fact that occurred at `at`; its state is the fact's.
v1::Return With(v1::Return r, const v1::ReturnApproved& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::ReturnRefused& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::ReturnCancelled& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::GoodsReceived& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::ReturnInspected& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::RefundGranted& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::RefundPaid& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::ReplacementSent& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::ReturnRejected& fact, absl::Time at);
v1::Return With(v1::Return r, const v1::ReturnClosed& fact, absl::Time at);
// A breach is no step: it leaves state and last_step_time alone.
v1::Return With(v1::Return r, const v1::ClockBreached& fact);

}  // namespace aftercare::returns

#endif  // AFTERCARE_SERVICES_RETURNS_DOMAIN_PROGRESS_H_
