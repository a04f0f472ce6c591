#include "cli/json_members.hpp"

#include "cli/path_expansion.hpp"
#include "cli/text.hpp"
#include "model/json_text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace dyad::cli {
namespace {

constexpr std::size_t kBytesMax = 4 << 20;  // more than the server takes, so that it can say so
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::size_t kShort = 60;  // columns of what stays on one line

Result<std::string> read_all(std::istream& in) {
    std::string text(kBytesMax + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    if (in.bad()) return fail(Errc::unavailable, "cannot be read");
    if (text.size() > kBytesMax) return fail(Errc::too_large, "is larger than 4 MiB");
    if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
    return text;
}

Result<std::string> read_file(std::string_view name) {
    const Result<std::string> path = expand_path(name, system_surroundings());
    if (!path) return path;
    std::error_code ignored;
    if (std::filesystem::is_directory(*path, ignored))
        return fail(Errc::unavailable, "cannot be read: it is a folder");
    errno = 0;
    std::ifstream in(*path, std::ios::binary);
    if (!in) return fail(Errc::unavailable, std::string("cannot be read: ") + std::strerror(errno));
    return read_all(in);
}

bool is_short(const json::Value& value, const std::string& line) {
    const auto* const array = value.if_array();
    if (line.size() <= 2 || (array == nullptr && !value.is_object())) return true;
    return array != nullptr && line.size() <= kShort &&
           std::all_of(array->begin(), array->end(), [](const json::Value& item) {
               return !item.is_object() && !item.is_array();
           });
}

void write(std::string& out, const json::Value& value, std::size_t level) {
    const std::string line = json::canonical(value);
    if (is_short(value, line)) {
        out.append(line);
        return;
    }
    const bool array = value.is_array();
    auto begin_item = [&out, level, first = true]() mutable {
        out.append(first ? "\n" : ",\n").append((level + 1) * 2, ' ');
        first = false;
    };
    out.append(array ? "[" : "{");
    if (array) {
        for (const json::Value& item : value.get_array()) {
            begin_item();
            write(out, item, level + 1);
        }
    } else {
        for (const auto& item : value.get_object()) {
            begin_item();
            json::append_string(out, std::string_view(item.key().data(), item.key().size()));
            out.append(": ");
            write(out, item.value(), level + 1);
        }
    }
    out.append("\n").append(level * 2, ' ').append(array ? "]" : "}");
}

}  // namespace

const json::Value& at(const json::Value& value, std::string_view path) {
    static const json::Value kNull;
    const json::Value* found = &value;
    while (!path.empty()) {
        const auto* const object = found->if_object();
        found = object != nullptr ? object->if_contains(take_part(path, '/')) : nullptr;
        if (found == nullptr) return kNull;
    }
    return *found;
}

std::string text_at(const json::Value& value, std::string_view path) {
    const auto* const text = at(value, path).if_string();
    return text != nullptr ? std::string(text->data(), text->size()) : std::string();
}

std::int64_t integer_at(const json::Value& value, std::string_view path) {
    const json::Value& found = at(value, path);
    if (found.is_int64()) return found.get_int64();
    if (found.is_uint64()) return static_cast<std::int64_t>(found.get_uint64());
    return static_cast<std::int64_t>(real_at(value, path));
}

double real_at(const json::Value& value, std::string_view path) {
    const json::Value& found = at(value, path);
    if (found.is_int64()) return static_cast<double>(found.get_int64());
    return found.is_double() ? found.get_double() : 0;
}

bool is_true(const json::Value& value, std::string_view path) {
    return at(value, path) == json::Value(true);
}

const boost::json::array& list_at(const json::Value& value, std::string_view path) {
    static const boost::json::array kEmpty;
    const auto* const found = at(value, path).if_array();
    return found != nullptr ? *found : kEmpty;
}

Result<json::Value> parse_large(std::string_view text) {
    json::ParseLimits large;
    large.depth_max = static_cast<std::size_t>(limits::json_depth_max) + 16;
    large.members_max = 50'000'000;
    large.key_bytes_max = 4096;
    return json::parse(text, large);
}

std::optional<json::Value> read_json_argument(const CommonOptions& common,
                                              const std::string& argument,
                                              const std::string& what) {
    Result<std::string> text = argument;
    std::string from = what;
    if (argument == "-") {
        from.append(" (standard input)");
        text = read_all(std::cin);
    } else if (argument.starts_with('@')) {
        from.append(" (").append(argument.substr(1)).append(")");
        text = read_file(argument.substr(1));
    }
    if (!text) {
        refuse_usage(common, from + " " + text.error().detail);
        return std::nullopt;
    }
    Result<json::Value> value = json::parse(*text);
    if (value) return *std::move(value);
    refuse_usage(common, from + " is no good JSON: " + value.error().detail);
    if (!common.json && argument.find('"') == std::string::npos && argument.size() > 1 &&
        argument[0] == '{')
        complain("In a shell, put JSON in single quotes: '{\"goal\":\"one memory\"}'");
    return std::nullopt;
}

void print_json(const json::Value& value) {
    print_line(json::canonical(value));
}

std::string pretty(const json::Value& value) {
    std::string out;
    write(out, value, 0);
    return out;
}

std::string plain(const json::Value& value) {
    if (value.is_number()) return json::canonical(value);
    if (value.is_bool()) return value.get_bool() ? "yes" : "no";
    std::string out = text_at(value, "");
    for (const json::Value& item : list_at(value, ""))
        out.append(out.empty() ? "" : ",").append(text_at(item, ""));
    return out;
}

std::string plain_key(const json::Value& key) {
    return printable_key(text_at(key, ""));
}

std::string plain_time(const json::Value& ms) {
    return local_time(integer_at(ms, ""));
}

std::vector<Row> rows_of(const boost::json::array& documents, const std::vector<Cell>& cells) {
    std::vector<Row> rows;
    for (const json::Value& document : documents) {
        Row& row = rows.emplace_back();
        for (const Cell& cell : cells)
            row.push_back(cell.shown(at(document, cell.path)));
    }
    return rows;
}

}  // namespace dyad::cli
