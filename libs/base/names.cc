#include "libs/base/names.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "aftercare/common/v1/reasons.pb.h"
#include "libs/base/refusal.h"

namespace aftercare {
namespace {

absl::string_view FirstSegments(absl::string_view name, int count) {
  size_t pos = 0;
  for (int i = 0; i < count; ++i) {
    pos = name.find('/', pos);
    if (pos == absl::string_view::npos) return name;
    ++pos;
  }
  return name.substr(0, pos - 1);
}

}  // namespace

bool IsResourceId(absl::string_view id) {
  if (id.empty() || id.size() > 63 || id.front() == '-' || id.back() == '-') {
    return false;
  }
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

absl::Status InvalidName(absl::string_view field, absl::string_view pattern,
                         absl::string_view name) {
  // A status is text: no character may be cut in two.
  size_t shown = std::min<size_t>(name.size(), 200);
  while (shown < name.size() && shown > 0 && (name[shown] & 0xC0) == 0x80) {
    --shown;
  }
  absl::Status status = Refuse(
      common::v1::REASON_NAME_INVALID,
      absl::StrCat(field, ": '", name.substr(0, shown),
                   "' does not have the form ", pattern),
      {{"field", std::string(field)}, {"pattern", std::string(pattern)}});
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(absl::StrCat("must have the form ", pattern));
  status.SetPayload(kBadRequestUrl, absl::Cord(bad.SerializeAsString()));
  return status;
}

absl::StatusOr<std::vector<std::string>> MatchName(absl::string_view field,
                                                   absl::string_view pattern,
                                                   absl::string_view name) {
  std::vector<std::string> ids;
  absl::string_view rest = name;
  bool more = true;
  for (absl::string_view want : absl::StrSplit(pattern, '/')) {
    if (!more) return InvalidName(field, pattern, name);
    const size_t slash = rest.find('/');
    const absl::string_view segment = rest.substr(0, slash);
    if (want == "*") {
      if (!IsResourceId(segment)) return InvalidName(field, pattern, name);
      ids.emplace_back(segment);
    } else if (segment != want) {
      return InvalidName(field, pattern, name);
    }
    more = slash != absl::string_view::npos;
    if (more) rest.remove_prefix(slash + 1);
  }
  if (more) return InvalidName(field, pattern, name);
  return ids;
}

absl::Status CheckName(absl::string_view field, absl::string_view pattern,
                       absl::string_view name) {
  return MatchName(field, pattern, name).status();
}

absl::Status CheckId(absl::string_view field, absl::string_view id) {
  if (IsResourceId(id)) return absl::OkStatus();
  return InvalidField(field,
                      "must be 1 to 63 lower-case letters, digits or hyphens, "
                      "beginning and ending with a letter or digit");
}

absl::string_view BoundaryOf(absl::string_view name) {
  return FirstSegments(name, 4);
}

absl::string_view CompanyOf(absl::string_view name) {
  return FirstSegments(name, 2);
}

absl::string_view ParentOf(absl::string_view name) {
  size_t slash = name.rfind('/');
  if (slash == absl::string_view::npos || slash == 0) return {};
  slash = name.rfind('/', slash - 1);
  if (slash == absl::string_view::npos) return {};
  return name.substr(0, slash);
}

absl::string_view IdOf(absl::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == absl::string_view::npos ? name : name.substr(slash + 1);
}

}  // namespace aftercare
