#include "edit/place.hpp"

#include <algorithm>

namespace dyad::edit {

Error broken_at(std::string_view text, std::size_t at, const std::string& what) {
    const std::string_view before = text.substr(0, at);
    const std::size_t line_begin = before.rfind('\n') + 1;  // 0 where there is none
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const auto column =
        1 + std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line_begin), before.end(),
                          [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
    return fail(Errc::invalid_field, "line " + std::to_string(line) + ", column " +
                                         std::to_string(column) + ": " + what);
}

}  // namespace dyad::edit
