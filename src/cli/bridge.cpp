// `dyad-memory bridge`.
#include "base/sha256.hpp"
#include "cli/bridge_run.hpp"
#include "cli/command.hpp"
#include "cli/path_expansion.hpp"
#include "cli/terminal.hpp"

#include <algorithm>

namespace dyad::cli {
namespace {

constexpr std::int64_t kLiveTimeoutS = 5;

struct BridgeOptions {
    ProjectOptions project;
    bool deletes = false, restores = false, adopts = false;
    bool dry = false, once = false, status = false;
};

// A folder of the environment, or the one below the home folder; empty where there is none.
std::string folder_of(const char* variable, const char* below_home) {
    const Surroundings surroundings = system_surroundings();
    for (const std::string& text :
         {surroundings.variable(variable).value_or(""), std::string("~").append(below_home)})
        if (const Result<std::string> path = expand_path(text, surroundings);
            path && path->starts_with('/'))
            return *path;
    return {};
}

// What is remembered of a folder's files belongs to one memory: its server and its user.
std::string records_folder(const RestClient& client, const Project& project) {
    const Hash hash = sha256({client.url().text(), "\n", client.user().value_or(""), "\n",
                              project.root(), "\n", project.name()});
    const std::string state = folder_of("XDG_STATE_HOME", "/.local/state");
    if (state.empty()) return {};
    return state + "/dyad-memory/bridge/" + to_hex(std::span(hash).first(8));
}

Failure failure_of(const Error& error) {
    const bool usage = error.code == Errc::invalid_field || error.code == Errc::missing_field ||
                       error.code == Errc::too_large;
    return {usage ? Exit::usage : Exit::failed, std::string(error_row(error.code).name),
            error.detail, nullptr};
}

Exit run_bridge(const CommonOptions& given, const BridgeOptions& options) {
    CommonOptions common = given;
    const bool live = !options.once && !options.dry && !options.status;
    if (live) common.timeout_s = std::min(common.timeout_s, kLiveTimeoutS);
    ProjectOptions wanted = options.project;
    wanted.claude = folder_of("CLAUDE_CONFIG_DIR", "/.claude");
    wanted.claude_project =
        system_surroundings().variable("CLAUDE_CODE_PROJECT_DIR_NAME").value_or("");
    const Result<Project> project = Project::open(wanted);
    if (!project) return report(common, failure_of(project.error()));
    std::optional<RestClient> client = RestClient::open(common);
    if (!client) return Exit::usage;
    if (const Answer met = client->meet(true); !met) return client->report(*met.failure);
    const bool dry = options.dry || options.status;
    const std::string folder = records_folder(*client, *project);
    if (folder.empty())
        return refuse_usage(common,
                            "there is no folder to remember things in: set HOME or "
                            "XDG_STATE_HOME");
    const Result<Records> records = Records::open(folder, !dry);
    if (!records) return client->report(failure_of(records.error()));
    BridgeRun run(*client, *project, *records,
                  {options.deletes, options.restores, options.adopts, dry});
    if (const Status met = run.meet(); !met) return client->report(failure_of(met.error()));
    if (!client->json() && !options.status)
        complain(paint(Colour::dim,
                       printable(project->root() + " as the project \"" + project->name() + "\"")));
    if (options.status) {
        run.show_all();
        return run.status();
    }
    if (live) return keep_in_step(*client, *project, run);
    run.sync_all();
    return run.status();
}

}  // namespace

void add_bridge(Command& root) {
    const auto o = std::make_shared<BridgeOptions>();
    root.add("bridge", "Keep CLAUDE.md, AGENTS.md and the like one with the memory",
             Run([o](const CommonOptions& common) { return run_bridge(common, *o); }))
        .flag("--dry-run", o->dry, "Show what would change on both sides, and change nothing")
        .flag("--once", o->once, "Do it once and end, instead of going on until Ctrl-C")
        .flag("--status", o->status, "List the files, and what each needs")
        .path("--root", o->project.root, "The project's folder [the working directory]")
        .text("--project", o->project.name,
              "What the project is called on every machine [git's remote origin, or the folder's "
              "name]",
              "NAME")
        .texts("--file", o->project.files,
               "Only this file, by its path below the folder; may be repeated", "PATH")
        .path("--memory", o->project.memory,
              "Claude's memory folder [~/.claude/projects/<project>/memory]")
        .flag("--whole", o->project.whole, "Share files as a whole, not a block of each")
        .flag("--adopt", o->adopts, "Put all that a file without a block holds into one")
        .flag("--restore", o->restores, "Bring back what was deleted on one side")
        .flag("--delete", o->deletes, "What is deleted on one side is deleted on the other")
        .footer(
            "Of CLAUDE.md, .claude/CLAUDE.md, AGENTS.md, AI_RULES.md and .cursorrules what stands "
            "between\nthe lines <!-- dyad-memory:begin --> and <!-- dyad-memory:end --> is shared; "
            "of\n.cursor/rules/*.mdc and Claude's memory folder all of it. With --once, --dry-run "
            "and --status\nthe exit status is 5 where a file is in conflict, 1 where one was "
            "skipped.\n");
}

}  // namespace dyad::cli
