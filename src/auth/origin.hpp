// Who may talk to the server, judged by what a browser cannot forge: the Origin of a page and the
// Host that was asked for. Exact names only: no wildcard, no suffix, no "any address".
//
// Without these checks every web page could open a WebSocket to a local server (there is no
// same-origin rule for WebSockets), and a rebound DNS name could reach its REST interface.
//
// Threads: immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::auth {

// True for 127.0.0.0/8, ::1 and "localhost".
bool is_loopback(std::string_view host) noexcept;

class OriginPolicy {
  public:
    // `bound_host` and `port` are what the server listens on; `origins` and `hosts` come from the
    // settings.
    OriginPolicy(std::string_view bound_host, std::uint16_t port,
                 const std::vector<std::string>& origins, const std::vector<std::string>& hosts);

    // The Host header's value. The names of the loopback interface with the bound port, the bound
    // host itself where it is one address, and those of the settings; case does not matter.
    bool host_allowed(std::string_view host) const noexcept;
    // The Origin header's value. The server's own origins and those of the settings.
    bool origin_allowed(std::string_view origin) const noexcept;

  private:
    std::vector<std::string> hosts_;    // lower case
    std::vector<std::string> origins_;  // as browsers write them
};

}  // namespace dyad::auth
