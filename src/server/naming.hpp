// Who is named in a request, by its header or, where a page cannot set any, by its query.
//
// A header carries an identity as UTF-8, or in ASCII as an ext-value of RFC 8187 section 3.2.1:
// UTF-8''Jos%C3%A9. Scripts get that from "UTF-8''" + encodeURIComponent(id).
#pragma once

#include "base/limits.hpp"
#include "model/identity.hpp"
#include "net/http.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace dyad::server {

struct Naming {
    std::string_view header;     // in lower case
    std::string_view shown;      // as errors call it
    std::string_view parameter;  // of the query; empty: there is none
    std::int64_t bytes_max;
    NameRule rule;
};
inline constexpr Naming kUserName{"dyad-user", "Dyad-User", "user", limits::user_id_bytes_max,
                                  NameRule::identity};
inline constexpr Naming kInstanceName{"dyad-instance", "Dyad-Instance", "instance",
                                      limits::instance_id_bytes_max, NameRule::identity};
inline constexpr Naming kOperationName{"idempotency-key", "Idempotency-Key", "",
                                       limits::operation_id_bytes_max, NameRule::operation};

// What the request says; nothing where it says nothing. Errors: invalid_field where it says two
// things; those of check_name(), beginning with the name of the header or the parameter.
Result<std::optional<std::string>> named(const net::Request& request, const Naming& naming);

}  // namespace dyad::server
