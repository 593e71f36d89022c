// Who acts. Verified identity comes behind the same interface.

#ifndef AFTERCARE_LIBS_RPC_IDENTITY_H_
#define AFTERCARE_LIBS_RPC_IDENTITY_H_

#include <string>

#include "absl/status/statusor.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/refusal.h"
#include "libs/rpc/server.h"

namespace aftercare::rpc {

inline constexpr char kActorMetadata[] = "x-aftercare-actor";
// Set by a process of Aftercare that calls another in its own name.
inline constexpr char kPeerMetadata[] = "x-aftercare-peer";

// Thread-safe.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // The person's id; UNAUTHENTICATED CREDENTIALS_MISSING.
  virtual absl::StatusOr<std::string> Actor(const CallInfo& call) const = 0;
  // Whether another process of Aftercare calls, in its own name.
  virtual bool IsPeer(const CallInfo& call) const = 0;
};

// Believes whatever the caller says. For development on one's own machine.
class InsecureDevIdentity final : public Authenticator {
 public:
  absl::StatusOr<std::string> Actor(const CallInfo& call) const override {
    const auto it = call.metadata.find(kActorMetadata);
    // "system" is nobody from outside.
    if (it == call.metadata.end() || it->second.empty() ||
        it->second == "system" || it->second.size() > 63) {
      return Refuse(common::v1::REASON_CREDENTIALS_MISSING,
                    "the call does not say who acts (metadata "
                    "x-aftercare-actor)");
    }
    return it->second;
  }
  bool IsPeer(const CallInfo& call) const override {
    return call.metadata.contains(kPeerMetadata);
  }
};

// Believes nobody.
class NoIdentity final : public Authenticator {
 public:
  absl::StatusOr<std::string> Actor(const CallInfo&) const override {
    return Refuse(common::v1::REASON_CREDENTIALS_MISSING,
                  "this server has no way to know who acts; see "
                  "--insecure-dev-identity");
  }
  bool IsPeer(const CallInfo&) const override { return false; }
};

}  // namespace aftercare::rpc

#endif  // AFTERCARE_LIBS_RPC_IDENTITY_H_
