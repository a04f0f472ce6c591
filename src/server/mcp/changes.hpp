// Streams of what changes: subscriptions/listen, and the GET stream of a session. Resources that
// change are told of from the log of the user, by a session of the heart; each URI at most once in
// mcp_resource_update_ms.
//
// An event of a GET stream has as its id the place in the log from which the stream goes on:
// Last-Event-ID.
#pragma once

#include "core/session.hpp"
#include "server/exchange.hpp"
#include "server/mcp/pulse.hpp"
#include "server/mcp/registry.hpp"

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::server::mcp {

// What a client wants to hear.
struct Wishes {
    std::set<std::string> methods;  // such as "notifications/tools/list_changed"
    // Whether it wants to hear of this resource; null: of none.
    std::function<bool(const std::string& uri)> resource;
    // All that it wants to hear of, where the log cannot say what changed.
    std::function<std::set<std::string>()> resources;
    std::string subscription;  // JSON: the id of the listen request; empty: a session's stream
    std::string first;         // a message that comes before all others, or none
    bool primes = false;       // a session's stream begins with an event without data
    std::string user;
    std::string instance;
    std::optional<Position> resume;
    std::function<void()> on_end;  // once; null: nobody asks
};

class ChangeStream;

// The streams of a cell that are open.
class Listeners {
  public:
    void add(const std::shared_ptr<ChangeStream>& stream);
    // A notification without params, to those who want it.
    void tell(std::string_view method);

  private:
    std::vector<std::weak_ptr<ChangeStream>> all_;
};

// Begins a stream; what is returned ends it. Requires: the user has room for one more session.
std::function<void()> stream_changes(Node& node, Pulse& pulse, Listeners& listeners,
                                     const Registry& registry, ExchangePtr exchange, Wishes wishes);

}  // namespace dyad::server::mcp
