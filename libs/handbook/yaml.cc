#include "libs/handbook/yaml.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "libs/base/time.h"

namespace aftercare::handbook {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMaxBytes = 1 << 20;
constexpr int kMaxDepth = 20;

struct Place {
  int line = 0;
  int column = 0;
};

// A mark the parser does not know stands for the beginning.
Place PlaceOf(const YAML::Mark& mark) {
  return {std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1};
}

class Loader {
 public:
  explicit Loader(LoadedHandbook& out) : out_(out) {}

  void Fill(const YAML::Node& node, Message& message, const std::string& path) {
    const std::string type = message.GetDescriptor()->full_name();
    if (node.IsScalar()) {
      if (FillScalarMessage(node.Scalar(), type, message)) return;
      return Problem_(
          node, path,
          absl::StrCat("'", node.Scalar(), "' is no ", Expected(type)));
    }
    if (!node.IsMap()) return Problem_(node, path, "must hold named fields");
    const auto* descriptor = message.GetDescriptor();
    std::set<std::string> seen;
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) {
        Problem_(entry.first, path, "has a name that is no text");
        continue;
      }
      const std::string name = entry.first.Scalar();
      const std::string at = path.empty() ? name : path + "." + name;
      const auto* field = descriptor->FindFieldByName(name);
      if (field == nullptr) {
        std::vector<std::string> names;
        for (int i = 0; i < descriptor->field_count(); ++i) {
          names.push_back(descriptor->field(i)->name());
        }
        Problem_(entry.first, at, "is no field here", DidYouMean(name, names));
        continue;
      }
      if (!seen.insert(name).second) {
        Problem_(entry.first, at, "appears twice");
        continue;
      }
      places_[at] = PlaceOf(entry.first.Mark());
      if (entry.second.IsNull()) {
        Problem_(entry.first, at, "has no value");
      } else if (!field->is_repeated()) {
        FillField(entry.second, message, field, at);
      } else if (entry.second.IsSequence()) {
        int i = 0;
        for (const auto& item : entry.second) {
          FillField(item, message, field, absl::StrCat(at, "[", i++, "]"));
        }
      } else {
        Problem_(entry.second, at, "must be a list");
      }
    }
  }

  // Where a path was read from, or the nearest place above it.
  Place PlaceOfPath(std::string path) const {
    while (true) {
      const auto it = places_.find(path);
      if (it != places_.end()) return it->second;
      const size_t cut = path.find_last_of(".[");
      if (cut == std::string::npos) return {1, 1};
      path.resize(cut);
    }
  }

 private:
  void Problem_(const YAML::Node& node, const std::string& path,
                std::string text, std::string suggestion = "") {
    const Place place = PlaceOf(node.Mark());
    out_.problems.push_back({path, std::move(text), std::move(suggestion),
                             place.line, place.column});
  }

  static std::string Expected(const std::string& type) {
    if (type == "google.protobuf.Timestamp") {
      return "time like 2026-01-01T00:00:00+08:00";
    }
    if (type == "google.protobuf.Duration") {
      return "duration like 90m, 4h or 2d12h";
    }
    if (type == v1::Span::descriptor()->full_name()) {
      return "span like 3wd, 7d, 6mo or 4h";
    }
    return "group of named fields";
  }

  static bool FillScalarMessage(const std::string& text,
                                const std::string& type, Message& message) {
    if (type == "google.protobuf.Timestamp") {
      const auto time = ParseRfc3339(text);
      if (!time.ok()) return false;
      message.CopyFrom(ToProto(*time));
      return true;
    }
    if (type == "google.protobuf.Duration") {
      const auto duration = ParseDuration(text);
      if (!duration.ok()) return false;
      message.CopyFrom(ToProto(*duration));
      return true;
    }
    if (type == v1::Span::descriptor()->full_name()) {
      auto& span = static_cast<v1::Span&>(message);
      int32_t number = 0;
      absl::string_view view = text;
      if (absl::ConsumeSuffix(&view, "wd") && absl::SimpleAtoi(view, &number)) {
        span.set_working_days(number);
        return true;
      }
      view = text;
      if (absl::ConsumeSuffix(&view, "mo") && absl::SimpleAtoi(view, &number)) {
        span.set_months(number);
        return true;
      }
      view = text;
      if (absl::ConsumeSuffix(&view, "d") && absl::SimpleAtoi(view, &number)) {
        span.set_days(number);
        return true;
      }
      const auto duration = ParseDuration(text);
      if (!duration.ok()) return false;
      *span.mutable_time() = ToProto(*duration);
      return true;
    }
    return false;
  }

  void FillField(const YAML::Node& node, Message& message,
                 const FieldDescriptor* field, const std::string& path) {
    places_.emplace(path, PlaceOf(node.Mark()));
    const auto* reflection = message.GetReflection();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message* child = field->is_repeated()
                           ? reflection->AddMessage(&message, field)
                           : reflection->MutableMessage(&message, field);
      Fill(node, *child, path);
      return;
    }
    if (!node.IsScalar()) return Problem_(node, path, "must be a single value");
    const std::string& text = node.Scalar();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        if (field->is_repeated()) {
          reflection->AddString(&message, field, text);
        } else {
          reflection->SetString(&message, field, text);
        }
        return;
      case FieldDescriptor::CPPTYPE_INT32: {
        int32_t value = 0;
        if (!absl::SimpleAtoi(text, &value)) break;
        reflection->SetInt32(&message, field, value);
        return;
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        int64_t value = 0;
        if (!absl::SimpleAtoi(text, &value)) break;
        reflection->SetInt64(&message, field, value);
        return;
      }
      case FieldDescriptor::CPPTYPE_BOOL:
        if (text != "true" && text != "false") break;
        reflection->SetBool(&message, field, text == "true");
        return;
      case FieldDescriptor::CPPTYPE_ENUM: {
        const auto* type = field->enum_type();
        const auto* value = type->FindValueByName(absl::AsciiStrToUpper(text));
        if (value == nullptr || value->number() == 0) {
          std::vector<std::string> names;
          for (int i = 0; i < type->value_count(); ++i) {
            if (type->value(i)->number() != 0) {
              names.push_back(absl::AsciiStrToLower(type->value(i)->name()));
            }
          }
          return Problem_(node, path,
                          absl::StrCat("'", text, "' is none of its values"),
                          DidYouMean(absl::AsciiStrToLower(text), names));
        }
        if (field->is_repeated()) {
          reflection->AddEnum(&message, field, value);
        } else {
          reflection->SetEnum(&message, field, value);
        }
        return;
      }
      default:
        break;
    }
    Problem_(node, path,
             absl::StrCat("'", text, "' is ",
                          field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL
                              ? "neither true nor false"
                              : "no whole number, or is out of range"));
  }

  LoadedHandbook& out_;
  std::map<std::string, Place> places_;
};

