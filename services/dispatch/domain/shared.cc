#include "services/dispatch/domain/shared.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "aftercare/dispatch/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/validate.h"
#include "libs/handbook/policy.h"

namespace aftercare::dispatch {
namespace {

constexpr int kMaxSkills = 100;

}  // namespace

absl::Status CheckTerritory(absl::string_view territory,
                            const CommandContext& context) {
  for (const auto& t : context.policy->handbook().dispatch().territories()) {
    if (t.id() == IdOf(territory)) return absl::OkStatus();
  }
  return Refuse(v1::REASON_TERRITORY_UNKNOWN,
                "the handbook has no such territory",
                {{"territory", std::string(territory)}});
}

absl::Status CheckSkills(
    absl::string_view field,
    const google::protobuf::RepeatedPtrField<std::string>& skills,
    const CommandContext& context) {
  if (skills.size() > kMaxSkills) {
    return InvalidField(field,
                        absl::StrCat("has more than ", kMaxSkills, " skills"));
  }
  absl::flat_hash_set<absl::string_view> seen;
  for (int i = 0; i < skills.size(); ++i) {
    const std::string path = absl::StrCat(field, "[", i, "]");
    RETURN_IF_ERROR(CheckText(path, skills[i], kMaxShortText));
    if (!seen.insert(skills[i]).second) {
      return InvalidField(path, "is there twice");
    }
    if (context.policy->FindSkill(skills[i]) == nullptr) {
      return Refuse(v1::REASON_SKILL_UNKNOWN,
                    "the handbook names no such skill", {{"skill", skills[i]}});
    }
  }
  return absl::OkStatus();
}

}  // namespace aftercare::dispatch
