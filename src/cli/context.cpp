// `dyad-memory context`: what it has, and the commands that read.
#include "cli/context.hpp"

#include "cli/command.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr const char* kType = "TYPE";
const std::vector<std::string> kTypes = {"chat", "project", "mode", "custom"};

void print_contexts(const json::Value& answer) {
    const auto& contexts = list_at(answer, "contexts");
    const auto size = [](const json::Value& data) {
        return byte_size(json::canonical(data).size());
    };
    if (contexts.empty())
        complain(
            "There are none. Write one: dyad-memory context set notes '{\"hello\":\"world\"}'");
    print(table({"KEY", "VERSION", "TYPE", "SIZE", "CHANGED", "BY", "TAGS"},
                rows_of(contexts, {Cell("contextKey", plain_key), "version", "contextType",
                                   Cell("data", size), Cell("updatedAt", plain_time),
                                   "lastModifiedBy", "tags"})));
    if (!at(answer, "next").is_null()) complain("There are more: --all, or --limit N");
}

void print_keys(const json::Value& answer) {
    for (const json::Value& context : list_at(answer, "contexts"))
        print_line(printable(text_at(context, "contextKey")));
}

Exit list_contexts(RestClient& client, const ContextOptions& options) {
    const Answer answer = client.get_list(
        with_query("contexts",
                   {{"type", options.type}, {"tag", options.tag}, {"prefix", options.prefix}}),
        "contexts", options.all ? INT64_MAX : options.limit, "cursor");
    return client.show(answer, options.keys_only ? print_keys : print_contexts);
}

void print_context(const json::Value& context) {
    print_line(paint(Colour::bold, printable_key(text_at(context, "contextKey"))) + "  version " +
               std::to_string(integer_at(context, "version")) + ", " +
               printable(text_at(context, "contextType")));
    std::string line = "changed " + local_time(integer_at(context, "updatedAt")) + " by " +
                       printable(text_at(context, "lastModifiedBy"));
    if (const std::int64_t expires = integer_at(context, "expiresAt"); expires > 0)
        line.append(", expires ").append(local_time(expires));
    print_line(paint(Colour::dim, line));
    print_line(printable(pretty(at(context, "data")), true));
}

Exit get_context(RestClient& client, const ContextOptions& options) {
    Answer answer = client.get(context_path(
        options.key, options.version ? "/history/" + std::to_string(*options.version) : ""));
    if (!answer && answer.failure->code == "not_found" && !options.version)
        answer.failure->message.append("; dyad-memory context ls lists what there is");
    if (!answer || !options.data_only) return client.show(answer, print_context);
    // Down a pipe goes what the next program can read.
    const json::Value& data = at(answer.value, "data");
    print_line(output_is_terminal() && !client.json() ? printable(pretty(data), true)
                                                      : json::canonical(data));
    return Exit::ok;
}

void print_history(const json::Value& answer) {
    const auto& versions = list_at(answer, "versions");
    const auto one_line = [](const json::Value& data) {
        return cut(printable(json::canonical(data)),
                   std::max<std::size_t>(90, terminal_size().columns) - 70);
    };
    if (versions.empty())
        complain("The log has none of its versions any more; the current one: context get");
    print(table({"VERSION", "TIME", "ACTION", "BY", "DATA"},
                rows_of(versions, {"context/version", Cell("timestamp", plain_time), "action",
                                   "context/lastModifiedBy", Cell("context/data", one_line)})));
}

Exit show_history(RestClient& client, const ContextOptions& options) {
    return client.show(
        client.get_list(context_path(options.key, "/history"), "versions", options.limit),
        print_history);
}

void print_hits(const json::Value& answer) {
    const auto& hits = list_at(answer, "hits");
    if (hits.empty()) complain("Nothing matches.");
    for (const json::Value& hit : hits) {
        print_line(paint(Colour::bold, printable_key(text_at(hit, "contextKey"))));
        // What matched stands between U+0002 and U+0003.
        std::string line = "  ";
        std::string rest = text_at(hit, "snippet");
        while (!rest.empty()) {
            const std::size_t mark = std::min(rest.find_first_of("\x02\x03"), rest.size());
            const bool matched = mark < rest.size() && rest[mark] == '\x03';
            line.append(
                paint(matched ? Colour::green : Colour::plain, printable(rest.substr(0, mark))));
            rest.erase(0, mark + 1);
        }
        print_line(line);
    }
}

Exit search_contexts(RestClient& client, const ContextOptions& options) {
    const std::int64_t limit = std::min<std::int64_t>(options.limit, limits::page_items_max);
    return client.show(client.get("search?q=" + net::percent_encode(options.query) +
                                  "&limit=" + std::to_string(limit)),
                       print_hits);
}

