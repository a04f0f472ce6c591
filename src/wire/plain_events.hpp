// Events for plain clients: one complete frame per event that the plain protocol has a name for, no
// bytes for the others. What is sent is the state after the event, so its mergeStrategy is always
// "replace". Threads: pure.
#pragma once

#include "model/change.hpp"
#include "wire/frames.hpp"

#include <array>
#include <string>
#include <string_view>

namespace dyad::wire {

// "hhhhhhhh-hhhh-4hhh-8ooo-oooooooooooo" of the event's hash and offset, in the form of a UUID: the
// same for everyone, and after a restart.
std::array<char, 36> plain_event_id(const EventOrigin& origin);

// Appends the frame. The message id is plain_event_id().
void write_plain_event(std::string& out, std::string_view user_id, const EventOrigin& origin,
                       const Change& change);

// A context as it is, said by the node itself: existing instances pass over what comes in their own
// name.
void write_plain_context(std::string& out, const Speaker& from, std::string_view id,
                         const Context& context);

// The documents of existing instances (wire.md 1.4), as `state-response` carries them.
void write_context_document(std::string& out, std::string_view user_id, const Context& context);
void write_mode_document(std::string& out, std::string_view user_id, const ModeState& state);

}  // namespace dyad::wire
