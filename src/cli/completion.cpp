#include "cli/completion.hpp"

#include "cli/commands.hpp"
#include "cli/terminal.hpp"

namespace dyad::cli {
namespace {

std::vector<const Option*> options_of(const Command& command) {
    std::vector<const Option*> out;
    const auto add = [&](const std::vector<Option>& options) {
        for (const Option& option : options)
            out.push_back(&option);
    };
    add(command.options);
    if (command.commands.empty()) {
        if (command.talks) add(server_options());
        add(common_options());
    }
    return out;
}

template <class Each>
void walk(const Command& command, const std::string& path, Each each) {
    each(command, path);
    for (const Command& below : command.commands)
        walk(below, path.empty() ? below.name : path + " " + below.name, each);
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out.append(out.empty() ? "" : " ").append(word);
    return out;
}

// A text inside single quotes of a shell.
std::string quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'')
            out.append("'\\''");
        else
            out += c;
    }
    return out + "'";
}

std::string words_after(const Command& command) {
    std::vector<std::string> words;
    for (const Command& below : command.commands) {
        words.push_back(below.name);
        if (!below.alias.empty()) words.push_back(below.alias);
    }
    for (const Option* option : options_of(command)) {
        if (option->is_argument())
            words.insert(words.end(), option->choices.begin(), option->choices.end());
        else
            words.push_back(option->name);
    }
    words.emplace_back("--help");
    return joined(words);
}

// "serve|context set": what selects a command, its alias included.
std::string pattern(const Command& command, const std::string& path) {
    std::string out = "\"" + path + "\"";
    if (!command.alias.empty())
        out.append("|\"" + path.substr(0, path.size() - command.name.size()) + command.alias + "\"");
    return out;
}

}  // namespace

std::string bash_completion(const Command& root) {
    std::string words, values;
    walk(root, "", [&](const Command& command, const std::string& path) {
        words.append("    ").append(pattern(command, path)).append(") words=");
        words.append(quoted(words_after(command))).append(" ;;\n");
        for (const Option* option : options_of(command))
            if (!option->is_argument() && !option->choices.empty())
                values.append("    \"" + path + " " + option->name + "\") words=" +
                              quoted(joined(option->choices)) + " ;;\n");
    });
    return "# bash completion of dyad-memory: source <(dyad-memory completion bash)\n"
           "_dyad_memory() {\n"
           "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
           "  local path= words= word\n"
           "  COMPREPLY=()\n"
           "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "    case \"${path:+$path }$word\" in\n"
           "    " + [&] {
               std::string known;
               walk(root, "", [&](const Command& command, const std::string& path) {
                   if (path.empty()) return;
                   known.append(known.empty() ? "" : "|").append(pattern(command, path));
               });
               return known;
           }() + ") path=\"${path:+$path }$word\" ;;\n"
           "    esac\n"
           "  done\n"
           "  case \"$previous\" in\n"
           "  --env-file|--data-dir) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
           "  esac\n"
           "  case \"$path $previous\" in\n" +
           values +
           "    *) case \"$path\" in\n" + words +
           "    esac ;;\n"
           "  esac\n"
           "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
           "}\n"
           "complete -o default -F _dyad_memory dyad-memory\n";
}

std::string zsh_completion(const Command& root) {
    return "#compdef dyad-memory\n"
           "# zsh completion of dyad-memory: source <(dyad-memory completion zsh)\n"
           "autoload -U +X bashcompinit && bashcompinit\n" +
           bash_completion(root);
}

std::string fish_completion(const Command& root) {
    std::string out =
        "# fish completion of dyad-memory: dyad-memory completion fish | source\n"
        "function __dyad_memory_path\n"
        "  set -l path\n"
        "  for word in (commandline -opc)[2..-1]\n"
        "    string match -q -- '-*' $word; or set path $path $word\n"
        "  end\n"
        "  test \"$path[1..\"(count (string split ' ' -- $argv[1]))\"]\" = \"$argv[1]\"\n"
        "end\n"
        "complete -c dyad-memory -f\n";
    walk(root, "", [&](const Command& command, const std::string& path) {
        const std::string when =
            path.empty() ? "__fish_use_subcommand" : "__dyad_memory_path " + quoted(path);
        for (const Command& below : command.commands)
            out.append("complete -c dyad-memory -n ").append(quoted(when)).append(" -a ").append(
                below.name).append(" -d ").append(quoted(below.summary)).append("\n");
        for (const Option* option : options_of(command)) {
            if (option->is_argument()) {
                if (!option->choices.empty())
                    out.append("complete -c dyad-memory -n ").append(quoted(when)).append(
                        " -a ").append(quoted(joined(option->choices))).append("\n");
                continue;
            }
            out.append("complete -c dyad-memory -n ").append(quoted(when)).append(" -l ").append(
                option->name.substr(2));
            if (!option->value.empty()) out.append(" -r");
            if (!option->choices.empty())
                out.append(" -a ").append(quoted(joined(option->choices)));
            out.append(" -d ").append(quoted(option->help)).append("\n");
        }
    });
    return out;
}

Command completion_command() {
    Command command;
    command.name = "completion";
    command.summary = "Prints a completion script for bash, zsh or fish.";
    command.talks = false;
    command.options = {argument("SHELL", "bash, zsh or fish")};
    command.options[0].choices = {"bash", "zsh", "fish"};
    command.options[0].value = "bash|zsh|fish";
    command.examples = {"source <(dyad-memory completion bash)",
                        "dyad-memory completion fish > "
                        "~/.config/fish/completions/dyad-memory.fish"};
    command.run = [](const Call& call) {
        const Command root = root_command();
        const std::string shell = call.text("SHELL");
        print(shell == "bash"  ? bash_completion(root)
              : shell == "zsh" ? zsh_completion(root)
                               : fish_completion(root));
        return 0;
    };
    return command;
}

}  // namespace dyad::cli
