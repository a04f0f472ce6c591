// Completion scripts. They hand the line to `dyad-memory complete`, which knows the commands, and
// insert what it prints: a candidate in each line, for zsh and fish with a description behind a
// tab. An example of what it asks a server for: dyad-memory context ls --keys-only
#include "cli/command.hpp"
#include "cli/command_line.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

#include <filesystem>

#include <CLI/CLI.hpp>

namespace dyad::cli {
namespace {

constexpr const char* kBash = R"(_dyad_memory() {
    local line=${COMP_LINE:0:${COMP_POINT:-0}} candidate IFS=$' \t\n'
    [[ $line ]] || line=${COMP_WORDS[*]:0:COMP_CWORD+1}
    local breaks=$COMP_WORDBREAKS
    [[ ${COMP_WORDS[COMP_CWORD]} == *[:=]?* ]] && breaks=
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(_dyad_memory_program complete bash "$line" "$breaks" 2>/dev/null)
}
complete -o default -F _dyad_memory dyad-memory
)";

constexpr const char* kZsh = R"(_dyad_memory() {
    local line candidate
    local -a names shown
    line="${(j: :)words[1,CURRENT]}"
    _dyad_memory_program complete zsh "$line" 2>/dev/null | while IFS= read -r candidate; do
        names+=("${candidate%%$'\t'*}")
        shown+=("${candidate/$'\t'/  }")
    done
    if (( $#names )); then compadd -d shown -- $names; else _files; fi
}
compdef _dyad_memory dyad-memory
)";

constexpr const char* kFish = R"(function __dyad_memory_complete
    set -l found (_dyad_memory_program complete fish (commandline -cp) 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c dyad-memory -f -a '(__dyad_memory_complete)'
)";

// The program on the PATH, or else the one that printed the script: `@`.
constexpr const char* kProgram = R"(_dyad_memory_program() {
    if type -P dyad-memory >/dev/null 2>&1 || whence -p dyad-memory >/dev/null 2>&1; then
        command dyad-memory "$@"
    else
        @ "$@"
    fi
}
)";
constexpr const char* kFishProgram = R"(function _dyad_memory_program
    set -l program (command -v dyad-memory; or echo @)
    $program[1] $argv
end
)";

Exit print_script(const std::string& shell) {
    if (shell == "zsh") print_line("#compdef dyad-memory");
    print_line("# Completion of dyad-memory for " + shell +
               ", as in: dyad-memory context get <TAB>\n# Keys are those of: dyad-memory context "
               "ls --keys-only");
    std::string program = shell == "fish" ? kFishProgram : kProgram;
    std::error_code error;
    const std::string here = std::filesystem::read_symlink("/proc/self/exe", error).string();
    program.replace(program.find(shell == "fish" ? "@)" : "@ "), 1, in_quotes(here));
    print(program);
    print(shell == "zsh" ? kZsh : shell == "fish" ? kFish : kBash);
    return Exit::ok;
}

Exit complete(const CommonOptions&, const CompleteOptions& options) {
    CLI::App app;
    Parsed parsed;
    declare_commands(app, parsed);
    return run_complete(app, options);
}

}  // namespace

void add_completion(Command& root) {
    const auto o = std::make_shared<CompleteOptions>();
    root.add("completion", "Print a completion script for a shell",
             Run([o](const CommonOptions&) { return print_script(o->shell); }))
        .word("SHELL", o->shell, {"bash", "zsh", "fish"}, "bash, zsh or fish")
        .footer(
            "bash:  source <(dyad-memory completion bash)\n"
            "zsh:   source <(dyad-memory completion zsh)\n"
            "fish:  dyad-memory completion fish | source\n");
    root.add("complete", "What may stand at the end of a line", complete, o)
        .text("SHELL", o->shell, "")
        .text("LINE", o->line, "")
        .text("BREAKS", o->breaks, "")
        .required(false)
        .hide();  // for the scripts alone
}

}  // namespace dyad::cli
