// What every subcommand is given, and how it ends.
#pragma once

#include "cli/settings.hpp"

#include <cstdint>
#include <string>

namespace dyad::cli {

// The exit status, as `dyad-memory --help` documents it.
enum class Exit : std::uint8_t {
    ok = 0,
    failed = 1,       // the server, or this machine, refused or failed
    usage = 2,        // the command line or a setting is wrong
    denied = 2,       // of a hook: the tool must not run
    unreachable = 3,  // no server answers there
    not_found = 4,
    conflict = 5,  // another version is stored, or a patch does not apply
};

struct CommonOptions {
    Flags flags;           // settings given on the command line
    std::string env_file;  // empty: .env in the working directory, if there is one
    std::string instance;  // empty: cli-<host>-<user>
    bool json = false;
    std::int64_t timeout_s = 30;
};

// Complains of how the command was given, as JSON where that was asked for; Exit::usage.
Exit refuse_usage(const CommonOptions& common, const std::string& message);

}  // namespace dyad::cli
