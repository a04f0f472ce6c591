#include "cli/upstream.hpp"

#include "auth/authority.hpp"
#include "base/clock.hpp"
#include "base/limits.hpp"
#include "cli/json_members.hpp"
#include "net/http_response.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace dyad::cli {
namespace {

constexpr std::int64_t kConnectMs = 5'000;
constexpr std::int64_t kMeetMs = 5'000;
constexpr std::int64_t kLookAgainMs = 4;
constexpr std::int64_t kOthersStartMs = 2'000;  // whoever was faster needs it to be ready

std::int64_t now_ms() {
    return SystemClock().steady_ms();
}

bool wait_for(int fd, short events, std::int64_t deadline_ms) {
    pollfd wait{fd, events, 0};
    return poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(deadline_ms - now_ms(), 0))) == 1;
}

// Of one address of this machine, in text.
net::Fd connect_tcp(const std::string& address, std::uint16_t port, std::int64_t timeout_ms) {
    sockaddr_storage storage{};
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    socklen_t size = sizeof *v4;
    if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
    } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
        size = sizeof *v6;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
    } else {
        return {};
    }
    net::Fd fd(socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return {};
    const int one = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) == 0) return fd;
    int error = errno;
    socklen_t error_size = sizeof error;
    if (error != EINPROGRESS || !wait_for(fd.get(), POLLOUT, now_ms() + timeout_ms) ||
        getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &error_size) != 0 || error != 0)
        return {};
    return fd;
}

}  // namespace

Result<Upstream> Upstream::connect(const Url& url, std::int64_t timeout_ms) {
    Upstream upstream(url);
    if (url.scheme == "http" && auth::is_loopback(url.host)) {
        std::string host = url.host;
        if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
        upstream.socket_ = connect_tcp(host, url.port, timeout_ms);
        if (host.ends_with("localhost"))
            for (const char* const address : {"127.0.0.1", "::1"})
                if (!upstream.socket_.valid())
                    upstream.socket_ = connect_tcp(address, url.port, timeout_ms);
        upstream.fd_ = upstream.socket_.get();
        if (upstream.fd_ < 0) return fail(Errc::unavailable, "nothing answers at " + url.text());
        return upstream;
    }
    upstream.handle_ = std::make_unique<CurlHandle>(url, "/", timeout_ms);
    upstream.handle_->set(CURLOPT_HTTPPROXYTUNNEL, 1L);
    TRY(upstream.handle_->connect());
    upstream.fd_ = upstream.handle_->info<curl_socket_t>(CURLINFO_ACTIVESOCKET);
    return upstream;
}

net::IoResult Upstream::send(std::string_view bytes) {
    if (!handle_) {
        const iovec part{const_cast<char*>(bytes.data()), bytes.size()};
        return net::send_some(fd_, std::span(&part, 1));
    }
    std::size_t sent = 0;
    const CURLcode code =
        DYAD_CURL(curl_easy_send)(handle_->get(), bytes.data(), bytes.size(), &sent);
    if (code == CURLE_OK) return {net::Io::ok, sent};
    return {code == CURLE_AGAIN ? net::Io::would_block : net::Io::closed, 0};
}

net::IoResult Upstream::receive(std::span<char> buffer) {
    if (!handle_) return net::receive_some(fd_, buffer);
    std::size_t got = 0;
    const CURLcode code =
        DYAD_CURL(curl_easy_recv)(handle_->get(), buffer.data(), buffer.size(), &got);
    if (got > 0) return {net::Io::ok, got};
    return {code == CURLE_AGAIN ? net::Io::would_block : net::Io::closed, 0};
}

Result<std::string> Upstream::get(const std::string& target, std::int64_t timeout_ms) {
    const std::int64_t deadline_ms = now_ms() + timeout_ms;
    std::string out = "GET " + url_.prefix + target + " HTTP/1.1\r\nHost: " + url_.authority() +
                      "\r\nUser-Agent: dyad-memory/" DYAD_VERSION "\r\n\r\n";
    const Error broke = fail(Errc::outcome_unknown, "the connection broke");
    const Error late = fail(Errc::timed_out, "it did not answer in time");
    while (!out.empty()) {
        const net::IoResult sent = send(out);
        if (sent.state == net::Io::closed) return broke;
        out.erase(0, sent.bytes);
        if (sent.state == net::Io::would_block && !wait_for(fd_, POLLOUT, deadline_ms)) return late;
    }
    net::ResponseReader reader;
    std::string body;
    char buffer[4096];
    for (;;) {
        const net::IoResult got = receive(buffer);
        if (got.state == net::Io::would_block) {
            if (!wait_for(fd_, POLLIN, deadline_ms)) return late;
            continue;
        }
        std::string_view bytes(buffer, got.bytes);
        if (got.state == net::Io::closed && !reader.ended()) return broke;
        ASSIGN_OR_RETURN(bool complete, reader.feed(bytes, body));
        if (!complete && got.state == net::Io::ok) {
            if (static_cast<std::int64_t>(body.size()) > limits::mcp_shim_answer_bytes_max)
                return fail(Errc::protocol_error, "its answer has no end");
            continue;
        }
        keeps_alive_ = reader.keeps_alive();
        if (reader.status() / 100 == 2) return body;
        return fail(reader.status() >= 502 ? Errc::unavailable : Errc::protocol_error,
                    "it answered with status " + std::to_string(reader.status()));
    }
}

