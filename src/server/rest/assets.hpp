// Files that are part of the program: the status page and the interface's description. Looked up in
// a table; no request ever reaches the file system.
#pragma once

#include <string_view>

namespace dyad::server::rest {

struct Asset {
    std::string_view path;
    std::string_view content_type;
    std::string_view bytes;
};

// Null where there is none.
const Asset* find_asset(std::string_view path) noexcept;

}  // namespace dyad::server::rest
