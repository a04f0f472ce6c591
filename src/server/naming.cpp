#include "server/naming.hpp"

#include "base/utf8.hpp"
#include "net/http_fields.hpp"

namespace dyad::server {
namespace {

using Named = Result<std::optional<std::string>>;

// Where the value behind the charset and the language of an ext-value begins; 0 where it is none.
std::size_t ext_value_start(std::string_view text, std::string_view charset) {
    if (text.find('\'') != charset.size() ||
        !net::same_ignoring_case(text.substr(0, charset.size()), charset))
        return 0;
    return text.find('\'', charset.size() + 1) + 1;  // 0 where there is no second one
}

Error refused(const Naming& naming, Errc code, std::string_view what) {
    return fail(code, std::string(naming.shown).append(": ").append(what));
}

std::string advice(const Naming& naming, std::string_view what) {
    return std::string(what)
        .append("; send it in ASCII: ")
        .append(naming.shown)
        .append(": UTF-8\'\'Jos%C3%A9 (JavaScript: \"UTF-8\'\'\" + encodeURIComponent(id))");
}

Named header_value(const net::Request& request, const Naming& naming) {
    const std::size_t count = net::count_of(request.headers, naming.header);
    if (count == 0) return std::optional<std::string>();
    // A proxy could take the other one.
    if (count > 1) return refused(naming, Errc::invalid_field, "stands twice; send it once");
    std::string value(*request.header(naming.header));
    if (value.empty())
        return refused(naming, Errc::invalid_field, "is empty; leave it out, or give it a value");
    if (ext_value_start(value, "iso-8859-1") != 0 || ext_value_start(value, "utf8") != 0)
        return refused(naming, Errc::invalid_field,
                       advice(naming, "names a charset that is not UTF-8"));
    if (const std::size_t start = ext_value_start(value, "utf-8"); start != 0) {
        const auto decoded = net::percent_decode(std::string_view(value).substr(start));
        if (!decoded)
            return refused(naming, Errc::invalid_field,
                           advice(naming, "has a malformed percent escape"));
        value = *decoded;
    }
    if (!valid_utf8(value))
        return refused(naming, Errc::invalid_utf8, advice(naming, "is not UTF-8"));
    TRY(check_name(naming.shown, value, naming.bytes_max, naming.rule));
    return std::optional<std::string>(std::move(value));
}

Named parameter_value(const net::Request& request, const Naming& naming) {
    if (naming.parameter.empty()) return std::optional<std::string>();
    const auto value = request.query_value(naming.parameter);
    if (!value) return std::optional<std::string>();
    TRY(check_name(naming.parameter, *value, naming.bytes_max, naming.rule));
    return std::optional<std::string>(*value);
}

}  // namespace

Named named(const net::Request& request, const Naming& naming) {
    Named header = header_value(request, naming);
    if (!header) return header;
    Named parameter = parameter_value(request, naming);
    if (!parameter || !*parameter) return parameter ? std::move(header) : std::move(parameter);
    if (*header && **header != **parameter)
        return refused(
            naming, Errc::invalid_field,
            "is another one than the query's " + std::string(naming.parameter) + "; send it once");
    return parameter;
}

}  // namespace dyad::server
