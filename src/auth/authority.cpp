#include "auth/authority.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

#include <arpa/inet.h>

namespace dyad::auth {
namespace {

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

Error wrong(std::string_view text, std::string_view what) {
    return fail(Errc::invalid_field, "\"" + std::string(text) + "\" " + std::string(what));
}

// As the library writes it, but for the end of those that hold an IPv4 address.
std::string serialize_v6(const std::array<std::uint8_t, 16>& bytes) {
    char text[INET6_ADDRSTRLEN];
    std::string out = inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
    if (out.find('.') != std::string::npos) {
        const auto piece = [&](std::size_t i) { return bytes[2 * i] << 8 | bytes[2 * i + 1]; };
        std::snprintf(text, sizeof text, "%x:%x", piece(6), piece(7));
        out.replace(out.rfind(':') + 1, std::string::npos, text);
    }
    return "[" + out + "]";
}

Result<std::string> parse_v6(std::string_view text) {
    std::array<std::uint8_t, 16> bytes{};
    const std::string inner(text.substr(1, text.size() - 2));
    if (!text.ends_with(']') || inet_pton(AF_INET6, inner.c_str(), bytes.data()) != 1)
        return wrong(text, "is no IPv6 address in brackets, such as [::1]");
    return serialize_v6(bytes);
}

// A browser takes a name whose last label is a number for an IPv4 address, and rewrites it.
bool ends_in_number(std::string_view host) {
    if (host.ends_with('.')) host.remove_suffix(1);
    const std::string_view label = host.substr(host.rfind('.') + 1);
    return !label.empty() &&
           (label.starts_with("0x") || std::all_of(label.begin(), label.end(), is_digit));
}

Result<std::string> parse_name(std::string_view text) {
    std::string host = to_lower(text);
    for (const char c : host) {
        if (static_cast<unsigned char>(c) >= 0x80)
            return wrong(text, "must be written in ASCII, as browsers send it (xn--…)");
        if (c == '*') return wrong(text, "has a wildcard; name each host by itself");
        if (!(c >= 'a' && c <= 'z') && !is_digit(c) && c != '-' && c != '.' && c != '_')
            return wrong(text, "is no host name");
    }
    if (host.empty() || host.size() > 254 || host.front() == '.' ||
        host.find("..") != std::string::npos)
        return wrong(text, "is no host name");
    if (!ends_in_number(host)) return host;
    std::array<std::uint8_t, 4> bytes{};
    if (inet_pton(AF_INET, host.c_str(), bytes.data()) != 1)
        return wrong(text, "is no IPv4 address of four decimal numbers");
    return host;
}

std::optional<std::uint16_t> own_port_of(std::string_view scheme) noexcept {
    if (scheme == "http") return 80;
    if (scheme == "https") return 443;
    return std::nullopt;
}

bool is_scheme(std::string_view text) noexcept {
    const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
    return !text.empty() && letter(text.front()) &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
           });
}

}  // namespace

Result<Authority> parse_authority(std::string_view text) {
    if (text.find('@') != std::string_view::npos) return wrong(text, "must not hold a user name");
    const std::size_t bracket = text.rfind(']');
    const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
    const std::string_view name = text.substr(0, colon);
    Authority out;
    ASSIGN_OR_RETURN(out.host, name.starts_with('[') ? parse_v6(name) : parse_name(name));
    if (colon == std::string_view::npos || colon + 1 == text.size()) return out;
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (end.ec != std::errc() || end.ptr != digits.data() + digits.size() || port == 0)
        return wrong(text, "must have a port from 1 to 65535, or none");
    out.port = port;
    return out;
}

Result<std::string> parse_origin(std::string_view text) {
    if (text == "*") return wrong(text, "would let every page in; name each origin by itself");
    const std::size_t end = text.find("://");
    const std::string scheme = to_lower(text.substr(0, end));
    if (end == std::string_view::npos || !is_scheme(scheme))
        return wrong(text, "must look like https://app.example.com");
    // Their pages have no origin that could be named ("null"), or there are no such pages.
    for (const std::string_view never :
         {"ws", "wss", "ftp", "file", "data", "about", "blob", "javascript"})
        if (scheme == never)
            return wrong(text,
                         "can never match: no page has an origin of this scheme; write "
                         "http:// or https://");
    std::string_view rest = text.substr(end + 3);
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.find_first_of("/?#\\") != std::string_view::npos)
        return wrong(text,
                     "can never match: an origin has no path; leave out what follows the "
                     "host and port");
    const Result<Authority> at = parse_authority(rest);
    if (!at) return wrong(text, "can never match: " + at.error().detail);
    std::string out = scheme + "://" + at->host;
    if (at->port && at->port != own_port_of(scheme)) out += ":" + std::to_string(*at->port);
    return out;
}

Result<Authority> parse_host(std::string_view text) {
    if (text.find_first_of("/?#\\") != std::string_view::npos)
        return wrong(text, "must be host or host:port, without a scheme and a path");
    return parse_authority(text);
}

bool is_loopback(std::string_view host) {
    if (host == "::1") return true;
    const Result<Authority> at = parse_authority(host);
    if (!at || at->port) return false;
    std::string_view name = at->host;
    if (name == "[::1]" || (name.starts_with("127.") && ends_in_number(name))) return true;
    if (name.ends_with('.')) name.remove_suffix(1);
    return name == "localhost" || name.ends_with(".localhost");
}

}  // namespace dyad::auth
