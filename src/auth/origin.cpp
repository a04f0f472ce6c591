#include "auth/origin.hpp"

#include <algorithm>

namespace dyad::auth {
namespace {

// The scheme is not known behind a proxy, and browsers leave its own port out.
bool is_some_schemes_own(std::uint16_t port) noexcept {
    return port == 80 || port == 443;
}

Authority without_own_port(Authority authority) {
    if (authority.port && is_some_schemes_own(*authority.port)) authority.port.reset();
    return authority;
}

bool is_every_address(std::string_view host) noexcept {
    return host == "0.0.0.0" || host == "[::]";
}

}  // namespace

OriginPolicy::OriginPolicy(std::string_view bound_host, std::uint16_t port,
                           const std::vector<std::string>& origins,
                           const std::vector<std::string>& hosts)
    : port_(port), own_{"127.0.0.1", "localhost", "[::1]"} {
    const bool bare_v6 = bound_host.find(':') != std::string_view::npos && bound_host[0] != '[';
    const auto bound =
        parse_authority(bare_v6 ? "[" + std::string(bound_host) + "]" : std::string(bound_host));
    // A server on every address has no name of its own: its names are for the settings to say.
    if (bound && !is_every_address(bound->host)) own_.push_back(bound->host);
    for (const std::string& text : origins)
        if (auto origin = parse_origin(text)) origins_.push_back(*std::move(origin));
    for (const std::string& text : hosts)
        if (auto host = parse_host(text)) hosts_.push_back(*std::move(host));
}

bool OriginPolicy::is_own_name(std::string_view host) const noexcept {
    return std::find(own_.begin(), own_.end(), host) != own_.end();
}

bool OriginPolicy::host_allowed(std::string_view host) const {
    const Result<Authority> at = parse_authority(host);
    if (!at) return false;
    if (is_loopback(at->host) || is_own_name(at->host)) return true;
    return std::any_of(hosts_.begin(), hosts_.end(), [&](const Authority& allowed) {
        return allowed.host == at->host &&
               (!allowed.port || without_own_port(allowed) == without_own_port(*at));
    });
}

bool OriginPolicy::origin_allowed(std::string_view origin, std::string_view host) const {
    if (std::find(origins_.begin(), origins_.end(), origin) != origins_.end()) return true;
    const bool secure = origin.starts_with("https://");
    if (!secure && !origin.starts_with("http://")) return false;
    const Result<std::string> written = parse_origin(origin);
    if (!written || *written != origin) return false;  // no browser wrote it
    const Result<Authority> from = parse_authority(origin.substr(secure ? 8 : 7));
    const Result<Authority> at = parse_authority(host);
    if (!from || !at) return false;
    const std::uint16_t own_port = secure ? 443 : 80;
    const std::uint16_t port = from->port.value_or(own_port);
    if (port != at->port.value_or(own_port)) return false;
    if (from->host == at->host && is_loopback(at->host)) return true;
    return !secure && port == port_ && is_own_name(from->host) && is_own_name(at->host);
}

}  // namespace dyad::auth
