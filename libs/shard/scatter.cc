#include "libs/shard/scatter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "libs/base/status_macros.h"
#include "libs/shard/paging.h"

namespace aftercare::shard {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// The one repeated message field of a list's response.
const FieldDescriptor* EntriesOf(const google::protobuf::Descriptor& response) {
  const FieldDescriptor* entries = nullptr;
  for (int i = 0; i < response.field_count(); ++i) {
    const FieldDescriptor* field = response.field(i);
    if (!field->is_repeated()) continue;
    if (entries != nullptr) return nullptr;
    entries = field;
  }
  return entries;
}

absl::StatusOr<std::unique_ptr<Message>> MergePages(
    const Message& request, const FieldDescriptor& token,
    std::vector<PartialAnswer> answers) {
  const auto* descriptor = answers.front().response->GetDescriptor();
  const auto* reflection = answers.front().response->GetReflection();
  const FieldDescriptor* entries = EntriesOf(*descriptor);
  const FieldDescriptor* size =
      request.GetDescriptor()->FindFieldByName("page_size");
  if (entries == nullptr || size == nullptr ||
      entries->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return absl::InternalError(
        absl::StrCat(descriptor->full_name(), " is no list"));
  }
  struct Entry {
    const Places::Place* place;
    size_t answer;
    int index;
  };
  std::vector<Entry> order;
  bool more = false;
  std::string list;
  for (size_t a = 0; a < answers.size(); ++a) {
    const PartialAnswer& answer = answers[a];
    const int count = reflection->FieldSize(*answer.response, entries);
    if (static_cast<size_t>(count) != answer.places.entries.size() ||
        (!list.empty() && list != answer.places.list)) {
      return absl::InternalError("pages that do not belong together");
    }
    list = answer.places.list;
    more |= !reflection->GetString(*answer.response, &token).empty();
    for (int i = 0; i < count; ++i) {
      order.push_back({&answer.places.entries[i], a, i});
    }
  }
  std::sort(order.begin(), order.end(),
            [](const Entry& a, const Entry& b) { return *a.place < *b.place; });
  const auto limit = static_cast<size_t>(
      PageLimit(request.GetReflection()->GetInt32(request, size)));
  if (order.size() > limit) {
    order.resize(limit);
    more = true;
  }
  std::unique_ptr<Message> merged(answers.front().response->New());
  for (const Entry& entry : order) {
    reflection->AddMessage(merged.get(), entries)
        ->CopyFrom(reflection->GetRepeatedMessage(
            *answers[entry.answer].response, entries, entry.index));
  }
  if (more && !order.empty()) {
    reflection->SetString(merged.get(), &token,
                          PageToken(list, *order.back().place));
  }
  return merged;
}

// What tells entries of a repeated field apart: their texts.
std::string LabelOf(const Message& message) {
  std::string label;
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->is_repeated() ||
        field->cpp_type() != FieldDescriptor::CPPTYPE_STRING) {
      continue;
    }
    absl::StrAppend(&label, message.GetReflection()->GetString(message, field),
                    absl::string_view("\0", 1));
  }
  return label;
}

absl::Status AddUp(const Message& from, Message& into) {
  const auto* descriptor = from.GetDescriptor();
  const auto* reflection = from.GetReflection();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (field->is_repeated()) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        return absl::InternalError(
            absl::StrCat(field->full_name(), " cannot be added up"));
      }
      for (int f = 0; f < reflection->FieldSize(from, field); ++f) {
        const Message& added = reflection->GetRepeatedMessage(from, field, f);
        const std::string label = LabelOf(added);
        Message* found = nullptr;
        for (int t = 0; t < reflection->FieldSize(into, field); ++t) {
          Message* known = reflection->MutableRepeatedMessage(&into, field, t);
          if (LabelOf(*known) == label) found = known;
        }
        if (found == nullptr) {
          reflection->AddMessage(&into, field)->CopyFrom(added);
        } else {
          RETURN_IF_ERROR(AddUp(added, *found));
        }
      }
      continue;
    }
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT64:
        reflection->SetInt64(&into, field,
                             reflection->GetInt64(into, field) +
                                 reflection->GetInt64(from, field));
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        reflection->SetInt32(&into, field,
                             reflection->GetInt32(into, field) +
                                 reflection->GetInt32(from, field));
        break;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (reflection->HasField(from, field)) {
          RETURN_IF_ERROR(AddUp(reflection->GetMessage(from, field),
                                *reflection->MutableMessage(&into, field)));
        }
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        // Currency, company: the same everywhere, or not known everywhere.
        if (reflection->GetString(into, field).empty()) {
          reflection->SetString(&into, field,
                                reflection->GetString(from, field));
        }
        break;
      default:
        return absl::InternalError(
            absl::StrCat(field->full_name(), " cannot be added up"));
    }
  }
  return absl::OkStatus();
}

// As the single process gives them: in the order of their texts.
void SortEntries(Message& message) {
  const auto* reflection = message.GetReflection();
  const auto* descriptor = message.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (!field->is_repeated() ||
        field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      continue;
    }
    // A handful of entries.
    const int count = reflection->FieldSize(message, field);
    for (int a = 1; a < count; ++a) {
      for (int b = a; b > 0; --b) {
        if (LabelOf(reflection->GetRepeatedMessage(message, field, b - 1)) <=
            LabelOf(reflection->GetRepeatedMessage(message, field, b))) {
          break;
        }
        reflection->SwapElements(&message, field, b - 1, b);
      }
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Message>> MergeAnswers(
    const Message& request, std::vector<PartialAnswer> answers) {
  if (answers.size() == 1) return std::move(answers.front().response);
  const auto* descriptor = answers.front().response->GetDescriptor();
  if (const auto* token = descriptor->FindFieldByName("next_page_token")) {
    return MergePages(request, *token, std::move(answers));
  }
  std::unique_ptr<Message> sum = std::move(answers.front().response);
  for (size_t i = 1; i < answers.size(); ++i) {
    RETURN_IF_ERROR(AddUp(*answers[i].response, *sum));
  }
  SortEntries(*sum);
  return sum;
}

}  // namespace aftercare::shard
