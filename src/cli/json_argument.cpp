// JSON given on the command line.
#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "model/json.hpp"

#include <fstream>
#include <iostream>
#include <sstream>

namespace dyad::cli {
namespace {

constexpr std::size_t kBytesMax = 4 << 20;  // more than the server takes, so that it can say so

std::optional<std::string> read_all(std::istream& in) {
    std::string text;
    char chunk[16384];
    while (text.size() <= kBytesMax) {
        in.read(chunk, sizeof chunk);
        text.append(chunk, static_cast<std::size_t>(in.gcount()));
        if (!in) break;
    }
    if (in.bad() || text.size() > kBytesMax) return std::nullopt;
    return text;
}

}  // namespace

std::optional<std::string> read_json_argument(const std::string& argument,
                                              const std::string& what) {
    std::optional<std::string> text = argument;
    std::string from = what;
    if (argument == "-") {
        from.append(" (standard input)");
        text = read_all(std::cin);
    } else if (argument.starts_with('@')) {
        from.append(" (").append(argument.substr(1)).append(")");
        std::ifstream in(argument.substr(1), std::ios::binary);
        text = in ? read_all(in) : std::nullopt;
    }
    if (!text) {
        complain("dyad-memory: " + printable(from) + " cannot be read, or is larger than 4 MiB");
        return std::nullopt;
    }
    if (const Result<json::Value> value = json::parse(*text); !value) {
        complain("dyad-memory: " + printable(from) +
                 " is no good JSON: " + printable(value.error().detail));
        if (argument.find('"') == std::string::npos && argument.size() > 1 && argument[0] == '{')
            complain("In a shell, put JSON in single quotes: '{\"goal\":\"one memory\"}'");
        return std::nullopt;
    }
    return text;
}

}  // namespace dyad::cli
