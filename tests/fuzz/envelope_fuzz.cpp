// Any message of a client: the decoder takes it or names an error, and a command that it takes is
// one that validate() can judge and whose documents are canonical.
#include "model/json.hpp"
#include "wire/message.hpp"

#include <cstdint>
#include <string_view>

namespace {

using namespace dyad;

void check_command(const Result<Command>& command) {
    if (!command) return;
    static_cast<void>(validate(*command));
    static_cast<void>(command->fingerprint());
    if (const auto* put = std::get_if<PutContext>(&command->body)) {
        const Result<std::string> again = json::canonicalize(put->data);
        CHECK(again && *again == put->data);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static wire::Decoder decoder;
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    check_command(decoder.operation(text));
    const Result<wire::Message> message = decoder.envelope(text);
    if (!message) return 0;
    switch (message->type) {
        case wire::MessageType::hello:
            static_cast<void>(decoder.hello(*message));
            break;
        case wire::MessageType::context_sync:
        case wire::MessageType::mode_update:
        case wire::MessageType::command:
            check_command(decoder.command(*message));
            break;
        case wire::MessageType::connect:
        case wire::MessageType::disconnect:
        case wire::MessageType::ping:
        case wire::MessageType::pong:
        case wire::MessageType::state_request:
        case wire::MessageType::state_response:
        case wire::MessageType::heartbeat:
        case wire::MessageType::error:
        case wire::MessageType::unknown:
            static_cast<void>(decoder.check_payload(*message));
    }
    return 0;
}
