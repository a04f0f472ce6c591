#include "model/identity.hpp"

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf8.h>

namespace dyad {
namespace {

bool is_ascii(std::string_view text) noexcept {
    return std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
}

// Nothing where the text is not UTF-8.
std::optional<std::vector<UChar32>> characters_of(std::string_view text) {
    std::vector<UChar32> out;
    const auto size = static_cast<int32_t>(text.size());
    for (int32_t at = 0; at < size;) {
        UChar32 c;
        U8_NEXT(text.data(), at, size, c);
        if (c < 0) return std::nullopt;
        out.push_back(c);
    }
    return out;
}

std::string code_of(UChar32 c) {
    char text[16];
    std::snprintf(text, sizeof text, "U+%04X", static_cast<unsigned>(c));
    return text;
}

bool is_control(UChar32 c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

bool is_variation_selector(UChar32 c) {
    return (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

// Joiners shape the letters of many scripts and put emoji together: between two characters of such
// scripts they are seen. Variation selectors change how the character before them looks.
bool is_seen(const std::vector<UChar32>& text, std::size_t at) {
    constexpr UChar32 kFirstJoined = 0x600;  // Latin, Greek, Cyrillic and Hebrew stand before
    const UChar32 c = text[at];
    const UChar32 before = at == 0 ? 0 : text[at - 1];
    if (is_variation_selector(c)) return before >= 0x80 && !is_variation_selector(before);
    if (c != 0x200c && c != 0x200d) return false;
    const UChar32 after = at + 1 == text.size() ? 0 : text[at + 1];
    return before >= kFirstJoined && after >= kFirstJoined;
}

bool is_invisible(UChar32 c) {
    return u_hasBinaryProperty(c, UCHAR_DEFAULT_IGNORABLE_CODE_POINT) != 0 || c == 0x2800 ||
           (c >= 0xfff9 && c <= 0xfffb);
}

// What is wrong with the text; empty: nothing.
std::string flaw_of(const std::vector<UChar32>& text, NameRule rule) {
    for (std::size_t at = 0; at < text.size(); ++at) {
        const UChar32 c = text[at];
        if (is_control(c)) return "control characters are not allowed (" + code_of(c) + ")";
        if (rule == NameRule::label) continue;
        if (is_invisible(c) && !is_seen(text, at))
            return "holds " + code_of(c) + ", which is invisible; leave it out";
        if (U_IS_UNICODE_NONCHAR(c)) return "holds " + code_of(c) + ", which is no character";
        if (c == 0xfffd) return "holds U+FFFD: its encoding was damaged on the way here";
        if ((at == 0 || at + 1 == text.size()) && u_isUWhiteSpace(c))
            return "begins or ends with white space (" + code_of(c) + "); leave it out";
    }
    return {};
}

}  // namespace

Status check_name(std::string_view field, std::string_view value, std::int64_t bytes_max,
                  NameRule rule) {
    const auto refused = [&](Errc code, std::string_view what) {
        return fail(code, std::string(field).append(": ").append(what));
    };
    if (value.empty()) return refused(Errc::missing_field, "is required and not empty");
    if (value.size() > static_cast<std::size_t>(bytes_max))
        return refused(Errc::too_large,
                       "at most " + std::to_string(bytes_max) + " bytes are allowed");
    const bool plain =
        std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
    if (plain && value.front() != ' ' && value.back() != ' ') return Done{};
    const auto characters = characters_of(value);
    if (!characters) return refused(Errc::invalid_utf8, "is not UTF-8; encode the text as UTF-8");
    if (const std::string flaw = flaw_of(*characters, rule); !flaw.empty())
        return refused(Errc::invalid_field, flaw);
    if (rule == NameRule::identity && !is_nfc(value))
        return refused(Errc::invalid_field,
                       "is not in Unicode normalization form C, so that another id looks the same; "
                       "send it composed (JavaScript: id.normalize(\"NFC\"))");
    return Done{};
}

bool may_compose(std::uint32_t c) {
    return u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NFC_QUICK_CHECK) != UNORM_YES;
}

bool is_nfc(std::string_view text) {
    if (is_ascii(text)) return true;
    UErrorCode error = U_ZERO_ERROR;
    std::vector<UChar> units(text.size());  // UTF-16 has no more units than UTF-8 has bytes
    int32_t size = 0;
    u_strFromUTF8(units.data(), static_cast<int32_t>(units.size()), &size, text.data(),
                  static_cast<int32_t>(text.size()), &error);
    const UNormalizer2* const nfc = unorm2_getNFCInstance(&error);
    return U_SUCCESS(error) && unorm2_isNormalized(nfc, units.data(), size, &error) != 0 &&
           U_SUCCESS(error);
}

}  // namespace dyad
