#include "cli/context.hpp"
#include "cli/event_follower.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::int64_t kPage = 1000;
constexpr std::int64_t kDefaultLimit = 100;

void add_query(std::string& path, std::string_view name, const std::string& value) {
    path.append(path.find('?') == std::string::npos ? "?" : "&");
    path.append(name).append("=").append(net::percent_encode(value));
}

std::string tags_of(const json::Value& context) {
    std::string out;
    for (const json::Value& tag : array_member(context, "tags"))
        if (tag.is_string()) out.append(out.empty() ? "" : " ").append(tag.get_string().c_str());
    return out;
}

void print_list(const boost::json::array& contexts, const json::Value& next) {
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& context : contexts)
        rows.push_back({text_member(context, "contextKey"), text_member(context, "contextType"),
                        std::to_string(integer_member(context, "version")),
                        local_time(integer_member(context, "updatedAt")),
                        text_member(context, "lastModifiedBy"),
                        byte_size(json::canonical(member(context, "data")).size()),
                        tags_of(context)});
    print(table({"KEY", "TYPE", "VERSION", "UPDATED", "BY", "SIZE", "TAGS"}, rows));
    if (rows.empty()) complain("There are no such contexts.");
    if (next.is_string())
        complain("There are more: go on with --cursor " +
                 printable(std::string(next.get_string().c_str())) + ", or take --all.");
}

int list(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    std::int64_t left = call.has("--all") ? INT64_MAX : call.number("--limit").value_or(kDefaultLimit);
    std::string cursor = call.text("--cursor");
    boost::json::array contexts;
    json::Value page;
    while (left > 0) {
        std::string path = "contexts?limit=" + std::to_string(std::min(left, kPage));
        for (const auto& [option, name] :
             {std::pair{"--type", "type"}, {"--tag", "tag"}, {"--prefix", "prefix"}})
            if (call.has(option)) add_query(path, name, call.text(option));
        if (!cursor.empty()) add_query(path, "cursor", cursor);
        Answer answer = client->get(path);
        if (!answer) return report(call.common(), *answer.failure);
        page = std::move(answer.value);
        for (const json::Value& context : array_member(page, "contexts"))
            contexts.push_back(context);
        left -= static_cast<std::int64_t>(array_member(page, "contexts").size());
        cursor = text_member(page, "next");
        if (cursor.empty()) break;
    }
    if (!call.json()) {
        print_list(contexts, member(page, "next"));
        return 0;
    }
    page.as_object()["contexts"] = std::move(contexts);
    print_json(page);
    return 0;
}

int get(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    std::string path = context_path(call);
    if (const auto version = call.number("--version"))
        path.append("/history/").append(std::to_string(*version));
    const Answer answer = client->get(path);
    if (!answer) return report(call.common(), *answer.failure);
    const json::Value& shown =
        call.has("--data-only") ? member(answer.value, "data") : answer.value;
    if (call.json())
        print_json(shown);
    else if (call.has("--data-only"))
        print_line(printable(pretty(shown), true));
    else
        print_context(answer.value);
    return 0;
}

int history(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    std::string path = context_path(call) + "/history";
    add_query(path, "limit", std::to_string(call.number("--limit").value_or(20)));
    if (call.has("--before")) add_query(path, "before", call.text("--before"));
    const Answer answer = client->get(path);
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json()) {
        print_json(answer.value);
        return 0;
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& version : array_member(answer.value, "versions")) {
        const json::Value& context = member(version, "context");
        rows.push_back({std::to_string(integer_member(context, "version")),
                        text_member(version, "action"),
                        local_time(integer_member(version, "timestamp")),
                        text_member(context, "lastModifiedBy"),
                        std::to_string(integer_member(version, "offset")),
                        cut(printable(json::canonical(member(context, "data"))), 40)});
    }
    print(table({"VERSION", "ACTION", "WHEN", "BY", "OFFSET", "DATA"}, rows));
    if (!member(answer.value, "next").is_null())
        complain("There are more: go on with --before " +
                 std::to_string(integer_member(answer.value, "next")) + ".");
    return 0;
}

// Matches stand between U+0002 and U+0003.
std::string highlighted(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    std::string_view snippet = text;
    std::string out;
    while (!snippet.empty()) {
        const std::size_t begin = snippet.find('\x02');
        out.append(printable(snippet.substr(0, begin)));
        if (begin == std::string_view::npos) break;
        snippet.remove_prefix(begin + 1);
        const std::size_t end = snippet.find('\x03');
        out.append(paint(Colour::amber, printable(snippet.substr(0, end))));
        snippet.remove_prefix(end == std::string_view::npos ? snippet.size() : end + 1);
    }
    return out;
}

