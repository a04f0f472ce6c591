// What a hook is answered, in the shape that the assistant takes it in. Facts, no orders: what
// comes from a hook and commands is taken for an attack, and rightly so.
//
// Threads: pure functions.
#pragma once

#include "server/hooks/event.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace dyad::server::hooks {

// Whether the answer to this event can bring something into the conversation.
bool takes_context(const Event& event) noexcept;

// JSON of an object; `{}`, or what the assistant takes for it, where there is nothing to say.
// `context`: what comes into the conversation. `denied`: why the tool must not run.
std::string answer(const Event& event, std::string_view context,
                   const std::optional<std::string>& denied = {});

// Another agent has claimed something.
struct Claimed {
    std::string key;  // "file:PATH": a file, or, with a slash at its end, all that is in a folder
    std::string holder;
    std::int64_t until_ms = 0;
};
// Why the tool must not write its files; nothing where it may. `claims`: those of others. A claim
// of a relative path is of the folder that the event is in.
std::optional<std::string> refusal(const Event& event, const std::vector<Claimed>& claims);

// The same where nobody can tell what is claimed; `why`: what is in the way.
std::string unknown_claims(std::string_view why);

// The moment in UTC, by the minute: 2026-11-26 23:10Z.
std::string minute_of(std::int64_t ms);

}  // namespace dyad::server::hooks
