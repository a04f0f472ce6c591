#include "cli/command_line.hpp"

#include "base/limits.hpp"
#include "cli/arguments.hpp"
#include "cli/command_node.hpp"
#include "cli/help_formatter.hpp"
#include "cli/terminal.hpp"

#include <functional>
#include <memory>

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
constexpr const char* kTokens =
    "To go on:    --since with the `position` of the last line (--json), or with the token in the\n"
    "             last line of standard error.\n";
constexpr const char* kForAll = "Options of every command";

// Everything the options are read into; as long as the parser lives.
struct Parsed {
    CommonOptions common;
    ModeOptions mode;
    ContextOptions context;
    EventsOptions events;
    std::string events_what = "tail";
    ResponseOptions response;
    ConflictOptions conflict;
    BenchOptions bench;
    DoctorCommand doctor;
    SalvageCommand salvage;
    std::int64_t limit = 20;
    std::int64_t refreshes = 0;  // of top; 0: no end
    bool markdown = false;
    std::string shell;
    CompleteOptions complete;
    std::function<int()> run;  // of the subcommand that was named
};

class Parser {
  public:
    Parser() : app_(kAbout, "dyad-memory") {
        app_.formatter(std::make_shared<HelpFormatter>());
        app_.footer(kExits);
        app_.set_help_flag("-h,--help", "Show this help");
        app_.add_flag_callback(
            "-V,--version", [this] { parsed_.run = [this] { return run_version(common()); }; },
            "Print the version");
        add_common(app_);
        add_server_commands();
        add_context_commands();
        add_other_commands();
        add_operator_commands();
    }

    CLI::App& app() { return app_; }
    Parsed& parsed() { return parsed_; }

  private:
    CommonOptions& common() { return parsed_.common; }

    void setting_flag(CLI::App& app, std::string_view setting, const std::string& group,
                      const char* short_help = nullptr) {
        const SettingRow& row = *find_setting(setting);
        const auto store = [this, name = std::string(row.name),
                            alone = row.type == SettingType::boolean](const std::string& value) {
            const bool bare = alone && (value.empty() || value == "{}");
            parsed_.common.flags[name] = bare ? "true" : value;
        };
        std::string help(short_help != nullptr ? short_help : row.meaning);
        if (!row.fallback.empty()) help.append(" [").append(row.fallback).append("]");
        CLI::Option* option = nullptr;
        if (row.type == SettingType::boolean) {
            // Alone it means true.
            option = app.add_option_function<std::string>(std::string(row.flag), store, help)
                         ->expected(0, 1)
                         ->type_name("[BOOLEAN]");
        } else {
            option = app.add_option_function<std::string>(std::string(row.flag), store, help);
            option->type_name(row.type == SettingType::integer ? "N" : "TEXT");
        }
        if (!group.empty()) option->group(group);
    }

    void add_common(CLI::App& app) {
        app.add_flag("--json", common().json, "JSON instead of text for people")->group(kForAll);
        setting_flag(app, "DYAD_URL", kForAll, "Where the server is [http://127.0.0.1:8765]");
        setting_flag(app, "DISTRIBUTED_USER_ID", kForAll, "Whose memory is meant [local]");
        app.add_option("--instance", common().instance,
                       "The instance this is written as [cli-<host>-<user>]")
            ->group(kForAll);
        app.add_option("--timeout", common().timeout_s, "Seconds until it gives up [30]")
            ->check(whole(1, 3600))
            ->type_name("SECONDS")
            ->group(kForAll);
        app.add_option("--env-file", common().env_file, "Read this file instead of .env")
            ->check(not_empty())
            ->type_name("FILE")
            ->group(kForAll);
    }

    CLI::App* leaf(CLI::App& parent, const std::string& name, const std::string& description,
                   std::function<int()> call) {
        CLI::App* const app = parent.add_subcommand(name, description);
        app->set_help_flag("-h,--help", "Show this help");
        add_common(*app);
        app->callback([this, app, call = std::move(call)] {
            if (app->get_subcommands().empty()) parsed_.run = call;
        });
        return app;
    }

    // A command that only has subcommands.
    CLI::App* branch(const std::string& name, const std::string& description) {
        CLI::App* const app = app_.add_subcommand(name, description);
        app->set_help_flag("-h,--help", "Show this help");
        app->require_subcommand(1);
        return app;
    }

