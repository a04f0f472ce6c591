// What comes from other nodes, and what they are told.
#include "base/log.hpp"
#include "core/adoption.hpp"
#include "core/engine.hpp"
#include "core/user_log.hpp"

#include <algorithm>

namespace dyad::core {
namespace {

constexpr std::string_view kScope = "distributed_memory";

}  // namespace

void Engine::hear(const Announcement& announcement) {
    if (UserLog* const log = find(announcement.user_id)) log->reader().receive(announcement);
}

void Engine::hear(const Hint& hint) {
    if (hint.subscribed) heart_.neighbours.subscribed(hint.user_id);
    UserLog* const log = find(hint.user_id);
    if (log == nullptr || !log->ready()) return;
    log->reader().catch_up([](const Status&) {});
    heart_.look_at_documents(*log);
}

// Every node hears it: the operation's id lets it into the log once.
void Engine::hear(const Foreign& foreign) {
    const auto has_document = [](const CommandBody& body) {
        return !std::holds_alternative<RecordResponse>(body) &&
               !std::holds_alternative<AnnounceMcp>(body);
    };
    if (!foreign.command || (heart_.ports.documents != nullptr && has_document(*foreign.command)))
        return hear(Hint{.user_id = foreign.user_id});
    Pending pending;
    pending.command = std::make_unique<Command>();
    Command& command = *pending.command;
    command.instance_id = kForeignInstance;
    command.operation_id = adoption_id("bus", foreign.event_id);
    command.body = *foreign.command;
    command.brief = true;
    if (const Status good = validate_content(command); !good) {
        log::debug(kScope, "what an instance published is dropped: " + good.error().to_string());
        return;
    }
    pending.done = [](const Answer&) {};
    user(foreign.user_id).writer().submit(std::move(pending));
}

void Engine::hear(const PresenceReport& report) {
    heart_.neighbours.take(report, heart_.steady_ms());
}

void Engine::hear(const Heartbeat& beat) {
    heart_.neighbours.take(beat, heart_.steady_ms());
    for (const auto& [user_id, head] : beat.heads)
        if (UserLog* const log = find(user_id); log != nullptr && log->ready())
            if (head.offset >= log->head().offset && !log->is_at(head))
                log->reader().catch_up([](const Status&) {});
}

void Engine::tell(SessionNote note) {
    if (has_others()) heart_.neighbours.tell(std::move(note));
}

void Engine::when_told(std::function<void()> done) {
    has_others() ? heart_.ports.bus.when_sent(std::move(done)) : done();
}

// The cells of a server have what they know of sessions in common.
void Engine::hear(const SessionNote& note) {
    if (take_note_ && note.server != heart_.config.neighbours.server) take_note_(note);
}

std::vector<Presence> Engine::presence(const std::string& user_id) const {
    std::vector<Presence> all = heart_.neighbours.elsewhere().instances(user_id);
    if (const auto at = users_.find(user_id); at != users_.end()) {
        const std::vector<Presence> here = at->second->delivery().presence();
        all.insert(all.end(), here.begin(), here.end());
    }
    std::sort(all.begin(), all.end(),
              [](const Presence& a, const Presence& b) { return a.instance_id < b.instance_id; });
    std::vector<Presence> merged;
    for (Presence& one : all)
        if (!merged.empty() && merged.back().instance_id == one.instance_id)
            merged.back().add(one);
        else
            merged.push_back(std::move(one));
    return merged;
}

void Engine::presence(const std::string& user_id, PresenceFn done) {
    if (!heart_.shared()) return done(presence(user_id));
    followed(user_id).touch();
    const std::int64_t known_ms = heart_.neighbours.known_ms(user_id);
    if (heart_.steady_ms() >= known_ms) return done(presence(user_id));
    presence_questions_.push_back({known_ms, user_id, std::move(done)});
}

void Engine::answer_presence(std::int64_t now_ms) {
    while (!presence_questions_.empty() && presence_questions_.front().due_ms <= now_ms) {
        const PresenceQuestion question = std::move(presence_questions_.front());
        presence_questions_.pop_front();
        question.done(presence(question.user_id));
    }
}

void Engine::on_presence(std::function<void(const std::string& user_id)> changed) {
    heart_.on_presence = std::move(changed);
}

std::size_t Engine::session_count(const std::string& user_id) const {
    const auto at = users_.find(user_id);
    const std::size_t here = at == users_.end() ? 0 : at->second->delivery().size();
    return here + heart_.neighbours.elsewhere().sessions(user_id);
}

void Engine::set_client_count(std::size_t count) {
    heart_.neighbours.clients_changed(count, heart_.steady_ms());
}

}  // namespace dyad::core
