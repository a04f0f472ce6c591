// What is known of operations that were applied, and the answers to those that come again: step 2
// of writing.
//
//   table    its keys                                   leaves it
//   unread   what was adopted since the log was loaded  the first command: reading
//   reading  the same                                   known; an error: unread
//   known    all of the log's, and the newest expired   another log: unread, or known where it is
//                                                       empty
//
// Only who writes needs the table, and it grows with the log: whoever comes back to read is served
// without it.
#pragma once

#include "core/pending.hpp"
#include "store/store.hpp"

#include <cstdint>
#include <memory>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

namespace dyad::core {

class UserLog;

// The log's end after one event of a batch.
LogHead head_at(const EventBatch& batch, Offset offset);

class Operations {
  public:
    explicit Operations(UserLog& user) : user_(user) {}

    // Another log has taken the place of what was held.
    void reset();
    void note(std::uint64_t key, Offset offset) { offsets_.insert_or_assign(key, offset); }
    // Whether a command can be decided: the table is known, and so is what every mode that came
    // again means for what follows it. Where the table is not, it is asked for.
    bool decided();
    // Of an event that is held or was read since; 0: it is not known which, or there is none.
    Offset offset_of(std::uint64_t key) const;

    bool is_repeat(const Pending& pending) const;
    // Answers it as it was answered before; or puts it back, where its key is another's.
    // Requires: is_repeat.
    void answer_repeat(Pending&& pending);

  private:
    enum class Table : std::uint8_t { unread, reading, known };
    using PendingPtr = std::shared_ptr<Pending>;

    void read();
    void found(const PendingPtr& pending, Offset offset);
    void answer_from(Pending& pending, const EventBatch& batch, Offset offset);
    void is_new(Pending& pending);
    void has_expired(Pending& pending);
    void refuse(Pending& pending, const Error& error);
    void end(const Pending& pending);

    UserLog& user_;
    Table table_ = Table::unread;
    boost::unordered_flat_map<std::uint64_t, Offset> offsets_;  // 0: not known which
    int repeated_modes_ = 0;  // looked up: what they mean for what follows is not known yet
};

}  // namespace dyad::core
