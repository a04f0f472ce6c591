// How the command line checks its arguments. Internal to it, for what it includes.
#pragma once

#include "cli/path_expansion.hpp"

#include <charconv>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

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

// One of these words, in any letter case.
inline CLI::IsMember word_of(std::vector<std::string> words) {
    return CLI::IsMember(std::move(words), CLI::ignore_case);
}

// As a shell reads it; an empty one is none.
inline CLI::Validator path_argument() {
    return CLI::Validator(
        [](std::string& text) {
            Result<std::string> path = expand_path(text, system_surroundings());
            if (!path) return "\"" + text + "\" " + path.error().detail;
            text = *std::move(path);
            return std::string();
        },
        "");
}

inline CLI::Validator not_empty() {
    return CLI::Validator(
        [](const std::string& text) { return text.empty() ? "is given without a value" : ""; }, "");
}

}  // namespace dyad::cli
