// POST /hooks/ASSISTANT: the hooks of assistants, answered by the running server. At the beginning,
// for a prompt and after a compaction it says what the memory has for the session; at a stop and
// before a compaction it keeps what was said last; before a tool writes files it refuses those that
// another agent has claimed, and those of which it cannot tell. protocol/openapi.yaml and
// docs/hooks.md have the rest.
//
// Lifetime: as long as the cell it serves. Threads: the cell's.
#pragma once

#include "server/exchange.hpp"
#include "server/hooks/briefing.hpp"
#include "server/node_info.hpp"

namespace dyad::server::hooks {

class Door {
  public:
    // Lifetime: `shown` is the process's, or outlives the node.
    explicit Door(Node& node, Shown& shown = Shown::of_process()) : node_(node), shown_(shown) {}
    static bool takes(const net::Request& request) { return request.path.starts_with("/hooks/"); }
    // Requires: takes() the request. Answers it, sooner or later; never blocks.
    void handle(const ExchangePtr& exchange);

  private:
    Node& node_;
    Shown& shown_;
};

}  // namespace dyad::server::hooks