int search(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    std::string path = "search";
    add_query(path, "q", call.text("WORDS"));
    add_query(path, "limit", std::to_string(call.number("--limit").value_or(20)));
    const Answer answer = client->get(path);
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json()) {
        print_json(answer.value);
        return 0;
    }
    for (const json::Value& hit : array_member(answer.value, "hits")) {
        print_line(paint(Colour::bold, printable(text_member(hit, "contextKey"))));
        print_line("  " + highlighted(text_member(hit, "snippet")));
    }
    if (array_member(answer.value, "hits").empty()) complain("Nothing was found.");
    return 0;
}

int watch(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const std::string key = call.text("KEY");
    const std::string prefix = call.text("--prefix");
    EventFollower follower(*client, call.text("--since"), "context-updated");
    return follower.run(call, [&](const StreamEvent& event) {
        const json::Value& context = member(member(event.value, "data"), "context");
        const std::string changed = text_member(context, "contextKey");
        if ((!key.empty() && changed != key) || !changed.starts_with(prefix)) return;
        if (call.json()) {
            print_line(event.data);
        } else {
            print_line(paint(Colour::dim, local_time(integer_member(event.value, "timestamp"))) +
                       "  " + paint(Colour::bold, printable(changed)) + " " +
                       printable(text_member(member(event.value, "data"), "action")) +
                       ", version " + std::to_string(integer_member(context, "version")) + ", by " +
                       printable(text_member(context, "lastModifiedBy")));
            print_line("  " + printable(json::canonical(member(context, "data"))));
        }
        flush_output();
    });
}

}  // namespace

std::string context_path(const Call& call) {
    return "contexts/" + net::percent_encode(call.text("KEY"));
}

void print_context(const json::Value& context) {
    const std::string tags = tags_of(context);
    const json::Value& expires = member(context, "expiresAt");
    print_line(paint(Colour::bold, printable(text_member(context, "contextKey"))) + "  " +
               printable(text_member(context, "contextType")) + ", version " +
               std::to_string(integer_member(context, "version")) +
               (is_true(context, "deleted") ? paint(Colour::red, ", deleted") : ""));
    print_line("  updated  " + local_time(integer_member(context, "updatedAt")) + " by " +
               printable(text_member(context, "lastModifiedBy")));
    print_line("  created  " + local_time(integer_member(context, "createdAt")) + " by " +
               printable(text_member(context, "createdBy")));
    print_line("  expires  " +
               (expires.is_null() ? "never" : local_time(integer_member(context, "expiresAt"))));
    if (!tags.empty()) print_line("  tags     " + printable(tags));
    print_line(printable(pretty(member(context, "data")), true));
}

std::vector<Command> context_read_commands() {
    Command list_all;
    list_all.name = "ls";
    list_all.summary = "Lists the contexts, by key.";
    list_all.options = {choice_option("--type", {"chat", "project", "mode", "custom"},
                                      "only those of this type"),
                        text_option("--tag", "TAG", "only those with this tag"),
                        text_option("--prefix", "TEXT", "only keys that begin so"),
                        number_option("--limit", 1, 1'000'000, "at most so many (100)"),
                        text_option("--cursor", "CURSOR", "where the page before ended"),
                        toggle("--all", "all of them, page by page")};
    list_all.run = list;

    Command get_one;
    get_one.name = "get";
    get_one.summary = "Shows one context.";
    get_one.options = {argument("KEY", "of the context"),
                       number_option("--version", 1, INT64_MAX, "as it was at this version"),
                       toggle("--data-only", "only its data")};
    get_one.examples = {"dyad-memory context get chat:17",
                        "dyad-memory context get chat:17 --data-only --json | "
                        "dyad-memory context set copy -"};
    get_one.run = get;

    Command history_of;
    history_of.name = "history";
    history_of.summary = "Lists the versions of a context, newest first.";
    history_of.options = {argument("KEY", "of the context"),
                          number_option("--limit", 1, 1000, "at most so many (20)"),
                          number_option("--before", 1, INT64_MAX, "only before this offset")};
    history_of.run = history;

    Command search_for;
    search_for.name = "search";
    search_for.summary = "Searches the text of all contexts, best first.";
    search_for.options = {argument("WORDS", "to look for, as one argument"),
                          number_option("--limit", 1, 1000, "at most so many (20)")};
    search_for.run = search;

    Command watch_some;
    watch_some.name = "watch";
    watch_some.summary = "Shows each change as it happens, until Ctrl-C.";
    watch_some.details = "Goes on by itself, without a gap, when the server was restarted.";
    watch_some.options = {optional_argument("KEY", "only this context"),
                          text_option("--prefix", "TEXT", "only keys that begin so"),
                          text_option("--since", "TOKEN", "everything after this place first")};
    watch_some.run = watch;
    return {std::move(list_all), std::move(get_one), std::move(history_of), std::move(search_for),
            std::move(watch_some)};
}

}  // namespace dyad::cli
