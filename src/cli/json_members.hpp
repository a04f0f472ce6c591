// JSON as the command line reads and shows it. What a server sends may be of any shape: what is not
// there, or is something else, is null, empty or 0.
#pragma once

#include "cli/invocation.hpp"
#include "cli/terminal.hpp"
#include "model/json.hpp"

#include <functional>
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

// For people: texts as they are, numbers in digits, true as yes, lists with commas between their
// entries; the others are empty.
std::string plain(const json::Value& value);
std::string plain_key(const json::Value& key);
std::string plain_time(const json::Value& ms);
// What a row of a table shows of a document: the member at this path, and how.
struct Cell {
    Cell(const char* member, std::function<std::string(const json::Value&)> in_words = plain)
        : path(member), shown(std::move(in_words)) {}

    std::string_view path;
    std::function<std::string(const json::Value&)> shown;
};
std::vector<Row> rows_of(const boost::json::array& documents, const std::vector<Cell>& cells);

}  // namespace dyad::cli
