// How what is stored is shown to an assistant: each value with its version and its provenance.
#pragma once

#include "core/engine.hpp"
#include "model/change.hpp"
#include "model/json_text.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace dyad::server::mcp {

using SnapshotPtr = std::shared_ptr<const core::Snapshot>;

// "memory://contexts/<key>", the key percent-encoded.
std::string uri_of(std::string_view key);

// Who wrote it, and when; of what kind and how trusted it is, where the writer said so.
void write_provenance(json::Writer& out, const Context& context);
// The members of a value, each with a comma before it, as inside Writer::object(): key, type, tags,
// version, what it says (or, where that is not wanted, its size) and provenance.
void write_members(json::Writer& out, const Context& context, bool with_data = true);
void write_value(json::Writer& out, const Context& context, bool with_data = true);
// {"instance":…,"mode":…,"previous":…,"version":…,"since":…,"capabilities":{…}}
void write_mode_members(json::Writer& out, const ModeState& state);
// Who holds what, under which token, and until when.
void write_claim_members(json::Writer& out, const Claim& claim);

// About as many tokens as a model takes a text for, rather too many than too few.
constexpr std::size_t tokens_of(std::size_t bytes) noexcept {
    return (bytes + 2) / 3;
}

// The page of a list is full: what follows belongs to the next one.
bool page_is_full(const json::Writer& out) noexcept;

}  // namespace dyad::server::mcp
