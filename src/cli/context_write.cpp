// `dyad-memory context set`, `merge`, `patch`, `rm` and `restore`.
#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

Headers if_match(const ContextOptions& options) {
    if (!options.if_version) return {};
    return {{"If-Match", "\"" + std::to_string(*options.if_version) + "\""}};
}

// "version 3 -> 4", or what else became of it.
std::string versions_of(const json::Value& written, const char* done) {
    const std::string version = std::to_string(integer_member(written, "version"));
    if (is_true(written, "ignored")) return "kept as it was, version " + version;
    const json::Value& before = member(written, "previousVersion");
    if (before.is_null()) return std::string(done) + ", version " + version;
    if (before == json::Value(0)) return "created, version " + version;
    return std::string(done) + ", version " + json::canonical(before) + " -> " + version;
}

// What the server says of a write that went through.
int print_written(const CommonOptions& common, const Answer& answer, const ContextOptions& options,
                  const char* done) {
    if (!answer) return report(common, *answer.failure);
    if (common.json) {
        print_json(answer.value);
        return static_cast<int>(Exit::ok);
    }
    print_line(printable(options.key) + ": " + versions_of(answer.value, done));
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
    const bool replaces = options.strategy.empty() || options.strategy == "replace";
    if (options.create + options.force + options.if_version.has_value() > 1)
        return refuse_usage(common.json, "--create, --force and --if-version exclude each other");
    if (options.create && !replaces)
        return refuse_usage(common.json,
                            "--create writes only where there is nothing: leave out --strategy");
    const auto text = read_json_argument(common, options.data, "DATA");
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
    if (replaces && !options.if_version && !options.create) body["force"] = true;
    Headers headers;
    if (options.create) headers.emplace_back("If-None-Match", "*");
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    const Answer answer =
        client->write("PUT", context_path(options.key), json::canonical(std::move(body)), headers);
    return print_written(common, answer, options,
                         options.strategy == "merge" ? "merged" : "written");
}

int run_context_patch(const CommonOptions& common, const ContextOptions& options) {
    const auto text = read_json_argument(common, options.data, "PATCH");
    if (!text) return static_cast<int>(Exit::usage);
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    // A context is an object, so that only a list of operations can begin like this.
    const std::size_t first = text->find_first_not_of(" \t\r\n");
    const bool operations =
        options.json_patch || (first != std::string::npos && (*text)[first] == '[');
    Headers headers = if_match(options);
    headers.emplace_back("Content-Type", operations ? "application/json-patch+json"
                                                    : "application/merge-patch+json");
    return print_written(common, client->write("PATCH", context_path(options.key), *text, headers),
                         options, "patched");
}

int run_context_remove(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    return print_written(common,
                         client->write("DELETE", context_path(options.key), "", if_match(options)),
                         options, "deleted (context history still has it)");
}

int run_context_restore(const CommonOptions& common, const ContextOptions& options) {
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return static_cast<int>(Exit::usage);
    boost::json::object body{{"version", *options.version}};
    return print_written(common,
                         client->write("POST", context_path(options.key, "/restore"),
                                       json::canonical(std::move(body))),
                         options, "restored");
}

}  // namespace dyad::cli
