// What a handler may know of the node it runs in.
#pragma once

#include "base/clock.hpp"
#include "core/engine.hpp"
#include "server/settings.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::server {

class Node {
  public:
    virtual ~Node() = default;
    virtual const Settings& settings() const = 0;
    virtual const std::string& instance_id() const = 0;  // of this node: uuid4, new at every start
    virtual std::int64_t started_at_ms() const = 0;
    virtual core::Engine& engine() = 0;  // the calling cell's
    virtual Store& store() = 0;          // the calling cell's
    virtual const Bus& bus() const = 0;  // the calling cell's
    virtual Clock& clock() = 0;
    virtual Random& random() = 0;
    // Of all cells; of the others as of their last heartbeats.
    virtual std::size_t live_client_count() const = 0;
    virtual bool draining() const = 0;
    // Calls `call` on the cell's thread after `delay_ms`.
    virtual void after(std::int64_t delay_ms, std::function<void()> call) = 0;
    // Runs `work` on the cell's thread. Any thread, as long as the cell is there.
    virtual void post(std::function<void()> work) = 0;
    // The bound port.
    virtual std::uint16_t port() const = 0;
    // Tells other nodes (core/engine.hpp); null where there are none.
    std::function<void(SessionNote)> teller() {
        if (!engine().has_others()) return nullptr;
        return [this](SessionNote note) { engine().tell(std::move(note)); };
    }
};

}  // namespace dyad::server
