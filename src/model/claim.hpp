// A claim: who works on something until when, so that others leave it alone. A lease with a fencing
// token: it ends by itself where its holder dies, and what a late holder writes is refused.
//
// The token is the offset of the event that granted the claim: whoever claims the same thing later
// has a greater one. Renewing keeps it. Claims bind who asks: a write without a fence is none of
// their business.
#pragma once

#include "model/names.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace dyad {

using Token = std::uint64_t;

// What became of the claim in the event that carries it.
enum class ClaimAction : std::uint8_t { granted, renewed, released, expired };
template <>
inline constexpr std::array<std::string_view, 4> kNamesOf<ClaimAction> = {"granted", "renewed",
                                                                          "released", "expired"};

struct Claim {
    std::string resource;     // "context:KEY", "file:/path" or any other name
    std::string instance_id;  // the holder's
    std::string session;      // which of the instance's; empty: it has one
    std::string note;         // what the holder is about
    Token token = 0;
    std::int64_t granted_at_ms = 0;
    std::int64_t renewed_at_ms = 0;  // last; what a slow clock dated is known by it
    std::int64_t expires_at_ms = 0;

    bool is_held_by(std::string_view instance, std::string_view its_session) const noexcept {
        return instance_id == instance && session == its_session;
    }
};
using ClaimPtr = std::shared_ptr<const Claim>;

// What a write is made under: it is refused where this claim is over.
struct Fence {
    std::string resource;
    Token token = 0;
};

}  // namespace dyad
