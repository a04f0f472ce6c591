// What the tables thread holds of one user's log beside the tables: what is not applied yet.
#pragma once

#include "model/change.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dyad::sqlite {

// What the event of this text changed. Errors: storage_damaged.
inline Result<Change> change_in(std::string_view text) {
    ASSIGN_OR_RETURN(auto&& event, decode_event(text));
    return decode_change(event);
}

// A batch that is durable in the journal and not in the database.
struct Unapplied {
    EventBatchPtr batch;
    Changes changes;  // empty after a restart, until they are needed

    // Fills `changes` from the events' texts. Errors: storage_damaged.
    Status decode() {
        if (!changes.empty()) return Done{};
        std::vector<Change> decoded;
        decoded.reserve(batch->size());
        for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
            ASSIGN_OR_RETURN(decoded.emplace_back(), change_in(batch->text(offset)));
        }
        changes = Changes(std::move(decoded));
        return Done{};
    }
};

struct UserLog {
    std::string name;
    bool is_read = false;  // from the tables, what follows
    std::int64_t id = 0;   // users.id; 0 = none yet
    Offset first_kept = 1;
    LogHead head;  // with what is not applied
    std::vector<Unapplied> unapplied;
};

// Calls `visit(offset, entry, change)` with the events before `before` that are not applied, the
// newest first, until it returns false. Errors: storage_damaged.
template <class Visit>
Status visit_unapplied(UserLog& log, Offset before, Visit visit) {
    for (std::size_t b = log.unapplied.size(); b-- > 0;) {
        Unapplied& next = log.unapplied[b];
        if (next.batch->first >= before) continue;
        TRY(next.decode());
        for (std::size_t i = next.batch->size(); i-- > 0;) {
            const Offset offset = next.batch->first + i;
            if (offset < before && !visit(offset, next.batch->entries[i], next.changes[i]))
                return Done{};
        }
    }
    return Done{};
}

}  // namespace dyad::sqlite
