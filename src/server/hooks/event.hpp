// What an assistant's hook says: one JSON object, in the spelling of the assistant that runs it
// (snake_case, camelCase, the names of its tools and of their arguments), taken for what it means
// here. Nothing is required but the session: what an assistant does not say is empty.
//
// Threads: pure functions.
#pragma once

#include "base/limits.hpp"
#include "base/result.hpp"
#include "model/names.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::server::hooks {

enum class Assistant : std::uint8_t { claude_code, codex, cursor, vscode };

// What happens in the assistant.
enum class Moment : std::uint8_t {
    session_start,
    prompt,
    before_tool,
    before_compaction,
    after_compaction,
    stop,
    session_end,
    other,  // nothing that anything is done for
};

}  // namespace dyad::server::hooks

template <>
inline constexpr std::array<std::string_view, 4> dyad::kNamesOf<dyad::server::hooks::Assistant> = {
    "claude-code", "codex", "cursor", "vscode"};

namespace dyad::server::hooks {

struct Event {
    Assistant assistant = Assistant::claude_code;
    Moment moment = Moment::other;
    std::string name;                // of the event, as the assistant spells it
    std::string session;             // its id
    std::string folder;              // where it works; absolute, or empty
    std::string source;              // of a session's start: startup, resume, clear, compact
    std::string prompt;              // what the user asked for
    std::string tool;                // its name
    std::vector<std::string> files;  // that the tool writes; absolute where `folder` is known
    bool writes = false;             // the tool writes files, also where `files` is empty
    std::string said;                // the assistant's last message
    std::string model;
    std::string transcript;  // the path of the session's record
};

// What an event of this name is, in any spelling.
Moment moment_of(std::string_view name);

// `name`: of the event, where the text does not say it. Errors: those of json::parse; missing_field
// without a name; missing_field, too_large, invalid_field for the session (check_name).
Result<Event> read_event(Assistant assistant, std::string_view text, std::string_view name = {});

// The same event with no more than is needed, for the way to the server: read_event() reads it.
std::string forwarded(const Event& event);

// What the assistant said last, in a record of a session of which `text` is the end: at most
// `messages` messages, oldest first, and of them the last `bytes_max` bytes.
struct LastSaid {
    std::string text;
    std::string model;
};
LastSaid last_said(std::string_view text, std::size_t messages, std::size_t bytes_max);

// The first `bytes_max` bytes, in whole characters.
std::string_view cut(std::string_view text, std::size_t bytes_max);

}  // namespace dyad::server::hooks