ServerFinder::ServerFinder(const Resolved& settings, const CommonOptions& common)
    : settings_(settings),
      flags_(common.flags),
      env_file_(common.env_file),
      given_(settings.at("DYAD_URL").given) {}

Result<Upstream> ServerFinder::connect_to(const std::string& text) {
    ASSIGN_OR_RETURN(const Url url, Url::parse(text));
    ASSIGN_OR_RETURN(Upstream upstream, Upstream::connect(url, kConnectMs));
    if (text == known_) return upstream;
    const Result<std::string> status = upstream.get("/api/v1/status", kMeetMs);
    if (!status &&
        (status.error().code == Errc::unavailable || status.error().code == Errc::outcome_unknown))
        return fail(Errc::unavailable,
                    "the server at " + url.text() + " is not ready: " + status.error().detail);
    if (!status) return foreign(url, status.error().detail);
    const Result<json::Value> value = parse_large(*status);
    if (!value || text_at(*value, "product") != "dyad-memory")
        return foreign(url, "it has another status");
    known_ = text;
    if (upstream.keeps_alive()) return upstream;
    return Upstream::connect(url, kConnectMs);
}

Error ServerFinder::foreign(const Url& url, const std::string& why) const {
    std::string text = "what answers at " + url.text() + " is not dyad-memory (" + why + ")";
    const std::string holder =
        auth::is_loopback(url.host) ? net::port_holder(url.port).text : std::string();
    if (!holder.empty())
        text.append(": ").append(holder).append(" has port ").append(std::to_string(url.port));
    text.append(given_ ? "; give the server's own address in --url or DYAD_URL"
                       : "; stop it, or choose another port for the server with WS_SYNC_PORT");
    return fail(Errc::protocol_error, text);
}

Result<Upstream> ServerFinder::look() {
    if (given_) return connect_to(settings_.text("DYAD_URL"));
    if (const std::string place = read_place(settings_); !place.empty())
        if (Result<Upstream> found = connect_to(place)) return found;
    return connect_to(settings_.own_url());
}

Result<Upstream> ServerFinder::connect(bool wait) {
    // A server that this process started and that has ended is nobody's any more.
    if (started_.process > 0 && waitpid(started_.process, nullptr, WNOHANG) != 0)
        started_.process = 0;
    if (!known_.empty())
        if (Result<Upstream> found = connect_to(known_)) return found;
    const bool met = !std::exchange(known_, {}).empty();
    const std::int64_t deadline_ms = now_ms() + (met && wait ? limits::mcp_shim_restart_ms : 0);
    const std::int64_t last_ms = now_ms() + limits::mcp_shim_start_ms;
    for (;;) {
        Result<Upstream> found = look();
        if (found || found.error().code != Errc::unavailable) return found;
        const std::int64_t now = now_ms();
        if (now >= deadline_ms && (!wait || given_)) return found;
        // One that says where it is and does not answer is about to stop, and has the folder still.
        if (now >= deadline_ms && (now >= last_ms || read_place(settings_).empty())) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(kLookAgainMs));
    }
    return start_one();
}

Result<Upstream> ServerFinder::start_one() {
    ASSIGN_OR_RETURN(started_, start_server(settings_, flags_, env_file_));
    std::int64_t deadline_ms = now_ms() + limits::mcp_shim_start_ms;
    std::string end;
    for (;;) {
        Result<Upstream> found = look();
        if (found || found.error().code != Errc::unavailable) return found;
        // Another one may have been faster: it has the folder or the port, and is ready soon.
        if (started_.process > 0 && waitpid(started_.process, nullptr, WNOHANG) != 0) {
            started_.process = 0;
            deadline_ms = std::min(deadline_ms, now_ms() + kOthersStartMs);
        }
        if (now_ms() >= deadline_ms) break;
        std::this_thread::sleep_for(std::chrono::milliseconds(kLookAgainMs));
    }
    const std::string words = started_.last_words();
    return fail(Errc::unavailable,
                "no server runs, and the one that was started " +
                    (started_.process > 0 ? std::string("is not ready yet")
                                          : "ended" + (words.empty() ? "" : ": " + words)) +
                    "; its log: " + started_.log_path);
}

}  // namespace dyad::cli
