// Early-return macros under the names upstream Abseil users expect; the
// packaged Abseil has neither these nor absl/log.

#ifndef AFTERCARE_LIBS_BASE_STATUS_MACROS_H_
#define AFTERCARE_LIBS_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define RETURN_IF_ERROR(expr)                                       \
  do {                                                              \
    if (absl::Status status_macro_ = (expr); !status_macro_.ok()) { \
      return status_macro_;                                         \
    }                                                               \
  } while (false)

#define AFTERCARE_STATUS_CONCAT_INNER_(a, b) a##b
#define AFTERCARE_STATUS_CONCAT_(a, b) AFTERCARE_STATUS_CONCAT_INNER_(a, b)

#define ASSIGN_OR_RETURN(lhs, expr)                                           \
  ASSIGN_OR_RETURN_IMPL_(AFTERCARE_STATUS_CONCAT_(status_or_, __LINE__), lhs, \
                         expr)
#define ASSIGN_OR_RETURN_IMPL_(name, lhs, expr)    \
  auto name = (expr);                              \
  if (!name.ok()) return std::move(name).status(); \
  lhs = *std::move(name)

#endif  // AFTERCARE_LIBS_BASE_STATUS_MACROS_H_
