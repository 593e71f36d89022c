// What makes a handbook unusable, said so that its author can mend it.

#ifndef AFTERCARE_LIBS_HANDBOOK_CHECK_H_
#define AFTERCARE_LIBS_HANDBOOK_CHECK_H_

#include <string>
#include <vector>

#include "aftercare/handbook/v1/handbook.pb.h"

namespace aftercare::handbook {

struct Problem {
  // Where: intake.clocks[2].calendar
  std::string path;
  std::string text;
  // What was probably meant; may be empty.
  std::string suggestion;
  // Filled in by the YAML reader, counted from 1; 0 when unknown.
  int line = 0;
  int column = 0;
};

// Units, ranges, references, contradictions and missing values. A handbook
// without problems can be published. Nothing is silently defaulted where a
// company has to decide (GEN-30): such a gap is a problem.
std::vector<Problem> Check(const v1::Handbook& handbook);

// Of the first thousand `candidates`, the one that differs from `word` by at
// most two letters; empty if none does.
std::string DidYouMean(const std::string& word,
                       const std::vector<std::string>& candidates);

// "path: text (did you mean 'x'?)"
std::string FormatProblem(const Problem& problem);

}  // namespace aftercare::handbook

#endif  // AFTERCARE_LIBS_HANDBOOK_CHECK_H_
