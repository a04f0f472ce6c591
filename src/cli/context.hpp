// The commands below `dyad-memory context`. Internal to it.
#pragma once

#include "cli/rest_client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dyad::cli {

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
};

Exit set_context(RestClient& client, const ContextOptions& options);
Exit merge_context(RestClient& client, const ContextOptions& options);
Exit patch_context(RestClient& client, const ContextOptions& options);
Exit remove_context(RestClient& client, const ContextOptions& options);
Exit restore_context(RestClient& client, const ContextOptions& options);
Exit watch_contexts(RestClient& client, const ContextOptions& options);
Exit watch_all(RestClient& client);

// What --since goes on from, for the help.
inline constexpr const char* kTokens =
    "To go on:    --since with the `position` of the last line (--json), or with the token in the\n"
    "             last line of standard error.\n";

}  // namespace dyad::cli
