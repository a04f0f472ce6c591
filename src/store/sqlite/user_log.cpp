#include "store/sqlite/user_log.hpp"

namespace dyad::sqlite {

Status Unapplied::decode() {
    if (!changes.empty()) return Done{};
    std::vector<Change> decoded;
    decoded.reserve(batch->size());
    for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
        const Result<EventView> event = decode_event(batch->text(offset));
        if (!event) return event.error();
        Result<Change> change = decode_change(*event);
        if (!change) return change.error();
        decoded.push_back(*std::move(change));
    }
    changes = Changes(std::move(decoded));
    return Done{};
}

}  // namespace dyad::sqlite
