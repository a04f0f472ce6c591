// Completion scripts. They hand the line to `dyad-memory complete`, which knows the commands, and
// insert what it prints: a candidate in each line, for zsh and fish with a description behind a
// tab. An example of what it asks a server for: dyad-memory context ls --keys-only
#include "cli/commands.hpp"

#include <filesystem>

namespace dyad::cli {
namespace {

constexpr const char* kBash =
    "_dyad_memory() {\n"
    "    local line=${COMP_LINE:0:${COMP_POINT:-0}} candidate IFS=$' \\t\\n'\n"
    "    [[ $line ]] || line=${COMP_WORDS[*]:0:COMP_CWORD+1}\n"
    "    local breaks=$COMP_WORDBREAKS\n"
    "    [[ ${COMP_WORDS[COMP_CWORD]} == *[:=]?* ]] && breaks=\n"
    "    COMPREPLY=()\n"
    "    while IFS= read -r candidate; do\n"
    "        COMPREPLY+=(\"$candidate\")\n"
    "    done < <(_dyad_memory_program complete bash \"$line\" \"$breaks\" 2>/dev/null)\n"
    "}\n"
    "complete -o default -F _dyad_memory dyad-memory\n";

constexpr const char* kZsh =
    "_dyad_memory() {\n"
    "    local line candidate\n"
    "    local -a names shown\n"
    "    line=\"${(j: :)words[1,CURRENT]}\"\n"
    "    _dyad_memory_program complete zsh \"$line\" 2>/dev/null | while IFS= read -r candidate; "
    "do\n"
    "        names+=(\"${candidate%%$'\\t'*}\")\n"
    "        shown+=(\"${candidate/$'\\t'/  }\")\n"
    "    done\n"
    "    if (( $#names )); then compadd -d shown -- $names; else _files; fi\n"
    "}\n"
    "compdef _dyad_memory dyad-memory\n";

constexpr const char* kFish =
    "function __dyad_memory_complete\n"
    "    set -l found (_dyad_memory_program complete fish (commandline -cp) 2>/dev/null)\n"
    "    if set -q found[1]\n"
    "        printf '%s\\n' $found\n"
    "    else\n"
    "        __fish_complete_path (commandline -ct)\n"
    "    end\n"
    "end\n"
    "complete -c dyad-memory -f -a '(__dyad_memory_complete)'\n";

std::string quoted(const std::string& text) {
    std::string out = "'";
    for (const char c : text)
        out.append(c == '\'' ? "'\\''" : std::string(1, c));
    return out + "'";
}

// The program on the PATH, or the one that printed the script.
std::string program(bool fish) {
    std::error_code error;
    const std::string here =
        quoted(std::filesystem::read_symlink("/proc/self/exe", error).string());
    if (fish)
        return "function _dyad_memory_program\n"
               "    set -l program (command -v dyad-memory; or echo " +
               here +
               ")\n"
               "    $program[1] $argv\n"
               "end\n";
    return "_dyad_memory_program() {\n"
           "    if type -P dyad-memory >/dev/null 2>&1 || whence -p dyad-memory >/dev/null 2>&1; "
           "then\n        command dyad-memory \"$@\"\n    else\n        " +
           here + " \"$@\"\n    fi\n}\n";
}

}  // namespace

std::string completion_script(const std::string& shell) {
    const std::string head =
        "# Completion of dyad-memory for " + shell +
        ", as in: dyad-memory context get <TAB>\n# Keys are those of: dyad-memory context ls "
        "--keys-only\n" +
        program(shell == "fish");
    if (shell == "zsh") return "#compdef dyad-memory\n" + head + kZsh;
    return head + (shell == "fish" ? kFish : kBash);
}

}  // namespace dyad::cli
