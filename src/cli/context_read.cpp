// `dyad-memory context ls`, `get`, `history` and `search`.
#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::int64_t kPage = 500;

std::string first_page(const ContextOptions& options) {
    std::string path = "contexts?";
    const auto add = [&](const char* name, const std::string& value) {
        if (!value.empty())
            path.append(name).append("=").append(net::percent_encode(value)).append("&");
    };
    add("type", options.type);
    add("tag", options.tag);
    add("prefix", options.prefix);
    return path;
}

std::vector<std::string> row_of(const json::Value& context) {
    std::string tags;
    for (const json::Value& tag : array_member(context, "tags"))
        tags.append(tags.empty() ? "" : ",")
            .append(tag.is_string() ? tag.get_string().c_str() : "");
    return {printable_key(text_member(context, "contextKey")),
            std::to_string(integer_member(context, "version")),
            text_member(context, "contextType"),
            byte_size(json::canonical(member(context, "data")).size()),
            local_time(integer_member(context, "updatedAt")),
            text_member(context, "lastModifiedBy"),
            tags};
}

void print_context(const json::Value& context) {
    print_line(paint(Colour::bold, printable_key(text_member(context, "contextKey"))) +
               "  version " + std::to_string(integer_member(context, "version")) + ", " +
               printable(text_member(context, "contextType")));
    std::string line = "changed " + local_time(integer_member(context, "updatedAt")) + " by " +
                       printable(text_member(context, "lastModifiedBy"));
    if (const std::int64_t expires = integer_member(context, "expiresAt"); expires > 0)
        line.append(", expires ").append(local_time(expires));
    print_line(paint(Colour::dim, line));
    print_line(printable(pretty(member(context, "data")), true));
}

}  // namespace

int run_context_list(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const std::size_t wanted = options.all ? SIZE_MAX : static_cast<std::size_t>(options.limit);
    boost::json::array contexts;
    std::string cursor, position;
    do {
        const std::size_t page =
            std::min<std::size_t>(wanted - contexts.size(), static_cast<std::size_t>(kPage));
        std::string path = first_page(options) + "limit=" + std::to_string(page);
        if (!cursor.empty()) path.append("&cursor=").append(net::percent_encode(cursor));
        const Answer answer = client->get(path);
        if (!answer) return report(common, *answer.failure);
        for (const json::Value& context : array_member(answer.value, "contexts"))
            contexts.push_back(context);
        cursor = text_member(answer.value, "next");
        position = text_member(answer.value, "position");
    } while (!cursor.empty() && contexts.size() < wanted);
    if (common.json) {
        boost::json::object out{{"position", position}, {"next", nullptr}};
        if (!cursor.empty()) out["next"] = cursor;
        out["contexts"] = std::move(contexts);
        print_json(out);
        return static_cast<int>(Exit::ok);
    }
    std::vector<std::vector<std::string>> rows;
    for (const json::Value& context : contexts) {
        if (options.keys_only)
            print_line(printable(text_member(context, "contextKey")));
        else
            rows.push_back(row_of(context));
    }
    if (options.keys_only) return static_cast<int>(Exit::ok);
    if (rows.empty())
        complain(
            "There are none. Write one: dyad-memory context set notes '{\"hello\":\"world\"}'");
    print(table({"KEY", "VERSION", "TYPE", "SIZE", "CHANGED", "BY", "TAGS"}, rows));
    if (!cursor.empty()) complain("There are more: --all, or --limit N");
    return static_cast<int>(Exit::ok);
}

int run_context_get(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    Answer answer = client->get(context_path(
        options.key, options.version ? "/history/" + std::to_string(*options.version) : ""));
    if (!answer) {
        if (answer.failure->code == "not_found" && !options.version)
            answer.failure->message.append("; dyad-memory context ls lists what there is");
        return report(common, *answer.failure);
    }
    const json::Value& data = member(answer.value, "data");
    // Down a pipe goes what the next program can read.
    if (options.data_only)
        print_line(output_is_terminal() && !common.json ? printable(pretty(data), true)
                                                        : json::canonical(data));
    else if (common.json)
        print_json(answer.value);
    else
        print_context(answer.value);
    return static_cast<int>(Exit::ok);
}

int run_context_history(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer =
        get_list(*client, context_path(options.key, "/history"), "versions", options.limit);
    if (!answer) return report(common, *answer.failure);
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    std::vector<std::vector<std::string>> rows;
    const auto limit = static_cast<std::size_t>(std::max<int>(20, terminal_columns() - 70));
    for (const json::Value& item : array_member(answer.value, "versions")) {
        const json::Value& context = member(item, "context");
        rows.push_back({std::to_string(integer_member(context, "version")),
                        local_time(integer_member(item, "timestamp")), text_member(item, "action"),
                        text_member(context, "lastModifiedBy"),
                        cut(printable(json::canonical(member(context, "data"))), limit)});
    }
    if (rows.empty())
        complain("The log has none of its versions any more; the current one: context get");
    print(table({"VERSION", "TIME", "ACTION", "BY", "DATA"}, rows));
    return static_cast<int>(Exit::ok);
}

int run_context_search(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer =
        client->get("search?q=" + net::percent_encode(options.query) + "&limit=" +
                    std::to_string(std::min<std::int64_t>(options.limit, limits::page_items_max)));
    if (!answer) return report(common, *answer.failure);
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    const auto& hits = array_member(answer.value, "hits");
    if (hits.empty()) complain("Nothing matches.");
    for (const json::Value& hit : hits) {
        print_line(paint(Colour::bold, printable_key(text_member(hit, "contextKey"))));
        // What matched stands between U+0002 and U+0003.
        std::string line = "  ";
        std::string rest = text_member(hit, "snippet");
        while (!rest.empty()) {
            const std::size_t mark = rest.find_first_of("\x02\x03");
            const bool matched = mark != std::string::npos && rest[mark] == '\x03';
            line.append(
                paint(matched ? Colour::green : Colour::plain, printable(rest.substr(0, mark))));
            rest.erase(0, mark == std::string::npos ? rest.size() : mark + 1);
        }
        print_line(line);
    }
    return static_cast<int>(Exit::ok);
}

}  // namespace dyad::cli