    void add_server_commands() {
        CLI::App* const serve =
            leaf(app_, "serve", "Run the server", [this] { return run_serve(common()); });
        for (const SettingRow& row : settings_table())
            if (!row.flag.empty() && row.name != "DYAD_URL" && row.name != "DISTRIBUTED_USER_ID")
                setting_flag(*serve, row.name, "");
        leaf(app_, "status", "Show what the server says of itself, with the sync indicator",
             [this] { return run_status(common()); });
        CLI::App* const doctor = leaf(app_, "doctor", "Check the whole setup and say what to do",
                                      [this] { return run_doctor(common(), parsed_.doctor); });
        doctor->add_option("FOLDER", parsed_.doctor.folder, "Check only the store in this folder")
            ->transform(path_argument());
        doctor->add_flag("--write-test", parsed_.doctor.write_test,
                         "Also write, read and switch a mode, as a user made for it");
        doctor->footer(
            "It changes nothing, here or on the server, but with --write-test.\nExit "
            "status: 0 done, 1 where a check failed.");
        CLI::App* const salvage =
            leaf(app_, "salvage", "Save what is still good of a damaged folder into a new one",
                 [this] { return run_salvage(common(), parsed_.salvage); });
        salvage->add_option("FOLDER", parsed_.salvage.folder, "The damaged one (default: serve's)")
            ->transform(path_argument());
        salvage->add_option("--to", parsed_.salvage.to, "The new folder")
            ->required()
            ->transform(path_argument());
        salvage->footer(
            "The damaged folder stays as it is; what could not be saved is named.\nExit "
            "status: 0 done, and nothing is missing; 1 something is; 2 it failed.");
        CLI::App* const top = leaf(app_, "top", "Watch the server live (q quits)",
                                   [this] { return run_top(common(), parsed_.refreshes); });
        CLI::Option* const count = top->add_option("--count", parsed_.refreshes,
                                                   "End after so many refreshes, one a second")
                                       ->check(whole(1, 1'000'000))
                                       ->type_name("N");
        top->add_flag_callback(
               "--once", [this] { parsed_.refreshes = 1; }, "End after the first one")
            ->excludes(count);
        top->footer(std::string("With --json it prints one object a line for each refresh.\n") +
                    kExits);
    }

    CLI::App* key_command(CLI::App& parent, const std::string& name, const std::string& description,
                          int (*call)(const CommonOptions&, const ContextOptions&)) {
        CLI::App* const app = leaf(parent, name, description,
                                   [this, call] { return call(common(), parsed_.context); });
        app->add_option("KEY", parsed_.context.key, "The context's key")->required();
        return app;
    }

    void write_options(CLI::App& app, bool with_strategy) {
        ContextOptions& o = parsed_.context;
        app.add_option("DATA", o.data, "A JSON object; - reads standard input, @FILE a file")
            ->required();
        app.add_option("--type", o.type, "chat, project, mode or custom")
            ->transform(word_of({"chat", "project", "mode", "custom"}))
            ->type_name("TYPE");
        app.add_option("--tag", o.tags, "A tag; may be repeated")
            ->allow_extra_args(false)
            ->type_name("TAG");
        app.add_option("--ttl-days", o.ttl_days, "Let it expire so long after now; 0: never")
            ->check(whole(0, 36500))
            ->type_name("N");
        if (!with_strategy) {
            app.add_option("--base,--if-version", o.if_version,
                           "The version that DATA was made from: what changed since is kept")
                ->check(whole(0))
                ->type_name("N");
            return;
        }
        app.add_option("--if-version", o.if_version,
                       "Write only if this version is stored; 0: only if there is none; with "
                       "--strategy merge the version that DATA was made from")
            ->check(whole(0))
            ->type_name("N");
        app.add_flag("--create", o.create, "Write only if there is none");
        app.add_flag("--force", o.force,
                     "Replace whatever is stored (the default without --create and --if-version)");
        app.add_option("--strategy", o.strategy,
                       "replace, merge (three-way) or ignore (keep what is stored) [replace]")
            ->transform(word_of({"replace", "merge", "ignore"}))
            ->type_name("NAME");
    }

