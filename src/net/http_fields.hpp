// What the values of header fields say (RFC 9110), over all lines of a field: lists, entity tags,
// media ranges, dates.
#pragma once

#include "net/http.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::net {

// A name (section 5.6.2).
bool is_token(std::string_view text) noexcept;
bool has_control(std::string_view text) noexcept;  // but tabs
// A line of a header (RFC 9112 section 5) or trailer, without its end: its name in lower case, and
// its value. Errors: invalid_request.
Result<Headers::value_type> read_field(std::string_view line);

bool same_ignoring_case(std::string_view a, std::string_view b) noexcept;
std::size_t count_of(const Headers& headers, std::string_view name) noexcept;

// The members of a list (section 5.6.1), without the white space round them; a comma inside quotes
// does not end one; empty ones are left out. Slices of `headers`.
std::vector<std::string_view> list_of(const Headers& headers, std::string_view name);
bool list_has(const Headers& headers, std::string_view name, std::string_view token);

// If-Match or If-None-Match (section 13.1).
struct EntityTags {
    bool present = false;
    bool any = false;                   // `*`
    bool malformed = false;             // a member is no entity tag, or `*` stands beside others
    std::vector<std::string_view> all;  // as sent: "x" or W/"x"

    // Character by character. Strong comparison: a weak tag equals nothing (section 8.8.3.2).
    bool has_strong(std::string_view tag) const noexcept;
    bool has_weak(std::string_view tag) const noexcept;
};
EntityTags entity_tags(const Headers& headers, std::string_view name);

// How much Accept wants this media type (section 12.5.1): 0, not at all, to 1000.
struct Preference {
    int weight = 0;
    int precision = -1;  // 0 by */*, 1 by type/*, 2 by its name; -1 where Accept does not name it
};
Preference preference(const Headers& headers, std::string_view media_type);

// The time as Date has it (section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". Kept for the second.
// Threads: any; the view is good until the thread's next call.
std::string_view http_date(std::int64_t wall_ms);

}  // namespace dyad::net
