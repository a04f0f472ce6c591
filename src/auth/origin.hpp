// Who may talk to the server, judged by what a browser cannot forge: the Origin of a page and the
// Host that was asked for. Exact names only: no wildcard, no suffix, no "any address".
//
// Without these checks every web page could open a WebSocket to a local server (there is no
// same-origin rule for WebSockets), and a rebound DNS name could reach its REST interface
// (docs/decisions/0004-languages-of-the-web.md).
//
// Threads: immutable after construction.
#pragma once

#include "auth/authority.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::auth {

class OriginPolicy {
  public:
    // `bound_host` and `port` are what the server listens on; `origins` and `hosts` come from the
    // settings, where each was checked by parse_origin() and parse_host(); another one names
    // nobody.
    OriginPolicy(std::string_view bound_host, std::uint16_t port,
                 const std::vector<std::string>& origins, const std::vector<std::string>& hosts);

    // The Host header's value: a name of the loopback interface with any port; the bound address;
    // a name of the settings, with its port where it was given one. Case does not matter.
    bool host_allowed(std::string_view host) const;
    // The Origin header's value, of a request with this Host: an origin of the settings; the
    // server's own pages, under each of its names with the bound port; and under any port the page
    // that came from the very loopback name and port that is asked now.
    bool origin_allowed(std::string_view origin, std::string_view host) const;

  private:
    bool is_own_name(std::string_view host) const noexcept;

    std::uint16_t port_;
    std::vector<std::string> own_;      // hosts that are this server, with the bound port
    std::vector<Authority> hosts_;      // of the settings; no port: with any
    std::vector<std::string> origins_;  // of the settings, as browsers write them
};

}  // namespace dyad::auth
