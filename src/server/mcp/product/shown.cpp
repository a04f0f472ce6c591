#include "server/mcp/product/shown.hpp"

namespace dyad::server::mcp {
namespace {

// What has changed, as notes that each have no more than may be in one. `anew`: what `before` had
// counts no more, wherever it is known.
std::vector<SessionNote> changes(const Shown::Facts& before, const Shown::Facts& now, bool anew) {
    std::vector<SessionNote> notes;
    const auto note = [&](const std::string& key, Version version) {
        if (std::cmp_greater_equal(notes.back().entries.size(), limits::session_note_entries_max))
            notes.push_back({.topic = Topic::shown});
        notes.back().entries.emplace_back(key, version);
    };
    notes.push_back({.topic = anew ? Topic::shown_anew : Topic::shown});
    for (const auto& [key, version] : now) {
        const auto at = before.find(key);
        if (at == before.end() || at->second != version) note(key, version);
    }
    for (const auto& [key, version] : before)
        if (!now.contains(key)) note(key, 0);
    if (!anew && notes.front().entries.empty()) notes.clear();
    return notes;
}

}  // namespace

Shown& Shown::of_process() {
    static Shown shown;
    return shown;
}

Shown::Session& Shown::of(const std::string& user, const std::string& session) {
    const auto [at, is_new] = by_name_.try_emplace(Name(user, session), sessions_.end());
    if (is_new)
        sessions_.push_front({.name = at->first, .facts = {}});
    else
        sessions_.splice(sessions_.begin(), sessions_, at->second);
    at->second = sessions_.begin();
    return sessions_.front();
}

void Shown::settle() {
    constexpr std::size_t kNodeBytes = 96;  // of a map, beside the key
    Session& used = sessions_.front();
    bytes_ -= used.bytes;
    used.bytes = 2 * kNodeBytes + 2 * (used.name.first.size() + used.name.second.size());
    for (const auto& fact : used.facts)
        used.bytes += kNodeBytes + fact.first.size();
    bytes_ += used.bytes;
    while (!sessions_.empty() && (bytes_ > bytes_max_ || sessions_.size() > sessions_max_)) {
        bytes_ -= sessions_.back().bytes;
        by_name_.erase(sessions_.back().name);
        sessions_.pop_back();
    }
}

void Shown::with(const std::string& user, const std::string& session, const Look& look,
                 const Tell& tell, bool anew) {
    std::vector<SessionNote> notes;
    {
        const MutexLock lock(mutex_);
        Facts& facts = of(user, session).facts;
        if (anew) facts.clear();
        const Facts before = tell ? facts : Facts();
        look(facts);
        if (tell) notes = changes(before, facts, anew);
        settle();
    }
    for (SessionNote& note : notes) {
        note.user = user;
        note.session = session;
        tell(std::move(note));
    }
}

void Shown::take(const SessionNote& note) {
    if (note.topic != Topic::shown && note.topic != Topic::shown_anew) return;
    const MutexLock lock(mutex_);
    Facts& facts = of(note.user, note.session).facts;
    if (note.topic == Topic::shown_anew) facts.clear();
    for (const auto& [key, version] : note.entries)
        if (version == 0)
            facts.erase(key);
        else
            facts.insert_or_assign(key, version);
    settle();
}

std::size_t Shown::sessions() {
    const MutexLock lock(mutex_);
    return sessions_.size();
}

}  // namespace dyad::server::mcp
