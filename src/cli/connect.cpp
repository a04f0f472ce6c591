// `dyad-memory connect` and `disconnect`.
#include "cli/client_files.hpp"
#include "cli/command.hpp"
#include "cli/config_file.hpp"
#include "cli/json_members.hpp"
#include "cli/path_expansion.hpp"
#include "cli/rest_client.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"
#include "edit/diff.hpp"

#include <cstring>
#include <filesystem>
#include <iostream>

#include <spawn.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

namespace fs = std::filesystem;

struct ConnectOptions {
    std::string client;
    std::string project;
    bool stdio = false;
    bool no_hooks = false;
    bool yes = false;
    bool dry_run = false;
    bool open = false;
};

// What is to become of one file.
struct Change {
    ConfigFile file;
    std::string after;
    bool removes = false;   // the file
    bool restores = false;  // what the copy has, which goes
    bool copies = false;

    std::string before() const { return file.text().value_or(""); }
    bool changes() const { return removes || after != before(); }
};

Error in_file(const ConfigFile& file, const Error& error) {
    return fail(error.code, file.path() + ": " + error.detail + "; nothing was changed");
}

// By its name where that is found, so that it stays right after the next installation.
std::string own_program() {
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    const std::optional<std::string> path = system_surroundings().variable("PATH");
    for (std::string_view folders = path ? *path : std::string_view(); !folders.empty();) {
        const fs::path program = fs::path(take_part(folders, ':')) / "dyad-memory";
        if (!fs::exists(program, error)) continue;
        if (fs::equivalent(program, self, error)) return "dyad-memory";
        break;
    }
    return self.string();
}

std::optional<Ways> ways_of(const CommonOptions& common, const ConnectOptions& options) {
    const std::optional<Resolved> settings = client_settings(common);
    if (!settings) return std::nullopt;
    if (!settings->home) {
        refuse_usage(common, "there is no HOME, in which clients keep their settings");
        return std::nullopt;
    }
    Ways ways;
    const bool given = settings->at("DYAD_URL").given;
    Url url = *Url::parse(settings->url());
    if (!given && url.host == "localhost") url.host = "127.0.0.1";
    ways.url = url.text() + "/mcp";
    ways.program = own_program();
    if (given) ways.options = {"--url", url.text()};
    if (settings->at("DISTRIBUTED_USER_ID").given) {
        ways.user = settings->user_id();
        ways.options.insert(ways.options.end(), {"--user", ways.user});
    }
    ways.stdio = options.stdio;
    ways.hooks = !options.no_hooks;
    ways.home = *settings->home;
    ways.config_home = folder_or("XDG_CONFIG_HOME", ways.home + "/.config");
    if (!options.project.empty()) {
        std::error_code error;
        ways.project = fs::canonical(options.project, error).string();
        if (error || !fs::is_directory(*ways.project, error)) {
            refuse_usage(common, "--project: there is no folder " + options.project);
            return std::nullopt;
        }
    }
    return ways;
}

// Whether the copy is what was there before us, and our entries are all that came since.
bool is_before_us(const ClientFile& client, const std::string& backup, const std::string& text) {
    const Result<std::string> clean = client.take_out_of(backup);
    const Result<ClientFile> ours = client.as_in(text);
    if (!clean || *clean != backup || !ours || ours->entries.empty()) return false;
    const Result<std::string> again = ours->put_into(backup);
    return again && *again == text;
}

bool is_empty(std::string_view text) {
    const std::string_view left = trimmed(text);
    return left.empty() || left == "{}";
}

// We made it, and nobody else has put anything into it.
bool is_made_by_us(const ClientFile& client, const std::string& text) {
    const Result<std::string> clean = client.take_out_of(text);
    return clean && *clean != text && is_empty(*clean);
}

Result<Change> plan_connect(const ClientFile& client) {
    ASSIGN_OR_RETURN(ConfigFile file, ConfigFile::read(client.path));
    Change change{std::move(file), {}};
    const std::string before = change.before();
    Result<std::string> after = client.put_into(before);
    if (!after) return in_file(change.file, after.error());
    change.after = *std::move(after);
    const std::optional<std::string>& backup = change.file.backup();
    change.copies =
        change.file.text() && !client.is_ours() &&
        !(backup ? is_before_us(client, *backup, before) : is_made_by_us(client, before));
    return change;
}

