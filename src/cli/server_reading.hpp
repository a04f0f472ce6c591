// What one look at the server tells: its status, the user's instances, its metrics. `top` takes one
// each second.
#pragma once

#include "cli/indicator.hpp"
#include "cli/rest_client.hpp"

#include <cstdint>
#include <map>
#include <optional>

namespace dyad::cli {

// Plain counters and gauges of the Prometheus text exposition format, by their names.
using Metrics = std::map<std::string, double, std::less<>>;
Metrics parse_metrics(std::string_view text);

struct ServerReading {
    Indicator indicator = indicator_offline();
    json::Value status;
    json::Value instances;
    Metrics metrics;
    std::int64_t wall_ms = 0;
    std::int64_t steady_ms = 0;
    std::optional<Failure> failure;  // of the status; then there is nothing else

    double metric(std::string_view name) const;  // 0 where there is none
};

ServerReading read_server(RestClient& client, const Clock& clock);

// By how much the metric has grown in a second between the two; nothing where one of them has no
// metrics, no time has passed, or the server has started anew.
std::optional<double> rate_between(const ServerReading& before, const ServerReading& now,
                                   const char* metric);

// {"timestamp","reachable","indicator","status","instances","metrics","rates"}; where the server
// does not answer, `reachable` is false and `problem` says why. A rate that is not known yet, as in
// the first one, is null.
boost::json::object describe(const ServerReading& before, const ServerReading& now);

}  // namespace dyad::cli
