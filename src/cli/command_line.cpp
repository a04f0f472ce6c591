#include "cli/command_line.hpp"

#include "cli/command.hpp"
#include "cli/json_members.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

#include <algorithm>
#include <memory>
#include <sstream>

#include <CLI/CLI.hpp>

namespace dyad::cli {
namespace {

constexpr const char* kAbout =
    "One memory for many AI assistants: contexts, modes and the audit of responses, in one order "
    "for everybody.";
constexpr const char* kExits =
    "Exit status: 0 done, 1 refused or failed, 2 wrong usage or settings, 3 no server answers,\n"
    "             4 there is no such thing, 5 another version is stored.\n"
    "Settings:    flag, environment, .env, ~/.config/dyad-memory/config.env, default; all of "
    "them:\n"
    "             dyad-memory config list";

// Descriptions in lines that fit a terminal, types by their plain name.
class HelpFormatter final : public CLI::Formatter {
  public:
    std::string make_option_desc(const CLI::Option* option) const override {
        constexpr std::size_t kColumns = 66;  // beside the names
        std::string out;
        std::size_t column = 0;
        std::istringstream words(CLI::Formatter::make_option_desc(option));
        for (std::string word; words >> word; column += word.size()) {
            const bool breaks = column > 0 && column + 1 + word.size() > kColumns;
            if (column > 0) out += breaks ? '\n' : ' ';
            column = breaks || column == 0 ? 0 : column + 1;
            out.append(word);
        }
        return out;
    }
    std::string make_option_opts(const CLI::Option* option) const override {
        const std::string type = option->get_type_name();
        if (option->get_expected_max() == 0 || !option->nonpositional() || type.empty()) return {};
        return " " + type.substr(0, type.find(':'));
    }
};

void print_welcome() {
    print_line(paint(Colour::bold, "dyad-memory") + ": one memory for many AI assistants\n");
    for (const auto& [command, what] : {std::pair{"serve", "run the server"},
                                        {"status", "see whether everything works"},
                                        {"context set KEY '{\"a\":1}'", "remember something"},
                                        {"context get KEY", "read it again"},
                                        {"events --follow", "watch changes as they happen"}}) {
        const std::string whole = std::string("dyad-memory ") + command;
        print_line("  " + paint(Colour::cyan, whole) + std::string(42 - whole.size(), ' ') + what);
    }
    print_line("\nSomething wrong?  dyad-memory doctor\nEverything else:  dyad-memory --help");
}

Exit print_version(const CommonOptions& common) {
    if (common.json)
        print_json(boost::json::object{{"name", "dyad-memory"}, {"version", DYAD_VERSION}});
    else
        print_line(std::string("dyad-memory ") + DYAD_VERSION);
    return Exit::ok;
}

// Says what is wrong with the command line, and what may have been meant.
Exit explain_usage(std::string message, const CLI::App& root, const CommonOptions& common,
                   const std::vector<std::string>& words) {
    const CLI::App* at = &root;
    std::string named;  // of the deepest subcommand
    auto next = words.begin();
    for (const CLI::App* child; next != words.end() && (child = subcommand(*at, *next)); ++next) {
        at = child;
        named.append(" ").append(*next);
    }
    std::vector<std::string> commands;
    for (const CLI::App* child : subcommands(*at))
        commands.push_back(child->get_name());
    std::string near;
    if (next == words.end() && !commands.empty()) {
        message = (named.empty() ? "this" : named.substr(1)) + " needs one of:";
        for (const std::string& name : commands)
            message.append(" ").append(name);
    } else if (next != words.end() && !next->starts_with('-') && !commands.empty()) {
        message = "there is no command \"" + *next + "\"";
        near = nearest(*next, commands, 2);
    } else {
        std::vector<std::string> flags;
        for (const CLI::Option* option : at->get_options())
            for (const std::string& name : option->get_lnames())
                flags.push_back("--" + name);
        for (; next != words.end() && near.empty(); ++next) {
            const std::string word = next->substr(0, next->find('='));
            if (word.starts_with("--") &&
                std::find(flags.begin(), flags.end(), word) == flags.end())
                near = nearest(word, flags, 2);
        }
    }
    const Exit status = refuse_usage(common, message);
    if (common.json) return status;
    if (!near.empty()) complain("Did you mean " + near + "?");
    complain("See: dyad-memory" + printable(named) + " --help");
    return status;
}

Exit run_in(CLI::App& app, Parsed& parsed, int argc, char** argv) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        print(app.help());
        return Exit::ok;
    } catch (const CLI::ParseError& error) {
        const std::vector<std::string> words(argv + 1, argv + argc);
        parsed.common.json = std::find(words.begin(), words.end(), "--json") != words.end();
        return explain_usage(error.what(), app, parsed.common, words);
    }
    if (!parsed.run) {
        print_welcome();
        return argc <= 1 ? Exit::ok : Exit::usage;
    }
    try {
        return parsed.run();
    } catch (const std::exception& error) {
        complain(std::string("dyad-memory: failed: ") + printable(error.what()));
        return Exit::failed;
    }
}

}  // namespace

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App* child) { return !child->get_group().empty(); });
}

const CLI::App* subcommand(const CLI::App& app, const std::string& name) {
    for (const CLI::App* child : subcommands(app))
        if (child->check_name(name)) return child;
    return nullptr;
}

void declare_commands(CLI::App& app, Parsed& parsed) {
    app.name("dyad-memory");
    app.description(kAbout);
    app.formatter(std::make_shared<HelpFormatter>());
    app.footer(kExits);
    Command root(app, parsed);
    root.describe_root(print_version);
    for (const auto add :
         {add_serve,     add_status,   add_doctor,    add_salvage, add_moving,  add_top,
          add_context,   add_mode,     add_events,    add_watch,   add_hook,    add_import,
          add_instances, add_response, add_conflicts, add_mcp,     add_connect, add_bridge,
          add_bench,     add_config,   add_completion})
        add(root);
    root.add("version", "Print the version", Run(print_version));
}

int run(int argc, char** argv) {
    prepare_streams();
    CLI::App app;
    Parsed parsed;
    declare_commands(app, parsed);
    Exit status = run_in(app, parsed, argc, argv);
    if (!flush_output()) {
        complain("dyad-memory: the output could not be written");
        if (status == Exit::ok) status = Exit::failed;
    }
    return static_cast<int>(status);
}

}  // namespace dyad::cli
