// One timer of a cell for everything that waits there: keep-alives, answers that take long. It
// runs only while there is something.
//
// Lifetime: as long as the cell; what beats may go at any time. Threads: the cell's.
#pragma once

#include "server/node_info.hpp"

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
    // About once a second; `now_ms` is steady. False: no more.
    virtual bool beat(std::int64_t now_ms) = 0;
};

class Pulse {
  public:
    explicit Pulse(Node& node) : node_(node) {}

    void add(std::weak_ptr<Beating> one) {
        all_.push_back(std::move(one));
        if (!armed_) arm();
    }

  private:
    static constexpr std::int64_t kBeatMs = 1000;

    void arm() {
        armed_ = true;
        node_.after(kBeatMs, [this] { beat(); });
    }
    void beat() {
        const std::int64_t now_ms = node_.clock().steady_ms();
        // A beat may end what beats, and begin others.
        std::vector<std::weak_ptr<Beating>> kept;
        for (std::weak_ptr<Beating>& weak : std::exchange(all_, {}))
            if (const auto one = weak.lock(); one && one->beat(now_ms))
                kept.push_back(std::move(weak));
        all_.insert(all_.end(), kept.begin(), kept.end());
        armed_ = false;
        if (!all_.empty()) arm();
    }

    Node& node_;
    std::vector<std::weak_ptr<Beating>> all_;
    bool armed_ = false;
};

}  // namespace dyad::server::mcp
