// The subcommands: what each is given, and the function that runs it and returns the exit status
// (Exit). One file each.
#pragma once

#include "cli/invocation.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dyad::cli {

int run_serve(const CommonOptions& common);
int run_status(const CommonOptions& common);
int run_instances(const CommonOptions& common);
// `count`: refreshes; 0: until it is ended.
int run_top(const CommonOptions& common, std::int64_t count);
struct DoctorCommand {
    std::string folder;       // to check by itself; empty: the whole setup
    bool write_test = false;  // on the running server
};
int run_doctor(const CommonOptions& common, const DoctorCommand& command);
int run_version(const CommonOptions& common);

struct SalvageCommand {
    std::string folder;  // the damaged one; empty: serve's
    std::string to;
};
int run_salvage(const CommonOptions& common, const SalvageCommand& command);

struct ModeOptions {
    std::string mode;           // of set
    std::string of;             // the instance that is meant; empty: this one
    std::string configuration;  // JSON, -, @file; empty: none
};
int run_mode_show(const CommonOptions& common, const ModeOptions& options);
int run_mode_set(const CommonOptions& common, const ModeOptions& options);
int run_mode_list(const CommonOptions& common);
int run_mode_log(const CommonOptions& common, std::int64_t limit);

struct ContextOptions {
    std::string key;
    std::string data;  // JSON, -, @file
    std::string type;
    std::vector<std::string> tags;
    std::string tag;  // of a filter
    std::string prefix;
    std::optional<std::int64_t> version;     // to read or to restore
    std::optional<std::int64_t> if_version;  // expected
    std::optional<std::int64_t> ttl_days;
    std::string strategy;  // replace, merge, ignore; empty: replace
    std::string query;
    std::string since;  // of watch: a token or an offset; empty: from now
    std::int64_t limit = 100;
    bool all = false;
    bool force = false;
    bool create = false;  // only where there is none
    bool data_only = false;
    bool keys_only = false;
    bool json_patch = false;
    bool yes = false;
};
int run_context_list(const CommonOptions& common, const ContextOptions& options);
int run_context_get(const CommonOptions& common, const ContextOptions& options);
int run_context_set(const CommonOptions& common, const ContextOptions& options);
int run_context_patch(const CommonOptions& common, const ContextOptions& options);
int run_context_remove(const CommonOptions& common, const ContextOptions& options);
int run_context_history(const CommonOptions& common, const ContextOptions& options);
int run_context_restore(const CommonOptions& common, const ContextOptions& options);
int run_context_search(const CommonOptions& common, const ContextOptions& options);
int run_context_watch(const CommonOptions& common, const ContextOptions& options);

struct EventsOptions {
    std::string since;  // a token or an offset; empty: from now with `follow`, else the newest
    std::int64_t limit = 20;
    bool follow = false;
    std::vector<std::string> types;
};
int run_events(const CommonOptions& common, const EventsOptions& options);

struct ResponseOptions {
    std::string data;  // JSON, -, @file
    std::string chat;
    std::string message;
    std::string provider;
    std::int64_t limit = 50;
};
int run_response_add(const CommonOptions& common, const ResponseOptions& options);
int run_response_list(const CommonOptions& common, const ResponseOptions& options);
int run_response_show(const CommonOptions& common, const ResponseOptions& options);

struct ConflictOptions {
    std::string id;
    std::string context;
    std::string choice;  // stored, incoming, value
    std::string value;   // JSON, -, @file
};
int run_conflict_list(const CommonOptions& common, const ConflictOptions& options);
int run_conflict_show(const CommonOptions& common, const ConflictOptions& options);
int run_conflict_resolve(const CommonOptions& common, const ConflictOptions& options);

struct BenchOptions {
    std::int64_t writers = 8;
    std::int64_t seconds = 5;
    std::int64_t in_flight = 1;  // unacknowledged writes of each writer
    std::int64_t bytes = 200;    // of each document
};
int run_bench(const CommonOptions& common, const BenchOptions& options);

int run_config_show(const CommonOptions& common);
int run_config_check(const CommonOptions& common);
enum class Table : std::uint8_t { settings, limits, errors };
int run_config_list(const CommonOptions& common, Table table, bool markdown);

// The tree of subcommands, for completion and for hints.
struct CommandOption {
    std::vector<std::string> names;  // "--limit"; none: an argument
    std::string description;
    std::string value;               // what its value is called; empty: it takes none
    std::vector<std::string> words;  // that the value may be; none: anything
    bool optional = false;           // the value may be left out
};
struct CommandNode {
    std::string name;
    std::string description;
    std::vector<std::string> aliases;
    std::vector<CommandOption> options;  // arguments in their order
    std::vector<CommandNode> children;
};
// `shell`: bash, zsh or fish.
std::string completion_script(const std::string& shell);

struct CompleteOptions {
    std::string shell;
    std::string line;    // up to the cursor
    std::string breaks;  // of bash: the characters at which it takes words apart
};
int run_complete(const CommandNode& root, const CompleteOptions& options);

// JSON given as text, as `-` (standard input) or as `@file`. Complains and gives nothing where it
// cannot be read or is no JSON; `what` names it.
std::optional<std::string> read_json_argument(const CommonOptions& common,
                                              const std::string& argument, const std::string& what);

}  // namespace dyad::cli
