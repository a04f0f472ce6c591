#include "server/mcp/sessions.hpp"

#include "base/limits.hpp"
#include "model/json_text.hpp"
#include "server/mcp/rpc.hpp"

namespace dyad::server::mcp {
namespace {

std::string purpose(std::string_view path) {
    return "session " + std::string(path);
}

}  // namespace

std::string Sessions::begin(std::string_view path, const Session& session) const {
    const ClientCapabilities& can = session.capabilities;
    return sealer_.seal(purpose(path), json::written(256, [&](json::Writer& out) {
                            out.object("serial", session.serial, "version", session.version, "user",
                                       session.user, "instance", session.instance, "form",
                                       can.elicitation_form, "url", can.elicitation_url, "sampling",
                                       can.sampling, "roots", can.roots);
                        }));
}

std::optional<Session> Sessions::find(std::string_view path, std::string_view id) const {
    const auto plain = sealer_.open(purpose(path), id);
    if (!plain) return std::nullopt;
    Session session;
    const auto members = members_of(*plain);
    if (!members) return std::nullopt;
    for (const auto& [name, value] : *members) {
        const bool yes = value == "true";
        ClientCapabilities& can = session.capabilities;
        if (name == "serial") session.serial = text_member(*plain, name).value_or("");
        if (name == "version") session.version = text_member(*plain, name).value_or("");
        if (name == "user") session.user = text_member(*plain, name).value_or("");
        if (name == "instance") session.instance = text_member(*plain, name).value_or("");
        if (name == "form") can.elicitation_form = yes;
        if (name == "url") can.elicitation_url = yes;
        if (name == "sampling") can.sampling = yes;
        if (name == "roots") can.roots = yes;
    }
    if (has_ended(session.serial)) return std::nullopt;
    return session;
}

bool Sessions::has_ended(const std::string& serial) const {
    const MutexLock held(mutex_);
    const auto at = records_.find(serial);
    return at != records_.end() && at->second.ended;
}

Sessions::Record& Sessions::record(const std::string& serial) {
    const auto [at, is_new] = records_.try_emplace(serial);
    if (!is_new) order_.erase(at->second.place);
    at->second.place = order_.insert(order_.end(), serial);
    if (records_.size() > static_cast<std::size_t>(limits::mcp_sessions_max)) {
        records_.erase(order_.front());
        order_.pop_front();
    }
    return at->second;
}

void Sessions::end(const std::string& serial) {
    const MutexLock held(mutex_);
    Record& its = record(serial);
    its.ended = true;
    its.uris.clear();
}

bool Sessions::subscribe(const std::string& serial, const std::string& uri) {
    const MutexLock held(mutex_);
    Record& its = record(serial);
    if (its.uris.size() >= static_cast<std::size_t>(limits::mcp_subscriptions_max))
        return its.uris.contains(uri);
    its.uris.insert(uri);
    return true;
}

void Sessions::unsubscribe(const std::string& serial, const std::string& uri) {
    const MutexLock held(mutex_);
    const auto at = records_.find(serial);
    if (at != records_.end()) at->second.uris.erase(uri);
}

bool Sessions::is_subscribed(const std::string& serial, const std::string& uri) const {
    const MutexLock held(mutex_);
    const auto at = records_.find(serial);
    return at != records_.end() && at->second.uris.contains(uri);
}

std::set<std::string> Sessions::subscriptions(const std::string& serial) const {
    const MutexLock held(mutex_);
    const auto at = records_.find(serial);
    return at != records_.end() ? at->second.uris : std::set<std::string>();
}

void Sessions::wait(const std::string& key, Waiting waiting) {
    const MutexLock held(mutex_);
    waiting_.insert_or_assign(key, std::move(waiting));
}

void Sessions::forget(const std::string& key, std::uint64_t owner) {
    const MutexLock held(mutex_);
    const auto at = waiting_.find(key);
    if (at != waiting_.end() && at->second.owner == owner) waiting_.erase(at);
}

// Whoever forgets it before its cell ends can be sure that the cell is not posted to any more.
bool Sessions::tell(const std::string& key, std::string what) {
    const MutexLock held(mutex_);
    auto node = waiting_.extract(key);
    if (node.empty()) return false;
    Waiting& waiting = node.mapped();
    waiting.post([call = std::move(waiting.call), what = std::move(what)]() mutable {
        call(std::move(what));
    });
    return true;
}

// An answer may hold what nobody but the call is to know.
SessionNote Sessions::message(const std::string& key, std::string_view what) const {
    return {.topic = Topic::message,
            .session = key,
            .entries = {{sealer_.seal("message " + key, what), 0}}};
}

void Sessions::take(const SessionNote& note) {
    if (note.topic == Topic::session_ended) return end(note.session);
    for (const auto& entry : note.entries) {
        const std::string& text = entry.first;
        if (note.topic == Topic::subscribed) subscribe(note.session, text);
        if (note.topic == Topic::unsubscribed) unsubscribe(note.session, text);
        if (note.topic != Topic::message) continue;
        if (auto what = sealer_.open("message " + note.session, text))
            tell(note.session, *std::move(what));
    }
}

}  // namespace dyad::server::mcp
