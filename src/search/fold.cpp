#include "search/fold.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <array>
#include <memory>

#include <unicode/normalizer2.h>
#include <unicode/translit.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

namespace dyad::search {
namespace {

constexpr UChar32 kBreve = 0x306;
constexpr UChar32 kZeroWidthSpace = 0x200b;
constexpr UChar32 kTatweel = 0x640;

const icu::Normalizer2& normalizer(UNormalization2Mode mode) {
    UErrorCode error = U_ZERO_ERROR;
    const icu::Normalizer2* found = icu::Normalizer2::getInstance(nullptr, "nfkc", mode, error);
    CHECK(U_SUCCESS(error));
    return *found;
}

const icu::Normalizer2& nfkc() {
    static const icu::Normalizer2& instance = normalizer(UNORM2_COMPOSE);
    return instance;
}

std::string utf8(const icu::UnicodeString& text) {
    std::string out;
    text.toUTF8String(out);
    return out;
}

icu::UnicodeString utf16(std::string_view text) {
    return icu::UnicodeString::fromUTF8(
        icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

// Scripts that put no blanks between words; `c` may be used by several.
bool is_without_blanks(UChar32 c) {
    UScriptCode scripts[32];
    UErrorCode error = U_ZERO_ERROR;
    const std::int32_t count = uscript_getScriptExtensions(c, scripts, 32, &error);
    for (std::int32_t i = 0; U_SUCCESS(error) && i < count; ++i)
        if (uscript_breaksBetweenLetters(scripts[i])) return true;
    return false;
}

bool is_mark(UChar32 c) {
    return (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0;
}

// The marks that people leave out: accents of Latin, Greek and Cyrillic letters, points of Arabic,
// Hebrew and Syriac, nuktas, what encloses. They are told by their combining class: vowel signs of
// Indic, Thai, Tibetan and other scripts, the virama and the voicing of kana have others (0, 8, 9,
// 84 to 132). Scripts without blanks keep all marks, and so do those whose vowels have class 220 or
// 230: they are their script's own and no diacritics in Unicode's sense.
bool is_dropped(UChar32 mark) {
    if (u_charType(mark) == U_ENCLOSING_MARK) return true;
    const int order = u_getCombiningClass(mark);
    if (order != 1 && order != 7 && (order < 10 || order > 36) && order < 200) return false;
    UErrorCode error = U_ZERO_ERROR;
    const UScriptCode script = uscript_getScript(mark, &error);
    if (script == USCRIPT_INHERITED) return true;
    return u_hasBinaryProperty(mark, UCHAR_DIACRITIC) && !is_without_blanks(mark);
}

// й is a letter, not и with an accent: CLDR's collation for search tells them apart, and no other
// of the letters that is_dropped() simplifies.
bool is_short_i(UChar32 letter, UChar32 mark) {
    return mark == kBreve && (letter == U'и' || letter == U'И');
}

icu::UnicodeString without_marks(const icu::UnicodeString& decomposed) {
    icu::UnicodeString out;
    UChar32 letter = 0;
    for (std::int32_t i = 0; i < decomposed.length();) {
        const UChar32 c = decomposed.char32At(i);
        i += U16_LENGTH(c);
        if (!is_mark(c))
            letter = c;
        else if (is_dropped(c) && !is_short_i(letter, c))
            continue;
        out.append(c);
    }
    return out;
}

// The letters that one keyboard writes for the other's, or that are left plain, as CLDR's collation
// for search and Lucene's normalisers of Arabic and Persian have them. What Unicode calls a letter
// and people type as an apostrophe (oʻzbek, пʼять, Hawaiʻi, ʿAlī): ICU's Latin-ASCII and unaccent.
UChar32 plain_character(UChar32 c) {
    switch (c) {
        case 0x2b9:
        case 0x2ba:
        case 0x2bb:
        case 0x2bc:
        case 0x2bd:
        case 0x2be:
        case 0x2bf:
        case 0x2c8:
            return '\'';
        case 0x671:
            return 0x627;  // alef wasla, alef
        case 0x649:
        case 0x6cc:
            return 0x64a;  // alef maksura and Farsi yeh, yeh
        case 0x6a9:
            return 0x643;  // keheh, kaf
        case 0x629:
            return 0x647;  // teh marbuta, heh
        default:
            return c;
    }
}

icu::UnicodeString with_plain_characters(const icu::UnicodeString& text, bool& latin) {
    icu::UnicodeString out;
    for (std::int32_t i = 0; i < text.length();) {
        UChar32 c = text.char32At(i);
        i += U16_LENGTH(c);
        if (c == kTatweel || u_hasBinaryProperty(c, UCHAR_EMOJI_MODIFIER) ||
            (c != kZeroWidthSpace && u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT)))
            continue;
        if (c >= 0x80 && u_isdigit(c)) c = '0' + u_charDigitValue(c);
        UErrorCode error = U_ZERO_ERROR;
        latin = latin || (c >= 0x80 && uscript_getScript(c, &error) == USCRIPT_LATIN);
        out.append(plain_character(c));
    }
    return out;
}

Kind kind_of_all(std::string_view folded) {
    Kind all = Kind::nothing;
    for (std::int32_t i = 0; i < static_cast<std::int32_t>(folded.size());) {
        UChar32 c = 0;
        U8_NEXT_UNSAFE(folded.data(), i, c);
        const Kind kind = kind_of(static_cast<char32_t>(c));
        // Letters of scripts without blanks are terms of their own, however many there are.
        if (all != Kind::nothing && (kind != all || kind != Kind::word)) return Kind::several;
        all = kind;
    }
    return all;
}

class Folding {
  public:
    const Folded& of(std::string_view piece) {
        UChar32 c = 0;
        std::int32_t end = 0;
        U8_NEXT(piece.data(), end, static_cast<std::int32_t>(piece.size()), c);
        if (c < 0) return last_ = {.text = {}, .kind = Kind::separator};
        if (static_cast<std::size_t>(end) != piece.size()) return last_ = folded(utf16(piece));
        // Most of what is written in them folds to itself.
        if ((c >= 0x4e00 && c <= 0x9fff) || (c >= 0xac00 && c <= 0xd7a3)) {
            last_.text = piece;
            last_.kind = Kind::single;
            return last_;
        }
        Known& known = known_[static_cast<std::size_t>(c) % known_.size()];
        if (known.character != c) known = {c, folded(icu::UnicodeString(c))};
        return known.folded;
    }

  private:
    struct Known {
        UChar32 character = -1;
        Folded folded;
    };

    Folded folded(const icu::UnicodeString& piece) {
        static const icu::Normalizer2& nfkd = normalizer(UNORM2_DECOMPOSE);
        UErrorCode error = U_ZERO_ERROR;
        icu::UnicodeString text = without_marks(nfkd.normalize(piece, error));
        bool latin = false;
        text = with_plain_characters(text.foldCase(), latin);
        if (latin) {
            // It costs some milliseconds, so it is made when the first such letter comes.
            if (!to_ascii_)
                to_ascii_.reset(
                    icu::Transliterator::createInstance("Latin-ASCII", UTRANS_FORWARD, error));
            CHECK(U_SUCCESS(error) && to_ascii_ != nullptr);
            to_ascii_->transliterate(text);
            text.foldCase();
        }
        std::string out = utf8(nfkc().normalize(text, error));
        CHECK(U_SUCCESS(error));
        const Kind kind = kind_of_all(out);
        return {std::move(out), kind};
    }

    std::array<Known, 1024> known_;
    Folded last_;
    std::unique_ptr<icu::Transliterator> to_ascii_;
};

}  // namespace

Kind kind_of(char32_t folded) noexcept {
    const auto c = static_cast<UChar32>(folded);
    if (c == '\n' || c == '\r' || c == kZeroWidthSpace) return Kind::line_break;
    const std::uint32_t category = U_GET_GC_MASK(c);
    if ((category & (U_GC_L_MASK | U_GC_N_MASK | U_GC_CO_MASK)) != 0) {
        UErrorCode error = U_ZERO_ERROR;
        const bool single = uscript_getScript(c, &error) == USCRIPT_HANGUL || is_without_blanks(c);
        return single ? Kind::single : Kind::word;
    }
    if ((category & U_GC_M_MASK) != 0) return Kind::mark;
    if (u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC) ||
        u_hasBinaryProperty(c, UCHAR_REGIONAL_INDICATOR))
        return Kind::sign;
    // Letters of a later Unicode; those of ideographs are reserved as such.
    if (category == U_GC_CN_MASK && !U_IS_UNICODE_NONCHAR(c))
        return u_getIntPropertyValue(c, UCHAR_LINE_BREAK) == U_LB_IDEOGRAPHIC ? Kind::single
                                                                              : Kind::word;
    return Kind::separator;
}

std::size_t piece_bytes(std::string_view text) noexcept {
    constexpr int kCharactersMax = 32;  // nobody's text has more marks in a row (UAX #15, 13)
    const auto size = static_cast<std::int32_t>(std::min<std::size_t>(text.size(), 256));
    std::int32_t end = 0;
    UChar32 c = 0;
    U8_NEXT(text.data(), end, size, c);
    for (int count = 1; c >= 0 && end < size && count < kCharactersMax; ++count) {
        if (static_cast<unsigned char>(text[static_cast<std::size_t>(end)]) < 0x80) break;
        std::int32_t next = end;
        U8_NEXT(text.data(), next, size, c);
        if (c < 0 || nfkc().hasBoundaryBefore(c)) break;
        end = next;
    }
    return static_cast<std::size_t>(end);
}

const Folded& fold(std::string_view piece) {
    thread_local Folding folding;
    return folding.of(piece);
}

std::string compose(std::string_view folded) {
    UErrorCode error = U_ZERO_ERROR;
    std::string out = utf8(nfkc().normalize(utf16(folded), error));
    CHECK(U_SUCCESS(error));
    return out;
}

}  // namespace dyad::search
