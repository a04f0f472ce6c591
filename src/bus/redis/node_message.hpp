// What nodes tell each other on Redis: which channel, and signed bytes.
//
//     channel   := "dyad:nodes" / "dyad:sessions" / "dyad:log:" <32 hex digits: user id's HMAC>
//     message   := version:u8 sender:u64 mac:32 part+
//     part      := kind:u8 size:u32 bytes
//     bytes     := batch                               ; announcement: model/event.hpp
//                | (nothing)                           ; hint
//                | node:u64 serial:u64 asks:u8 sessions:u64 count:u32 instance*
//                | node:u64 server:text clients:u64 count:u32 (user:text position)*
//                | server:text node:u64 serial:u64 topic:u8 user:text session:text
//                  count:u32 (text number:u64)*
//     instance  := id:text connections:u64 connected_at:i64 last_seen:i64
//     position  := epoch:u64 offset:u64 hash:8
//     text      := size:u32 bytes
//
// (integers little-endian). The HMAC is over the channel and everything but itself: nobody without
// the secret can speak for a node, or have what was said of one user taken for another's. Whose
// message it is only those know who know the user: a part does not repeat it. Notes on sessions
// have a channel of their own, which nodes that do not know them do not hear.
//
// Threads: pure.
#pragma once

#include "bus/bus.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::bus {

inline constexpr std::string_view kNodesChannel = "dyad:nodes";
inline constexpr std::string_view kSessionsChannel = "dyad:sessions";
inline constexpr std::size_t kMessageHeadBytes = 1 + 8 + 32;

std::string log_channel(std::string_view secret, std::string_view user_id);

// Appends a part to the parts of a message. Requires: `message` is not Foreign.
void append_part(std::string& parts, const BusMessage& message);
// The message of these parts.
std::string sign(std::string_view secret, std::string_view channel, NodeId sender,
                 std::string_view parts);

// `user_id`: whose channel it is; empty for the channels of all. Errors: invalid_field where it is
// not signed with the secret, or not understood.
Result<std::vector<BusMessage>> read_node_message(std::string_view secret, std::string_view channel,
                                                  std::string_view user_id, std::string_view text);
// Without looking at what it says, or whether it is signed.
std::optional<NodeId> sender_of(std::string_view text);

}  // namespace dyad::bus
