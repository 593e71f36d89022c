#include "services/intake/catalogue_views.h"

#include <string>

#include "aftercare/common/v1/reasons.pb.h"
#include "aftercare/intake/v1/reasons.pb.h"
#include "libs/base/names.h"
#include "libs/base/refusal.h"
#include "libs/base/status_macros.h"
#include "libs/base/time.h"
#include "libs/base/validate.h"
#include "libs/calendar/calendar.h"
#include "libs/handbook/policy.h"

namespace aftercare::intake {
namespace {

using handbook::v1::ChannelSettings;

// When the channel is open next, `at` itself included; a channel without a
// calendar is always.
absl::Time OpenFrom(const handbook::Policy& policy,
                    const ChannelSettings& channel, absl::Time at) {
  const auto* calendar = policy.FindCalendar(channel.calendar());
  return calendar == nullptr ? at : calendar->NextOpen(at);
}

v1::OnDutyContact Describe(const handbook::Policy& policy,
                           const ChannelSettings& channel, absl::Time at) {
  v1::OnDutyContact contact;
  contact.set_channel(channel.id());
  contact.set_title(channel.title());
  contact.set_number(channel.number());
  const absl::Time open = OpenFrom(policy, channel, at);
  contact.set_open(open == at);
  if (!contact.open()) {
    *contact.mutable_open_time() = ToProto(open);
    return contact;
  }
  if (channel.contacts().empty()) return contact;
  *contact.mutable_contacts() = channel.contacts();
  contact.set_person(channel.contacts(0));
  contact.set_display_name(
      policy.FindPerson(channel.contacts(0))->display_name());
  return contact;
}

}  // namespace

absl::Status CheckPolicy(const shard::QueryContext& context) {
  if (context.policy != nullptr) return absl::OkStatus();
  return Refuse(common::v1::REASON_HANDBOOK_MISSING,
                "the company has no handbook in force");
}

absl::StatusOr<v1::Catalogue> GetCatalogue(
    const shard::QueryContext& context,
    const v1::GetCatalogueRequest& request) {
  RETURN_IF_ERROR(
      CheckName("parent", "companies/*/customers/*", request.parent()));
  RETURN_IF_ERROR(CheckPolicy(context));
  const auto& handbook = context.policy->handbook();
  v1::Catalogue catalogue;
  for (const auto& type : handbook.intake().case_types()) {
    if (!type.catalogue()) continue;
    auto& service = *catalogue.add_services();
    service.set_type(type.id());
    service.set_title(type.title());
    *service.mutable_lines() = type.lines();
    service.set_free_of_charge(type.free_of_charge());
    service.set_department(type.department());
  }
  for (const auto& classification : handbook.intake().classifications()) {
    auto& topic = *catalogue.add_classifications();
    topic.set_id(classification.id());
    topic.set_title(classification.title());
  }
  static constexpr const char* kPriorities[] = {"low", "normal", "high",
                                                "urgent"};
  for (int i = 0; i < handbook.intake().priority_titles_size(); ++i) {
    auto& topic = *catalogue.add_priorities();
    topic.set_id(kPriorities[i]);
    topic.set_title(handbook.intake().priority_titles(i));
  }
  for (const auto& known : handbook.departments()) {
    auto& department = *catalogue.add_departments();
    department.set_id(known.id());
    department.set_title(known.title());
    department.set_lead(known.lead());
    *department.mutable_duties() = known.duties();
  }
  return catalogue;
}

absl::StatusOr<v1::OnDutyContact> GetOnDutyContact(
    const shard::QueryContext& context,
    const v1::GetOnDutyContactRequest& request) {
  RETURN_IF_ERROR(
      CheckName("parent", "companies/*/customers/*", request.parent()));
  RETURN_IF_ERROR(
      CheckOptionalText("channel", request.channel(), kMaxShortText));
  if (request.has_at_time() && !IsValid(request.at_time())) {
    return InvalidField("at_time", "is out of range");
  }
  RETURN_IF_ERROR(CheckPolicy(context));
  const absl::Time at =
      request.has_at_time() ? FromProto(request.at_time()) : context.now;
  const ChannelSettings* first = nullptr;
  for (const auto& channel :
       context.policy->handbook().intake().channel_settings()) {
    // Who asks for no channel asks for a person.
    if (request.channel().empty() ? channel.contacts().empty()
                                  : channel.id() != request.channel()) {
      continue;
    }
    if (first == nullptr || OpenFrom(*context.policy, channel, at) <
                                OpenFrom(*context.policy, *first, at)) {
      first = &channel;
    }
  }
  if (first == nullptr) {
    return Refuse(v1::REASON_CHANNEL_UNKNOWN,
                  "the handbook says nothing of such a channel",
                  {{"channel", request.channel()}});
  }
  return Describe(*context.policy, *first, at);
}

}  // namespace aftercare::intake
