// What a client says, taken apart: the envelope of every message, and the payloads behind it. The
// names on the wire stand in this folder and nowhere else. Grammar and meaning: docs/protocol.md.
#pragma once

#include "base/result.hpp"
#include "model/command.hpp"
#include "model/event.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dyad::wire {

enum class MessageType : std::uint8_t {
    connect,
    disconnect,
    ping,
    pong,
    mode_update,
    context_sync,
    state_request,
    state_response,
    heartbeat,
    error,
    hello,
    command,
    unknown,  // a name that is none of these
};
std::string_view message_type_name(MessageType type) noexcept;
MessageType message_type_by_name(std::string_view name) noexcept;

// Lifetime of the views: until the decoder's next envelope(), and that of the text it was given.
struct Message {
    MessageType type = MessageType::unknown;
    std::string_view type_name;
    std::string_view id;  // unescaped, as are the two below; empty where absent or null
    std::string_view user_id;
    std::string_view instance_id;
    std::string_view payload;  // a JSON text as the client wrote it; empty where absent
};

// The first message of the negotiated protocol.
struct Hello {
    std::string instance_id;
    std::optional<std::string> user_id;
    std::optional<Position> resume;
    bool resume_refused = false;  // a token that does not parse: as one that is not known any more
    bool snapshot = false;
    std::string client;
};

// Reads messages where they stand. Threads: one owner; it keeps the memory that it needs between
// messages.
class Decoder {
  public:
    Decoder();
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    // Errors: invalid_json, invalid_utf8, missing_field (no type), invalid_field (a member twice
    // or of another kind), too_large. The payload is only known to be balanced: the functions
    // below, or check_payload(), read it strictly.
    Result<Message> envelope(std::string_view text);

    // The rest requires: `message` is the last one that envelope() gave, and its text still lives.
    // Errors: as envelope(), and those of json::canonicalize for the documents inside, each naming
    // the field and counting its bytes from the beginning of the message.
    Status check_payload(const Message& message);
    Result<Hello> hello(const Message& message);
    // The fields of a Command; its instance is left to the session. `context-sync`,
    // `mode-update` and `command` only.
    Result<Command> command(const Message& message);
    // The fields of an operation (docs/protocol.md, the payload of `command`), from wherever they
    // came.
    Result<Command> operation(std::string_view payload);

  private:
    struct Workspace;
    std::unique_ptr<Workspace> workspace_;
};

}  // namespace dyad::wire
