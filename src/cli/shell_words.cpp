#include "cli/shell_words.hpp"

namespace dyad::cli {
namespace {

constexpr std::string_view kPlain =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=@%+,";

bool is_plain(char c) {
    return static_cast<unsigned char>(c) >= 0x80 || kPlain.find(c) != std::string_view::npos;
}

}  // namespace

std::vector<ShellWord> shell_words(std::string_view line) {
    std::vector<ShellWord> words(1);
    bool begun = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        ShellWord& word = words.back();
        const char c = line[i];
        if (word.quote == '\0' && (c == ' ' || c == '\t' || c == '\n')) {
            if (begun) words.emplace_back();
            begun = false;
            continue;
        }
        if (word.quote == c) {
            word.quote = '\0';
        } else if (word.quote == '\0' && (c == '\'' || c == '"')) {
            word.quote = c;
            word.at_once = !begun;
        } else if (c == '\\' && word.quote != '\'' && i + 1 < line.size()) {
            const char next = line[++i];
            if (word.quote == '"' && next != '"' && next != '\\' && next != '$' && next != '`')
                word.text += c;
            word.text += next;
        } else {
            word.unread = word.unread || (word.quote != '\'' && (c == '$' || c == '`'));
            word.text += c;
        }
        begun = true;
    }
    return words;
}

std::string shell_quoted(std::string_view text, char quote) {
    std::string out;
    for (const char c : text) {
        if (quote == '\'' && c == '\'') return {};
        const bool special = quote == '"' ? c == '"' || c == '\\' || c == '$' || c == '`'
                                          : quote == '\0' && !is_plain(c);
        if (special) out += '\\';
        out += c;
    }
    return out;
}

}  // namespace dyad::cli
