#include "server/self_test.hpp"

#include "base/sha256.hpp"
#include "net/http.hpp"
#include "net/websocket.hpp"
#include "wire/frames.hpp"
#include "wire/message.hpp"

namespace dyad::server {
namespace {

constexpr std::string_view kRequest =
    "GET /sync HTTP/1.1\r\nHost: 127.0.0.1:8765\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

bool hashes() {
    // FIPS 180-4, the example of one block.
    return to_hex(sha256({"a", "bc"})) ==
           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
}

bool handshake() {
    // RFC 6455 section 1.3.
    const Result<std::string> accept = net::accept_key("dGhlIHNhbXBsZSBub25jZQ==");
    return accept && *accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
}

bool request() {
    net::RequestReader reader;
    std::string_view bytes = kRequest;
    const Result<net::RequestReader::State> state = reader.feed(bytes);
    return state && *state == net::RequestReader::State::complete && reader.take().upgrade;
}

class Taken final : public net::FrameHandler {
  public:
    bool on_message(net::Opcode, std::string_view payload) override {
        wire::Decoder decoder;
        const Result<wire::Message> message = decoder.envelope(payload);
        good = message && message->type == wire::MessageType::context_sync;
        const Result<Command> command =
            good ? decoder.command(*message) : Result<Command>(fail(Errc::internal));
        good = command && std::get<PutContext>(command->body).data == R"({"a":1,"b":2})";
        return true;
    }
    bool on_ping(std::string_view) override { return true; }
    bool on_pong(std::string_view) override { return true; }
    bool on_close(std::uint16_t, std::string_view) override { return true; }

    bool good = false;
};

bool message() {
    std::string frame;
    net::append_masked_frame(
        frame, net::Opcode::text,
        R"({"type":"context-sync","payload":{"contextKey":"k","data":{"b":2.0,"a":1}}})",
        0x12345678);
    net::FrameReader reader;
    Taken taken;
    return reader.feed(frame, taken) == nullptr && taken.good;
}

}  // namespace

Status self_test() {
    if (!hashes()) return fail(Errc::internal, "self test: SHA-256 gives a wrong answer");
    if (!handshake()) return fail(Errc::internal, "self test: the handshake gives a wrong answer");
    if (!request()) return fail(Errc::internal, "self test: a request is not understood");
    if (!message()) return fail(Errc::internal, "self test: a message is not understood");
    return Done{};
}

}  // namespace dyad::server
