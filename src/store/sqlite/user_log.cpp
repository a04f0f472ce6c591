#include "store/sqlite/user_log.hpp"

namespace dyad::sqlite {

Status Unapplied::decode() {
    if (!changes.empty()) return Done{};
    std::vector<Change> decoded;
    decoded.reserve(batch->size());
    for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
        ASSIGN_OR_RETURN(const EventView event, decode_event(batch->text(offset)));
        ASSIGN_OR_RETURN(Change change, decode_change(event));
        decoded.push_back(std::move(change));
    }
    changes = Changes(std::move(decoded));
    return Done{};
}

}  // namespace dyad::sqlite
