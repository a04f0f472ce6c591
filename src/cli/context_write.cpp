// `dyad-memory context set`, `merge`, `patch`, `rm` and `restore`.
#include "cli/context.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

namespace dyad::cli {
namespace {

Headers if_match(const ContextOptions& options) {
    if (!options.if_version) return {};
    return {{"If-Match", "\"" + std::to_string(*options.if_version) + "\""}};
}

// "version 3 -> 4", or what else became of it.
std::string versions_of(const json::Value& written, const std::string& done) {
    const std::string version = std::to_string(integer_at(written, "version"));
    if (is_true(written, "ignored")) return "kept as it was, version " + version;
    const json::Value& before = at(written, "previousVersion");
    if (before.is_null()) return done + ", version " + version;
    if (before == json::Value(0)) return "created, version " + version;
    return done + ", version " + json::canonical(before) + " -> " + version;
}

// What the server says of a write that went through.
Exit show_written(RestClient& client, const Answer& answer, const ContextOptions& options,
                  const char* done) {
    return client.show(answer, [&](const json::Value& written) {
        print_line(printable(options.key) + ": " + versions_of(written, done));
        const std::size_t conflicts = list_at(written, "conflicts").size();
        if (conflicts > 0)
            print_line(paint(Colour::amber,
                             counted(conflicts, "conflict") +
                                 " recorded; both sides are kept: dyad-memory conflicts ls"));
    });
}

Exit put_context(RestClient& client, const ContextOptions& options, const std::string& strategy) {
    const bool replaces = strategy.empty() || strategy == "replace";
    if (options.create + options.force + options.if_version.has_value() > 1)
        return refuse_usage(client.common(),
                            "--create, --force and --if-version exclude each other");
    if (options.create && !replaces)
        return refuse_usage(client.common(),
                            "--create writes only where there is nothing: leave out --strategy");
    std::optional<json::Value> data = read_json_argument(client.common(), options.data, "DATA");
    if (!data) return Exit::usage;
    boost::json::object body;
    body["data"] = *std::move(data);
    if (!options.type.empty()) body["contextType"] = options.type;
    if (!options.tags.empty())
        body["tags"] = boost::json::array(options.tags.begin(), options.tags.end());
    if (options.ttl_days) body["ttlDays"] = *options.ttl_days;
    if (options.if_version) body["expectedVersion"] = *options.if_version;
    if (!strategy.empty()) body["mergeStrategy"] = strategy;
    if (replaces && !options.if_version && !options.create) body["force"] = true;
    Headers headers;
    if (options.create) headers.emplace_back("If-None-Match", "*");
    return show_written(
        client,
        client.write("PUT", context_path(options.key), json::canonical(std::move(body)), headers),
        options, strategy == "merge" ? "merged" : "written");
}

}  // namespace

Exit set_context(RestClient& client, const ContextOptions& options) {
    return put_context(client, options, options.strategy);
}

Exit merge_context(RestClient& client, const ContextOptions& options) {
    return put_context(client, options, "merge");
}

Exit patch_context(RestClient& client, const ContextOptions& options) {
    const std::optional<json::Value> patch =
        read_json_argument(client.common(), options.data, "PATCH");
    if (!patch) return Exit::usage;
    Headers headers = if_match(options);
    // A context is an object, so that only a list of operations can be an array.
    headers.emplace_back("Content-Type", options.json_patch || patch->is_array()
                                             ? "application/json-patch+json"
                                             : "application/merge-patch+json");
    return show_written(
        client, client.write("PATCH", context_path(options.key), json::canonical(*patch), headers),
        options, "patched");
}

Exit remove_context(RestClient& client, const ContextOptions& options) {
    return show_written(client,
                        client.write("DELETE", context_path(options.key), "", if_match(options)),
                        options, "deleted (context history still has it)");
}

Exit restore_context(RestClient& client, const ContextOptions& options) {
    return show_written(
        client,
        client.write("POST", context_path(options.key, "/restore"),
                     json::canonical(boost::json::object{{"version", *options.version}})),
        options, "restored");
}

}  // namespace dyad::cli
