#include "cli/commands.hpp"
#include "cli/rest_client.hpp"
#include "cli/start_server.hpp"
#include "cli/terminal.hpp"

#include "base/log.hpp"
#include "net/socket.hpp"
#include "server/version.hpp"

#include <fstream>

#include <sys/resource.h>
#include <unistd.h>

namespace dyad::cli {
namespace {

// What is in memory is the users': neither a dump nor, where dumps are piped to a program despite
// the limit, its mappings hold it.
void leave_no_dumps() {
    const rlimit none{0, 0};
    static_cast<void>(setrlimit(RLIMIT_CORE, &none));
    std::ofstream("/proc/self/coredump_filter") << "0";
}

int refused(const Call& call, const Error& error) {
    Failure failure;
    failure.code = error_row(error.code).name;
    failure.message = error.detail.empty() ? std::string(error_row(error.code).message)
                                           : error.detail;
    return report(call.common(), failure);
}

void announce(const Call& call, const Resolved& resolved, const server::Server& server) {
    const std::string url = resolved.server_url();
    if (call.json()) {
        print_json(boost::json::object{{"dataDir", resolved.data_dir()},
                                       {"instanceId", server.instance_id()},
                                       {"pid", getpid()},
                                       {"url", url},
                                       {"userId", resolved.user_id()},
                                       {"version", std::string(server::kVersion)}});
    } else if (resolved.text("LOG_FORMAT") == "text") {
        print_line(paint(Colour::bold, "Dyad Distributed Memory ") + std::string(server::kVersion));
        print_line("  Server  " + paint(Colour::cyan, url) + "  (WebSocket: ws" + url.substr(4) +
                   "/sync)");
        print_line("  Data    " + printable(resolved.data_dir()));
        print_line("  User    " + printable(resolved.user_id()) +
                   ", where a client does not say another");
        print_line("  Stop    Ctrl-C, or kill " + std::to_string(getpid()) +
                   "; a second Ctrl-C does not wait for the clients");
    }
    flush_output();
}

int serve(const Call& call) {
    const Resolved resolved = resolve(read_inputs(call.common().flags, call.common().env_file));
    std::string all;
    for (const Problem& problem : resolved.problems)
        if (problem.fatal) all.append(all.empty() ? "" : "\n").append(problem.text);
    if (!all.empty())
        return report(call.common(), {Exit::usage, "invalid_settings", std::move(all), nullptr});
    if (resolved.data_dir().empty())
        return report(call.common(),
                      {Exit::usage, "invalid_settings",
                       "There is no HOME to keep the data in: say where with --data-dir.",
                       nullptr});
    log::configure(*log::level_by_name(resolved.text("LOG_LEVEL")),
                   resolved.text("LOG_FORMAT") == "json" ? log::Format::json : log::Format::text,
                   resolved.text("DEBUG"));
    for (const Problem& problem : resolved.problems)
        log::warn("distributed_memory", problem.text);
    leave_no_dumps();
    const server::Settings settings = server_settings(resolved);
    {
        // Before the store is opened: a second server is told of the port, not of the folder.
        const Result<net::Fd> probe = net::listen_tcp(settings.host, settings.port);
        if (!probe) return refused(call, probe.error());
    }
    Result<std::unique_ptr<server::Server>> server = start_server(settings);
    if (!server) return refused(call, server.error());
    announce(call, resolved, **server);
    (*server)->run();
    return 0;
}

}  // namespace

Command serve_command() {
    Command command;
    command.name = "serve";
    command.summary = "Runs the server until it is stopped.";
    command.details =
        "Ctrl-C or SIGTERM stops it: what was accepted is finished, clients are told to come "
        "back; a second Ctrl-C ends it at once. Whatever was acknowledged is on the disk either "
        "way.\n\nThe flags are settings: docs/settings.md and \"dyad-memory config list\" say "
        "more of each, and how to set them in the environment or a file.";
    command.examples = {"dyad-memory serve", "dyad-memory serve --port 8766 --data-dir ./memory",
                        "LOG_FORMAT=json dyad-memory serve 2>server.log"};
    command.talks = false;
    command.run = serve;
    for (const SettingRow& row : settings_table()) {
        if (row.flag.empty() || row.name == "DYAD_URL") continue;
        std::string help(row.meaning.substr(0, row.meaning.find_first_of(".;:")));
        help[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(help[0])));
        if (!row.fallback.empty()) help.append(" (").append(row.fallback).append(")");
        Option option = text_option(std::string(row.flag), value_label(row), help);
        option.setting = row.name;
        command.options.push_back(std::move(option));
    }
    return command;
}

}  // namespace dyad::cli
