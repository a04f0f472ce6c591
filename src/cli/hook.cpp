// `dyad-memory hook`: an assistant's hook, answered by the running server. Nobody waits for it
// long, and nothing that it cannot do is in the assistant's way, but for one: where nobody can be
// asked whether a file is claimed, the file is not written.
#include "cli/command.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http_fields.hpp"
#include "server/hooks/answer.hpp"

#include <filesystem>
#include <fstream>
#include <iostream>

namespace dyad::cli {
namespace {

using server::hooks::Assistant;
using server::hooks::Moment;
using HookEvent = server::hooks::Event;

struct HookOptions {
    std::string assistant;
    std::string event;  // its name, where what comes by standard input does not say it
};

constexpr std::size_t kTranscriptBytes = 512 * 1024;  // of its end
constexpr std::size_t kMessagesBeforeCompaction = 4;

Result<std::string> read_input() {
    const auto most = static_cast<std::size_t>(limits::hook_event_bytes_max);
    std::string text;
    char piece[65536];
    while (std::cin.read(piece, sizeof piece), std::cin.gcount() > 0) {
        text.append(piece, static_cast<std::size_t>(std::cin.gcount()));
        if (text.size() > most)
            return fail(Errc::too_large,
                        "the event: is larger than hook_event_bytes_max = " + std::to_string(most));
    }
    return text;
}

std::string end_of(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return {};
    std::ifstream in(path, std::ios::binary | std::ios::ate);
    const auto size = static_cast<std::size_t>(std::max<std::streamoff>(0, in.tellg()));
    std::string text(std::min(size, kTranscriptBytes), '\0');
    in.seekg(static_cast<std::streamoff>(size - text.size()));
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, in.gcount())));
    return text;
}

// What the event does not say itself stands in the session's record, on this machine.
void read_transcript(HookEvent& event) {
    const bool stops = event.moment == Moment::stop || event.moment == Moment::session_end;
    if ((!stops && event.moment != Moment::before_compaction) || event.transcript.empty()) return;
    if (!event.said.empty() && !event.model.empty()) return;
    server::hooks::LastSaid last =
        server::hooks::last_said(end_of(event.transcript), stops ? 1 : kMessagesBeforeCompaction,
                                 static_cast<std::size_t>(limits::hook_text_bytes_max));
    if (event.said.empty()) event.said = std::move(last.text);
    if (event.model.empty()) event.model = std::move(last.model);
}

// What comes of it where nobody answered.
Exit without_answer(bool guards, const std::string& why) {
    if (!guards) {
        complain("dyad-memory: " + printable(why));
        return Exit::ok;
    }
    complain(printable(server::hooks::unknown_claims(why)));
    return Exit::denied;
}

Exit ask_server(const CommonOptions& given, const HookOptions& options, const HookEvent& event) {
    CommonOptions common = given;
    const std::int64_t most_ms = event.writes ? limits::hook_guard_ms : limits::hook_answer_ms;
    common.timeout_s = std::min(common.timeout_s, most_ms / 1000);
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return without_answer(event.writes, "a setting is wrong");
    Headers headers;
    if (!given.instance.empty()) headers.emplace_back("Dyad-Instance", given.instance);
    const Answer answer = client->post("/hooks/" + options.assistant,
                                       server::hooks::forwarded(event), std::move(headers));
    if (!answer) return without_answer(event.writes, answer.failure->message);
    print_line(answer.body);
    return Exit::ok;
}

Exit run_hook(const CommonOptions& common, const HookOptions& options) {
    const auto assistant = by_name<Assistant>(options.assistant);
    if (!assistant) {
        complain("dyad-memory: CLIENT must be " + any_of_names<Assistant>());
        return Exit::failed;
    }
    const Result<std::string> text = read_input();
    Result<HookEvent> event = text ? server::hooks::read_event(*assistant, *text, options.event)
                                   : Result<HookEvent>(text.error());
    if (!event)  // which tool it was cannot be told, either
        return without_answer(server::hooks::moment_of(options.event) == Moment::before_tool,
                              event.error().detail);
    read_transcript(*event);
    return ask_server(common, options, *event);
}

}  // namespace

void add_hook(Command& root) {
    const auto o = std::make_shared<HookOptions>();
    root.add("hook", "Answer an assistant's hook; its event comes by standard input",
             Run([o](const CommonOptions& common) { return run_hook(common, *o); }))
        .text("CLIENT", o->assistant, "claude-code, codex, cursor or vscode")
        .text("EVENT", o->event, "The name of the event, where the event does not say it")
        .required(false)
        .footer(
            "It tells the session what the memory has for it, keeps what was said last, and "
            "refuses files\nthat another agent has claimed: docs/hooks.md. Exit status 2 says that "
            "a tool must not run.\n");
}

}  // namespace dyad::cli
