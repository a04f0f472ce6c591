#include "cli/agent_lines.hpp"

#include "base/text.hpp"
#include "cli/json_members.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::size_t kNamesMax = 8;

std::string conflicts_of(const json::Value& data) {
    const std::size_t opened = list_at(data, "opened").size();
    return opened == 0 ? "" : ", " + counted(opened, "conflict") + " left open";
}

}  // namespace

std::optional<AgentLine> line_of(const json::Value& event, const std::string& own) {
    const json::Value& data = at(event, "data");
    const std::string by = text_at(event, "sourceInstanceId");
    const std::string kind = text_at(event, "kind");
    const std::string said_by = printable(by);
    if (!own.empty() && by == own) return std::nullopt;
    if (kind == "context-changed") {
        const std::string key = text_at(data, "context/contextKey");
        // What sessions said last changes at every stop of each of them.
        if (key.starts_with("session:")) return std::nullopt;
        return AgentLine{printable_key(key) + " was " + printable(text_at(data, "action")) +
                             " by " + said_by + " (version " +
                             std::to_string(integer_at(data, "context/version")) +
                             conflicts_of(data) + ")",
                         printable_key(key)};
    }
    if (kind == "mode-changed") {
        const std::string whose = printable(text_at(data, "instanceId"));
        return AgentLine{whose + " is in " + printable(text_at(data, "currentMode")) + " mode",
                         whose};
    }
    if (kind == "claim-changed") {
        const std::string action = text_at(data, "action");
        if (action == "renewed") return std::nullopt;
        const std::string what = printable(text_at(data, "claim/resource"));
        const std::string holder = printable(text_at(data, "claim/instanceId"));
        const std::string note = printable(text_at(data, "claim/note"));
        return AgentLine{action == "granted"
                             ? what + " is claimed by " + holder + (note.empty() ? "" : ": " + note)
                             : what + " is free again (" + holder + " had claimed it)",
                         what};
    }
    return std::nullopt;
}

void AgentLines::forget(std::int64_t now_ms) {
    while (!said_ms_.empty() && now_ms - said_ms_.front() >= limits::watch_window_ms)
        said_ms_.pop_front();
}

std::optional<std::string> AgentLines::take(AgentLine line, std::int64_t now_ms) {
    forget(now_ms);
    if (held_ == 0 && std::cmp_less(said_ms_.size(), limits::watch_lines_max)) {
        said_ms_.push_back(now_ms);
        return std::move(line.text);
    }
    held_ += 1;
    const auto& names = held_names_;
    if (names.size() < kNamesMax && std::find(names.begin(), names.end(), line.what) == names.end())
        held_names_.push_back(std::move(line.what));
    return std::nullopt;
}

std::optional<std::string> AgentLines::due(std::int64_t now_ms) {
    forget(now_ms);
    if (held_ == 0 || std::cmp_greater_equal(said_ms_.size(), limits::watch_lines_max))
        return std::nullopt;
    std::string text = counted(std::exchange(held_, 0), "more change") + ", of";
    for (const std::string& name : std::exchange(held_names_, {}))
        text.append(text.ends_with(", of") ? " " : ", ").append(name);
    said_ms_.push_back(now_ms);
    return text.append(" (dyad-memory events lists them)");
}

}  // namespace dyad::cli