Result<Change> plan_disconnect(const ClientFile& client) {
    ASSIGN_OR_RETURN(ConfigFile file, ConfigFile::read(client.path));
    Change change{std::move(file), {}};
    const std::string before = change.before();
    change.after = before;
    if (!change.file.text()) return change;
    if (client.is_ours()) {
        change.removes = before == client.entries[0].value;
        return change;
    }
    const std::optional<std::string>& backup = change.file.backup();
    if (backup && is_before_us(client, *backup, before)) {
        change.after = *backup;
        change.restores = true;
        return change;
    }
    Result<std::string> after = client.take_out_of(before);
    if (!after) return in_file(change.file, after.error());
    change.after = *std::move(after);
    change.removes = !backup && is_made_by_us(client, before);
    change.copies = change.after != before && !change.removes;
    return change;
}

Status carry_out(const Change& change) {
    if (change.copies) TRY(change.file.write_backup());
    if (change.removes) {
        TRY(change.file.remove());
    } else {
        TRY(change.file.write(change.after));
    }
    if (change.restores) change.file.remove_backup();
    return Done{};
}

void show(const std::string& diff) {
    for (std::string_view rest = diff; !rest.empty();) {
        const std::string line = printable(take_part(rest, '\n'));
        const Colour colour = line.starts_with("+++") || line.starts_with("---") ? Colour::bold
                              : line.starts_with('+')                            ? Colour::green
                              : line.starts_with('-')                            ? Colour::red
                              : line.starts_with("@@")                           ? Colour::cyan
                                                                                 : Colour::plain;
        print_line(colour == Colour::plain ? line : paint(colour, line));
    }
}

std::string diff_of(const Change& change) {
    const std::string& path = change.file.path();
    return edit::unified_diff(change.before(), change.removes ? "" : change.after,
                              change.file.text() ? path : "/dev/null",
                              change.removes ? "/dev/null" : path);
}

bool agreed() {
    print("Write this? [y/N] ");
    flush_output();
    std::string answer;
    std::getline(std::cin, answer);
    const std::string word = to_lower(trimmed(answer));
    return word == "y" || word == "yes";
}

Exit report_error(const CommonOptions& common, const Error& error) {
    return report(common, {.exit = error.code == Errc::invalid_field ? Exit::usage : Exit::failed,
                           .code = std::string(error_row(error.code).name),
                           .message = error.detail});
}

Exit print_changes(const std::vector<Change>& changes, bool written) {
    boost::json::array files;
    for (const Change& change : changes)
        files.push_back(boost::json::object{{"file", change.file.path()},
                                            {"diff", diff_of(change)},
                                            {"written", written && change.changes()}});
    print_json(boost::json::object{{"files", std::move(files)}});
    return Exit::ok;
}

Exit change_files(const CommonOptions& common, const ConnectOptions& options,
                  const std::vector<ClientFile>& files, Result<Change> (*plan)(const ClientFile&),
                  const std::string& done) {
    std::vector<Change> changes;
    bool any = false;
    for (const ClientFile& file : files) {
        Result<Change> change = plan(file);
        if (!change) return report_error(common, change.error());
        any = any || change->changes();
        changes.push_back(*std::move(change));
    }
    if (!common.json)
        for (const Change& change : changes)
            show(diff_of(change));
    const bool asks = any && !options.yes && !options.dry_run;
    if (!any && !common.json) print_line("Nothing to do: it is so already.");
    if (asks && (common.json || isatty(STDIN_FILENO) == 0))
        return refuse_usage(common,
                            "say --yes to write this without being asked, or --dry-run to "
                            "see it only; nothing was changed");
    if (asks && !agreed()) {
        print_line("Nothing was changed.");
        return Exit::failed;
    }
    const bool writes = any && !options.dry_run;
    for (const Change& change : changes)
        if (writes && change.changes())
            if (const Status good = carry_out(change); !good)
                return report_error(common, good.error());
    if (common.json) return print_changes(changes, writes);
    if (writes) print_line(done);
    return Exit::ok;
}

