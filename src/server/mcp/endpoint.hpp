// The MCP endpoints of a cell: Streamable HTTP of every revision from 2025-03-26 on, each request
// by the rules of its own (era.hpp), over what a Registry offers.
//
// Lifetime: as long as the cell. Threads: the cell's.
#pragma once

#include "server/mcp/live_call.hpp"

#include <memory>
#include <span>
#include <string_view>

namespace dyad::server::mcp {

// What is offered under a path. Lifetime of the registry: the server's.
struct Mount {
    std::string_view path;
    const Registry* registry;
};

class Endpoint;

class Gate {
  public:
    // Lifetime: `mounts` within that of the server.
    Gate(Node& node, std::shared_ptr<Switchboard> switchboard, std::span<const Mount> mounts);
    ~Gate();
    // Answers, sooner or later; false: the path is none of the mounts'.
    bool handle(const ExchangePtr& exchange);

  private:
    StationPtr station_;
    std::vector<std::unique_ptr<Endpoint>> endpoints_;
};

}  // namespace dyad::server::mcp
