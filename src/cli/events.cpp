// `dyad-memory events` and `context watch`.
#include "cli/commands.hpp"
#include "cli/event_source.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::int64_t kPage = 1000;

bool is_wanted(const EventsOptions& options, const json::Value& event) {
    return options.types.empty() ||
           std::find(options.types.begin(), options.types.end(), text_member(event, "eventType")) !=
               options.types.end();
}

void show(const CommonOptions& common, const json::Value& event) {
    if (common.json) return print_json(event);
    std::string offset = std::to_string(integer_member(event, "offset"));
    offset.insert(0, 7 - std::min<std::size_t>(7, offset.size()), ' ');
    std::string type = printable(text_member(event, "eventType"));
    type.append(20 - std::min<std::size_t>(20, type.size()), ' ');
    print_line(paint(Colour::dim, offset) + "  " + local_time(integer_member(event, "timestamp")) +
               "  " + paint(Colour::cyan, type) + "  " + describe_event(event) +
               paint(Colour::dim, "  by " + printable(text_member(event, "sourceInstanceId"))));
}

// Where the last `limit` events begin.
Answer newest(RestClient& client, std::int64_t limit, std::string& after) {
    Answer head = client.get("events?after=0&limit=1");
    // Where the log's beginning has expired, what is left is asked for in another way.
    if (!head) return head;
    const std::int64_t last = integer_member(head.value, "last");
    const std::int64_t first = std::max<std::int64_t>(1, integer_member(head.value, "firstKept"));
    after = std::to_string(std::max(first - 1, last - limit));
    return head;
}

// Prints what there is after `after` and leaves the token of its end there.
std::optional<Failure> print_past(const CommonOptions& common, RestClient& client,
                                  const EventsOptions& options, std::string& after,
                                  std::int64_t limit) {
    std::int64_t left = limit;
    for (;;) {
        const std::int64_t page = std::clamp<std::int64_t>(left, 1, kPage);
        const Answer answer = client.get("events?after=" + net::percent_encode(after) +
                                         "&limit=" + std::to_string(page));
        if (!answer) return answer.failure;
        const auto& events = array_member(answer.value, "events");
        if (left > 0)
            for (const json::Value& event : events)
                if (is_wanted(options, event)) show(common, event);
        if (left > 0 && !text_member(answer.value, "position").empty())
            after = text_member(answer.value, "position");
        left -= static_cast<std::int64_t>(events.size());
        if (left <= 0 || events.empty()) return std::nullopt;
    }
}

void print_token(const CommonOptions& common, const std::string& token) {
    if (token.empty()) return;
    if (common.json)
        complain("{\"position\":\"" + token + "\"}");
    else
        complain(paint(Colour::dim, "Go on from here: --since " + printable(token)));
}

// What a stream says beside events.
bool is_event(const CommonOptions& common, const ServerSentEvent& sent) {
    if (sent.type == "position" || sent.type == "snapshot") return false;
    if (sent.type == "reset" || sent.type == "snapshot-end") {
        if (!common.json && sent.type == "reset")
            complain(
                "The log does not go back to that place; going on from now. What holds now: "
                "dyad-memory context ls");
        return false;
    }
    return true;
}

}  // namespace

int run_events(const CommonOptions& common, const EventsOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    std::string after = options.since;
    if (after.empty()) {
        const Answer head = newest(*client, options.limit, after);
        if (!head) return report(common, *head.failure);
    }
    // A token that was given is followed to the end; without one, the newest ones are shown.
    const std::int64_t limit = options.follow && !options.since.empty() ? INT64_MAX : options.limit;
    if (const auto failure = print_past(common, *client, options, after, limit))
        return report(common, *failure);
    flush_output();
    if (!options.follow) {
        print_token(common, after);
        return static_cast<int>(Exit::ok);
    }
    Subscription subscription;
    if (after.find('.') != std::string::npos) subscription.after = after;
    subscription.types = options.types;
    subscription.on_event = [&](const ServerSentEvent& sent) {
        if (!is_event(common, sent)) return true;
        const Result<json::Value> event = parse_large(sent.data);
        if (event) show(common, *event);
        return true;
    };
    const int status = follow(common, *client, subscription);
    print_token(common, subscription.after);
    return status;
}

int run_context_watch(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    Subscription subscription;
    subscription.types = {"context-updated"};
    subscription.on_event = [&](const ServerSentEvent& sent) {
        if (!is_event(common, sent)) return true;
        const Result<json::Value> event = parse_large(sent.data);
        if (!event) return true;
        const json::Value& context = member(member(*event, "data"), "context");
        const std::string key = text_member(context, "contextKey");
        if (!options.key.empty() && key != options.key) return true;
        if (!key.starts_with(options.prefix)) return true;
        if (options.data_only)
            print_json(member(context, "data"));
        else
            show(common, *event);
        return true;
    };
    return follow(common, *client, subscription);
}

}  // namespace dyad::cli
