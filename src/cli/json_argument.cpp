// JSON given on the command line.
#include "cli/commands.hpp"
#include "cli/path_expansion.hpp"
#include "cli/terminal.hpp"
#include "model/json.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace dyad::cli {
namespace {

constexpr std::size_t kBytesMax = 4 << 20;  // more than the server takes, so that it can say so
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

Result<std::string> read_all(std::istream& in) {
    std::string text;
    char chunk[16384];
    while (text.size() <= kBytesMax) {
        in.read(chunk, sizeof chunk);
        text.append(chunk, static_cast<std::size_t>(in.gcount()));
        if (!in) break;
    }
    if (in.bad()) return fail(Errc::unavailable, "cannot be read");
    if (text.size() > kBytesMax) return fail(Errc::too_large, "is larger than 4 MiB");
    if (text.starts_with(kByteOrderMark)) text.erase(0, kByteOrderMark.size());
    return text;
}

Result<std::string> read_file(const std::string& path) {
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(Errc::unavailable, std::string("cannot be read: ") + std::strerror(errno));
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        return fail(Errc::unavailable, "cannot be read: it is a folder");
    return read_all(in);
}

}  // namespace

std::optional<std::string> read_json_argument(const CommonOptions& common,
                                              const std::string& argument,
                                              const std::string& what) {
    Result<std::string> text = argument;
    std::string from = what;
    if (argument == "-") {
        from.append(" (standard input)");
        text = read_all(std::cin);
    } else if (argument.starts_with('@')) {
        from.append(" (").append(argument.substr(1)).append(")");
        text = expand_path(argument.substr(1), system_surroundings());
        if (text) text = read_file(*text);
    }
    if (!text) {
        refuse_usage(common.json, from + " " + text.error().detail);
        return std::nullopt;
    }
    if (const Result<json::Value> value = json::parse(*text); !value) {
        refuse_usage(common.json, from + " is no good JSON: " + value.error().detail);
        if (!common.json && argument.find('"') == std::string::npos && argument.size() > 1 &&
            argument[0] == '{')
            complain("In a shell, put JSON in single quotes: '{\"goal\":\"one memory\"}'");
        return std::nullopt;
    }
    return *std::move(text);
}

}  // namespace dyad::cli
