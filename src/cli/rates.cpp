#include "cli/rates.hpp"


#include <algorithm>
#include <cstdlib>
#include <utility>

namespace dyad::cli {
namespace {

double find(const Metrics& metrics, std::string_view name) {
    const auto found = metrics.find(name);
    return found == metrics.end() ? 0 : found->second;
}

}  // namespace

Metrics parse_metrics(std::string_view text) {
    Metrics out;
    while (!text.empty()) {
        const std::string line(text.substr(0, text.find('\n')));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        const std::size_t space = line.rfind(' ');
        if (line.starts_with('#') || space == std::string::npos) continue;
        out[line.substr(0, space)] = std::strtod(line.c_str() + space, nullptr);
    }
    return out;
}

void Rates::take(Metrics metrics, std::int64_t now_ms) {
    previous_ = std::exchange(last_, std::move(metrics));
    previous_ms_ = std::exchange(last_ms_, now_ms);
    if (previous_.empty()) return;
    history_.push_back(of("dyad_events_committed_total"));
    if (history_.size() > kKept) history_.pop_front();
}

double Rates::of(std::string_view counter) const {
    if (previous_.empty() || last_ms_ <= previous_ms_) return 0;
    const double grown = find(last_, counter) - find(previous_, counter);
    return std::max(0.0, grown * 1000 / static_cast<double>(last_ms_ - previous_ms_));
}

double Rates::value(std::string_view metric) const {
    return find(last_, metric);
}

std::string sparkline(const std::deque<double>& values, std::size_t columns) {
    static constexpr const char* kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const std::size_t shown = std::min(columns, values.size());
    double most = 0;
    for (std::size_t i = values.size() - shown; i < values.size(); ++i)
        most = std::max(most, values[i]);
    std::string out;
    for (std::size_t i = values.size() - shown; i < values.size(); ++i) {
        const double part = most > 0 ? values[i] / most : 0;
        out.append(kBars[static_cast<std::size_t>(part * 7)]);
    }
    return out;
}

}  // namespace dyad::cli