void add_key(Command& command, ContextOptions& o) {
    command.text("KEY", o.key, "The context's key");
}

void add_limit(Command& command, ContextOptions& o) {
    command.number("--limit", o.limit, "At most so many [100]", 1);
}

void add_expected(Command& command, ContextOptions& o) {
    command.number("--if-version", o.if_version, "Only if this version is stored", 1);
}

void add_content(Command& command, ContextOptions& o) {
    add_key(command, o);
    command.text("DATA", o.data, "A JSON object; - reads standard input, @FILE a file")
        .word("--type", o.type, kTypes, "chat, project, mode or custom", kType)
        .texts("--tag", o.tags, "A tag; may be repeated", "TAG")
        .number("--ttl-days", o.ttl_days, "Let it expire so long after now; 0: never", 0, 36500);
}

void add_writing(Command& context, const std::shared_ptr<ContextOptions>& o) {
    Command set = context.add("set", "Write a context, over whatever is there", set_context, o);
    add_content(set.alias("put"), *o);
    set.number("--if-version", o->if_version,
               "Write only if this version is stored; 0: only if there is none; with "
               "--strategy merge the version that DATA was made from",
               0)
        .flag("--create", o->create, "Write only if there is none")
        .flag("--force", o->force,
              "Replace whatever is stored (the default without --create and --if-version)")
        .word("--strategy", o->strategy, {"replace", "merge", "ignore"},
              "replace, merge (three-way) or ignore (keep what is stored) [replace]", "NAME")
        .footer(
            "It replaces what is there, unless --create, --if-version or --strategy says "
            "otherwise; "
            "the answer\nnames the version before and after, and context restore KEY VERSION "
            "brings "
            "an older one back.\n");
    Command merge = context.add("merge", "Merge into a context, three-way", merge_context, o);
    add_content(merge, *o);
    merge.number("--base,--if-version", o->if_version,
                 "The version that DATA was made from: what changed since is kept", 0);
    Command patch = context.add("patch", "Change a part of a context", patch_context, o);
    add_key(patch, *o);
    patch.text("PATCH", o->data, "The patch as JSON; - reads standard input, @FILE a file")
        .flag("--json-patch", o->json_patch,
              "PATCH is a list of operations (RFC 6902), as a JSON array always is, instead of a "
              "merge patch (RFC 7396)");
    add_expected(patch, *o);
    Command remove =
        context.add("rm", "Delete a context (history keeps it for a while)", remove_context, o);
    add_key(remove.alias("delete"), *o);
    add_expected(remove, *o);
}

}  // namespace

void add_context(Command& root) {
    const auto o = std::make_shared<ContextOptions>();
    Command context = root.group("context", "Read and write contexts");
    Command list = context.add("ls", "List contexts", list_contexts, o);
    list.alias("list")
        .word("--type", o->type, kTypes, "Only chat, project, mode or custom", kType)
        .text("--tag", o->tag, "Only with this tag")
        .text("--prefix", o->prefix, "Only keys that begin so");
    add_limit(list, *o);
    list.flag("--all", o->all, "All of them")
        .flag("--keys-only", o->keys_only, "Only the keys, one a line");
    Command get = context.add("get", "Show a context", get_context, o);
    add_key(get, *o);
    get.number("--version", o->version, "An older version", 1)
        .flag("--data-only", o->data_only, "Only the data");
    add_writing(context, o);
    Command history = context.add("history", "List the versions of a context", show_history, o);
    add_key(history, *o);
    add_limit(history, *o);
    Command restore =
        context.add("restore", "Make an older version the current one", restore_context, o);
    add_key(restore, *o);
    restore.number("VERSION", o->version, "The version, as history lists it", 1);
    Command search = context.add("search", "Search the texts of all contexts", search_contexts, o);
    search.text("QUERY", o->query,
                "Words, in any case and without their accents if you like; several must "
                "all be there.\n\"a phrase\", prefix*, OR, NOT and brackets work, too");
    add_limit(search, *o);
    context.add("watch", "Show changes as they happen, until Ctrl-C", watch_contexts, o)
        .text("KEY", o->key, "Only this one")
        .required(false)
        .text("--prefix", o->prefix, "Only keys that begin so")
        .flag("--data-only", o->data_only, "Only the data, one line of JSON each")
        .text("--since", o->since, "Begin after this token or offset", "TOKEN")
        .footer(kTokens);
}

}  // namespace dyad::cli
