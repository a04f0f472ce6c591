#include "cli/command.hpp"

#include "cli/path_expansion.hpp"
#include "cli/rest_client.hpp"
#include "cli/text.hpp"

#include <utility>

#include <CLI/CLI.hpp>

namespace dyad::cli {
namespace {

constexpr const char* kForAll = "Options of every command";

CLI::Validator whole(std::int64_t least, std::int64_t most) {
    return CLI::Validator(
        [least, most](const std::string& text) -> std::string {
            const std::optional<std::int64_t> number = whole_number(text);
            if (number && *number >= least && *number <= most) return {};
            std::string wanted = "\"" + text + "\" must be a whole number from ";
            wanted.append(std::to_string(least));
            if (most != INT64_MAX) wanted.append(" to ").append(std::to_string(most));
            return wanted;
        },
        "");
}

CLI::Validator readable_path() {
    return CLI::Validator(
        [](std::string& text) {
            Result<std::string> path = expand_path(text, system_surroundings());
            if (!path) return "\"" + text + "\" " + path.error().detail;
            text = *std::move(path);
            return std::string();
        },
        "");
}

// "$UNSET" is a slip, and means neither all, nor this one, nor from now on.
CLI::Validator not_empty() {
    return CLI::Validator(
        [](const std::string& text) { return text.empty() ? "is given without a value" : ""; }, "");
}

}  // namespace

void Command::describe_root(Run version) {
    app_.set_help_flag("-h,--help", "Show this help");
    app_.add_flag_callback(
        "-V,--version",
        [parsed = &parsed_, version = std::move(version)] {
            parsed->run = [parsed, version] { return version(parsed->common); };
        },
        "Print the version");
    add_common_options();
}

Command Command::leaf(const char* name, const char* description) {
    CLI::App* const app = app_.add_subcommand(name, description);
    app->set_help_flag("-h,--help", "Show this help");
    return Command(*app, parsed_);
}

Command Command::group(const char* name, const char* description) {
    Command command = leaf(name, description);
    command.add_common_options();
    command.app_.require_subcommand(1);
    return command;
}

Command Command::add(const char* name, const char* description, Run run) {
    Command command = leaf(name, description);
    command.add_common_options();
    command.app_.callback([app = &command.app_, parsed = &parsed_, run = std::move(run)] {
        if (app->get_subcommands().empty())
            parsed->run = [parsed, run] { return run(parsed->common); };
    });
    return command;
}

Command Command::add(const char* name, const char* description, Ask ask) {
    return add(name, description, Run([ask = std::move(ask)](const CommonOptions& common) {
                   std::optional<RestClient> client = RestClient::open(common);
                   return client ? ask(*client) : Exit::usage;
               }));
}

void Command::add_common_options() {
    CommonOptions& common = parsed_.common;
    flag("--json", common.json, "JSON instead of text for people").last_->group(kForAll);
    setting("DYAD_URL", kForAll, "Where the server is [http://127.0.0.1:8765]");
    setting("DISTRIBUTED_USER_ID", kForAll, "Whose memory is meant [local]");
    text("--instance", common.instance, "The instance this is written as [cli-<host>-<user>]")
        .last_->group(kForAll);
    number("--timeout", common.timeout_s, "Seconds until it gives up [30]", 1, 3600, "SECONDS")
        .last_->group(kForAll);
    text("--env-file", common.env_file, "Read this file instead of .env", "FILE")
        .last_->group(kForAll);
}

Command& Command::last(CLI::Option* option, const char* type) {
    last_ = option->type_name(type)->required(option->get_positional());
    return *this;
}

Command& Command::flag(const char* name, bool& value, const char* help) {
    last_ = app_.add_flag(name, value, help);
    return *this;
}

Command& Command::text(const char* name, std::string& value, const char* help, const char* type) {
    CLI::Option* const option = app_.add_option(name, value, help);
    if (!option->get_positional()) option->check(not_empty());
    return last(option, type);
}

Command& Command::texts(const char* name, std::vector<std::string>& values, const char* help,
                        const char* type, const std::vector<std::string>& words) {
    CLI::Option* const option = app_.add_option(name, values, help)->check(not_empty());
    option->allow_extra_args(option->get_positional());
    if (!words.empty()) option->transform(CLI::IsMember(words, CLI::ignore_case));
    return last(option, type);
}

Command& Command::path(const char* name, std::string& value, const char* help) {
    return last(app_.add_option(name, value, help)->transform(readable_path()), "TEXT");
}

Command& Command::word(const char* name, std::string& value, const std::vector<std::string>& words,
                       const char* help, const char* type) {
    return last(
        app_.add_option(name, value, help)->transform(CLI::IsMember(words, CLI::ignore_case)),
        type);
}

Command& Command::number(const char* name, std::int64_t& value, const char* help,
                         std::int64_t least, std::int64_t most, const char* type) {
    return last(app_.add_option(name, value, help)->check(whole(least, most)), type);
}

Command& Command::number(const char* name, std::optional<std::int64_t>& value, const char* help,
                         std::int64_t least, std::int64_t most) {
    return last(app_.add_option(name, value, help)->check(whole(least, most)), "N");
}

Command& Command::setting(std::string_view name, const char* group, const char* short_help) {
    const SettingRow& row = *find_setting(name);
    std::string help(short_help != nullptr ? short_help : row.meaning);
    if (!row.fallback.empty()) help.append(" [").append(row.fallback).append("]");
    // A switch may stand alone; then it means true.
    const bool alone = row.type == SettingType::boolean;
    last_ = app_.add_option_function<std::string>(
        std::string(row.flag),
        [parsed = &parsed_, key = std::string(row.name), alone](const std::string& value) {
            const bool bare = alone && (value.empty() || value == "{}");
            parsed->common.flags[key] = bare ? "true" : value;
        },
        help);
    if (alone) last_->expected(0, 1);
    last_->type_name(alone ? "[BOOLEAN]" : row.type == SettingType::integer ? "N" : "TEXT");
    if (*group != '\0') last_->group(group);
    return *this;
}

Command& Command::required(bool yes) {
    last_->required(yes);
    return *this;
}

Command& Command::excludes(const char* other) {
    last_->excludes(app_.get_option(other));
    return *this;
}

Command& Command::alias(const char* name) {
    app_.alias(name);
    return *this;
}

Command& Command::footer(const std::string& text, bool with_statuses) {
    app_.footer(with_statuses ? text + app_.get_footer() : text);
    return *this;
}

Command& Command::hide() {
    app_.group("");
    return *this;
}

}  // namespace dyad::cli
