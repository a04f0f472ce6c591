// What can be read of a message that was refused: whether it may have asked for inspired mode.
// Whoever asks for privacy is private, even where the rest of what was said cannot be understood.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::wire {

enum class Said : std::uint8_t {
    mode_update,  // the payload of one: its sender may be an existing client, which reads no errors
    mode,         // the body of a request that sets a mode
    operation,    // the payload of a `command`: sets a mode where its `op` is mode.set
};

// The instance whose mode it is, empty where none is named, unless the payload plainly names
// another mode than inspired; nothing where it does, or sets no mode. A name that is unknown is
// another one, but in a `mode-update`. Takes any text: what is no JSON names no mode.
std::optional<std::string> private_wish(std::string_view payload, Said said);

}  // namespace dyad::wire
