#include "cli/server_reading.hpp"

#include "cli/text.hpp"

#include <charconv>

namespace dyad::cli {

Metrics parse_metrics(std::string_view text) {
    Metrics metrics;
    while (!text.empty()) {
        std::string_view number = take_part(text, '\n');
        const std::string_view name = take_part(number, ' ');
        double value = 0;
        if (!name.empty() && !name.starts_with('#') &&
            std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc())
            metrics[std::string(name)] = value;
    }
    return metrics;
}

double ServerReading::metric(std::string_view name) const {
    const auto found = metrics.find(name);
    return found != metrics.end() ? found->second : 0;
}

ServerReading read_server(RestClient& client, const Clock& clock) {
    ServerReading reading;
    Answer status = client.get("status");
    reading.wall_ms = clock.wall_ms();
    reading.steady_ms = clock.steady_ms();
    reading.failure = std::move(status.failure);
    if (reading.failure) return reading;
    reading.indicator = indicator_of(status.value);
    reading.status = std::move(status.value);
    reading.instances = client.get("instances").value;
    reading.metrics = parse_metrics(client.get_plain("/metrics").body);
    return reading;
}

std::optional<double> rate_between(const ServerReading& before, const ServerReading& now,
                                   const char* metric) {
    const std::int64_t passed_ms = now.steady_ms - before.steady_ms;
    const double grown = now.metric(metric) - before.metric(metric);
    if (before.metrics.empty() || now.metrics.empty() || passed_ms <= 0 || grown < 0)
        return std::nullopt;
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
    out["instances"] = list_at(now.instances, "instances");
    out["metrics"] = boost::json::object(now.metrics.begin(), now.metrics.end());
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
