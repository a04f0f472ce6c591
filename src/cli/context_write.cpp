#include "cli/context.hpp"
#include "cli/read_data.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

int print_written(const Call& call, const Answer& answer, std::string_view what) {
    if (!answer) return report(call.common(), *answer.failure);
    if (call.json()) {
        print_json(answer.value);
        return 0;
    }
    print_line(printable(call.text("KEY")) + " " + std::string(what) + ", version " +
               std::to_string(integer_member(answer.value, "version")));
    const auto& conflicts = array_member(answer.value, "conflicts");
    for (const json::Value& conflict : conflicts)
        print_line(paint(Colour::amber, "  conflict ") + printable(text_member(conflict, "id")) +
                   " at " + printable(text_member(conflict, "path")));
    if (!conflicts.empty())
        complain("Both sides changed these places: the stored values stay. Decide with "
                 "\"dyad-memory conflicts resolve ID incoming|stored\".");
    return 0;
}

net::Headers expected(const Call& call) {
    if (const auto version = call.number("--if-version"))
        return {{"If-Match", "\"" + std::to_string(*version) + "\""}};
    return {};
}

int put(const Call& call, std::string_view strategy, bool force) {
    Result<json::Value> data = read_data(call.text("DATA"));
    if (!data) return report_input(call.common(), data.error());
    if (!data->is_object())
        return report(call.common(), {Exit::usage, "invalid_field",
                                      "The data must be a JSON object, such as {\"a\":1}.",
                                      nullptr});
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    boost::json::object body{{"data", *std::move(data)}, {"mergeStrategy", strategy}};
    if (call.has("--type")) body["contextType"] = call.text("--type");
    if (call.has("--tag")) {
        boost::json::array tags;
        for (const std::string& tag : call.all("--tag"))
            tags.emplace_back(tag);
        body["tags"] = std::move(tags);
    }
    if (call.has("--ttl-days")) body["ttlDays"] = *call.number("--ttl-days");
    if (const auto version = call.number("--if-version")) body["expectedVersion"] = *version;
    if (force) body["force"] = true;
    const Answer answer = client->write("PUT", context_path(call), json::canonical(body));
    if (strategy == "ignore" && answer && !call.json()) {
        print_line(printable(call.text("KEY")) + (answer.status == 201 ? " created" : " kept") +
                   ", version " + std::to_string(integer_member(answer.value, "version")));
        return 0;
    }
    return print_written(call, answer,
                         answer.status == 201   ? "created"
                         : strategy == "merge" ? "merged"
                                               : "replaced");
}

int patch(const Call& call) {
    const Result<json::Value> data = read_data(call.text("PATCH"));
    if (!data) return report_input(call.common(), data.error());
    if (!data->is_object() && !data->is_array())
        return report(call.common(), {Exit::usage, "invalid_field",
                                      "The patch must be a JSON object (merge patch) or an array "
                                      "of operations (JSON Patch).",
                                      nullptr});
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    net::Headers headers = expected(call);
    headers.emplace_back("Content-Type", data->is_array() ? "application/json-patch+json"
                                                          : "application/merge-patch+json");
    return print_written(call,
                         client->write("PATCH", context_path(call), json::canonical(*data),
                                       std::move(headers)),
                         "patched");
}

int remove(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    return print_written(call, client->write("DELETE", context_path(call), "", expected(call)),
                         "deleted");
}

int restore(const Call& call) {
    auto client = RestClient::open(call.common());
    if (!client) return static_cast<int>(Exit::usage);
    const boost::json::object body{{"version", *call.number("VERSION")}};
    return print_written(call,
                         client->write("POST", context_path(call) + "/restore",
                                       json::canonical(body), expected(call)),
                         "restored from version " + call.text("VERSION"));
}

Option if_version() {
    return number_option("--if-version", 0, INT64_MAX,
                         "only if this is the stored version (0: there is none)");
}

std::vector<Option> put_options() {
    return {argument("KEY", "of the context, such as project/plan"),
            argument("DATA", "a JSON object, @file, or - for standard input"),
            choice_option("--type", {"chat", "project", "mode", "custom"}, "of the context"),
            list_option("--tag", "TAG", "of the context"),
            number_option("--ttl-days", 0, 36500, "days it is kept; 0: for ever"), if_version()};
}

}  // namespace

std::vector<Command> context_write_commands() {
    Command set;
    set.name = "set";
    set.alias = "put";
    set.summary = "Creates or replaces a context.";
    set.details =
        "A context that is there is replaced only with --if-version N, so that nobody's change is "
        "lost unseen, or with --force.";
    set.options = put_options();
    set.options.push_back(toggle("--force", "whatever is stored"));
    set.options.push_back(choice_option("--strategy", {"replace", "merge", "ignore"},
                                        "what to do with one that is there (replace)"));
    set.examples = {"dyad-memory context set project/plan '{\"goal\":\"one memory\"}' --tag work",
                    "dyad-memory context set project/plan @plan.json --if-version 3",
                    "jq .notes notes.json | dyad-memory context set notes - --force"};
    set.run = [](const Call& call) {
        return put(call, call.text("--strategy", "replace"), call.has("--force"));
    };

    Command merge;
    merge.name = "merge";
    merge.summary = "Merges data into a context, member by member.";
    merge.details =
        "With --if-version N, the version that the data was made from, three ways: places that "
        "both sides changed keep the stored value and become conflicts.";
    merge.options = put_options();
    merge.run = [](const Call& call) { return put(call, "merge", false); };

    Command patch_one;
    patch_one.name = "patch";
    patch_one.summary = "Changes parts of a context.";
    patch_one.details =
        "An object is a JSON Merge Patch (RFC 7396; null removes), an array a JSON Patch (RFC "
        "6902).";
    patch_one.options = {argument("KEY", "of the context"),
                         argument("PATCH", "JSON, @file, or - for standard input"), if_version()};
    patch_one.examples = {
        "dyad-memory context patch chat:17 '{\"done\":true}'",
        "dyad-memory context patch chat:17 '[{\"op\":\"add\",\"path\":\"/list/-\",\"value\":1}]'"};
    patch_one.run = patch;

    Command rm;
    rm.name = "rm";
    rm.summary = "Deletes a context; its versions stay in the history.";
    rm.options = {argument("KEY", "of the context"), if_version()};
    rm.run = remove;

    Command restore_one;
    restore_one.name = "restore";
    restore_one.summary = "Writes an old version as the newest one.";
    restore_one.options = {argument("KEY", "of the context"),
                           number_option("VERSION", 1, INT64_MAX, "as history shows it"),
                           if_version()};
    restore_one.options[1].required = true;
    restore_one.options[1].value.clear();
    restore_one.run = restore;
    return {std::move(set), std::move(merge), std::move(patch_one), std::move(rm),
            std::move(restore_one)};
}

}  // namespace dyad::cli