Exit open_link(const CommonOptions& common, const std::string& link) {
    std::string program = "xdg-open", argument = link;
    char* const words[] = {program.data(), argument.data(), nullptr};
    pid_t process = 0;
    const int code = posix_spawnp(&process, "xdg-open", nullptr, nullptr, words, environ);
    if (code == 0) return Exit::ok;
    return report(common, {.message = std::string("xdg-open cannot be run: ") +
                                      std::strerror(code) + "; open the link yourself"});
}

Exit connect_dyad(const CommonOptions& common, const ConnectOptions& options, const Ways& ways) {
    const std::string link = dyad_link(ways);
    if (common.json)
        print_json(boost::json::object{{"link", link}});
    else
        print_line("Dyad adds the server when this link is opened:\n\n  " + link + "\n");
    if (!options.open || options.dry_run) return Exit::ok;
    flush_output();
    return open_link(common, link);
}

std::string how_to_go_on(Client client, const Ways& ways) {
    switch (client) {
        case Client::claude_code:
            return "Connected. Claude Code reads it at its next start; /mcp shows the server.";
        case Client::codex:
            return "Connected. Codex reads it at its next start, and asks for /hooks once.";
        case Client::cursor:
            return "Connected. Cursor shows the server in Settings, MCP.";
        case Client::vscode:
            return "Connected. VS Code shows the server with \"MCP: List Servers\".";
        case Client::agent_plugin:
            return "The plugin is in " + plugin_folder(ways) +
                   "; docs/connect.md says how each "
                   "client takes it.";
        case Client::dyad:
            break;
    }
    return {};
}

Exit run_connect(const CommonOptions& common, const ConnectOptions& options) {
    const std::optional<Ways> ways = ways_of(common, options);
    if (!ways) return Exit::usage;
    const Client client = client_by_name(options.client);
    if (client == Client::dyad) return connect_dyad(common, options, *ways);
    return change_files(common, options, files_of(client, *ways), plan_connect,
                        how_to_go_on(client, *ways));
}

// Those of the plugin, once their files are gone.
void remove_empty_folders(const fs::path& folder) {
    std::error_code not_empty;
    for (const PluginFile& file : plugin_files())
        for (fs::path at = (folder / file.name).parent_path(); at != folder.parent_path();
             at = at.parent_path())
            fs::remove(at, not_empty);
}

Exit run_disconnect(const CommonOptions& common, const ConnectOptions& options) {
    const std::optional<Ways> ways = ways_of(common, options);
    if (!ways) return Exit::usage;
    const Client client = client_by_name(options.client);
    if (client == Client::dyad) {
        print_line("Dyad keeps its servers itself: remove \"dyad\" in its settings, under MCP.");
        return Exit::ok;
    }
    const Exit exit =
        change_files(common, options, files_of(client, *ways), plan_disconnect, "Disconnected.");
    if (client == Client::agent_plugin && !options.dry_run)
        remove_empty_folders(plugin_folder(*ways));
    return exit;
}

Command add_one(Command& root, const char* name, const char* about,
                Exit (*run)(const CommonOptions&, const ConnectOptions&),
                const std::shared_ptr<ConnectOptions>& options) {
    Command command = root.add(name, about, Run([run, options](const CommonOptions& common) {
                                   return run(common, *options);
                               }));
    command.word("CLIENT", options->client, client_names(), "Which client", "CLIENT")
        .path("--project", options->project, "For this folder only, not for the user")
        .flag("--no-hooks", options->no_hooks, "Leave the client's hooks as they are")
        .flag("--yes", options->yes, "Write without asking")
        .flag("--dry-run", options->dry_run, "Show what would be written, and write nothing");
    return command;
}

}  // namespace

void add_connect(Command& root) {
    const auto in = std::make_shared<ConnectOptions>();
    Command connect =
        add_one(root, "connect", "Let a client use the memory: its configuration and hooks",
                run_connect, in);
    connect
        .flag("--stdio", in->stdio, "The client starts dyad-memory mcp, instead of using the URL")
        .flag("--open", in->open, "Open the link (dyad)");
    connect.footer(
        "Shows what it changes first, and asks. Other entries, comments and the layout of\n"
        "the files stay; a copy is kept beside each as FILE.dyad-backup.\n\n");
    add_one(root, "disconnect", "Take what connect wrote out again", run_disconnect,
            std::make_shared<ConnectOptions>());
}

}  // namespace dyad::cli
