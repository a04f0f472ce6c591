// Completion scripts, written from the tree of subcommands. Keys of contexts are asked of the
// server, which may take no longer than a second.
#include "cli/commands.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

std::string words(const CommandNode& node) {
    std::string out;
    for (const CommandNode& child : node.children)
        out.append(out.empty() ? "" : " ").append(child.name);
    for (const std::string& flag : node.flags)
        out.append(out.empty() ? "" : " ").append(flag);
    return out;
}

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text)
        out.append(c == '\'' ? "'\\''" : std::string(1, c));
    return out + "'";
}

template <class Each>
void walk(const CommandNode& node, const std::string& path, const Each& each) {
    each(node, path);
    for (const CommandNode& child : node.children)
        walk(child, path.empty() ? child.name : path + " " + child.name, each);
}

// Arguments that are one of a few words, and those that are keys.
constexpr const char* kArguments[][2] = {
    {"mode set", "inspired didactic parallel"},
    {"completion", "bash zsh fish"},
    {"conflicts resolve", "stored incoming value"},
};
constexpr const char* kKeyed[] = {"context get",   "context set",    "context merge",
                                  "context patch", "context rm",     "context history",
                                  "context watch", "context restore"};
constexpr const char* kKeys =
    "dyad-memory context ls --keys-only --limit 1000 --timeout 1 2>/dev/null";

std::string arguments_of(const std::string& path) {
    for (const auto& [command, values] : kArguments)
        if (path == command) return std::string(" ") + values;
    return {};
}

std::string bash_cases(const CommandNode& root) {
    std::string out;
    walk(root, "", [&](const CommandNode& node, const std::string& path) {
        out.append("        ").append(quoted(path)).append(") words=");
        out.append(quoted(words(node) + arguments_of(path))).append(" ;;\n");
    });
    return out;
}

// Which words of the line name subcommands.
std::string paths_of(const CommandNode& root) {
    std::string out;
    walk(root, "", [&](const CommandNode&, const std::string& path) {
        if (!path.empty()) out.append("|").append(quoted(path));
    });
    return out.substr(1);
}

std::string keyed_pattern() {
    std::string out;
    for (const char* command : kKeyed)
        out.append(out.empty() ? "" : "|").append(quoted(command));
    return out;
}

// Keys are anybody's text: they are never expanded, and stand quoted on the line. The shell takes a
// word apart at colons, so that what stands before the last one goes.
std::string bash_keys() {
    return "_dyad_memory_keys() {\n"
           "    local line=${COMP_LINE:0:COMP_POINT} key quoted\n"
           "    local typed=${line##*[[:space:]]}\n"
           "    local before=${typed%\"$1\"}\n"
           "    while IFS= read -r key; do\n"
           "        printf -v quoted %q \"$key\"\n"
           "        [[ $key != -* && ($quoted == \"$typed\"* || $key == \"$typed\"*) ]] &&\n"
           "            COMPREPLY+=(\"${quoted#\"$before\"}\")\n"
           "    done < <(" +
           std::string(kKeys) +
           ")\n"
           "}\n";
}

std::string bash_script(const CommandNode& root) {
    return "# Completion of dyad-memory for bash: source <(dyad-memory completion bash)\n" +
           bash_keys() +
           "_dyad_memory() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} path= try word words= IFS=$' \\t\\n'\n"
           "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "        try=${path:+$path }$word\n"
           "        case $try in\n        " +
           paths_of(root) +
           ") path=$try ;;\n        esac\n    done\n"
           "    case $path in\n" +
           bash_cases(root) +
           "    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "    case $path in\n        " +
           keyed_pattern() +
           ")\n            [[ $current == -* ]] || _dyad_memory_keys \"$current\" ;;\n    esac\n"
           "}\n"
           "complete -o default -F _dyad_memory dyad-memory\n";
}

std::string zsh_script(const CommandNode& root) {
    std::string cases;
    walk(root, "", [&](const CommandNode& node, const std::string& path) {
        cases.append("        ").append(quoted(path)).append(")\n            words_=(");
        for (const CommandNode& child : node.children) {
            std::string described = child.name + ":" + child.description;
            cases.append(quoted(described)).append(" ");
        }
        for (const std::string& flag : node.flags)
            cases.append(quoted(flag)).append(" ");
        std::string values = arguments_of(path);
        cases.append(values.empty() ? "" : values.substr(1)).append(") ;;\n");
    });
    return "#compdef dyad-memory\n"
           "# Completion of dyad-memory for zsh: source <(dyad-memory completion zsh)\n"
           "_dyad_memory() {\n"
           "    local path_= try word\n"
           "    local -a words_ keys_\n"
           "    for word in \"${words[@]:1:$((CURRENT-2))}\"; do\n"
           "        try=${path_:+$path_ }$word\n"
           "        case $try in\n        " +
           paths_of(root) +
           ") path_=$try ;;\n        esac\n    done\n"
           "    case $path_ in\n" +
           cases +
           "    esac\n"
           "    _describe 'dyad-memory' words_\n"
           "    case $path_ in\n        " +
           keyed_pattern() + ")\n            keys_=(${(f)\"$(" + kKeys +
           ")\"})\n            compadd -- $keys_ ;;\n    esac\n"
           "}\n"
           "compdef _dyad_memory dyad-memory\n";
}

std::string fish_script(const CommandNode& root) {
    std::string out =
        "# Completion of dyad-memory for fish: dyad-memory completion fish | source\n"
        "function __dyad_memory_path\n"
        "    set -l path\n"
        "    for word in (commandline -opc)[2..-1]\n"
        "        string match -q -- '-*' $word; and continue\n"
        "        set path $path $word\n"
        "    end\n"
        "    string join ' ' $path\n"
        "end\n"
        "function __dyad_memory_at\n"
        "    set -l path (__dyad_memory_path)\n"
        "    test \"$path\" = \"$argv[1]\"\n"
        "end\n"
        "complete -c dyad-memory -f\n";
    walk(root, "", [&](const CommandNode& node, const std::string& path) {
        const std::string at =
            "complete -c dyad-memory -n " + quoted("__dyad_memory_at " + quoted(path));
        for (const CommandNode& child : node.children)
            out.append(at)
                .append(" -a ")
                .append(child.name)
                .append(" -d ")
                .append(quoted(child.description))
                .append("\n");
        for (const std::string& flag : node.flags)
            out.append(at).append(" -l ").append(flag.substr(2)).append("\n");
        if (const std::string values = arguments_of(path); !values.empty())
            out.append(at).append(" -a ").append(quoted(values.substr(1))).append("\n");
        if (std::find(std::begin(kKeyed), std::end(kKeyed), path) != std::end(kKeyed))
            out.append(at)
                .append(" -a ")
                .append(quoted(std::string("(") + kKeys + ")"))
                .append("\n");
    });
    return out;
}

}  // namespace

std::string completion_script(const CommandNode& root, const std::string& shell) {
    if (shell == "zsh") return zsh_script(root);
    if (shell == "fish") return fish_script(root);
    return bash_script(root);
}

}  // namespace dyad::cli
