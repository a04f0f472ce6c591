// A command on its way into the log, and what is known of it.
#pragma once

#include "core/own_writes.hpp"
#include "core/privacy.hpp"
#include "model/command.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

namespace dyad::core {

using Answer = std::variant<Reply, Rejection>;
using ReplyFn = std::function<void(const Answer&)>;

// What the answer to a command that changes nothing rests on.
enum class Basis : std::uint8_t {
    held,    // what this node holds: others may have written since
    latest,  // the log was read to its end after the command came
};

// `applied_at` and what was read into the command are of the log as it was loaded at `load`; of
// another log they are forgotten. Once answered (`done` is empty) a command stays where it is only
// in a batch under way, whose outcome it does not hear any more.
struct Pending {
    std::unique_ptr<Command> command;
    ReplyFn done;
    std::uint64_t fingerprint = 0;
    std::uint64_t key = 0;  // operation_key
    std::int64_t since_ms = 0;
    std::size_t bytes = 0;
    int tries = 0;             // appends that held it and settled nothing for it
    bool may_be_late = false;  // one of them got no answer: a copy may land in the log yet
    Basis basis = Basis::held;
    std::optional<Offset> applied_at;   // the store has its operation: where, 0 where that expired
    std::uint64_t load = 0;             // UserLog::loads()
    OwnWritesPtr own;                   // of the plain session that it came through
    PrivacyAsks::Serial serial = 0;     // when it came
    PrivacyAsks::Serial asked = 0;      // the ask for privacy of its instance that stood then
    PrivacyAsks::Serial via_asked = 0;  // the same of the instance that it came through
};
using PendingPtr = std::shared_ptr<Pending>;
// An answer that waits for what it rests on.
using PendingAnswer = std::pair<Pending, Answer>;

}  // namespace dyad::core
