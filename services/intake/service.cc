#include "services/intake/service.h"

#include "aftercare/intake/v1/events.pb.h"
#include "aftercare/intake/v1/intake_service.pb.h"
#include "libs/shard/history.h"
#include "services/intake/case_views.h"
#include "services/intake/catalogue_views.h"
#include "services/intake/customer_views.h"
#include "services/intake/domain/case.h"
#include "services/intake/domain/case_links.h"
#include "services/intake/domain/case_owner.h"
#include "services/intake/domain/case_record.h"
#include "services/intake/domain/customer.h"
#include "services/intake/domain/evolve.h"
#include "services/intake/domain/tables.h"

namespace aftercare::intake {

using v1::IntakeEvent;

namespace {

void AddCustomers(shard::Service& s) {
  s.schema()
      .AddTable(kCustomers)
      .AddTable(kAssets)
      .AddIndex<v1::Asset>(kAssets, kAssetBySerial, SerialKeys);
  s.AddCommand<v1::RegisterCustomerRequest, IntakeEvent>("RegisterCustomer",
                                                         Decide);
  s.AddCommand<v1::UpdateCustomerRequest, IntakeEvent>("UpdateCustomer",
                                                       Decide);
  s.AddCommand<v1::RegisterAssetRequest, IntakeEvent>("RegisterAsset", Decide);
  s.AddQuery<v1::GetCustomerRequest, v1::Customer>("GetCustomer", GetCustomer);
  s.AddQuery<v1::ListCustomersRequest, v1::ListCustomersResponse>(
      "ListCustomers", ListCustomers);
  s.AddQuery<v1::GetAssetRequest, v1::Asset>("GetAsset", GetAsset);
  s.AddQuery<v1::ListAssetsRequest, v1::ListAssetsResponse>("ListAssets",
                                                            ListAssets);
}

void AddCases(shard::Service& s) {
  s.schema()
      .AddTable(kCases)
      .AddIndex<v1::Case>(kCases, kCaseByOpenTime, OpenTimeKeys)
      .AddIndex<v1::Case>(kCases, kCaseByDueTime, DueTimeKeys)
      .AddTimer<v1::Case>(kCases, CaseTimers);
  s.AddCommand<v1::OpenCaseRequest, IntakeEvent>("OpenCase", Decide);
  s.AddCommand<v1::AmendCaseRequest, IntakeEvent>("AmendCase", Decide);
  s.AddCommand<v1::AcceptCaseRequest, IntakeEvent>("AcceptCase", Decide);
  s.AddCommand<v1::RejectCaseRequest, IntakeEvent>("RejectCase", Decide);
  s.AddCommand<v1::TransferCaseRequest, IntakeEvent>("TransferCase", Decide);
  s.AddCommand<v1::AddCoHandlerRequest, IntakeEvent>("AddCoHandler", Decide);
  s.AddCommand<v1::RemoveCoHandlerRequest, IntakeEvent>("RemoveCoHandler",
                                                        Decide);
  s.AddCommand<v1::LinkCasesRequest, IntakeEvent>("LinkCases", Decide);
  s.AddCommand<v1::MergeCaseRequest, IntakeEvent>("MergeCase", Decide);
  s.AddCommand<v1::SplitCaseRequest, IntakeEvent>("SplitCase", Decide);
  s.AddCommand<v1::ReplyToCaseRequest, IntakeEvent>("ReplyToCase", Decide);
  s.AddCommand<v1::PauseCaseRequest, IntakeEvent>("PauseCase", Decide);
  s.AddCommand<v1::ResumeCaseRequest, IntakeEvent>("ResumeCase", Decide);
  s.AddCommand<v1::ResolveCaseRequest, IntakeEvent>("ResolveCase", Decide);
  s.AddCommand<v1::ReopenCaseRequest, IntakeEvent>("ReopenCase", Decide);
  s.AddCommand<v1::CloseCaseRequest, IntakeEvent>("CloseCase", Decide);
  s.AddCommand<v1::RecordFollowUpRequest, IntakeEvent>("RecordFollowUp",
                                                       Decide);
  s.AddCommand<v1::RecordRepairProgressRequest, IntakeEvent>(
      "RecordRepairProgress", Decide);
  s.AddQuery<v1::GetCaseRequest, v1::Case>("GetCase", GetCase);
  s.AddQuery<v1::GetFormRequest, v1::FilledForm>("GetForm", GetForm);
  s.AddQuery<v1::ListCasesRequest, v1::ListCasesResponse>("ListCases",
                                                          ListCases);
  s.AddQuery<common::v1::GetHistoryRequest, common::v1::GetHistoryResponse>(
      "GetCaseHistory", shard::GetHistory<IntakeEvent>);
  s.AddQuery<v1::SummarizeCasesRequest, v1::CaseSummary>("SummarizeCases",
                                                         SummarizeCases);
}

void AddCatalogue(shard::Service& s) {
  s.AddQuery<v1::GetCatalogueRequest, v1::Catalogue>("GetCatalogue",
                                                     GetCatalogue);
  s.AddQuery<v1::GetOnDutyContactRequest, v1::OnDutyContact>("GetOnDutyContact",
                                                             GetOnDutyContact);
}

}  // namespace

shard::Service MakeIntakeService() {
  shard::Service s("intake",
                   v1::OpenCaseRequest::descriptor()->file()->FindServiceByName(
                       "IntakeService"));
  s.SetEvolve<IntakeEvent>(Evolve);
  s.SetTimer<IntakeEvent>(DecideTimer);
  AddCustomers(s);
  AddCases(s);
  AddCatalogue(s);
  return s;
}

}  // namespace aftercare::intake
