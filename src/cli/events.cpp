// `dyad-memory events` and `context watch`.
#include "cli/command.hpp"
#include "cli/context.hpp"
#include "cli/event_source.hpp"
#include "cli/terminal.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <utility>

namespace dyad::cli {
namespace {

constexpr std::int64_t kPage = 1000;
constexpr const char* kContextUpdated = "context-updated";

struct EventsOptions {
    std::string what = "tail";
    std::string since;  // a token or an offset; empty: from now with `follow`, else the newest
    std::int64_t limit = 20;
    bool follow = false;
    std::vector<std::string> types;
};

// What a command does with an event of the log.
using Take = std::function<void(const json::Value&)>;

bool is_wanted(const EventsOptions& options, const json::Value& event) {
    return options.types.empty() || std::find(options.types.begin(), options.types.end(),
                                              text_at(event, "eventType")) != options.types.end();
}

void show(const RestClient& client, const json::Value& event) {
    if (client.json()) return print_json(event);
    std::string offset = std::to_string(integer_at(event, "offset"));
    offset.insert(0, 7 - std::min<std::size_t>(7, offset.size()), ' ');
    print_line(paint(Colour::dim, offset) + "  " + local_time(integer_at(event, "timestamp")) +
               "  " + paint(Colour::cyan, padded(printable(text_at(event, "eventType")), 20)) +
               "  " + describe_event(event) +
               paint(Colour::dim, "  by " + printable(text_at(event, "sourceInstanceId"))));
}

Failure beyond_the_end(const std::string& since, std::int64_t last) {
    return {.code = std::string(error_row(Errc::invalid_field).name),
            .message =
                "--since: the log ends at " + std::to_string(last) + ", before \"" + since + "\""};
}

// Takes at most `limit` events after `after`, and leaves the token of their end there.
std::optional<Failure> take_past(RestClient& client, const Take& take, std::string& after,
                                 std::int64_t limit) {
    std::int64_t left = limit;
    for (;;) {
        const std::int64_t page = std::clamp<std::int64_t>(left, 1, kPage);
        Answer answer =
            client.get(with_query("events", {{"after", after}, {"limit", std::to_string(page)}}));
        if (!answer) return answer.failure;
        const std::int64_t last = integer_at(answer.value, "last");
        if (after.find('.') == std::string::npos && std::atoll(after.c_str()) > last)
            return beyond_the_end(after, last);
        const std::string end = text_at(answer.value, "position");
        const auto& events = list_at(answer.value, "events");
        if (left > 0)
            for (const json::Value& event : events)
                take(with_position(event, end));
        if ((left > 0 || events.empty()) && !end.empty()) after = end;
        left -= static_cast<std::int64_t>(events.size());
        if (left <= 0 || events.empty()) return std::nullopt;
    }
}

// Takes the newest `options.limit` events that are wanted, and leaves the token of the end of what
// was read in `after`. Goes back through the log until there are as many, a page at a time.
std::optional<Failure> take_newest(RestClient& client, const Take& take,
                                   const EventsOptions& options, std::string& after) {
    const Answer head = client.get("events?limit=1");
    if (!head) return head.failure;
    const std::int64_t last = integer_at(head.value, "last");
    const std::int64_t before_first =
        std::max<std::int64_t>(1, integer_at(head.value, "firstKept")) - 1;
    std::deque<json::Value> found;  // of all pages so far
    const std::int64_t size = options.types.empty() ? options.limit : kPage;
    for (std::int64_t end = last;;) {
        const std::int64_t begin = std::max(before_first, end - size);
        std::string place = std::to_string(begin);
        std::vector<json::Value> page;
        const auto keep = [&](const json::Value& event) {
            if (is_wanted(options, event)) page.push_back(event);
        };
        if (auto failure = take_past(client, keep, place, end - begin)) return failure;
        if (end == last) after = std::move(place);
        found.insert(found.begin(), page.begin(), page.end());
        if (begin == before_first || std::cmp_greater_equal(found.size(), options.limit)) break;
        end = begin;
    }
    const auto shown = std::min(found.size(), static_cast<std::size_t>(options.limit));
    for (std::size_t i = found.size() - shown; i < found.size(); ++i)
        take(found[i]);
    return std::nullopt;
}

void print_token(const RestClient& client, const std::string& token) {
    if (token.empty()) return;
    complain(client.json() ? "{\"position\":\"" + token + "\"}"
                           : paint(Colour::dim, "Go on from here: --since " + printable(token)));
}

// The log does not go back to where it should be followed from.
void tell_reset(const RestClient& client, const std::string& data) {
    const Result<json::Value> reset = json::parse(data);
    const std::string token = reset ? text_at(*reset, "position") : "";
    complain(client.json()
                 ? "{\"position\":\"" + token + "\",\"reset\":true}"
                 : "The log does not go back to that place; going on from now. What holds now: "
                   "dyad-memory context ls");
}

// Follows the log from `after`, a token, or from now where it is none, and ends with a token.
Exit follow_on(RestClient& client, std::string after, const std::vector<std::string>& types,
               const Take& take) {
    Subscription subscription;
    if (after.find('.') != std::string::npos) subscription.after = std::move(after);
    subscription.types = types;
    bool begun = false;
    subscription.on_event = [&](const ServerSentEvent& sent) {
        if (sent.type == "position") {
            // A script that ends before its first event has a place to go on from, too.
            if (!std::exchange(begun, true) && client.json()) print_token(client, sent.id);
        } else if (sent.type == "reset") {
            tell_reset(client, sent.data);
        } else if (sent.type != "snapshot" && sent.type != "snapshot-end") {
            if (const Result<json::Value> event = parse_large(sent.data))
                take(with_position(*event, sent.id));
        }
        return true;
    };
    const Exit status = follow(client, subscription);
    print_token(client, subscription.after);
    return status;
}

Exit show_events(RestClient& client, const EventsOptions& options) {
    std::string after = options.since;
    const Take take = [&](const json::Value& event) {
        if (is_wanted(options, event)) show(client, event);
    };
    // A token that was given is followed to the end; without one, the newest ones are shown.
    const std::int64_t limit = options.follow ? INT64_MAX : options.limit;
    const auto failure = after.empty() ? take_newest(client, take, options, after)
                                       : take_past(client, take, after, limit);
    if (failure) return client.report(*failure);
    if (options.follow) return follow_on(client, after, options.types, take);
    print_token(client, after);
    return Exit::ok;
}

}  // namespace

Exit watch_contexts(RestClient& client, const ContextOptions& options) {
    const Take take = [&](const json::Value& event) {
        if (text_at(event, "eventType") != kContextUpdated) return;
        const std::string key = text_at(event, "data/context/contextKey");
        if (!options.key.empty() && key != options.key) return;
        if (!key.starts_with(options.prefix)) return;
        if (options.data_only)
            print_json(at(event, "data/context/data"));
        else
            show(client, event);
    };
    std::string after = options.since;
    if (!after.empty())
        if (const auto failure = take_past(client, take, after, INT64_MAX))
            return client.report(*failure);
    return follow_on(client, after, {kContextUpdated}, take);
}

Exit watch_all(RestClient& client) {
    return follow_on(client, "", {}, [&](const json::Value& event) { show(client, event); });
}

void add_events(Command& root) {
    const auto o = std::make_shared<EventsOptions>();
    root.add("events", "Show the log of changes", show_events, o)
        .word("what", o->what, {"tail"}, "The newest events; the default")
        .required(false)
        .text("--since", o->since, "Only what came after this token or offset", "TOKEN")
        .flag("-f,--follow", o->follow, "Go on as they happen, also over restarts")
        .number("--limit", o->limit, "At most so many of the past [20]", 0, 1'000'000)
        .texts("--type", o->types, "Only of this type; may be repeated", "TYPE",
               {"context-updated", "mode-changed", "response-generated", "mcp-tool-executed",
                "config-updated"})
        .footer(kTokens);
}

}  // namespace dyad::cli
