#include "libs/log/fold.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace aftercare::log {

absl::string_view Record::Header(absl::string_view name) const {
  for (const auto& header : headers) {
    if (header.first == name) return header.second;
  }
  return {};
}

int64_t Record::Bytes() const {
  size_t bytes = key.size() + value.size();
  for (const auto& [name, text] : headers) {
    bytes += name.size() + text.size() + 16;
  }
  return static_cast<int64_t>(bytes);
}

Record MakeClaim(const Claim& claim) {
  Record record;
  record.headers.emplace_back(kOwnerHeader, claim.owner);
  record.headers.emplace_back(kNonceHeader, claim.nonce);
  record.headers.emplace_back(kAddressHeader, claim.address);
  return record;
}

void StampEvent(Record& record, int64_t claim, int64_t seq, bool more) {
  record.headers.emplace_back(kClaimHeader, absl::StrCat(claim));
  record.headers.emplace_back(kSeqHeader, absl::StrCat(seq));
  if (more) record.headers.emplace_back(kMoreHeader, "1");
}

FoldStep Fold::Apply(StoredRecord record) {
  FoldStep step;
  state_.offset = record.offset + 1;

  const std::string* claim_text = nullptr;
  const std::string* seq_text = nullptr;
  bool more = false;
  bool is_claim = false;
  for (const auto& [name, value] : record.record.headers) {
    if (name == kClaimHeader) {
      claim_text = &value;
    } else if (name == kSeqHeader) {
      seq_text = &value;
    } else if (name == kMoreHeader) {
      more = value == "1";
    } else if (name == kOwnerHeader) {
      step.claim.owner = value;
      is_claim = true;
    } else if (name == kNonceHeader) {
      step.claim.nonce = value;
    } else if (name == kAddressHeader) {
      step.claim.address = value;
    }
  }

  if (is_claim) {
    step.kind = FoldStep::Kind::kClaim;
    void_records_ += static_cast<int64_t>(pending_.size());
    pending_.clear();
    state_.claim = record.offset;
    state_.next = 0;
    return step;
  }
  // As texts, like readers in other languages.
  if (claim_text == nullptr || seq_text == nullptr || state_.claim < 0 ||
      *claim_text != absl::AlphaNum(state_.claim).Piece() ||
      *seq_text != absl::AlphaNum(state_.next).Piece()) {
    step.kind = FoldStep::Kind::kVoid;
    ++void_records_;
    return step;
  }
  if (pending_.empty()) {
    boundary_ = state_;
    boundary_.offset = record.offset;
  }
  ++state_.next;
  pending_.push_back(std::move(record));
  if (more) {
    step.kind = FoldStep::Kind::kPending;
    return step;
  }
  step.kind = FoldStep::Kind::kGroup;
  step.group = std::move(pending_);
  pending_.clear();
  return step;
}

}  // namespace aftercare::log
