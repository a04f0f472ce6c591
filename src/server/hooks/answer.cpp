#include "server/hooks/answer.hpp"

#include "model/json_text.hpp"

#include <ctime>

namespace dyad::server::hooks {
namespace {

constexpr std::string_view kFile = "file:";

bool covers(std::string_view claimed, const Event& event, std::string_view file) {
    std::string path(claimed.substr(kFile.size()));
    if (!path.starts_with('/') && !event.folder.empty()) path = event.folder + "/" + path;
    return path == file || (path.ends_with('/') && file.starts_with(path));
}

std::string holds(const Claimed& claim) {
    return "\"" + claim.holder + "\" holds the claim " + claim.key + " until " +
           minute_of(claim.until_ms);
}

}  // namespace

bool takes_context(const Event& event) noexcept {
    if (event.moment == Moment::session_start) return true;
    return event.moment == Moment::prompt && event.assistant != Assistant::vscode;
}

std::string answer(const Event& event, std::string_view context,
                   const std::optional<std::string>& denied) {
    const bool cursor = event.assistant == Assistant::cursor;
    const bool says = !context.empty() && takes_context(event);
    return json::written(256 + context.size(), [&](json::Writer& out) {
        out.object([&] {
            if (cursor && event.moment == Moment::prompt) out.member("continue", true);
            if (cursor && says) out.member("additional_context", context);
            if (cursor && denied)
                out.members("permission", "deny", "user_message", *denied, "agent_message",
                            *denied);
            if (cursor || (!says && !denied)) return;
            out.member("hookSpecificOutput").object([&] {
                out.member("hookEventName", event.name);
                if (says) out.member("additionalContext", context);
                if (denied)
                    out.members("permissionDecision", "deny", "permissionDecisionReason", *denied);
            });
        });
    });
}

std::optional<std::string> refusal(const Event& event, const std::vector<Claimed>& claims) {
    if (!event.writes) return std::nullopt;
    for (const Claimed& claim : claims) {
        if (!claim.key.starts_with(kFile)) continue;
        for (const std::string& file : event.files)
            if (covers(claim.key, event, file))
                return file + " is claimed: " + holds(claim) +
                       ". It can be written once the claim is released or has ended.";
        if (event.files.empty())
            return "Which file " + event.tool + " writes is not known, and " + holds(claim) + ".";
    }
    return std::nullopt;
}

std::string unknown_claims(std::string_view why) {
    return std::string("Whether another agent has claimed this file is not known: ")
        .append(why)
        .append(
            ". Files can be written again once the memory answers (dyad-memory doctor), or "
            "once this hook is taken out of the assistant's settings.");
}

std::string minute_of(std::int64_t ms) {
    const auto seconds = static_cast<std::time_t>(ms / 1000);
    std::tm parts{};
    char text[32] = "";
    if (gmtime_r(&seconds, &parts) != nullptr)
        static_cast<void>(std::strftime(text, sizeof text, "%Y-%m-%d %H:%MZ", &parts));
    return text;
}

}  // namespace dyad::server::hooks
