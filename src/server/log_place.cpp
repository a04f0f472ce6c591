#include "server/log_place.hpp"

#include "base/bytes.hpp"

namespace dyad::server {

Position position_at(Epoch epoch, Offset offset, const Hash& hash) {
    return LogHead{.epoch = epoch, .offset = offset, .hash = hash, .timestamp_ms = 0}.position();
}

// The event's own text has the first bytes of its hash: {"offset":N,"hash":"<16 hex>"…
Position position_of(Epoch epoch, const EventView& event) {
    const std::size_t at = event.text.find("\"hash\":\"") + 8;
    Position position{.epoch = epoch, .offset = event.offset, .hash = {}};
    CHECK(read_hex(event.text.substr(at, 16), position.hash));
    return position;
}

std::optional<Position> known_position(const LogSlice& slice, Offset offset) {
    if (offset == 0) return Position{.epoch = slice.head.epoch, .offset = 0, .hash = {}};
    if (offset == slice.head.offset) return slice.head.position();
    for (const EventBatchPtr& batch : slice.batches) {
        if (batch->empty()) continue;
        if (offset + 1 == batch->first) return position_at(batch->epoch, offset, batch->prev_hash);
        if (batch->first <= offset && offset <= batch->last())
            return position_at(batch->epoch, offset, batch->entry(offset).hash);
    }
    return std::nullopt;
}

bool is_of_this_log(const Position& position, const LogSlice& slice) {
    // Before the first event all logs are alike: the one that begins later is as good as this one.
    return position.offset == 0 || known_position(slice, position.offset) == position;
}

}  // namespace dyad::server
