// The Prometheus text exposition format, as far as plain counters and gauges go. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace dyad::cli {

struct Metrics {
    std::map<std::string, double, std::less<>> values;
    double value(std::string_view name) const;  // 0 where there is none
};

Metrics parse_metrics(std::string_view text);

}  // namespace dyad::cli
