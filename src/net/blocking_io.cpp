#include "net/blocking_io.hpp"

#include "net/socket.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <poll.h>

namespace dyad::net {
namespace {

constexpr std::size_t kHeadMax = 64 * 1024;

Status wait_for(int fd, short events, std::int64_t timeout_ms) {
    pollfd wait{fd, events, 0};
    const int ready = poll(&wait, 1, static_cast<int>(timeout_ms));
    if (ready == 1) return Done{};
    if (ready < 0 && errno == EINTR) return fail(Errc::timed_out, "interrupted");
    return fail(Errc::timed_out, "the server did not answer in time");
}

Result<ClientResponse> parse_head(std::string_view head) {
    ClientResponse response;
    const bool http = head.starts_with("HTTP/1.") && head.size() >= 12 && head[8] == ' ';
    if (!http ||
        std::from_chars(head.data() + 9, head.data() + 12, response.status).ptr != head.data() + 12)
        return fail(Errc::unavailable, "what answers there does not speak HTTP");
    head.remove_prefix(std::min(head.find("\r\n") + 2, head.size()));
    while (!head.empty()) {
        const std::string_view line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(line.size() + 2, head.size()));
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        std::string_view value = line.substr(colon + 1);
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
            value.remove_prefix(1);
        while (!value.empty() && (value.back() == ' ' || value.back() == '\t'))
            value.remove_suffix(1);
        response.headers.emplace_back(lower(line.substr(0, colon)), std::string(value));
    }
    return response;
}

}  // namespace

Error connection_broke() {
    return fail(Errc::unavailable, "the connection to the server broke");
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    return out;
}

Status send_all(int fd, std::string_view bytes, std::int64_t timeout_ms) {
    while (!bytes.empty()) {
        const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
        const IoResult sent = send_some(fd, std::span(&part, 1));
        if (sent.state == Io::closed) return connection_broke();
        if (sent.state == Io::would_block) {
            if (Status ready = wait_for(fd, POLLOUT, timeout_ms); !ready) return ready;
            continue;
        }
        bytes.remove_prefix(sent.bytes);
    }
    return Done{};
}

Result<std::size_t> receive_more(int fd, std::string& buffer, std::int64_t timeout_ms) {
    char chunk[16384];
    for (;;) {
        if (Status ready = wait_for(fd, POLLIN, timeout_ms); !ready) return ready.error();
        const IoResult got = receive_some(fd, chunk);
        if (got.state == Io::would_block) continue;
        if (got.state == Io::closed) return std::size_t{0};
        buffer.append(chunk, got.bytes);
        return got.bytes;
    }
}

Result<ClientResponse> receive_head(int fd, std::string& rest, std::int64_t timeout_ms) {
    for (;;) {
        std::size_t end = std::string::npos;
        while ((end = rest.find("\r\n\r\n")) == std::string::npos) {
            if (rest.size() > kHeadMax)
                return fail(Errc::unavailable, "what answers there does not speak HTTP");
            const Result<std::size_t> got = receive_more(fd, rest, timeout_ms);
            if (!got) return got.error();
            if (*got == 0) return connection_broke();
        }
        Result<ClientResponse> response = parse_head(std::string_view(rest).substr(0, end + 2));
        rest.erase(0, end + 4);
        const bool interim = response && response->status >= 100 && response->status < 200 &&
                             response->status != 101;
        if (!interim) return response;
    }
}

}  // namespace dyad::net
