// The parts of a decision that have files of their own. Internal to decide().
#pragma once

#include "core/decide.hpp"

#include <optional>
#include <string>
#include <utility>

namespace dyad::core {

inline Rejection reject(Errc code, std::string detail, ContextPtr current = nullptr) {
    return {fail(code, std::move(detail)), std::move(current)};
}

// The one of them that does not hold. Requires: not both do.
inline std::string broken_condition(const Conditions& conditions, Version stored) {
    const bool match = conditions.match && !conditions.match->holds(stored);
    return std::string(match ? "If-Match" : "If-None-Match") + ": does not hold; ";
}

// Modes (decide_mode.cpp)
Decided decide_mode(const View& view, const Command& command, const Decision& at);

// Claims (decide_claim.cpp)
Decided decide_claim(const View& view, const Command& command, const AcquireClaim& acquire,
                     const Decision& at);
Decided decide_claim(const View& view, const ReleaseClaim& release);
Decided decide_claim(const View& view, const ExpireClaim& expire, const Decision& at);
// A write that is made under a claim which is over.
std::optional<Rejection> check_fence(const View& view, const Fence& fence, const Decision& at);

}  // namespace dyad::core
