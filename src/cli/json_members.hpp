// JSON as the command line reads and shows it. What a server sends may be of any shape: what is not
// there, or is something else, is null, empty or 0.
#pragma once

#include "cli/invocation.hpp"
#include "model/json.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

// By the names of members with a slash between them: "final/provider".
const json::Value& at(const json::Value& value, std::string_view path);
std::string text_at(const json::Value& value, std::string_view path);
std::int64_t integer_at(const json::Value& value, std::string_view path);
double real_at(const json::Value& value, std::string_view path);
bool is_true(const json::Value& value, std::string_view path);
const boost::json::array& list_at(const json::Value& value, std::string_view path);
// The texts of a list, with commas between them.
std::string joined_at(const json::Value& value, std::string_view path);

// Reads a value of any size that a server may send.
Result<json::Value> parse_large(std::string_view text);

// Given as text, as `-` (standard input) or as `@file`. Complains and gives nothing where it cannot
// be read or is no JSON; `what` names it.
std::optional<json::Value> read_json_argument(const CommonOptions& common,
                                              const std::string& argument, const std::string& what);

// Prints the value as one line of JSON.
void print_json(const json::Value& value);
// Several lines for people, two spaces a level, short arrays on one line.
std::string pretty(const json::Value& value);

}  // namespace dyad::cli
