// One character of a text, with the marks that compose with it, as search compares it: without
// case, width, composition, presentation form and the diacritics that people leave out.
//
//     folded = NFKC, without diacritics, full case folding (Unicode, 3.13), Latin letters as ICU's
//              Latin-ASCII writes them (ł l, ø o, ß ss, æ ae, ı i), digits of all scripts as 0-9
//
// What is a diacritic: see is_dropped() in the .cpp. Unicode's data is ICU's.
// Threads: pure; each thread keeps a small cache of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::search {

enum class Kind : std::uint8_t {
    nothing,     // not there for search: soft hyphens, joiners, selectors, dropped marks
    separator,   // punctuation, blanks, symbols
    line_break,  // also a zero-width space: between words, but not between single letters
    word,        // a letter or digit of a script that puts blanks between words
    single,      // a letter of a script that does not, or of Hangul: a term by itself
    sign,        // an emoji: a term by itself
    mark,        // belongs to the letter before it
    several,     // characters of different kinds
};

struct Folded {
    std::string text;  // UTF-8 in NFC
    Kind kind = Kind::nothing;
};

// A character that is folded already.
Kind kind_of(char32_t folded) noexcept;

// The bytes of the piece that `text` begins with: a character and what composes with it, at most 32
// characters; or one byte that is not UTF-8. Requires: `text` is not empty.
std::size_t piece_bytes(std::string_view text) noexcept;

// Requires: a piece as piece_bytes() cuts it. Lifetime: until the thread's next call.
const Folded& fold(std::string_view piece);

// Folded pieces put together, in NFC.
std::string compose(std::string_view folded);

}  // namespace dyad::search
