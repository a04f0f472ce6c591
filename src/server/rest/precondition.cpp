// The conditions of a write in its header (RFC 9110 section 13).
#include "server/rest/call.hpp"

#include <charconv>

namespace dyad::server::rest {
namespace {

// `"7"` is a version, `*` any.
struct Precondition {
    bool present = false;
    bool any = false;
    Version version = 0;
};
Result<Precondition> precondition(const net::Request& request, std::string_view name) {
    const auto text = request.header(name);
    Precondition found;
    if (!text) return found;
    found.present = true;
    if (*text == "*") {
        found.any = true;
        return found;
    }
    std::string_view digits = *text;
    const bool quoted = digits.size() > 2 && digits.front() == '"' && digits.back() == '"';
    if (quoted) digits = digits.substr(1, digits.size() - 2);
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), found.version);
    if (!quoted || end.ec != std::errc() || end.ptr != digits.data() + digits.size())
        return fail(Errc::invalid_field,
                    std::string(name) + ": must be one version in quotes, as in ETag, or *");
    return found;
}

}  // namespace

Result<std::optional<Version>> expected_version(const net::Request& request) {
    const auto match = precondition(request, "if-match");
    if (!match) return match.error();
    const auto none = precondition(request, "if-none-match");
    if (!none) return none.error();
    if (none->present && !none->any)
        return fail(Errc::invalid_field, "If-None-Match: must be * here");
    if (match->present && match->any)
        return fail(Errc::invalid_field, "If-Match: must be a version here; read it first");
    if (!match->present && !none->present) return std::optional<Version>();
    if (match->present && none->present)
        return fail(Errc::invalid_field, "If-Match: excludes If-None-Match");
    return std::optional<Version>(match->present ? match->version : 0);
}

}  // namespace dyad::server::rest
