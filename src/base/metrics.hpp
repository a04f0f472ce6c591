// Counters and gauges of the process, shown by /metrics in the Prometheus text format.
// Threads: any; relaxed atomics, no lock.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::metrics {

enum class Kind : std::uint8_t { counter, gauge };

// Metrics register themselves on construction and live as long as the process.
class Metric {
  public:
    Metric(std::string_view name, std::string_view help, Kind kind) noexcept;
    Metric(const Metric&) = delete;
    Metric& operator=(const Metric&) = delete;

    void add(std::int64_t amount = 1) noexcept {
        value_.fetch_add(amount, std::memory_order_relaxed);
    }
    void set(std::int64_t value) noexcept { value_.store(value, std::memory_order_relaxed); }
    std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

  private:
    friend std::string render();
    std::string_view name_;
    std::string_view help_;
    Kind kind_;
    std::atomic<std::int64_t> value_{0};
    Metric* next_;
};

// How long something takes, in buckets from 100 us to 10 s. As metrics, they register themselves.
class Histogram {
  public:
    static constexpr std::array<std::int64_t, 16> kBoundsUs = {
        100,    250,     500,     1'000,   2'500,     5'000,     10'000,    25'000,
        50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000};

    Histogram(std::string_view name, std::string_view help) noexcept;
    Histogram(const Histogram&) = delete;
    Histogram& operator=(const Histogram&) = delete;

    void observe_us(std::int64_t took_us) noexcept;
    void observe(std::chrono::steady_clock::duration took) noexcept {
        observe_us(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    }

  private:
    friend std::string render();
    std::string_view name_;
    std::string_view help_;
    std::array<std::atomic<std::int64_t>, kBoundsUs.size() + 1> counts_{};  // the last: longer
    std::atomic<std::int64_t> sum_us_{0};
    Histogram* next_;
};

// All metrics, in the Prometheus text exposition format 0.0.4.
std::string render();

inline Metric events_committed{"dyad_events_committed_total", "Events made durable.",
                               Kind::counter};
inline Metric commits{"dyad_commits_total", "Group commits made durable.", Kind::counter};
inline Metric commits_rejected{"dyad_commands_rejected_total", "Commands answered with an error.",
                               Kind::counter};
inline Metric duplicates{"dyad_commands_duplicate_total",
                         "Commands answered from the log by their operation id.", Kind::counter};
inline Metric deliveries{"dyad_deliveries_total", "Events written to live connections.",
                         Kind::counter};
inline Metric connections{"dyad_connections", "Open connections.", Kind::gauge};
inline Metric sessions{"dyad_sessions", "Registered live clients.", Kind::gauge};
inline Metric users_active{"dyad_users_active", "Users held in memory.", Kind::gauge};
inline Metric resumes{"dyad_resumes_total", "Sessions resumed from a position.", Kind::counter};
inline Metric resets{"dyad_resets_total", "Sessions that were sent a snapshot instead.",
                     Kind::counter};
inline Metric slow_closed{"dyad_slow_clients_closed_total",
                          "Connections closed for reading too slowly.", Kind::counter};
inline Metric storage_damages{"dyad_storage_damages_total",
                              "Places of the store that were found damaged.", Kind::counter};
inline Metric mongodb_commands{"dyad_mongodb_commands_total",
                               "Commands sent to MongoDB, each a round trip.", Kind::counter};
inline Metric conflicts{"dyad_commit_conflicts_total",
                        "Batches that lost the race for their place in a log.", Kind::counter};
inline Metric retries{"dyad_commit_retries_total",
                      "Batches whose commit got no answer, and was looked for.", Kind::counter};
inline Metric gaps{"dyad_log_gaps_total",
                   "Announcements that did not follow what was held: the log was read.",
                   Kind::counter};
inline Metric adoptions{"dyad_adoptions_total",
                        "Writes of existing instances that were taken into a log.", Kind::counter};
inline Metric mongodb_waiting{"dyad_mongodb_requests_waiting",
                              "Requests that wait for a connection to MongoDB.", Kind::gauge};
inline Metric mongodb_up{"dyad_mongodb_up", "1 while MongoDB can be used.", Kind::gauge};
inline Metric mongodb_busy{"dyad_mongodb_connections_busy",
                           "Connections to MongoDB that are at work.", Kind::gauge};
inline Histogram commit_seconds{"dyad_commit_seconds",
                                "From the store taking a batch to its being durable."};
inline Histogram mongodb_seconds{"dyad_mongodb_command_seconds", "Round trips to MongoDB."};
inline Histogram node_lag_seconds{"dyad_node_lag_seconds",
                                  "From the date of another node's event to its being held here."};
inline Histogram http_seconds{"dyad_http_request_seconds", "From a whole request to its answer."};
inline Metric http_requests{"dyad_http_requests_total", "HTTP requests answered.", Kind::counter};
inline Metric bus_sent{"dyad_bus_messages_sent_total", "Messages handed to Redis for other nodes.",
                       Kind::counter};
inline Metric bus_envelopes{"dyad_bus_envelopes_sent_total",
                            "Events handed to Redis for existing instances.", Kind::counter};
inline Metric bus_unsent{"dyad_bus_messages_unsent_total",
                         "Messages dropped because Redis was away or slow.", Kind::counter};
inline Metric bus_received{"dyad_bus_messages_received_total", "Messages of other nodes taken.",
                           Kind::counter};
inline Metric bus_foreign{"dyad_bus_foreign_received_total",
                          "Envelopes of existing instances taken.", Kind::counter};
inline Metric bus_refused{"dyad_bus_messages_refused_total",
                          "Messages that are not signed or not understood.", Kind::counter};
inline Metric bus_connects{"dyad_bus_connects_total", "Connections to Redis that began.",
                           Kind::counter};

}  // namespace dyad::metrics
