// What may be written as the value of a setting.
#include "auth/authority.hpp"
#include "base/utf8.hpp"
#include "bus/redis/redis_url.hpp"
#include "cli/settings_table.hpp"
#include "cli/text.hpp"
#include "cli/url.hpp"
#include "model/identity.hpp"

#include <algorithm>

#include <arpa/inet.h>

namespace dyad::cli {
namespace {

using enum SettingType;

// Words that are meant where others are written, which have spaces between them.
struct Synonyms {
    std::string_view setting;  // empty: every boolean
    std::string_view meant;
    std::string_view written;
};
constexpr Synonyms kSynonyms[] = {
    {"", "true", "1 yes y on t enabled enable"},
    {"", "false", "0 no n off f disabled disable"},
    {"LOG_LEVEL", "debug", "trace verbose silly all"},
    {"LOG_LEVEL", "info", "information notice http"},
    {"LOG_LEVEL", "warn", "warning"},
    {"LOG_LEVEL", "error", "err fatal critical crit alert emergency"},
    {"LOG_LEVEL", "off", "none silent quiet"},
    {"LOG_FORMAT", "text", "plain pretty console human"},
    {"LOG_FORMAT", "json", "jsonl ndjson"},
};

// Of the log.
constexpr std::string_view kScopes[] = {"distributed_memory", "sqlite",          "websocket_sync",
                                        "mongodb_client",     "redis_event_bus", "access"};

// Units that people put behind a number, in the unit of the setting.
struct Unit {
    std::string_view of;  // the setting's own
    std::int64_t factor;
    std::string_view written;
};
constexpr Unit kUnits[] = {
    {"ms", 1, "ms"},        {"ms", 1000, "s sec seconds"}, {"ms", 60'000, "m min minutes"},
    {"ms", 3'600'000, "h"}, {"days", 1, "d day days"},     {"days", 7, "w weeks"},
    {"days", 365, "y"},
};

bool is_one_of(std::string_view words, std::string_view word) {
    while (!words.empty())
        if (take_part(words, ' ') == word) return true;
    return false;
}

// As `docker run --env-file` hands a quoted value over: with its quotes.
std::string_view without_quotes(std::string_view text) {
    const bool quoted = text.size() > 1 && text.front() == text.back() &&
                        (text.front() == '"' || text.front() == '\'') &&
                        text.find(text.front(), 1) == text.size() - 1;
    return quoted ? text.substr(1, text.size() - 2) : text;
}

// The entries with commas between them, without blanks, quotes and empty ones; an array as JSON
// writes it is a list, too.
std::string normal_list(std::string_view text) {
    const std::string_view inside = text.substr(std::min<std::size_t>(1, text.size()));
    const std::string_view first = trimmed(inside);
    if (text.starts_with('[') && text.ends_with(']') &&
        (first.starts_with('"') || first.starts_with('\'') || first == "]"))
        text = inside.substr(0, inside.size() - 1);
    std::string out;
    while (!text.empty()) {
        const std::string_view part = trimmed(without_quotes(trimmed(take_part(text, ','))));
        if (!part.empty()) out.append(out.empty() ? "" : ",").append(part);
    }
    return out;
}

// The authority of a database URL: [user[:password]@]host[:port][,host[:port]…]
bool is_database_url(std::string_view url, std::initializer_list<std::string_view> schemes,
                     bool several) {
    for (const std::string_view scheme : schemes) {
        if (!url.starts_with(scheme)) continue;
        std::string_view rest = url.substr(scheme.size());
        rest = rest.substr(0, rest.find_first_of("/?"));
        if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos)
            rest.remove_prefix(at + 1);
        if (rest.ends_with(',') || (!several && rest.find(',') != std::string_view::npos))
            return false;
        bool good = true;
        do
            good = auth::parse_authority(take_part(rest, ',')).has_value();
        while (good && !rest.empty());
        return good;
    }
    return false;
}

std::optional<std::string> check_mongodb_url(std::string_view value) {
    if (!is_database_url(value, {"mongodb://", "mongodb+srv://"}, true))
        return "must look like mongodb://user:password@host:27017 or mongodb+srv://host";
    if (!value.starts_with("mongodb+srv://")) return std::nullopt;
    std::string_view host = value.substr(value.find("://") + 3);
    host = host.substr(0, host.find_first_of("/?"));
    if (const std::size_t at = host.rfind('@'); at != host.npos) host.remove_prefix(at + 1);
    if (host.find_first_of(":,") == host.npos) return std::nullopt;
    return "must have one host and no port behind mongodb+srv://, since DNS has them; write "
           "mongodb:// where they are known";
}

std::optional<std::string> check_database_name(const SettingRow& row, std::string_view value) {
    if (value.empty() || static_cast<std::int64_t>(value.size()) > row.max)
        return "must have 1 to " + std::to_string(row.max) + " bytes";
    if (value.find_first_of("/\\. \"$*<>:|?") != value.npos || has_control_character(value) ||
        !valid_utf8(value))
        return "must not hold any of / \\ . \" $ * < > : | ? or blanks: MongoDB refuses them";
    if (value == "admin" || value == "local" || value == "config")
        return "must be a database of its own: that one is MongoDB's";
    return std::nullopt;
}

// "30s" where 30000 is wanted: what to write instead.
std::string without_unit(const SettingRow& row, std::string_view value) {
    const std::size_t digits = std::min(value.find_first_not_of("0123456789"), value.size());
    const std::optional<std::int64_t> number = whole_number(value.substr(0, digits));
    const std::string written = to_lower(trimmed(value.substr(digits)));
    for (const Unit& unit : kUnits)
        if (number && unit.of == row.unit && is_one_of(unit.written, written) &&
            *number <= row.max / unit.factor)
            return "; no unit is written: " + std::to_string(*number * unit.factor);
    return {};
}

std::optional<std::string> check_integer(const SettingRow& row, std::string_view value) {
    const std::optional<std::int64_t> number = whole_number(value);
    if (number && *number >= row.min && *number <= row.max) return std::nullopt;
    return "must be a whole number from " + std::to_string(row.min) + " to " +
           std::to_string(row.max) + (row.unit.empty() ? "" : " (" + std::string(row.unit) + ")") +
           without_unit(row, value);
}

std::optional<std::string> check_text(const SettingRow& row, std::string_view value) {
    if (row.name == "DISTRIBUTED_USER_ID" && !value.empty()) {
        const Status good = check_name("", value, row.max, NameRule::identity);
        return good ? std::nullopt : std::optional<std::string>(good.error().detail.substr(2));
    }
    if (static_cast<std::int64_t>(value.size()) > row.max)
        return "must have at most " + std::to_string(row.max) + " bytes";
    if (!valid_utf8(value)) return "must be UTF-8";
    if (has_control_character(value)) return "must not hold control characters";
    return std::nullopt;
}

bool is_address(std::string_view value) {
    std::string text(value);
    if (text == "localhost") return true;
    if (text.size() > 2 && text.front() == '[' && text.back() == ']')
        text = text.substr(1, text.size() - 2);
    unsigned char bytes[16];
    return inet_pton(AF_INET, text.c_str(), bytes) == 1 ||
           inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

// A scope of ours, or what other programs call theirs: `DEBUG` is everybody's.
Status check_scope(std::string_view text) {
    constexpr std::string_view kOurs = "dyad:distributed:";
    if (!text.starts_with("dyad") || text == "dyad:*" || text == "dyad:distributed:*")
        return Done{};
    if (text.starts_with(kOurs) && std::find(std::begin(kScopes), std::end(kScopes),
                                             text.substr(kOurs.size())) != std::end(kScopes))
        return Done{};
    return fail(Errc::invalid_field, "\"" + std::string(text) +
                                         "\"; scopes are dyad:distributed:* and dyad:distributed: "
                                         "with distributed_memory, sqlite, websocket_sync, "
                                         "mongodb_client, redis_event_bus or access");
}

// Names the first entry that is wrong, and why.
template <class Parse>
std::optional<std::string> check_list(std::string_view list, Parse parse) {
    while (!list.empty())
        if (const auto read = parse(take_part(list, ',')); !read)
            return "has a wrong entry: " + read.error().detail;
    return std::nullopt;
}

}  // namespace

std::string normal_setting(const SettingRow& row, std::string_view value) {
    const std::string_view bare = without_quotes(trimmed(value));
    switch (row.type) {
        case text:
            return std::string(bare.size() < trimmed(value).size() ? bare : value);
        case boolean:
        case choice: {
            std::string word = to_lower(trimmed(bare));
            for (const Synonyms& synonym : kSynonyms)
                if (is_one_of(synonym.written, word) &&
                    (row.type == boolean ? synonym.setting.empty() : synonym.setting == row.name))
                    return std::string(synonym.meant);
            return word;
        }
        case address:
            return to_lower(trimmed(bare));
        case origins:
        case hosts:
            return normal_list(bare);
        case scopes: {
            std::string list = to_lower(bare);
            std::replace_if(
                list.begin(), list.end(),
                [](char c) { return kBlank.find(c) != std::string_view::npos; }, ',');
            return normal_list(list);
        }
        case integer:
        case path:
        case file:
        case http_url:
        case mongodb_url:
        case redis_url:
        case database_name:
            return std::string(trimmed(bare));
    }
    return std::string(value);
}

std::optional<std::string> check_setting(const SettingRow& row, std::string_view value) {
    const auto must = [](bool good, const std::string& be) {
        return good ? std::nullopt : std::optional("must " + be);
    };
    switch (row.type) {
        case boolean:
            return must(value == "true" || value == "false", "be true or false");
        case integer:
            return check_integer(row, value);
        case text:
            return check_text(row, value);
        case choice:
            return must(is_one_of(row.choices, value), "be one of: " + std::string(row.choices));
        case path:
        case file:
            return std::nullopt;  // expand_path() has read it
        case address:
            return must(is_address(value), "be an IPv4 or IPv6 address, or localhost");
        case origins:
            return check_list(value, auth::parse_origin);
        case hosts:
            return check_list(value, auth::parse_host);
        case scopes:
            if (auto wrong = check_text(row, value)) return wrong;
            return check_list(value, check_scope);
        case http_url:
            if (const Result<Url> url = Url::parse(value); !url) return url.error().detail;
            return std::nullopt;
        case mongodb_url:
            return check_mongodb_url(value);
        case redis_url:
            if (!is_database_url(value, {"redis://", "rediss://"}, false))
                return "must look like redis://user:password@host:6379 or rediss://host:6380";
            if (const auto url = bus::RedisUrl::parse(value); !url)
                return "is not good: " + url.error().detail;
            return std::nullopt;
        case database_name:
            return check_database_name(row, value);
    }
    return std::nullopt;
}

std::string shown_setting(const SettingRow& row, std::string_view value) {
    if (!row.is_secret() || value.empty()) return std::string(value);
    const std::size_t scheme = value.find("://");
    if (scheme == std::string_view::npos) return "***";  // whatever it is, it may be a password
    const std::size_t at = value.rfind('@');
    const std::size_t colon = value.find(':', scheme + 3);
    const bool hides = at != std::string_view::npos && colon < at;
    std::string out(value.substr(0, hides ? colon : 0));
    if (hides) out.append(":***");
    // Options such as ?password= may carry one, too.
    const std::string_view rest = hides ? value.substr(at) : value;
    return out.append(rest.substr(0, rest.find('?')));
}

}  // namespace dyad::cli
