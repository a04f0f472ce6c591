#include "cli/event_source.hpp"

#include "cli/interrupt.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

#include <algorithm>
#include <utility>

namespace dyad::cli {
namespace {

constexpr std::int64_t kSilenceMs = 45'000;  // three heartbeats
constexpr std::int64_t kPauseMaxMs = 5000;

// Notes, for people and on standard error only: standard output carries the events.
void note(const RestClient& client, const std::string& text) {
    if (!client.json()) complain(paint(Colour::dim, text));
}

ClientRequest request_for(const Subscription& subscription, const std::string& last_id,
                          const Interrupt& interrupt) {
    ClientRequest request;
    request.target = "events";
    for (const std::string& type : subscription.types)
        request.target.append(request.target.ends_with("events") ? "?types=" : ",").append(type);
    request.headers = {{"Accept", "text/event-stream"}};
    if (!last_id.empty()) request.headers.emplace_back("Last-Event-ID", last_id);
    request.interrupt = &interrupt;
    request.for_reader = true;
    request.stream_type = "text/event-stream";
    request.silence_ms = kSilenceMs;
    return request;
}

}  // namespace

bool EventParser::feed(std::string_view bytes, const OnEvent& on_event) {
    while (bytes.find('\n') != std::string_view::npos) {
        std::string text = std::exchange(partial_, {}).append(take_part(bytes, '\n'));
        if (text.ends_with('\r')) text.pop_back();
        if (!line(text, on_event)) return false;
    }
    partial_.append(bytes);
    return true;
}

void EventParser::restart() {
    partial_.clear();
    new_id_ = id_;
    type_.clear();
    data_.clear();
    has_data_ = false;
}

bool EventParser::line(std::string_view text, const OnEvent& on_event) {
    if (text.empty()) {
        if (!new_id_.empty()) id_ = new_id_;
        const bool complete = has_data_;
        const ServerSentEvent event{id_, type_.empty() ? "message" : type_, data_};
        restart();
        return !complete || on_event(event);
    }
    std::string_view value = text;
    const std::string_view name = take_part(value, ':');  // none: a comment
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (name == "id" && value.find('\0') == std::string_view::npos) {
        new_id_ = value;
    } else if (name == "event") {
        type_ = value;
    } else if (name == "retry") {
        retry_ms_ = whole_number(value).value_or(retry_ms_);
    } else if (name == "data") {
        if (has_data_) data_ += '\n';
        data_.append(value);
        has_data_ = true;
    }
    return true;
}

Exit follow(RestClient& client, Subscription& subscription) {
    const Interrupt interrupt;
    if (output_is_closed()) return client.report({.message = "standard output is closed"});
    flush_output();  // whoever reads it may send the signal
    EventParser parser;
    parser.set_last_id(subscription.after);
    bool connected_once = false;
    bool told = false;
    std::int64_t pause_ms = 100;
    if (const Answer met = client.meet(true); !met) return client.report(*met.failure);
    for (bool wanted = true;;) {
        ClientRequest request = request_for(subscription, parser.last_id(), interrupt);
        request.on_body = [&](std::string_view bytes) {
            if (std::exchange(told, false)) note(client, "Connected again.");
            connected_once = true;
            pause_ms = 100;
            wanted = parser.feed(bytes, subscription.on_event);
            if (wanted && subscription.on_bytes) subscription.on_bytes();
            wanted = wanted && flush_output();
            return wanted && !interrupt.asked();
        };
        parser.restart();
        const Answer answer = client.stream(std::move(request));
        subscription.after = parser.last_id();
        if (!wanted || interrupt.asked()) break;
        const bool refused =
            answer.status != 0 && !answer.streamed && (answer.status < 502 || answer.status > 504);
        if (refused || (answer.status == 0 && !connected_once))
            return answer.failure ? client.report(*answer.failure) : Exit::failed;
        if (!std::exchange(told, true))
            note(client, "The connection is lost; waiting for the server…");
        interrupt.sleep(pause_ms);
        if (interrupt.asked()) break;
        pause_ms = std::min(2 * pause_ms, kPauseMaxMs);
    }
    if (reader_is_gone()) end_without_reader();
    return Exit::ok;
}

json::Value with_position(json::Value event, std::string_view token) {
    // A token is epoch, offset and the first bytes of the hash there.
    if (event.is_object() && token.find('.') != std::string_view::npos)
        event.get_object()["position"] = std::string(take_part(token, '.')) + "." +
                                         std::to_string(integer_at(event, "offset")) + "." +
                                         text_at(event, "hash");
    return event;
}

std::string describe_event(const json::Value& event) {
    const json::Value& data = at(event, "data");
    const auto said = [&data](const char* path) { return printable(text_at(data, path)); };
    const std::string kind = text_at(event, "kind");
    if (kind == "context-changed") {
        std::string out = printable_key(text_at(data, "context/contextKey")) + " " +
                          said("action") + ", version " +
                          std::to_string(integer_at(data, "context/version"));
        const std::size_t opened = list_at(data, "opened").size();
        if (opened > 0) out.append(", ").append(std::to_string(opened)).append(" in conflict");
        return out;
    }
    if (kind == "mode-changed")
        return said("instanceId") + " is in " + said("currentMode") + " mode";
    if (kind == "response-recorded")
        return said("final/provider") + " " + said("final/model") + " answered in " +
               said("chatId");
    if (kind == "claim-changed")
        return said("claim/resource") + ": the claim of " + said("claim/instanceId") + " is " +
               said("action");
    return printable(kind);
}

}  // namespace dyad::cli
