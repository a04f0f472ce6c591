#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/parse.hpp"
#include "cli/terminal.hpp"

namespace {

int run(const std::vector<std::string>& words) {
    using namespace dyad::cli;
    const Command root = root_command();
    const auto parsed = parse(root, words);
    int status = 0;
    if (const auto* call = std::get_if<Call>(&parsed)) {
        status = call->command().run(*call);
    } else {
        const Said& said = std::get<Said>(parsed);
        status = said.status;
        if (status == 0)
            print(said.text);
        else
            complain(said.text.starts_with("Usage") ? said.text : "dyad-memory: " + said.text);
    }
    if (flush_output()) return status;
    complain("dyad-memory: not all of the output could be written");
    return static_cast<int>(Exit::failed);
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_DFL);  // the end of a pipe ends us, as it does other tools
    try {
        return run({argv + std::min(argc, 1), argv + argc});
    } catch (const std::exception& error) {
        dyad::cli::complain(std::string("dyad-memory: ") + error.what());
        return 1;
    }
}
