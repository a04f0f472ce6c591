// Resume tokens and the texts and batches of the log: what is read writes itself back the same.
#include "model/change.hpp"
#include "model/event.hpp"

#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace dyad;
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    if (const Result<Position> position = Position::parse(text)) {
        const Result<Position> again = Position::parse(position->to_string());
        CHECK(again && *again == *position);
    }
    if (const Result<EventView> event = decode_event(text))
        static_cast<void>(decode_change(*event));
    if (const Result<EventBatch> batch = decode_batch(text)) {
        CHECK(encode_batch(*batch) == text);
        static_cast<void>(verify_batch(*batch));
        for (std::size_t i = 0; i < batch->size(); ++i) {
            const Result<EventBatch> one = decode_from(text, batch->first + i, 1);
            CHECK(one && one->texts == batch->text(batch->first + i));
        }
    }
    static_cast<void>(decode_from(text, size, size));  // of what is no batch, too
    return 0;
}
