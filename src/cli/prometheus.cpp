#include "cli/prometheus.hpp"

#include <charconv>

namespace dyad::cli {

double Metrics::value(std::string_view name) const {
    const auto found = values.find(name);
    return found != values.end() ? found->second : 0;
}

Metrics parse_metrics(std::string_view text) {
    Metrics metrics;
    while (!text.empty()) {
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() < text.size() ? line.size() + 1 : line.size());
        const std::size_t space = line.find(' ');
        if (line.starts_with('#') || space == std::string_view::npos || space == 0) continue;
        const std::string_view number = line.substr(space + 1);
        double value = 0;
        if (std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc())
            metrics.values[std::string(line.substr(0, space))] = value;
    }
    return metrics;
}

}  // namespace dyad::cli
