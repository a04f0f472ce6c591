// A command on its way into the log, and what is known of it.
#pragma once

#include "core/own_writes.hpp"
#include "core/privacy.hpp"
#include "model/change.hpp"
#include "model/command.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <variant>

namespace dyad::core {

using Answer = std::variant<Reply, Rejection>;
using ReplyFn = std::function<void(const Answer&)>;

// What became of the appends that held a command.
enum class Attempt : std::uint8_t {
    none,     // no append held it, or the first one has no answer yet
    lost,     // another event was first, each time
    unknown,  // once there was no answer: a late copy may land in the log until it is written anew
};
// What a read of the log has said of a command's key (operation_key).
enum class KeyIs : std::uint8_t {
    unread,     // the table of operations decides
    anothers,   // in the log, for another operation with the same key: this one is new
};
// What the answer to a command that changes nothing rests on.
enum class Basis : std::uint8_t {
    held,    // what this node holds: others may have written since
    latest,  // the log was read to its end after the command came
};

// Legal: any KeyIs with any Basis and Attempt; Attempt::none only with `tries` 0, Attempt::lost only
// with more. `key_is` and
// what was read into the command are of the log as it was loaded at `load`; of another log they are
// forgotten (LogWriter::forget_other_log). Once answered (`done` is empty) a command stays where it
// is only in a batch under way, whose outcome it does not hear any more.
struct Pending {
    std::unique_ptr<Command> command;
    ReplyFn done;
    std::uint64_t fingerprint = 0;
    std::uint64_t key = 0;  // operation_key
    std::int64_t since_ms = 0;
    std::size_t bytes = 0;
    int tries = 0;
    Attempt attempt = Attempt::none;
    KeyIs key_is = KeyIs::unread;
    Basis basis = Basis::held;
    std::uint64_t load = 0;             // UserLog::loads()
    OwnWritesPtr own;                   // of the plain session that it came through
    PrivacyAsks::Serial serial = 0;     // when it came
    PrivacyAsks::Serial asked = 0;      // the ask for privacy of its instance that stood then
    PrivacyAsks::Serial via_asked = 0;  // the same of the instance that it came through
};
// An answer that waits for what it rests on.
using PendingAnswer = std::pair<Pending, Answer>;

}  // namespace dyad::core
