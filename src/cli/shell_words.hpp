// A line of a shell, taken apart as far as completion needs it. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dyad::cli {

struct ShellWord {
    std::string text;     // without quotes and backslashes
    char quote = '\0';    // that is still open: ' or "
    bool at_once = true;  // an open quote is the word's first character
    bool unread = false;  // holds what only the shell can put something in place of: $, `
};

// The words of the line's last command; the last one is what is being typed, often empty.
std::vector<ShellWord> shell_words(std::string_view line);

// What a shell reads as `text`: as a word of its own, or inside of the open quote. Nothing where
// that cannot be written.
std::string shell_quoted(std::string_view text, char quote);

}  // namespace dyad::cli
