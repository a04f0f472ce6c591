// The seam between a cell and what is spoken over its WebSockets (server/live).
#pragma once

#include "base/result.hpp"
#include "server/protocol.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace dyad::server {

class Client;

// A WebSocket whose upgrade was accepted.
struct Opening {
    std::string answer;       // the handshake's, to send first
    bool negotiated = false;  // the subprotocol dyad.v2 was agreed on
    // Whom the handshake names, as every request may; empty: nobody.
    std::string user = {};
    std::string instance = {};
};

// Lifetime: the cell's; outlives the protocols it opens. Threads: the cell's.
class LiveService {
  public:
    virtual ~LiveService() = default;
    // Takes over a client.
    virtual std::unique_ptr<Protocol> open(Client& client, Opening opening) = 0;
    // Around Engine::flush, at the end of every turn.
    virtual void before_flush() = 0;
    virtual void after_flush() = 0;
    virtual void tick(std::int64_t now_ms) = 0;
    // When tick() has something to do; INT64_MAX: there is nothing.
    virtual std::int64_t next_ms() const = 0;
    virtual std::size_t client_count() const = 0;
};

}  // namespace dyad::server
