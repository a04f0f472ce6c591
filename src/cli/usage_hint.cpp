// What is said of a command line that does not read, or that says nothing.
#include "cli/command_line.hpp"
#include "cli/invocation.hpp"
#include "cli/nearest.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

// The deepest subcommand that was named, for hints.
const CommandNode* deepest(const CommandNode& root, int argc, char** argv, int& next) {
    const CommandNode* at = &root;
    for (next = 1; next < argc; ++next) {
        const CommandNode* found = nullptr;
        for (const CommandNode& child : at->children)
            if (child.name == argv[next] || std::find(child.aliases.begin(), child.aliases.end(),
                                                      argv[next]) != child.aliases.end())
                found = &child;
        if (found == nullptr) return at;
        at = found;
    }
    return at;
}

}  // namespace

void print_welcome() {
    print_line(paint(Colour::bold, "dyad-memory") + ": one memory for many AI assistants\n");
    const auto line = [](const char* command, const char* what) {
        std::string text = "  " + paint(Colour::cyan, command);
        text.append(42 - columns_of(command), ' ');
        print_line(text + what);
    };
    line("dyad-memory serve", "run the server");
    line("dyad-memory status", "see whether everything works");
    line("dyad-memory context set KEY '{\"a\":1}'", "remember something");
    line("dyad-memory context get KEY", "read it again");
    line("dyad-memory events --follow", "watch changes as they happen");
    print_line("\nSomething wrong?  dyad-memory doctor\nEverything else:  dyad-memory --help");
}

int explain_usage(const std::string& parser_said, const CommandNode& root, int argc, char** argv) {
    int next = 1;
    const CommandNode* const at = deepest(root, argc, argv, next);
    std::string named;
    for (int i = 1; i < next; ++i)
        named.append(" ").append(argv[i]);
    std::string message = parser_said;
    const bool stray = next < argc && argv[next][0] != '-' && !at->children.empty();
    if (stray) message = "there is no command \"" + std::string(argv[next]) + "\"";
    if (next >= argc && !at->children.empty()) {
        message = (named.empty() ? "this" : named.substr(1)) + " needs one of:";
        for (const CommandNode& child : at->children)
            message.append(" ").append(child.name);
    }
    if (std::find(argv, argv + argc, std::string_view("--json")) != argv + argc)
        return refuse_usage(true, message);
    complain("dyad-memory: " + printable(message));
    std::string near;
    std::size_t best = 3;
    const auto consider = [&](std::string_view word, const std::string& candidate) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance < best && distance * 2 < candidate.size()) {
            best = distance;
            near = candidate;
        }
    };
    if (stray)
        for (const CommandNode& child : at->children)
            consider(argv[next], child.name);
    for (int i = next; !stray && i < argc; ++i) {
        const std::string word = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
        std::vector<std::string> flags;
        for (const CommandOption& option : at->options)
            flags.insert(flags.end(), option.names.begin(), option.names.end());
        if (word.starts_with("--") && std::find(flags.begin(), flags.end(), word) == flags.end())
            for (const std::string& flag : flags)
                consider(word, flag);
    }
    if (!near.empty()) complain("Did you mean " + near + "?");
    complain("See: dyad-memory" + printable(named) + " --help");
    return static_cast<int>(Exit::usage);
}

}  // namespace dyad::cli
