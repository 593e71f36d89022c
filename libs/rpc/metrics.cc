#include "libs/rpc/metrics.h"

#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "prometheus/collectable.h"
#include "prometheus/counter.h"
#include "prometheus/exposer.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace aftercare::rpc {
namespace {

constexpr int kCodes = 17;

prometheus::ClientMetric::Label Label(const char* name, std::string value) {
  prometheus::ClientMetric::Label label;
  label.name = name;
  label.value = std::move(value);
  return label;
}

// Shards are asked when Prometheus asks: nothing to keep up to date.
class ShardCollector final : public prometheus::Collectable {
 public:
  explicit ShardCollector(const Hosts& hosted) : hosted_(hosted) {}

  std::vector<prometheus::MetricFamily> Collect() const override {
    struct Gauge {
      const char* name;
      const char* help;
      double (*value)(const shard::ShardStatus&);
      bool standbys = false;
    };
    static constexpr Gauge kGauges[] = {
        {"aftercare_shard_serving", "1 while the shard decides commands",
         [](const shard::ShardStatus& s) {
           return s.state == shard::ShardState::kServing ? 1.0 : 0.0;
         }},
        {"aftercare_shard_halted", "1 when a record stopped the replay",
         [](const shard::ShardStatus& s) {
           return s.state == shard::ShardState::kHalted ? 1.0 : 0.0;
         }},
        {"aftercare_shard_queued_commands", "Commands waiting to be decided",
         [](const shard::ShardStatus& s) {
           return static_cast<double>(s.queued_commands);
         }},
        {"aftercare_shard_events", "Events applied since the log began",
         [](const shard::ShardStatus& s) {
           return static_cast<double>(s.events);
         }},
        {"aftercare_shard_rows", "Rows and index entries",
         [](const shard::ShardStatus& s) {
           return static_cast<double>(s.rows);
         }},
        {"aftercare_shard_void_records", "Records the fold skipped",
         [](const shard::ShardStatus& s) {
           return static_cast<double>(s.void_records);
         }},
        {"aftercare_shard_offset", "Position in the log",
         [](const shard::ShardStatus& s) {
           return static_cast<double>(s.offset);
         },
         true},
        {"aftercare_shard_replay_target", "End of the log when replay began",
         [](const shard::ShardStatus& s) {
           return static_cast<double>(s.replay_target);
         }},
        {"aftercare_shard_following", "1 for a standby",
         [](const shard::ShardStatus& s) {
           return s.state == shard::ShardState::kFollowing ? 1.0 : 0.0;
         },
         true},
        {"aftercare_shard_lag",
         "Records to be read before the rows are current",
         [](const shard::ShardStatus& s) {
           return static_cast<double>(s.lag());
         },
         true},
    };
    std::vector<prometheus::MetricFamily> families;
    for (const Gauge& gauge : kGauges) {
      prometheus::MetricFamily family;
      family.name = gauge.name;
      family.help = gauge.help;
      family.type = prometheus::MetricType::Gauge;
      for (const auto& host : hosted_) {
        auto shards = host->Shards();
        if (gauge.standbys) {
          for (auto& standby : host->Standbys()) {
            shards.push_back(std::move(standby));
          }
        }
        for (const auto& shard : shards) {
          const shard::ShardStatus status = shard->Status();
          prometheus::ClientMetric metric;
          metric.label = {Label("service", status.service),
                          Label("partition", absl::StrCat(status.partition))};
          metric.gauge.value = gauge.value(status);
          family.metric.push_back(std::move(metric));
        }
      }
      families.push_back(std::move(family));
    }
    return families;
  }

 private:
  const Hosts& hosted_;
};

}  // namespace

class Metrics::Impl {
 public:
  explicit Impl(const Hosts& hosted)
      : registry(std::make_shared<prometheus::Registry>()),
        shards(std::make_shared<ShardCollector>(hosted)),
        calls(prometheus::BuildCounter()
                  .Name("aftercare_calls_total")
                  .Help("Finished calls by method and status code")
                  .Register(*registry)),
        latency(prometheus::BuildHistogram()
                    .Name("aftercare_call_seconds")
                    .Help("From the request's arrival to the answer")
                    .Register(*registry)) {}

  struct OfMethod {
    prometheus::Counter* calls[kCodes] = {};
    prometheus::Histogram* latency = nullptr;
  };

  // The counters of a method, made at its first call.
  OfMethod& Find(const google::protobuf::MethodDescriptor& method) {
    std::lock_guard lock(mutex);
    std::unique_ptr<OfMethod>& entry = methods[&method];
    if (entry == nullptr) {
      entry = std::make_unique<OfMethod>();
      for (int code = 0; code < kCodes; ++code) {
        entry->calls[code] = &calls.Add(
            {{"method", method.full_name()},
             {"code",
              absl::StatusCodeToString(static_cast<absl::StatusCode>(code))}});
      }
      entry->latency =
          &latency.Add({{"method", method.full_name()}},
                       prometheus::Histogram::BucketBoundaries{
                           0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                           0.25, 0.5, 1, 2.5, 5, 10});
    }
    return *entry;
  }

  std::shared_ptr<prometheus::Registry> registry;
  std::shared_ptr<ShardCollector> shards;
  prometheus::Family<prometheus::Counter>& calls;
  prometheus::Family<prometheus::Histogram>& latency;
  std::mutex mutex;
  absl::flat_hash_map<const google::protobuf::MethodDescriptor*,
                      std::unique_ptr<OfMethod>>
      methods;
  std::unique_ptr<prometheus::Exposer> exposer;
  int port = 0;
};

Metrics::Metrics(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Metrics::~Metrics() = default;

absl::StatusOr<std::unique_ptr<Metrics>> Metrics::Start(
    const std::string& address, const Hosts& hosted) {
  auto impl = std::make_unique<Impl>(hosted);
  if (!address.empty()) {
    // The HTTP library reports trouble by exceptions.
    try {
      impl->exposer = std::make_unique<prometheus::Exposer>(address, 1);
      impl->exposer->RegisterCollectable(impl->registry);
      impl->exposer->RegisterCollectable(impl->shards);
      const auto ports = impl->exposer->GetListeningPorts();
      impl->port = ports.empty() ? 0 : ports.front();
    } catch (const std::exception& error) {
      return absl::UnavailableError(
          absl::StrCat("metrics endpoint ", address, ": ", error.what()));
    }
  }
  return std::unique_ptr<Metrics>(new Metrics(std::move(impl)));
}

Observer Metrics::observer() {
  return [impl = impl_.get()](const google::protobuf::MethodDescriptor& method,
                              absl::StatusCode code, absl::Duration duration) {
    Impl::OfMethod& entry = impl->Find(method);
    const int index = static_cast<int>(code);
    if (index >= 0 && index < kCodes) entry.calls[index]->Increment();
    entry.latency->Observe(absl::ToDoubleSeconds(duration));
  };
}

int Metrics::port() const { return impl_->port; }

}  // namespace aftercare::rpc
