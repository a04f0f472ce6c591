// What is said to a server: the handshake, who one is, and one message. One dialect per run.
#pragma once

#include "load/options.hpp"
#include "load/scanner.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace dyad::bench {

class Dialect {
  public:
    explicit Dialect(const Options& options);

    std::string handshake(std::size_t room, bool writer) const;
    // Said once the handshake is answered. Empty: the client is ready at once.
    std::string greeting(std::size_t client, std::size_t room, bool writer) const;
    // Whether `received`, since the handshake, says that the server knows the client.
    bool knows_us(std::string_view received) const;
    // One message as a masked frame, appended to `out`.
    void write(std::string& out, std::size_t room, Marker marker) const;
    // Bytes of the message that certainly follow a marker.
    std::size_t bytes_after_marker() const;

  private:
    std::string envelope(std::string_view type, std::uint64_t id, std::size_t room,
                         std::string_view instance, std::string_view payload) const;

    const Options& options_;
    std::uint32_t run_;  // makes the ids of this run its own
    std::string tail_;   // of a plain message, after its marker
};

}  // namespace dyad::bench
