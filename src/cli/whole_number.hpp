// How the command line checks a number. Internal to it, for what it includes.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>

#include <CLI/CLI.hpp>

namespace dyad::cli {

// A whole number in decimal digits.
inline CLI::Validator whole(std::int64_t least, std::int64_t most = INT64_MAX) {
    return CLI::Validator(
        [least, most](const std::string& text) -> std::string {
            std::int64_t number = 0;
            const char* const end = text.data() + text.size();
            const auto read = std::from_chars(text.data(), end, number);
            if (read.ec == std::errc() && read.ptr == end && number >= least && number <= most)
                return {};
            std::string wanted = "\"" + text + "\" must be a whole number from ";
            wanted.append(std::to_string(least));
            if (most != INT64_MAX) wanted.append(" to ").append(std::to_string(most));
            return wanted;
        },
        "");
}

}  // namespace dyad::cli
