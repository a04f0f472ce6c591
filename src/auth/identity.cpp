#include "auth/identity.hpp"

#include "base/limits.hpp"

#include <algorithm>

namespace dyad::auth {

Result<std::string> user_of(std::string_view claimed, std::string_view default_user) {
    if (claimed.empty()) return std::string(default_user);
    if (claimed.size() > static_cast<std::size_t>(limits::user_id_bytes_max))
        return fail(
            Errc::too_large,
            "userId: at most " + std::to_string(limits::user_id_bytes_max) + " bytes are allowed");
    if (std::any_of(claimed.begin(), claimed.end(),
                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
        return fail(Errc::invalid_field, "userId: control characters are not allowed");
    return std::string(claimed);
}

}  // namespace dyad::auth
