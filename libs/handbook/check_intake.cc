#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "libs/handbook/checker.h"

namespace aftercare::handbook {

void CheckIntake(Checker& check) {
  const v1::Handbook& h = check.handbook();
  if (!h.has_intake()) {
    check.Add("intake", "the section is missing");
    return;
  }
  const auto& intake = h.intake();
  if (intake.channels().empty()) {
    check.Add("intake.channels", "names no channel");
  }
  std::set<std::string> channels;
  for (int i = 0; i < intake.channels_size(); ++i) {
    if (intake.channels(i).empty() ||
        !channels.insert(intake.channels(i)).second) {
      check.Add(absl::StrCat("intake.channels[", i, "]"),
                "is empty or repeated");
    }
  }
  check.Clocks("intake.clocks", intake.clocks(),
               {"first_response", "resolution"},
               {"first_response", "resolution"});
  if (intake.has_reopen_window()) {
    check.SpanSet("intake.reopen_window", intake.reopen_window(), false);
  }
  if (intake.has_follow_up_after()) {
    check.SpanSet("intake.follow_up_after", intake.follow_up_after(), false);
  }
  if (intake.dissatisfied_at() < 1 || intake.dissatisfied_at() > 4) {
    check.Add("intake.dissatisfied_at", "must be 1 to 4 stars");
  }
  check.Grace("intake.late_report_grace", intake.late_report_grace());
}

}  // namespace aftercare::handbook
