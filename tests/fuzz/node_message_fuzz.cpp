// What nodes tell each other: whatever is signed is read without harm, and what is read is written
// again as the same bytes; what is not signed is not read.
#include "bus/redis/node_message.hpp"

#include <cstdlib>
#include <string>

namespace {

constexpr std::string_view kSecret = "secret";

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

// The first byte chooses the channel; the rest are the parts.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace dyad;
    if (size == 0) return 0;
    const std::string_view parts(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    require(!bus::read_node_message(kSecret, bus::kNodesChannel, "", parts));
    const std::string of_user = bus::log_channel(kSecret, "ada");
    const std::string_view channels[] = {bus::kNodesChannel, bus::kSessionsChannel, of_user};
    const std::string_view channel = channels[bytes[0] % 3];
    const auto read = bus::read_node_message(kSecret, channel, channel == of_user ? "ada" : "",
                                             bus::sign(kSecret, channel, 1, parts));
    if (!read) return 0;
    std::string again;
    for (const BusMessage& message : *read) {
        require((user_of(message) != nullptr) == (channel == of_user));
        bus::append_part(again, message);
    }
    // A byte that says yes has one value of many.
    if (channel != of_user) require(again == parts);
    return 0;
}
