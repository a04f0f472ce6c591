#include "cli/url.hpp"

#include <charconv>
#include <memory>

#include <curl/curl.h>

namespace dyad::cli {
namespace {

using Parser = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0) {
    char* text = nullptr;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
    std::string out(text);
    curl_free(text);
    return out;
}

// What no server's address has, whatever a parser makes of it.
Status check_parts(std::string_view text) {
    if (text.find('?') != std::string_view::npos)
        return fail(Errc::invalid_field, "must not have a query (\"?\"); leave it out");
    if (text.find('#') != std::string_view::npos)
        return fail(Errc::invalid_field, "must not have a fragment (\"#\"); leave it out");
    const std::size_t scheme = text.find("://");
    const std::string_view rest = scheme == std::string_view::npos ? text : text.substr(scheme + 3);
    const std::string_view authority = rest.substr(0, rest.find('/'));
    if (authority.find('@') != std::string_view::npos)
        return fail(Errc::invalid_field,
                    "must not hold a user name or password (\"@\"); the server takes none");
    if (authority.empty())
        return fail(Errc::invalid_field, "names no host; write it as http://127.0.0.1:8765");
    if (scheme != std::string_view::npos) return Done{};
    const std::size_t colon = authority.rfind(':');
    const bool has_port =
        colon != std::string_view::npos && colon + 1 < authority.size() &&
        authority.find_first_not_of("0123456789", colon + 1) == std::string_view::npos &&
        (authority.find(':') == colon || authority[colon - 1] == ']');
    if (has_port && colon > 0) return Done{};
    const std::string host(authority);
    return fail(Errc::invalid_field, "has no scheme; write http://" + host + ":8765, or http://" +
                                         host + " for port 80");
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
    if (const Status good = check_parts(text); !good) return good.error();
    const Parser parser(curl_url(), curl_url_cleanup);
    const std::string whole = text.find("://") == std::string_view::npos
                                  ? "http://" + std::string(text)
                                  : std::string(text);
    const CURLUcode code =
        curl_url_set(parser.get(), CURLUPART_URL, whole.c_str(), CURLU_NON_SUPPORT_SCHEME);
    if (code == CURLUE_BAD_PORT_NUMBER)
        return fail(Errc::invalid_field, "has a port that is none; write 1 to 65535");
    if (code != CURLUE_OK)
        return fail(Errc::invalid_field, "is no URL; write it as http://127.0.0.1:8765");
    Url url;
    url.scheme = part_of(parser.get(), CURLUPART_SCHEME);
    const bool live = url.scheme == "ws" || url.scheme == "wss";
    if (live) url.scheme = url.scheme == "ws" ? "http" : "https";
    if (url.scheme != "http" && url.scheme != "https")
        return fail(Errc::invalid_field,
                    "has the scheme \"" + url.scheme +
                        "\"; it must be http or https, as in http://127.0.0.1:8765");
    url.host = part_of(parser.get(), CURLUPART_HOST);
    for (char& c : url.host)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    const std::string zone = part_of(parser.get(), CURLUPART_ZONEID);
    if (!zone.empty()) url.host.insert(url.host.size() - 1, "%25" + zone);
    url.port = url.scheme == "https" ? 443 : 80;
    const std::string port = part_of(parser.get(), CURLUPART_PORT);
    if (!port.empty()) std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (url.port == 0) return fail(Errc::invalid_field, "has the port 0; write 1 to 65535");
    url.prefix = part_of(parser.get(), CURLUPART_PATH);
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
