// What happened in a run, line by line where somebody wants to read it, and always as one hash:
// two runs of a seed are the same run if their hashes are.
#pragma once

#include "base/hash64.hpp"
#include "sim_store/event_queue.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::sim {

class Trace {
  public:
    Trace(const EventQueue& queue, bool keep_lines) : queue_(queue), keep_lines_(keep_lines) {}

    // `describe` is called only where lines are kept.
    template <class Describe>
    void note(std::string_view what, std::uint64_t a, std::uint64_t b, Describe describe) {
        const std::uint64_t parts[] = {static_cast<std::uint64_t>(queue_.now_us()), a, b, hash_};
        hash_ = hash64({reinterpret_cast<const char*>(parts), sizeof parts}, hash64(what));
        if (!keep_lines_) return;
        const std::int64_t now = queue_.now_us();
        std::string micros = std::to_string(now % 1'000'000);
        lines_.push_back(std::to_string(now / 1'000'000) + "." +
                         std::string(6 - micros.size(), '0') + micros + " " + std::string(what) +
                         " " + describe());
    }
    std::uint64_t hash() const noexcept { return hash_; }
    const std::vector<std::string>& lines() const noexcept { return lines_; }

  private:
    const EventQueue& queue_;
    bool keep_lines_;
    std::uint64_t hash_ = 0;
    std::vector<std::string> lines_;
};

}  // namespace dyad::sim