    void list_filters(CLI::App& app) {
        ContextOptions& o = parsed_.context;
        app.add_option("--type", o.type, "Only chat, project, mode or custom")
            ->transform(word_of({"chat", "project", "mode", "custom"}))
            ->type_name("TYPE");
        app.add_option("--tag", o.tag, "Only with this tag");
        app.add_option("--prefix", o.prefix, "Only keys that begin so");
    }

    void add_context_commands() {
        CLI::App* const context = branch("context", "Read and write contexts");
        ContextOptions& o = parsed_.context;
        CLI::App* app = leaf(*context, "ls", "List contexts",
                             [this] { return run_context_list(common(), parsed_.context); });
        app->alias("list");
        list_filters(*app);
        app->add_option("--limit", o.limit, "At most so many [100]")
            ->check(whole(1))
            ->type_name("N");
        app->add_flag("--all", o.all, "All of them");
        app->add_flag("--keys-only", o.keys_only, "Only the keys, one a line");
        app = key_command(*context, "get", "Show a context", run_context_get);
        app->add_option("--version", o.version, "An older version")
            ->check(whole(1))
            ->type_name("N");
        app->add_flag("--data-only", o.data_only, "Only the data");
        app = key_command(*context, "set", "Write a context, over whatever is there",
                          run_context_set);
        app->alias("put");
        write_options(*app, true);
        app->footer(
            std::string("It replaces what is there, unless --create, --if-version or --strategy "
                        "says otherwise; the answer\nnames the version before and after, and "
                        "context restore KEY VERSION brings an older one back.\n") +
            kExits);
        app = leaf(*context, "merge", "Merge into a context, three-way", [this] {
            parsed_.context.strategy = "merge";
            return run_context_set(common(), parsed_.context);
        });
        app->add_option("KEY", o.key, "The context's key")->required();
        write_options(*app, false);
        app = key_command(*context, "patch", "Change a part of a context", run_context_patch);
        app->add_option("PATCH", o.data, "The patch as JSON; - reads standard input, @FILE a file")
            ->required();
        app->add_flag("--json-patch", o.json_patch,
                      "PATCH is a list of operations (RFC 6902), as a JSON array always is, "
                      "instead of a merge patch (RFC 7396)");
        app->add_option("--if-version", o.if_version, "Only if this version is stored")
            ->check(whole(1))
            ->type_name("N");
        app = key_command(*context, "rm", "Delete a context (history keeps it for a while)",
                          run_context_remove);
        app->alias("delete");
        app->add_option("--if-version", o.if_version, "Only if this version is stored")
            ->check(whole(1))
            ->type_name("N");
        app =
            key_command(*context, "history", "List the versions of a context", run_context_history);
        app->add_option("--limit", o.limit, "At most so many [100]")
            ->check(whole(1))
            ->type_name("N");
        app = key_command(*context, "restore", "Make an older version the current one",
                          run_context_restore);
        app->add_option("VERSION", o.version, "The version, as history lists it")
            ->check(whole(1))
            ->required();
        app = leaf(*context, "search", "Search the texts of all contexts",
                   [this] { return run_context_search(common(), parsed_.context); });
        app->add_option("QUERY", o.query,
                        "Words, in any case and without their accents if you like; several must "
                        "all be there.\n\"a phrase\", prefix*, OR, NOT and brackets work, too")
            ->required();
        app->add_option("--limit", o.limit, "At most so many [100]")
            ->check(whole(1))
            ->type_name("N");
        app = leaf(*context, "watch", "Show changes as they happen, until Ctrl-C",
                   [this] { return run_context_watch(common(), parsed_.context); });
        app->add_option("KEY", o.key, "Only this one");
        app->add_option("--prefix", o.prefix, "Only keys that begin so");
        app->add_flag("--data-only", o.data_only, "Only the data, one line of JSON each");
        app->add_option("--since", o.since, "Begin after this token or offset")->type_name("TOKEN");
        app->footer(std::string(kTokens) + kExits);
    }

