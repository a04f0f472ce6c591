#include "cli/event_source.hpp"

#include "cli/interrupt.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::int64_t kSilenceMs = 45'000;  // three heartbeats
constexpr std::int64_t kPauseMaxMs = 5000;

std::string target_of(const Subscription& subscription) {
    std::string target = "/api/v1/events";
    for (const std::string& type : subscription.types)
        target.append(target.ends_with("events") ? "?types=" : ",").append(type);
    return target;
}

// Notes, for people and on standard error only: standard output carries the events.
void note(const CommonOptions& common, const std::string& text) {
    if (!common.json) complain(paint(Colour::dim, text));
}

}  // namespace

int follow(const CommonOptions& common, RestClient& client, Subscription& subscription) {
    const Interrupt interrupt;
    EventParser parser;
    parser.set_last_id(subscription.after);
    bool connected_once = false;
    bool told = false;
    std::int64_t pause_ms = 100;
    if (const Answer met = client.meet(true); !met) return report(common, *met.failure);
    while (!interrupt.asked()) {
        ClientRequest request;
        request.target = target_of(subscription);
        request.headers = client.identity();
        request.headers.emplace_back("Accept", "text/event-stream");
        if (!parser.last_id().empty())
            request.headers.emplace_back("Last-Event-ID", parser.last_id());
        request.timeout_ms = client.timeout_ms();
        request.ended = [&interrupt] { return interrupt.asked(); };
        request.wake_fd = interrupt.fd();
        request.for_reader = true;
        parser.restart();
        bool wanted = true;
        bool streamed = false;
        const auto read = [&](std::string_view bytes) {
            if (told) note(common, "Connected again.");
            told = false;
            streamed = connected_once = true;
            pause_ms = 100;
            wanted = parser.feed(bytes, subscription.on_event) && flush_output();
            return wanted && !interrupt.asked();
        };
        const Result<ClientResponse> response =
            http_stream(client.url(), request, "text/event-stream", kSilenceMs, read);
        subscription.after = parser.last_id();
        if (!wanted || interrupt.asked()) break;
        if (response && !streamed && (response->status < 502 || response->status > 504)) {
            Answer answer;
            answer.status = response->status;
            answer.headers = response->headers;
            answer.body = response->body;
            client.read_answer(answer);
            return answer.failure ? report(common, *answer.failure)
                                  : static_cast<int>(Exit::failed);
        }
        if (!response && !connected_once)
            return report(common, client.unreachable(response.error()));
        if (!told) note(common, "The connection is lost; waiting for the server…");
        told = true;
        interrupt.sleep(pause_ms);
        pause_ms = std::min(2 * pause_ms, kPauseMaxMs);
    }
    if (reader_is_gone()) end_without_reader();
    return static_cast<int>(Exit::ok);
}

json::Value with_position(const json::Value& event, std::string_view token) {
    json::Value out = event;
    // A token is epoch, offset and the first bytes of the hash there.
    if (out.is_object() && token.find('.') != std::string_view::npos)
        out.get_object()["position"] = std::string(token.substr(0, token.find('.'))) + "." +
                                       std::to_string(integer_member(event, "offset")) + "." +
                                       text_member(event, "hash");
    return out;
}

std::string describe_event(const json::Value& event) {
    const json::Value& data = member(event, "data");
    const std::string kind = text_member(event, "kind");
    if (kind == "context-changed") {
        const json::Value& context = member(data, "context");
        std::string out = printable_key(text_member(context, "contextKey")) + " " +
                          printable(text_member(data, "action")) + ", version " +
                          std::to_string(integer_member(context, "version"));
        const std::size_t opened = array_member(data, "opened").size();
        if (opened > 0) out.append(", ").append(std::to_string(opened)).append(" in conflict");
        return out;
    }
    if (kind == "mode-changed")
        return printable(text_member(data, "instanceId")) + " is in " +
               printable(text_member(data, "currentMode")) + " mode";
    if (kind == "response-recorded")
        return printable(text_member(member(data, "final"), "provider")) + " " +
               printable(text_member(member(data, "final"), "model")) + " answered in " +
               printable(text_member(data, "chatId"));
    return printable(kind);
}

}  // namespace dyad::cli
