// The changes of a memory as lines that an assistant reads while it works: few, short, and at a
// bounded rate, with a summary of what was held back.
//
// Threads: one owner.
#pragma once

#include "base/limits.hpp"
#include "model/json.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace dyad::cli {

// A change that matters to an agent that is `own` (empty: it is nobody).
struct AgentLine {
    std::string text;
    std::string what;  // changed: a key, an instance, what is claimed
};
std::optional<AgentLine> line_of(const json::Value& event, const std::string& own);

class AgentLines {
  public:
    // The line that is to be said now; nothing where it is held back.
    std::optional<std::string> take(AgentLine line, std::int64_t now_ms);
    // The summary of what was held back, once lines may be said again.
    std::optional<std::string> due(std::int64_t now_ms);

  private:
    void forget(std::int64_t now_ms);

    std::deque<std::int64_t> said_ms_;  // of the last watch_window_ms
    std::size_t held_ = 0;
    std::vector<std::string> held_names_;
};

}  // namespace dyad::cli
