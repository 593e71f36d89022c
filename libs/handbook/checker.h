// What the checks of a handbook's sections share (check.h runs them all). Each
// section is one function `void Check<Section>(Checker&)` that reports problems
// by path; for libs/handbook alone.

#ifndef AFTERCARE_LIBS_HANDBOOK_CHECKER_H_
#define AFTERCARE_LIBS_HANDBOOK_CHECKER_H_

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "aftercare/handbook/v1/handbook.pb.h"
#include "google/protobuf/message.h"
#include "libs/handbook/check.h"

namespace aftercare::handbook {

class Checker {
 public:
  // `handbook` must outlive the checker.
  explicit Checker(const v1::Handbook& handbook);

  const v1::Handbook& handbook() const { return handbook_; }
  // The handbook's zone; while it is wrong, calendars are checked in UTC.
  const std::string& zone() const { return zone_; }
  // Ids as they are written, also those that are wrong in themselves: a
  // reference to one is not reported as well.
  using Ids = std::vector<std::string>;
  const Ids& calendar_ids() const { return calendar_ids_; }
  const Ids& skill_ids() const { return skill_ids_; }
  const Ids& person_ids() const { return person_ids_; }
  const Ids& form_ids() const { return form_ids_; }
  const Ids& department_ids() const { return department_ids_; }
  const Ids& classification_ids() const { return classification_ids_; }
  const Ids& channels() const { return channels_; }
  // Roles that methods may ask for, and those that somebody has.
  static const Ids& known_roles();
  const std::set<std::string>& held_roles() const { return held_roles_; }
  // Of cases, as conditions write them.
  static const Ids& known_kinds();
  static const Ids& known_priorities();

  void Add(std::string path, std::string text, std::string suggestion = "");
  size_t problem_count() const { return problems_.size(); }
  // All reported so far, in the order in which they were.
  std::vector<Problem> TakeProblems() { return std::move(problems_); }

  // What holds for every field of every message: texts are short and
  // printable, enum values are known.
  void Values(const google::protobuf::Message& message,
              const std::string& path);

  // Reports an empty, malformed or repeated id.
  void Id(const std::string& path, const std::string& id,
          std::set<std::string>& seen);

  // Whether `value` is allowed; reports it otherwise.
  bool OneOf(const std::string& path, const std::string& value,
             const Ids& allowed, const char* what);

  // The same for each entry of a list; an entry that is there twice is reported
  // too.
  void EachOneOf(const std::string& path,
                 const google::protobuf::RepeatedPtrField<std::string>& values,
                 const Ids& allowed, const char* what);

  // Reports a calendar that is named and not there.
  void CalendarRef(const std::string& path, const std::string& id);

  // A list of targets: clocks of these `kinds`, and for each of the `required`
  // ones a last target that holds always.
  void Clocks(const std::string& path,
              const google::protobuf::RepeatedPtrField<v1::ClockTarget>& clocks,
              const Ids& kinds, const Ids& required);

  // More than nothing, at most ten years.
  static bool InRange(const google::protobuf::Duration& duration);

  // Exactly one field, in range; working days only where a calendar counts
  // them.
  void SpanSet(const std::string& path, const v1::Span& span,
               bool calendar_known);

  void Grace(const std::string& path, const google::protobuf::Duration& grace);

  // What the lists of a condition name.
  void Condition(const std::string& path, const v1::When& when);

 private:
  const v1::Handbook& handbook_;
  std::string zone_ = "UTC";
  Ids calendar_ids_;
  Ids skill_ids_;
  Ids person_ids_;
  Ids product_line_ids_;
  Ids form_ids_;
  // Of all forms.
  Ids field_ids_;
  Ids department_ids_;
  Ids case_type_ids_;
  Ids classification_ids_;
  Ids channels_;
  std::set<std::string> held_roles_;
  std::vector<Problem> problems_;
};

// check_intake.cc
void CheckIntake(Checker& check);

// check_forms.cc
void CheckForms(Checker& check);

// check_cases.cc
void CheckDepartments(Checker& check);
void CheckCases(Checker& check);

}  // namespace aftercare::handbook

#endif  // AFTERCARE_LIBS_HANDBOOK_CHECKER_H_
