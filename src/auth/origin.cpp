#include "auth/origin.hpp"

#include <algorithm>

namespace dyad::auth {
namespace {

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view lower_case) noexcept {
    return std::equal(a.begin(), a.end(), lower_case.begin(), lower_case.end(),
                      [](char x, char y) { return lower(x) == y; });
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), lower);
    return out;
}

// "host" or "[v6 address]", as it stands in a URL.
std::string url_host(std::string_view host) {
    if (host.find(':') != std::string_view::npos && !host.starts_with('['))
        return "[" + lower_case(host) + "]";
    return lower_case(host);
}

bool is_every_address(std::string_view host) noexcept {
    return host.empty() || host == "0.0.0.0" || host == "::" || host == "[::]" || host == "*";
}

}  // namespace

bool is_loopback(std::string_view host) noexcept {
    if (host == "::1" || host == "[::1]" || equal_ignoring_case(host, "localhost")) return true;
    if (!host.starts_with("127.")) return false;
    return std::all_of(host.begin(), host.end(),
                       [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

OriginPolicy::OriginPolicy(std::string_view bound_host, std::uint16_t port,
                           const std::vector<std::string>& origins,
                           const std::vector<std::string>& hosts)
    : origins_(origins) {
    std::vector<std::string> own = {"127.0.0.1", "localhost", "[::1]"};
    // A server on every address has no name of its own: its names are for the settings to say.
    if (!is_every_address(bound_host)) own.push_back(url_host(bound_host));
    for (const std::string& name : own) {
        const std::string with_port = name + ":" + std::to_string(port);
        hosts_.push_back(with_port);
        origins_.push_back("http://" + with_port);
        if (port != 80) continue;
        hosts_.push_back(name);  // browsers leave the scheme's own port out
        origins_.push_back("http://" + name);
    }
    for (const std::string& host : hosts)
        hosts_.push_back(lower_case(host));
}

bool OriginPolicy::host_allowed(std::string_view host) const noexcept {
    return std::any_of(hosts_.begin(), hosts_.end(), [host](const std::string& allowed) {
        return equal_ignoring_case(host, allowed);
    });
}

bool OriginPolicy::origin_allowed(std::string_view origin) const noexcept {
    return std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

}  // namespace dyad::auth
