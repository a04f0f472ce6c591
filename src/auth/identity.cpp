#include "auth/identity.hpp"

#include "base/limits.hpp"
#include "model/identity.hpp"

namespace dyad::auth {

Result<Principal> principal_of(std::string_view claimed, std::string_view default_user) {
    if (!claimed.empty())
        TRY(check_name("userId", claimed, limits::user_id_bytes_max, NameRule::identity));
    return Principal{.user = std::string(claimed.empty() ? default_user : claimed)};
}

}  // namespace dyad::auth
