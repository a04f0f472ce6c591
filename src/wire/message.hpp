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

}  // namespace dyad::wire

template <>
inline constexpr std::array<std::string_view, 13> dyad::kNamesOf<dyad::wire::MessageType> = {
    "connect",      "disconnect",    "ping",           "pong",      "mode-update",
    "context-sync", "state-request", "state-response", "heartbeat", "error",
    "hello",        "command",       "unknown"};

namespace dyad::wire {

// Lifetime of the views: until the decoder's next envelope(), and that of the text it was given.
struct Message {
    MessageType type = MessageType::unknown;
    std::string_view type_name;
    std::string_view id;  // unescaped, as are the two below; empty where absent or null
    std::string_view user_id;
    std::string_view instance_id;
    std::string_view payload;  // a JSON text as the client wrote it; empty where absent
    std::string_view other;    // a member that no envelope has, where there is one
};

// The client that a message came from, as its connection knows it.
struct From {
    std::string_view user_id;  // empty: not known
    std::string_view instance_id;
    bool strict = false;  // it negotiated: a member that is not known is refused
};

// What a request says of its operation outside of the payload: REST, in the path and the header.
struct Given {
    enum class Payload : std::uint8_t {
        members,   // an object with the operation's fields
        document,  // the patch itself, or the response record itself
        nothing,
    };
    std::string_view op;  // empty: the payload says it
    Payload payload = Payload::members;
    std::optional<std::string> context_key{};
    std::optional<std::string> conflict_id{};
    std::optional<std::string> instance_id{};  // whose mode
    std::optional<std::string> resource{};     // that was claimed, and
    std::optional<Token> token{};              // under which token
    Conditions conditions{};
    std::string_view fence{};  // an object, as a text; of the header
    std::string_view provenance{};
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

    // `bytes`: whether somebody has checked that they are UTF-8, as the WebSocket layer does.
    // Errors: invalid_json, invalid_utf8, missing_field (no type), invalid_field (a member twice
    // or of another kind), too_large. The payload is only known to be balanced: the functions
    // below, or check_payload(), read it strictly.
    enum class Bytes : std::uint8_t { any, utf8 };
    Result<Message> envelope(std::string_view text, Bytes bytes = Bytes::any);

    // The rest requires: `message` is the last one that envelope() gave, and its text still lives.
    // Errors: as envelope(), and those of json::canonicalize for the documents inside, each naming
    // the field and counting its bytes from the beginning of the message.
    Status check_payload(const Message& message);
    Result<Hello> hello(const Message& message);
    // The fields of a Command; its instance is left to the session. `context-sync`,
    // `mode-update` and `command` only. Errors: also invalid_field where the message says it is
    // somebody else's than its connection.
    Result<Command> command(const Message& message, const From& from = {});
    // What the negotiated protocol refuses in an envelope and the plain one passes over.
    static Status check_members(const Message& message);

    // The fields of an operation (docs/protocol.md, the payload of `command`), from wherever they
    // came. Errors: also invalid_field where `given` says otherwise than the payload.
    Result<Command> operation(std::string_view payload, Given given = {});

  private:
    struct Workspace;
    std::unique_ptr<Workspace> workspace_;
};

}  // namespace dyad::wire
