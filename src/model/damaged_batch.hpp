// What can still be proved of a stored batch whose bytes were damaged, event by event.
#pragma once

#include "model/event.hpp"

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace dyad {

// An event where it seems to stand. Lifetime of `text`: the batch's bytes.
struct FoundEvent {
    Offset offset = 0;
    Epoch epoch = 0;
    Hash prev_hash{};
    EventEntry entry;       // its text_end means nothing
    std::string_view text;  // empty where it is not found
};
// Looks for the `count` events from `first` on in bytes that encode_batch wrote.
std::vector<FoundEvent> find_events(std::string_view bytes, Offset first, std::size_t count);

// An event that is as it was written: its hash, made anew, is the one that was stored.
struct ProvedEvent {
    EventView view;
    Epoch epoch = 0;
    Hash prev_hash{};
    Hash hash{};
    Salt salt{};
    std::uint64_t fingerprint = 0;

    EventDraft draft() const { return draft_of(view, fingerprint, salt); }  // views into this
};
// `prev_hash`, `epochs`: what else they may be, beside what `found` says.
std::optional<ProvedEvent> prove(const FoundEvent& found, const std::optional<Hash>& prev_hash,
                                 std::span<const Epoch> epochs);

}  // namespace dyad
