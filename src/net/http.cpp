#include "net/http.hpp"

#include "base/bytes.hpp"

#include <algorithm>

namespace dyad::net {
namespace {

// Those that this server answers with (RFC 9110 section 15).
constexpr std::pair<int, std::string_view> kStatuses[] = {
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {412, "Precondition Failed"},
    {413, "Payload Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {507, "Insufficient Storage"},
};

bool is_unreserved(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

// So that nothing that came from a client can begin a line of its own.
void append_value(std::string& out, std::string_view value) {
    for (const char c : value) {
        const auto u = static_cast<unsigned char>(c);
        out += (u < 0x20 && c != '\t') || u == 0x7f ? '?' : c;
    }
}

// `close` joins what the answer says of the connection (RFC 9110 section 7.6.1).
std::string response_head(const Response& response, bool keep_alive) {
    std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
    out.append(status_text(response.status)).append("\r\n");
    if (!response.content_type.empty())
        out.append("Content-Type: ").append(response.content_type).append("\r\n");
    bool said = keep_alive;
    for (const auto& [name, value] : response.headers) {
        out.append(name).append(": ");
        append_value(out, value);
        if (!said && name == "Connection") {
            out.append(", close");
            said = true;
        }
        out.append("\r\n");
    }
    if (!said) out.append("Connection: close\r\n");
    return out;
}

}  // namespace

std::string_view status_text(int status) noexcept {
    const auto* const row = std::find_if(std::begin(kStatuses), std::end(kStatuses),
                                         [status](const auto& one) { return one.first == status; });
    return row != std::end(kStatuses) ? row->second : std::string_view();
}

std::string serialize(const Response& response, bool keep_alive, bool head_only) {
    std::string out = response_head(response, keep_alive);
    const bool bodiless = response.status == 204 || response.status == 304;
    if (!bodiless)
        out.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
    const bool with_body = !head_only && !bodiless;
    out.reserve(out.size() + 2 + (with_body ? response.body.size() : 0));
    out.append("\r\n");
    if (with_body) out.append(response.body);
    return out;
}

std::string stream_head(const Response& response) {
    return response_head(response, false).append("\r\n");
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        std::array<std::uint8_t, 1> byte;
        if (!read_hex(text.substr(i + 1, 2), byte) || byte[0] == 0) return std::nullopt;
        out += static_cast<char>(byte[0]);
        i += 2;
    }
    return out;
}

std::string percent_encode(std::string_view text) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            out += '%';
            out += kDigits[static_cast<unsigned char>(c) >> 4];
            out += kDigits[static_cast<unsigned char>(c) & 15];
        }
    }
    return out;
}

}  // namespace dyad::net
