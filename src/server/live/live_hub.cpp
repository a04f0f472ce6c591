#include "server/live/live_hub.hpp"

#include "base/limits.hpp"
#include "server/live/live_session.hpp"

#include <algorithm>

namespace dyad::server::live {
namespace {

constexpr std::int64_t kPresenceMs = 1000;
constexpr std::size_t kSpareBuffers = 64;
constexpr std::size_t kSpareBytesMax = 64 * 1024;

}  // namespace

LiveHub::LiveHub(Cell& cell) : cell_(cell) {
    engine().on_presence([this](const std::string& user_id) { presence_changed(user_id); });
}

std::unique_ptr<Protocol> LiveHub::open(Client& client, Opening opening) {
    auto session = std::make_unique<LiveSession>(*this, client, opening);
    session->output().append(opening.answer);
    session->greet();
    clients_ += 1;
    return session;
}

wire::Speaker LiveHub::speaker(const LiveUser* user) const {
    return {.instance_id = cell_.instance_id(),
            .user_id = user != nullptr ? std::string_view(user->id) : std::string_view(),
            .now_ms = cell_.clock().wall_ms()};
}

LiveUser* LiveHub::enter(const std::string& user_id, LiveSession* negotiated) {
    if (engine().session_count(user_id) >= static_cast<std::size_t>(limits::sessions_per_user_max))
        return nullptr;
    auto& slot = users_[user_id];
    if (!slot) {
        slot = std::make_unique<LiveUser>();
        slot->id = user_id;
    }
    slot->sessions += 1;
    if (negotiated != nullptr) slot->negotiated.push_back(negotiated);
    return slot.get();
}

void LiveHub::leave(LiveUser& user, LiveSession* negotiated) {
    if (negotiated != nullptr) std::erase(user.negotiated, negotiated);
    user.sessions -= 1;
    if (user.sessions > 0) {
        presence_changed(user);
        return;
    }
    if (user.presence_changed) std::erase(presence_, &user);
    users_.erase(users_.find(user.id));
}

void LiveHub::presence_changed(LiveUser& user) {
    if (user.presence_changed || user.negotiated.empty()) return;
    user.presence_changed = true;
    presence_.push_back(&user);
}

void LiveHub::presence_changed(const std::string& user_id) {
    const auto at = users_.find(user_id);
    if (at != users_.end()) presence_changed(*at->second);
}

void LiveHub::send_presence(LiveUser& user) {
    user.presence_changed = false;
    user.presence.clear();
    wire::write_presence(user.presence, engine().presence(user.id));
    for (LiveSession* session : user.negotiated)
        session->say_presence(user.presence);
}

void LiveHub::tick(std::int64_t now_ms) {
    if (presence_.empty() || now_ms < presence_due_ms_) return;
    presence_due_ms_ = now_ms + kPresenceMs;
    for (LiveUser* user : std::exchange(presence_, {}))
        send_presence(*user);
}

void LiveHub::finish_ended() {
    while (!ended_.empty())
        for (LiveSession* session : std::exchange(ended_, {}))
            session->finish_end();
}

void LiveHub::before_flush() {
    finish_ended();
    engine().set_client_count(clients_);
}

void LiveHub::after_flush() {
    std::erase_if(asking_, [](LiveSession* session) { return session->answer_states(); });
    std::erase_if(catching_up_, [](LiveSession* session) { return session->check_caught_up(); });
    for (LiveSession* session : std::exchange(dirty_, {}))
        session->flush_output();
    finish_ended();
}

void LiveHub::forget(LiveSession& session) {
    std::erase(dirty_, &session);
    std::erase(ended_, &session);
    std::erase(catching_up_, &session);
    std::erase(asking_, &session);
    clients_ -= 1;
}

std::unique_ptr<std::string> LiveHub::take_buffer() {
    if (buffers_.empty()) return std::make_unique<std::string>();
    std::unique_ptr<std::string> buffer = std::move(buffers_.back());
    buffers_.pop_back();
    return buffer;
}

void LiveHub::give_buffer(std::unique_ptr<std::string> buffer) {
    if (buffers_.size() >= kSpareBuffers || buffer->capacity() > kSpareBytesMax) return;
    buffer->clear();
    buffers_.push_back(std::move(buffer));
}

}  // namespace dyad::server::live
