#include "auth/identity.hpp"

#include "base/limits.hpp"
#include "model/identity.hpp"

namespace dyad::auth {

Result<std::string> user_of(std::string_view claimed, std::string_view default_user) {
    if (claimed.empty()) return std::string(default_user);
    if (Status good = check_name("userId", claimed, limits::user_id_bytes_max, NameRule::identity);
        !good)
        return good.error();
    return std::string(claimed);
}

}  // namespace dyad::auth