    void add_mode_commands() {
        ModeOptions& o = parsed_.mode;
        CLI::App* const mode = leaf(app_, "mode", "Show or set the mode of an instance",
                                    [this] { return run_mode_show(common(), parsed_.mode); });
        mode->add_option("--of", o.of, "The instance that is meant [this one]")
            ->type_name("INSTANCE");
        CLI::App* app =
            leaf(*mode, "set", "Set it", [this] { return run_mode_set(common(), parsed_.mode); });
        app->add_option("MODE", o.mode, "inspired, didactic or parallel")
            ->required()
            ->transform(word_of({"inspired", "didactic", "parallel"}));
        app->add_option("--config", o.configuration,
                        "The mode's configuration: JSON; - reads standard input, @FILE a file")
            ->type_name("JSON");
        app->add_option("--of", o.of, "The instance that is meant [this one]")
            ->type_name("INSTANCE");
        app =
            leaf(*mode, "get", "Show it", [this] { return run_mode_show(common(), parsed_.mode); });
        app->add_option("--of", o.of, "The instance that is meant [this one]")
            ->type_name("INSTANCE");
        leaf(*mode, "ls", "List the modes of all instances",
             [this] { return run_mode_list(common()); });
        app = leaf(*mode, "log", "List the last mode switches",
                   [this] { return run_mode_log(common(), parsed_.limit); });
        app->add_option("--limit", parsed_.limit, "At most so many [20]")
            ->check(whole(1, limits::page_items_max))
            ->type_name("N");
    }

    void add_other_commands() {
        add_mode_commands();
        EventsOptions& e = parsed_.events;
        CLI::App* app = leaf(app_, "events", "Show the log of changes",
                             [this] { return run_events(common(), parsed_.events); });
        app->add_option("what", parsed_.events_what, "The newest events; the default")
            ->transform(word_of({"tail"}))
            ->type_name("tail");
        app->add_option("--since", e.since, "Only what came after this token or offset")
            ->type_name("TOKEN");
        app->add_flag("-f,--follow", e.follow, "Go on as they happen, also over restarts");
        app->add_option("--limit", e.limit, "At most so many of the past [20]")
            ->check(whole(0, 1'000'000))
            ->type_name("N");
        app->add_option("--type", e.types, "Only of this type; may be repeated")
            ->allow_extra_args(false)
            ->transform(word_of({"context-updated", "mode-changed", "response-generated",
                                 "mcp-tool-executed", "config-updated"}))
            ->type_name("TYPE");
        app->footer(std::string(kTokens) + kExits);
        leaf(app_, "instances", "List the instances that take part",
             [this] { return run_instances(common()); });

        ResponseOptions& r = parsed_.response;
        CLI::App* const response = branch("response", "The audit of AI responses (glass box)");
        app = leaf(*response, "add", "Record a response",
                   [this] { return run_response_add(common(), parsed_.response); });
        app->add_option("DATA", r.data,
                        "JSON: {chatId, messageId, mode, sourceType, provider, model, "
                        "responseText or responseHash, confidence?, sources?}; - or @FILE")
            ->required();
        app = leaf(*response, "ls", "List responses",
                   [this] { return run_response_list(common(), parsed_.response); });
        app->add_option("--chat", r.chat, "Only of this chat");
        app->add_option("--provider", r.provider, "Only of this provider");
        app->add_option("--limit", r.limit, "At most so many [50]")
            ->check(whole(1, limits::page_items_max))
            ->type_name("N");
        app = leaf(*response, "show", "Show where a response comes from",
                   [this] { return run_response_show(common(), parsed_.response); });
        app->add_option("CHAT", r.chat, "The chat's id")->required();
        app->add_option("MESSAGE", r.message, "The message's id")->required();

        ConflictOptions& c = parsed_.conflict;
        CLI::App* const conflicts = leaf(app_, "conflicts", "Show what could not be merged",
                                         [this] { return run_conflict_list(common(), {}); });
        app = leaf(*conflicts, "ls", "List open conflicts",
                   [this] { return run_conflict_list(common(), parsed_.conflict); });
        app->add_option("--context", c.context, "Only of this context")->type_name("KEY");
        app = leaf(*conflicts, "show", "Show both sides",
                   [this] { return run_conflict_show(common(), parsed_.conflict); });
        app->add_option("ID", c.id, "As ls lists it")->required();
        app = leaf(*conflicts, "resolve", "Decide",
                   [this] { return run_conflict_resolve(common(), parsed_.conflict); });
        app->add_option("ID", c.id, "As ls lists it")->required();
        app->add_option("CHOICE", c.choice, "stored, incoming, or value with --value")
            ->required()
            ->transform(word_of({"stored", "incoming", "value"}));
        app->add_option("--value", c.value, "The value to write: JSON; - or @FILE")
            ->type_name("JSON");
    }

