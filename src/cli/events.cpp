// `dyad-memory events` and `context watch`.
#include "cli/commands.hpp"
#include "cli/event_source.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <utility>

namespace dyad::cli {
namespace {

constexpr std::int64_t kPage = 1000;
constexpr const char* kContextUpdated = "context-updated";

// What a command does with an event of the log.
using Take = std::function<void(const json::Value&)>;

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

// The ends of what is kept of the log.
struct Kept {
    std::int64_t before_first = 0;
    std::int64_t last = 0;
};

std::optional<Failure> read_kept(RestClient& client, Kept& kept) {
    const Answer head = client.get("events?limit=1");
    if (!head) return head.failure;
    kept.last = integer_member(head.value, "last");
    kept.before_first = std::max<std::int64_t>(1, integer_member(head.value, "firstKept")) - 1;
    return std::nullopt;
}

Failure beyond_the_end(const std::string& since, std::int64_t last) {
    Failure failure;
    failure.code = error_row(Errc::invalid_field).name;
    failure.message =
        "--since: the log ends at " + std::to_string(last) + ", before \"" + since + "\"";
    return failure;
}

// Takes at most `limit` events after `after`, and leaves the token of their end there.
std::optional<Failure> take_past(RestClient& client, const Take& take, std::string& after,
                                 std::int64_t limit) {
    std::int64_t left = limit;
    for (;;) {
        const std::int64_t page = std::clamp<std::int64_t>(left, 1, kPage);
        Answer answer = client.get("events?after=" + net::percent_encode(after) +
                                   "&limit=" + std::to_string(page));
        if (!answer) return answer.failure;
        const std::int64_t last = integer_member(answer.value, "last");
        if (after.find('.') == std::string::npos && std::atoll(after.c_str()) > last)
            return beyond_the_end(after, last);
        const std::string end = text_member(answer.value, "position");
        const auto& events = array_member(answer.value, "events");
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
    Kept kept;
    if (auto failure = read_kept(client, kept)) return failure;
    std::vector<json::Value> found;  // of all pages so far
    const std::int64_t size = options.types.empty() ? options.limit : kPage;
    for (std::int64_t end = kept.last;;) {
        const std::int64_t begin = std::max(kept.before_first, end - size);
        std::vector<json::Value> page;
        std::string place = std::to_string(begin);
        const auto keep = [&](const json::Value& event) {
            if (is_wanted(options, event)) page.push_back(event);
        };
        if (auto failure = take_past(client, keep, place, end - begin)) return failure;
        if (end == kept.last) after = std::move(place);
        page.insert(page.end(), std::make_move_iterator(found.begin()),
                    std::make_move_iterator(found.end()));
        found = std::move(page);
        if (begin == kept.before_first || std::cmp_greater_equal(found.size(), options.limit))
            break;
        end = begin;
    }
    const auto shown = std::min(found.size(), static_cast<std::size_t>(options.limit));
    for (std::size_t i = found.size() - shown; i < found.size(); ++i)
        take(found[i]);
    return std::nullopt;
}

void print_token(const CommonOptions& common, const std::string& token) {
    if (token.empty()) return;
    if (common.json)
        complain("{\"position\":\"" + token + "\"}");
    else
        complain(paint(Colour::dim, "Go on from here: --since " + printable(token)));
}

// The log does not go back to where it should be followed from.
void tell_reset(const CommonOptions& common, const std::string& data) {
    const Result<json::Value> reset = json::parse(data);
    const std::string token = reset ? text_member(*reset, "position") : "";
    if (common.json)
        complain("{\"position\":\"" + token + "\",\"reset\":true}");
    else
        complain(
            "The log does not go back to that place; going on from now. What holds now: "
            "dyad-memory context ls");
}

// Follows the log from `after`, a token, or from now where it is none, and ends with a token.
int follow_on(const CommonOptions& common, RestClient& client, std::string after,
              const std::vector<std::string>& types, const Take& take) {
    Subscription subscription;
    if (after.find('.') != std::string::npos) subscription.after = std::move(after);
    subscription.types = types;
    bool begun = false;
    subscription.on_event = [&](const ServerSentEvent& sent) {
        if (sent.type == "position") {
            // A script that ends before its first event has a place to go on from, too.
            if (!std::exchange(begun, true) && common.json) print_token(common, sent.id);
        } else if (sent.type == "reset") {
            tell_reset(common, sent.data);
        } else if (sent.type != "snapshot" && sent.type != "snapshot-end") {
            if (const Result<json::Value> event = parse_large(sent.data))
                take(with_position(*event, sent.id));
        }
        return true;
    };
    const int status = follow(common, client, subscription);
    print_token(common, subscription.after);
    return status;
}

}  // namespace

int run_events(const CommonOptions& common, const EventsOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    std::string after = options.since;
    const Take take = [&](const json::Value& event) {
        if (is_wanted(options, event)) show(common, event);
    };
    // A token that was given is followed to the end; without one, the newest ones are shown.
    const std::int64_t limit = options.follow ? INT64_MAX : options.limit;
    const auto failure = after.empty() ? take_newest(*client, take, options, after)
                                       : take_past(*client, take, after, limit);
    if (failure) return report(common, *failure);
    flush_output();
    if (options.follow) return follow_on(common, *client, after, options.types, take);
    print_token(common, after);
    return static_cast<int>(Exit::ok);
}

int run_context_watch(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Take take = [&](const json::Value& event) {
        if (text_member(event, "eventType") != kContextUpdated) return;
        const json::Value& context = member(member(event, "data"), "context");
        const std::string key = text_member(context, "contextKey");
        if (!options.key.empty() && key != options.key) return;
        if (!key.starts_with(options.prefix)) return;
        if (options.data_only)
            print_json(member(context, "data"));
        else
            show(common, event);
    };
    std::string after = options.since;
    if (!after.empty())
        if (const auto failure = take_past(*client, take, after, INT64_MAX))
            return report(common, *failure);
    flush_output();
    return follow_on(common, *client, after, {kContextUpdated}, take);
}

}  // namespace dyad::cli
