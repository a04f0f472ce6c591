// How an embedded store is opened.
#pragma once

#include "store/sqlite/event_index.hpp"
#include "store/sqlite/log_tables.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace dyad::sqlite {

struct StoreOptions {
    std::string database;                      // path; the two journals stand beside it
    std::string vfs;                           // empty: SQLite's own
    std::size_t journal_file_bytes = 8 << 20;  // of a new journal; a multiple of 4096
    std::size_t group_bytes_max = 2 << 20;     // of one commit, unless one batch alone is larger
    std::size_t apply_bytes = 4 << 20;         // so much in the journal is worth applying
    std::size_t piece_bytes = 128 << 10;       // to apply at once: about a millisecond
    std::int64_t page_bytes = 4096;
    SegmentLimits segments{};
    IndexLimits index{};
    std::string extra_pragmas;                  // tests weaken the store with it
    std::optional<std::uint64_t> epoch_seed{};  // tests know it
    // A sync failed: what is durable is unknown, and only a restart can tell. Must not return.
    std::function<void(const std::string&)> on_fatal;  // default: log and exit with code 74
};

// Ends the process by options.on_fatal.
[[noreturn]] void stop_store(const StoreOptions& options, const Error& error);

}  // namespace dyad::sqlite
