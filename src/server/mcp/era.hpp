// Which revision of the protocol a request speaks, and what its headers must say: one endpoint
// serves the revision without sessions and those with them, request by request.
//
// Threads: pure functions.
#pragma once

#include "net/http.hpp"
#include "server/mcp/rpc.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::server::mcp {

inline constexpr std::string_view kModern = "2026-07-28";
// Those with sessions, newest first.
inline constexpr std::array<std::string_view, 3> kLegacy = {"2025-11-25", "2025-06-18",
                                                            "2025-03-26"};
inline constexpr std::string_view kSupported =
    R"(["2026-07-28","2025-11-25","2025-06-18","2025-03-26"])";

enum class Era : std::uint8_t { modern, legacy };

// By the header and the body: the header names a revision that is none of those with sessions, or
// `_meta` names one: modern.
Era era_of(const net::Request& request, const std::optional<Meta>& meta);
// What initialize is answered with: the same revision, or the newest with sessions.
std::string_view negotiated(std::string_view asked);
bool is_legacy(std::string_view version);

// A header's value: without blanks at its ends, and out of `=?base64?…?=` where it is in that.
// Nothing where that is malformed.
std::optional<std::string> header_value(std::string_view value);
// Whether `meta` has what every request must have. Requires: era modern, as of all below.
std::optional<Refusal> check_meta(const Params& params);
// Whether MCP-Protocol-Version, Mcp-Method and, where `name` is needed, Mcp-Name say what the body
// says; then, whether the revision is served.
std::optional<Refusal> check_headers(const net::Request& request, std::string_view method,
                                     const Params& params);
// The same of the Mcp-Param-* headers that a tool's schema asks for with `x-mcp-header`.
std::optional<Refusal> check_param_headers(const net::Request& request, std::string_view schema,
                                           std::string_view arguments);

}  // namespace dyad::server::mcp
