// How text is cut into terms: one way, for what is searched and for what is looked for.
//
// A term is a run of letters and digits, folded (search/fold.hpp), or one letter of a script that
// puts no blanks between words, or one emoji. So a part of such a run, a word, and whatever people
// write with signs inside it (an address, a path, 1.2.3) is found as a phrase: its terms, one after
// the other. Two single letters with a separator between them have kGap between them, so that a
// phrase of single letters is found exactly where they stand together.
//
// Threads: pure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::search {

// A term that no word becomes. In a text it also stands wherever its one character does: between
// the values of a document, which no phrase should span.
inline constexpr std::string_view kGap = "\x1f";

// Of a longer word only so much counts, everywhere.
inline constexpr std::size_t kTermBytesMax = 256;

// Changes with what texts are cut into: an index that was made with another one is made again.
int cutting_version() noexcept;

struct Term {
    std::string_view text;  // only until the sink returns
    std::size_t begin;      // the bytes of the text that it came from, whole characters
    std::size_t end;
    bool is_sign;  // without a letter or digit
};
using TermSink = std::function<bool(const Term&)>;  // false: enough

void cut(std::string_view text, const TermSink& sink);

}  // namespace dyad::search
