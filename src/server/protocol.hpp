// What is spoken on a client's connection: HTTP first, WebSocket after an upgrade.
#pragma once

#include "base/result.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace dyad::server {

// Lifetime: owned by its Client. Threads: the cell's.
class Protocol {
  public:
    virtual ~Protocol() = default;

    // Takes bytes off the front of `bytes`, which it may write to. Returns what speaks from here
    // on, with the rest of the bytes, or null for itself.
    virtual std::unique_ptr<Protocol> on_bytes(std::span<char>& bytes) = 0;
    // Everything that was held has been sent.
    virtual void on_drained() = 0;
    // The connection is over; nothing more can be sent.
    virtual void on_closed() = 0;
    // About once a second: time-outs, signs of life. `now_ms` is steady.
    virtual void check(std::int64_t now_ms) = 0;
    // True while somebody may still call it back: it is not destroyed until then.
    virtual bool in_use() const = 0;
    // Bytes that arrived while it was busy; asked for when it has become free.
    virtual std::string take_backlog() { return {}; }
    // The node is about to stop: nothing new is begun, what was begun is finished.
    virtual void drain() = 0;
    // The node stops: ends with the error's close code. Nothing that was begun is left, or there is
    // no more time for it.
    virtual void shut(Errc why) = 0;
};

}  // namespace dyad::server
