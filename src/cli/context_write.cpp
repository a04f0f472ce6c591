// `dyad-memory context set`, `merge`, `patch`, `rm` and `restore`.
#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "net/http.hpp"

namespace dyad::cli {
namespace {

std::string path_of(const ContextOptions& options) {
    return "contexts/" + net::percent_encode(options.key);
}

net::Headers if_match(const ContextOptions& options) {
    if (!options.if_version) return {};
    return {{"If-Match", "\"" + std::to_string(*options.if_version) + "\""}};
}

// What the server says of a write that went through.
int print_written(const CommonOptions& common, const Answer& answer, const ContextOptions& options,
                  const char* done) {
    if (!answer) return report(common, *answer.failure);
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    std::string line = printable(options.key) + ": ";
    if (is_true(answer.value, "ignored"))
        line.append("kept as it was, ");
    else
        line.append(done).append(", ");
    line.append("version ").append(std::to_string(integer_member(answer.value, "version")));
    print_line(line);
    const auto& conflicts = array_member(answer.value, "conflicts");
    if (!conflicts.empty())
        print_line(
            paint(Colour::amber, std::to_string(conflicts.size()) + " conflict" +
                                     (conflicts.size() == 1 ? "" : "s") +
                                     " recorded; both sides are kept: dyad-memory conflicts ls"));
    return static_cast<int>(Exit::ok);
}

}  // namespace

int run_context_set(const CommonOptions& common, const ContextOptions& options) {
    if (options.force && options.if_version) {
        complain("dyad-memory: --force and --if-version exclude each other");
        return static_cast<int>(Exit::usage);
    }
    const auto text = read_json_argument(options.data, "DATA");
    if (!text) return static_cast<int>(Exit::usage);
    boost::json::object body;
    body["data"] = *json::parse(*text);
    if (!options.type.empty()) body["contextType"] = options.type;
    if (!options.tags.empty()) {
        boost::json::array& tags = body["tags"].emplace_array();
        for (const std::string& tag : options.tags)
            tags.emplace_back(tag);
    }
    if (options.ttl_days) body["ttlDays"] = *options.ttl_days;
    if (options.if_version) body["expectedVersion"] = *options.if_version;
    if (!options.strategy.empty()) body["mergeStrategy"] = options.strategy;
    const bool replaces = options.strategy.empty() || options.strategy == "replace";
    if (replaces && !options.if_version) body["force"] = true;
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer = client->write("PUT", path_of(options), json::canonical(std::move(body)));
    return print_written(common, answer, options,
                         options.strategy == "merge" ? "merged" : "written");
}

int run_context_patch(const CommonOptions& common, const ContextOptions& options) {
    const auto text = read_json_argument(options.data, "PATCH");
    if (!text) return static_cast<int>(Exit::usage);
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    net::Headers headers = if_match(options);
    headers.emplace_back("Content-Type", options.json_patch ? "application/json-patch+json"
                                                            : "application/merge-patch+json");
    return print_written(common, client->write("PATCH", path_of(options), *text, headers), options,
                         "patched");
}

int run_context_remove(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    return print_written(common, client->write("DELETE", path_of(options), "", if_match(options)),
                         options, "deleted (context history still has it)");
}

int run_context_restore(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    boost::json::object body{{"version", *options.version}};
    return print_written(
        common,
        client->write("POST", path_of(options) + "/restore", json::canonical(std::move(body))),
        options, "restored");
}

}  // namespace dyad::cli
