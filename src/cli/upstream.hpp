// A connection to the server that does not block, and the search for the server behind it. Plain
// sockets to this machine itself; everything else goes through libcurl, which knows TLS, proxies
// and names (and costs 4 MB). Threads: one owner.
#pragma once

#include "cli/curl.hpp"
#include "cli/invocation.hpp"
#include "cli/server_place.hpp"
#include "cli/url.hpp"
#include "net/socket.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dyad::cli {

class Upstream {
  public:
    // Waits for the connection. Errors: those of CurlHandle::connect().
    static Result<Upstream> connect(const Url& url, std::int64_t timeout_ms);

    int fd() const noexcept { return fd_; }
    const Url& url() const noexcept { return url_; }
    net::IoResult send(std::string_view bytes);
    // Requires: is called until it would block, since TLS may hold bytes that poll(2) does not
    // show.
    net::IoResult receive(std::span<char> buffer);
    // One request without a body, on a connection that carries nothing else; waits for its answer.
    Result<std::string> get(const std::string& target, std::int64_t timeout_ms);
    bool keeps_alive() const noexcept { return keeps_alive_; }

  private:
    explicit Upstream(Url url) : url_(std::move(url)) {}

    Url url_;
    net::Fd socket_;                      // to this machine
    std::unique_ptr<CurlHandle> handle_;  // to any other
    int fd_ = -1;
    bool keeps_alive_ = true;
};

// Finds the server: where `--url` or DYAD_URL say it is, and nowhere else; without them where a
// running server says it is (server_place.hpp), or at the default URL. What answers must be a
// server of ours before it is told anything. Where none is, one is started, unless its URL was
// given.
class ServerFinder {
  public:
    ServerFinder(const Resolved& settings, const CommonOptions& common);

    // A connection to the server. `wait`: for one that is being restarted, and for one that this
    // starts. Errors: unavailable; protocol_error where something else answers, named.
    Result<Upstream> connect(bool wait);

  private:
    Result<Upstream> connect_to(const std::string& url);
    // Tries each place once.
    Result<Upstream> look();
    Result<Upstream> start_one();
    Error foreign(const Url& url, const std::string& why) const;

    Resolved settings_;
    Flags flags_;
    std::string env_file_;
    bool given_;         // the URL was
    std::string known_;  // where our server answered last
    StartedServer started_;
};

}  // namespace dyad::cli
