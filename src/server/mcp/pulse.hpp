// The timer of a cell for everything that waits there: keep-alives, answers that take long. It
// runs only while there is something, and when something is due.
//
// Lifetime: as long as the cell; what beats may go at any time. Threads: the cell's.
#pragma once

#include "server/node_info.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace dyad::server::mcp {

inline constexpr std::string_view kStreamType = "text/event-stream";
inline constexpr std::string_view kKeepAlive = ":\n\n";
inline constexpr std::int64_t kKeepAliveMs = 15'000;

class Beating {
  public:
    virtual ~Beating() = default;
    // What is due by now, which is steady. Returns when to come again; kNoMore: never.
    virtual std::int64_t beat(std::int64_t now_ms) = 0;
    static constexpr std::int64_t kNoMore = INT64_MAX;
};

class Pulse {
  public:
    explicit Pulse(Node& node) : node_(node) {}

    void add(const std::shared_ptr<Beating>& one) {
        const std::int64_t due_ms = one->beat(node_.clock().steady_ms());
        if (due_ms == Beating::kNoMore) return;
        all_.push_back({due_ms, one});
        arm(due_ms);
    }

  private:
    struct Waiting {
        std::int64_t due_ms;
        std::weak_ptr<Beating> one;
    };

    void arm(std::int64_t due_ms) {
        if (due_ms >= next_ms_) return;
        next_ms_ = due_ms;
        node_.after(due_ms - node_.clock().steady_ms(), [this, due_ms] {
            if (next_ms_ == due_ms) beat();
        });
    }
    void beat() {
        const std::int64_t now_ms = node_.clock().steady_ms();
        next_ms_ = Beating::kNoMore;
        // A beat may end what beats, and begin others.
        for (Waiting& waiting : std::exchange(all_, {})) {
            const auto one = waiting.one.lock();
            if (one && waiting.due_ms <= now_ms) waiting.due_ms = one->beat(now_ms);
            if (one && waiting.due_ms != Beating::kNoMore) all_.push_back(std::move(waiting));
        }
        std::int64_t next_ms = Beating::kNoMore;
        for (const Waiting& waiting : all_)
            next_ms = std::min(next_ms, waiting.due_ms);
        // Not for each of many that follow each other closely.
        if (next_ms != Beating::kNoMore) arm(std::max(next_ms, now_ms + kPauseMs));
    }

    static constexpr std::int64_t kPauseMs = 250;

    Node& node_;
    std::vector<Waiting> all_;
    std::int64_t next_ms_ = Beating::kNoMore;  // of the timer
};

}  // namespace dyad::server::mcp
