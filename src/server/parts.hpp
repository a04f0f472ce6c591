// What the cells of a server are put together from, and what they have in common.
#pragma once

#include "auth/origin.hpp"
#include "base/clock.hpp"
#include "bus/local/local_bus.hpp"
#include "server/exchange.hpp"
#include "server/live_service.hpp"
#include "server/node_info.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace dyad::core {
class Renderer;
}  // namespace dyad::core

namespace dyad::net {
class Loop;
}  // namespace dyad::net

namespace dyad::server {

class Cell;

using HttpHandler = std::function<void(ExchangePtr)>;

// What a cell is put together from. Each is called once per cell, on the thread that starts the
// server; `post` runs work on the cell's thread and may be called on any.
struct Parts {
    using Post = std::function<void(std::function<void()>)>;
    // Where it is a Documents, too, the heart keeps those beside the log.
    std::function<Result<std::unique_ptr<Store>>(const Settings&, Post)> store;
    // To other nodes, for the node of this instance id; without it cells hear each other alone.
    // Called after `store`. Lifetime: within that of loop and random numbers.
    std::function<Result<std::unique_ptr<Bus>>(net::Loop&, Random&, const std::string&)> bus;
    std::function<HttpHandler(Node&)> http;
    // What all nodes of the store know, and nobody else; empty until this one knows it. Any thread.
    std::function<std::string()> secret;
    std::function<std::unique_ptr<LiveService>(Cell&)> live;
    // Renders events for plain clients. Lifetime: the server's.
    const core::Renderer* renderer = nullptr;
};

// What all cells of a server have in common. Immutable but for the counters.
struct Shared {
    Settings settings;
    std::string instance_id;
    std::int64_t started_at_ms = 0;
    std::uint16_t port = 0;
    auth::OriginPolicy origins;
    bus::LocalHub hub;
    SystemClock clock;
    std::atomic<std::size_t> connections{0};
    std::atomic<bool> draining{false};

    Shared(Settings from, std::uint16_t bound_port);
};

}  // namespace dyad::server
