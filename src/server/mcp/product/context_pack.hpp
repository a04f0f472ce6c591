// The most useful memory for a task within a budget of tokens, without what the session was shown
// already.
#pragma once

#include "server/mcp/product/shown.hpp"
#include "server/mcp/product/value.hpp"
#include "server/node_info.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::server::mcp {

inline constexpr std::int64_t kPackTokensMin = 256;
inline constexpr std::int64_t kPackTokens = 2000;
inline constexpr std::string_view kPinned = "pinned";  // the tag of what always comes first

struct PackRequest {
    std::string user;
    std::string session;
    std::string task;  // may be empty
    std::size_t budget_tokens = kPackTokens;
    bool fresh = false;  // the session forgot what it was shown
};

// Answers with JSON (product.cpp has its schema); what is in it counts as shown. Errors: those of
// the heart and the store.
void pack(Node& node, PackRequest request, std::function<void(Result<std::string>)> done);

// The parts of it, pure.
// A query that finds what has any of the task's words; empty: there is nothing to look for.
std::string query_of(std::string_view task);
// The answer, of at most the budget; notes in `shown` what is in it.
std::string compose(const PackRequest& request, const core::Snapshot& state,
                    const std::vector<SearchHit>& hits, std::int64_t now_ms, Shown::Facts& shown);

}  // namespace dyad::server::mcp
