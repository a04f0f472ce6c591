#include "cli/parse.hpp"

#include "cli/help.hpp"
#include "cli/nearest.hpp"

#include <algorithm>
#include <charconv>

#include <CLI/CLI.hpp>

namespace dyad::cli {
namespace {

using Path = std::vector<const Command*>;

// Every option's place in the parser, beside where it came from.
void add_options(CLI::App& app, const std::vector<Option>& options) {
    for (const Option& option : options) {
        if (option.is_switch()) {
            app.add_flag(option.name);
            continue;
        }
        CLI::Option* const added = app.add_option(option.name);
        if (option.required) added->required();
        if (option.repeated)
            added->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->allow_extra_args(false);
    }
}

void add_commands(CLI::App& app, const Command& command) {
    app.set_help_flag("-h,--help");
    // One of each level: a later word that is the name of a command is an argument.
    app.require_subcommand(0, 1);
    add_options(app, command.options);
    if (command.commands.empty()) {
        add_options(app, common_options());
        if (command.talks) add_options(app, server_options());
    }
    for (const Command& each : command.commands) {
        CLI::App* const added = app.add_subcommand(each.name);
        if (!each.alias.empty()) added->alias(each.alias);
        add_commands(*added, each);
    }
}

struct Found {
    Path path;
    CLI::App* app;
};

Found find_command(CLI::App& app, const Command& root) {
    Found found{{&root}, &app};
    for (;;) {
        const std::vector<CLI::App*> below = found.app->get_subcommands();
        if (below.empty()) return found;
        found.app = below.front();
        for (const Command& each : found.path.back()->commands)
            if (each.name == found.app->get_name()) {
                found.path.push_back(&each);
                break;
            }
    }
}

std::string name_of(const Path& path) {
    std::string out;
    for (const Command* command : path)
        out.append(out.empty() ? "" : " ").append(command->name);
    return out;
}

Said wrong(const Path& path, std::string text) {
    text.append(" See \"").append(name_of(path)).append(" --help\".");
    return {std::move(text), static_cast<int>(Exit::usage)};
}

// "; did you mean X?" for the nearest of `names`, or nothing.
std::string suggestion(std::string_view word, const std::vector<std::string>& names) {
    std::string best;
    std::size_t best_distance = 1 + word.size() / 3;
    for (const std::string& name : names) {
        const std::size_t distance = edit_distance(word, name);
        if (distance <= best_distance && (best.empty() || distance < best_distance)) {
            best = name;
            best_distance = distance;
        }
    }
    return best.empty() ? "." : "; did you mean " + best + "?";
}

std::vector<std::string> names_of_options(const Command& command) {
    std::vector<std::string> names{"--help"};
    const auto add = [&](const std::vector<Option>& options) {
        for (const Option& option : options)
            if (!option.is_argument()) names.push_back(option.name);
    };
    add(command.options);
    add(common_options());
    if (command.talks) add(server_options());
    return names;
}

Said unexpected(const Path& path, const std::string& word) {
    const Command& command = *path.back();
    if (word.starts_with("-") && word != "-")
        return wrong(path, "There is no option " + word.substr(0, word.find('=')) +
                               (command.commands.empty()
                                    ? suggestion(word.substr(0, word.find('=')),
                                                 names_of_options(command))
                                    : " here; options stand behind the command."));
    if (command.commands.empty())
        return wrong(path, "\"" + word + "\" is one argument too many.");
    std::vector<std::string> names;
    for (const Command& each : command.commands)
        names.push_back(each.name);
    return wrong(path, "There is no command \"" + word + "\"" + suggestion(word, names));
}

std::optional<std::string> check_value(const Option& option, const std::string& value) {
    if (!option.choices.empty() &&
        std::find(option.choices.begin(), option.choices.end(), value) == option.choices.end())
        return option.name + ": \"" + value + "\" must be one of " + option.value + ".";
    if (!option.number) return std::nullopt;
    std::int64_t number = 0;
    const auto end = std::from_chars(value.data(), value.data() + value.size(), number);
    if (end.ec == std::errc() && end.ptr == value.data() + value.size() && number >= option.min &&
        number <= option.max)
        return std::nullopt;
    return option.name + ": \"" + value + "\" must be a whole number from " +
           std::to_string(option.min) + " to " + std::to_string(option.max) + ".";
}

std::variant<Call, Said> read_call(const Found& found) {
    const Command& command = *found.path.back();
    Common common;
    std::map<std::string, std::vector<std::string>, std::less<>> values;
    std::vector<const Option*> options;
    for (const auto* list : {&command.options, &common_options(), &server_options()})
        if (list != &server_options() || command.talks)
            for (const Option& option : *list)
                options.push_back(&option);
    for (const Option* option : options) {
        const CLI::Option* const parsed = found.app->get_option(option->name);
        if (parsed->count() == 0) continue;
        const std::vector<std::string> given = parsed->results();
        for (const std::string& value : given)
            if (const auto bad = check_value(*option, value)) return wrong(found.path, *bad);
        if (!option->setting.empty()) common.flags[option->setting] = given.back();
        values[option->name] = given;
    }
    common.json = values.contains("--json");
    if (values.contains("--env-file")) common.env_file = values["--env-file"].back();
    if (values.contains("--instance")) common.instance = values["--instance"].back();
    if (values.contains("--timeout")) common.timeout_s = std::stoll(values["--timeout"].back());
    return Call(command, std::move(common), std::move(values));
}

}  // namespace

std::variant<Call, Said> parse(const Command& root, const std::vector<std::string>& words) {
    CLI::App app("", root.name);
    add_commands(app, root);
    app.add_flag("--version");
    try {
        app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
    } catch (const CLI::CallForHelp&) {
        return Said{help_of(find_command(app, root).path), 0};
    } catch (const CLI::ParseError& error) {
        const Found found = find_command(app, root);
        const std::vector<std::string> left = app.remaining(true);
        if (!left.empty()) return unexpected(found.path, left.front());
        return wrong(found.path, std::string(error.what()) + ".");
    }
    const Found found = find_command(app, root);
    if (app.count("--version") > 0) return parse(root, {"version"});
    if (found.path.back()->run) return read_call(found);
    if (found.path.size() == 1) return Said{short_help(root), 0};
    return Said{help_of(found.path), static_cast<int>(Exit::usage)};
}

}  // namespace dyad::cli
