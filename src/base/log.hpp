// The program's log, on standard error: one line per entry, a scope in brackets first, as existing
// Dyad users search for it ("[websocket_sync] WebSocket server started on port 8765"); or one JSON
// object per line. Control characters are escaped; contents of contexts and secrets never go in.
// Threads: any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::log {

enum class Level : std::uint8_t { debug, info, warn, error, off };
enum class Format : std::uint8_t { text, json };

std::optional<Level> level_by_name(std::string_view name) noexcept;

// Before threads start. `debug_scopes` is a list such as "dyad:distributed:*" or
// "dyad:distributed:mongodb_client,dyad:distributed:websocket_sync": those scopes log at debug
// level whatever `level` says.
void configure(Level level, Format format, std::string_view debug_scopes);

bool enabled(Level level, std::string_view scope) noexcept;
void write(Level level, std::string_view scope, std::string_view text);

inline void debug(std::string_view scope, std::string_view text) {
    if (enabled(Level::debug, scope)) write(Level::debug, scope, text);
}
inline void info(std::string_view scope, std::string_view text) {
    write(Level::info, scope, text);
}
inline void warn(std::string_view scope, std::string_view text) {
    write(Level::warn, scope, text);
}
inline void error(std::string_view scope, std::string_view text) {
    write(Level::error, scope, text);
}

}  // namespace dyad::log
