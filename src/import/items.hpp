// Files that other memories wrote, as contexts of this one:
//
//     reference    the JSON lines of the MCP reference memory server (entities and relations)
//     openmemory   an export of OpenMemory: its memories.json, its memories.jsonl, or an answer of
//                  its API
//     markdown     CLAUDE.md, AGENTS.md, cursor rules: a context for each section, by the headings
//
// Threads: pure functions.
#pragma once

#include "base/result.hpp"
#include "model/names.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::import {

enum class Format : std::uint8_t { reference, openmemory, markdown };

struct Item {
    std::string key;
    std::string data;  // canonical JSON of an object
    std::vector<std::string> tags{};
    std::size_t line = 0;  // where it begins in the file; from 1
};

// What the file is; nothing where that cannot be told.
std::optional<Format> format_of(std::string_view name, std::string_view text);

// The file's contexts, in its order; each key once. `label`: what sections of Markdown are filed
// under, such as "project/CLAUDE.md". Errors, each beginning with the line and the field:
// invalid_json, invalid_utf8, missing_field, invalid_field, too_large.
Result<std::vector<Item>> read_items(Format format, std::string_view text, std::string_view label);

// The readers of each format.
Result<std::vector<Item>> read_reference(std::string_view text);
Result<std::vector<Item>> read_openmemory(std::string_view text);
Result<std::vector<Item>> read_markdown(std::string_view text, std::string_view label);

// An error of a line, and of a field of it where that is named.
Error at_line(std::size_t line, std::string_view field, const Error& error);

}  // namespace dyad::import

template <>
inline constexpr std::array<std::string_view, 3> dyad::kNamesOf<dyad::import::Format> = {
    "reference", "openmemory", "markdown"};