// Reads the text without keeping anything and throws at what a handbook needs
// not: aliases would make a small file a huge one, and deep nesting would
// exhaust the stack of whoever walks the tree.
class Guard final : public YAML::EventHandler {
 public:
  static void Check(const std::string& yaml) {
    std::istringstream text(yaml);
    YAML::Parser parser(text);
    Guard guard;
    while (parser.HandleNextDocument(guard)) {
    }
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) Refuse(mark, "a second document begins");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node(mark, "", anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Refuse(mark, "aliases are not allowed");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag,
                YAML::anchor_t anchor, const std::string&) override {
    Node(mark, tag, anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Node(mark, tag, anchor);
    Deeper(mark);
  }
  void OnSequenceEnd() override { --depth_; }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag,
                  YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    Node(mark, tag, anchor);
    Deeper(mark);
  }
  void OnMapEnd() override { --depth_; }

 private:
  [[noreturn]] static void Refuse(const YAML::Mark& mark, const char* text) {
    throw YAML::ParserException(mark, text);
  }

  void Node(const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) Refuse(mark, "anchors are not allowed");
    // The parser gives these two to plain and to quoted text.
    if (!tag.empty() && tag != "?" && tag != "!") {
      Refuse(mark, "tags are not allowed");
    }
  }

  void Deeper(const YAML::Mark& mark) {
    if (++depth_ > kMaxDepth) Refuse(mark, "is nested too deeply");
  }

  int documents_ = 0;
  int depth_ = 0;
};

// Bytes of the UTF-8 sequence `text` begins with; 0 if it begins with none.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  const bool overlong =
      (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  const bool beyond = first == 0xf4 && second > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

// Where the text stops being UTF-8, for people with an editor; nothing when it
// is UTF-8 throughout.
std::optional<Place> NotUtf8(absl::string_view text) {
  Place place{1, 1};
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return place;
    if (text[0] == '\n') {
      place = {place.line + 1, 1};
    } else {
      ++place.column;
    }
    text.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view text) {
  const absl::Status bad = absl::InvalidArgumentError(
      absl::StrCat("'", text, "' is no duration like 90m, 4h or 2d12h"));
  if (text.empty()) return bad;
  absl::Duration total;
  while (!text.empty()) {
    size_t digits = 0;
    while (digits < text.size() && absl::ascii_isdigit(text[digits])) ++digits;
    int64_t number = 0;
    if (digits == 0 || digits > 9 || digits == text.size() ||
        !absl::SimpleAtoi(text.substr(0, digits), &number)) {
      return bad;
    }
    switch (text[digits]) {
      case 'd':
        total += absl::Hours(24 * number);
        break;
      case 'h':
        total += absl::Hours(number);
        break;
      case 'm':
        total += absl::Minutes(number);
        break;
      case 's':
        total += absl::Seconds(number);
        break;
      default:
        return bad;
    }
    text.remove_prefix(digits + 1);
  }
  return total;
}

LoadedHandbook LoadHandbook(absl::string_view yaml) {
  LoadedHandbook loaded;
  if (yaml.size() > kMaxBytes) {
    loaded.problems.push_back({"", "the file is larger than 1 MiB", "", 1, 1});
    return loaded;
  }
  if (const auto place = NotUtf8(yaml); place.has_value()) {
    loaded.problems.push_back(
        {"", "the text is not UTF-8", "", place->line, place->column});
    return loaded;
  }
  const std::string text(yaml);
  Loader loader(loaded);
  try {
    Guard::Check(text);
    loader.Fill(YAML::Load(text), loaded.handbook, "");
  } catch (const YAML::Exception& e) {
    const Place place = PlaceOf(e.mark);
    loaded.problems.push_back({"", e.msg, "", place.line, place.column});
    return loaded;
  }
  // What could not be read is not also reported as missing.
  std::set<std::string> unread;
  for (const Problem& problem : loaded.problems) unread.insert(problem.path);
  for (Problem& problem : Check(loaded.handbook)) {
    if (unread.contains(problem.path)) continue;
    const Place place = loader.PlaceOfPath(problem.path);
    problem.line = place.line;
    problem.column = place.column;
    loaded.problems.push_back(std::move(problem));
  }
  std::stable_sort(loaded.problems.begin(), loaded.problems.end(),
                   [](const Problem& a, const Problem& b) {
                     return std::pair(a.line, a.column) <
                            std::pair(b.line, b.column);
                   });
  return loaded;
}

std::string FormatProblems(absl::string_view file,
                           const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    absl::StrAppend(&text, file, ":", problem.line, ":", problem.column, ": ",
                    FormatProblem(problem), "\n");
  }
  return text;
}

}  // namespace aftercare::handbook
