#include "cli/url.hpp"

#include "cli/text.hpp"
#include "net/http.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace dyad::cli {
namespace {

// Of reg-name (RFC 3986) what names that can be looked up are made of.
constexpr std::string_view kHostCharacters = "abcdefghijklmnopqrstuvwxyz0123456789-._%";

Error bad(std::string what) {
    return fail(Errc::invalid_field, std::move(what));
}

Error no_url() {
    return bad("is no URL; write it as http://127.0.0.1:8765");
}

bool is_host(std::string_view host) {
    if (!host.starts_with('['))
        return host.find_first_not_of(kHostCharacters) == std::string_view::npos;
    if (!host.ends_with(']')) return false;
    host = host.substr(1, host.size() - 2);
    const std::string address(host.substr(0, host.find("%25")));  // before a zone
    unsigned char bytes[16];
    return inet_pton(AF_INET6, address.c_str(), bytes) == 1;
}

// Takes the scheme off; without one, a port has to say what is meant.
Result<std::string> take_scheme(std::string_view& text) {
    const std::size_t end = text.find("://");
    if (end != std::string_view::npos) {
        std::string scheme = to_lower(text.substr(0, end));
        text.remove_prefix(end + 3);
        if (scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss")
            return scheme;
        return bad("has the scheme \"" + scheme +
                   "\"; it must be http or https, as in http://127.0.0.1:8765");
    }
    const std::string host(text.substr(0, text.find('/')));
    const std::size_t colon = host.rfind(':');
    const bool has_port = colon != std::string::npos && colon > 0 && colon + 1 < host.size() &&
                          (host.find(':') == colon || host[colon - 1] == ']');
    if (has_port) return std::string("http");
    if (host.empty()) return no_url();
    if (colon != std::string::npos)
        return bad("has no scheme; write it as http://127.0.0.1:8765 or http://[::1]:8765");
    return bad("has no scheme; write http://" + host + ":8765, or http://" + host + " for port 80");
}

Status take_authority(std::string_view authority, Url& url) {
    if (authority.find('@') != std::string_view::npos)
        return bad("must not hold a user name or password (\"@\"); the server takes none");
    const std::size_t bracket = authority.rfind(']');
    const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    url.host = to_lower(authority.substr(0, colon));
    if (url.host.empty()) return bad("names no host; write it as http://127.0.0.1:8765");
    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    if (!std::all_of(url.host.begin(), url.host.end(), is_ascii))
        return bad("has a name that is not ASCII; write it as browsers send it (xn--…)");
    if (!is_host(url.host)) return no_url();
    url.port = url.scheme == "https" ? 443 : 80;
    if (colon == std::string_view::npos || colon + 1 == authority.size()) return Done{};
    const std::string_view port = authority.substr(colon + 1);
    const auto read = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (read.ec != std::errc() || read.ptr != port.data() + port.size() || url.port == 0)
        return bad("has the port \"" + std::string(port) + "\"; write 1 to 65535");
    return Done{};
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
    for (const char c : text)
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '\\') return no_url();
    if (text.find('?') != std::string_view::npos)
        return bad("must not have a query (\"?\"); leave it out");
    if (text.find('#') != std::string_view::npos)
        return bad("must not have a fragment (\"#\"); leave it out");
    Url url;
    Result<std::string> scheme = take_scheme(text);
    if (!scheme) return scheme.error();
    const bool live = scheme->starts_with("ws");
    url.scheme = scheme->ends_with('s') && *scheme != "ws" ? "https" : "http";
    const std::size_t path = std::min(text.find('/'), text.size());
    TRY(take_authority(text.substr(0, path), url));
    url.prefix = text.substr(path);
    if (!net::percent_decode(url.prefix)) return no_url();
    while (url.prefix.ends_with('/'))
        url.prefix.pop_back();
    if (live && url.prefix.ends_with("/sync")) url.prefix.resize(url.prefix.size() - 5);
    return url;
}

std::string Url::authority() const {
    return is_own_port() ? host : host + ":" + std::to_string(port);
}

std::string Url::text() const {
    return scheme + "://" + authority() + prefix;
}

}  // namespace dyad::cli
