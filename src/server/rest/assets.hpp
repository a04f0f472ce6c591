// Files that are part of the program: the status page and the interface's description. Looked up in
// a table; no request ever reaches the file system.
#pragma once

#include <string>
#include <string_view>

namespace dyad::server::rest {

struct Asset {
    std::string_view path;
    std::string_view content_type;
    std::string_view bytes;
    std::string tag;  // its ETag
};

// Null where there is none.
const Asset* find_asset(std::string_view path);

}  // namespace dyad::server::rest
