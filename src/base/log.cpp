#include "base/log.hpp"

#include "base/enum_names.hpp"

#include <chrono>
#include <ctime>
#include <vector>

#include <unistd.h>

namespace dyad::log {
namespace {

constexpr std::string_view kScopePrefix = "dyad:distributed:";
constexpr std::string_view kLevelNames[] = {"debug", "info", "warn", "error", "off"};

struct Config {
    Level level = Level::info;
    Format format = Format::text;
    bool debug_all = false;
    std::vector<std::string> debug_scopes;
};
Config& config() {
    static Config instance;
    return instance;
}

// Control characters (and the C1 range, which terminals obey) become \xNN, so that nothing that
// came from outside can start a line or drive a terminal.
void append_escaped(std::string& out, std::string_view text, bool json) {
    static constexpr char kDigits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const bool c1 =
            c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        const bool bidi = c == 0xe2 && i + 2 < text.size() &&
                          (static_cast<unsigned char>(text[i + 1]) == 0x80 ||
                           static_cast<unsigned char>(text[i + 1]) == 0x81);
        if (c < 0x20 || c == 0x7f || c1 || bidi) {
            out.append(json ? "\\u00" : "\\x");
            out += kDigits[c >> 4];
            out += kDigits[c & 15];
        } else if (json && (c == '"' || c == '\\')) {
            out += '\\';
            out += static_cast<char>(c);
        } else {
            out += static_cast<char>(c);
        }
    }
}

std::string timestamp() {
    const auto now = std::chrono::system_clock::now();
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    const auto ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() %
        1000;
    std::tm utc{};
    gmtime_r(&seconds, &utc);
    char text[96];  // as g++ counts it: of any ints
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                  utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                  static_cast<int>(ms));
    return text;
}

}  // namespace

std::optional<Level> level_by_name(std::string_view name) noexcept {
    return value_in<Level>(kLevelNames, name);
}

void configure(Level level, Format format, std::string_view debug_scopes) {
    Config& c = config();
    c.level = level;
    c.format = format;
    c.debug_all = false;
    c.debug_scopes.clear();
    while (!debug_scopes.empty()) {
        const std::size_t comma = debug_scopes.find(',');
        std::string_view scope = debug_scopes.substr(0, comma);
        debug_scopes.remove_prefix(comma == std::string_view::npos ? debug_scopes.size()
                                                                   : comma + 1);
        if (scope == "*" || scope == "dyad:*" || scope == "dyad:distributed:*")
            c.debug_all = true;
        else if (scope.starts_with(kScopePrefix))
            c.debug_scopes.emplace_back(scope.substr(kScopePrefix.size()));
    }
}

bool enabled(Level level, std::string_view scope) noexcept {
    const Config& c = config();
    if (level >= c.level) return c.level != Level::off;
    if (c.debug_all) return true;
    for (const std::string& wanted : c.debug_scopes)
        if (wanted == scope) return true;
    return false;
}

void write(Level level, std::string_view scope, std::string_view text) {
    if (!enabled(level, scope)) return;
    const std::string_view name = name_in(kLevelNames, level);
    std::string line;
    line.reserve(text.size() + 96);
    if (config().format == Format::json) {
        line.append("{\"time\":\"").append(timestamp()).append("\",\"level\":\"").append(name);
        line.append("\",\"scope\":\"");
        append_escaped(line, scope, true);
        line.append("\",\"message\":\"");
        append_escaped(line, text, true);
        line.append("\"}\n");
    } else {
        line.append(timestamp()).append(" ").append(name).append(" [").append(scope).append("] ");
        append_escaped(line, text, false);
        line += '\n';
    }
    // One write per line: lines of several threads do not mix.
    const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
    static_cast<void>(written);
}

}  // namespace dyad::log
