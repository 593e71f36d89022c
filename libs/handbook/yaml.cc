#include "libs/handbook/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <set>

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

class Loader {
 public:
  explicit Loader(LoadedHandbook& out) : out_(out) {}

  void Fill(const YAML::Node& node, Message& message, const std::string& path,
            int depth) {
    lines_[path] = LineOf(node);
    if (depth > kMaxDepth) return Problem_(node, path, "is nested too deeply");
    const std::string type = message.GetDescriptor()->full_name();
    if (node.IsScalar()) {
      if (FillScalarMessage(node.Scalar(), type, message)) return;
      return Problem_(
          node, path,
          absl::StrCat("'", node.Scalar(), "' cannot be read here"));
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
      lines_[at] = LineOf(entry.first);
      if (entry.second.IsNull()) {
        Problem_(entry.first, at, "has no value");
      } else if (!field->is_repeated()) {
        FillField(entry.second, message, field, at, depth);
      } else if (entry.second.IsSequence()) {
        int i = 0;
        for (const auto& item : entry.second) {
          FillField(item, message, field, absl::StrCat(at, "[", i++, "]"),
                    depth);
        }
      } else {
        Problem_(entry.second, at, "must be a list");
      }
    }
  }

  // The line a path was read from, or the nearest line above it.
  int LineOfPath(std::string path) const {
    while (true) {
      const auto it = lines_.find(path);
      if (it != lines_.end()) return it->second;
      const size_t cut = path.find_last_of(".[");
      if (cut == std::string::npos) return 1;
      path.resize(cut);
    }
  }

 private:
  static int LineOf(const YAML::Node& node) { return node.Mark().line + 1; }

  void Problem_(const YAML::Node& node, const std::string& path,
                std::string text, std::string suggestion = "") {
    out_.problems.push_back(
        {path, std::move(text), std::move(suggestion), LineOf(node)});
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
                 const FieldDescriptor* field, const std::string& path,
                 int depth) {
    lines_[path] = LineOf(node);
    const auto* reflection = message.GetReflection();
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      Message* child = field->is_repeated()
                           ? reflection->AddMessage(&message, field)
                           : reflection->MutableMessage(&message, field);
      Fill(node, *child, path, depth + 1);
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
             absl::StrCat("'", text, "' is no ", field->cpp_type_name()));
  }

  LoadedHandbook& out_;
  std::map<std::string, int> lines_;
};

// Aliases could make a small file a huge one; a handbook needs none.
bool HasAlias(absl::string_view yaml) {
  for (size_t i = 0; i < yaml.size();) {
    size_t end = yaml.find('\n', i);
    if (end == absl::string_view::npos) end = yaml.size();
    absl::string_view line = yaml.substr(i, end - i);
    i = end + 1;
    char quote = 0;
    for (size_t k = 0; k < line.size(); ++k) {
      const char c = line[k];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '#') {
        break;
      } else if ((c == '*' || c == '&') && k + 1 < line.size() &&
                 absl::ascii_isalnum(line[k + 1]) &&
                 (k == 0 || line[k - 1] == ' ' || line[k - 1] == '[' ||
                  line[k - 1] == ',' || line[k - 1] == '{')) {
        return true;
      }
    }
  }
  return false;
}

// Deep nesting would exhaust the parser's stack before we see a node.
bool NestsTooDeep(absl::string_view yaml) {
  int depth = 0;
  for (char c : yaml) {
    if (c == '[' || c == '{') {
      if (++depth > 4 * kMaxDepth) return true;
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  size_t indent = 0;
  for (size_t i = 0; i < yaml.size(); ++i) {
    if (yaml[i] == '\n') {
      indent = 0;
    } else if (yaml[i] == ' ' || yaml[i] == '-') {
      if (++indent > 400) return true;
    } else {
      indent = 0;
      const size_t end = yaml.find('\n', i);
      if (end == absl::string_view::npos) break;
      i = end - 1;
    }
  }
  return false;
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
    loaded.problems.push_back({"", "the file is larger than 1 MiB", "", 1});
    return loaded;
  }
  if (HasAlias(yaml) || NestsTooDeep(yaml)) {
    loaded.problems.push_back(
        {"", "anchors, aliases and deep nesting are not allowed", "", 1});
    return loaded;
  }
  Loader loader(loaded);
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    loader.Fill(root, loaded.handbook, "", 0);
  } catch (const YAML::Exception& e) {
    loaded.problems.push_back({"", e.msg, "", e.mark.line + 1});
    return loaded;
  }
  for (Problem& problem : Check(loaded.handbook)) {
    problem.line = loader.LineOfPath(problem.path);
    loaded.problems.push_back(std::move(problem));
  }
  std::stable_sort(
      loaded.problems.begin(), loaded.problems.end(),
      [](const Problem& a, const Problem& b) { return a.line < b.line; });
  return loaded;
}

std::string FormatProblems(absl::string_view file,
                           const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    absl::StrAppend(&text, file, ":", problem.line, ": ",
                    FormatProblem(problem), "\n");
  }
  return text;
}

}  // namespace aftercare::handbook
