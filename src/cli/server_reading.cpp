#include "cli/server_reading.hpp"

namespace dyad::cli {

ServerReading read_server(RestClient& client, const Clock& clock) {
    ServerReading reading;
    Answer status = client.get("status");
    reading.wall_ms = clock.wall_ms();
    reading.steady_ms = clock.steady_ms();
    if (!status) {
        reading.failure = std::move(status.failure);
        return reading;
    }
    reading.indicator = indicator_of(status.value);
    reading.status = std::move(status.value);
    reading.instances = client.get("instances").value;
    reading.metrics = parse_metrics(client.get_plain("/metrics").body);
    return reading;
}

std::optional<double> rate_between(const ServerReading& before, const ServerReading& now,
                                   const char* metric) {
    const std::int64_t passed_ms = now.steady_ms - before.steady_ms;
    if (before.metrics.values.empty() || now.metrics.values.empty() || passed_ms <= 0)
        return std::nullopt;
    const double grown = now.metrics.value(metric) - before.metrics.value(metric);
    if (grown < 0) return std::nullopt;
    return grown * 1000 / static_cast<double>(passed_ms);
}

boost::json::object describe(const ServerReading& before, const ServerReading& now) {
    boost::json::object out{{"timestamp", now.wall_ms},
                            {"reachable", !now.failure},
                            {"indicator", now.indicator.text()}};
    if (now.failure) {
        out["problem"] = now.failure->message;
        return out;
    }
    out["status"] = now.status;
    out["instances"] = array_member(now.instances, "instances");
    boost::json::object& metrics = out["metrics"].emplace_object();
    for (const auto& [name, value] : now.metrics.values)
        metrics[name] = value;
    boost::json::object& rates = out["rates"].emplace_object();
    for (const auto& [name, metric] : {std::pair{"deliveries", "dyad_deliveries_total"},
                                       std::pair{"events", "dyad_events_committed_total"},
                                       std::pair{"requests", "dyad_http_requests_total"}}) {
        const std::optional<double> rate = rate_between(before, now, metric);
        rates[name] = rate ? json::Value(*rate) : json::Value(nullptr);
    }
    return out;
}

}  // namespace dyad::cli
