// The WebSocket protocol (RFC 6455) without a socket: frames out of bytes and bytes out of frames.
// No extensions: a set RSV bit is an error.
#pragma once

#include "base/result.hpp"
#include "net/frame_header.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace dyad::net {

// Why a stream of frames cannot go on: the close code and what to say.
struct FrameError {
    std::uint16_t close_code;
    std::string_view reason;
};

// Whoever receives messages. The views end with the call. A call may not destroy the reader; false
// from one of them stops the reading (the connection is being closed).
class FrameHandler {
  public:
    virtual ~FrameHandler() = default;
    virtual bool on_message(Opcode opcode, std::string_view payload) = 0;  // text or binary
    virtual bool on_ping(std::string_view payload) = 0;
    virtual bool on_pong(std::string_view payload) = 0;
    // `code` is 1005 where the frame had none.
    virtual bool on_close(std::uint16_t code, std::string_view reason) = 0;
};

// Reads one side's frames. Holds memory only while a message is incomplete.
class FrameReader {
  public:
    enum class Role : std::uint8_t { server, client };

    explicit FrameReader(Role role = Role::server) noexcept : role_(role) {}

    // Takes bytes as they come; unmasks them in place. The error, if any, ends the stream.
    std::unique_ptr<FrameError> feed(std::span<char> bytes, FrameHandler& handler);
    // A message was begun and is not complete.
    bool in_message() const noexcept { return partial_ != nullptr; }

  private:
    // What is kept of an incomplete frame or message.
    struct Partial {
        std::string bytes;                     // of the frame that is not complete, header first
        std::string message;                   // unmasked payload of the fragments so far
        Opcode opcode = Opcode::continuation;  // of the message; continuation: none begun
        std::uint32_t fragments = 0;
        std::size_t checked_bytes = 0;  // of `message`, known to be UTF-8
        std::uint64_t needed = 0;       // bytes of the incomplete frame, where its header is known
    };
    struct Header {
        bool fin;
        Opcode opcode;
        std::uint64_t length;
        std::size_t size;  // of the header
        char mask[4];
    };
    // One call of feed(). A function that finds an error notes it and returns false.
    struct Feeding {
        FrameHandler& handler;
        FrameError error{};
        bool stopped = false;

        bool refuse(std::uint16_t code, std::string_view reason) {
            error = {code, reason};
            return false;
        }
    };

    // `header.size` 0: it is not complete.
    bool parse_header(std::span<const char> bytes, Header& header, Feeding& feeding) const;
    bool message_frame(const Header& header, std::string_view payload, Feeding& feeding);
    // Puts a fragment to its message.
    bool collect(const Header& header, std::string_view payload, Feeding& feeding);
    bool control_frame(const Header& header, std::string_view payload, Feeding& feeding);
    Partial& partial();
    void drop_if_empty() noexcept;

    std::unique_ptr<Partial> partial_;
    Role role_;
};

void append_frame(std::string& out, Opcode opcode, std::string_view payload);
// As a client sends it (section 5.3).
void append_masked_frame(std::string& out, Opcode opcode, std::string_view payload,
                         std::uint32_t mask);
// The payload of a close frame; the reason is cut to what fits.
std::string close_payload(std::uint16_t code, std::string_view reason);

// Sec-WebSocket-Accept for a client's key (section 4.2.2). Errors: invalid_request where the key is
// not 16 bytes in base64.
Result<std::string> accept_key(std::string_view client_key);
// The 101 answer; `protocol` may be empty.
std::string upgrade_response(std::string_view accept, std::string_view protocol);

}  // namespace dyad::net
