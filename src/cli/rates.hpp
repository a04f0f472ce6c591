// Counters in the Prometheus text format, and how fast they grow. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

namespace dyad::cli {

using Metrics = std::map<std::string, double, std::less<>>;

Metrics parse_metrics(std::string_view text);

class Rates {
  public:
    static constexpr std::size_t kKept = 60;

    void take(Metrics metrics, std::int64_t now_ms);
    // Per second, between the last two samples; 0 where there is no earlier one or the server was
    // started again.
    double of(std::string_view counter) const;
    double value(std::string_view metric) const;
    // The rates of dyad_events_committed_total, oldest first.
    const std::deque<double>& history() const noexcept { return history_; }

  private:
    Metrics last_;
    Metrics previous_;
    std::int64_t last_ms_ = 0;
    std::int64_t previous_ms_ = 0;
    std::deque<double> history_;
};

// "▁▂▃█", the newest at the right, at most `columns`.
std::string sparkline(const std::deque<double>& values, std::size_t columns);

}  // namespace dyad::cli
