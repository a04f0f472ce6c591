// The one table of settings: names, kinds, defaults, bounds and what they mean. Everything that
// reads, checks or documents a setting reads it here. docs/settings.md is generated from it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dyad::cli {

enum class SettingType : std::uint8_t {
    boolean,        // true false; yes no, on off, 1 0, enabled disabled …
    integer,        // min..max
    text,           // up to `max` bytes, no control characters
    choice,         // one of `choices`
    path,           // a folder, as expand_path() reads it
    address,        // an IPv4 or IPv6 address, or "localhost"
    origins,        // scheme://host[:port], separated by commas
    hosts,          // host[:port], separated by commas
    scopes,         // of the log, among those of other programs, separated by commas or blanks
    http_url,       // as Url::parse() reads it
    mongodb_url,    // mongodb:// or mongodb+srv://
    redis_url,      // redis:// or rediss://
    database_name,  // of MongoDB
    file,           // as a path
};

struct SettingRow {
    std::string_view name;   // in the environment and in files
    std::string_view alias;  // taken as well; empty: none
    std::string_view flag;   // of the command line; empty: none
    SettingType type;
    std::string_view fallback;  // the default, as it would be written; empty: not set
    std::int64_t min;
    std::int64_t max;
    std::string_view unit;     // empty: none
    std::string_view choices;  // separated by spaces
    std::string_view area;
    std::string_view meaning;

    // Shown without its password.
    bool is_secret() const {
        return type == SettingType::mongodb_url || type == SettingType::redis_url;
    }
};

std::span<const SettingRow> settings_table() noexcept;
// By name or alias; null where there is none.
const SettingRow* find_setting(std::string_view name) noexcept;
// The value as it is meant: without blanks round it and quotes that nothing took off, choices in
// lower case and by their own names, lists with nothing but commas between their entries. A text
// keeps its blanks.
std::string normal_setting(const SettingRow& row, std::string_view value);
// What is wrong with this value, without the setting's name; nothing where it is good.
// Requires: normal_setting made it.
std::optional<std::string> check_setting(const SettingRow& row, std::string_view value);
// The value as it may be shown: passwords in URLs become ***.
std::string shown_setting(const SettingRow& row, std::string_view value);
// The setting with the name nearest to `name`, where that is near enough to be meant.
const SettingRow* nearest_setting(std::string_view name) noexcept;

}  // namespace dyad::cli