    void add_operator_commands() {
        BenchOptions& b = parsed_.bench;
        CLI::App* app = leaf(app_, "bench", "Measure the running server with durable writes",
                             [this] { return run_bench(common(), parsed_.bench); });
        app->add_option("--writers", b.writers, "Connections that write [8]")
            ->check(whole(1, 256))
            ->type_name("N");
        app->add_option("--seconds", b.seconds, "How long [5]")
            ->check(whole(1, 600))
            ->type_name("N");
        app->add_option("--in-flight", b.in_flight, "Open writes of each connection [1]")
            ->check(whole(1, 256))
            ->type_name("N");
        app->add_option("--bytes", b.bytes, "Size of each document [200]")
            ->check(whole(16, 100'000))
            ->type_name("N");
        app->footer(std::string("It writes as a user of its own; --user is not used.\n") + kExits);

        CLI::App* const config = branch("config", "The settings");
        leaf(*config, "show", "Each value and where it comes from",
             [this] { return run_config_show(common()); });
        leaf(*config, "check", "Report everything that is wrong, at once",
             [this] { return run_config_check(common()); });
        const auto document = [&](const char* name, const char* description, Table table) {
            CLI::App* const leaf_app = leaf(*config, name, description, [this, table] {
                return run_config_list(common(), table, parsed_.markdown);
            });
            leaf_app->add_flag("--markdown", parsed_.markdown, "As a page of the documentation");
        };
        document("list", "Every setting and what it means", Table::settings);
        document("limits", "Every fixed limit", Table::limits);
        document("errors", "Every error and what it means", Table::errors);

        app = leaf(app_, "completion", "Print a completion script for a shell", [this] {
            print(completion_script(parsed_.shell));
            return 0;
        });
        app->add_option("SHELL", parsed_.shell, "bash, zsh or fish")
            ->required()
            ->transform(word_of({"bash", "zsh", "fish"}));
        app->footer(
            "bash:  source <(dyad-memory completion bash)\n"
            "zsh:   source <(dyad-memory completion zsh)\n"
            "fish:  dyad-memory completion fish | source\n" +
            std::string(kExits));
        CompleteOptions& complete = parsed_.complete;
        app = leaf(app_, "complete", "What may stand at the end of a line",
                   [this] { return run_complete(command_tree(), parsed_.complete); });
        app->group("");  // for the scripts of completion alone
        app->add_option("SHELL", complete.shell)->required();
        app->add_option("LINE", complete.line)->required();
        app->add_option("BREAKS", complete.breaks);
        leaf(app_, "version", "Print the version", [this] { return run_version(common()); });
    }

    CLI::App app_;
    Parsed parsed_;
};

int complain_of_output() {
    complain("dyad-memory: the output could not be written");
    return static_cast<int>(Exit::failed);
}

}  // namespace

CommandNode command_tree() {
    Parser parser;
    CommandNode root = command_node(parser.app());
    root.name = "dyad-memory";
    return root;
}

int run(int argc, char** argv) {
    prepare_streams();
    Parser parser;
    if (argc <= 1) {
        print_welcome();
        return flush_output() ? 0 : complain_of_output();
    }
    try {
        parser.app().parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        print(parser.app().help());
        return flush_output() ? 0 : complain_of_output();
    } catch (const CLI::ParseError& error) {
        return explain_usage(error.what(), command_tree(), argc, argv);
    }
    if (!parser.parsed().run) {
        print_welcome();
        return static_cast<int>(Exit::usage);
    }
    int status = static_cast<int>(Exit::failed);
    try {
        status = parser.parsed().run();
    } catch (const std::exception& error) {
        complain(std::string("dyad-memory: failed: ") + printable(error.what()));
    }
    if (flush_output()) return status;
    const int failed = complain_of_output();
    return status == 0 ? failed : status;
}

}  // namespace dyad::cli
