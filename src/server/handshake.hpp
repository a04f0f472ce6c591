// The opening handshake of a WebSocket (RFC 6455 section 4.2), judged.
#pragma once

#include "net/http.hpp"

#include <string>
#include <variant>

namespace dyad::server {

inline constexpr std::string_view kSubprotocol = "dyad.v2";

// The request is at an address of WebSockets and was sent by a client of one, or there is nothing
// else at this address.
bool is_for_websocket(const net::Request& request);

struct Handshake {
    std::string accept;       // of Sec-WebSocket-Accept
    bool negotiated = false;  // kSubprotocol was offered
};
// What to send on, or the refusal, which names everything that is wrong, and where a proxy between
// has to be told.
std::variant<Handshake, net::Response> judge_handshake(const net::Request& request);

}  // namespace dyad::server
