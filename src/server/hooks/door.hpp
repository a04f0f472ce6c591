// POST /hooks/ASSISTANT: the hooks of assistants, answered by the running server. At the beginning,
// for a prompt and after a compaction it says what the memory has for the session; at a stop and
// before a compaction it keeps what was said last; before a tool writes files it refuses those that
// another agent has claimed, and those of which it cannot tell: docs/hooks.md.
//
// Lifetime: as long as the cell it serves. Threads: the cell's.
#pragma once

#include "server/exchange.hpp"
#include "server/hooks/briefing.hpp"
#include "server/node_info.hpp"

namespace dyad::server::hooks {

class Door {
  public:
    // Lifetime: `shown` and `sessions` are the process's, or outlive the node.
    explicit Door(Node& node, mcp::Shown& shown = mcp::Shown::of_process(),
                  Sessions& sessions = Sessions::of_process())
        : node_(node), shown_(shown), sessions_(sessions) {}
    static bool takes(const net::Request& request) { return request.path.starts_with("/hooks/"); }
    // Requires: takes() the request. Answers it, sooner or later; never blocks.
    void handle(const ExchangePtr& exchange);

  private:
    Node& node_;
    mcp::Shown& shown_;
    Sessions& sessions_;
};

}  // namespace dyad::server::hooks
