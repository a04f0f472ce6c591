#include "bus/redis/redis_url.hpp"

#include "base/bytes.hpp"
#include "net/http.hpp"

#include <optional>

namespace dyad::bus {
namespace {

Error wrong(const char* what) {
    return fail(Errc::invalid_field, std::string("the URL of Redis must look like "
                                                 "redis://user:password@host:6379/0: ") +
                                         what);
}

Status read_login(std::string_view login, RedisUrl& url) {
    const std::size_t colon = login.find(':');
    const std::optional<std::string> user = net::percent_decode(login.substr(0, colon));
    const std::optional<std::string> password = net::percent_decode(
        colon == std::string_view::npos ? std::string_view() : login.substr(colon + 1));
    if (!user || !password) return wrong("a % in the user name or the password is written as %25");
    url.user = *user;
    url.password = *password;
    return Done{};
}

Status read_port(std::string_view text, RedisUrl& url) {
    const std::optional<std::uint64_t> port = read_number(text);
    if (!port || *port == 0 || *port > UINT16_MAX) return wrong("the port is 1 to 65535");
    url.port = static_cast<std::uint16_t>(*port);
    return Done{};
}

Status read_place(std::string_view place, RedisUrl& url) {
    std::size_t end = place.find(':');
    if (place.starts_with('[')) {
        end = place.find(']');
        if (end == std::string_view::npos) return wrong("the bracket of an address is not closed");
        url.host = place.substr(1, end - 1);
        place.remove_prefix(end + 1);
        end = 0;
        if (!place.empty() && !place.starts_with(':')) return wrong("a port follows a colon");
    } else {
        url.host = place.substr(0, end);
        place.remove_prefix(std::min(end, place.size()));
    }
    if (url.host.empty()) return wrong("the host is missing");
    if (url.host.find_first_of(", \t") != std::string::npos) return wrong("one host is named");
    if (!place.empty()) TRY(read_port(place.substr(1), url));
    return Done{};
}

}  // namespace

Result<RedisUrl> RedisUrl::parse(std::string_view text) {
    RedisUrl url;
    const std::size_t scheme = text.find("://");
    const std::string_view name = text.substr(0, scheme);
    if (scheme == std::string_view::npos || (name != "redis" && name != "rediss"))
        return wrong("it begins with redis:// or rediss://");
    url.tls = name == "rediss";
    text.remove_prefix(scheme + 3);
    text = text.substr(0, text.find('?'));
    // A password may hold a slash that somebody did not encode: the last '@' ends it.
    const std::size_t at = text.rfind('@');
    if (at != std::string_view::npos) {
        TRY(read_login(text.substr(0, at), url));
        text.remove_prefix(at + 1);
    }
    const std::size_t slash = text.find('/');
    TRY(read_place(text.substr(0, slash), url));
    if (slash != std::string_view::npos && slash + 1 < text.size()) {
        const std::optional<std::uint64_t> database = read_number(text.substr(slash + 1));
        if (!database) return wrong("the database behind the slash is a number");
        url.database = *database;
    }
    return url;
}

}  // namespace dyad::bus
