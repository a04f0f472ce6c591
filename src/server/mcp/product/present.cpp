// Presence of assistants that only call: a session of the heart that is given nothing and lasts a
// little longer than the call, so that everybody who asks who is there, on every node, is told.
#include "base/limits.hpp"
#include "server/mcp/product/tools.hpp"

#include <map>
#include <tuple>

namespace dyad::server::mcp {
namespace {

class Attendant;
using Name = std::tuple<const Node*, std::string, std::string>;  // the user, the instance
// Of this cell. An entry is as good as the timer that owns its attendant.
std::map<Name, std::weak_ptr<Attendant>>& attendants() {
    thread_local std::map<Name, std::weak_ptr<Attendant>> table;
    return table;
}

// Lifetime: its timer's, which goes with the cell; so it never outlives the heart in use.
class Attendant final : public core::Peer, public std::enable_shared_from_this<Attendant> {
  public:
    Attendant(Node& node, Name name) : node_(node), name_(std::move(name)) {}

    void begin() {
        core::SessionRequest request;
        request.user_id = std::get<1>(name_);
        request.instance_id = std::get<2>(name_);
        request.dialect = core::Dialect::negotiated;
        session_ = node_.engine().attach(std::move(request), *this, [](Position) {});
        renew();
        watch(limits::mcp_present_ms);
    }
    void renew() {
        last_ms_ = node_.clock().steady_ms();
        if (session_ != nullptr) node_.engine().seen(session_);
    }

    bool deliver(Offset, Offset, const std::vector<std::string_view>&) override { return true; }
    bool reset(std::shared_ptr<const core::Snapshot>) override { return true; }
    void close(Errc) override {
        node_.after(0, [self = shared_from_this()] { self->end(); });
    }

  private:
    void watch(std::int64_t delay_ms) {
        node_.after(delay_ms, [self = shared_from_this()] {
            const std::int64_t idle_ms = self->node_.clock().steady_ms() - self->last_ms_;
            if (idle_ms >= limits::mcp_present_ms) return self->end();
            self->watch(limits::mcp_present_ms - idle_ms);
        });
    }
    void end() {
        if (session_ == nullptr) return;
        node_.engine().detach(std::exchange(session_, nullptr));
        attendants().erase(name_);
    }

    Node& node_;
    Name name_;
    core::SessionId session_ = nullptr;
    std::int64_t last_ms_ = 0;
};

}  // namespace

void attend(Call& call) {
    Node& node = call.node();
    auto& table = attendants();
    Name name(&node, call.user(), call.instance());
    const auto at = table.find(name);
    if (at != table.end())
        if (const auto attendant = at->second.lock()) return attendant->renew();
    if (node.draining() || table.size() >= static_cast<std::size_t>(limits::mcp_present_max) ||
        node.engine().session_count(call.user()) >=
            static_cast<std::size_t>(limits::sessions_per_user_max))
        return;
    const auto attendant = std::make_shared<Attendant>(node, name);
    table[std::move(name)] = attendant;
    attendant->begin();
}

}  // namespace dyad::server::mcp
